/*
 * test_server.c - connections with one request after another: nothing that a peer does disturbs the others.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "line_server.h"

static const struct server_protocol prompt = {.name = "line",
					      .request_max = 100,
					      .prompt = true,
					      .frame = line_frame,
					      .answer = line_answer,
					      .closed = line_closed};

/* ---- a protocol in pieces: bytes up to a '.', which is answered with their number ------------------ */

/* 'x' is invalid, 'h' holds the answer. */

static _Atomic unsigned heard_out, gone;

static size_t piece_next(const struct server_peer *peer, struct slice bytes)
{
	(void)peer;
	return bytes.n < 7 ? bytes.n : 7;
}

static bool piece_answer(void *door, struct server_peer *peer, struct slice piece, struct text *answer)
{
	(void)door;
	peer->state = (char *)peer->state + piece.n;
	peer->until_us = clock_us() + 300000;
	if (slice_find(piece, 'h') >= 0)
		server_waits(NULL, true);
	while (slice_find(piece, 'h') >= 0 && !released)
		usleep(1000);
	if (slice_find(piece, '.') >= 0)
		text_printf(answer, "%zu", (size_t)peer->state);
	return slice_find(piece, '.') < 0 && slice_find(piece, 'x') < 0;
}

static void piece_answered(void *door, struct server_peer *peer, bool sent)
{
	(void)door, (void)peer;
	heard_out += sent;
	gone += !sent;
}

static const struct server_protocol pieces = {.name = "pieces",
					      .request_max = 100,
					      .frame_next = piece_next,
					      .answer = piece_answer,
					      .answered = piece_answered,
					      .closed = line_closed};

static int open_prompt_server(void **state)
{
	(void)state;
	return open_with(&prompt);
}

static int open_server_in_pieces(void **state)
{
	(void)state;
	closed = 0;
	return open_with(&pieces);
}

static void requests_are_answered_one_after_another_however_they_are_cut(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "a\nb\nc");
	assert_true(hears(fd, "a\nb\n"));
	say(fd, "d\n");
	assert_true(hears(fd, "cd\n"));
	say(fd, "bye\nlost\n");
	assert_true(hears(fd, "bye\n"));
	assert_true(hears(fd, ""));
	close(fd);
}

static void who_stops_sending_still_gets_the_answer(void **state)
{
	int fd = dial(), part = dial();

	(void)state;
	say(fd, "wait\n");
	shutdown(fd, SHUT_WR);
	say(part, "half");
	shutdown(part, SHUT_WR);
	assert_true(hears(part, ""));
	assert_true(hears(fd, "wait\n"));
	assert_true(hears(fd, ""));
	close(fd);
	close(part);
}

static void garbage_and_endless_requests_end_their_connection_only(void **state)
{
	char endless[200];
	int fd = dial(), other = dial();

	(void)state;
	say(fd, "!\n");
	assert_true(hears(fd, ""));
	memset(endless, 'a', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	say(other, endless);
	assert_true(hears(other, ""));
	close(fd);
	close(other);
	serves();
}

static void who_does_not_read_or_waits_holds_up_nobody(void **state)
{
	int deaf = dial(), slow[SERVER_WORKERS_MAX / 2];

	(void)state;
	for (int i = 0; i < 20; i++)
		say(deaf, "big\n");
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++)
		say(slow[i] = dial(), "wait\n");
	serves();
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		assert_true(hears(slow[i], "wait\n"));
		close(slow[i]);
	}
	close(deaf);
}

