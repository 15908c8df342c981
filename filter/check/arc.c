/*
 * arc.c - the chain of those who forwarded the message (RFC 8617) as facts.
 *
 * Nothing is verified before a rule, the record or Authentication-Results asks. Who sealed is said only of a chain that
 * passes, whose seals were all verified: a name in an unverified seal proves nothing.
 */
#include "check_private.h"

#define HINTS_MAX 20 /* keys asked for early; honest chains have a few sets */

/* arc { } */
struct arc_settings {
	struct list *trust; /* sealers whose word counts; NULL: nobody's */
	unsigned sets;
};

static const struct arc_settings *settings_of(const struct view *view)
{
	return check_block(view->settings, &check_arc);
}

struct state {
	struct arc_verifier *verifier; /* NULL: the header is not complete, or has no field of ARC */
	unsigned arrived;              /* fields */
	bool ended, counted;
	struct arc_outcome outcome;
	unsigned oldest_pass;
};

static struct state *state_of(struct view *view)
{
	void **slot = &view->message_slots[check_number(&check_arc)];

	if (!*slot)
		*slot = arena_alloc(view->message->arena, sizeof(struct state));
	return *slot;
}

static void field(struct view *view, const struct header_field *arrived)
{
	struct state *state;

	if (!arc_is_field(arrived))
		return;
	state = state_of(view);
	if (state->arrived++ < HINTS_MAX)
		arc_hint(view->budget, arrived, view->message->arena);
}

static void header(struct view *view)
{
	const struct arc_rules rules = {
	    .now_s = view->now_us / 1000000,
	    .minimum_bits = check_dkim_minimum_bits(view->settings),
	    .sets = settings_of(view)->sets,
	};
	struct state *state = state_of(view);

	if (state->arrived > 0)
		state->verifier =
		    arc_verify_begin(&rules, &view->message->headers, view_body(view), view->message->arena);
}

static struct state *ended(struct view *view)
{
	struct state *state = state_of(view);

	if (state->ended)
		return state;
	state->ended = true;
	state->outcome = (struct arc_outcome){.result = ARC_NONE, .reason = SLICE("")};
	if (!state->verifier)
		return state;
	dkim_body_end(view_body(view)); /* DKIM may not have been asked */
	arc_verify_end(state->verifier, view->budget, &state->outcome);
	return state;
}

const struct arc_outcome *check_arc_outcome(struct view *view)
{
	return &ended(view)->outcome;
}

/* ---- the facts ------------------------------------------------------------------------------- */

static struct value get_arc(struct view *view)
{
	return value_word(arc_result_names[ended(view)->outcome.result]);
}

static struct value get_reason(struct view *view)
{
	return value_text(TYPE_STRING, ended(view)->outcome.reason);
}

/* The newest first. */
static struct value get_domains(struct view *view)
{
	const struct arc_outcome *outcome = &ended(view)->outcome;
	struct text text;

	text_init(&text, view->message->arena, HEADER_BYTES_MAX);
	for (unsigned i = outcome->sealers ? outcome->sets : 0; i-- > 0;) {
		text_add(&text, text.n > 0 ? SLICE(" ") : SLICE(""));
		text_add(&text, outcome->sealers[i].domain);
	}
	return value_text(TYPE_STRING, text_slice(&text));
}

static struct value get_oldest_pass(struct view *view)
{
	struct state *state = ended(view);

	if (state->outcome.result != ARC_PASS)
		return value_absent(TYPE_NUMBER);
	if (!state->counted)
		state->oldest_pass = arc_oldest_pass(state->verifier, view->budget);
	state->counted = true;
	return value_number(state->oldest_pass);
}

/* Every sealer of the chain is in the list, and l= leaves no part of the body to strangers. */
static enum truth trust(struct view *view)
{
	const struct arc_outcome *outcome = &ended(view)->outcome;
	struct list *list = settings_of(view)->trust;
	enum truth all = TRUTH_TRUE;

	if (!list || !outcome->sealers || outcome->partial)
		return TRUTH_FALSE;
	for (unsigned i = 0; i < outcome->sets && all != TRUTH_FALSE; i++) {
		const struct list_key key = {.kind = LIST_TEXT, .text = outcome->sealers[i].domain};
		enum truth one = list_has(list, view->store, &key);

		if (one != TRUTH_TRUE)
			all = one;
	}
	return all;
}

static struct value get_trusted(struct view *view)
{
	enum truth trusted = trust(view);

	return trusted == TRUTH_UNKNOWN ? value_unknown(TYPE_BOOL, list_unknown(settings_of(view)->trust))
					: value_bool(trusted == TRUTH_TRUE);
}

static bool is_result(struct slice word)
{
	for (size_t i = 0; dmarc_result_names[i]; i++)
		if (slice_equal(word, slice_of(dmarc_result_names[i])))
			return true;
	return false;
}

/* What the first sealer says, before anybody changed the message. With `trust`, of a trusted chain alone. */
static struct value get_dmarc(struct view *view)
{
	struct state *state = ended(view);
	struct authres_parsed results;
	enum truth trusted = settings_of(view)->trust ? trust(view) : TRUTH_TRUE;

