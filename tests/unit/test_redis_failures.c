/*
 * test_redis_failures.c - the store in Redis with a server that fails or is silent: which failures end all questions,
 * what is logged, and that no call takes longer than it may.
 */
#include "hostile_store.h"

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

		open_connected();
		fake.question = &answer;
		assert_int_equal(get(), STORE_UNAVAILABLE);
		fake.greeting = &answer; /* also when it is tried again */
		asked = fake.asked;
		assert_line(cases[i].line);
		for (int j = 0; j < 100; j++)
			assert_int_equal(get(), STORE_UNAVAILABLE);
		if (fake.asked != asked)
			fail_msg("asked again after %s", cases[i].error);
		assert_string_equal(line(), "nothing");
		close_store();
		fake.question = fake.greeting = NULL;
	}
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

		open_connected();
		fake.question = &answer;
		for (int j = 0; j < 5; j++)
			assert_int_equal(get(), STORE_UNAVAILABLE);
		assert_line(cases[i].line);
		assert_string_equal(line(), "nothing");
		fake.question = &value;
		assert_int_equal(get(), STORE_OK);
		close_store();
	}
}

static void three_unknown_errors_end_all_questions(void **state)
{
	static const struct fake_answer error = {.bytes = "-ERR something\x1b[31m\xff new\r\n"};

	(void)state;
	open_connected();
	fake.question = &error;
	for (int i = 0; i < 3; i++)
		assert_int_equal(get(), STORE_UNAVAILABLE);
	fake.greeting = &error; /* when it is tried again */
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
		open_connected();
		for (int j = 0; j < 8; j++) {
			fake.question = cases[i].answer;
			assert_int_equal(get(), STORE_UNAVAILABLE);
			fake.question = &value;
			assert_int_equal(get(), STORE_OK);
		}
		assert_line(cases[i].line);
		assert_string_equal(line(), "nothing");
		close_store();
	}
}

static void a_script_that_is_not_known_is_sent(void **state)
{
	static const struct fake_answer error = {.bytes = "-NOSCRIPT No matching script.\r\n"},
					value = {.bytes = VALUE};

	(void)state;
	open_connected();
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
		wait_until_it_answers();
		fake.greeting = &answers[0]; /* when it is tried again */
		asked = fake.asked;
		fake.question = &answers[i];
		for (int j = 0; j < TRIES && fake.asked == asked; j++) {
			assert_int_equal(get(), STORE_UNAVAILABLE);
			usleep(10 * 1000); /* until the server has read it */
		}
		for (int j = 0; j < 100; j++)
			assert_int_equal(get(), STORE_UNAVAILABLE);
		assert_int_equal(fake.asked, asked + 1);
		assert_line("it does not answer in time");
		close_store();
		fake.greeting = NULL;
	}
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
	open_connected();
	view = store_view(store, &hook);
	told_begins = told_ends = 0;
	fake.question = &slow;
	assert_int_equal(store_get(view, SLICE("k"), arena, &item), STORE_OK);
	assert_int_equal(told_begins, 1);
	assert_int_equal(told_ends, 1);
	assert_int_equal(get(), STORE_OK); /* not of the view */
	assert_int_equal(told_begins, 1);
	store_view_close(view);
	close_store();
	open_store(200 * 1000);
	wait_until_it_answers();
	view = store_view(store, &hook);
	fake.question = fake.greeting = &nothing;
	while (told_begins == 1) /* but not of a question that ended at once */
		assert_int_equal(store_get(view, SLICE("k"), arena, &item), STORE_UNAVAILABLE);
	assert_int_equal(told_begins, 2);
	assert_int_equal(told_ends, 2);
	assert_int_equal(store_get(view, SLICE("k"), arena, &item), STORE_UNAVAILABLE); /* at once */
	assert_int_equal(told_begins, 2);
	store_view_close(view);
	fake.greeting = NULL;
}

/* A second later a connection is tried, and the store works. */
static void the_store_works_again_after_a_while(void **state)
{
	static const struct fake_answer nothing = {.bytes = NULL}, value = {.bytes = VALUE};
	enum store_answer answer = STORE_UNAVAILABLE;

	(void)state;
	open_store(200 * 1000);
	wait_until_it_answers();
	fake.question = &nothing;
	assert_int_equal(get(), STORE_UNAVAILABLE);
	assert_line("in time");
	fake.question = &value;
	for (int i = 0; i < 1500 && answer != STORE_OK; i++) {
		usleep(20 * 1000);
		answer = get();
	}
	assert_int_equal(answer, STORE_OK);
	wait_for_line("the store works again");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_error_that_concerns_all_questions_ends_them_at_once),
	    TEST(an_error_that_concerns_one_question_is_logged),
	    TEST(three_unknown_errors_end_all_questions),
	    TEST(a_failure_among_answers_is_logged),
	    TEST(a_script_that_is_not_known_is_sent),
	    TEST(a_slow_answer_ends_all_questions_at_once),
	    TEST(a_session_is_told_of_an_answer_that_takes_long),
	    TEST(the_store_works_again_after_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
