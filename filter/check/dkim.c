/*
 * dkim.c - DKIM signatures (RFC 6376) as facts.
 *
 * The key is asked for when a DKIM-Signature field arrives, the signatures are read when
 * the header is complete, the body is hashed as it comes, and they are judged
 * when a rule reads a result at the end of the message.
 */
#include "check_private.h"

#define HINTS_MAX DKIM_SIGNATURES /* questions asked before it is known which signatures will be verified */
#define CLAUSES_MAX                                                                                                    \
	32 /* our header field must not become so long that an MTA refuses it; legitimate mail has a few signatures */

/* dkim { } */
struct dkim_settings {
	unsigned minimum_bits, signatures;
	SETTING_ITEMS(struct slice) length_domains; /* whose l= may leave part of the body unsigned */
	int64_t repeats_us;                         /* how long accepted signatures are counted */
	enum dkim_engine engine;
	struct dkim_library *library; /* for an engine other than native */
};

static const struct dkim_settings *settings_of(const struct check_settings *settings)
{
	return check_block(settings, &check_dkim);
}

enum dkim_engine check_dkim_engine(const struct check_settings *settings, struct dkim_library **library_r)
{
	*library_r = settings_of(settings)->library;
	return settings_of(settings)->engine;
}

unsigned check_dkim_minimum_bits(const struct check_settings *settings)
{
	return settings_of(settings)->minimum_bits;
}

int64_t check_dkim_repeats_us(const struct check_settings *settings)
{
	return settings_of(settings)->repeats_us;
}

struct state {
	struct dkim_verifier *verifier; /* NULL: the header is not complete, or has no signature */
	unsigned arrived;               /* DKIM-Signature fields */
	bool ended;
	struct dkim_outcome outcome;
	struct slice *passes; /* d=, each once */
	size_t pass_count;
};

static struct state *state_of(struct view *view)
{
	void **slot = &view->message_slots[check_number(&check_dkim)];

	if (!*slot)
		*slot = arena_alloc(view->message->arena, sizeof(struct state));
	return *slot;
}

static void field(struct view *view, const struct header_field *arrived)
{
	struct state *state;

	if (!header_is_named(arrived, SLICE("DKIM-Signature")))
		return;
	state = state_of(view);
	if (state->arrived++ < HINTS_MAX)
		dkim_hint(view->budget, arrived->value, view->message->arena);
}

static void add_body(void *verifier, struct slice chunk)
{
	dkim_verify_body(verifier, chunk);
}

static void header(struct view *view)
{
	const struct dkim_settings *settings = settings_of(view->settings);
	const struct authors *authors;
	struct message *message = view->message;
	const struct dkim_rules rules = {
	    .now_s = view->now_us / 1000000,
	    .minimum_bits = settings->minimum_bits,
	    .signatures = settings->signatures,
	    .length_domains = settings->length_domains.items,
	    .length_domain_count = settings->length_domains.count,
	    .engine = settings->engine,
	    .library = settings->library,
	};
	struct state *state = state_of(view);

	if (state->arrived == 0)
		return; /* then nothing of the body is hashed */
	authors = check_authors(view);
	state->verifier =
	    dkim_verify_begin(&rules, &message->headers, authors->domain_count == 1 ? authors->domains[0] : SLICE(""),
			      view_body(view), message->arena);
	if (settings->engine != DKIM_NATIVE)
		view_sink(view, add_body, state->verifier);
}

static bool is_known(const struct state *state, struct slice domain)
{
	for (size_t i = 0; i < state->pass_count; i++)
		if (slice_equal(state->passes[i], domain))
			return true;
	return false;
}

static void collect_passes(struct state *state, struct arena *arena)
{
	state->passes = arena_alloc(arena, (state->outcome.count + 1) * sizeof(*state->passes));
	for (size_t i = 0; i < state->outcome.count; i++) {
		const struct dkim_signature *signature = &state->outcome.signatures[i];

		if (signature->result == DKIM_PASS && !is_known(state, signature->domain))
			state->passes[state->pass_count++] = signature->domain;
	}
}

static const struct state *ended(struct view *view)
{
	struct state *state = state_of(view);

	if (state->ended)
		return state;
	state->ended = true;
	if (state->verifier)
		dkim_verify_end(state->verifier, view->budget, &state->outcome);
	collect_passes(state, view->message->arena);
	return state;
}