/* What arrives while a worker has the connection: more than it takes in its turns, then the end. */
static void what_arrives_during_an_answer_is_answered_and_its_end_seen(void **state)
{
	int fd = dial(), ending = dial(), invalid = dial();
	unsigned before = closed;
	char many[7 * 1000 + 1];

	(void)state;
	memset(many, 'a', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	say(fd, "h");
	say(ending, "h");
	say(invalid, "h");
	usleep(100000);
	say(fd, many);
	say(fd, "b.");
	say(invalid, "x");
	shutdown(ending, SHUT_WR);
	released = true;
	assert_true(hears(fd, "7003"));
	assert_true(hears(ending, ""));
	assert_true(hears(invalid, ""));
	for (unsigned i = 0; i < 60000 && closed < before + 3; i++)
		usleep(1000);
	assert_int_equal(closed, before + 3);
	released = false;
	close(fd);
	close(ending);
	close(invalid);
}

static void a_thousand_silent_connections_make_room_for_the_next(void **state)
{
	static int silent[SERVER_CONNECTIONS_MAX];
	unsigned before = closed;

	(void)state;
	for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		silent[i] = dial();
	serves();
	serves();
	for (unsigned i = 0; i < 60000 && closed == before; i++) /* a thread does it, in its time */
		usleep(1000);
	assert_true(closed > before);
	for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		close(silent[i]);
}

static void prompt_answers_that_nobody_reads_hold_up_nobody(void **state)
{
	int deaf = dial(), reader = dial();

	(void)state;
	for (int i = 0; i < 20; i++)
		say(deaf, "big\n");
	say(reader, "big\nbig\nhello\n");
	assert_true(hears(reader, "hello\n"));
	serves();
	close(deaf);
	close(reader);
}

static void requests_in_pieces_may_be_longer_than_the_room(void **state)
{
	char text[5001];
	int fd = dial();

	(void)state;
	memset(text, 'a', sizeof(text));
	text[4999] = '.';
	text[5000] = '\0';
	say(fd, text);
	assert_true(hears(fd, "5000"));
	assert_true(hears(fd, "")); /* closed: the answer was the last one */
	close(fd);
}

static void the_door_learns_who_did_not_wait_for_the_answer(void **state)
{
	int fd = dial();

	(void)state;
	heard_out = gone = 0;
	say(fd, "aa.");
	assert_true(hears(fd, "3"));
	assert_true(hears(fd, "")); /* Exim, too, reads until the connection is closed */
	close(fd);
	while (heard_out + gone < 1)
		usleep(1000);
	assert_int_equal(heard_out, 1);
	released = false;
	fd = dial();
	say(fd, "hh.");
	close(fd);
	released = true;
	while (heard_out + gone < 2)
		usleep(1000);
	assert_int_equal(gone, 1);
}

/* Many, since a thread of the server has to be overtaken. */
static void who_closes_as_soon_as_it_has_the_answer_has_it(void **state)
{
	(void)state;
	heard_out = gone = 0;
	for (unsigned i = 1; i <= 5000; i++) {
		int fd = dial();

		say(fd, "aa.");
		assert_true(hears(fd, "3"));
		close(fd);
	}
	while (heard_out + gone < 5000)
		usleep(1000);
	assert_int_equal(gone, 0);
}

static void a_request_that_is_not_completed_in_time_or_invalid_ends_its_connection(void **state)
{
	int fd = dial(), wrong = dial();

	(void)state;
	say(fd, "aaa");
	say(wrong, "x");
	assert_true(hears(wrong, ""));
	assert_true(hears(fd, ""));
	close(fd);
	close(wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_answered_one_after_another_however_they_are_cut),
	    cmocka_unit_test(who_stops_sending_still_gets_the_answer),
	    cmocka_unit_test(garbage_and_endless_requests_end_their_connection_only),
	    cmocka_unit_test(who_does_not_read_or_waits_holds_up_nobody),
	    cmocka_unit_test(a_thousand_silent_connections_make_room_for_the_next),
	};
	const struct CMUnitTest prompt_tests[] = {
	    cmocka_unit_test(requests_are_answered_one_after_another_however_they_are_cut),
	    cmocka_unit_test(garbage_and_endless_requests_end_their_connection_only),
	    cmocka_unit_test(a_thousand_silent_connections_make_room_for_the_next),
	    cmocka_unit_test(prompt_answers_that_nobody_reads_hold_up_nobody),
	};

	const struct CMUnitTest piece_tests[] = {
	    cmocka_unit_test(requests_in_pieces_may_be_longer_than_the_room),
	    cmocka_unit_test(what_arrives_during_an_answer_is_answered_and_its_end_seen),
	    cmocka_unit_test(the_door_learns_who_did_not_wait_for_the_answer),
	    cmocka_unit_test(who_closes_as_soon_as_it_has_the_answer_has_it),
	    cmocka_unit_test(a_request_that_is_not_completed_in_time_or_invalid_ends_its_connection),
	};

	return cmocka_run_group_tests(tests, open_server, close_server) +
	       cmocka_run_group_tests(piece_tests, open_server_in_pieces, close_server) +
	       cmocka_run_group_tests(prompt_tests, open_prompt_server, close_server);
}
