/*
 * line_server.h - a server whose requests are lines, and its peers.
 */
#ifndef SEKISHO_TEST_LINE_SERVER_H
#define SEKISHO_TEST_LINE_SERVER_H

#include "../fuzz/door_host.h"
#include "server.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BIG (8 * SERVER_ANSWER_MAX)

static struct server *server;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listener;
static _Atomic unsigned closed;
static _Atomic bool released;
static _Atomic int holding, permits;

/* ---- a protocol: lines, and the line is the answer ---------------------------------------------- */

static inline size_t line_frame(struct slice bytes)
{
	ptrdiff_t end = slice_find(bytes, '\n');

	if (slice_equal(bytes, SLICE("!stall\n")))
		usleep(200000); /* the thread that reads */
	return bytes.n > 0 && bytes.p[0] == '!' ? FRAME_INVALID : (size_t)(end + 1);
}

static inline void wait_for_permit(void)
{
	int left;

	server_waits(NULL, true);
	holding++;
	do {
		while ((left = permits) <= 0)
			usleep(1000);
	} while (!atomic_compare_exchange_strong(&permits, &left, left - 1));
	holding--;
}

static inline bool line_answer(void *door, struct server_peer *peer, struct slice request, struct text *answer)
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
	if (slice_equal(request, SLICE("permit\n")))
		wait_for_permit();
	text_add(answer, request);
	return !slice_equal(request, SLICE("bye\n"));
}

static inline void line_closed(void *door, struct server_peer *peer)
{
	(void)door, (void)peer;
	closed++;
}

static const struct server_protocol protocol = {
    .name = "line", .request_max = 100, .frame = line_frame, .answer = line_answer, .closed = line_closed};

/* ---- the server ---------------------------------------------------------------------------------- */

static inline int open_with(const struct server_protocol *spoken)
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

static inline int open_server(void **state)
{
	(void)state;
	return open_with(&protocol);
}

static inline int close_server(void **state)
{
	(void)state;
	assert_true(server_stop(server, clock_us() + 5000000));
	server_close(server);
	return close(listener);
}

/* ---- its peers ----------------------------------------------------------------------------------- */

static inline int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What arrives until the text ends so, or the other end closes. */
static inline bool hears(int fd, const char *end)
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

static inline void serves(void)
{
	int fd = dial();

	say(fd, "hello\n");
	assert_true(hears(fd, "hello\n"));
	close(fd);
}

#endif
