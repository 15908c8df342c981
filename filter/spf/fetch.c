/*
 * fetch.c - the DNS queries of a check, its limits, and the record of a domain.
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

static const char *type_name(enum dns_type type)
{
	static const struct {
		enum dns_type type;
		const char *name;
	} names[] = {{DNS_A, "A"}, {DNS_AAAA, "AAAA"}, {DNS_MX, "MX"}, {DNS_PTR, "PTR"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].type == type)
			return names[i].name;
	return "TXT";
}

bool spf_count_void(struct spf_run *run, struct slice name, enum dns_type type, const struct dns_answer *answer,
		    struct slice *why_r)
{
	struct slice shown = spf_printable(slice_head(name, SPF_VOID_SHOWN), run->arena);
	const char *cut = name.n > SPF_VOID_SHOWN ? "..." : "";
	struct slice what =
	    answer->status == DNS_NXDOMAIN
		? arena_printf(run->arena, "%.*s%s does not exist", SLICE_ARGS(shown), cut)
		: arena_printf(run->arena, "%.*s%s has no %s record", SLICE_ARGS(shown), cut, type_name(type));

	run->voids = run->voids.n ? arena_join(run->arena, run->voids, SLICE(", "), what) : what;
	if (++run->void_lookups <= SPF_VOID_LOOKUPS_MAX)
		return true;
	*why_r = arena_join(run->arena, SLICE("more than 2 terms find nothing: "), run->voids);
	return false;
}

/* The name has no usable record; `word` is the part that is wrong. */
static enum spf_result record_unusable(struct spf_run *run, struct spf_frame *frame, enum spf_result result,
				       struct slice word, struct slice why)
{
	struct spf_step *step = spf_step_add(run, frame, word);

	step->result = SPF_STEP_ERROR;
	step->note = why;
	spf_reason(run, frame, word, why);
	return result;
}

/* RFC 7208 4.6.4: an include or redirect that finds nothing is a void lookup, and also a permerror. */
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
		return record_unusable(run, frame, SPF_NONE, SLICE(""),
				       SLICE("that is not a fully qualified domain name"));
	answer = spf_ask(run, frame->domain, DNS_TXT);
	if (answer->status == DNS_TEMPFAIL)
		return record_unusable(run, frame, SPF_TEMPERROR, SLICE(""), spf_note_answer(answer, run->arena));
	if (answer->status == DNS_NXDOMAIN)
		return record_missing(run, frame, SLICE("the name does not exist"));
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
