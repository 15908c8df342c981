/* test_dns_budget.c - what a message may ask and how long it waits, over the slowest and worst of backends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fake_backend.h"

#define MS      INT64_C(1000)
#define TIMEOUT (200 * MS)
#define PATIENT (60 * 1000 * MS) /* where an answer must come: a busy machine wakes its threads late */
#define SLACK   PATIENT          /* what ends, ends before that */

struct bench {
	struct fake *fake;
	struct resolver *resolver;
	struct arena *arena;
	struct dns_budget *budget;
	struct resolver_counters counters;
	int64_t started_us;
};

static struct bench bench_open_for(int64_t delay_us, unsigned questions, int64_t timeout_us)
{
	struct bench bench = {.fake = fake_new(delay_us), .arena = arena_new()};

	bench.resolver = fake_resolver(bench.fake, timeout_us, 256);
	bench.budget = dns_budget_open(bench.resolver, bench.arena, questions);
	bench.started_us = clock_us();
	return bench;
}

/* A backend that answers is waited for. */
static struct bench bench_open(int64_t delay_us, unsigned questions)
{
	return bench_open_for(delay_us, questions, delay_us < 0 ? TIMEOUT : PATIENT);
}

static void bench_next_message(struct bench *bench)
{
	dns_budget_close(bench->budget);
	bench->budget = dns_budget_open(bench->resolver, bench->arena, 10);
}

static void bench_close(struct bench *bench)
{
	dns_budget_close(bench->budget);
	resolver_release(bench->resolver);
	arena_free(bench->arena);
}

static const struct dns_answer *ask(struct bench *bench, const char *name)
{
	return dns_ask(bench->budget, slice_of(name), DNS_TXT);
}

static void assert_says(const struct dns_answer *answer, enum dns_status status, enum dns_reason reason)
{
	assert_int_equal(answer->status, status);
	assert_int_equal(answer->count, status == DNS_OK);
	assert_int_equal(answer->reason, reason);
}

static void assert_took(const struct bench *bench, int64_t least_us)
{
	assert_in_range(clock_us() - bench->started_us, least_us, least_us + SLACK);
}

static const struct resolver_counters *counters(struct bench *bench)
{
	resolver_counters(bench->resolver, &bench->counters);
	return &bench->counters;
}

static void a_question_is_counted_once_whatever_its_spelling(void **state)
{
	struct bench bench = bench_open(0, 10);

	(void)state;
	const struct dns_answer *first = ask(&bench, "a.test");
	assert_says(first, DNS_OK, DNS_NO_REASON);
	assert_ptr_equal(ask(&bench, "A.Test."), first);
	assert_ptr_equal(ask(&bench, "\\097.test"), first);
	dns_hint(bench.budget, SLICE("a.test"), DNS_TXT);
	assert_int_equal(dns_budget_asked(bench.budget), 1);
	dns_ask(bench.budget, SLICE("a.test"), DNS_A);
	assert_int_equal(dns_budget_asked(bench.budget), 2);
	assert_int_equal(bench.fake->started, 2);
	assert_int_equal(counters(&bench)->questions, 5);
	assert_int_equal(counters(&bench)->asked, 2);
	bench_close(&bench);
}

static void a_used_up_budget_answers_tempfail_and_asks_nobody(void **state)
{
	struct bench bench = bench_open(0, 2);

	(void)state;
	assert_says(ask(&bench, "a.test"), DNS_OK, DNS_NO_REASON);
	dns_hint(bench.budget, SLICE("b.test"), DNS_TXT);
	assert_says(ask(&bench, "c.test"), DNS_TEMPFAIL, DNS_BUDGET);
	dns_hint(bench.budget, SLICE("d.test"), DNS_TXT);
	assert_says(ask(&bench, "a.test"), DNS_OK, DNS_NO_REASON);
	assert_says(ask(&bench, "b.test"), DNS_OK, DNS_NO_REASON);
	assert_int_equal(dns_budget_asked(bench.budget), 2);
	assert_int_equal(bench.fake->started, 2);
	bench_close(&bench);
}

static void what_is_not_a_name_is_nxdomain_and_costs_nothing(void **state)
{
	struct bench bench = bench_open(0, 1);

	(void)state;
	assert_says(ask(&bench, "a..test"), DNS_NXDOMAIN, DNS_NO_REASON);
	dns_hint(bench.budget, SLICE(".."), DNS_TXT);
	assert_int_equal(dns_budget_asked(bench.budget), 0);
	assert_int_equal(bench.fake->started, 0);
	assert_int_equal(counters(&bench)->questions, 0);
	assert_says(ask(&bench, "a.test"), DNS_OK, DNS_NO_REASON);
	bench_close(&bench);
}