bool check_dkim_is_judged(const struct view *view)
{
	const struct state *state = view->message_slots[check_number(&check_dkim)];

	return state && state->ended;
}

const struct dkim_outcome *check_dkim_outcome(struct view *view)
{
	return &ended(view)->outcome;
}

/* ---- the facts ------------------------------------------------------------------------------- */

static const struct dkim_signature *best(struct view *view)
{
	static const struct dkim_signature none = {.result = DKIM_NONE};
	const struct state *state = ended(view);

	return state->outcome.best ? state->outcome.best : &none;
}

static struct value get_dkim(struct view *view)
{
	return value_word(dkim_result_names[ended(view)->outcome.result]);
}

static struct value get_domain(struct view *view)
{
	return value_text(TYPE_DOMAIN, best(view)->domain);
}

static struct value get_domains(struct view *view)
{
	const struct state *state = ended(view);
	struct text text;

	text_init(&text, view->message->arena, HEADER_BYTES_MAX);
	for (size_t i = 0; i < state->pass_count; i++) {
		text_add(&text, i > 0 ? SLICE(" ") : SLICE(""));
		text_add(&text, state->passes[i]);
	}
	return value_text(TYPE_STRING, text_slice(&text));
}

static struct value get_selector(struct view *view)
{
	return value_text(TYPE_STRING, best(view)->selector);
}

static struct value get_reason(struct view *view)
{
	return value_text(TYPE_STRING, best(view)->reason);
}

/* dkim { engine compare } */
static struct value get_second(struct view *view)
{
	const struct dkim_outcome *outcome = &ended(view)->outcome;

	for (size_t i = 0; i < outcome->count; i++)
		if (outcome->signatures[i].second)
			return value_text(TYPE_STRING, arena_printf(view->message->arena, "%s for signature %zu",
								    outcome->signatures[i].second, i + 1));
	return value_absent(TYPE_STRING);
}

static bool disagrees(struct view *view, struct slice *note_r)
{
	const struct state *state = view->message_slots[check_number(&check_dkim)];

	for (size_t i = 0; state && i < state->outcome.count; i++) {
		const struct dkim_signature *signature = &state->outcome.signatures[i];

		if (!signature->second)
			continue;
		*note_r = arena_printf(view->message->arena,
				       "dkim engines disagree: native %s, libopendkim %s: d=%.*s s=%.*s",
				       dkim_result_names[signature->result], signature->second,
				       SLICE_ARGS(signature->domain), SLICE_ARGS(signature->selector));
		return true;
	}
	*note_r = SLICE(""); /* signing was noted at that time */
	return view->signing_disagrees;
}

static struct value get_aligned(struct view *view)
{
	const struct dkim_outcome *outcome = &ended(view)->outcome;
	bool aligned = false;

	for (size_t i = 0; i < outcome->count; i++)
		aligned |= outcome->signatures[i].aligned && outcome->signatures[i].result == DKIM_PASS;
	return value_bool(aligned);
}

static struct value get_testing(struct view *view)
{
	return value_bool(best(view)->testing);
}

/* ---- Authentication-Results ---------------------------------------------------------------------- */

/* RFC 8601 2.7.1, RFC 6008 */
static void clause(struct authres *authres, const struct dkim_signature *signature)
{
	authres_method(authres, SLICE("dkim"), slice_of(dkim_result_names[signature->result]));
	if (signature->testing)
		authres_comment(authres, SLICE("testing key"));
	if (signature->reason.n)
		authres_reason(authres, signature->reason);
	if (signature->domain.n)
		authres_property(authres, SLICE("header"), SLICE("d"), signature->domain);
	if (signature->selector.n)
		authres_property(authres, SLICE("header"), SLICE("s"), signature->selector);
	if (signature->algorithm.n)
		authres_property(authres, SLICE("header"), SLICE("a"), signature->algorithm);
	if (signature->b.n)
		authres_property(authres, SLICE("header"), SLICE("b"), signature->b);
}

