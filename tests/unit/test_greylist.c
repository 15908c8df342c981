/*
 * test_greylist.c - the block greylist, its keys in the store, a store that is dead, what the store does not hold, and
 * 10,000 strangers at once. Who waits how long is tested in tests/scenarios/greylist.scenario.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "engine.h"
#include "greylist.h"
#include "policy_messages.h"
#include <pthread.h>

#define RULES                                                                                                          \
	"policy inbound {\non rcpt {\ndefer 451 4.2.0 \"in %{greylist.wait} s\" if greylist is { new early }\n}\n}\n"

static struct counters counters;

static struct engine *open_engine(const char *text, struct store *store)
{
	struct error err;
	struct policy *policy = load(text);
	struct resolver *resolver = resolver_open_zone(SLICE(""), "zone", &err);
	struct engine *engine = engine_new(policy, resolver, NULL, &counters);

	engine_lend_store(engine, store);
	policy_release(policy);
	resolver_release(resolver);
	return engine;
}

static struct store *open_store(void)
{
	struct error err;
	struct store *store = store_open(&(struct store_settings){.url = SLICE("memory:")}, &err);

	if (!store)
		fail_msg("%s", err.text);
	return store;
}

/* Is a message taken? */
static bool send(struct engine *engine, struct ip client, const char *user, const char *sender, const char *recipient)
{
	struct gate *gate = gate_open(engine, &abilities_all);
	bool taken;

	gate_connect(gate, &(struct connection){.client = client});
	gate_auth(gate, slice_of(user), SLICE("PLAIN"));
	gate_mail(gate, slice_of(sender), MADE_UNKNOWN, false);
	taken = gate_rcpt(gate, slice_of(recipient), MADE_UNKNOWN) == GATE_CONTINUE;
	if (taken) {
		gate_end(gate);
		gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
	}
	gate_close(gate);
	return taken;
}

static const struct ip stranger = {.family = 4, .bytes = {203, 0, 113, 9}};

/* ---- settings ------------------------------------------------------------------------------------ */

static void a_mistake_in_greylist_is_named(void **state)
{
	static const struct said cases[] = {
	    {"greylist { delay 5m window 5m }\n", "window is not longer than delay"},
	    {"greylist { delay 0s }\n", "delay cannot be \"0s\"; write a time from 1s to 1d"},
	    {"greylist { delay 2d }\n", "delay cannot be \"2d\""},
	    {"greylist { key sender }\n", "key cannot be \"sender\"; write spf-domain or network"},
	    {"greylist { proven 5000 }\n", "proven cannot be \"5000\""},
	    {"greylist { remember 400d }\n", "remember cannot be \"400d\""},
	    {"policy inbound {\non connect {\nreject if greylist is new\n}\n}\n",
	     "greylist is known from \"on mail\" on"},
	    {"policy inbound {\non mail {\nreject if greylist is late\n}\n}\n", "it is one of new early passed known"},
	};

	(void)state;
	ASSERT_REFUSED(cases);
}

/* ---- keys ---------------------------------------------------------------------------------------- */

static void a_key_says_whose_it_is(void **state)
{
	static const struct {
		const char *what, *first, *shown; /* first NULL: it is not an identity */
		size_t count;
	} cases[] = {
	    {"203.0.113.9", "grey:4cb0071", "203.0.113.0/24", 3},
	    {"203.0.113.0/24", "grey:4cb0071", "203.0.113.0/24", 3},
	    {"2001:db8:0:1::7", "grey:620010db800000001", "2001:db8:0:1::/64", 3},
	    {"::ffff:203.0.113.9", "grey:4cb0071", "203.0.113.0/24", 3},
	    {"Example.ORG.", "grey:dexample.org", "example.org", 1},
	    {"203.0.0.0/16", NULL, "name such a network", 0},
	    {"2001:db8::/48", NULL, "name such a network", 0},
	    {"a b", NULL, "name a domain", 0},
	    {"", NULL, "name a domain", 0},
	};
	struct arena *arena = arena_new();
	struct slice keys[GREYLIST_KEYS];
	struct error err = {""};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t count = greylist_keys(slice_of(cases[i].what), arena, keys, &err);

		if (count != cases[i].count || (count == 0 && !strstr(err.text, cases[i].shown)))
			fail_msg("%s: %zu %s", cases[i].what, count, err.text);
		if (count == 0)
			continue;
		assert_true(slice_equal(keys[0], slice_of(cases[i].first)));
		for (size_t k = 0; k < count; k++)
			assert_true(slice_equal(greylist_shown(keys[k], arena), slice_of(cases[i].shown)));
	}
	arena_free(arena);
}

