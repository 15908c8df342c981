/*
 * test_dns_places.c - who may ask when there are too few places: the shares of askers and hints, the order of
 * waiting askers, and what a resolver does with a backend that is full or stuck.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fake_backend.h"
#include "../../filter/dns/places.h"

#define MS      INT64_C(1000)
#define TIMEOUT (1000 * MS) /* an answer comes before, also on a busy machine */
#define PATIENT (60 * 1000 * MS)
#define PLACES  16
#define SEATS   64

static unsigned count(const struct seat *seats, size_t n, enum seat_state state)
{
	unsigned found = 0;

	for (size_t i = 0; i < n; i++)
		found += seats[i].state == state;
	return found;
}

/* So many questions of one asker; how many of them have a place. */
static unsigned ask_many(struct places *places, struct seat *seats, size_t n, uint64_t whose)
{
	for (size_t i = 0; i < n; i++)
		assert_true(places_enter(places, &seats[i], whose, false));
	return count(seats, n, SEAT_READY);
}

static void leave_all(struct places *places, struct seat *seats, size_t n)
{
	for (size_t i = 0; i < n; i++)
		places_leave(places, &seats[i]);
}

static void assert_empty(const struct places *places)
{
	assert_int_equal(places->used, 0);
	assert_int_equal(places->hints, 0);
	assert_null(places->turn);
	assert_null(places->ready.first);
	assert_null(places->taken.first);
	for (int i = 0; i < ASKER_BUCKETS; i++)
		assert_null(places->buckets[i]);
}

/* ---- shares -------------------------------------------------------------------------------- */

static void who_asks_for_everything_leaves_places_to_the_next(void **state)
{
	static const unsigned shares[] = {8, 4, 2, 1, 1, 0};
	struct seat seats[6][PLACES];
	struct places places;

	(void)state;
	places_init(&places, PLACES, 1);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(ask_many(&places, seats[i], PLACES, 100 + i), shares[i]);
	assert_int_equal(places.used, PLACES);
	for (unsigned i = 0; i < 6; i++)
		leave_all(&places, seats[i], PLACES);
	assert_empty(&places);
}

static void those_who_wait_are_served_in_turn(void **state)
{
	struct seat busy[PLACES], many[SEATS], one;
	struct places places;

	(void)state;
	places_init(&places, PLACES, 1);
	for (uint64_t i = 0; i < PLACES; i++) /* all places taken, by askers with one place each */
		assert_true(places_enter(&places, &busy[i], 1000 + i, false));
	assert_int_equal(ask_many(&places, many, SEATS, 1), 0);
	assert_true(places_enter(&places, &one, 2, false));
	places_leave(&places, &busy[0]);
	assert_int_equal(count(many, SEATS, SEAT_READY), 1);
	places_leave(&places, &busy[1]); /* not again the one who waits with 63 more */
	assert_int_equal(one.state, SEAT_READY);
	assert_int_equal(count(many, SEATS, SEAT_READY), 1);
	leave_all(&places, busy, PLACES);
	assert_int_equal(count(many, SEATS, SEAT_READY), 8); /* of the 15 that are left: as many as are free then */
	leave_all(&places, many, SEATS);
	places_leave(&places, &one);
	assert_empty(&places);
}

static void hints_share_a_quarter_and_never_wait(void **state)
{
	struct seat hints[PLACES], others[PLACES], question;
	struct places places;
	unsigned had = 0;

	(void)state;
	places_init(&places, PLACES, 1);
	for (uint64_t i = 0; i < PLACES; i++)
		had += places_enter(&places, &hints[i], i, true);
	assert_int_equal(had, PLACES_HINTS(PLACES));
	assert_int_equal(places.hints, PLACES_HINTS(PLACES));
	assert_false(places_enter(&places, &question, 100, true));
	assert_true(places_enter(&places, &question, 100, false)); /* who waits gets a place where a hint does not */
	assert_int_equal(question.state, SEAT_READY);

	/* One that is wanted is not a hint any more. */
	places_want(&places, &hints[0], 0);
	assert_int_equal(places.hints, PLACES_HINTS(PLACES) - 1);
	assert_true(places_enter(&places, &hints[4], 4, true));
	leave_all(&places, hints, 5);
	places_leave(&places, &question);

	/* While places are short, nobody's hints take them. */
	assert_int_equal(ask_many(&places, others, PLACES, 1), 8);
	assert_int_equal(ask_many(&places, hints, PLACES, 2), 4);
	assert_int_equal(ask_many(&places, &question, 1, 3), 1);
	struct seat late;
	assert_false(places_enter(&places, &late, 3, true));
	leave_all(&places, others, PLACES);
	leave_all(&places, hints, PLACES);
	places_leave(&places, &question);
	assert_empty(&places);
}

