/*
 * server.h - connections that carry one request after another, for doors whose protocol is that simple.
 *
 * One thread leads: it reads, writes and closes, and answers one of the requests that have arrived; the others are for
 * other threads. When it has to wait for the DNS or a store, another thread leads: a request delays no other.
 * Whatever a peer does, it can only lose its own connection: requests, connections, answers and times are bounded. A
 * peer that has sent everything and shuts down its writing half still gets the answer. When all places are taken, the
 * connection that has been idle for longest makes room.
 */
#ifndef SEKISHO_DOORS_SERVER_H
#define SEKISHO_DOORS_SERVER_H

#include "door.h"

#define SERVER_CONNECTIONS_MAX 1000                      /* more than any mail server has processes */
#define SERVER_WORKERS_MAX     32                        /* started when they are needed */
#define SERVER_ANSWER_MAX      (64 * 1024)               /* bytes; an answer is cut there */
#define SERVER_REQUEST_US      (10 * INT64_C(1000000))   /* from the first byte of a request to its last */
#define SERVER_WRITE_US        (10 * INT64_C(1000000))   /* for a peer that does not read */
#define SERVER_IDLE_US         (3600 * INT64_C(1000000)) /* Postfix closes after 300 s; Sendmail keeps a connection */
#define SERVER_REPORT_US       (60 * INT64_C(1000000))   /* one line a minute about invalid requests */
#define FRAME_INVALID          SIZE_MAX

/* A connection as the door sees it: its own state, NULL at first. */
struct server_peer {
	void *state;
	int64_t until_us; /* clock_us: when the connection is closed although its request is not complete; 0: never */
};

struct server_protocol {
	const char *name;
	size_t request_max; /* bytes of one request */
	bool prompt; /* answers wait for nothing: they need no other thread, and those to several requests that have
		      * arrived leave together */
	/* Bytes of the first request, 0: it is not complete, FRAME_INVALID: the connection is closed. */
	size_t (*frame)(struct slice bytes);
	/* In place of frame, for requests that come in pieces of at most request_max bytes: the next piece. A piece
	 * that gets no answer is followed by another one. */
	size_t (*frame_next)(const struct server_peer *, struct slice bytes);
	/* One request of a connection at a time, in any thread; what waits in it calls server_waits(). False: close the
	 * connection after the answer; without an answer, the request was invalid. */
	bool (*answer)(void *door, struct server_peer *, struct slice request, struct text *answer);
	/* After the answer, in the same thread; may be NULL. False: the peer had closed its end before, or the
	 * connection is broken. Not for prompt answers. */
	void (*answered)(void *door, struct server_peer *, bool sent);
	void (*closed)(void *door, struct server_peer *); /* may be NULL */
};

struct server;

struct server *server_open(struct door_host *, int listener, const struct server_protocol *, void *door,
			   struct error *err);
int server_start(struct server *, struct error *err);
/* For struct wait_hook: this thread may wait now, and leads no more. */
void server_waits(void *ignored, bool begins);
/* Every few seconds: a thread that has answered for long without waiting leads no more. */
void server_relieve(struct server *);
/* As stop of struct door: false when an answer was not ready by then. */
bool server_stop(struct server *, int64_t until_us);
void server_close(struct server *); /* after it has stopped */

#endif
