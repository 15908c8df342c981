/*
 * redis_pool.h - the connections to a server, and the circuit breaker.
 *
 * A question takes a free connection, or waits for one until its deadline. Connections are made by one thread of their
 * own (redis_opener.c), never by a question: host names are looked up there, and TLS and login may take longer than a
 * question may.
 *
 * A time-out, or REDIS_FAILURES failures in a row, open the breaker: all connections are closed, and each question is
 * refused at once. After a second, then twice as long each time, at most REDIS_RETRY_MAX_US, the thread tries a new
 * connection; when the server answers on it in the time that a question has, the breaker closes.
 */
#ifndef SEKISHO_STORE_REDIS_POOL_H
#define SEKISHO_STORE_REDIS_POOL_H

#include "redis_link.h"

#include <pthread.h>
#include <stdatomic.h>

#define REDIS_LINKS_MAX    32
#define REDIS_FAILURES     3
#define REDIS_RETRY_US     (1000 * 1000)
#define REDIS_RETRY_MAX_US (30 * 1000 * 1000)

struct redis_pool {
	pthread_mutex_t lock;
	pthread_cond_t freed;  /* a link is free, or the breaker opened or closed, or the first try has ended */
	pthread_cond_t wanted; /* the thread has something to do */
	_Atomic bool open;     /* the breaker: true until the first connection is made */
	/* with the lock: */
	struct redis_link *idle;
	size_t links, waiting; /* made and not closed; questions without one */
	unsigned generation;   /* links of an earlier one are closed instead of given back */
	unsigned failures;     /* in a row */
	int64_t retry_us, retry_at;
	bool answered; /* a question, since the breaker opened last */
	bool tried, stopping;
	uint64_t openings; /* of the breaker */
	struct error why;  /* of the latest opening */
	struct error odd;  /* why a question was refused or lost, while others work */
	int64_t odd_at;
};

void redis_pool_init(struct redis_pool *);
void redis_pool_free(struct redis_pool *); /* nobody uses it */

/* NULL: the breaker is open, or none is free in time, which is a failure. */
struct redis_link *redis_pool_take(struct redis_pool *, int64_t deadline_us);
struct redis_link *redis_pool_take_idle(struct redis_pool *); /* NULL: none is free now */
/* Of a connection that answered. */
void redis_pool_give(struct redis_pool *, struct redis_link *);
/* Of a connection that must be closed. `down`: open the breaker at once, not after some failures. */
void redis_pool_fail(struct redis_pool *, struct redis_link *, bool down, const struct error *why);
/* Something that concerns one question only. */
void redis_pool_odd(struct redis_pool *, const struct error *what);

/* For the thread; with the lock. */
void redis_pool_add(struct redis_pool *, struct redis_link *); /* which closes the breaker, too */
void redis_pool_open_breaker(struct redis_pool *, const struct error *why);

#endif