static void hints_of_one_asker_are_fewer_than_its_questions(void **state)
{
	struct seat seats[SEATS];
	struct places places;
	unsigned had = 0;

	(void)state;
	places_init(&places, SEATS, 1);
	struct seat busy[SEATS];
	assert_int_equal(ask_many(&places, busy, SEATS, 1), SEATS / 2);
	for (int i = 0; i < SEATS; i++)
		had += places_enter(&places, &seats[i], 2, true);
	assert_int_equal(had, 11); /* under half of the 21 that are then free */
	leave_all(&places, seats, had);
	leave_all(&places, busy, SEATS);
	assert_empty(&places);
}

/* Otherwise a stranger could delay another client's name by asking for it first. */
static void a_question_does_not_wait_for_its_first_asker_when_another_wants_it(void **state)
{
	struct seat many[PLACES];
	struct places places;

	(void)state;
	places_init(&places, PLACES, 1);
	ask_many(&places, many, PLACES, 1);
	assert_int_equal(many[PLACES - 1].state, SEAT_WAITING);
	places_want(&places, &many[PLACES - 1], 1);
	assert_int_equal(many[PLACES - 1].state, SEAT_WAITING);
	places_want(&places, &many[PLACES - 1], 2);
	assert_int_equal(many[PLACES - 1].state, SEAT_READY);
	leave_all(&places, many, PLACES);
	assert_empty(&places);
}

static void without_a_limit_every_seat_is_taken_at_once(void **state)
{
	struct seat many[SEATS];
	struct places places;

	(void)state;
	places_init(&places, 0, 1);
	for (int i = 0; i < SEATS; i++)
		assert_true(places_enter(&places, &many[i], 1, i % 2));
	assert_int_equal(count(many, SEATS, SEAT_TAKEN), SEATS);
	leave_all(&places, many, SEATS);
	assert_empty(&places);
}

/* Whatever happens in whatever order: no place is lost or given twice, and nobody waits while his share is free. */
static void places_add_up_after_any_moves(void **state)
{
	struct seat seats[SEATS] = {{0}};
	struct places places;
	uint64_t random = 1;

	(void)state;
	places_init(&places, PLACES, 1);
	for (int i = 0; i < 200000; i++) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
		struct seat *seat = &seats[random >> 33 & (SEATS - 1)];
		uint64_t whose = random >> 40 & 7;
		unsigned move = random >> 45 & 3;
		if (seat->state == SEAT_NONE)
			places_enter(&places, seat, whose, move == 0);
		else if (move == 0)
			places_want(&places, seat, whose);
		else if (move == 1)
			places_take(&places);
		else
			places_leave(&places, seat);
		assert_int_equal(count(seats, SEATS, SEAT_READY) + count(seats, SEATS, SEAT_TAKEN), places.used);
		assert_true(places.used <= PLACES && places.hints <= PLACES_HINTS(PLACES));
		assert_true(places.used == PLACES || count(seats, SEATS, SEAT_WAITING) == 0 ||
			    places.used >= PLACES / 2);
	}
	leave_all(&places, seats, SEATS);
	assert_empty(&places);
}

/* ---- a resolver with a backend that is full ----------------------------------------------------- */

struct bench {
	struct fake *fake;
	struct resolver *resolver;
	struct arena *arena;
	struct dns_budget *budget;
};

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(slice_of(text), &ip), 0);
	return ip;
}