static void the_next_message_is_answered_from_the_cache(void **state)
{
	struct bench bench = bench_open(20 * MS, 10);

	(void)state;
	ask(&bench, "a.test");
	assert_in_range(dns_budget_waited_us(bench.budget), 20 * MS, 20 * MS + SLACK);
	bench_next_message(&bench);
	assert_says(ask(&bench, "a.test"), DNS_OK, DNS_NO_REASON);
	assert_int_equal(dns_budget_waited_us(bench.budget), 0);
	assert_int_equal(dns_budget_asked(bench.budget), 1);
	assert_int_equal(counters(&bench)->cache_hits, 1);
	assert_int_equal(counters(&bench)->cache_entries, 1);
	assert_int_equal(bench.fake->started, 1);
	bench_close(&bench);
}

static void a_backend_that_never_answers_costs_the_timeout_and_no_more(void **state)
{
	struct bench bench = bench_open(-1, 10);

	(void)state;
	assert_says(ask(&bench, "a.test"), DNS_TEMPFAIL, DNS_TIMEOUT);
	assert_took(&bench, TIMEOUT);
	bench_next_message(&bench); /* it is known for a moment */
	assert_says(ask(&bench, "a.test"), DNS_TEMPFAIL, DNS_TIMEOUT);
	assert_took(&bench, TIMEOUT);
	assert_int_equal(counters(&bench)->timeouts, 2);
	assert_int_equal(counters(&bench)->tempfails, 2);
	assert_int_equal(bench.fake->started, 1);
	bench_close(&bench);
}

static void no_question_waits_beyond_the_deadline(void **state)
{
	struct bench bench = bench_open_for(-1, 10, PATIENT);

	(void)state;
	dns_budget_deadline(bench.budget, clock_us() + 300 * MS);
	assert_says(ask(&bench, "a.test"), DNS_TEMPFAIL, DNS_TIMEOUT);
	assert_took(&bench, 300 * MS);
	assert_says(ask(&bench, "b.test"), DNS_TEMPFAIL, DNS_TIMEOUT); /* nothing is left for it */
	assert_took(&bench, 300 * MS);
	assert_int_equal(bench.fake->started, 1);
	dns_budget_deadline(bench.budget, clock_us() + 300 * MS);
	assert_says(ask(&bench, "a.test"), DNS_TEMPFAIL, DNS_TIMEOUT); /* one message sees one DNS */
	assert_took(&bench, 300 * MS);
	assert_says(ask(&bench, "c.test"), DNS_TEMPFAIL, DNS_TIMEOUT);
	assert_took(&bench, 600 * MS);
	bench_close(&bench);
}

static void what_is_known_is_given_after_the_deadline_too(void **state)
{
	struct bench bench = bench_open(0, 10);

	(void)state;
	ask(&bench, "a.test");
	bench_next_message(&bench);
	dns_budget_deadline(bench.budget, clock_us() - 1);
	assert_says(ask(&bench, "a.test"), DNS_OK, DNS_NO_REASON);
	bench_close(&bench);
}

static void a_hinted_answer_is_there_when_it_is_wanted(void **state)
{
	struct bench bench = bench_open(500 * MS, 10);

	(void)state;
	dns_hint(bench.budget, SLICE("a.test"), DNS_TXT);
	dns_hint(bench.budget, SLICE("b.test"), DNS_TXT);
	for (int i = 0; i < 6000 && counters(&bench)->cache_entries < 2; i++)
		usleep(10 * MS);
	assert_says(ask(&bench, "a.test"), DNS_OK, DNS_NO_REASON);
	assert_says(ask(&bench, "b.test"), DNS_OK, DNS_NO_REASON);
	assert_in_range(dns_budget_waited_us(bench.budget), 0, 400 * MS);
	assert_int_equal(dns_budget_asked(bench.budget), 2);
	assert_int_equal(bench.fake->started, 2);
	bench_close(&bench);
}

static void hints_that_are_off_ask_nothing_and_count_nothing(void **state)
{
	struct bench bench = bench_open(20 * MS, 10);

	(void)state;
	resolver_hints_off(bench.resolver);
	dns_hint(bench.budget, SLICE("a.test"), DNS_TXT);
	assert_int_equal(bench.fake->started, 0);
	assert_int_equal(dns_budget_asked(bench.budget), 0);
	assert_int_equal(ask(&bench, "a.test")->status, DNS_OK);
	bench_close(&bench);
}

