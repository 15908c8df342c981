/*
 * check.c - DMARC of a message (RFC 9989 5.3): discovery, alignment, result, and the
 * policy of the domain.
 *
 * Each author domain is evaluated separately; the message gets the strictest outcome,
 * so a second author cannot help the first. A missing DNS answer causes a temperror,
 * but only where the answer could have changed the result.
 */
#include "dmarc.h"

const char *const dmarc_result_names[6] = {"none", "pass", "fail", "temperror", "permerror", NULL};
const char *const dmarc_aligned_names[5] = {"none", "spf", "dkim", "both", NULL};

/* ---- alignment (RFC 9989 4.4, 4.10.2) ---------------------------------------------------- */

enum alignment { APART, ALIGNED, UNKNOWN };

struct judgement {
	const struct dmarc_request *request;
	struct dns_budget *budget;
	struct arena *arena;
	struct dmarc_outcome *outcome;
};

static bool is_at_or_below(struct slice domain, struct slice parent)
{
	return slice_equal(domain, parent) || domain_is_below(domain, parent);
}

/* They end in the same label, so they could belong to the same organization. */
static bool could_share(struct slice a, struct slice b)
{
	struct slice top = slice_from(a, (size_t)(slice_find_last(a, '.') + 1));

	return is_at_or_below(b, top);
}

static enum alignment relaxed(const struct judgement *judgement, struct slice domain)
{
	const struct dmarc_walk *author = &judgement->outcome->walk;
	struct dmarc_walk walk;

	if (author->org.n == 0)
		return could_share(domain, author->domain) ? UNKNOWN : APART;
	if (!domain_is_below(domain, author->org))
		return slice_equal(domain, author->org) ? ALIGNED : APART;
	if (judgement->request->discovery == DMARC_PSL)
		return slice_equal(dmarc_psl_org(domain), author->org) ? ALIGNED : APART;
	dmarc_walk(domain, DMARC_TREE_WALK, judgement->budget, &walk);
	if (walk.org.n == 0)
		return UNKNOWN;
	return slice_equal(walk.org, author->org) ? ALIGNED : APART;
}

static enum alignment align(const struct judgement *judgement, struct slice domain, bool strict)
{
	bool valid;

	if (slice_equal(domain, judgement->outcome->author)) /* the usual case; it needs no normalising */
		return ALIGNED;
	domain = domain_normalise(domain, judgement->arena, &valid);
	if (!valid)
		return APART;
	if (slice_equal(domain, judgement->outcome->author))
		return ALIGNED;
	return strict ? APART : relaxed(judgement, domain);
}

/* ---- the result ------------------------------------------------------------------------------ */

/* The alignment of the authenticated domains. True: a DNS answer is missing, and with it one of them could align. */
static bool align_authenticated(const struct judgement *judgement)
{
	const struct dmarc_request *request = judgement->request;
	struct dmarc_outcome *outcome = judgement->outcome;
	size_t count = request->dkim_count < DMARC_IDENTIFIERS_MAX ? request->dkim_count : DMARC_IDENTIFIERS_MAX;
	struct slice *aligned = arena_alloc(judgement->arena, (count + 1) * sizeof(*aligned));
	bool unknown = false;

	if (request->spf.domain.n > 0 && !request->spf.unresolved) {
		enum alignment found = align(judgement, request->spf.domain, outcome->record->strict_spf);

		unknown = found == UNKNOWN;
		outcome->spf_aligned = found == ALIGNED ? request->spf.domain : SLICE("");
	}
	outcome->dkim_aligned = aligned;
	for (size_t i = 0; i < count; i++) {
		enum alignment found = APART;

		if (!request->dkim[i].unresolved)
			found = align(judgement, request->dkim[i].domain, outcome->record->strict_dkim);
		unknown = unknown || found == UNKNOWN;
		if (found == ALIGNED)
			aligned[outcome->dkim_aligned_count++] = request->dkim[i].domain;
	}
	outcome->aligned = (outcome->spf_aligned.n > 0 ? DMARC_ALIGNED_SPF : DMARC_ALIGNED_NONE) |
			   (outcome->dkim_aligned_count > 0 ? DMARC_ALIGNED_DKIM : DMARC_ALIGNED_NONE);
	return unknown;
}

/* SPF or DKIM has a temperror, and a pass would have aligned (RFC 9989 5.3.6). */
static bool could_still_align(const struct judgement *judgement)
{
	const struct dmarc_request *request = judgement->request;
	const struct dmarc_record *record = judgement->outcome->record;

	if (request->spf.unresolved && request->spf.domain.n > 0 &&
	    align(judgement, request->spf.domain, record->strict_spf) != APART)
		return true;
	for (size_t i = 0; i < request->dkim_count && i < DMARC_IDENTIFIERS_MAX; i++)
		if (request->dkim[i].unresolved &&
		    align(judgement, request->dkim[i].domain, record->strict_dkim) != APART)
			return true;
	return false;
}

static void find_result(const struct judgement *judgement)
{
	struct dmarc_outcome *outcome = judgement->outcome;
	bool unknown = align_authenticated(judgement);

	if (outcome->aligned != DMARC_ALIGNED_NONE) {
		outcome->result = DMARC_PASS;
	} else if (unknown) {
		outcome->result = DMARC_TEMPERROR;
		outcome->reason = SLICE("the DNS did not say which organization the authenticated domain belongs to");
	} else if (could_still_align(judgement)) {
		outcome->result = DMARC_TEMPERROR;
		outcome->reason = SLICE("SPF or DKIM could not be checked because a DNS answer is missing");
	} else {
		outcome->result = DMARC_FAIL;
		outcome->reason = SLICE("neither SPF nor DKIM passes for an aligned domain");
	}
}