/* One clause for each signature. Mail of our own users and hosts is not judged. */
static void authres(struct view *view, struct authres *authres)
{
	const struct dkim_outcome *outcome;
	size_t shown;

	if (view->kind != KIND_INBOUND)
		return;
	outcome = &ended(view)->outcome;
	shown = outcome->count < CLAUSES_MAX ? outcome->count : CLAUSES_MAX;
	if (outcome->count == 0)
		authres_method(authres, SLICE("dkim"), SLICE("none"));
	for (size_t i = 0; i < shown; i++)
		clause(authres, &outcome->signatures[i]);
	if (shown < outcome->count)
		authres_comment(authres, arena_printf(view->message->arena, "and %zu more that were not verified",
						      outcome->count - shown));
}

/* ---- settings ------------------------------------------------------------------------------------ */

#define SIGNATURES_MOST 50 /* each costs a question to the DNS and a key operation */

static void close_library(void *library)
{
	dkim_library_close(library);
}

/* The library is opened once and lives as long as the policy. */
static int finish(void *block, struct setting_told *told, struct error *err)
{
	struct dkim_settings *dkim = block;

	told->key = "engine";
	if (dkim->engine == DKIM_NATIVE)
		return 0;
	dkim->library = dkim_library_open(err);
	if (!dkim->library)
		return -1;
	arena_own(told->arena, dkim->library, close_library);
	return 0;
}

static const struct setting_key keys[] = {
    {.name = "minimum-key-bits",
     .type = SETTING_NUMBER,
     .offset = offsetof(struct dkim_settings, minimum_bits),
     .least = DKIM_RSA_BITS_MIN,
     .most = DKIM_RSA_BITS_MAX,
     .preset = "1024"},
    {.name = "maximum-signatures",
     .type = SETTING_NUMBER,
     .offset = offsetof(struct dkim_settings, signatures),
     .least = 1,
     .most = SIGNATURES_MOST,
     .preset = "10"},
    {.name = "allow-length",
     .type = SETTING_DOMAIN,
     .count = SETTING_MANY,
     .offset = offsetof(struct dkim_settings, length_domains),
     .usage = "the domains (d=) whose l= may leave part of the body unsigned",
     .example = "dkim { allow-length lists.example.org }"},
    {.name = "repeats-window",
     .type = SETTING_DURATION,
     .offset = offsetof(struct dkim_settings, repeats_us),
     .least = 60 * INT64_C(1000000),
     .most = 30 * STORE_DAY_US,
     .preset = "2d"},
    {.name = "engine",
     .type = SETTING_WORD,
     .offset = offsetof(struct dkim_settings, engine),
     .words = dkim_engine_names,
     .preset = "native"},
};

static const struct setting_block block = {
    .name = "dkim", .size = sizeof(struct dkim_settings), SETTING_KEYS(keys), .finish = finish};

/* ---- the check ----------------------------------------------------------------------------------- */

#define NEEDS (NEED_HEADERS | NEED_BODY)

static const struct fact facts[] = {
    FACT("dkim", RESULT, MESSAGE, get_dkim, "result of the best DKIM signature", .needs = NEEDS, .recorded = true,
	 .words = dkim_result_names),
    FACT("dkim.domain", DOMAIN, MESSAGE, get_domain, "its domain (d=)", .needs = NEEDS, .recorded = true),
    FACT("dkim.domains", STRING, MESSAGE, get_domains, "the domains of all signatures that pass", .needs = NEEDS,
	 .list = true, .of = TYPE_DOMAIN),
    FACT("dkim.selector", STRING, MESSAGE, get_selector, "the selector (s=) of the best signature", .needs = NEEDS),
    FACT("dkim.reason", STRING, MESSAGE, get_reason, "why the best signature does not pass", .needs = NEEDS,
	 .recorded = true),
    FACT("dkim.libopendkim", STRING, MESSAGE, get_second, "what libopendkim says where it disagrees (engine compare)",
	 .needs = NEEDS),
    FACT("dkim.aligned", BOOL, MESSAGE, get_aligned, "a signature of the author domain passes", .needs = NEEDS),
    FACT("dkim.testing", BOOL, MESSAGE, get_testing, "the key of the best signature is being tested (t=y)",
	 .needs = NEEDS),
};

static bool has_result(const struct view *view)
{
	const struct state *state = view->message_slots[check_number(&check_dkim)];

	return state && state->ended;
}

const struct check check_dkim = {
    CHECK_NAMED(dkim), FACTS(facts),     .settings = &block,   .authres = authres,
    .field = field,    .header = header, .judged = has_result, .disagrees = disagrees,
};