static void hints_that_nobody_asked_for_do_not_hold_up_the_end(void **state)
{
	struct bench bench = bench_open(-1, 10);
	atomic_bool closed = false;

	(void)state;
	bench.fake->closed = &closed;
	dns_hint(bench.budget, SLICE("a.test"), DNS_TXT);
	dns_hint(bench.budget, SLICE("b.test"), DNS_TXT);
	bench_close(&bench);
	assert_true(closed);
	assert_took(&bench, 0);
}

static void an_answer_that_comes_after_its_time_is_kept(void **state)
{
	struct bench bench = bench_open_for(TIMEOUT + 50 * MS, 10, TIMEOUT);
	int tries = 0;

	(void)state;
	assert_says(ask(&bench, "a.test"), DNS_TEMPFAIL, DNS_TIMEOUT);
	assert_took(&bench, TIMEOUT);
	do { /* the answer is on its way */
		usleep(10 * MS);
		bench_next_message(&bench);
	} while (ask(&bench, "a.test")->status != DNS_OK && tries++ < 1000);
	assert_says(ask(&bench, "a.test"), DNS_OK, DNS_NO_REASON);
	assert_int_equal(bench.fake->started, 1);
	bench_close(&bench);
}

static void overdue_hints_are_swept_up_by_new_questions(void **state)
{
	struct bench bench = bench_open(-1, 100);
	char name[32];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "h%d.test", i);
		dns_hint(bench.budget, slice_of(name), DNS_TXT);
	}
	usleep(TIMEOUT + 10 * MS);
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		dns_hint(bench.budget, slice_of(name), DNS_TXT);
	}
	bench_next_message(&bench);
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "h%d.test", i);
		assert_says(ask(&bench, name), DNS_TEMPFAIL, DNS_TIMEOUT); /* at once: it is known for a moment */
	}
	assert_took(&bench, TIMEOUT + 10 * MS);
	assert_int_equal(bench.fake->started, 30);
	bench_close(&bench);
}

static void a_full_table_of_flights_empties_itself(void **state)
{
	struct bench bench = bench_open(-1, 2 * FLIGHT_MAX);
	char name[32];

	(void)state;
	for (int i = 0; i < FLIGHT_MAX; i++) {
		snprintf(name, sizeof(name), "h%d.test", i);
		dns_hint(bench.budget, slice_of(name), DNS_TXT);
	}
	if (clock_us() - bench.started_us < TIMEOUT)
		assert_says(ask(&bench, "more.test"), DNS_TEMPFAIL, DNS_CROWDED);
	usleep(TIMEOUT);
	bench.fake->delay_us = 0;
	assert_says(ask(&bench, "later.test"), DNS_OK, DNS_NO_REASON);
	bench_close(&bench);
}

static void what_went_stale_is_served_and_counted_when_the_backend_fails(void **state)
{
	struct bench bench = bench_open(0, 10);

	(void)state;
	bench.fake->ttl_us = 0;
	assert_false(ask(&bench, "a.test")->stale);
	bench.fake->draft = (struct dns_answer){.status = DNS_TEMPFAIL, .reason = DNS_SERVFAIL};
	bench_next_message(&bench);
	const struct dns_answer *answer = ask(&bench, "a.test");
	assert_says(answer, DNS_OK, DNS_NO_REASON);
	assert_true(answer->stale);
	ask(&bench, "a.test");
	assert_int_equal(dns_budget_stale(bench.budget), 1);
	assert_int_equal(counters(&bench)->stale, 1);
	assert_says(ask(&bench, "b.test"), DNS_TEMPFAIL, DNS_SERVFAIL);
	bench_close(&bench);
}

static void what_went_stale_is_served_when_the_deadline_is_short(void **state)
{
	struct bench bench = bench_open(0, 10);

	(void)state;
	bench.fake->ttl_us = 0;
	ask(&bench, "a.test");
	bench.fake->delay_us = -1;
	bench_next_message(&bench);
	dns_budget_deadline(bench.budget, clock_us() + 20 * MS);
	assert_true(ask(&bench, "a.test")->stale);
	bench_close(&bench);
}

/* ---- forms ------------------------------------------------------------------------------ */

static int parses, frees;

static void *form_parse(const struct dns_answer *answer)
{
	int *status = malloc(sizeof(*status));

	*status = (int)answer->status;
	parses++;
	return status;
}

static void form_free(void *form)
{
	frees++;
	free(form);
}

