/*
 * talk.c - one connection that never waits beyond its deadline.
 */
#include "talk.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(struct talk *talk, const char *why)
{
	talk->why = arena_printf(talk->arena, "%s", why);
	return -1;
}

int talk_wait(int fd, short events, int64_t until_us)
{
	for (;;) {
		struct pollfd poller = {.fd = fd, .events = events};
		int64_t left = until_us - clock_us();

		if (left <= 0)
			return -1;
		int done = poll(&poller, 1, (int)((left + 999) / 1000));
		if (done > 0)
			return 0;
		if (done < 0 && errno != EINTR)
			return -1;
	}
}

static int wait_for(struct talk *talk, short events)
{
	return talk_wait(talk->fd, events, talk->until_us) == 0 ? 0 : fail(talk, "no answer in time");
}

static socklen_t address_make(struct ip ip, unsigned port, struct sockaddr_storage *address_r)
{
	struct sockaddr_in *four = (struct sockaddr_in *)address_r;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)address_r;

	memset(address_r, 0, sizeof(*address_r));
	if (ip.family == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		memcpy(&four->sin_addr, ip.bytes, 4);
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)port);
	memcpy(&six->sin6_addr, ip.bytes, 16);
	return sizeof(*six);
}

int talk_connect(struct talk *talk, struct ip ip, unsigned port)
{
	struct sockaddr_storage address;
	socklen_t size = address_make(ip, port, &address), length = sizeof(int);
	int trouble = 0;

	talk->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (talk->fd < 0)
		return fail(talk, strerror(errno));
	if (connect(talk->fd, (struct sockaddr *)&address, size) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return fail(talk, strerror(errno));
	if (wait_for(talk, POLLOUT) < 0)
		return -1;
	if (getsockopt(talk->fd, SOL_SOCKET, SO_ERROR, &trouble, &length) < 0)
		trouble = errno;
	return trouble == 0 ? 0 : fail(talk, strerror(trouble));
}

/* What to wait for after a call of OpenSSL returned `done`; 0: it failed. */
static short tls_wants(struct talk *talk, int done)
{
	int error = SSL_get_error(talk->ssl, done);
	unsigned long reason = ERR_peek_last_error();

	ERR_clear_error();
	if (error == SSL_ERROR_WANT_READ)
		return POLLIN;
	if (error == SSL_ERROR_WANT_WRITE)
		return POLLOUT;
	if (error == SSL_ERROR_SSL && reason != 0 && ERR_reason_error_string(reason))
		fail(talk, ERR_reason_error_string(reason));
	else
		fail(talk, "the server closed the connection");
	return 0;
}

int talk_tls(struct talk *talk, SSL *ssl)
{
	talk->ssl = ssl;
	talk->start = talk->end = 0;
	if (SSL_set_fd(ssl, talk->fd) != 1)
		return fail(talk, "TLS cannot use the socket");
	for (;;) {
		int done = SSL_connect(ssl);
		short events;

		if (done == 1)
			return 0;
		events = tls_wants(talk, done);
		if (events == 0 || wait_for(talk, events) < 0)
			return -1;
	}
}

/* How many bytes were sent, or -1. */
static ssize_t send_some(struct talk *talk, struct slice bytes)
{
	for (;;) {
		short events = POLLOUT;

		if (talk->ssl) {
			int done = SSL_write(talk->ssl, bytes.p, (int)bytes.n);
			if (done > 0)
				return done;
			events = tls_wants(talk, done);
			if (events == 0)
				return -1;
		} else {
			ssize_t done = send(talk->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
			if (done > 0)
				return done;
			if (errno != EAGAIN && errno != EINTR)
				return fail(talk, strerror(errno));
		}
		if (wait_for(talk, events) < 0)
			return -1;
	}
}

int talk_send(struct talk *talk, struct slice bytes)
{
	while (bytes.n > 0) {
		ssize_t sent = send_some(talk, bytes);
		if (sent < 0)
			return -1;
		bytes = slice_from(bytes, (size_t)sent);
	}
	return 0;
}

/* A server that always has more to say ends at the deadline, too. */
static int fill(struct talk *talk)
{
	talk->start = talk->end = 0;
	while (clock_us() < talk->until_us) {
		short events = POLLIN;

		if (talk->ssl) {
			int done = SSL_read(talk->ssl, talk->buffer, TALK_BUFFER);
			if (done > 0) {
				talk->end = (size_t)done;
				return 0;
			}
			events = tls_wants(talk, done);
			if (events == 0)
				return -1;
		} else {
			ssize_t done = recv(talk->fd, talk->buffer, TALK_BUFFER, 0);
			if (done > 0) {
				talk->end = (size_t)done;
				return 0;
			}
			if (done == 0)
				return fail(talk, "the server closed the connection");
			if (errno != EAGAIN && errno != EINTR)
				return fail(talk, strerror(errno));
		}
		if (wait_for(talk, events) < 0)
			return -1;
	}
	return fail(talk, "no answer in time");
}

int talk_line(struct talk *talk, struct text *line)
{
	for (;;) {
		while (talk->start < talk->end) {
			char c = talk->buffer[talk->start++];
			if (c == '\n') {
				if (line->n > 0 && line->p[line->n - 1] == '\r')
					line->n--;
				return 0;
			}
			text_add_char(line, c);
			if (line->cut)
				return fail(talk, "a line of the reply does not end");
		}
		if (fill(talk) < 0)
			return -1;
	}
}

bool talk_pending(const struct talk *talk)
{
	return talk->start < talk->end;
}

void talk_close(struct talk *talk)
{
	SSL_free(talk->ssl);
	if (talk->fd >= 0)
		close(talk->fd);
	talk->fd = -1;
	talk->ssl = NULL;
}
