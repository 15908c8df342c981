/*
 * test_feedback_sums.c - reports are added up once each, by domain and source; what is beyond a bound is counted all
 * the same, without its name.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "feedback.h"

#define DAY 86400

static struct feedback_report report_of(const char *org, const char *id, const char *domain, int64_t day)
{
	return (struct feedback_report){.org = slice_of(org),
					.id = slice_of(id),
					.begin_s = day * DAY,
					.end_s = (day + 1) * DAY - 1,
					.domain = slice_of(domain),
					.p = SLICE("none")};
}

static struct feedback_record record_of(uint32_t number, uint64_t count, const char *author)
{
	struct feedback_record record = {
	    .count = count, .disposition = FEEDBACK_DELIVERED, .header_from = slice_of(author)};

	record.source.family = 4;
	for (unsigned i = 0; i < 4; i++)
		record.source.bytes[i] = (uint8_t)(number >> 8 * (3 - i));
	return record;
}

static void add(struct feedback_adder *adder, const char *org, const char *id, int64_t day, uint32_t source,
		uint64_t count)
{
	struct feedback_report report = report_of(org, id, "example.org", day);
	struct feedback_record record = record_of(source, count, "example.org");

	feedback_add_record(adder, &record);
	feedback_add_report(adder, &report);
}

static void a_report_counts_once(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
	const struct feedback_sums *sums;

	(void)state;
	add(adder, "A", "1", 10, 1, 3);
	add(adder, "a", "1", 10, 1, 3); /* the same one */
	add(adder, "A", "2", 11, 1, 4);
	add(adder, "B", "1", 12, 2, 5);
	add(adder, "C", "", 12, 2, 6); /* without an id, the period decides */
	add(adder, "C", "", 12, 2, 6);
	add(adder, "C", "", 13, 2, 7);
	sums = feedback_added(adder);
	assert_int_equal(sums->reports, 5);
	assert_int_equal(sums->duplicates, 2);
	assert_int_equal(sums->source_count, 2);
	assert_int_equal(sums->sources[0].messages, 18);
	assert_int_equal(sums->sources[1].messages, 7);
	assert_int_equal(sums->domain_count, 2);
	assert_int_equal(sums->domains[1].messages, 25);
	assert_int_equal(sums->domains[1].begin_s, 10 * DAY);
	assert_int_equal(sums->domains[1].end_s, 14 * DAY - 1);
	feedback_adder_free(adder);
}

static void a_report_that_was_skipped_does_not_count(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
	struct feedback_record record = record_of(9, 100, "example.org");
	const struct feedback_sums *sums;

	(void)state;
	feedback_add_record(adder, &record);
	feedback_forget(adder);
	add(adder, "A", "1", 10, 1, 3);
	sums = feedback_added(adder);
	assert_int_equal(sums->source_count, 1);
	assert_int_equal(sums->sources[0].messages, 3);
	assert_int_equal(sums->records, 1);
	feedback_adder_free(adder);
}

static void only_the_domain_and_those_below_it_count(void **state)
{
	static const struct {
		const char *policy, *author;
		bool wanted;
	} cases[] = {
	    {"example.org", "example.org", true},
	    {"example.org", "sub.example.org", true},
	    {"sub.example.org", "", true},
	    {"example.net", "example.net", false},
	    {"example.net", "", false},
	    {"notexample.org", "notexample.org", false},
	    {"example.net", "sub.example.org", true},
	    {"org", "example.org", true},
	    {"org", "other.org", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct feedback_adder *adder = feedback_adder_new(SLICE("example.org"), 0);
		struct feedback_report report = report_of("A", "1", cases[i].policy, 10);
		struct feedback_record record = record_of(1, 3, cases[i].author);
		const struct feedback_sums *sums;

		feedback_add_record(adder, &record);
		feedback_add_report(adder, &report);
		sums = feedback_added(adder);
		if ((sums->source_count == 1) != cases[i].wanted || (sums->others == 0) != cases[i].wanted)
			fail_msg("%s in a report about %s", cases[i].author, cases[i].policy);
		feedback_adder_free(adder);
	}
}

static void records_without_an_author_are_those_of_the_policy(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE("example.org"), 0);
	struct feedback_report report = report_of("A", "1", "example.net", 10);
	struct feedback_record record = record_of(1, 3, "example.org");
	const struct feedback_sums *sums;

	(void)state;
	feedback_add_record(adder, &record);
	record = record_of(1, 4, "");
	feedback_add_record(adder, &record);
	feedback_add_report(adder, &report);
	sums = feedback_added(adder);
	assert_int_equal(sums->source_count, 1);
	assert_int_equal(sums->sources[0].messages, 3);
	feedback_adder_free(adder);
}

