/*
 * test_redis_hostile.c - the store in Redis with a server that answers anything: what it makes of it, what it logs, and
 * that no call takes longer than it may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_redis.h"
#include "store.h"

#define SECOND INT64_C(1000000)
#define VALUE  "*5\r\n:1\r\n:60000000\r\n:0\r\n:0\r\n$5\r\nhello\r\n"

static char many[8192]; /* of a line that does not end */
static struct fake_redis fake;
static struct store *store;
static struct arena *arena;

static void open_store(int64_t timeout_us)
{
	struct error err = {""};

	store = store_open(&(struct store_settings){.url = slice_of(fake.url), .timeout_us = timeout_us}, &err);
	if (!store)
		fail_msg("%s", err.text);
}

static int begin(void **state)
{
	(void)state;
	memset(many, '+', sizeof(many));
	fake_start(&fake);
	arena = arena_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake.stopping = true;
	store_close(store);
	store = NULL;
	fake_stop(&fake);
	arena_free(arena);
	return 0;
}

static enum store_answer get(void)
{
	struct store_item item;

	return store_get(store, SLICE("k"), arena, &item);
}

static const char *line(void)
{
	static struct error text;

	text.text[0] = '\0';
	return store_report(store, 0, &text) ? text.text : "nothing";
}

static void assert_line(const char *expected)
{
	const char *text = line();

	if (!strstr(text, expected))
		fail_msg("the log has \"%s\", not \"%s\"", text, expected);
}

/* ---- answers ------------------------------------------------------------------------------------------ */

static void a_good_answer_is_taken(void **state)
{
	static const struct fake_answer value = {.bytes = VALUE}, slow = {.bytes = VALUE, .pause_ms = 1};
	struct store_item item;

	(void)state;
	fake.question = &value;
	open_store(20 * SECOND);
	assert_int_equal(store_get(store, SLICE("k"), arena, &item), STORE_OK);
	assert_true(slice_equal(item.value, SLICE("hello")) && slice_equal(item.key, SLICE("k")));
	assert_int_equal(item.life_us, 60 * SECOND);
	fake.question = &slow;
	assert_int_equal(get(), STORE_OK);
	assert_string_equal(line(), "nothing");
}

/* The connection is closed, and other questions go on by another one. */
static void what_is_not_an_answer_is_not_taken(void **state)
{
	static const struct fake_answer answers[] = {
	    {.bytes = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"},
	    {.bytes = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"},
	    {.bytes = "\x15\x03\x01\x00\x02\x02\x46", .n = 7},
	    {.bytes = "\0\0\0\0", .n = 4},
	    {.bytes = "*5\r\n:1\r\n:2\r\n", .closes = true},
	    {.bytes = NULL, .closes = true},
	    {.bytes = "$5\r\nhel", .closes = true},
	    {.bytes = "*2147483647\r\n"},
	    {.bytes = "*99999999999999999999\r\n"},
	    {.bytes = "*1000000\r\n"},
	    {.bytes = "*-5\r\n"},
	    {.bytes = "$-5\r\n"},
	    {.bytes = "$99999999999999999999\r\n"},
	    {.bytes = "$x\r\n"},
	    {.bytes = ":12345678901234567890123\r\n"},
	    {.bytes = "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"},
	    {.bytes = "+OK\r\n+OK\r\n"}, /* one more than was asked for */
	    {.bytes = "%1\r\n+a\r\n+b\r\n"},
	    {.bytes = many, .n = sizeof(many), .repeats = 20},
	};
	static const struct fake_answer value = {.bytes = VALUE};

	(void)state;
	open_store(20 * SECOND);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		unsigned greeted = fake.greeted;

		fake.question = &answers[i];
		if (get() != STORE_UNAVAILABLE)
			fail_msg("answer %zu was taken", i);
		fake.question = &value;
		if (get() != STORE_OK || fake.greeted <= greeted)
			fail_msg("after answer %zu", i);
		arena_reset(arena);
	}
}

/* They are answers, of another form than the scripts give; the connection is kept. */
static void an_answer_of_another_form_is_unavailable(void **state)
{
	static const char *const answers[] = {
	    "+OK\r\n",
	    ":1\r\n",
	    "$-1\r\n",
	    "*-1\r\n",
	    "*0\r\n",
	    "$5\r\nhello\r\n",
	    "*1\r\n:9\r\n",
	    "*1\r\n:-1\r\n",
	    "*1\r\n$1\r\n0\r\n",
	    "*5\r\n:1\r\n:1\r\n:0\r\n:0\r\n:0\r\n",
	    "*5\r\n:7\r\n:1\r\n:0\r\n:0\r\n$1\r\nx\r\n",
	    "*5\r\n:-1\r\n:1\r\n:0\r\n:0\r\n$1\r\nx\r\n",
	    "*5\r\n:1\r\n:1\r\n:-1\r\n:0\r\n$1\r\nx\r\n",
	    "*5\r\n:1\r\n:1\r\n:4294967296\r\n:0\r\n$1\r\nx\r\n",
	    "*5\r\n*1\r\n:1\r\n:1\r\n:0\r\n:0\r\n$1\r\nx\r\n",
	    "*5\r\n:1\r\n:1\r\n:0\r\n:0\r\n$-1\r\n",
	};
	struct store_limit limit = {.key = SLICE("l"), .length_us = SECOND, .amount = 1, .hard = 1};
	struct store_usage usage;

	(void)state;
	open_store(20 * SECOND);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct fake_answer answer = {.bytes = answers[i]};

		fake.question = &answer;
		if (get() != STORE_UNAVAILABLE || store_reserve(store, &limit, 1, &usage) != STORE_UNAVAILABLE)
			fail_msg("%s was taken", answers[i]);
		fake.question = NULL;
	}
	assert_int_equal(fake.greeted, 1);
}

