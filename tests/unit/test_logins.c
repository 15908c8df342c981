/*
 * test_logins.c - the busiest minutes of a login as text, the list of those that send the most, hostile logins, and a
 * store that does not answer. What is counted is in tests/scenarios/logins.scenario.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "../../filter/check/login_private.h"
#include "gate_scene.h"
#include "redis_server.h"
#include "store.h"

/* ---- the peak ------------------------------------------------------------------------------ */

static void days_move_and_old_ones_are_forgotten(void **state)
{
	static const struct {
		const char *text;
		int64_t today;
		const char *printed;
		uint64_t usual;
	} cases[] = {
	    {"", 100, "100 0", 10},
	    {"100 12", 100, "100 12", 10},
	    {"100 12", 101, "101 0 12", 12},
	    {"100 12 30", 101, "101 0 12 30", 30},
	    {"100 12", 114, "114 0 0 0 0 0 0 0 0 0 0 0 0 0 0 12", 12},
	    {"100 12", 115, "115 0", 10},
	    {"100 12 30", 99, "100 12 30", 30}, /* the clock was set back: over midnight */
	    {"100 12 30", 98, "98 12 30", 30},  /* by more: a day from the future would stay for ever */
	    {"4294967295 12", 100, "100 12", 10},
	    {"-1 12", 100, "100 0", 10},
	    {"99999999999999999999 12", 100, "100 0", 10},
	    {"100 x 99999999999999999999 20", 100, "100 0 0 20", 20},
	    {"100 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 99 99", 100, "100 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", 15},
	    {"100 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", 101, "101 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14", 14},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct login_peak peak;
		struct slice printed;

		login_peak_read(slice_of(cases[i].text), cases[i].today, &peak);
		printed = login_peak_print(&peak, arena);
		if (!slice_equal(printed, slice_of(cases[i].printed)) || login_peak_usual(&peak) != cases[i].usual)
			fail_msg("%s at %lld: %.*s", cases[i].text, (long long)cases[i].today, SLICE_ARGS(printed));
	}
	arena_free(arena);
}

/* ---- messages ---------------------------------------------------------------------------------- */

static const char policy[] =
    "authserv-id mx.example.org\nstore memory:\n"
    "policy submission { on mail { reject 550 5.7.1 \"%{login.recipients}\" if login.burst > 100 } }\n";

static struct store *open_store(void)
{
	struct error err;
	struct store *store = store_open(&(struct store_settings){.url = SLICE("memory:")}, &err);

	assert_non_null(store);
	return store;
}

static void send_as(struct engine *engine, struct slice login, unsigned recipients)
{
	struct gate *gate = begin(engine);

	gate_auth(gate, login, SLICE("PLAIN"));
	assert_int_equal(gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false), GATE_CONTINUE);
	for (unsigned i = 0; i < recipients; i++)
		assert_int_equal(gate_rcpt(gate, SLICE("<b@example.net>"), MADE_UNKNOWN), GATE_CONTINUE);
	assert_int_equal(end(gate), GATE_CONTINUE);
	gate_close(gate);
}

static void the_busiest_logins_come_first(void **state)
{
	struct engine *engine = make_engine(policy);
	struct arena *arena = arena_new();
	struct store *store = open_store();
	struct login *logins;
	char name[32];
	size_t count;
	bool more;

	(void)state;
	engine_lend_store(engine, store);
	for (unsigned i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "user%u", i * 7 % 30);
		send_as(engine, slice_of(name), i * 7 % 30 + 1);
	}
	assert_int_equal(login_list(store, false, 3, arena, &logins, &count, &more), 0);
	assert_int_equal(count, 3);
	assert_true(more);
	assert_true(slice_equal(logins[0].name, SLICE("user29")) && slice_equal(logins[2].name, SLICE("user27")));
	assert_int_equal(logins[0].recent, 30);
	assert_int_equal(logins[0].recipients, 30);
	assert_int_equal(logins[0].networks, 1);
	assert_int_equal(logins[0].refused, 0);
	assert_int_equal(login_list(store, true, 1000, arena, &logins, &count, &more), 0);
	assert_int_equal(count, 30);
	assert_false(more);
	assert_true(slice_equal(logins[29].name, SLICE("user0")));
	engine_release(engine);
	store_close(store);
	arena_free(arena);
}

