/*
 * milter_private.h - what the files of libmilter's door share.
 *
 * One thread runs smfi_main(); callbacks run on the threads of libmilter, those of a session not always
 * on the same one. The daemon calls the functions of `struct door` (door.c).
 */
#ifndef SEKISHO_MILTER_PRIVATE_H
#define SEKISHO_MILTER_PRIVATE_H

#include "milter.h"
#include <libmilter/mfapi.h>
#include <pthread.h>

/* ---- the state of the door ------------------------------------------------------------------ */

struct milter {
	struct door_host *host;
	pthread_mutex_t lock; /* of conns, and what their fields say */
	struct conn *conns;
	pthread_cond_t progressed; /* a connection is no longer `progressing` */
	pthread_rwlock_t gateway;  /* read: a callback runs; written: no callback will run again */
	int listener;
	pthread_mutex_t waits_lock;
	pthread_cond_t waits_begin;
	unsigned waits; /* callbacks that wait for the DNS or the store; under waits_lock */
};

/* ---- conn.c: the sessions that are open ----------------------------------------------------- */

/* One connection of an MTA; libmilter's private data. */
struct conn {
	struct steps steps;
	struct milter *milter;
	SMFICTX *ctx;
	bool progressing;                /* a thread reports progress; under milter->lock */
	int64_t busy_since, progress_at; /* clock_us; at the end of a message; under milter->lock */
	struct conn *previous, *next;    /* under milter->lock */
};

/* Of what the MTA offers, what the policy wants is taken: conn->steps.terms. */
struct conn *conn_new(struct milter *, const struct mta *, SMFICTX *, unsigned long offered_actions,
		      unsigned long offered_steps);
void conn_free(struct conn *);
void conn_busy(struct conn *, bool busy); /* at the end of a message: from now on progress is reported */
void conns_progress(struct milter *);     /* to MTAs that wait long */
void conns_free(struct milter *);         /* all; no callback runs any more */

/* ---- spare.c: threads for sessions that libmilter would let wait ------------------------------ */

void spare_waits(struct milter *, bool begins);      /* a callback waits for the DNS or the store, or no longer does */
int spare_start(struct milter *, struct error *err); /* 0, or -1 and err; the thread lives until the process ends */

/* ---- mta.c: what a session asks from libmilter ---------------------------------------------------- */

extern const struct mta libmilter_mta; /* its context is the conn */
void macros_ask(SMFICTX *);
sfsistat reply_send(SMFICTX *, const struct reply *); /* sets it, and gives the return value of the callback */

/* ---- callbacks.c --------------------------------------------------------------------------------- */

int callbacks_register(struct milter *); /* 0, or -1 when libmilter does not take them */
struct milter *milter_of_process(void);  /* NULL before that */

#endif