static void numbers_out_of_bounds_are_bounded(void **state)
{
	static const struct fake_answer
	    huge = {.bytes = "*5\r\n:1\r\n:9223372036854775807\r\n:0\r\n:0\r\n$1\r\nx\r\n"},
	    past = {.bytes = "*5\r\n:1\r\n:-9223372036854775808\r\n:0\r\n:0\r\n$1\r\nx\r\n"},
	    wait = {.bytes = "*5\r\n:3\r\n:1\r\n:4294967295\r\n:4294967295\r\n:9223372036854775807\r\n"};
	struct store_limit limit = {.key = SLICE("l"), .length_us = SECOND, .amount = 1, .hard = 1};
	struct store_usage usage;
	struct store_item item;

	(void)state;
	open_store(20 * SECOND);
	fake.question = &huge;
	assert_int_equal(store_get(store, SLICE("k"), arena, &item), STORE_OK);
	assert_int_equal(item.life_us, STORE_LIFE_MAX_US);
	fake.question = &past;
	assert_int_equal(store_get(store, SLICE("k"), arena, &item), STORE_ABSENT);
	fake.question = &wait;
	assert_int_equal(store_reserve(store, &limit, 1, &usage), STORE_OVER);
	assert_int_equal(usage.wait_us, SECOND);
	assert_int_equal(usage.count, UINT64_MAX);
}

/* ---- errors of the server ------------------------------------------------------------------------------- */