static struct bench bench_open(unsigned places, int64_t delay_us)
{
	struct bench bench = {.fake = fake_new(delay_us), .arena = arena_new()};

	bench.fake->backend.places = places;
	bench.resolver = fake_resolver(bench.fake, TIMEOUT, 256);
	return bench;
}

/* Another message of that client, with 20 ms to wait in all. */
static void bench_message(struct bench *bench, const char *client, int64_t wait_us)
{
	dns_budget_close(bench->budget);
	bench->budget = dns_budget_open(bench->resolver, bench->arena, 1000);
	dns_budget_for(bench->budget, ip_of(client));
	dns_budget_deadline(bench->budget, clock_us() + wait_us);
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

/* So many messages of the client, each with a question of its own that nobody answers. */
static void flood(struct bench *bench, const char *client, int messages)
{
	static unsigned serial;
	char name[32];

	for (int i = 0; i < messages; i++) {
		bench_message(bench, client, 5 * MS);
		snprintf(name, sizeof(name), "mute%u.test", serial++);
		assert_int_equal(ask(bench, name)->reason, DNS_TIMEOUT);
	}
}

static void assert_started(const struct bench *bench, unsigned questions)
{
	for (int i = 0; i < 60000 && bench->fake->started < questions; i++)
		usleep(1000); /* by the thread that feeds it */
	usleep(5000);
	assert_int_equal(bench->fake->started, questions);
}

static void a_question_keeps_its_place_until_the_backend_lets_go_of_it(void **state)
{
	struct bench bench = bench_open(8, -1);

	(void)state;
	flood(&bench, "192.0.2.1", 20);
	assert_started(&bench, 4);
	usleep(TIMEOUT); /* all of them are long overdue */
	flood(&bench, "192.0.2.1", 5);
	assert_started(&bench, 4);
	fake_settle_one(bench.fake);
	flood(&bench, "192.0.2.1", 5);
	assert_started(&bench, 5);
	flood(&bench, "192.0.2.2", 5);
	flood(&bench, "192.0.2.3", 5);
	flood(&bench, "192.0.2.4", 5);
	flood(&bench, "192.0.2.5", 5);
	assert_started(&bench, 9);
	assert_int_equal(bench.fake->held_most, 8);
	bench_close(&bench);
}

static void the_questions_of_a_flood_do_not_keep_others_from_asking(void **state)
{
	struct bench bench = bench_open(8, -1);

	(void)state;
	flood(&bench, "192.0.2.1", 20);
	bench.fake->delay_us = 0;
	bench_message(&bench, "198.51.100.1", TIMEOUT);
	assert_int_equal(ask(&bench, "honest.test")->status, DNS_OK);
	bench_close(&bench);
}

static void a_client_with_ipv6_is_its_network(void **state)
{
	static const struct {
		const char *flooder, *client;
		bool waits;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
	    {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench bench = bench_open(8, -1);
		flood(&bench, cases[i].flooder, 20);
		bench.fake->delay_us = 0;
		bench_message(&bench, cases[i].client, 20 * MS);
		assert_int_equal(ask(&bench, "honest.test")->reason, cases[i].waits ? DNS_TIMEOUT : DNS_NO_REASON);
		bench_close(&bench);
	}
}

static void hints_of_a_flood_are_dropped_and_questions_asked(void **state)
{
	struct bench bench = bench_open(16, -1);
	char name[32];

	(void)state;
	bench_message(&bench, "192.0.2.1", TIMEOUT);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "hint%d.test", i);
		dns_hint(bench.budget, slice_of(name), DNS_TXT);
	}
	assert_started(&bench, PLACES_HINTS(16));
	bench.fake->delay_us = 0;
	assert_int_equal(ask(&bench, "hint99.test")->status, DNS_OK); /* it was dropped, and is asked now */
	bench_message(&bench, "192.0.2.2", TIMEOUT);
	assert_int_equal(ask(&bench, "other.test")->status, DNS_OK);
	bench_close(&bench);
}