static void what_is_older_is_left_out(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 12 * DAY);
	const struct feedback_sums *sums;

	(void)state;
	add(adder, "A", "1", 11, 1, 3);
	add(adder, "A", "2", 12, 1, 4);
	sums = feedback_added(adder);
	assert_int_equal(sums->older, 1);
	assert_int_equal(sums->sources[0].messages, 4);
	feedback_adder_free(adder);
}

static void what_speaks_for_a_message_is_counted(void **state)
{
	static const struct {
		const char *dkim;
		enum feedback_result result;
		const char *spf; /* passes */
		unsigned reasons;
		enum feedback_likely likely;
		const char *near;
	} cases[] = {
	    {"", FEEDBACK_NONE, "", 0, FEEDBACK_LIKELY_FORGED, ""},
	    {"example.org", FEEDBACK_NONE, "", 0, FEEDBACK_LIKELY_FORGED, ""},
	    {"example.org", FEEDBACK_FAIL, "", 0, FEEDBACK_LIKELY_BROKEN, ""},
	    {"mail.example.org", FEEDBACK_TEMPERROR, "list.example", 0, FEEDBACK_LIKELY_BROKEN, "list.example"},
	    {"other.example", FEEDBACK_FAIL, "", 0, FEEDBACK_LIKELY_FORGED, ""},
	    {"mailer.example", FEEDBACK_PASS, "bounce.example", 0, FEEDBACK_LIKELY_NEAR, "mailer.example"},
	    {"", FEEDBACK_NONE, "bounce.example", 0, FEEDBACK_LIKELY_NEAR, "bounce.example"},
	    {"", FEEDBACK_NONE, "", FEEDBACK_MAILING_LIST, FEEDBACK_LIKELY_FORWARDED, ""},
	    {"example.org", FEEDBACK_FAIL, "", FEEDBACK_FORWARDED, FEEDBACK_LIKELY_FORWARDED, ""},
	    {"", FEEDBACK_NONE, "", FEEDBACK_LOCAL_POLICY, FEEDBACK_LIKELY_FORGED, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
		struct feedback_report report = report_of("A", "1", "example.org", 10);
		struct feedback_record record = record_of(1, 3, "example.org");
		const struct feedback_sums *sums;

		record.reasons = cases[i].reasons;
		record.dkim_results[0] = (struct feedback_auth){slice_of(cases[i].dkim), cases[i].result};
		record.dkim_count = cases[i].dkim[0] != '\0';
		record.spf_results[0] = (struct feedback_auth){slice_of(cases[i].spf), FEEDBACK_PASS};
		record.spf_count = cases[i].spf[0] != '\0';
		feedback_add_record(adder, &record);
		record.dkim = true; /* and one that passes, which is not judged */
		feedback_add_record(adder, &record);
		feedback_add_report(adder, &report);
		sums = feedback_added(adder);
		if (sums->sources[0].likely[cases[i].likely] != 3 || sums->sources[0].pass != 3 ||
		    !slice_equal(feedback_name(adder, sums->sources[0].near), slice_of(cases[i].near)))
			fail_msg("case %zu: near %.*s", i, SLICE_ARGS(feedback_name(adder, sums->sources[0].near)));
		feedback_adder_free(adder);
	}
}

static void the_newest_policy_is_shown(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
	struct feedback_report report = report_of("A", "1", "example.org", 12);
	const struct feedback_sums *sums;

	(void)state;
	report.p = SLICE("reject");
	feedback_add_report(adder, &report);
	report = report_of("A", "2", "example.org", 10);
	feedback_add_report(adder, &report);
	sums = feedback_added(adder);
	assert_true(slice_equal(sums->domains[1].p, SLICE("reject")));
	feedback_adder_free(adder);
}

/* ---- bounds --------------------------------------------------------------------------- */

static void sources_beyond_the_bound_are_counted_together(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
	struct feedback_report report = report_of("A", "1", "example.org", 10);
	const struct feedback_sums *sums;
	uint64_t messages = 0, beyond = 0;

	(void)state;
	for (uint32_t i = 0; i < FEEDBACK_SOURCES_MAX + 10; i++) {
		struct feedback_record record = record_of(i, 1, "example.org");

		feedback_add_record(adder, &record);
	}
	feedback_add_report(adder, &report);
	for (uint32_t i = 0; i < 5; i++)
		add(adder, "B", (char[]){(char)('a' + i), '\0'}, 10, 0xf0000000u + i, 1);
	sums = feedback_added(adder);
	assert_int_equal(sums->source_count, FEEDBACK_SOURCES_MAX + 1);
	for (size_t i = 0; i < sums->source_count; i++) {
		messages += sums->sources[i].messages;
		beyond += sums->sources[i].beyond ? sums->sources[i].messages : 0;
	}
	assert_int_equal(messages, FEEDBACK_SOURCES_MAX + 15);
	assert_int_equal(beyond, 15);
	feedback_adder_free(adder);
}

static void domains_beyond_the_bound_are_counted_together(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
	const struct feedback_sums *sums;
	char domain[32];

	(void)state;
	for (unsigned i = 0; i < FEEDBACK_DOMAINS_MAX + 3; i++) {
		struct feedback_record record = record_of(1, 1, "");
		struct feedback_report report;

		snprintf(domain, sizeof(domain), "d%u.example", i);
		report = report_of("A", "1", domain, 10);
		feedback_add_record(adder, &record);
		feedback_add_report(adder, &report);
	}
	sums = feedback_added(adder);
	assert_int_equal(sums->domain_count, FEEDBACK_DOMAINS_MAX + 1);
	assert_int_equal(sums->domains[0].name.n, 0);
	assert_int_equal(sums->domains[0].messages, 3);
	assert_int_equal(sums->duplicates, 0);
	feedback_adder_free(adder);
}

static void names_beyond_the_bounds_are_left_out(void **state)
{
	static char text[FEEDBACK_TEXT_MAX];

	(void)state;
	for (unsigned length = 16; length <= FEEDBACK_TEXT_MAX; length += FEEDBACK_TEXT_MAX - 16) {
		struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
		struct feedback_report report = report_of("A", "1", "example.org", 10);
		const struct feedback_sums *sums;
		size_t named = 0;

		for (unsigned i = 0; i < FEEDBACK_NAMES_MAX + 10; i++) {
			struct feedback_record record = record_of(i, 1, "example.org");

			memset(text, 'x', sizeof(text));
			snprintf(text, sizeof(text), "%u", i);
			record.dkim_results[0] = (struct feedback_auth){{text, length}, FEEDBACK_PASS};
			record.dkim_count = 1;
			feedback_add_record(adder, &record);
		}
		feedback_add_report(adder, &report);
		sums = feedback_added(adder);
		assert_int_equal(sums->source_count, FEEDBACK_NAMES_MAX + 10);
		for (size_t i = 0; i < sums->source_count; i++)
			named += feedback_name(adder, sums->sources[i].near).n > 0;
		assert_true(length == 16 ? named == FEEDBACK_NAMES_MAX
					 : named <= FEEDBACK_NAMES_BYTES / FEEDBACK_TEXT_MAX);
		assert_true(named > 1000);
		feedback_adder_free(adder);
	}
}

static void more_reports_than_are_remembered_are_told(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
	char id[32];

	(void)state;
	for (unsigned i = 0; i < FEEDBACK_REPORTS_MAX; i++) {
		snprintf(id, sizeof(id), "%u", i);
		add(adder, "A", id, 10, 1, 1);
	}
	assert_false(feedback_added(adder)->unremembered);
	add(adder, "A", "0", 10, 1, 1);
	assert_int_equal(feedback_added(adder)->duplicates, 1);
	add(adder, "A", "more", 10, 1, 1);
	add(adder, "A", "more", 10, 1, 1);
	assert_true(feedback_added(adder)->unremembered);
	assert_int_equal(feedback_added(adder)->reports, FEEDBACK_REPORTS_MAX + 2);
	feedback_adder_free(adder);
}

static void a_few_reporters_are_named(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
	const struct feedback_source *source;

	(void)state;
	for (unsigned i = 0; i <= FEEDBACK_REPORTERS; i++) {
		add(adder, (char[]){(char)('A' + i), '\0'}, "1", 10, 1, 1);
		add(adder, (char[]){(char)('A' + i), '\0'}, "2", 10, 1, 1);
		source = feedback_added(adder)->sources;
		assert_int_equal(source->more_reporters, i == FEEDBACK_REPORTERS);
	}
	assert_true(slice_equal(feedback_name(adder, source->reporters[FEEDBACK_REPORTERS - 1]), SLICE("C")));
	feedback_adder_free(adder);
}

static void sums_do_not_overflow(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);

	(void)state;
	add(adder, "A", "1", 10, 1, UINT64_MAX - 1);
	add(adder, "A", "2", 10, 1, UINT64_MAX - 1);
	assert_true(feedback_added(adder)->sources[0].messages == UINT64_MAX);
	feedback_adder_free(adder);
}