static void an_error_that_concerns_all_questions_ends_them_at_once(void **state)
{
	static const struct {
		const char *error, *line;
	} cases[] = {
	    {"-MOVED 12182 127.0.0.1:7001\r\n", "it is part of a cluster, which is not supported"},
	    {"-ASK 12182 127.0.0.1:7001\r\n", "it is part of a cluster"},
	    {"-CLUSTERDOWN Hash slot not served\r\n", "it is part of a cluster"},
	    {"-CROSSSLOT Keys in request don't hash to the same slot\r\n", "it is part of a cluster"},
	    {"-NOAUTH Authentication required.\r\n", "it wants a password; set password-file (\"NOAUTH Auth"},
	    {"-NOPERM this user has no permissions\r\n", "the user lacks a permission"},
	    {"-LOADING Redis is loading the dataset in memory\r\n", "it is still loading its data"},
	    {"-BUSY Valkey is busy running a script.\r\n", "it is busy with a script of somebody else"},
	    {"-READONLY You can't write against a read only replica. script: 1, on @user_script:1.\r\n",
	     "it is a read-only replica; name the master"},
	    {"-MASTERDOWN Link with MASTER is down\r\n", "it is a replica that has lost its master"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_answer answer = {.bytes = cases[i].error};
		unsigned asked;

		open_store(20 * SECOND);
		fake.question = &answer;
		assert_int_equal(get(), STORE_UNAVAILABLE);
		asked = fake.asked;
		assert_line(cases[i].line);
		for (int j = 0; j < 100; j++)
			assert_int_equal(get(), STORE_UNAVAILABLE);
		if (fake.asked != asked)
			fail_msg("asked again after %s", cases[i].error);
		assert_string_equal(line(), "nothing");
		store_close(store);
		fake.question = NULL;
	}
	open_store(20 * SECOND);
}

/* The next question may have an answer. */
static void an_error_that_concerns_one_question_is_logged(void **state)
{
	static const struct {
		const char *error, *line;
	} cases[] = {
	    {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "it has no memory for another key"},
	    {"-MISCONF Redis is configured to save RDB snapshots\r\n", "it cannot write to its disk"},
	    {"-NOREPLICAS Not enough good replicas to write.\r\n", "it has fewer replicas than it wants"},
	    {"-WRONGTYPE Operation against a key\r\n", "a key belongs to another program"},
	    {"*5\r\n:-1\r\n:0\r\n:0\r\n:0\r\n$0\r\n\r\n",
	     "the key sekisho:1:k has a value of another version of Sekisho, or of another program"},
	};
	static const struct fake_answer value = {.bytes = VALUE};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_answer answer = {.bytes = cases[i].error};

		open_store(20 * SECOND);
		fake.question = &answer;
		for (int j = 0; j < 5; j++)
			assert_int_equal(get(), STORE_UNAVAILABLE);
		assert_line(cases[i].line);
		assert_string_equal(line(), "nothing");
		fake.question = &value;
		assert_int_equal(get(), STORE_OK);
		store_close(store);
	}
	open_store(20 * SECOND);
}

static void three_unknown_errors_end_all_questions(void **state)
{
	static const struct fake_answer error = {.bytes = "-ERR something\x1b[31m\xff new\r\n"};

	(void)state;
	open_store(20 * SECOND);
	fake.question = &error;
	for (int i = 0; i < 10; i++)
		assert_int_equal(get(), STORE_UNAVAILABLE);
	assert_int_equal(fake.asked, 3);
	assert_line("it answered \"ERR something.[31m. new\"");
}

