/*
 * senders.h - who is refused most: names that strangers choose, in bounded memory.
 *
 * A table of SENDERS_MAX names, one for now and one for the time before (Metwally, Agrawal and El Abbadi, 2005:
 * "Efficient computation of frequent and top-k elements in data streams"). When it is full, a new name takes the place
 * of the one that was counted least. Whoever is refused in more than one of SENDERS_MAX cases is always in it; the
 * counts that are told are at most those that happened. A flood of invented names cannot push such a sender out.
 *
 * Any thread; a short lock, for refused messages alone.
 */
#ifndef SEKISHO_SENDERS_H
#define SEKISHO_SENDERS_H

#include "base.h"

#define SENDERS_MAX      64
#define SENDERS_NAME_MAX 128                      /* bytes; of a longer name the beginning is kept */
#define SENDERS_US       (5LL * 60 * 1000 * 1000) /* a table is filled for so long, and told for as long again */

struct senders;
struct senders *senders_new(void);
void senders_free(struct senders *); /* NULL is allowed */

/* With NULL nothing is counted. now_us: clock_us. */
void senders_add(struct senders *, struct slice name, int64_t now_us);

struct sender_count {
	struct slice name; /* in the arena */
	uint64_t count;    /* refused at least so often in the last SENDERS_US to twice that */
};
/* The most refused first; at most `room`. Returns how many. */
size_t senders_top(struct senders *, int64_t now_us, struct arena *, struct sender_count *counts_r, size_t room);

#endif
