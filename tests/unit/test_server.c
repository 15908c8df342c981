/*
 * test_server.c - connections with one request after another: nothing that a peer does disturbs the others.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fuzz/door_host.h"
#include "server.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BIG (8 * SERVER_ANSWER_MAX)

static struct server *server;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listener;
static _Atomic unsigned closed;
static _Atomic bool released;

/* ---- a protocol: lines, and the line is the answer ---------------------------------------------- */

static size_t line_frame(struct slice bytes)
{
	ptrdiff_t end = slice_find(bytes, '\n');

	if (slice_equal(bytes, SLICE("!stall\n")))
		usleep(200000); /* the thread that reads */
	return bytes.n > 0 && bytes.p[0] == '!' ? FRAME_INVALID : (size_t)(end + 1);
}

static bool line_answer(void *door, struct server_peer *peer, struct slice request, struct text *answer)
{
	(void)door;
	peer->state = (char *)peer->state + 1;
	if (slice_equal(request, SLICE("big\n")))
		for (size_t i = 0; i < BIG; i++)
			text_add_char(answer, 'x');
	if (slice_equal(request, SLICE("wait\n")) || slice_equal(request, SLICE("hold\n")))
		server_waits(NULL, true);
	if (slice_equal(request, SLICE("wait\n")))
		usleep(300000);
	else if (slice_equal(request, SLICE("hold\n")) || slice_equal(request, SLICE("work\n")))
		while (!released)
			usleep(1000);
	text_add(answer, request);
	return !slice_equal(request, SLICE("bye\n"));
}

static void line_closed(void *door, struct server_peer *peer)
{
	(void)door, (void)peer;
	closed++;
}

static const struct server_protocol protocol = {
    .name = "line", .request_max = 100, .frame = line_frame, .answer = line_answer, .closed = line_closed};
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

static int open_with(const struct server_protocol *spoken)
{
	struct rlimit files = {.rlim_cur = 4096, .rlim_max = 4096};
	static unsigned number;
	struct error err;

	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		return -1;                                     /* both ends of a thousand connections are here */
	memset(address.sun_path, 0, sizeof(address.sun_path)); /* an abstract name: no file to remove */
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "sekisho-test-server-%d-%u", (int)getpid(),
		 number++);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 1100) != 0)
		return -1;
	server = server_open(door_host_with("log off\n"), listener, spoken, NULL, &err);
	return server ? server_start(server, &err) : -1;
}

static int open_server(void **state)
{
	(void)state;
	return open_with(&protocol);
}

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

static int close_server(void **state)
{
	(void)state;
	assert_true(server_stop(server, clock_us() + 5000000));
	server_close(server);
	return close(listener);
}

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What arrives until the text ends so, or the other end closes. */
static bool hears(int fd, const char *end)
{
	static char heard[2 * BIG];
	size_t n = 0, want = strlen(end);
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	while (n < sizeof(heard) && poll(&ready, 1, 10000) > 0) {
		ssize_t got = recv(fd, heard + n, sizeof(heard) - n, 0);

		if (got <= 0)
			return want == 0;
		n += (size_t)got;
		if (want && n >= want && memcmp(heard + n - want, end, want) == 0)
			return true;
	}
	return false;
}

static void serves(void)
{
	int fd = dial();

	say(fd, "hello\n");
	assert_true(hears(fd, "hello\n"));
	close(fd);
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
	    cmocka_unit_test(who_works_for_long_is_relieved),
	    cmocka_unit_test(a_thousand_silent_connections_make_room_for_the_next),
	};
	const struct CMUnitTest alone[] = {cmocka_unit_test(two_requests_at_once_do_not_wait_for_one_worker)};

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
	    cmocka_unit_test(a_request_that_is_not_completed_in_time_or_invalid_ends_its_connection),
	};

	return cmocka_run_group_tests(tests, open_server, close_server) +
	       cmocka_run_group_tests(piece_tests, open_server_in_pieces, close_server) +
	       cmocka_run_group_tests(alone, open_server, close_server) +
	       cmocka_run_group_tests(prompt_tests, open_prompt_server, close_server);
}
