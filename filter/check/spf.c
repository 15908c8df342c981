/*
 * spf.c - SPF (RFC 7208) of MAIL FROM and of HELO as facts.
 *
 * The two identities are evaluated separately. For the null sender MAIL FROM means
 * postmaster at the HELO name (RFC 7208 2.4): then both are the same.
 *
 * The outcome for the client's own HELO belongs to the connection, all others to the message. What comes from a
 * relay of the site is judged by the address that handed it to the relay (relay.c); that is
 * known at the message stage, and until then both results are none.
 */
#include "check_private.h"

/* spf { } */
struct spf_settings {
	enum spf_engine engine;
};

static enum spf_engine engine_of(const struct view *view)
{
	return ((const struct spf_settings *)check_block(view->settings, &check_spf))->engine;
}

/* What is known about one message. */
struct judged {
	struct origin origin;
	const struct spf_outcome *mail, *helo; /* NULL: not asked for yet */
};

/* The null sender's identity is the HELO name (RFC 7208 2.4). */
static bool sender_is_null(const struct view *view)
{
	return view->message->sender.valid && view->message->sender.text.n == 0;
}

static struct spf_request request(struct view *view, const struct origin *origin, bool helo)
{
	const struct address *sender = &view->message->sender;

	return (struct spf_request){
	    .engine = engine_of(view),
	    .client = origin->ip,
	    .helo = origin->helo,
	    .local = helo ? SLICE("postmaster") : sender->local,
	    .domain = helo ? origin->helo : sender->domain,
	    .receiver = view->settings->authserv_id,
	    .now_us = view->now_us,
	    .identity_helo = helo,
	};
}

/* Belongs to the message; started again at the message stage when the origin becomes known only there. */
static struct judged *judged(struct view *view)
{
	void **slot = &view->message_slots[check_number(&check_spf)];
	struct judged *judged = *slot;

	if (judged && !(judged->origin.pending && view->stage == STAGE_MESSAGE))
		return judged;
	judged = arena_alloc(view->message->arena, sizeof(*judged));
	judged->origin = relay_origin(view);
	*slot = judged;
	return judged;
}

static const struct spf_outcome *evaluate(struct view *view, const struct origin *origin, bool helo)
{
	struct spf_outcome *outcome = arena_alloc(view->message->arena, sizeof(*outcome));
	struct spf_request asked = request(view, origin, helo);

	if (origin->known)
		spf_check(&asked, view->budget, view->message->arena, outcome);
	else
		*outcome = (struct spf_outcome){
		    .result = SPF_NONE, .domain = asked.domain, .reason = slice_of(origin->reason)};
	return outcome;
}

/* Only what the facts show is kept for the whole session; the rest goes with the message. */
static const struct spf_outcome *keep(const struct spf_outcome *outcome, struct arena *arena)
{
	struct spf_outcome *kept = arena_alloc(arena, sizeof(*kept));

	*kept = *outcome;
	kept->domain = arena_copy(arena, outcome->domain);
	kept->mechanism = arena_copy(arena, outcome->mechanism);
	kept->explanation = arena_copy(arena, outcome->explanation);
	kept->reason = arena_copy(arena, outcome->reason);
	kept->steps = NULL;
	kept->step_count = 0;
	return kept;
}

static const struct spf_outcome *helo_outcome(struct view *view)
{
	void **slot = &view->connection_slots[check_number(&check_spf)];
	struct judged *known = judged(view);
	bool direct = known->origin.known && known->origin.helo.p == view->session->helo.p;

	if (!known->helo && direct && *slot)
		known->helo = *slot;
	if (known->helo)
		return known->helo;
	known->helo = evaluate(view, &known->origin, true);
	if (direct)
		*slot = (void *)keep(known->helo, view->session->arena);
	return known->helo;
}

static const struct spf_outcome *mail_outcome(struct view *view)
{
	struct judged *known = judged(view);

	if (sender_is_null(view))
		return helo_outcome(view);
	if (!known->mail)
		known->mail = evaluate(view, &known->origin, false);
	return known->mail;
}

const struct spf_outcome *check_spf_outcome(struct view *view)
{
	return mail_outcome(view);
}

const struct spf_outcome *check_spf_helo(struct view *view)
{
	return helo_outcome(view);
}

/* ---- facts: each for MAIL FROM and for HELO ------------------------------------------- */

static struct value settle(struct view *view, struct value value)
{
	value.provisional = judged(view)->origin.pending;
	return value;
}

static struct value result_of(struct view *view, const struct spf_outcome *outcome)
{
	return settle(view, value_word(spf_result_names[outcome->result]));
}

static struct value domain_of(struct view *view, const struct spf_outcome *outcome)
{
	return settle(view, value_text(TYPE_DOMAIN, outcome->domain));
}

