/*
 * test_server_threads.c - who reads, who answers: whatever one thread waits for, another one goes on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "line_server.h"

/* As a door whose end of a message asks a store that does not answer. */
static void slow_closed(void *door, struct server_peer *peer)
{
	(void)door, (void)peer;
	server_waits(NULL, true);
	while (!released)
		usleep(1000);
	closed++;
}

static const struct server_protocol slow_end = {
    .name = "line", .request_max = 100, .frame = line_frame, .answer = line_answer, .closed = slow_closed};

static int open_server_with_slow_end(void **state)
{
	(void)state;
	return open_with(&slow_end);
}

/* Both arrive while the thread that reads is busy, and one worker is there. */
static void two_requests_at_once_do_not_wait_for_one_worker(void **state)
{
	int quick = dial(), held = dial(), stall = dial();

	(void)state;
	say(quick, "first\n");
	assert_true(hears(quick, "first\n"));
	usleep(100000);
	say(stall, "!stall\n");
	usleep(100000);
	say(held, "hold\n");
	say(quick, "second\n");
	if (!hears(quick, "second\n")) {
		released = true;
		fail_msg("the second request waits for the first");
	}
	released = true;
	assert_true(hears(held, "hold\n"));
	close(quick);
	close(held);
	close(stall);
}

/* A disk that does not answer, say: nobody has told the server that it waits. */
static void who_works_for_long_is_relieved(void **state)
{
	int working = dial(), other = dial();
	struct pollfd ready = {.fd = other, .events = POLLIN};

	(void)state;
	released = false;
	say(working, "work\n");
	usleep(200000);
	say(other, "hello\n");
	for (unsigned i = 0; i < 1000 && poll(&ready, 1, 10) == 0; i++)
		server_relieve(server);
	if (!hears(other, "hello\n")) {
		released = true;
		fail_msg("nobody else leads");
	}
	serves();
	released = true;
	assert_true(hears(working, "work\n"));
	serves();
	released = false;
	close(working);
	close(other);
}

static void holders_are(int count)
{
	while (holding != count)
		usleep(1000);
}

/* All threads wait; what comes while one is free again must not overtake what is in the queue. */
static void the_queue_is_served_before_what_comes_later(void **state)
{
	int held[SERVER_WORKERS_MAX], quick = dial(), last = dial(), stall, late;
	const int count = sizeof(held) / sizeof(held[0]);

	(void)state;
	permits = 0;
	for (int i = 0; i < count; i++)
		say(held[i] = dial(), "permit\n");
	holders_are(count);
	stall = dial();
	usleep(100000);
	say(stall, "!stall\n");
	usleep(100000);
	say(last, "permit\n");
	say(quick, "hello\n");
	holders_are(count + 1);
	late = dial();
	say(late, "permit\n");
	permits = 1;
	if (!hears(quick, "hello\n")) {
		permits = count + 2;
		fail_msg("a later request was served first");
	}
	permits += count + 1;
	for (int i = 0; i < count; i++) {
		assert_true(hears(held[i], "permit\n"));
		close(held[i]);
	}
	assert_true(hears(last, "permit\n"));
	assert_true(hears(late, "permit\n"));
	close(quick), close(last), close(stall), close(late);
}

/* Two leave at once, while the thread that reads is busy: it finds both in one turn. */
static void who_leaves_holds_up_nobody(void **state)
{
	int first = dial(), second = dial(), stall = dial();
	unsigned before = closed;

	(void)state;
	released = false;
	say(first, "hello\n");
	say(second, "hello\n");
	assert_true(hears(first, "hello\n"));
	assert_true(hears(second, "hello\n"));
	usleep(100000);
	say(stall, "!stall\n");
	usleep(100000);
	close(first);
	close(second);
	serves();
	released = true;
	for (unsigned i = 0; i < 60000 && closed < before + 4; i++)
		usleep(1000);
	assert_int_equal(closed, before + 4);
	released = false;
	close(stall);
	serves();
	released = true;
}

int main(void)
{
	const struct CMUnitTest first[] = {cmocka_unit_test(two_requests_at_once_do_not_wait_for_one_worker)};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_works_for_long_is_relieved),
	    cmocka_unit_test(the_queue_is_served_before_what_comes_later),
	};
	const struct CMUnitTest slow_end_tests[] = {cmocka_unit_test(who_leaves_holds_up_nobody)};

	return cmocka_run_group_tests(first, open_server, close_server) +
	       cmocka_run_group_tests(tests, open_server, close_server) +
	       cmocka_run_group_tests(slow_end_tests, open_server_with_slow_end, close_server);
}