/* ---- networks and TLS -------------------------------------------------------------------- */

static void sources_are_grouped_by_network(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
	struct feedback_report report = report_of("A", "1", "example.org", 10);
	struct feedback_record record = record_of(0, 5, "example.org");
	struct arena *arena = arena_new();
	const struct feedback_sums *sums;
	struct feedback_group *groups;
	char buffer[IP_TEXT];
	size_t count;

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		record = record_of(0xc0000200u + i, 1, "example.org"); /* 192.0.2.0 and on */
		feedback_add_record(adder, &record);
	}
	record.count = 500;
	assert_int_equal(ip_parse(SLICE("2001:db8:1:2::3"), &record.source), 0);
	feedback_add_record(adder, &record);
	record.source = (struct ip){0};
	record.count = 1;
	feedback_add_record(adder, &record);
	feedback_add_report(adder, &report);
	sums = feedback_added(adder);
	groups = feedback_group(sums->sources, sums->source_count, arena, &count);
	assert_int_equal(count, 4);
	assert_true(slice_equal(ip_print(groups[0].net.ip, buffer), SLICE("2001:db8:1::")));
	assert_int_equal(groups[0].net.prefix, 48);
	assert_true(slice_equal(ip_print(groups[1].net.ip, buffer), SLICE("192.0.2.0")));
	assert_int_equal(groups[1].sources, 256);
	assert_int_equal(groups[1].sums.messages, 256);
	assert_int_equal(groups[2].sums.messages, 44);
	assert_int_equal(groups[3].net.ip.family, 0);
	arena_free(arena);
	feedback_adder_free(adder);
}

