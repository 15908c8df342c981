/*
 * test_aggregate.c - messages are counted under their day and their domain; what cannot be reported or stored is told.
 */
#include "aggregate_scene.h"

/* Days, domains and what is dropped. */
static void days_and_domains_are_listed(void **state)
{
	static const char *const domains[] = {"a.example", "b.a.example", "b.example"};
	struct reports *reports = reports_new(*state);
	struct aggregate_message message = plain();
	struct aggregate_total total;
	struct slice after = SLICE("");
	unsigned found = 0;

	for (size_t i = 0; i < 6; i++) {
		message.domain = message.header_from = slice_of(domains[i % 3]);
		message.time_us = (BEGIN + (i < 3 ? 0 : 86400)) * SECOND;
		count(reports, &message, i < 3 ? 1 + (unsigned)i : 1);
	}
	stored(reports);
	assert_int_equal(aggregate_next_day(reports->aggregate, 0, reports->arena, &total), 1);
	assert_int_equal(total.day, DAY);
	assert_int_equal(total.messages, 6);
	while (aggregate_next(reports->aggregate, DAY, after, reports->arena, &total) == 1) {
		after = total.domain;
		found++;
	}
	assert_int_equal(found, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(aggregate_drop(reports->aggregate, DAY, slice_of(domains[i])), STORE_OK);
	assert_int_equal(aggregate_next(reports->aggregate, DAY, SLICE(""), reports->arena, &total), 0);
	assert_int_equal(aggregate_next_day(reports->aggregate, 0, reports->arena, &total), 1);
	assert_int_equal(total.day, DAY + 1);
	assert_int_equal(total.messages, 3);
	reports_free(reports);
}

/* The last second of a day, a leap second (which has the number of the next), the first of the next. */
static void midnight_divides_days(void **state)
{
	static const struct {
		int64_t time_us;
		unsigned day;
	} cases[] = {
	    {BEGIN * SECOND, DAY},
	    {(BEGIN + 86400) * SECOND - 1, DAY},
	    {(BEGIN + 86400) * SECOND, DAY + 1}, /* the clock is set back over midnight: the day goes on */
	    {(BEGIN + 86400) * SECOND - 1, DAY + 1},
	    {(BEGIN + 30 * 86400) * SECOND, DAY + 30},  /* set forth by a month, */
	    {(BEGIN + 86400) * SECOND + HOUR, DAY + 1}, /* and back */
	};
	struct reports *reports = reports_new(*state);
	struct aggregate_total total;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aggregate_message message = plain();
		char domain[20];

		snprintf(domain, sizeof(domain), "d%zu.example", i);
		message.domain = slice_of(domain);
		message.time_us = cases[i].time_us;
		count(reports, &message, 1);
		stored(reports);
		assert_int_equal(
		    aggregate_next(reports->aggregate, cases[i].day,
				   i ? slice_of((char[]){'d', (char)('0' + i - 1), '.', 'z', 0}) : SLICE(""),
				   reports->arena, &total),
		    1);
		assert_true(slice_equal(total.domain, slice_of(domain)));
	}
	reports_free(reports);
}

/* The daemon ends: what waits is stored. */
static void closing_stores_what_waits(void **state)
{
	struct reports *reports = reports_new(*state);
	struct aggregate_message message = plain();
	struct aggregate_report report;
	struct error err;

	count(reports, &message, 4);
	aggregate_close(reports->aggregate);
	assert_int_equal(store_flush(reports->scene->store, SOON), STORE_OK);
	reports->aggregate = aggregate_open(reports->scene->store, &settings, &err);
	assert_int_equal(make_part(reports, DAY, "example.org", SLICE(""), &report), 1);
	assert_int_equal(report.messages, 4);
	reports_free(reports);
}

/* What nobody could report: no client, no domain that can be one. */
static void what_cannot_be_reported_is_not_counted(void **state)
{
	struct reports *reports = reports_new(*state);
	struct aggregate_message no_client = plain(), bad_domain = plain(), no_author = plain();
	struct aggregate_counters counters;
	struct aggregate_total total;

	no_client.client.family = 0;
	bad_domain.domain = SLICE("exa mple.org");
	no_author.header_from = SLICE("");
	count(reports, &no_client, 1);
	count(reports, &bad_domain, 1);
	count(reports, &no_author, 1);
	stored(reports);
	aggregate_counters(reports->aggregate, &counters);
	assert_int_equal(counters.messages, 0);
	assert_int_equal(aggregate_next_day(reports->aggregate, 0, reports->arena, &total), 0);
	reports_free(reports);
}

/* More distinct rows than wait at once are lost, counted, and told. */
static void too_many_rows_are_lost_and_told(void **state)
{
	struct reports *reports = reports_new(*state);
	struct aggregate_counters counters;
	struct error line = {""};

	for (unsigned i = 0; i < 4 * AGGREGATE_ROWS_MAX; i++) {
		struct aggregate_message message = plain();

		memcpy(message.client.bytes, &i, sizeof(i));
		count(reports, &message, 1);
	}
	aggregate_counters(reports->aggregate, &counters);
	stored(reports);
	assert_int_equal(counters.messages, 4 * AGGREGATE_ROWS_MAX);
	if (counters.lost == 0) { /* this disk keeps up: then nobody is told of a loss */
		assert_false(aggregate_trouble(reports->aggregate, clock_us(), &line));
	} else {
		assert_true(aggregate_trouble(reports->aggregate, clock_us(), &line));
		assert_non_null(strstr(line.text, "messages that will be in no report"));
		assert_false(aggregate_trouble(reports->aggregate, clock_us() + 1, &line));
	}
	reports_free(reports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN("memory:", days_and_domains_are_listed),
	    IN("lmdb:", days_and_domains_are_listed),
	    IN("memory:", midnight_divides_days),
	    IN("lmdb:", closing_stores_what_waits),
	    IN("memory:", what_cannot_be_reported_is_not_counted),
	    IN("lmdb:", too_many_rows_are_lost_and_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