static void answers_are_parsed_once_and_not_once_a_message(void **state)
{
	static const struct dns_parser parser = {form_parse, form_free}, other = {form_parse, form_free};
	struct bench bench = bench_open(0, 10);

	(void)state;
	parses = frees = 0;
	for (int i = 0; i < 3; i++) {
		const struct dns_answer *answer = ask(&bench, "a.test");
		const int *form = dns_parsed(bench.budget, answer, &parser);
		assert_int_equal(*form, DNS_OK);
		assert_ptr_equal(dns_parsed(bench.budget, answer, &parser), form);
		bench_next_message(&bench);
	}
	assert_int_equal(parses, 1);

	/* The form of another parser belongs to the budget. */
	const struct dns_answer *answer = ask(&bench, "a.test");
	const int *form = dns_parsed(bench.budget, answer, &other);
	assert_ptr_equal(dns_parsed(bench.budget, answer, &other), form);
	assert_int_equal(parses, 2);
	bench_next_message(&bench);
	assert_int_equal(frees, 1);
	bench_close(&bench);
	assert_int_equal(frees, 2);
}

static void answers_a_budget_gives_by_itself_are_parsed_too(void **state)
{
	static const struct dns_parser parser = {form_parse, form_free};
	struct bench bench = bench_open(0, 0);

	(void)state;
	parses = frees = 0;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(*(const int *)dns_parsed(bench.budget, ask(&bench, "a.test"), &parser), DNS_TEMPFAIL);
		assert_int_equal(*(const int *)dns_parsed(bench.budget, ask(&bench, ".."), &parser), DNS_NXDOMAIN);
	}
	assert_int_equal(parses, 2);
	bench_close(&bench);
	assert_int_equal(frees, 2);
}

static void resolvers_live_as_long_as_a_budget_of_theirs(void **state)
{
	struct error err;
	struct arena *arena = arena_new();
	struct resolver *resolver = resolver_open_zone(SLICE("a.test TXT here"), "text", &err);

	(void)state;
	assert_string_equal(resolver_name(resolver), "zone text");
	struct dns_budget *budget = dns_budget_open(resolver, arena, 1);
	resolver_release(resolver);
	assert_int_equal(dns_ask(budget, SLICE("a.test"), DNS_TXT)->count, 1);
	dns_budget_close(budget);
	dns_budget_close(NULL);
	resolver_release(NULL);
	arena_free(arena);
}

static void settings_that_cannot_work_are_named(void **state)
{
	static const struct {
		struct resolver_settings settings;
		const char *expected;
	} cases[] = {
	    {{.source = DNS_FORWARD}, "\"forward\" needs the address of at least one name server"},
	    {{.source = DNS_FORWARD, .forward = {"192.0.2.1@53", "nowhere"}, .forward_count = 2},
	     "\"nowhere\" is not the address of a name server (syntax error); write ADDRESS or ADDRESS@PORT, such as "
	     "192.0.2.53@53"},
	    {{.source = DNS_FORWARD, .forward = {"192.0.2.1@port"}, .forward_count = 1},
	     "\"192.0.2.1@port\" is not the address of a name server (syntax error); write ADDRESS or ADDRESS@PORT, "
	     "such as "
	     "192.0.2.53@53"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = {""};
		assert_null(resolver_open(&cases[i].settings, &err));
		assert_string_equal(err.text, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_question_is_counted_once_whatever_its_spelling),
	    cmocka_unit_test(a_used_up_budget_answers_tempfail_and_asks_nobody),
	    cmocka_unit_test(what_is_not_a_name_is_nxdomain_and_costs_nothing),
	    cmocka_unit_test(the_next_message_is_answered_from_the_cache),
	    cmocka_unit_test(a_backend_that_never_answers_costs_the_timeout_and_no_more),
	    cmocka_unit_test(no_question_waits_beyond_the_deadline),
	    cmocka_unit_test(what_is_known_is_given_after_the_deadline_too),
	    cmocka_unit_test(a_hinted_answer_is_there_when_it_is_wanted),
	    cmocka_unit_test(hints_that_are_off_ask_nothing_and_count_nothing),
	    cmocka_unit_test(hints_that_nobody_asked_for_do_not_hold_up_the_end),
	    cmocka_unit_test(an_answer_that_comes_after_its_time_is_kept),
	    cmocka_unit_test(overdue_hints_are_swept_up_by_new_questions),
	    cmocka_unit_test(a_full_table_of_flights_empties_itself),
	    cmocka_unit_test(what_went_stale_is_served_and_counted_when_the_backend_fails),
	    cmocka_unit_test(what_went_stale_is_served_when_the_deadline_is_short),
	    cmocka_unit_test(answers_are_parsed_once_and_not_once_a_message),
	    cmocka_unit_test(answers_a_budget_gives_by_itself_are_parsed_too),
	    cmocka_unit_test(resolvers_live_as_long_as_a_budget_of_theirs),
	    cmocka_unit_test(settings_that_cannot_work_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