/* Questions were lost, and messages passed without their limit, although the next question always worked. */
static void a_failure_among_answers_is_logged(void **state)
{
	static const struct fake_answer closes = {.bytes = NULL, .closes = true}, value = {.bytes = VALUE},
					error = {.bytes = "-ERR something\r\n"}, other = {.bytes = "220 mx ESMTP\r\n"};
	static const struct {
		const struct fake_answer *answer;
		const char *line;
	} cases[] = {
	    {&closes, "it closed the connection"},
	    {&error, "it answered \"ERR something\""},
	    {&other, "the answer is not one of Redis; it begins with \"220 mx ESMTP"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_store(20 * SECOND);
		for (int j = 0; j < 8; j++) {
			fake.question = cases[i].answer;
			assert_int_equal(get(), STORE_UNAVAILABLE);
			fake.question = &value;
			assert_int_equal(get(), STORE_OK);
		}
		assert_line(cases[i].line);
		assert_string_equal(line(), "nothing");
		store_close(store);
	}
	open_store(20 * SECOND);
}

static void a_script_that_is_not_known_is_sent(void **state)
{
	static const struct fake_answer error = {.bytes = "-NOSCRIPT No matching script.\r\n"},
					value = {.bytes = VALUE};

	(void)state;
	open_store(20 * SECOND);
	fake.question = &error;
	fake.eval = &value;
	assert_int_equal(get(), STORE_OK);
	assert_int_equal(fake.asked, 2);
	assert_int_equal(fake.evals, 1);
	fake.eval = NULL;
	assert_int_equal(get(), STORE_UNAVAILABLE); /* and not known again: no loop */
	assert_int_equal(fake.asked, 4);
}

/* ---- time ---------------------------------------------------------------------------------------------- */

/* All of these would answer for minutes, or never. */
static void a_slow_answer_ends_all_questions_at_once(void **state)
{
	static const struct fake_answer answers[] = {
	    {.bytes = NULL},
	    {.bytes = NULL, .halts = true},
	    {.bytes = many, .n = sizeof(many), .pause_ms = 20},
	    {.bytes = "*5\r\n:1\r\n", .pause_ms = 0},
	    {.bytes = "$60000\r\naaaaaaaa"},
	    {.bytes = "$9223372036854775807\r\naaaaaaaa"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		unsigned asked;

		open_store(100 * 1000);
		fake.question = &answers[i];
		assert_int_equal(get(), STORE_UNAVAILABLE);
		asked = fake.asked;
		assert_line("it does not answer in time");
		for (int j = 0; j < 100; j++)
			assert_int_equal(get(), STORE_UNAVAILABLE);
		assert_int_equal(fake.asked, asked);
		store_close(store);
	}
	open_store(100 * 1000);
}

static int told_begins, told_ends;

static void tell(void *context, bool begins)
{
	if (context != &told_begins)
		fail_msg("another context");
	told_begins += begins;
	told_ends += !begins;
}

/* Once, however many pieces the answer has; also when there is none, and when no connection is free. */
static void a_session_is_told_of_an_answer_that_takes_long(void **state)
{
	static const struct fake_answer slow = {.bytes = VALUE, .pause_ms = 1}, nothing = {.bytes = NULL};
	const struct wait_hook hook = {tell, &told_begins};
	struct store *view;
	struct store_item item;

	(void)state;
	open_store(2 * SECOND);
	view = store_view(store, &hook);
	told_begins = told_ends = 0;
	fake.question = &slow;
	assert_int_equal(store_get(view, SLICE("k"), arena, &item), STORE_OK);
	assert_int_equal(told_begins, 1);
	assert_int_equal(told_ends, 1);
	assert_int_equal(get(), STORE_OK); /* not of the view */
	fake.question = &nothing;
	assert_int_equal(store_get(view, SLICE("k"), arena, &item), STORE_UNAVAILABLE);
	assert_int_equal(told_begins, 2);
	assert_int_equal(told_ends, 2);
	assert_int_equal(store_get(view, SLICE("k"), arena, &item), STORE_UNAVAILABLE); /* at once */
	assert_int_equal(told_begins, 2);
	store_view_close(view);
}

/* A second later a connection is tried, and the store works. */
static void the_store_works_again_after_a_while(void **state)
{
	static const struct fake_answer nothing = {.bytes = NULL}, value = {.bytes = VALUE};
	enum store_answer answer = STORE_UNAVAILABLE;

	(void)state;
	open_store(200 * 1000);
	fake.question = &nothing;
	assert_int_equal(get(), STORE_UNAVAILABLE);
	assert_line("it does not answer in time");
	fake.question = &value;
	for (int i = 0; i < 1500 && answer != STORE_OK; i++) {
		usleep(20 * 1000);
		answer = get();
	}
	assert_int_equal(answer, STORE_OK);
	assert_line("the store works again");
}

/* ---- the greeting ---------------------------------------------------------------------------------------- */

static void a_server_that_cannot_be_used_is_named(void **state)
{
	static const struct {
		struct fake_answer greeting;
		const char *line;
	} cases[] = {
	    {{.bytes = "HTTP/1.1 400 Bad Request\r\n\r\n"},
	     "the answer is not one of Redis; it begins with \"HTTP/1.1 400 Bad Request"},
	    {{.bytes = "-NOAUTH Authentication required.\r\n"}, "it wants a password"},
	    {{.bytes = "$22\r\nx\r\ncluster_enabled:1\r\n\r\n"}, "it is part of a cluster"},
	    {{.bytes = "-READONLY You can't write\r\n"}, "it is a read-only replica"},
	    {{.bytes = "-LOADING Redis is loading\r\n"}, "it is still loading"},
	    {{.bytes = "-ERR max number of clients reached\r\n", .closes = true}, "ERR max number of clients reached"},
	    {{.bytes = NULL, .closes = true}, "it closed the connection"},
	    {{.bytes = many, .n = sizeof(many), .repeats = 20}, "the answer is too long"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake.greeting = &cases[i].greeting;
		open_store(20 * SECOND);
		assert_int_equal(get(), STORE_UNAVAILABLE);
		assert_line(cases[i].line);
		store_close(store);
	}
	fake.greeting = NULL;
	open_store(20 * SECOND);
}

/* Else rows of reports, which strangers cause, would fill it. */
static void the_memory_of_the_server_is_known(void **state)
{
	static const struct {
		struct fake_answer answer;
		uint64_t bytes, at_most;
	} cases[] = {
	    {{.bytes = "$65\r\n# Memory\r\nused_memory:700\r\nused_memory_human:7M\r\nmaxmemory:1000\r\n\r\n"},
	     700,
	     1000},
	    {{.bytes = "$54\r\nused_memory:-7\r\nmaxmemory:99999999999999999999999999\r\n\r\n"}, 0, 0},
	    {{.bytes = "-NOPERM no\r\n"}, 0, 0},
	    {{.bytes = ":7\r\n"}, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store_counters counters = {.keys = 0};

		fake.memory = &cases[i].answer;
		open_store(20 * SECOND);
		for (int tries = 0; tries < 1000 && (counters.keys == 0 || counters.bytes != cases[i].bytes); tries++) {
			usleep(10000);
			store_counters(store, &counters);
		}
		assert_int_equal(counters.keys, 1);
		assert_int_equal(counters.bytes, cases[i].bytes);
		assert_int_equal(counters.at_most, cases[i].at_most);
		store_close(store);
		store = NULL;
	}
	fake.memory = NULL;
}

/* ---- pages ------------------------------------------------------------------------------------------------ */

static void a_page_has_only_keys_of_ours(void **state)
{
	static const struct fake_answer
	    keys = {.bytes =
			"*2\r\n$1\r\n0\r\n*6\r\n$11\r\nsekisho:1:k\r\n$11\r\nsekisho:2:k\r\n$1\r\nk\r\n:5\r\n$-1\r\n"
			"$11\r\nsekisho:1:k\r\n"},
	    value = {.bytes = VALUE}, odd = {.bytes = "*2\r\n:0\r\n*0\r\n"};
	struct store_page page;

	(void)state;
	open_store(20 * SECOND);
	fake.question = &value;
	fake.greeting = &keys;
	assert_int_equal(store_scan(store, SLICE(""), SLICE(""), 10, arena, &page), STORE_OK);
	assert_int_equal(page.count, 1);
	assert_true(slice_equal(page.items[0].key, SLICE("k")));
	fake.greeting = &odd;
	assert_int_equal(store_scan(store, SLICE(""), SLICE(""), 10, arena, &page), STORE_UNAVAILABLE);
	fake.greeting = NULL;
}

/* Each would be asked for page after page, for ever. */
static void a_page_of_members_that_does_not_advance_is_not_taken(void **state)
{
#define MEMBER(name) ":4\r\n:60000000\r\n:0\r\n:1\r\n$0\r\n\r\n$1\r\n" name "\r\n"
	static const struct fake_answer good = {.bytes = "*13\r\n:0\r\n" MEMBER("c") MEMBER("d")},
					same = {.bytes = "*7\r\n:0\r\n" MEMBER("b")},
					before = {.bytes = "*13\r\n:0\r\n" MEMBER("a") MEMBER("c")},
					twice = {.bytes = "*13\r\n:0\r\n" MEMBER("c") MEMBER("c")},
					more = {.bytes = "*19\r\n:0\r\n" MEMBER("c") MEMBER("d") MEMBER("e")};
	static const struct fake_answer *const wrong[] = {&same, &before, &twice, &more};
	struct store_page page;

	(void)state;
	open_store(20 * SECOND);
	fake.question = &good;
	assert_int_equal(store_sums(store, SLICE("k"), SLICE("b"), 2, arena, &page), STORE_OK);
	assert_int_equal(page.count, 2);
	assert_true(slice_equal(page.next, SLICE("d")));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		fake.question = wrong[i];
		if (store_sums(store, SLICE("k"), SLICE("b"), 2, arena, &page) != STORE_UNAVAILABLE)
			fail_msg("page %zu was taken", i);
	}
#undef MEMBER
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_good_answer_is_taken),
	    TEST(what_is_not_an_answer_is_not_taken),
	    TEST(an_answer_of_another_form_is_unavailable),
	    TEST(numbers_out_of_bounds_are_bounded),
	    TEST(an_error_that_concerns_all_questions_ends_them_at_once),
	    TEST(an_error_that_concerns_one_question_is_logged),
	    TEST(three_unknown_errors_end_all_questions),
	    TEST(a_failure_among_answers_is_logged),
	    TEST(a_script_that_is_not_known_is_sent),
	    TEST(a_slow_answer_ends_all_questions_at_once),
	    TEST(a_session_is_told_of_an_answer_that_takes_long),
	    TEST(the_store_works_again_after_a_while),
	    TEST(a_server_that_cannot_be_used_is_named),
	    TEST(the_memory_of_the_server_is_known),
	    TEST(a_page_has_only_keys_of_ours),
	    TEST(a_page_of_members_that_does_not_advance_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