static struct value mechanism_of(struct view *view, const struct spf_outcome *outcome)
{
	return settle(view, value_text(TYPE_STRING, outcome->mechanism));
}

static struct value reason_of(struct view *view, const struct spf_outcome *outcome)
{
	return settle(view, value_text(TYPE_STRING, outcome->reason));
}

static struct value lookups_of(struct view *view, const struct spf_outcome *outcome)
{
	return settle(view, value_number(outcome->lookups));
}

/* The explanation of the domain; a fail of a domain without one is explained by us (RFC 7208 8.4). */
static struct value explanation_of(struct view *view, const struct spf_outcome *outcome)
{
	char buffer[IP_TEXT];

	if (outcome->explanation.n || outcome->result != SPF_FAIL)
		return settle(view, value_text(TYPE_STRING, outcome->explanation));
	return settle(
	    view, value_text(TYPE_STRING, arena_join(view->message->arena, ip_print(judged(view)->origin.ip, buffer),
						     SLICE(" may not send mail for "), outcome->domain)));
}

static struct value secure_of(struct view *view, const struct spf_outcome *outcome)
{
	return settle(view, value_bool(outcome->secure));
}

/* The address that was judged: the client's, or that from which a relay took the mail. */
static struct value client_of(struct view *view, const struct spf_outcome *outcome)
{
	const struct origin *origin = &judged(view)->origin;

	(void)outcome;
	if (!origin->known || !origin->ip.family)
		return settle(view, value_absent(TYPE_IP));
	return settle(view, (struct value){.state = VALUE_SET, .type = TYPE_IP, .ip = origin->ip});
}

#define GET(name, whose, what)                                                                                         \
	static struct value name(struct view *view)                                                                    \
	{                                                                                                              \
		return what(view, whose(view));                                                                        \
	}
GET(get_result, mail_outcome, result_of)
GET(get_domain, mail_outcome, domain_of)
GET(get_mechanism, mail_outcome, mechanism_of)
GET(get_explanation, mail_outcome, explanation_of)
GET(get_reason, mail_outcome, reason_of)
GET(get_lookups, mail_outcome, lookups_of)
GET(get_secure, mail_outcome, secure_of)
GET(get_client, mail_outcome, client_of)
GET(get_helo, helo_outcome, result_of)
GET(get_helo_domain, helo_outcome, domain_of)
GET(get_helo_mechanism, helo_outcome, mechanism_of)
GET(get_helo_explanation, helo_outcome, explanation_of)
GET(get_helo_reason, helo_outcome, reason_of)
GET(get_helo_lookups, helo_outcome, lookups_of)
GET(get_helo_secure, helo_outcome, secure_of)

/* ---- both engines --------------------------------------------------------------------- */

static void add_disagreement(struct text *text, const char *identity, const struct spf_outcome *outcome)
{
	if (!outcome || !outcome->compared || outcome->result == outcome->other_result)
		return;
	text_printf(text, "%s%s: native %s, libspf2 %s", text->n ? "; " : "", identity,
		    spf_result_names[outcome->result], spf_result_names[outcome->other_result]);
}

/* Only of what was evaluated: it does not start a check itself. */
static struct value get_disagreement(struct view *view)
{
	const struct judged *known = view->message_slots[check_number(&check_spf)];
	struct text text;

	if (!known)
		return value_absent(TYPE_STRING);
	text_init(&text, view->message->arena, 200);
	add_disagreement(&text, "mailfrom", known->mail);
	add_disagreement(&text, "helo", known->helo);
	return settle(view, value_text(TYPE_STRING, text_slice(&text)));
}

static bool disagrees(struct view *view, struct slice *note_r)
{
	if (engine_of(view) != SPF_ENGINE_COMPARE)
		return false;
	*note_r = SLICE(""); /* the fact says it */
	return fact_get(view, fact_find(SLICE("spf.disagreement")), NO_ARGUMENT).state == VALUE_SET;
}

/* Mail of a relay that did not say where it got it from. */
static bool unchecked(struct view *view, struct slice *note_r)
{
	const struct judged *known = view->message_slots[check_number(&check_spf)];

	if (!known || known->origin.known || known->origin.pending)
		return false;
	*note_r = arena_join(view->message->arena, SLICE("SPF was not checked: "), slice_of(known->origin.reason));
	return true;
}

/* ---- the check ------------------------------------------------------------------------------ */

static unsigned needs(const struct check_settings *settings)
{
	return settings->relays ? NEED_HEADERS : 0;
}

static void hint(struct view *view, enum stage stage, const struct asking *asking)
{
	(void)asking;
	if (stage == STAGE_HELO && relay_is(view->settings, view->session->client) == TRUTH_FALSE)
		spf_hint_helo(view->budget, view->session->helo, view->session->client);
	if (stage == STAGE_MAIL && view->message->sender.domain.n)
		spf_hint(view->budget, view->message->sender.domain);
}