static void another_key_is_none_of_greylisting(void **state)
{
	static const char *const keys[] = {"",        "grey:",    "grey:d",        "grey:4cb00",       "grey:4cb00xx:a",
					   "grey:x1", "grey:pd1", "limit:4cb0071", "grey:6cb0071:abc", "gre"};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (greylist_shown(slice_of(keys[i]), arena).n > 0)
			fail_msg("%s", keys[i]);
	assert_string_equal(greylist_state(SLICE("grey:p4cb0071"), SLICE("")), "counted");
	assert_string_equal(greylist_state(SLICE("grey:k4cb0071"), SLICE("k")), "proven");
	assert_string_equal(greylist_state(SLICE("grey:dexample.org"), SLICE("p")), "passed");
	assert_string_equal(greylist_state(SLICE("grey:dexample.org"), SLICE("w60")), "waiting");
	arena_free(arena);
}

/* ---- the store ----------------------------------------------------------------------------------- */

static void a_dead_store_makes_nobody_wait(void **state)
{
	struct engine *engine = open_engine("store memory:\n" RULES, NULL);

	(void)state;
	assert_true(send(engine, stranger, "", "<a@example.com>", "<bob@example.org>"));
	engine_release(engine);
}

static void a_client_without_an_address_need_not_wait(void **state)
{
	struct store *store = open_store();
	struct engine *engine = open_engine(RULES, store);

	(void)state;
	assert_true(send(engine, (struct ip){.family = 0}, "", "<a@example.com>", "<bob@example.org>"));
	engine_release(engine);
	store_close(store);
}

static struct store_page scan(struct store *store, const char *prefix, struct arena *arena)
{
	struct store_page page;

	assert_int_equal(store_scan(store, slice_of(prefix), SLICE(""), STORE_SCAN_MAX, arena, &page), STORE_OK);
	return page;
}

static void the_store_has_no_addresses(void **state)
{
	struct store *store = open_store();
	struct engine *engine = open_engine(RULES, store);
	struct arena *arena = arena_new();
	struct store_page page;
	size_t keys = 0;

	(void)state;
	assert_false(send(engine, stranger, "", "<stranger@example.com>", "<bob@example.org>"));
	assert_true(send(engine, stranger, "alice", "<alice@example.org>", "<friend@example.net>"));
	assert_true(send(engine, stranger, "", "<friend@example.net>", "<bob@example.org>"));
	page = scan(store, "", arena);
	for (size_t i = 0; i < page.count; i++) {
		const char *key = arena_cstring(arena, page.items[i].key);

		if (slice_starts_nocase(page.items[i].key, SLICE("login:"))) /* what alice sends, by her login */
			continue;
		keys++;
		assert_true(slice_find(page.items[i].key, '@') < 0 && slice_find(page.items[i].value, '@') < 0);
		assert_null(strstr(key, "stranger"));
		assert_null(strstr(key, "friend"));
	}
	assert_int_equal(keys, 3); /* the stranger, the friend, the secret */
	arena_free(arena);
	engine_release(engine);
	store_close(store);
}

/* A hash without the key could be tried by anybody who sees the store of another site. */
static void two_stores_have_different_hashes_of_one_address(void **state)
{
	struct arena *arena = arena_new();
	struct slice keys[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct store *store = open_store();
		struct engine *engine = open_engine(RULES, store);
		struct store_page page;

		send(engine, stranger, "alice", "<alice@example.org>", "<friend@example.net>");
		page = scan(store, "corr:", arena);
		assert_int_equal(page.count, 1);
		keys[i] = page.items[0].key;
		assert_in_range(page.items[0].life_us, 89 * STORE_DAY_US, 90 * STORE_DAY_US);
		engine_release(engine);
		store_close(store);
	}
	assert_false(slice_equal(keys[0], keys[1]));
	arena_free(arena);
}

