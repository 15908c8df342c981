/*
 * dnsbl_examine.c - what one list says of an address or a domain, for a person: without a message, and without an
 * effect on the health of the list.
 */
#include "dnsbl_private.h"

#define TEXTS_SHOWN 3

const struct dnsbl *dnsbl_get(const struct check_settings *settings, size_t number)
{
	return (const struct dnsbl *)settings->blocks[CHECK_NUMBER_dnsbl].first + number;
}

const struct dnsbl *dnsbl_of_zone(struct slice zone, const struct dnsbl_subject *subject, struct arena *arena)
{
	struct dnsbl *list = arena_alloc(arena, sizeof(*list));
	struct dnsbl_code *any = arena_alloc(arena, sizeof(*any));

	*any = (struct dnsbl_code){.word = SLICE(""), .least = 0x7f000000, .most = 0x7fffffff};
	*list = (struct dnsbl){
	    .name = zone, .zone = zone, .of = subject->ip.family ? DNSBL_CLIENT : DNSBL_SENDER, .weight = 1};
	list->codes.items = any;
	list->codes.count = 1;
	return list;
}

struct slice dnsbl_name(const struct dnsbl *list)
{
	return list->name;
}

int dnsbl_weight(const struct dnsbl *list)
{
	return list->weight;
}

bool dnsbl_takes(const struct dnsbl *list, const struct dnsbl_subject *subject)
{
	if (list->of == DNSBL_CLIENT)
		return subject->ip.family != 0;
	return subject->ip.family == 0 && slice_find(subject->domain, '.') > 0;
}

static struct slice name_of(const struct dnsbl *list, const struct dnsbl_subject *subject, struct arena *arena)
{
	struct slice key =
	    subject->ip.family ? dnsbl_client_key(subject->ip, arena) : dnsbl_domain_key(subject->domain, arena);

	return key.n > 0 ? arena_join(arena, key, list->zone) : SLICE("");
}

void dnsbl_hint(const struct dnsbl *list, const struct dnsbl_subject *subject, struct dns_budget *budget,
		struct arena *arena)
{
	dns_hint(budget, name_of(list, subject, arena), DNS_A);
	dns_hint(budget, dnsbl_test_name(list, subject->ip.family, false, arena), DNS_A);
	dns_hint(budget, dnsbl_test_name(list, 4, true, arena), DNS_A);
}

static struct slice texts_of(const struct dnsbl *list, const struct dns_answer *answer, struct arena *arena)
{
	struct slice texts = SLICE("");

	for (size_t i = 0; answer->status == DNS_OK && i < answer->count && i < TEXTS_SHOWN; i++) {
		struct slice text = dnsbl_text(list, answer->records[i].text, arena);

		texts = texts.n > 0 ? arena_printf(arena, "%.*s; %.*s", SLICE_ARGS(texts), SLICE_ARGS(text)) : text;
	}
	return texts;
}

/* An answer that contains no error code, and a listing when `finding` says so. */
static void verify(const struct dnsbl *list, const struct dnsbl_subject *subject, struct dns_budget *budget,
		   struct arena *arena, struct dnsbl_report *report)
{
	const struct dns_answer *test;

	if (report->listing == DNSBL_LISTED) {
		test = dns_ask(budget, dnsbl_test_name(list, subject->ip.family, false, arena), DNS_A);
		if (!dnsbl_contains(test))
			return;
		report->listing = DNSBL_BROKEN;
		report->why = "it lists its negative test entry, and so everything (RFC 5782 5)";
		return;
	}
	test = dns_ask(budget, dnsbl_test_name(list, 4, true, arena), DNS_A);
	report->incomplete = test->status != DNS_TEMPFAIL && !dnsbl_contains(test);
}

static void judge(const struct dnsbl_finding *finding, struct dnsbl_report *report)
{
	if (finding->foreign) {
		report->listing = DNSBL_BROKEN;
		report->why = "its answer is not in 127.0.0.0/8: it is not a list any more, or the resolver answers "
			      "for names that do not exist";
	} else if (finding->refusal) {
		report->listing = DNSBL_ERROR;
		report->why = finding->why;
	} else if (finding->result == DNSBL_RESULT_TEMPERROR) {
		report->listing = DNSBL_NO_ANSWER;
		report->why = finding->why;
	} else if (finding->result == DNSBL_RESULT_LISTED) {
		report->listing = DNSBL_LISTED;
		report->word = finding->code->word;
	} else if (finding->unknown) {
		report->why = "the code is not in its table, and does not count";
	}
}

void dnsbl_examine(const struct dnsbl *list, const struct dnsbl_subject *subject, struct dns_budget *budget,
		   struct arena *arena, struct dnsbl_report *report_r)
{
	struct slice name = name_of(list, subject, arena);
	struct dnsbl_finding finding;

	*report_r = (struct dnsbl_report){.listing = DNSBL_CLEAN,
					  .why = "",
					  .word = SLICE(""),
					  .text = SLICE(""),
					  .answer = dns_ask(budget, name, DNS_A)};
	dnsbl_judge(list, report_r->answer, &finding);
	judge(&finding, report_r);
	if (report_r->listing == DNSBL_CLEAN || report_r->listing == DNSBL_LISTED)
		verify(list, subject, budget, arena, report_r);
	if (report_r->listing == DNSBL_LISTED)
		report_r->text = texts_of(list, dns_ask(budget, name, DNS_TXT), arena);
}
