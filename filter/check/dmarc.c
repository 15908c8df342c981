/*
 * dmarc.c - DMARC (RFC 9989) of the author as facts.
 *
 * The walk of each author domain begins when From arrives. The results of SPF and DKIM
 * come from their checks: MAIL FROM alone, which for the null sender is the
 * HELO name (RFC 9989 3.2.4), and every signature that passes.
 */
#include "check_private.h"
#include "dmarc.h"

/* dmarc { } */
struct dmarc_settings {
	enum dmarc_discovery discovery; /* of the organizational domain */
};

static enum dmarc_discovery discovery_of(const struct view *view)
{
	return ((const struct dmarc_settings *)check_block(view->settings, &check_dmarc))->discovery;
}

struct state {
	bool hinted;
	bool judged, shown_judged;
	struct dmarc_outcome outcome, shown; /* shown: of the author that readers show of a From that is not valid */
	struct dmarc_evaluation *evaluation; /* NULL: nobody needed it */
};

static struct state *state_of(struct view *view)
{
	void **slot = &view->message_slots[check_number(&check_dmarc)];

	if (!*slot)
		*slot = arena_alloc(view->message->arena, sizeof(struct state));
	return *slot;
}

/* Only the first From: with a second one, no author can be judged. */
static void field(struct view *view, const struct header_field *arrived)
{
	struct state *state = state_of(view);
	const struct authors *authors;

	(void)arrived;
	if (state->hinted)
		return;
	authors = check_first_authors(view);
	state->hinted = authors != NULL;
	for (size_t i = 0; authors && i < authors->domain_count && i < DMARC_AUTHORS_MAX; i++)
		dmarc_hint(view->budget, authors->domains[i], discovery_of(view));
}

static struct dmarc_identifier spf_identifier(struct view *view)
{
	const struct spf_outcome *spf = check_spf_outcome(view);

	if (spf->result != SPF_PASS && spf->result != SPF_TEMPERROR)
		return (struct dmarc_identifier){SLICE(""), false};
	return (struct dmarc_identifier){spf->domain, spf->result == SPF_TEMPERROR};
}

static size_t dkim_identifiers(struct view *view, struct dmarc_identifier *identifiers)
{
	const struct dkim_outcome *dkim = check_dkim_outcome(view);
	size_t count = 0;

	for (size_t i = 0; i < dkim->count && count < DMARC_IDENTIFIERS_MAX; i++) {
		const struct dkim_signature *signature = &dkim->signatures[i];

		if (signature->result == DKIM_PASS || signature->result == DKIM_TEMPERROR)
			identifiers[count++] =
			    (struct dmarc_identifier){signature->domain, signature->result == DKIM_TEMPERROR};
	}
	return count;
}

static void judge(struct view *view, const struct authors *authors, bool recordless, struct dmarc_outcome *outcome_r)
{
	struct dmarc_identifier dkim[DMARC_IDENTIFIERS_MAX];
	const struct dmarc_request request = {
	    .authors = authors,
	    .spf = spf_identifier(view),
	    .dkim = dkim,
	    .dkim_count = dkim_identifiers(view, dkim),
	    .discovery = discovery_of(view),
	    .recordless = recordless,
	};

	dmarc_check(&request, view->budget, view->message->arena, outcome_r);
}

static const struct dmarc_outcome *outcome(struct view *view)
{
	struct state *state = state_of(view);

	if (!state->judged)
		judge(view, check_authors(view), false, &state->outcome);
	state->judged = true;
	return &state->outcome;
}

/* Does SPF or DKIM pass for the author that readers show of a From that is not valid? None: there is no such author. */
static const struct dmarc_outcome *shown_outcome(struct view *view)
{
	const struct authors *authors = check_authors(view);
	struct state *state = state_of(view);
	struct authors shown = {.valid = true, .why = "", .mailbox_count = 1, .domain_count = 1};

	if (state->shown_judged)
		return &state->shown;
	state->shown_judged = true;
	if (authors->shown.n == 0)
		return &state->shown;
	shown.domains = (struct slice *)&authors->shown;
	judge(view, &shown, true, &state->shown);
	return &state->shown;
}

/* Several authors are judged one by one: the DNS has answered already. */
void check_dmarc_evaluate(struct view *view)
{
	const struct authors *authors = check_authors(view);
	struct state *state = state_of(view);
	struct arena *arena = view->message->arena;
	struct dmarc_evaluation *evaluation = arena_alloc(arena, sizeof(*evaluation));
	struct dmarc_outcome *outcomes = arena_alloc(arena, DMARC_AUTHORS_MAX * sizeof(*outcomes));

	outcomes[0] = *outcome(view);
	*evaluation = (struct dmarc_evaluation){outcomes, authors->valid ? authors->domain_count : 0,
						discovery_of(view), check_spf_outcome(view), check_dkim_outcome(view)};
	if (evaluation->count > DMARC_AUTHORS_MAX)
		evaluation->count = DMARC_AUTHORS_MAX;
	for (size_t i = 0; i < evaluation->count && authors->domain_count > 1; i++) {
		struct authors one = {.valid = true, .why = "", .mailbox_count = 1, .domain_count = 1};

		one.domains = &authors->domains[i];
		judge(view, &one, false, &outcomes[i]);
	}
	state->evaluation = evaluation;
}

