/*
 * fetch.c - the questions of a check, its limits, and the record of a domain.
 */
#include "spf_private.h"

const struct dns_answer *spf_ask(struct spf_run *run, struct slice name, enum dns_type type)
{
	const struct dns_answer *answer = dns_ask(run->budget, name, type);

	run->insecure = run->insecure || !answer->secure;
	return answer;
}

bool spf_count_lookup(struct spf_run *run)
{
	if (run->lookups == SPF_LOOKUPS_MAX)
		return false;
	run->lookups++;
	return true;
}

bool spf_count_void(struct spf_run *run)
{
	return ++run->void_lookups <= SPF_VOID_LOOKUPS_MAX;
}

/* A name without a record that can be used; `word` of it is wrong. */
static enum spf_result record_unusable(struct spf_run *run, struct spf_frame *frame, enum spf_result result,
				       struct slice word, struct slice why)
{
	struct spf_step *step = spf_step_add(run, frame, word);

	step->result = SPF_STEP_ERROR;
	step->note = why;
	spf_reason(run, frame, word, why);
	return result;
}

/* RFC 7208 4.6.4: an include or redirect that finds nothing is void, and then a permerror anyway. */
static enum spf_result record_missing(struct spf_run *run, struct spf_frame *frame, struct slice why)
{
	run->void_lookups += frame->depth > 0 ? 1 : 0;
	return record_unusable(run, frame, SPF_NONE, SLICE(""), why);
}

enum spf_result spf_record_fetch(struct spf_run *run, struct spf_frame *frame)
{
	const struct dns_answer *answer;
	const struct spf_record *record;

	if (!spf_name_is_full(frame->domain))
		return record_unusable(run, frame, SPF_NONE, SLICE(""), SLICE("that is no full domain name"));
	answer = spf_ask(run, frame->domain, DNS_TXT);
	if (answer->status == DNS_TEMPFAIL)
		return record_unusable(run, frame, SPF_TEMPERROR, SLICE(""), spf_note_answer(answer, run->arena));
	if (answer->status == DNS_NXDOMAIN)
		return record_missing(run, frame, SLICE("there is no such name"));
	if (answer->status == DNS_NODATA)
		return record_missing(run, frame, SLICE("it has no TXT record"));
	record = dns_parsed(run->budget, answer, &spf_record_parser);
	if (record->state == SPF_RECORD_NONE)
		return record_unusable(run, frame, SPF_NONE, SLICE(""), SLICE("it has no SPF record"));
	frame->record = record;
	frame->shown = false;
	if (record->state == SPF_RECORD_WRONG)
		return record_unusable(run, frame, SPF_PERMERROR, record->wrong, slice_of(record->why));
	return SPF_PASS;
}