/* Logins are what a client wrote: none is counted as another one, and none makes a key that is too long. */
static void hostile_logins_are_counted_apart(void **state)
{
	static const struct slice names[] = {
	    {"a", 1},   {"a:b", 3}, {"a%3Ab", 5},    {"a\nb", 3}, {"a\0b", 3},           {"%", 1},
	    {"%25", 3}, {"a b", 3}, {"\xff\xfe", 2}, {"\0", 1},   {"a:203.0.113.0", 13},
	};
	struct engine *engine = make_engine(policy);
	struct arena *arena = arena_new();
	struct store *store = open_store();
	char *large = memset(arena_raw(arena, 10240), 'x', 10240);
	size_t count, expected = sizeof(names) / sizeof(names[0]) + 2;
	struct login *logins;
	bool more;

	(void)state;
	engine_lend_store(engine, store);
	for (size_t i = 0; i + 2 < expected; i++)
		send_as(engine, names[i], 1);
	send_as(engine, (struct slice){large, 10240}, 1);
	large[10239] = 'y';
	send_as(engine, (struct slice){large, 10240}, 1);
	assert_int_equal(login_list(store, false, 1000, arena, &logins, &count, &more), 0);
	assert_int_equal(count, expected);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(logins[i].recent, 1);
		assert_in_range(logins[i].name.n, 1, STORE_KEY_MAX);
		for (size_t j = 0; j < logins[i].name.n; j++)
			assert_false(is_control(logins[i].name.p[j]));
	}
	engine_release(engine);
	store_close(store);
	arena_free(arena);
}

/* ---- what is asked ------------------------------------------------------------------------------ */

#define ROUNDS  100
#define SENDERS 4

static pthread_barrier_t together;

/* All threads send a message of the same login at once, and then one of the next. */
static void *send_many(void *engine)
{
	char login[32];

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct gate *gate = begin(engine);

		snprintf(login, sizeof(login), "user%u", i);
		gate_auth(gate, slice_of(login), SLICE("PLAIN"));
		gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
		gate_rcpt(gate, SLICE("<b@example.net>"), MADE_UNKNOWN);
		pthread_barrier_wait(&together);
		end(gate);
		gate_close(gate);
	}
	return NULL;
}

static uint64_t peak_of(struct store *store, unsigned login, struct arena *arena)
{
	struct slice key = arena_printf(arena, "login:peak:user%u", login);
	struct store_item item;
	struct login_peak peak;

	assert_int_equal(store_get(store, key, arena, &item), STORE_OK);
	login_peak_read(item.value, clock_wall_us() / STORE_DAY_US, &peak);
	return peak.counts[0] + peak.counts[1]; /* over midnight they are of yesterday */
}

/* In a server, where other sessions have the time to come between a question and the next. */
static void no_session_takes_the_peak_of_another_away(void **state)
{
	const char *path = redis_server_empty();
	struct engine *engine = make_engine(policy);
	struct arena *arena = arena_new();
	struct store_settings settings = {.url = SLICE("memory:"), .timeout_us = 0};
	struct store *store;
	struct error err;
	pthread_t threads[SENDERS];

	(void)state;
	if (path)
		settings = (struct store_settings){.url = arena_printf(arena, "redis+unix://%s", path),
						   .timeout_us = STORE_TIMEOUT_MAX_US};
	store = store_open(&settings, &err);
	assert_non_null(store);
	engine_lend_store(engine, store);
	pthread_barrier_init(&together, NULL, SENDERS);
	for (size_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_many, engine), 0);
	for (size_t i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
	for (unsigned i = 0; i < ROUNDS; i++)
		assert_int_equal(peak_of(store, i, arena), SENDERS);
	engine_release(engine);
	store_close(store);
	arena_free(arena);
}

