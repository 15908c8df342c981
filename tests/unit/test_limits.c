/*
 * test_limits.c - the setting store, the blocks of limits, a limit that many sessions reach at once, and rules whose
 * store does not answer. What is counted is in tests/scenarios/limits.scenario.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "engine.h"
#include "policy_messages.h"
#include <pthread.h>

#define LIMIT(what)  "limit hourly { key auth.user count messages " what " }\n"
#define RULES(rules) "policy submission {\non mail {\n" rules "\n}\n}\n"

/* ---- settings ------------------------------------------------------------------------------------ */

static void a_store_is_needed_when_it_is_named_or_a_rule_reads_a_limit(void **state)
{
	static const struct {
		const char *text;
		bool needed;
		const char *url;
		int64_t at_most;
		bool defers;
	} cases[] = {
	    {"mode enforce\n", false, "lmdb:/var/lib/sekisho", 0, false},
	    {"record { facts all }\n", false, "lmdb:/var/lib/sekisho", 0, false},
	    {LIMIT("hard 100 per 1h"), false, "lmdb:/var/lib/sekisho", 0, false},
	    {"store memory:\n", true, "memory:", 0, false},
	    {"store lmdb:/srv/state at-most 2G on-failure defer\n", true, "lmdb:/srv/state", INT64_C(2) << 30, true},
	    {LIMIT("hard 100 per 1h") RULES("log \"x\" if limit(\"hourly\") is over"), true, "lmdb:/var/lib/sekisho", 0,
	     false},
	    {LIMIT("hard 100 per 1h") RULES("log \"%{limit.count(hourly)}\""), true, "lmdb:/var/lib/sekisho", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *policy = load(cases[i].text);
		const struct store_setting *store = &policy_settings(policy)->store;

		if (policy_needs_store(policy) != cases[i].needed || !slice_equal(store->url, slice_of(cases[i].url)) ||
		    store->at_most != cases[i].at_most || store->defers != cases[i].defers)
			fail_msg("%s: %.*s", cases[i].text, SLICE_ARGS(store->url));
		policy_release(policy);
	}
}

static void a_mistake_in_a_store_or_a_limit_is_named(void **state)
{
	static const struct said cases[] = {
	    {"store /var/lib/sekisho\n", "t:1:1: \"/var/lib/sekisho\" is not a store; use lmdb:DIRECTORY, "
					 "redis://HOST:PORT/DATABASE or memory:"},
	    {"store lmdb:state\n", "t:1:1: lmdb: needs the absolute path of a directory"},
	    {"store memory: at-most 1M\n", "at-most cannot be \"1M\"; write a size from 8M to 1024G"},
	    {"store memory: timeout 50ms\n", "password-file, ca-file and timeout are for a store in Redis"},
	    {"store memory: password-file /p\n", "password-file, ca-file and timeout are for a store in Redis"},
	    {"store memory: timeout 3s\n", "timeout cannot be \"3s\"; write a time from 1ms to 2s"},
	    {"store memory: on-failure accept\n", "on-failure cannot be \"accept\"; write skip or defer"},
	    {"store memory:\nstore memory:\n", "store is set already in line 1"},
	    {"limit hourly { count messages hard 1 per 1h }\n", "limit has no key"},
	    {"limit hourly { key auth.user hard 1 per 1h }\n", "limit has no count"},
	    {"limit hourly { key auth.user count messages hard 1 }\n", "limit has no per"},
	    {LIMIT("per 1h"), "limit hourly has neither soft nor hard"},
	    {LIMIT("soft 5 hard 4 per 1h"), "soft 5 is above hard 4"},
	    {LIMIT("hard 0 per 1h"), "hard cannot be \"0\""},
	    {LIMIT("hard 1 per 0s"), "per cannot be \"0s\"; write a time from 1s to 365d"},
	    {LIMIT("hard 1 per 36500d"), "per cannot be \"36500d\""},
	    {LIMIT("hard 1 per 1h exempt bulk"), "no list is named \"bulk\""},
	    {"limit l { key auth.usr count messages hard 1 per 1h }\n", "did you mean \"auth.user\"?"},
	    {"limit l { key header count messages hard 1 per 1h }\n", "header takes an argument"},
	    {"limit l { key client helo sender count messages hard 1 per 1h }\n", "key has more than 2 values"},
	    {"limit l { key nosuch count messages hard 1 per 1h }\n" RULES("reject if limit(\"l\") is over"),
	     "no fact is named \"nosuch\""},
	    {"limit l { key client count mails hard 1 per 1h }\n" RULES("reject if limit(\"l\") is over"),
	     "write messages, recipients, distinct-recipients or bytes"},
	    {"dnsbl l { zone bl.example of nothing }\n" RULES("reject if dnsbl(\"l\") is listed"),
	     "write client, helo, sender.domain or from.domain"},
	    {"limit l { key client count mails hard 1 per 1h }\n",
	     "write messages, recipients, distinct-recipients or bytes"},
	    {"limit l { key recipient count bytes hard 1 per 1h }\n", "recipient belongs to one recipient"},
	    {LIMIT("hard 1 per 1h") LIMIT("hard 1 per 1h"), "limit hourly is defined already"},
	    {LIMIT("hard 1 per 1h") RULES("reject if limit(\"hourli\") is over"), "did you mean \"hourly\"?"},
	    {LIMIT("hard 1 per 1h") RULES("reject if limit(\"hourly\") is full"), "it is one of under soft over"},
	    {"limit l { key client count recipients hard 1 per 1h }\n" RULES("reject if limit(\"l\") is over"),
	     "limit(\"l\") is known from \"on rcpt\" on"},
	    {"limit l { key client count bytes hard 1 per 1h }\n" RULES("reject if limit(\"l\") is over"),
	     "limit(\"l\") is known from \"on message\" on"},
	};

	(void)state;
	ASSERT_REFUSED(cases);
}

/* ---- running ------------------------------------------------------------------------------------- */

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

static struct gate *log_in(struct engine *engine)
{
	struct gate *gate = gate_open(engine, &abilities_all);

	gate_connect(gate, &(struct connection){.client = {.family = 4, .bytes = {203, 0, 113, 9}}});
	gate_auth(gate, SLICE("alice"), SLICE("PLAIN"));
	return gate;
}

static enum gate_answer mail(struct gate *gate)
{
	enum gate_answer answer = gate_mail(gate, SLICE("<alice@example.org>"), MADE_UNKNOWN, false);

	if (answer == GATE_REFUSE)
		gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
	return answer;
}

/* Is one message taken? */
static bool submit(struct gate *gate)
{
	if (mail(gate) == GATE_REFUSE)
		return false;
	gate_rcpt(gate, SLICE("<bob@example.net>"), MADE_UNKNOWN);
	gate_end(gate);
	gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
	return true;
}

static void a_store_that_is_dead_skips_the_rule_or_defers(void **state)
{
	static const struct {
		const char *setting, *rule, *verdict, *note;
	} cases[] = {
	    {"store memory:\n", "reject if limit(\"hourly\") is over", "accept",
	     "the store does not answer; rule skipped"},
	    {"store memory:\n", "reject if not (limit(\"hourly\") is over)", "accept",
	     "the store does not answer; rule skipped"},
	    {"store memory: on-failure defer\n", "reject if limit(\"hourly\") is over", "defer",
	     "the store does not answer; deferred"},
	    {"store memory: on-failure defer\n", "reject if limit(\"hourly\") is over and not auth", "accept", NULL},
	    {"store memory: on-failure defer\n", "log \"x\" if limit.count(\"hourly\") > 1", "accept",
	     "the store does not answer; rule skipped"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1000];
		struct engine *engine;
		struct gate *gate;

		snprintf(text, sizeof(text), "%s" LIMIT("hard 2 per 1h") RULES("%s"), cases[i].setting, cases[i].rule);
		engine = open_engine(text, NULL);
		gate = log_in(engine);
		submit(gate);
		assert_true(slice_equal(gate_record(gate)->verdict, slice_of(cases[i].verdict)));
		assert_int_equal(gate_record(gate)->note_count, cases[i].note != NULL);
		if (cases[i].note)
			assert_true(slice_equal(gate_record(gate)->notes[0].text, slice_of(cases[i].note)));
		gate_close(gate);
		engine_release(engine);
	}
}

static void what_the_mail_server_did_not_take_does_not_count(void **state)
{
	struct store *store = open_store();
	struct engine *engine = open_engine(LIMIT("hard 1 per 1h") RULES("reject if limit(\"hourly\") is over"), store);
	struct gate *gate = log_in(engine), *other = log_in(engine);

	(void)state;
	for (int how = TOLD_EDITS_FAILED; how <= TOLD_NOBODY; how++) {
		assert_int_equal(mail(gate), GATE_CONTINUE);
		assert_false(submit(other)); /* the place is taken while the message is under way */
		gate_end(gate);
		gate_done(gate, &(struct told){.how = (enum told_how)how});
	}
	assert_int_equal(mail(gate), GATE_CONTINUE);
	gate_close(gate); /* in the middle of a message */
	assert_true(submit(other));
	assert_false(submit(other));
	gate_close(other);
	engine_release(engine);
	store_close(store);
}

/* A client names as many recipients as it likes. */
static void a_thousand_recipients_take_little_memory(void **state)
{
	struct store *store = open_store();
	struct engine *engine =
	    open_engine("limit a { key auth.user count recipients hard 100000 per 1h }\n"
			"limit b { key auth.user count recipients hard 100000 per 1d }\n"
			"policy submission {\non rcpt {\nreject if limit(\"a\") is over or limit(\"b\") is over\n"
			"reject if limit.count(\"a\") > 2000 or limit.count(\"b\") > 2000\n}\n}\n",
			store);
	struct gate *gate = log_in(engine);
	size_t before;

	(void)state;
	mail(gate);
	before = arena_used(gate_view(gate)->message->arena);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(gate_rcpt(gate, SLICE("<bob@example.net>"), MADE_UNKNOWN), GATE_CONTINUE);
	assert_in_range(arena_used(gate_view(gate)->message->arena) - before, 1000, 1000 * 2000);
	gate_close(gate);
	engine_release(engine);
	store_close(store);
}

#define SESSIONS 64
#define EACH     5

static _Atomic unsigned taken;

static void *run_session(void *engine)
{
	struct gate *gate = log_in(engine);

	for (int i = 0; i < EACH; i++)
		taken += submit(gate);
	gate_close(gate);
	return NULL;
}

static void of_64_sessions_at_once_exactly_as_many_messages_pass_as_may(void **state)
{
	struct store *store = open_store();
	struct engine *engine =
	    open_engine(LIMIT("hard 100 per 1h") RULES("reject if limit(\"hourly\") is over"), store);
	pthread_t threads[SESSIONS];

	(void)state;
	taken = 0;
	for (int i = 0; i < SESSIONS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_session, engine), 0);
	for (int i = 0; i < SESSIONS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(taken, 100);
	engine_release(engine);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_store_is_needed_when_it_is_named_or_a_rule_reads_a_limit),
	    cmocka_unit_test(a_mistake_in_a_store_or_a_limit_is_named),
	    cmocka_unit_test(a_store_that_is_dead_skips_the_rule_or_defers),
	    cmocka_unit_test(what_the_mail_server_did_not_take_does_not_count),
	    cmocka_unit_test(a_thousand_recipients_take_little_memory),
	    cmocka_unit_test(of_64_sessions_at_once_exactly_as_many_messages_pass_as_may),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
