/*
 * wire.c - packets over a socket, with deadlines.
 */
#include "client_private.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define OUT_FULL (128 * 1024)                  /* from here on it is sent */
#define IN_MAX   (SPOOL_MAX + 8 * 1024 * 1024) /* a new body, and fields */
#define AGAIN_US (20 * 1000)

static int wire_fail(struct wire *wire, const char *what)
{
	int number = errno;

	error_set(wire->err, "%s", what);
	errno = number;
	return -1;
}

/* Waits until the socket is ready, `us` at most. */
static int wire_wait(struct wire *wire, short events, int64_t us)
{
	struct pollfd poller = {.fd = wire->fd, .events = events};
	int64_t began = clock_us(), end = began + us < wire->until_us ? began + us : wire->until_us;
	int n;

	do {
		int64_t left = end - clock_us();

		n = poll(&poller, 1, left > 0 ? (int)(left / 1000 + 1) : 0);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return 0;
	return wire_fail(wire, n == 0 ? "the daemon does not answer in time" : strerror(errno));
}

/* ---- connecting ----------------------------------------------------------------------------------- */

static int connect_to(struct wire *wire, const struct sockaddr *address, socklen_t size)
{
	socklen_t length = sizeof(int);
	int result = 0;

	wire->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (wire->fd < 0)
		return wire_fail(wire, strerror(errno));
	if (connect(wire->fd, address, size) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return wire_fail(wire, strerror(errno));
	if (wire_wait(wire, POLLOUT, MILTER_CONNECT_US) != 0)
		return -1;
	if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &result, &length) != 0 || result != 0)
		return wire_fail(wire, strerror(result ? result : errno));
	return 0;
}

static int connect_path(struct wire *wire, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int64_t began = clock_us();

	memcpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	while (connect_to(wire, (struct sockaddr *)&address, sizeof(address)) != 0) {
		if (errno != EAGAIN || clock_us() - began > MILTER_CONNECT_US)
			return -1;
		wire_close(wire); /* its queue of connections is full (unix(7)) */
		usleep(AGAIN_US);
	}
	return 0;
}

/* A daemon that listens on every address is on this host. */
static int connect_host(struct wire *wire, const struct listen_address *where)
{
	struct addrinfo hints = {.ai_family = where->family == LISTEN_INET6 ? AF_INET6 : AF_INET,
				 .ai_socktype = SOCK_STREAM},
			*found;
	const char *host = where->host[0] ? where->host : where->family == LISTEN_INET6 ? "::1" : "127.0.0.1";
	char port[NUMBER_TEXT];
	int result;

	snprintf(port, sizeof(port), "%u", where->port);
	result = getaddrinfo(host, port, &hints, &found);
	if (result != 0)
		return wire_fail(wire, gai_strerror(result));
	result = -1;
	for (const struct addrinfo *at = found; at && result != 0; at = at->ai_next) {
		wire_close(wire);
		result = connect_to(wire, at->ai_addr, at->ai_addrlen);
	}
	freeaddrinfo(found);
	return result;
}

int wire_open(struct wire *wire, const struct listen_address *where, struct arena *arena, struct error *err)
{
	*wire = (struct wire){
	    .fd = -1, .until_us = clock_us() + MILTER_TOTAL_US, .left = IN_MAX, .arena = arena, .err = err};
	if (where->family == LISTEN_FD)
		return wire_fail(wire, "a socket that is handed over (fd:) has no address to connect to");
	return where->family == LISTEN_UNIX ? connect_path(wire, where->path) : connect_host(wire, where);
}

void wire_close(struct wire *wire)
{
	if (wire->fd >= 0)
		close(wire->fd);
	wire->fd = -1;
	out_free(&wire->out);
}

/* ---- bytes ------------------------------------------------------------------------------------------ */

int wire_flush(struct wire *wire)
{
	for (size_t at = 0; at < wire->out.n;) {
		ssize_t n = send(wire->fd, wire->out.p + at, wire->out.n - at, MSG_NOSIGNAL);

		if (n > 0)
			at += (size_t)n;
		else if (errno == EAGAIN && wire_wait(wire, POLLOUT, MILTER_SILENCE_US) != 0)
			return -1;
		else if (errno != EAGAIN && errno != EINTR)
			return wire_fail(wire, "the daemon closed the connection");
	}
	out_empty(&wire->out);
	return 0;
}

int wire_put(struct wire *wire, char letter, const struct slice *parts, size_t count)
{
	out_packet(&wire->out, letter, parts, count);
	return wire->out.n > OUT_FULL ? wire_flush(wire) : 0;
}

static int wire_read(struct wire *wire, char *to, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = recv(wire->fd, to + at, size - at, 0);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return wire_fail(wire, "the daemon closed the connection");
		else if (errno == EAGAIN && wire_wait(wire, POLLIN, MILTER_SILENCE_US) != 0)
			return -1;
	}
	return 0;
}

int wire_get(struct wire *wire, char *letter_r, struct slice *data_r)
{
	char head[PACKET_HEAD], *data;
	uint32_t length;

	if (wire_flush(wire) != 0 || wire_read(wire, head, sizeof(head)) != 0)
		return -1;
	length = packet_number_at((struct slice){head, sizeof(head)}, 0);
	if (length == 0 || length > PACKET_MAX || length > wire->left)
		return wire_fail(wire, "what answers is not a milter");
	wire->left -= length;
	*letter_r = head[PACKET_HEAD - 1];
	data = arena_raw(wire->arena, length);
	if (wire_read(wire, data, length - 1) != 0)
		return -1;
	*data_r = (struct slice){data, length - 1};
	return 0;
}