static void what_never_was_asked_is_not_remembered_as_a_failure(void **state)
{
	struct bench bench = bench_open(8, -1);

	(void)state;
	flood(&bench, "192.0.2.1", 20);
	bench_message(&bench, "192.0.2.1", 2 * TIMEOUT);
	assert_int_equal(ask(&bench, "name.test")->reason, DNS_CROWDED);
	bench.fake->delay_us = 0;
	bench_message(&bench, "198.51.100.1", TIMEOUT);
	assert_int_equal(ask(&bench, "name.test")->status, DNS_OK);
	bench_close(&bench);
}

struct waiter {
	struct bench bench;
	enum dns_reason reason;
};

static void *wait_for_name(void *waiter_)
{
	struct waiter *waiter = waiter_;

	bench_message(&waiter->bench, "192.0.2.1", 2 * TIMEOUT);
	waiter->reason = ask(&waiter->bench, "name.test")->reason;
	dns_budget_close(waiter->bench.budget);
	return NULL;
}

static void a_stranger_who_waits_for_a_name_does_not_hold_it_up(void **state)
{
	struct bench bench = bench_open(8, -1);
	struct waiter waiter;
	pthread_t thread;

	(void)state;
	flood(&bench, "192.0.2.1", 20);
	bench.fake->delay_us = 0;
	waiter.bench = (struct bench){.resolver = bench.resolver, .arena = arena_new()};
	assert_int_equal(pthread_create(&thread, NULL, wait_for_name, &waiter), 0);
	usleep(TIMEOUT / 2);
	bench_message(&bench, "198.51.100.1", TIMEOUT);
	assert_int_equal(ask(&bench, "name.test")->status, DNS_OK);
	pthread_join(thread, NULL);
	assert_int_equal(waiter.reason, DNS_NO_REASON);
	arena_free(waiter.bench.arena);
	bench_close(&bench);
}

/* ---- a library that is stuck --------------------------------------------------------------------------- */

static void nobody_waits_for_a_backend_that_is_stuck(void **state)
{
	struct bench bench = bench_open(8, 0);
	atomic_bool stuck = true, closed = false;
	int64_t start = clock_us();

	(void)state;
	bench.fake->stuck = &stuck;
	bench.fake->closed = &closed;
	bench_message(&bench, "192.0.2.1", 20 * MS);
	assert_int_equal(ask(&bench, "a.test")->reason, DNS_TIMEOUT);
	assert_int_equal(ask(&bench, "b.test")->reason, DNS_TIMEOUT);
	assert_in_range(clock_us() - start, 20 * MS, PATIENT);
	bench_close(&bench);
	assert_in_range(clock_us() - start, 500 * MS, PATIENT);
	assert_int_equal(resolvers_ending(), 1);
	assert_false(closed);

	stuck = false;
	for (int i = 0; i < 60000 && resolvers_ending() > 0; i++)
		usleep(1000);
	assert_true(closed);
	assert_int_equal(resolvers_ending(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_asks_for_everything_leaves_places_to_the_next),
	    cmocka_unit_test(those_who_wait_are_served_in_turn),
	    cmocka_unit_test(hints_share_a_quarter_and_never_wait),
	    cmocka_unit_test(hints_of_one_asker_are_fewer_than_its_questions),
	    cmocka_unit_test(a_question_does_not_wait_for_its_first_asker_when_another_wants_it),
	    cmocka_unit_test(without_a_limit_every_seat_is_taken_at_once),
	    cmocka_unit_test(places_add_up_after_any_moves),
	    cmocka_unit_test(a_question_keeps_its_place_until_the_backend_lets_go_of_it),
	    cmocka_unit_test(the_questions_of_a_flood_do_not_keep_others_from_asking),
	    cmocka_unit_test(a_client_with_ipv6_is_its_network),
	    cmocka_unit_test(hints_of_a_flood_are_dropped_and_questions_asked),
	    cmocka_unit_test(what_never_was_asked_is_not_remembered_as_a_failure),
	    cmocka_unit_test(a_stranger_who_waits_for_a_name_does_not_hold_it_up),
	    cmocka_unit_test(nobody_waits_for_a_backend_that_is_stuck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
