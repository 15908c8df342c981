/*
 * listen.c - the socket that mail servers connect to.
 *
 * We bind the socket and give the door the descriptor: mode, group, stale files and
 * inherited sockets are handled alike for all doors. `fd:3` is the first socket that
 * systemd passes (sd_listen_fds(3)); any other inherited listening descriptor
 * works too.
 */
#include "daemon_private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FDS_MAX  65535 /* sockets that systemd may pass */
#define FD_FIRST 3     /* SD_LISTEN_FDS_START */

/* ---- inherited sockets ---------------------------------------------------------------- */

/* How many sockets systemd passed to this process (sd_listen_fds(3)). */
static unsigned listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	uint64_t number;

	if (!pid || !count || slice_number(slice_of(pid), INT32_MAX, &number) != 0 || (pid_t)number != getpid())
		return 0;
	return slice_number(slice_of(count), FDS_MAX, &number) == 0 ? (unsigned)number : 0;
}

static int listener_inherit(int fd, struct listener *listener_r, struct error *err)
{
	int type = 0, listening = 0;
	socklen_t n = sizeof(type), m = sizeof(listening);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0) {
		error_set(err, "listen fd:%d: %s; %s", fd,
			  errno == EBADF ? "this descriptor was not passed to sekisho" : strerror(errno),
			  fd == FD_FIRST ? "start sekisho.socket, or write an address in `listen`"
					 : "see sd_listen_fds(3)");
		return -1;
	}
	if (type != SOCK_STREAM || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &m) != 0 || !listening) {
		error_set(err, "listen fd:%d: this is not a listening stream socket", fd);
		return -1;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	listener_r->socket.fd = fd;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return 0;
}

/* ---- sockets of our own --------------------------------------------------------------- */

static int listener_bind(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, saved;

	if (fd < 0)
		return -1;
	/* connections of the previous daemon may still linger */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, DOOR_BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int listener_open_inet(const struct listen_address *address, struct listener *listener_r, struct error *err)
{
	struct addrinfo want = {.ai_family = address->family == LISTEN_INET ? AF_INET : AF_INET6,
				.ai_socktype = SOCK_STREAM,
				.ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	const char *family = address->family == LISTEN_INET ? "inet" : "inet6";
	const char *host = address->host[0] ? address->host : NULL;
	struct addrinfo *found;
	char port[8];
	int result;

	snprintf(port, sizeof(port), "%u", address->port);
	result = getaddrinfo(host, port, &want, &found);
	if (result != 0) {
		error_set(err, "listen %s:%s@%s: no such address: %s", family, port, address->host,
			  gai_strerror(result));
		return -1;
	}
	listener_r->socket.fd = listener_bind(found);
	result = errno;
	freeaddrinfo(found);
	if (listener_r->socket.fd >= 0)
		return 0;
	error_set(err, "listen %s:%s%s%s: cannot bind: %s%s", family, port, host ? "@" : "", address->host,
		  strerror(result),
		  result == EADDRINUSE && listen_fds() > 0 ? "; systemd passes a socket: write `listen fd:3`" : "");
	return -1;
}

/* A socket that listens, so that accept(2) returns EAGAIN, but
 * gets no packets: the filter drops them all. */
static int socket_unreachable(void)
{
	struct sock_filter drop[] = {{BPF_RET | BPF_K, 0, 0, 0}};
	struct sock_fprog program = {1, drop};
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 &&
	    bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0 && listen(fd, 1) == 0)
		return fd;
	close(fd);
	return -1;
}

/* False: there is none, or it is not what the path leads to. */
static bool listener_adopt(const struct listen_address *address, int taken, struct listener *listener)
{
	if (taken >= 0 && (address->family != LISTEN_UNIX || unix_adopt(address->path, taken, &listener->socket))) {
		listener->socket.fd = taken;
		return true;
	}
	if (taken >= 0)
		close(taken);
	return false;
}

int listener_open(const struct listen_address *address, mode_t mode, uid_t uid, gid_t gid, int taken,
		  struct listener *listener_r, struct error *err)
{
	int on = 1, result;

	memset(listener_r, 0, sizeof(*listener_r));
	listener_r->socket.fd = -1;
	listener_r->dead_fd = -1;
	if (listener_adopt(address, taken, listener_r))
		result = 0;
	else if (address->family == LISTEN_UNIX)
		result = unix_listen(address->path, mode, uid, gid, &listener_r->socket, err);
	else if (address->family == LISTEN_FD)
		result = listener_inherit(address->fd, listener_r, err);
	else
		result = listener_open_inet(address, listener_r, err);
	if (result != 0)
		return -1;
	/* Changes of a message and the answer may be separate writes; the second would wait 40 ms for the mail
	 * server's delayed ACK. Accepted sockets inherit this; for a unix socket it means nothing. */
	setsockopt(listener_r->socket.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* Of two daemons with the same socket one accepts a connection, and the other must not wait for the next. */
	fcntl(listener_r->socket.fd, F_SETFL, fcntl(listener_r->socket.fd, F_GETFL) | O_NONBLOCK);
	listener_r->dead_fd = socket_unreachable();
	return 0;
}

/* ---- the end ----------------------------------------------------------------------------- */

/* The door keeps polling the same number. A poll in progress still sees the old
 * socket (libmilter's for up to five seconds); a connection then is reset (our own socket), or
 * stays in the queue for the next daemon (systemd's socket). */
int listener_block(struct listener *listener, struct error *err)
{
	if (listener->dead_fd < 0) {
		error_set(err, "cannot stop new connections before draining: the socket for it could not be created");
		return -1;
	}
	unix_remove(&listener->socket);
	dup3(listener->dead_fd, listener->socket.fd, O_CLOEXEC);
	close(listener->dead_fd);
	listener->dead_fd = -1;
	return 0;
}
