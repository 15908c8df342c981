/*
 * spf.c - SPF (RFC 7208) of MAIL FROM and of HELO as facts.
 *
 * The two identities are evaluated apart. For the null sender MAIL FROM stands for
 * postmaster at the HELO name (RFC 7208 2.4): then both are one.
 * The outcome for HELO belongs to the connection, the one for MAIL FROM to the message.
 */
#include "check_private.h"
#include "spf.h"

/* The null sender's identity is the HELO name (RFC 7208 2.4). */
static bool sender_is_null(const struct view *view)
{
	return view->message->sender.valid && view->message->sender.text.n == 0;
}

static struct spf_request request(struct view *view, bool helo)
{
	const struct address *sender = &view->message->sender;

	return (struct spf_request){
	    .client = view->session->client,
	    .helo = view->session->helo,
	    .local = helo ? SLICE("postmaster") : sender->local,
	    .domain = helo ? view->session->helo : sender->domain,
	    .receiver = view->settings->authserv_id,
	    .now_us = clock_wall_us(),
	    .identity_helo = helo,
	};
}

/* Only what the facts show is kept for the whole session; the rest goes with the message. */
static const struct spf_outcome *helo_outcome(struct view *view)
{
	void **slot = &view->connection_slots[check_number(&check_spf)];
	struct arena *arena = view->session->arena;
	struct spf_outcome outcome;

	if (*slot)
		return *slot;
	struct spf_request helo = request(view, true);
	spf_check(&helo, view->budget, view->message->arena, &outcome);

	struct spf_outcome *kept = arena_alloc(arena, sizeof(*kept));
	*kept = (struct spf_outcome){
	    .result = outcome.result,
	    .domain = arena_copy(arena, outcome.domain),
	    .mechanism = arena_copy(arena, outcome.mechanism),
	    .explanation = arena_copy(arena, outcome.explanation),
	    .reason = arena_copy(arena, outcome.reason),
	    .lookups = outcome.lookups,
	    .void_lookups = outcome.void_lookups,
	};
	*slot = kept;
	return kept;
}

static const struct spf_outcome *mail_outcome(struct view *view)
{
	void **slot = &view->message_slots[check_number(&check_spf)];

	if (*slot)
		return *slot;
	if (sender_is_null(view))
		return helo_outcome(view);

	struct spf_outcome *outcome = arena_alloc(view->message->arena, sizeof(*outcome));
	struct spf_request mail = request(view, false);
	spf_check(&mail, view->budget, view->message->arena, outcome);
	*slot = outcome;
	return outcome;
}

static struct value get_spf(struct view *view, struct slice argument)
{
	(void)argument;
	return value_word(spf_result_names[mail_outcome(view)->result]);
}

static struct value get_domain(struct view *view, struct slice argument)
{
	(void)argument;
	return value_text(TYPE_DOMAIN, mail_outcome(view)->domain);
}

/* The domain's own words; a fail of a domain that has none is explained by us (RFC 7208 8.4). */
static struct value get_explanation(struct view *view, struct slice argument)
{
	const struct spf_outcome *outcome = mail_outcome(view);
	char buffer[IP_TEXT];

	(void)argument;
	if (outcome->explanation.n || outcome->result != SPF_FAIL)
		return value_text(TYPE_STRING, outcome->explanation);
	return value_text(TYPE_STRING, arena_printf(view->message->arena, "%.*s may not send mail for %.*s",
						    SLICE_ARGS(ip_print(view->session->client, buffer)),
						    SLICE_ARGS(outcome->domain)));
}

static struct value get_helo(struct view *view, struct slice argument)
{
	(void)argument;
	return value_word(spf_result_names[helo_outcome(view)->result]);
}

static void hint(struct view *view, enum stage stage)
{
	if (stage == STAGE_HELO)
		spf_hint_helo(view->budget, view->session->helo, view->session->client);
	if (stage == STAGE_MAIL && view->message->sender.domain.n)
		spf_hint(view->budget, view->message->sender.domain);
}

static void clause(struct authres *field, const struct spf_outcome *outcome, struct slice property, struct slice value)
{
	authres_method(field, SLICE("spf"), slice_of(spf_result_names[outcome->result]));
	if (outcome->result == SPF_TEMPERROR || outcome->result == SPF_PERMERROR)
		authres_reason(field, outcome->reason);
	if (value.n)
		authres_property(field, SLICE("smtp"), property, value);
}

/* RFC 8601 2.7.2. Mail of one's own users and hosts is not judged by SPF. */
static void authres(struct view *view, struct authres *field)
{
	const struct address *sender = &view->message->sender;

	if (view->kind != KIND_INBOUND)
		return;
	if (sender->text.n)
		clause(field, mail_outcome(view), SLICE("mailfrom"), sender->text);
	if (view->session->helo.n)
		clause(field, helo_outcome(view), SLICE("helo"), view->session->helo);
}

struct slice check_received_spf(struct view *view)
{
	struct spf_request identity = request(view, sender_is_null(view));

	if (view->kind != KIND_INBOUND)
		return SLICE("");
	return spf_received(&identity, mail_outcome(view), view->message->sender.text, view->message->arena);
}

static const struct fact facts[] = {
    {"spf", TYPE_RESULT, false, SCOPE_MESSAGE, STAGE_MAIL, 0, spf_result_names, get_spf,
     "SPF result of MAIL FROM (of HELO for the null sender)"},
    {"spf.domain", TYPE_DOMAIN, false, SCOPE_MESSAGE, STAGE_MAIL, 0, NULL, get_domain, "the domain that was asked"},
    {"spf.explanation", TYPE_STRING, false, SCOPE_MESSAGE, STAGE_MAIL, 0, NULL, get_explanation,
     "why SPF failed, in the words of the domain if it has some"},
    {"spf.helo", TYPE_RESULT, false, SCOPE_CONNECTION, STAGE_HELO, 0, spf_result_names, get_helo,
     "SPF result of the HELO name"},
    {NULL},
};

const struct check check_spf = {"spf", facts, hint, authres};