static void clause(struct view *view, struct authres *field, const struct spf_outcome *outcome, struct slice property,
		   struct slice value)
{
	bool says_why =
	    outcome->result == SPF_TEMPERROR || outcome->result == SPF_PERMERROR || !judged(view)->origin.known;

	authres_method(field, SLICE("spf"), slice_of(spf_result_names[outcome->result]));
	if (says_why)
		authres_reason(field, outcome->reason);
	if (value.n)
		authres_property(field, SLICE("smtp"), property, value);
}

/* RFC 8601 2.7.2. Mail of our own users and hosts is not judged by SPF. */
static void authres(struct view *view, struct authres *field)
{
	const struct address *sender = &view->message->sender;
	const struct origin *origin = &judged(view)->origin;

	if (view->kind != KIND_INBOUND)
		return;
	if (sender->text.n)
		clause(view, field, mail_outcome(view), SLICE("mailfrom"), sender->text);
	if (view->session->helo.n)
		clause(view, field, helo_outcome(view), SLICE("helo"),
		       origin->known ? origin->helo : view->session->helo);
}

/* RFC 7208 9.1. There is no such field without an evaluation. */
static bool stamp(struct view *view, struct stamp *stamp_r)
{
	const struct origin *origin;
	struct spf_request identity;

	if (!view->settings->received_spf || view->kind != KIND_INBOUND || !judged(view)->origin.known)
		return false;
	origin = &judged(view)->origin;
	identity = request(view, origin, sender_is_null(view));
	stamp_r->name = SLICE("Received-SPF");
	stamp_r->value = spf_received(&identity, mail_outcome(view), view->message->sender.text, view->message->arena);
	return stamp_r->value.n > 0;
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	const struct spf_settings *spf = block;

	told->key = "engine";
	if (spf_engine_built(spf->engine))
		return 0;
	error_set(err, "this program was built without libspf2; write engine native");
	return -1;
}

static const struct setting_key keys[] = {
    {.name = "engine",
     .type = SETTING_WORD,
     .offset = offsetof(struct spf_settings, engine),
     .words = spf_engine_names,
     .preset = "native"},
};

static const struct setting_block block = {
    .name = "spf", .size = sizeof(struct spf_settings), SETTING_KEYS(keys), .finish = finish};

static const struct fact facts[] = {
    FACT("spf", RESULT, MAIL, get_result, "SPF result of MAIL FROM (of HELO for the null sender)", .recorded = true,
	 .words = spf_result_names),
    FACT("spf.domain", DOMAIN, MAIL, get_domain, "the domain that was asked", .recorded = true),
    FACT("spf.mechanism", STRING, MAIL, get_mechanism, "the term of its record that matched"),
    FACT("spf.explanation", STRING, MAIL, get_explanation, "why SPF failed, as the domain explains it if it does"),
    FACT("spf.reason", STRING, MAIL, get_reason, "why the result is none, temperror or permerror", .recorded = true),
    FACT("spf.lookups", NUMBER, MAIL, get_lookups, "terms that asked the DNS, of 10 at most"),
    FACT("spf.secure", BOOL, MAIL, get_secure, "DNSSEC proved every answer that the result depends on"),
    FACT("spf.client", IP, MAIL, get_client,
	 "the address that was judged: the client's, or whose mail a relay handed on"),
    FACT("spf.helo", RESULT, HELO, get_helo, "SPF result of the HELO name", .words = spf_result_names),
    FACT("spf.helo.domain", DOMAIN, HELO, get_helo_domain, "the HELO name as it was asked"),
    FACT("spf.helo.mechanism", STRING, HELO, get_helo_mechanism, "the term of its record that matched"),
    FACT("spf.helo.explanation", STRING, HELO, get_helo_explanation, "why its SPF failed"),
    FACT("spf.helo.reason", STRING, HELO, get_helo_reason, "why its result is none, temperror or permerror"),
    FACT("spf.helo.lookups", NUMBER, HELO, get_helo_lookups, "terms that asked the DNS, of 10 at most"),
    FACT("spf.helo.secure", BOOL, HELO, get_helo_secure, "DNSSEC proved every answer that its result depends on"),
    FACT("spf.disagreement", STRING, MAIL, get_disagreement,
	 "with spf { engine compare }: what the two engines say where they differ"),
};

/* Of MAIL FROM. */
static bool has_result(const struct view *view)
{
	const struct judged *known = view->message_slots[check_number(&check_spf)];

	return known && (sender_is_null(view) ? known->helo : known->mail);
}

const struct check check_spf = {
    CHECK_NAMED(spf),   FACTS(facts),   .settings = &block,   .needs = needs,         .hint = hint,
    .authres = authres, .stamp = stamp, .judged = has_result, .disagrees = disagrees, .unchecked = unchecked,
};
