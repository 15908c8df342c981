/*
 * ticker.c - the time of a store.
 */
#include "ticker.h"

#define LATEST_START (INT64_C(250000) * 365 * STORE_DAY_US / 1000) /* 250 years after 1970: no sum overflows */

static int64_t within(int64_t us)
{
	return us < 1 ? 1 : us > LATEST_START ? LATEST_START : us;
}

void ticker_init(struct ticker *ticker, const struct store_clock *clock, int64_t earliest)
{
	int64_t wall = clock->wall_us();

	pthread_mutex_init(&ticker->lock, NULL);
	ticker->steady_us = clock->steady_us;
	ticker->steady = clock->steady_us();
	ticker->now = within(wall > earliest ? wall : earliest);
}

void ticker_free(struct ticker *ticker)
{
	pthread_mutex_destroy(&ticker->lock);
}

/* The clock is read under the lock: a time that was read earlier but arrives later would look like a step back. */
int64_t ticker_now(struct ticker *ticker)
{
	int64_t steady, now;

	pthread_mutex_lock(&ticker->lock);
	steady = ticker->steady_us();
	if (steady > ticker->steady)
		ticker->now += steady - ticker->steady;
	ticker->steady = steady;
	now = ticker->now;
	pthread_mutex_unlock(&ticker->lock);
	return now;
}
