/*
 * flight.h - questions on their way: equal ones are asked once, and all in their turn.
 *
 * Who wants an answer that the cache has not joins the flight of the question. The first to join makes it. It gets a
 * seat among those who may ask (places.h), is taken by whoever feeds the backend, and lands once, with an answer; it
 * is then no longer found. It is counted: each who joined leaves it, and the backend holds it from flight_take until
 * flight_return, also when it landed meanwhile, since the backend goes on with what nobody wants any more.
 */
#ifndef SEKISHO_DNS_FLIGHT_H
#define SEKISHO_DNS_FLIGHT_H

#include <pthread.h>

#include "answer.h"
#include "places.h"

#define FLIGHT_MAX     4096 /* questions not landed: as many as sessions that wait, and the hints in places */
#define FLIGHT_BUCKETS 1024

struct flight {
	struct question question;
	/* what follows belongs to flight.c */
	struct seat seat;
	int64_t
	    overdue_us; /* when patience with it ends; set anew when it is taken, so that its servers have all of it */
	struct answer *answer; /* NULL: not landed */
	unsigned owners;
	bool given_up;
	pthread_cond_t landed;
	struct flight *in_bucket; /* the next of its bucket */
	struct flight *older, *younger;
};

struct flights;

/* places: how many the backend may hold, 0: any number. patience_us: for one answer. */
struct flights *flights_new(unsigned places, int64_t patience_us);
void flights_free(struct flights *); /* only what the backend holds may be left; NULL is allowed */

/* Who asks: the asker that answers for it (places.h), and whether anybody waits. */
struct intent {
	uint64_t whose;
	bool hint;
};

/* The flight of the question. *first_r: it was made just now. NULL: there are too many, or no place for a hint. */
struct flight *flight_join(struct flights *, const struct question *, struct intent, bool *first_r);
void flight_leave(struct flights *, struct flight *);

bool flight_has_landed(struct flights *, struct flight *);
/* Waits until it landed, but not beyond until_us nor beyond its patience. The answer, held, or NULL. */
struct answer *flight_wait(struct flights *, struct flight *, uint64_t whose, int64_t until_us);

/* Lands it with the answer, which it holds once more. Nothing happens when it landed before. */
void flight_land(struct flights *, struct flight *, struct answer *);

/* Whoever finds it overdue may end it, but only one: the reason for the first who asks while it has not landed,
 * DNS_TIMEOUT, or DNS_CROWDED when it never was taken; DNS_NO_REASON for everybody else. */
enum dns_reason flight_give_up(struct flights *, struct flight *, int64_t now_us);

/* The oldest flight when it is overdue at that time, held; else NULL. */
struct flight *flight_overdue(struct flights *, int64_t now_us);

/* ---- for whoever feeds the backend --------------------------------------------------- */

/* The next flight to hand over, held for the backend; waits for one. NULL: flights_stop was called. */
struct flight *flight_take(struct flights *);
void flight_return(struct flights *, struct flight *); /* the backend is done with it */
void flights_stop(struct flights *);

#endif
