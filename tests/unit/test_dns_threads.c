/*
 * test_dns_threads.c - many threads at one resolver, over zone text and over a slow
 * backend that fails and answers late, with few places and with any number. Worth most under ThreadSanitizer.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fake_backend.h"

#define THREADS  32
#define MS       INT64_C(1000)
#define NAMES    40
#define MESSAGES 60

static atomic_int parses, frees;

static void *form_parse(const struct dns_answer *answer)
{
	size_t *count = malloc(sizeof(*count));

	*count = answer->count;
	atomic_fetch_add(&parses, 1);
	return count;
}

static void form_free(void *form)
{
	atomic_fetch_add(&frees, 1);
	free(form);
}

static const struct dns_parser parser = {form_parse, form_free}, other_parser = {form_parse, form_free};

struct worker {
	pthread_t thread;
	struct resolver *resolver;
	pthread_barrier_t *barrier;
	uint64_t random;
	bool single;    /* all ask one name once */
	unsigned wrong; /* answers that should not be */
};

static unsigned chance(struct worker *worker, unsigned below)
{
	worker->random = worker->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(worker->random >> 33) % below;
}

/* Every name has the same record in the zone and in the fake backend. */
static bool answer_is_right(const struct dns_answer *answer)
{
	if (answer->status == DNS_TEMPFAIL)
		return answer->reason != DNS_NO_REASON;
	return answer->status == DNS_OK && answer->count == 1 &&
	       slice_equal(answer->records[0].text, SLICE("v=spf1 -all"));
}

static void message(struct worker *worker, struct arena *arena)
{
	struct dns_budget *budget = dns_budget_open(worker->resolver, arena, 8);
	char name[32];

	if (chance(worker, 4) == 0)
		dns_budget_deadline(budget, clock_us() + chance(worker, 2000));
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "n%u.test", chance(worker, NAMES));
		if (chance(worker, 3) == 0) {
			dns_hint(budget, slice_of(name), DNS_TXT);
			continue;
		}
		const struct dns_answer *answer = dns_ask(budget, slice_of(name), DNS_TXT);
		worker->wrong += !answer_is_right(answer);
		const size_t *form = dns_parsed(budget, answer, chance(worker, 5) ? &parser : &other_parser);
		worker->wrong += *form != answer->count;
	}
	dns_budget_close(budget);
	arena_reset(arena);
}

static void *work(void *worker_)
{
	struct worker *worker = worker_;
	struct arena *arena = arena_new();

	pthread_barrier_wait(worker->barrier);
	if (worker->single) {
		struct dns_budget *budget = dns_budget_open(worker->resolver, arena, 8);
		worker->wrong = dns_ask(budget, SLICE("n0.test"), DNS_TXT)->status != DNS_OK;
		dns_budget_close(budget);
	}
	for (int i = 0; i < MESSAGES && !worker->single; i++)
		message(worker, arena);
	arena_free(arena);
	return NULL;
}

/* Releases the resolver; how many answers were wrong. */
static unsigned all_ask(struct resolver *resolver, bool single, struct resolver_counters *counters_r)
{
	struct worker workers[THREADS];
	pthread_barrier_t barrier;
	unsigned wrong = 0;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.resolver = resolver, .barrier = &barrier, .random = i, .single = single};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		wrong += workers[i].wrong;
	}
	pthread_barrier_destroy(&barrier);
	resolver_counters(resolver, counters_r);
	resolver_release(resolver);
	return wrong;
}

static void equal_questions_in_flight_are_asked_once(void **state)
{
	struct resolver_counters counters;
	struct fake *fake = fake_new(100 * MS);

	(void)state;
	assert_int_equal(all_ask(fake_resolver(fake, 10 * SECOND_US, 64), true, &counters), 0);
	assert_int_equal(counters.asked, 1);
	assert_int_equal(counters.questions, THREADS);
	assert_int_equal(counters.joined + counters.cache_hits, THREADS - 1);
}

/* Each sees that it is overdue at the same moment. */
static void those_who_wait_in_vain_give_up_a_question_once(void **state)
{
	struct resolver_counters counters;
	struct fake *fake = fake_new(-1);

	(void)state;
	assert_int_equal(all_ask(fake_resolver(fake, 200 * MS, 64), true, &counters), THREADS);
	assert_int_equal(counters.timeouts, THREADS);
}

static void zone_text_answers_many_threads(void **state)
{
	char zone[NAMES * 40] = "";
	struct resolver_counters counters;
	struct error err;

	(void)state;
	for (int i = 0; i < NAMES; i++)
		sprintf(zone + strlen(zone), "n%d.test TXT \"v=spf1 -all\"\n", i);
	atomic_store(&parses, 0);
	atomic_store(&frees, 0);
	assert_int_equal(all_ask(resolver_open_zone(slice_of(zone), "test", &err), false, &counters), 0);
	assert_int_equal(atomic_load(&parses), atomic_load(&frees));
	assert_int_equal(counters.asked, NAMES);
	assert_int_equal(counters.joined + counters.cache_hits + counters.asked <= counters.questions, true);
}

/* Answers come before, at and after the resolver's time-out; the cache is much too small and its entries die at once.
 */
static void a_slow_backend_answers_many_threads(void **state)
{
	static const int64_t delays[] = {500, 2 * MS, 4 * MS};

	(void)state;
	for (size_t i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
		struct fake *fake = fake_new(delays[i]);
		struct resolver_counters counters;
		fake->ttl_us = 1 * MS;
		fake->backend.places = i == 1 ? 4 : 0;
		atomic_store(&parses, 0);
		atomic_store(&frees, 0);
		assert_int_equal(all_ask(fake_resolver(fake, 2 * MS, 16), false, &counters), 0);
		assert_int_equal(atomic_load(&parses), atomic_load(&frees));
		assert_in_range(counters.cache_entries, 1, 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(equal_questions_in_flight_are_asked_once),
	    cmocka_unit_test(those_who_wait_in_vain_give_up_a_question_once),
	    cmocka_unit_test(zone_text_answers_many_threads),
	    cmocka_unit_test(a_slow_backend_answers_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
