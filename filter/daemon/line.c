/*
 * line.c - one line over a socket, bounded in size and in time, whatever the other
 * end does. The descriptor may be blocking or not.
 */
#include "daemon_private.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 0 when the descriptor is ready; -1 and errno. */
static int line_wait(int fd, short events, int64_t until_us)
{
	struct pollfd ready = {.fd = fd, .events = events};
	int64_t left = (until_us - clock_us() + 999) / 1000;
	int result;

	if (left <= 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	result = poll(&ready, 1, left > 60000 ? 60000 : (int)left);
	if (result < 0 && errno != EINTR)
		return -1;
	return 0; /* perhaps not ready: the caller tries and comes back */
}

static bool errno_is_passing(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int line_read(int fd, size_t limit, int64_t until_us, struct slice *line_r)
{
	size_t n = 0, room = 512;
	char *line = xmalloc(room), *end;
	ssize_t got;

	while (line_wait(fd, POLLIN, until_us) == 0) {
		got = recv(fd, line + n, room - n, MSG_DONTWAIT);
		if (got < 0 && errno_is_passing())
			continue;
		if (got <= 0) {
			errno = got == 0 ? EPIPE : errno;
			break;
		}
		end = memchr(line + n, '\n', (size_t)got);
		n += (size_t)got;
		if (end) {
			*line_r = (struct slice){line, (size_t)(end - line)};
			return 0;
		}
		if (n >= limit) {
			errno = EMSGSIZE;
			break;
		}
		if (n == room)
			line = xrealloc(line, room *= 2);
	}
	free(line);
	return -1;
}

int line_write(int fd, struct slice text, int64_t until_us)
{
	ssize_t sent;

	while (text.n > 0) {
		sent = send(fd, text.p, text.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && !errno_is_passing())
			return -1;
		if (sent < 0 && line_wait(fd, POLLOUT, until_us) != 0)
			return -1;
		if (sent > 0)
			text = slice_from(text, (size_t)sent);
	}
	return 0;
}
