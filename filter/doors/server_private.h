/*
 * server_private.h - the state of a server; private to server.c and server_life.c.
 */
#ifndef SEKISHO_DOORS_SERVER_PRIVATE_H
#define SEKISHO_DOORS_SERVER_PRIVATE_H

#include "server.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum conn_state { READING, WORKING, WRITING, OVER };

struct server_conn {
	struct server_conn *next, *queued;
	int fd;
	enum conn_state state; /* under the lock while it is WORKING; OVER: it is not among the connections any more */
	bool eof;              /* the peer sends no more */
	bool closing;          /* after the answer */
	bool invalid;          /* and there is none */
	char *in, *out;
	size_t in_n, out_n, out_at;
	int64_t since_us; /* clock_us: of the first byte of the request, or when it became idle, or of the answer */
	struct server_peer peer;
};

struct server {
	struct door_host *host;
	const struct server_protocol *protocol;
	void *door;
	int listener;
	int wake[2];       /* a pipe: the loop has something to do */
	atomic_bool woken; /* a byte is in the pipe, or will be */
	/* What follows, up to the locked part, is the leader's own. */
	bool started;
	struct server_conn *ready, **ready_end; /* have a request, or are over; found in this turn */
	int64_t accept_at_us;                   /* not before */
	int64_t reported_us;
	struct pollfd set[SERVER_CONNECTIONS_MAX + 2];
	struct server_conn *about[SERVER_CONNECTIONS_MAX + 2];

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t work;
	struct server_conn *conns;
	size_t conn_count;
	struct server_conn *queue, **queue_end;
	size_t queued; /* in the queue */
	pthread_t threads[SERVER_WORKERS_MAX + 1];
	unsigned thread_count, waiting;
	bool led;         /* a thread reads and accepts */
	unsigned leader;  /* its number: each that begins to lead has another one */
	int64_t since_us; /* when the leader began to answer; 0: it does not */
	bool stopping;
};

/* server.c: polls once and does what there is to do, but for answering what is `ready` then. */
void server_turn(struct server *, int wait_ms);
void server_wake(struct server *);
void server_end(struct server *, struct server_conn *); /* of one that is not among the connections any more */
/* Answers, as far as there is something to answer: the next state of the connection; after OVER it is gone. */
enum conn_state server_serve(struct server *, struct server_conn *);

int threads_begin(struct server *); /* server_threads.c: starts the first one: 0, or the number of an error */

#endif