const struct dmarc_evaluation *check_dmarc_evaluated(const struct view *view)
{
	const struct state *state = view->message_slots ? view->message_slots[check_number(&check_dmarc)] : NULL;

	return state ? state->evaluation : NULL;
}

static struct value get_dmarc(struct view *view)
{
	return value_word(dmarc_result_names[outcome(view)->result]);
}

static struct value get_policy(struct view *view)
{
	enum dmarc_policy policy = outcome(view)->policy;

	return policy == DMARC_NO_POLICY ? value_absent(TYPE_RESULT) : value_word(dmarc_policy_name(policy));
}

static struct value get_domain(struct view *view)
{
	return value_text(TYPE_DOMAIN, outcome(view)->domain);
}

static struct value get_org(struct view *view)
{
	return value_text(TYPE_DOMAIN, outcome(view)->org);
}

static struct value get_aligned(struct view *view)
{
	return value_word(dmarc_aligned_names[outcome(view)->aligned]);
}

static struct value get_record(struct view *view)
{
	const struct dmarc_record *record = outcome(view)->record;

	return value_text(TYPE_STRING, record ? record->text : SLICE(""));
}

static struct value get_shown(struct view *view)
{
	return value_word(dmarc_result_names[shown_outcome(view)->result]);
}

/* RFC 9989 9.1. Mail of our own users and hosts is not judged. */
static void authres(struct view *view, struct authres *field_r)
{
	const struct dmarc_outcome *found;

	if (view->kind != KIND_INBOUND)
		return;
	found = outcome(view);
	authres_method(field_r, SLICE("dmarc"), slice_of(dmarc_result_names[found->result]));
	if (found->result == DMARC_TEMPERROR || found->result == DMARC_PERMERROR)
		authres_reason(field_r, found->reason);
	if (found->author.n)
		authres_property(field_r, SLICE("header"), SLICE("from"), found->author);
	if (found->policy != DMARC_NO_POLICY)
		authres_property(field_r, SLICE("policy"), SLICE("dmarc"), slice_of(dmarc_policy_name(found->policy)));
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	const struct dmarc_settings *dmarc = block;

	told->key = "organizational-domain";
	if (dmarc->discovery != DMARC_PSL || dmarc_has_psl())
		return 0;
	error_set(err, "this program was built without the public suffix list; write organizational-domain tree-walk");
	return -1;
}

static const struct setting_key keys[] = {
    {.name = "organizational-domain",
     .type = SETTING_WORD,
     .offset = offsetof(struct dmarc_settings, discovery),
     .words = (const char *const[]){[DMARC_TREE_WALK] = "tree-walk", [DMARC_PSL] = "psl", NULL},
     .preset = "tree-walk"},
};

static const struct setting_block block = {
    .name = "dmarc", .size = sizeof(struct dmarc_settings), SETTING_KEYS(keys), .finish = finish};

#define NEEDS (NEED_HEADERS | NEED_BODY) /* DKIM hashes the body */

static const struct fact facts[] = {
    FACT("dmarc", RESULT, MESSAGE, get_dmarc, "DMARC result of the author domain; of several the strictest",
	 .needs = NEEDS, .recorded = true, .words = dmarc_result_names),
    FACT("dmarc.policy", RESULT, MESSAGE, get_policy,
	 "what the domain asks for this message when it fails, after sp, np and t", .needs = NEEDS, .recorded = true,
	 .words = dmarc_policy_names),
    FACT("dmarc.shown", RESULT, MESSAGE, get_shown,
	 "whether SPF or DKIM passes for from.shown, which DMARC itself does not judge", .needs = NEEDS,
	 .words = dmarc_result_names),
    FACT("dmarc.domain", DOMAIN, MESSAGE, get_domain, "where the record was found", .needs = NEEDS, .recorded = true),
    FACT("dmarc.org", DOMAIN, MESSAGE, get_org, "the organizational domain of the author", .needs = NEEDS),
    FACT("dmarc.aligned", RESULT, MESSAGE, get_aligned, "what passed for a domain that aligns", .needs = NEEDS,
	 .words = dmarc_aligned_names),
    FACT("dmarc.record", STRING, MESSAGE, get_record, "the record", .needs = NEEDS),
};

static bool has_result(const struct view *view)
{
	const struct state *state = view->message_slots[check_number(&check_dmarc)];

	return state && state->judged;
}

static const struct check *const reads[] = {&check_from, &check_spf, &check_dkim, NULL};

const struct check check_dmarc = {
    CHECK_NAMED(dmarc), FACTS(facts),         .settings = &block, .authres = authres,
    .field = field,     .judged = has_result, .reads = reads,
};