/* Questions at the end of a message, when nobody waits for a fact: "" or the text with which it is refused. */
static uint64_t asked_at_the_end(struct engine *engine, struct store *store, unsigned recipients, const char *subject)
{
	struct gate *gate = begin(engine);
	struct store_counters before, after;
	char address[32];

	gate_auth(gate, SLICE("alice"), SLICE("PLAIN"));
	assert_int_equal(gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false), GATE_CONTINUE);
	for (unsigned i = 0; i < recipients; i++) {
		snprintf(address, sizeof(address), "<b%u@example.net>", i);
		assert_int_equal(gate_rcpt(gate, slice_of(address), MADE_UNKNOWN), GATE_CONTINUE);
	}
	gate_header(gate, SLICE("Subject"), slice_of(subject));
	store_counters(store, &before);
	end(gate);
	gate_close(gate);
	store_counters(store, &after);
	return after.asked - before.asked;
}

static void many_recipients_are_learned_and_given_back_in_one_question(void **state)
{
	static const char counting[] =
	    "authserv-id mx.example.org\nstore memory:\n"
	    "limit one { key auth.user count recipients hard 10k per 1h }\n"
	    "limit two { key auth.user count recipients hard 10k per 1d }\n"
	    "policy inbound { on mail { log \"known\" if correspondent } }\n"
	    "policy submission {\n on rcpt {\n reject if limit(one) is over or limit(two) is over\n }\n"
	    " on message {\n reject if header(Subject) is \"bad\"\n }\n}\n";
	struct engine *engine = make_engine(counting);
	struct store *store = open_store();
	struct arena *arena = arena_new();
	struct store_item item;
	const char *const keys[] = {"limit:one:recipients:alice", "limit:two:recipients:alice"};

	(void)state;
	engine_lend_store(engine, store);
	asked_at_the_end(engine, store, 1, "good"); /* makes the secret of hashes */
	assert_int_equal(asked_at_the_end(engine, store, 80, "good"), asked_at_the_end(engine, store, 1, "good"));
	assert_int_equal(asked_at_the_end(engine, store, 80, "bad"), asked_at_the_end(engine, store, 1, "bad"));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(store_get(store, slice_of(keys[i]), arena, &item), STORE_OK);
		assert_int_equal(item.count, 82);
	}
	engine_release(engine);
	store_close(store);
	arena_free(arena);
}

/* Without an answer nothing is refused, nothing is learned, and the rule is noted as unknown. */
static void without_a_store_the_facts_are_unknown(void **state)
{
	struct engine *engine = make_engine(policy);
	struct gate *gate = begin(engine);

	(void)state;
	gate_auth(gate, SLICE("alice"), SLICE("PLAIN"));
	assert_int_equal(gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false), GATE_CONTINUE);
	assert_int_equal(gate_rcpt(gate, SLICE("<b@example.net>"), MADE_UNKNOWN), GATE_CONTINUE);
	for (const char *const *name = (const char *const[]){"login.networks", "login.new-network", "login.recipients",
							     "login.refused", "login.burst", NULL};
	     *name; name++) {
		struct value value = fact_get(gate_view(gate), fact_find(slice_of(*name)), NO_ARGUMENT);

		if (value.state != VALUE_UNKNOWN || !value.unstored)
			fail_msg("%s is known", *name);
	}
	assert_int_equal(end(gate), GATE_CONTINUE);
	assert_int_equal(gate_record(gate)->note_count, 1);
	assert_true(slice_equal(gate_record(gate)->notes[0].kind, SLICE("unknown")));
	gate_close(gate);
	engine_release(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(days_move_and_old_ones_are_forgotten),
	    cmocka_unit_test(the_busiest_logins_come_first),
	    cmocka_unit_test(hostile_logins_are_counted_apart),
	    cmocka_unit_test(no_session_takes_the_peak_of_another_away),
	    cmocka_unit_test(many_recipients_are_learned_and_given_back_in_one_question),
	    cmocka_unit_test(without_a_store_the_facts_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