static void tls_reports_are_added_up(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE("example.org"), 0);
	const struct feedback_tls_failure failures[] = {
	    {SLICE("certificate-expired"), SLICE("mx1"), SLICE(""), SLICE(""), 2},
	    {SLICE(""), SLICE("mx2"), SLICE(""), SLICE("code"), 1}};
	const struct feedback_tls_policy policies[] = {{SLICE("sts"), SLICE("example.org"), 10, 5, failures, 2},
						       {SLICE("sts"), SLICE("example.net"), 10, 5, failures, 2}};
	struct feedback_tls report = {SLICE("A"), SLICE("1"), DAY, 2 * DAY, policies, 2};
	const struct feedback_sums *sums;

	(void)state;
	feedback_add_tls(adder, &report);
	feedback_add_tls(adder, &report);
	report.id = SLICE("2");
	feedback_add_tls(adder, &report);
	report.policies++;
	report.policy_count = 1;
	report.id = SLICE("3");
	feedback_add_tls(adder, &report);
	sums = feedback_added(adder);
	assert_int_equal(sums->tls_reports, 2);
	assert_int_equal(sums->duplicates, 1);
	assert_int_equal(sums->others, 1);
	assert_int_equal(sums->tls_count, 4);
	assert_int_equal(sums->tls[0].sessions, 20);
	assert_int_equal(sums->tls[0].result.n, 0);
	assert_true(slice_equal(sums->tls[1].result, SLICE("certificate-expired")) && sums->tls[1].sessions == 4);
	assert_true(slice_equal(sums->tls[2].reason, SLICE("code")) && sums->tls[2].sessions == 2);
	assert_true(slice_equal(sums->tls[3].result, SLICE("unknown")) &&
		    sums->tls[3].sessions == 4); /* without details */
	feedback_adder_free(adder);
}

static void tls_rows_are_bounded(void **state)
{
	struct feedback_adder *adder = feedback_adder_new(SLICE(""), 0);
	char domain[32], id[32];

	(void)state;
	for (unsigned i = 0; i <= FEEDBACK_TLS_ROWS_MAX; i++) {
		struct feedback_tls_policy policy = {SLICE("sts"), {domain, 0}, 1, 0, NULL, 0};
		struct feedback_tls report = {SLICE("A"), {id, 0}, DAY, 2 * DAY, &policy, 1};

		assert_false(feedback_added(adder)->tls_more);
		policy.domain.n = (size_t)snprintf(domain, sizeof(domain), "d%u", i);
		report.id.n = (size_t)snprintf(id, sizeof(id), "%u", i);
		feedback_add_tls(adder, &report);
	}
	assert_true(feedback_added(adder)->tls_more);
	assert_int_equal(feedback_added(adder)->tls_count, FEEDBACK_TLS_ROWS_MAX);
	feedback_adder_free(adder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_report_counts_once),
	    cmocka_unit_test(a_report_that_was_skipped_does_not_count),
	    cmocka_unit_test(only_the_domain_and_those_below_it_count),
	    cmocka_unit_test(records_without_an_author_are_those_of_the_policy),
	    cmocka_unit_test(what_is_older_is_left_out),
	    cmocka_unit_test(what_speaks_for_a_message_is_counted),
	    cmocka_unit_test(the_newest_policy_is_shown),
	    cmocka_unit_test(sources_beyond_the_bound_are_counted_together),
	    cmocka_unit_test(domains_beyond_the_bound_are_counted_together),
	    cmocka_unit_test(names_beyond_the_bounds_are_left_out),
	    cmocka_unit_test(more_reports_than_are_remembered_are_told),
	    cmocka_unit_test(a_few_reporters_are_named),
	    cmocka_unit_test(sums_do_not_overflow),
	    cmocka_unit_test(sources_are_grouped_by_network),
	    cmocka_unit_test(tls_reports_are_added_up),
	    cmocka_unit_test(tls_rows_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
