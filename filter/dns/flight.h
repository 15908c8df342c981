/*
 * flight.h - questions on their way: equal ones are asked once.
 *
 * Who wants an answer that the cache has not joins the flight of the question.
 * The first to join makes it and must start it; the others wait with it. A
 * flight lands once, with an answer, and is then no longer found. It is counted:
 * each who joined leaves it, and the backend keeps it until it has settled it.
 */
#ifndef SEKISHO_DNS_FLIGHT_H
#define SEKISHO_DNS_FLIGHT_H

#include <pthread.h>

#include "answer.h"

#define FLIGHT_MAX     4096 /* questions in flight: beyond, memory is for the cache and the servers are not hammered */
#define FLIGHT_BUCKETS 1024

struct backend;

struct flight {
	struct question question;
	int64_t overdue_us;      /* when the resolver's patience with it ends */
	struct backend *backend; /* that started it */
	_Atomic int64_t handle;  /* the backend's own; zero at first */
	/* what follows belongs to flight.c */
	struct answer *answer; /* NULL: not landed */
	unsigned owners;
	bool given_up;
	pthread_cond_t landed;
	struct flight *in_bucket; /* the next of its bucket */
	struct flight *older, *younger;
};

struct flights;

struct flights *flights_new(void);
void flights_free(struct flights *); /* none may be left */

/* The flight of the question. *first_r: it was made just now, and the caller starts it. NULL: too many. */
struct flight *flight_join(struct flights *, const struct question *, int64_t overdue_us, bool *first_r);
struct flight *flight_hold(struct flights *, struct flight *);
void flight_leave(struct flights *, struct flight *);

/* Waits until it landed, but not beyond until_us. The answer, held, or NULL. */
struct answer *flight_wait(struct flights *, struct flight *, int64_t until_us);

/* Lands it with the answer, which it holds once more. Nothing happens when it landed before. */
void flight_land(struct flights *, struct flight *, struct answer *);

/* Whoever finds it overdue may end it, but only one: true for the first who asks while it has not landed. */
bool flight_give_up(struct flights *, struct flight *);

/* The oldest flight when it is overdue at that time, held; else NULL. */
struct flight *flight_overdue(struct flights *, int64_t now_us);

#endif
