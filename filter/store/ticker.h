/*
 * ticker.h - the time of a store: it only advances, by the monotonic clock.
 */
#ifndef SEKISHO_STORE_TICKER_H
#define SEKISHO_STORE_TICKER_H

#include "store.h"

#include <pthread.h>

struct ticker {
	pthread_mutex_t lock;
	int64_t (*steady_us)(void);
	int64_t steady; /* when it was read last */
	int64_t now;
};

/* Begins with the wall clock, or with `earliest` when that is later. */
void ticker_init(struct ticker *, const struct store_clock *, int64_t earliest);
void ticker_free(struct ticker *);
int64_t ticker_now(struct ticker *); /* microseconds, positive */

#endif