static void what_no_rule_reads_is_not_kept(void **state)
{
	static const char *const texts[] = {
	    "store memory:\nrecord { facts all }\npolicy inbound {\non mail {\nlog \"x\" if auth\n}\n}\n",
	    "store memory:\nrecord { facts all }\n" RULES "policy local {\n}\n",
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct store *store = open_store();
		struct engine *engine = open_engine(texts[i], store);

		/* a mailing is not a correspondence; postmaster is never looked up */
		send(engine, stranger, i ? "" : "alice", "<a@example.org>",
		     i ? "<postmaster@example.org>" : "<b@example.net>");
		assert_int_equal(scan(store, "grey:", arena).count, 0);
		assert_int_equal(scan(store, "corr:", arena).count, 0);
		engine_release(engine);
		store_close(store);
	}
	arena_free(arena);
}

static void a_mailing_teaches_a_hundred_recipients(void **state)
{
	struct store *store = open_store();
	struct engine *engine = open_engine(RULES, store);
	struct arena *arena = arena_new();
	struct gate *gate = gate_open(engine, &abilities_all);

	(void)state;
	gate_connect(gate, &(struct connection){.client = stranger});
	gate_auth(gate, SLICE("alice"), SLICE("PLAIN"));
	gate_mail(gate, SLICE("<alice@example.org>"), MADE_UNKNOWN, false);
	for (int i = 0; i < 150; i++)
		gate_rcpt(gate, arena_printf(arena, "<friend%d@example.net>", i), MADE_UNKNOWN);
	gate_end(gate);
	gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
	gate_close(gate);
	assert_int_equal(scan(store, "corr:", arena).count, 100);
	arena_free(arena);
	engine_release(engine);
	store_close(store);
}

/* ---- many ---------------------------------------------------------------------------------------- */

#define THREADS   50
#define STRANGERS 200 /* of each thread */

struct crowd {
	struct engine *engine;
	unsigned number;
	unsigned waits;
};

static void *come(void *context)
{
	struct crowd *crowd = context;
	char sender[64];

	for (unsigned i = 0; i < STRANGERS; i++) {
		struct ip ip = {.family = 4, .bytes = {192, (uint8_t)crowd->number, (uint8_t)i, 1}};

		snprintf(sender, sizeof(sender), "<x%u.%u@example.com>", crowd->number, i);
		crowd->waits += !send(crowd->engine, ip, "", sender, "<bob@example.org>");
		crowd->waits += !send(crowd->engine, stranger, "", "<same@example.com>", "<bob@example.org>");
	}
	return NULL;
}

static void of_10000_strangers_at_once_everyone_waits_and_has_one_entry(void **state)
{
	struct store *store = open_store();
	struct engine *engine = open_engine(RULES, store);
	struct crowd crowds[THREADS];
	pthread_t threads[THREADS];
	struct store_counters counted;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		crowds[i] = (struct crowd){engine, i, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, come, &crowds[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(crowds[i].waits, 2 * STRANGERS);
	}
	store_counters(store, &counted);
	assert_int_equal(counted.keys, THREADS * STRANGERS + 2); /* the one who came with each, and the secret */
	engine_release(engine);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mistake_in_greylist_is_named),
	    cmocka_unit_test(a_key_says_whose_it_is),
	    cmocka_unit_test(another_key_is_none_of_greylisting),
	    cmocka_unit_test(a_dead_store_makes_nobody_wait),
	    cmocka_unit_test(a_client_without_an_address_need_not_wait),
	    cmocka_unit_test(the_store_has_no_addresses),
	    cmocka_unit_test(two_stores_have_different_hashes_of_one_address),
	    cmocka_unit_test(what_no_rule_reads_is_not_kept),
	    cmocka_unit_test(a_mailing_teaches_a_hundred_recipients),
	    cmocka_unit_test(of_10000_strangers_at_once_everyone_waits_and_has_one_entry),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
