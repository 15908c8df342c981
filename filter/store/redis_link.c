/*
 * redis_link.c - bytes over a connection, with TLS or without.
 */
#include "redis_link.h"

#include <errno.h>
#include <poll.h>

enum redis_wire redis_link_send(struct redis_link *link, struct slice bytes, int64_t deadline_us)
{
	enum redis_wire wire = WIRE_OK;

	if (link->ssl)
		return redis_tls_send(link, bytes, deadline_us);
	while (bytes.n > 0 && wire == WIRE_OK) {
		ssize_t n = send(link->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n >= 0)
			bytes = slice_from(bytes, (size_t)n);
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			wire = redis_link_wait(link, POLLOUT, deadline_us);
		else if (errno != EINTR)
			return WIRE_CLOSED;
	}
	return wire;
}

enum redis_wire redis_link_receive(struct redis_link *link, char *to, size_t room, size_t *n_r, int64_t deadline_us)
{
	if (link->ssl)
		return redis_tls_receive(link, to, room, n_r, deadline_us);
	for (;;) {
		enum redis_wire wire = redis_link_wait(link, POLLIN, deadline_us);
		ssize_t n;

		if (wire != WIRE_OK)
			return wire;
		n = recv(link->fd, to, room, 0);
		if (n > 0) {
			*n_r = (size_t)n;
			return WIRE_OK;
		}
		if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			return WIRE_CLOSED;
	}
}
