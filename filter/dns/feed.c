/*
 * feed.c - hands flights to a backend, lets answers back in, and outlives the resolver where the backend does not end.
 *
 * Whoever is about to touch the resolver's memory enters, and leaves again; feed_close lets nobody in any more and
 * waits until all are out, which takes no time, because nobody blocks in there. The feed itself is freed by the last
 * of its two owners: the resolver, and the thread.
 */
#include "feed.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct feed {
	struct backend *backend;
	struct flights *flights;
	struct feed_sink sink;
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool closing, ended;
	unsigned inside; /* threads in the resolver's memory */
	unsigned owners;
};

static atomic_uint ending; /* feeds that feed_close left running */

unsigned feeds_ending(void)
{
	return atomic_load(&ending);
}

static bool feed_enter(struct feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	bool open = !feed->closing;
	feed->inside += open;
	pthread_mutex_unlock(&feed->lock);
	return open;
}

static void feed_exit(struct feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	feed->inside--;
	pthread_cond_broadcast(&feed->change);
	pthread_mutex_unlock(&feed->lock);
}

/* With the lock, which it lets go of. */
static void feed_disown(struct feed *feed)
{
	bool last = --feed->owners == 0;

	pthread_mutex_unlock(&feed->lock);
	if (!last)
		return;
	pthread_cond_destroy(&feed->change);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

static void feed_settle(void *feed_, void *ticket, const struct dns_answer *draft, int64_t ttl_us)
{
	struct feed *feed = feed_;

	if (!feed_enter(feed))
		return;
	feed->sink.settle(feed->sink.keeper, ticket, draft, ttl_us);
	feed_exit(feed);
}

/* The next flight's question; false: it is the end. */
static bool feed_next(struct feed *feed, struct question *question_r, void **ticket_r)
{
	struct flight *flight;

	if (!feed_enter(feed))
		return false;
	flight = flight_take(feed->flights);
	if (flight) {
		*question_r = flight->question;
		*ticket_r = flight;
	}
	feed_exit(feed);
	return flight != NULL;
}

static void *feed_run(void *feed_)
{
	struct feed *feed = feed_;
	struct question question;
	void *ticket;

	while (feed_next(feed, &question, &ticket))
		feed->backend->start(feed->backend, &question, ticket);
	feed->backend->close(feed->backend);

	pthread_mutex_lock(&feed->lock);
	feed->ended = true;
	if (feed->owners == 1)
		atomic_fetch_sub(&ending, 1);
	pthread_cond_broadcast(&feed->change);
	feed_disown(feed);
	return NULL;
}

static void change_init(pthread_cond_t *change)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(change, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

struct feed *feed_new(struct backend *backend, struct flights *flights, struct feed_sink sink)
{
	struct feed *feed = xmalloc(sizeof(*feed));
	pthread_attr_t detached;
	pthread_t thread;

	*feed = (struct feed){.backend = backend, .flights = flights, .sink = sink, .owners = 2};
	pthread_mutex_init(&feed->lock, NULL);
	change_init(&feed->change);
	backend->settle = feed_settle;
	backend->keeper = feed;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	int failed = pthread_create(&thread, &detached, feed_run, feed);
	pthread_attr_destroy(&detached);
	if (failed == 0)
		return feed;
	pthread_mutex_lock(&feed->lock);
	feed->owners = 1;
	feed_disown(feed);
	return NULL;
}

void feed_close(struct feed *feed)
{
	int64_t end = clock_us() + FEED_END_US;
	struct timespec at = {end / 1000000, end % 1000000 * 1000};

	pthread_mutex_lock(&feed->lock);
	feed->closing = true;
	pthread_mutex_unlock(&feed->lock);
	flights_stop(feed->flights);
	pthread_mutex_lock(&feed->lock);
	while (feed->inside > 0)
		pthread_cond_wait(&feed->change, &feed->lock);
	while (!feed->ended && pthread_cond_timedwait(&feed->change, &feed->lock, &at) != ETIMEDOUT)
		continue;
	if (!feed->ended)
		atomic_fetch_add(&ending, 1);
	feed_disown(feed);
}