	if (trusted == TRUTH_UNKNOWN)
		return value_unknown(TYPE_RESULT, list_unknown(settings_of(view)->trust));
	if (trusted == TRUTH_FALSE || !state->verifier || !arc_results(state->verifier, 1, &results))
		return value_absent(TYPE_RESULT);
	for (size_t i = 0; i < results.clause_count; i++)
		if (slice_equal(results.clauses[i].method, SLICE("dmarc")) && is_result(results.clauses[i].result))
			return value_word(arena_cstring(view->message->arena, results.clauses[i].result));
	return value_absent(TYPE_RESULT);
}

#define CHAIN_MAX 1000 /* bytes of a comment in a report */

/* As RFC 8617 7.2.2 writes it in a DMARC report. */
static struct value get_chain(struct view *view)
{
	const struct arc_outcome *outcome = &ended(view)->outcome;
	struct text text;

	if (!outcome->sealers)
		return value_absent(TYPE_STRING);
	text_init(&text, view->message->arena, CHAIN_MAX);
	text_add(&text, SLICE("arc=pass"));
	for (unsigned i = outcome->sets; i-- > 0;) {
		const struct arc_sealer *sealer = &outcome->sealers[i];

		text_printf(&text, " as[%u].d=%.*s as[%u].s=%.*s", i + 1, SLICE_ARGS(sealer->domain), i + 1,
			    SLICE_ARGS(sealer->selector));
	}
	return value_text(TYPE_STRING, text_slice(&text));
}

/* ---- Authentication-Results ---------------------------------------------------------------------- */

static bool silent(struct view *view)
{
	return state_of(view)->arrived == 0;
}

/* RFC 8617 10.1. Mail of our own users and hosts is not judged. RFC 8617 5.2.1: DNS trouble is a failure. */
static void authres(struct view *view, struct authres *field_r)
{
	const struct state *state;
	struct origin origin;
	char text[IP_TEXT];

	if (view->kind != KIND_INBOUND)
		return;
	state = ended(view);
	authres_method(field_r, SLICE("arc"),
		       state->outcome.result == ARC_TEMPERROR ? SLICE("fail")
							      : slice_of(arc_result_names[state->outcome.result]));
	if (state->outcome.reason.n)
		authres_reason(field_r, state->outcome.reason);
	origin = relay_origin(view);
	if (origin.known && origin.ip.family)
		authres_property(field_r, SLICE("smtp"), SLICE("remote-ip"), ip_print(origin.ip, text));
	if (state->counted)
		authres_property(field_r, SLICE("header"), SLICE("oldest-pass"),
				 number_print(state->oldest_pass, text));
}

/* ---- settings ------------------------------------------------------------------------------------ */

static const struct setting_key keys[] = {
    {.name = "trust",
     .type = SETTING_LIST,
     .offset = offsetof(struct arc_settings, trust),
     .usage = "the list of the domains whose seals you trust",
     .example = "arc { trust friends }"},
    {.name = "maximum-sets",
     .type = SETTING_NUMBER,
     .offset = offsetof(struct arc_settings, sets),
     .least = 1,
     .most = ARC_SETS_MAX,
     .preset = "50"},
};

static const struct setting_block block = {.name = "arc", .size = sizeof(struct arc_settings), SETTING_KEYS(keys)};

/* ---- the check ----------------------------------------------------------------------------------- */

#define NEEDS (NEED_HEADERS | NEED_BODY)

static const struct fact facts[] = {
    FACT("arc", RESULT, MESSAGE, get_arc, "result of the ARC chain", .needs = NEEDS, .words = arc_result_names,
	 .recorded = true),
    FACT("arc.domains", STRING, MESSAGE, get_domains,
	 "the domains (d=) of all seals of a chain that passes, the newest first", .needs = NEEDS, .list = true,
	 .of = TYPE_DOMAIN, .recorded = true),
    FACT("arc.oldest-pass", NUMBER, MESSAGE, get_oldest_pass,
	 "the oldest set since which the message is unchanged; 0: since the first sealer", .needs = NEEDS),
    FACT("arc.reason", STRING, MESSAGE, get_reason, "why the chain does not pass", .needs = NEEDS, .recorded = true),
    FACT("arc.dmarc", RESULT, MESSAGE, get_dmarc, "the DMARC result that the first sealer of the chain says it found",
	 .needs = NEEDS, .words = dmarc_result_names),
    FACT("arc.trusted", BOOL, MESSAGE, get_trusted, "the chain passes, and all its sealers are in arc { trust }",
	 .needs = NEEDS),
    FACT("arc.chain", STRING, MESSAGE, get_chain, "the sealers of a chain that passes, as DMARC reports name them",
	 .needs = NEEDS),
};

static bool has_result(const struct view *view)
{
	const struct state *state = view->message_slots[check_number(&check_arc)];

	return state && state->ended;
}

const struct check check_arc = {
    CHECK_NAMED(arc), FACTS(facts),     .settings = &block, .authres = authres,
    .field = field,   .header = header, .silent = silent,   .judged = has_result,
};
