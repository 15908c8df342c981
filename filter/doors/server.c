/*
 * server.c - what is done to connections. Contract: server.h.
 *
 * A connection is being read, or a thread answers it, or its answer is being written. The lock protects the list of
 * connections, the queue and the states; buffers belong to whoever has the connection. Who has answered closes one that
 * is over. One that ends in a turn is handed out like a request: what its door does at the end may wait for a store.
 */
#include "server_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_MAX 64 /* in one turn */
#define READS_MAX  16 /* of one connection by a thread, before others have their turn */

/* The next request in these bytes, or piece of one. */
static size_t conn_frame(const struct server *server, const struct server_conn *conn, struct slice bytes)
{
	if (bytes.n == 0)
		return 0;
	return server->protocol->frame_next ? server->protocol->frame_next(&conn->peer, bytes)
					    : server->protocol->frame(bytes);
}

/* ---- answering --------------------------------------------------------------------------------- */

static bool is_passing(int number)
{
	return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

void server_wake(struct server *server)
{
	ssize_t ignored;

	if (atomic_exchange(&server->woken, true))
		return;
	ignored = write(server->wake[1], "", 1);
	(void)ignored;
}

/* All that the socket takes now. False: the connection is broken. */
static bool conn_send(struct server_conn *conn)
{
	while (conn->out_at < conn->out_n) {
		ssize_t sent =
		    send(conn->fd, conn->out + conn->out_at, conn->out_n - conn->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return is_passing(errno);
		conn->out_at += (size_t)sent;
	}
	free(conn->out);
	conn->out = NULL;
	return true;
}

/* The peer has closed its end, or its writing half. */
static bool is_gone(int fd)
{
	struct pollfd ends = {.fd = fd, .events = POLLRDHUP};

	return poll(&ends, 1, 0) > 0;
}

/* Most answers go out at once, and then the connection waits for another request. The loop does what is left. */
static enum conn_state state_after(struct server *server, struct server_conn *conn)
{
	bool said = conn->out_n > 0 && server->protocol->answered;
	bool waits = said && !is_gone(conn->fd); /* before the answer: who has that may close at once */
	bool works = conn_send(conn), sent = works && !conn->out;

	if (said)
		server->protocol->answered(server->door, &conn->peer, works && waits);
	if (sent && !conn->invalid && (conn->closing || (conn->eof && conn->in_n == 0)))
		return OVER;
	return sent && !conn->closing && !conn->eof && conn->in_n == 0 ? READING : WRITING;
}

/* To the first request, or if answers are prompt, to all that have arrived, as long as half of the room is left. */
static void answer(struct server *server, struct server_conn *conn)
{
	const struct server_protocol *protocol = server->protocol;
	size_t n = conn_frame(server, conn, (struct slice){conn->in, conn->in_n}), done = 0, before;
	struct arena *arena = arena_new();
	struct text text;

	text_init(&text, arena, SERVER_ANSWER_MAX);
	while (n > 0 && n != FRAME_INVALID && !conn->closing) {
		before = text.n;
		conn->closing = !protocol->answer(server->door, &conn->peer, (struct slice){conn->in + done, n}, &text);
		conn->invalid = conn->closing && text.n == before;
		done += n;
		if (text.n > (protocol->prompt ? SERVER_ANSWER_MAX / 2 : 0))
			break;
		n = conn_frame(server, conn, (struct slice){conn->in + done, conn->in_n - done});
	}
	conn->in_n -= done;
	memmove(conn->in, conn->in + done, conn->in_n);
	conn->out = xmalloc(text.n + 1);
	if (text.n)
		memcpy(conn->out, text.p, text.n);
	conn->out_n = text.n;
	conn->out_at = 0;
	arena_free(arena);
}

/* Answers, and goes on with what has arrived meanwhile: the message after its head, or the end of a client that asks
 * once. So the loop is not woken to hand the connection back. What is not a whole request is for the loop. */
static enum conn_state serve(struct server *server, struct server_conn *conn)
{
	enum conn_state next;
	ssize_t got;
	size_t n;

	for (unsigned reads = 0;; reads++) {
		answer(server, conn);
		next = state_after(server, conn);
		if (next != READING || reads == READS_MAX)
			return next;
		got = recv(conn->fd, conn->in, server->protocol->request_max, MSG_DONTWAIT);
		if (got < 0 && is_passing(errno))
			return READING;
		if (got <= 0)
			return OVER;
		conn->in_n = (size_t)got;
		n = conn_frame(server, conn, (struct slice){conn->in, conn->in_n});
		if (n == 0 || n == FRAME_INVALID)
			return WRITING; /* although there is nothing to write: conn_write() goes on with it */
	}
}

static void conn_unlink(struct server *server, struct server_conn *conn)
{
	struct server_conn **link = &server->conns;

	pthread_mutex_lock(&server->lock);
	while (*link != conn)
		link = &(*link)->next;
	*link = conn->next;
	server->conn_count--;
	pthread_mutex_unlock(&server->lock);
}

void server_end(struct server *server, struct server_conn *conn)
{
	if (server->protocol->closed)
		server->protocol->closed(server->door, &conn->peer);
	close(conn->fd);
	free(conn->in);
	free(conn->out);
	free(conn);
}

enum conn_state server_serve(struct server *server, struct server_conn *conn)
{
	enum conn_state next = conn->state == OVER ? OVER : serve(server, conn);

	if (next != OVER)
		return next;
	if (conn->state != OVER)
		conn_unlink(server, conn);
	server_end(server, conn);
	return OVER;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void report_invalid(struct server *server)
{
	int64_t now = clock_us();

	if (server->reported_us && now - server->reported_us < SERVER_REPORT_US)
		return;
	server->reported_us = now;
	report_line(
	    server->host->report, "warning",
	    "listen %s: a connection was closed because of an invalid or too long request; is the other program "
	    "configured for this protocol?",
	    server->protocol->name);
}

static bool conn_write(struct server *, struct server_conn *);

static void ready_add(struct server *server, struct server_conn *conn)
{
	conn->queued = NULL;
	*server->ready_end = conn;
	server->ready_end = &conn->queued;
}

/* What has arrived is a request, a part of one, or nothing valid. False: close the connection. */
static bool conn_next(struct server *server, struct server_conn *conn)
{
	size_t n = conn_frame(server, conn, (struct slice){conn->in, conn->in_n});

	if (n == FRAME_INVALID || (n == 0 && conn->in_n >= server->protocol->request_max)) {
		report_invalid(server);
		return false;
	}
	if (n == 0)
		return !conn->eof;
	if (server->protocol->prompt) {
		answer(server, conn);
		conn->state = WRITING;
		conn->since_us = clock_us();
		return conn_write(server, conn); /* calls this again: what is left are few requests, see answer() */
	}
	conn->state = WORKING;
	ready_add(server, conn);
	return true;
}

static bool conn_read(struct server *server, struct server_conn *conn)
{
	ssize_t got;

	if (!conn->in)
		conn->in = xrealloc(NULL, server->protocol->request_max); /* not cleared */
	got = recv(conn->fd, conn->in + conn->in_n, server->protocol->request_max - conn->in_n, MSG_DONTWAIT);
	if (got < 0)
		return is_passing(errno);
	if (conn->in_n == 0)
		conn->since_us = clock_us();
	conn->eof |= got == 0;
	conn->in_n += (size_t)got;
	return conn_next(server, conn);
}

static bool conn_write(struct server *server, struct server_conn *conn)
{
	if (!conn_send(conn))
		return false;
	if (conn->out)
		return true;
	conn->state = READING;
	conn->since_us = clock_us();
	if (conn->invalid)
		report_invalid(server);
	return !conn->closing && conn_next(server, conn);
}

/* In a turn. Its place is free at once. */
static void conn_close(struct server *server, struct server_conn *conn)
{
	conn_unlink(server, conn);
	conn->state = OVER;
	if (server->protocol->closed)
		ready_add(server, conn);
	else
		server_end(server, conn);
}

static bool conn_is_late(const struct server_conn *conn, int64_t now)
{
	int64_t limit = conn->state == WRITING ? SERVER_WRITE_US : conn->in_n ? SERVER_REQUEST_US : SERVER_IDLE_US;

	return now - conn->since_us > limit ||
	       (conn->state == READING && conn->peer.until_us && now > conn->peer.until_us);
}

/* ---- accepting ------------------------------------------------------------------------------- */

/* The connection that has been idle for longest; false: all of them work. */
static bool make_room(struct server *server)
{
	struct server_conn *oldest = NULL;

	pthread_mutex_lock(&server->lock);
	for (struct server_conn *conn = server->conns; conn; conn = conn->next)
		if (conn->state == READING && (!oldest || conn->since_us < oldest->since_us))
			oldest = conn;
	pthread_mutex_unlock(&server->lock);
	if (oldest)
		conn_close(server, oldest);
	return oldest != NULL;
}

static bool is_full(struct server *server)
{
	bool full;

	pthread_mutex_lock(&server->lock);
	full = server->conn_count >= SERVER_CONNECTIONS_MAX;
	pthread_mutex_unlock(&server->lock);
	return full;
}

/* Most have sent their first request by now. False: nobody waits. */
static bool conn_accept(struct server *server)
{
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct server_conn *conn;

	if (fd < 0) {
		if (!is_passing(errno) && errno != ECONNABORTED)
			server->accept_at_us = clock_us() + 1000000; /* no busy loop while descriptors are short */
		return false;
	}
	if (!server->host->admits(server->host, server->listener, fd) || (is_full(server) && !make_room(server))) {
		close(fd);
		return true;
	}
	conn = xmalloc(sizeof(*conn));
	conn->fd = fd;
	conn->since_us = clock_us();
	pthread_mutex_lock(&server->lock);
	conn->next = server->conns;
	server->conns = conn;
	server->conn_count++;
	pthread_mutex_unlock(&server->lock);
	if (!conn_read(server, conn))
		conn_close(server, conn);
	return true;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Fills the poll set and the connections it is about; returns their number. */
static size_t poll_set(struct server *server, struct pollfd *set, struct server_conn **about)
{
	bool accepting = clock_us() >= server->accept_at_us;
	size_t n = 2;

	set[0] = (struct pollfd){.fd = server->wake[0], .events = POLLIN};
	set[1] = (struct pollfd){.fd = accepting ? server->listener : -1, .events = POLLIN};
	pthread_mutex_lock(&server->lock);
	for (struct server_conn *conn = server->conns; conn; conn = conn->next) {
		if (conn->state == WORKING)
			continue;
		about[n] = conn;
		set[n++] = (struct pollfd){.fd = conn->fd, .events = conn->state == WRITING ? POLLOUT : POLLIN};
	}
	pthread_mutex_unlock(&server->lock);
	return n;
}

static void conn_serve(struct server *server, struct server_conn *conn, short ready, int64_t now)
{
	bool keep = true;

	if (ready && (conn->state == WRITING))
		keep = conn_write(server, conn);
	else if (ready)
		keep = conn_read(server, conn);
	else
		keep = !conn_is_late(conn, now);
	if (!keep)
		conn_close(server, conn);
}

void server_turn(struct server *server, int wait_ms)
{
	struct pollfd *set = server->set;
	size_t n = poll_set(server, set, server->about);
	char drop[256];
	int64_t now;

	if (poll(set, n, wait_ms) < 0)
		return;
	now = clock_us();
	if (set[0].revents && read(server->wake[0], drop, sizeof(drop)) < 0 && !is_passing(errno))
		return;
	atomic_store(&server->woken, false); /* before the states are read for the next turn */
	for (size_t i = 2; i < n; i++)
		conn_serve(server, server->about[i], set[i].revents, now);
	for (unsigned i = 0; set[1].revents && i < ACCEPT_MAX && conn_accept(server);)
		i++;
}
