/*
 * window.h - a sliding window of STORE_SLOTS counts, and its value: the length of a slot, the number of the newest
 * slot, then for each slot with a count: how many slots it is older than the one before, and the count; all as
 * numbers of seven bits a byte. A login with three messages in an hour takes 18 bytes.
 */
#ifndef SEKISHO_STORE_WINDOW_H
#define SEKISHO_STORE_WINDOW_H

#include "store.h"

#define WINDOW_NUMBER 10                                      /* bytes of the longest number */
#define WINDOW_BYTES  ((2 + 2 * STORE_SLOTS) * WINDOW_NUMBER) /* the longest value */

struct window {
	int64_t slot_us;
	int64_t newest;               /* the slot of now: time / slot_us */
	uint64_t counts[STORE_SLOTS]; /* by age in slots */
	uint64_t sum;                 /* at most UINT64_MAX */
};

int64_t window_slot_us(int64_t length_us);

void window_init(struct window *, int64_t slot_us, int64_t now);
/* Adds to the slot, which may be one of a window with other slots; what is too old is left out. False: it is later than
 * now by more than a window, which is impossible for our own times. */
bool window_add(struct window *, int64_t slot, int64_t slot_us, uint64_t count);

/* As it is now, in slots of slot_us; 0: keep their length. False: malformed; the window is then empty. */
bool window_read(struct slice value, int64_t slot_us, int64_t now, struct window *window_r);
size_t window_write(const struct window *, char value_r[WINDOW_BYTES]); /* 0: it counts nothing */

int64_t window_expires(const struct window *); /* when it no longer counts anything */
/* How long until `amount` more is at most `hard`; 0: it is. When it can never be, because `amount` alone is too much:
 * the length. */
int64_t window_wait(const struct window *, uint64_t amount, uint64_t hard, int64_t now);

#endif
