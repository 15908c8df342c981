/*
 * check.c - check_host() of RFC 7208 4: from a client and an identity to a result.
 *
 * A record is evaluated in a frame; an include opens a nested frame, a redirect
 * replaces the frame. Every include and redirect counts as a lookup, and there are at
 * most SPF_LOOKUPS_MAX, so depth and length need no separate limit.
 */
#include "spf_private.h"

const char *const spf_result_names[] = {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror", NULL};
const char *const spf_engine_names[] = {"native", "libspf2", "compare", NULL};

/* Evaluates the terms in order. True when one of them decided. */
static bool terms_evaluate(struct spf_run *run, struct spf_frame *frame, struct spf_match *match,
			   enum spf_result *result_r)
{
	const struct spf_record *record = frame->record;

	for (size_t i = 0; i < record->term_count; i++) {
		switch (spf_mechanism_match(run, frame, &record->terms[i])) {
		case SPF_NO_MATCH:
		case SPF_NO_NAME:
			break;
		case SPF_MATCH:
			match->term = record->terms[i].text;
			match->domain = frame->domain;
			match->explanation = record->explanation.count ? &record->explanation : NULL;
			*result_r = record->terms[i].result;
			return true;
		case SPF_TEMPORARY:
			*result_r = SPF_TEMPERROR;
			return true;
		case SPF_PERMANENT:
			*result_r = SPF_PERMERROR;
			return true;
		}
	}
	return false;
}

/* RFC 7208 6.1. True: the frame is now the one of the target. False: the redirect cannot be followed, a permerror. */
static bool redirect_follow(struct spf_run *run, struct spf_frame *frame)
{
	struct slice word = frame->record->redirect_text;
	struct slice target = SLICE(""), why = SLICE("more than 10 terms ask the DNS");
	bool counted = spf_count_lookup(run);
	bool follow = counted && spf_target(run, frame, &frame->record->redirect, &target, &why) == SPF_MATCH;
	struct spf_step *step = spf_step_add(run, frame, word);

	step->target = target;
	step->lookup = counted ? run->lookups : 0;
	step->result = follow ? SPF_STEP_ENTER : SPF_STEP_ERROR;
	if (!follow) {
		step->note = why;
		spf_reason(run, frame, word, why);
		return false;
	}
	*frame = (struct spf_frame){.domain = target, .depth = frame->depth + 1};
	return true;
}

static enum spf_result check_domain(struct spf_run *run, struct slice domain, unsigned depth, struct spf_match *match_r)
{
	struct spf_frame frame = {.domain = domain, .depth = depth};
	enum spf_result result = spf_record_fetch(run, &frame);

	*match_r = (struct spf_match){.term = SLICE("")};
	if (result != SPF_PASS)
		return result;
	for (;;) {
		if (terms_evaluate(run, &frame, match_r, &result))
			return result;
		if (frame.record->redirect.count == 0)
			break;
		if (!redirect_follow(run, &frame))
			return SPF_PERMERROR;
		result = spf_record_fetch(run, &frame);
		if (result != SPF_PASS)
			return result == SPF_NONE ? SPF_PERMERROR : result; /* RFC 7208 6.1 */
	}
	spf_step_add(run, &frame, SLICE(""))->note = SLICE("the record ends without a match"); /* RFC 7208 4.7 */
	return SPF_NEUTRAL;
}

/* Cases that need no DNS query. True when the result is known. */
static bool decided_at_once(struct spf_run *run)
{
	const struct spf_request *request = run->request;

	if (request->client.family == 0)
		run->reason = SLICE("the client has no address");
	else if (request->domain.n > 0 && request->domain.p[0] == '[')
		run->reason = SLICE("the domain is an address literal");
	else if (!spf_name_is_full(run->identity))
		run->reason = request->domain.n ? SLICE("the identity is not a fully qualified domain name")
						: SLICE("there is no domain");
	return run->reason.n > 0;
}

/* Runs one engine; an identity that needs no DNS query gets its result without any engine. */
static void check_by(enum spf_engine engine, const struct spf_request *request, struct dns_budget *budget,
		     struct arena *arena, struct spf_outcome *outcome_r)
{
	struct spf_run run = {
	    .request = request, .budget = budget, .arena = arena, .check_domain = check_domain, .reason = SLICE("")};
	struct spf_match match = {.term = SLICE("")};
	enum spf_result result = SPF_NONE;

	run.identity = spf_identity_domain(request->domain, arena);
	if (decided_at_once(&run))
		run.insecure = true;
	else if (engine == SPF_ENGINE_LIBSPF2)
		result = spf_libspf2_check(&run, &match);
	else
		result = check_domain(&run, run.identity, 0, &match);
	*outcome_r = (struct spf_outcome){
	    .result = result,
	    .domain = run.identity.n ? run.identity : arena_copy(arena, slice_head(request->domain, SPF_NAME_MAX)),
	    .mechanism = arena_copy(arena, match.term),
	    .secure = !run.insecure,
	    .explanation = result == SPF_FAIL ? spf_explain(&run, &match) : SLICE(""),
	    .reason = run.reason,
	    .lookups = run.lookups,
	    .void_lookups = run.void_lookups,
	    .steps = run.steps,
	    .step_count = run.step_count,
	};
}

bool spf_engine_built(enum spf_engine engine)
{
	return engine == SPF_ENGINE_NATIVE || spf_libspf2_built;
}

void spf_check(const struct spf_request *request, struct dns_budget *budget, struct arena *arena,
	       struct spf_outcome *outcome_r)
{
	struct spf_outcome other;

	if (request->engine != SPF_ENGINE_COMPARE) {
		check_by(request->engine, request, budget, arena, outcome_r);
		return;
	}
	check_by(SPF_ENGINE_NATIVE, request, budget, arena, outcome_r);
	check_by(SPF_ENGINE_LIBSPF2, request, budget, arena, &other);
	outcome_r->compared = true;
	outcome_r->other_result = other.result;
}

static bool will_be_asked(struct slice domain)
{
	return spf_name_is_full(domain) && domain.p[0] != '[';
}

void spf_hint(struct dns_budget *budget, struct slice domain)
{
	if (will_be_asked(domain))
		dns_hint(budget, domain, DNS_TXT);
}

void spf_hint_helo(struct dns_budget *budget, struct slice helo, struct ip client)
{
	if (!will_be_asked(helo))
		return;
	dns_hint(budget, helo, DNS_TXT);
	dns_hint(budget, helo, client.family == 4 ? DNS_A : DNS_AAAA);
}
