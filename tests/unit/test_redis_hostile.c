/*
 * test_redis_hostile.c - the store in Redis with a server that answers anything: only what has the form of an answer
 * is taken.
 */
#include "hostile_store.h"

/* ---- answers ------------------------------------------------------------------------------------------ */

static void a_good_answer_is_taken(void **state)
{
	static const struct fake_answer value = {.bytes = VALUE}, slow = {.bytes = VALUE, .pause_ms = 1};
	struct store_item item;

	(void)state;
	fake.question = &value;
	open_connected();
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
	open_connected();
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
	open_connected();
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
	open_connected();
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
		open_store(PATIENT);
		assert_int_equal(get(), STORE_UNAVAILABLE);
		wait_for_line(cases[i].line);
		close_store();
	}
	fake.greeting = NULL;
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
	    {{.bytes = "$56\r\nused_memory:700\r\nmaxmemory:0\r\ntotal_system_memory:5000\r\n\r\n"}, 700, 5000},
	    {{.bytes = "$54\r\nused_memory:-7\r\nmaxmemory:99999999999999999999999999\r\n\r\n"}, 0, 0},
	    {{.bytes = "-NOPERM no\r\n"}, 0, 0},
	    {{.bytes = ":7\r\n"}, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store_counters counters = {.keys = 0};

		fake.memory = &cases[i].answer;
		open_connected();
		for (int tries = 0; tries < TRIES && (counters.keys == 0 || counters.bytes != cases[i].bytes);
		     tries++) {
			usleep(10000);
			store_counters(store, &counters);
		}
		assert_int_equal(counters.keys, 1);
		assert_int_equal(counters.bytes, cases[i].bytes);
		assert_int_equal(counters.at_most, cases[i].at_most);
		close_store();
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
	open_connected();
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
	open_connected();
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_good_answer_is_taken),
	    TEST(what_is_not_an_answer_is_not_taken),
	    TEST(an_answer_of_another_form_is_unavailable),
	    TEST(numbers_out_of_bounds_are_bounded),
	    TEST(a_server_that_cannot_be_used_is_named),
	    TEST(the_memory_of_the_server_is_known),
	    TEST(a_page_has_only_keys_of_ours),
	    TEST(a_page_of_members_that_does_not_advance_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
