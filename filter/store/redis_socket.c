/*
 * redis_socket.c - the socket of a connection.
 */
#include "redis_link.h"
#include "waiting.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct redis_link *redis_link_of(int fd)
{
	struct redis_link *link = xmalloc(sizeof(*link));

	link->fd = fd;
	return link;
}

void redis_link_close(struct redis_link *link)
{
	if (!link)
		return;
	SSL_free(link->ssl);
	close(link->fd);
	free(link);
}

enum redis_wire redis_link_wait(const struct redis_link *link, short events, int64_t deadline_us)
{
	struct pollfd poll = {link->fd, events, 0};
	int64_t now, left;
	int ready;

	do {
		now = clock_us();
		if (now >= deadline_us)
			return WIRE_TIMEOUT;
		left = waiting_step(now, deadline_us - now);
		struct timespec wait = {left / 1000000, left % 1000000 * 1000};
		ready = ppoll(&poll, 1, &wait, NULL);
	} while (ready == 0 || (ready < 0 && errno == EINTR));
	return ready < 0 ? WIRE_CLOSED : WIRE_OK;
}

static int connected(struct redis_link *link, const struct sockaddr *address, socklen_t size, int64_t deadline_us,
		     struct error *err)
{
	int yes = 1, problem = 0;
	socklen_t problem_size = sizeof(problem);

	if (address->sa_family != AF_UNIX) {
		setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		setsockopt(link->fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
	}
	if (connect(link->fd, address, size) == 0)
		return 0;
	if (errno != EINPROGRESS) {
		error_set(err, "%s", strerror(errno));
		return -1;
	}
	if (redis_link_wait(link, POLLOUT, deadline_us) != WIRE_OK) {
		error_set(err, "the connection cannot be made in time");
		return -1;
	}
	getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &problem, &problem_size);
	if (problem == 0)
		return 0;
	error_set(err, "%s", strerror(problem));
	return -1;
}

struct redis_link *redis_link_connect(const struct sockaddr *address, socklen_t size, int64_t deadline_us,
				      struct error *err)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct redis_link *link;

	if (fd < 0) {
		error_set(err, "%s", strerror(errno));
		return NULL;
	}
	link = redis_link_of(fd);
	if (connected(link, address, size, deadline_us, err) == 0)
		return link;
	redis_link_close(link);
	return NULL;
}

bool redis_link_is_quiet(const struct redis_link *link)
{
	char byte;

	return recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}