/* ---- the policy ---------------------------------------------------------------------------------- */

/* RFC 9989 4.7: p of the author's own record, else np, sp or p of a record above. False: a DNS answer is missing. */
static bool find_policy(const struct judgement *judgement)
{
	struct dmarc_outcome *outcome = judgement->outcome;
	const struct dmarc_record *record = outcome->record;
	enum dmarc_policy policy = record->p;

	if (!slice_equal(outcome->domain, outcome->author)) {
		policy = record->sp != DMARC_NO_POLICY ? record->sp : record->p;
		if (record->np != DMARC_NO_POLICY && record->np != policy) {
			/* 3.2.13: a name does not exist when the answer to a query of any type is NXDOMAIN. */
			enum dns_status status = dns_ask(judgement->budget, outcome->author, DNS_A)->status;

			if (status == DNS_TEMPFAIL)
				return false;
			if (status == DNS_NXDOMAIN)
				policy = record->np;
		}
	}
	outcome->published = policy;
	if (record->testing && policy > DMARC_POLICY_NONE)
		policy--;
	outcome->policy = policy;
	return true;
}

/* RFC 9989 4.10.1: a record with an invalid policy is used as p=none, and only when it requests reports. */
static const struct dmarc_record *usable(const struct dmarc_record *record, struct arena *arena)
{
	struct dmarc_record *fixed;

	if (!record->policy_wrong)
		return record;
	if (record->rua.n == 0)
		return NULL;
	fixed = arena_alloc(arena, sizeof(*fixed));
	*fixed = *record;
	fixed->p = DMARC_POLICY_NONE;
	fixed->sp = fixed->np = DMARC_NO_POLICY;
	return fixed;
}

/* ---- an author ------------------------------------------------------------------------------------ */

static void without_record(const struct judgement *judgement)
{
	struct dmarc_outcome *outcome = judgement->outcome;
	const struct dmarc_walk *walk = &outcome->walk;
	const struct dmarc_step *last = &walk->steps[walk->count - 1];

	outcome->result = walk->failed ? DMARC_TEMPERROR : DMARC_NONE;
	outcome->reason = walk->failed ? arena_printf(judgement->arena, "no answer for _dmarc.%.*s (%s)",
						      SLICE_ARGS(last->name), dns_reason_texts[last->reason])
				       : SLICE("no DMARC record applies to the domain");
}

/* False: the result stays none. */
static bool judge_recordless(const struct judgement *judgement)
{
	static const struct dmarc_record relaxed_record = {.p = DMARC_NO_POLICY};

	if (!judgement->request->recordless || judgement->outcome->walk.failed)
		return false;
	judgement->outcome->record = &relaxed_record;
	find_result(judgement);
	judgement->outcome->record = NULL;
	return true;
}

static void judge_author(const struct judgement *judgement, struct slice author)
{
	struct dmarc_outcome *outcome = judgement->outcome;
	const struct dmarc_step *step;

	*outcome = (struct dmarc_outcome){.author = author};
	dmarc_walk(author, judgement->request->discovery, judgement->budget, &outcome->walk);
	outcome->org = outcome->walk.org;
	step = dmarc_walk_policy(&outcome->walk);
	if (!step) {
		if (!judge_recordless(judgement))
			without_record(judgement);
		return;
	}
	outcome->record = usable(step->record, judgement->arena);
	if (!outcome->record && judge_recordless(judgement))
		return;
	if (!outcome->record) {
		outcome->reason =
		    arena_printf(judgement->arena, "the record of %.*s has no valid policy, and no address for reports",
				 SLICE_ARGS(step->name));
		return;
	}
	outcome->domain = step->name;
	find_result(judgement);
	if (!find_policy(judgement) && outcome->result == DMARC_FAIL) {
		outcome->result = DMARC_TEMPERROR;
		outcome->reason = SLICE("the DNS did not say whether the author domain exists");
	}
}

/* Greater is stricter. */
static unsigned strictness(const struct dmarc_outcome *outcome)
{
	switch (outcome->result) {
	case DMARC_PASS:
		return 0;
	case DMARC_NONE:
		return 1;
	case DMARC_PERMERROR:
		return 2;
	case DMARC_TEMPERROR:
		return 4;
	case DMARC_FAIL:
		break;
	}
	return outcome->policy <= DMARC_POLICY_NONE ? 3 : outcome->policy == DMARC_QUARANTINE ? 5 : 6;
}

static void nobody(struct dmarc_outcome *outcome, enum dmarc_result result, const char *reason)
{
	*outcome = (struct dmarc_outcome){.result = result, .reason = slice_of(reason)};
}

void dmarc_check(const struct dmarc_request *request, struct dns_budget *budget, struct arena *arena,
		 struct dmarc_outcome *outcome_r)
{
	const struct authors *authors = request->authors;
	struct dmarc_outcome outcome;
	struct judgement judgement = {request, budget, arena, &outcome};

	if (!authors->valid || authors->domain_count == 0) {
		nobody(outcome_r, authors->valid ? DMARC_NONE : DMARC_PERMERROR,
		       authors->valid ? "the author has no domain" : authors->why);
		return;
	}
	for (size_t i = 0; i < authors->domain_count && i < DMARC_AUTHORS_MAX; i++) {
		judge_author(&judgement, authors->domains[i]);
		if (i == 0 || strictness(&outcome) > strictness(outcome_r))
			*outcome_r = outcome;
	}
	nobody(&outcome, DMARC_PERMERROR, "there are too many author domains");
	if (authors->domain_count > DMARC_AUTHORS_MAX && strictness(&outcome) > strictness(outcome_r))
		*outcome_r = outcome;
}
