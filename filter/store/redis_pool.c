/*
 * redis_pool.c - the connections to a server, and the circuit breaker.
 */
#include "redis_pool.h"
#include "waiting.h"

#include <time.h>

void redis_pool_init(struct redis_pool *pool)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->freed, &monotonic);
	pthread_cond_init(&pool->wanted, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pool->open = true;
	pool->retry_us = REDIS_RETRY_US;
}

static void close_idle(struct redis_pool *pool)
{
	while (pool->idle) {
		struct redis_link *link = pool->idle;

		pool->idle = link->next;
		pool->links--;
		redis_link_close(link);
	}
}

void redis_pool_free(struct redis_pool *pool)
{
	close_idle(pool);
	pthread_cond_destroy(&pool->freed);
	pthread_cond_destroy(&pool->wanted);
	pthread_mutex_destroy(&pool->lock);
}

/* ---- the breaker --------------------------------------------------------------------------------- */

/* After an answer the time begins with a second again. */
void redis_pool_open_breaker(struct redis_pool *pool, const struct error *why)
{
	if (pool->answered || !pool->tried)
		pool->retry_us = REDIS_RETRY_US;
	else
		pool->retry_us = pool->retry_us < REDIS_RETRY_MAX_US / 2 ? pool->retry_us * 2 : REDIS_RETRY_MAX_US;
	pool->openings += !pool->open || !pool->tried;
	pool->answered = false;
	pool->open = pool->tried = true;
	pool->failures = 0;
	pool->odd_at = 0; /* it is more than that */
	pool->generation++;
	pool->retry_at = clock_us() + pool->retry_us;
	pool->why = *why;
	close_idle(pool);
	pthread_cond_broadcast(&pool->freed);
	pthread_cond_signal(&pool->wanted);
}

static void note(struct redis_pool *pool, const struct error *what)
{
	pool->odd = *what;
	pool->odd_at = clock_us();
}

/* A few failures among answers do not open the breaker, but are told. */
static void failed(struct redis_pool *pool, bool down, const struct error *why)
{
	if (pool->open)
		return;
	if (down || ++pool->failures >= REDIS_FAILURES)
		redis_pool_open_breaker(pool, why);
	else
		note(pool, why);
}

/* ---- links --------------------------------------------------------------------------------------- */

/* One that the server did not close meanwhile. */
static struct redis_link *take_idle(struct redis_pool *pool)
{
	struct redis_link *link;

	while ((link = pool->idle) != NULL) {
		pool->idle = link->next;
		if (redis_link_is_quiet(link))
			return link;
		pool->links--;
		redis_link_close(link);
	}
	return NULL;
}

static struct redis_link *wait_idle(struct redis_pool *pool, int64_t deadline_us)
{
	struct timespec until = {deadline_us / 1000000, deadline_us % 1000000 * 1000};
	struct redis_link *link = take_idle(pool);
	struct error why;
	int rc = 0;

	pool->waiting++;
	if (!link && !pool->open) {
		pthread_mutex_unlock(&pool->lock);
		waiting_tell();
		pthread_mutex_lock(&pool->lock);
		link = pool->open ? NULL : take_idle(pool);
	}
	while (!link && !pool->open && rc == 0) {
		if (pool->links < REDIS_LINKS_MAX)
			pthread_cond_signal(&pool->wanted);
		rc = pthread_cond_timedwait(&pool->freed, &pool->lock, &until);
		link = pool->open ? NULL : take_idle(pool);
	}
	pool->waiting--;
	if (!link && !pool->open) {
		error_set(&why, "no connection was free in time: %zu are in use", pool->links);
		failed(pool, false, &why);
	}
	return link;
}

struct redis_link *redis_pool_take_idle(struct redis_pool *pool)
{
	struct redis_link *link;

	pthread_mutex_lock(&pool->lock);
	link = pool->open ? NULL : take_idle(pool);
	pthread_mutex_unlock(&pool->lock);
	return link;
}

struct redis_link *redis_pool_take(struct redis_pool *pool, int64_t deadline_us)
{
	struct redis_link *link;

	if (atomic_load_explicit(&pool->open, memory_order_relaxed))
		return NULL;
	pthread_mutex_lock(&pool->lock);
	link = pool->open ? NULL : wait_idle(pool, deadline_us);
	pthread_mutex_unlock(&pool->lock);
	return link;
}

static void put_idle(struct redis_pool *pool, struct redis_link *link)
{
	link->next = pool->idle;
	pool->idle = link;
	if (pool->waiting > 0)
		pthread_cond_signal(&pool->freed);
}

void redis_pool_give(struct redis_pool *pool, struct redis_link *link)
{
	pthread_mutex_lock(&pool->lock);
	pool->failures = 0;
	pool->answered = true;
	if (link->generation == pool->generation && !pool->stopping) {
		put_idle(pool, link);
		link = NULL;
	} else {
		pool->links--;
	}
	pthread_mutex_unlock(&pool->lock);
	redis_link_close(link);
}

void redis_pool_fail(struct redis_pool *pool, struct redis_link *link, bool down, const struct error *why)
{
	pthread_mutex_lock(&pool->lock);
	pool->links--;
	if (link->generation == pool->generation)
		failed(pool, down, why);
	pthread_mutex_unlock(&pool->lock);
	redis_link_close(link);
}

void redis_pool_odd(struct redis_pool *pool, const struct error *what)
{
	pthread_mutex_lock(&pool->lock);
	note(pool, what);
	pthread_mutex_unlock(&pool->lock);
}

void redis_pool_add(struct redis_pool *pool, struct redis_link *link)
{
	link->generation = pool->generation;
	pool->links++;
	pool->tried = true;
	pool->open = false;
	put_idle(pool, link);
	pthread_cond_broadcast(&pool->freed);
}
