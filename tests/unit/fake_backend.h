/*
 * fake_backend.h - a backend for tests, which answers as slowly and as badly as the test says.
 *
 * It holds tickets until a thread of its own has waited delay_us, or for ever
 * (delay_us < 0), and settles them with `draft`; without a delay it settles at once.
 * With places it is fed by a thread of the resolver, as a real one is.
 */
#ifndef SEKISHO_TEST_FAKE_BACKEND_H
#define SEKISHO_TEST_FAKE_BACKEND_H

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../filter/dns/resolver.h"

#define FAKE_HELD_MAX 8192

struct fake {
	struct backend backend; /* first */
	_Atomic int64_t delay_us;
	int64_t ttl_us;
	struct dns_answer draft;
	atomic_uint started;
	atomic_uint held_most; /* at once, so far */
	atomic_bool *stuck;    /* start and close do not return as long as it is true; outlives the fake */
	atomic_bool *closed;   /* set when the resolver closes it; the fake itself is then gone */
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct fake_held {
		void *ticket;
		int64_t due_us;
	} held[FAKE_HELD_MAX];
	size_t count;
	bool stopping;
	pthread_t thread;
};

static void fake_settle(struct fake *fake, void *ticket)
{
	backend_settle(&fake->backend, ticket, &fake->draft, fake->ttl_us);
}

static void fake_wait_while_stuck(struct fake *fake)
{
	while (fake->stuck && atomic_load(fake->stuck))
		usleep(1000);
}

static void fake_start(struct backend *backend, const struct question *question, void *ticket)
{
	struct fake *fake = (struct fake *)backend;

	(void)question;
	atomic_fetch_add(&fake->started, 1);
	fake_wait_while_stuck(fake);
	if (fake->delay_us == 0) {
		fake_settle(fake, ticket);
		return;
	}
	pthread_mutex_lock(&fake->lock);
	if (fake->count == FAKE_HELD_MAX)
		die("the fake backend holds too much");
	fake->held[fake->count++] =
	    (struct fake_held){ticket, fake->delay_us < 0 ? INT64_MAX : clock_us() + fake->delay_us};
	if (fake->count > atomic_load(&fake->held_most))
		atomic_store(&fake->held_most, fake->count);
	pthread_cond_signal(&fake->change);
	pthread_mutex_unlock(&fake->lock);
}

/* Takes one ticket that is due; NULL when none is. */
static void *fake_due(struct fake *fake, int64_t now_us)
{
	for (size_t i = 0; i < fake->count; i++)
		if (fake->held[i].due_us <= now_us) {
			void *ticket = fake->held[i].ticket;
			fake->held[i] = fake->held[--fake->count];
			return ticket;
		}
	return NULL;
}

/* Settles the one that it holds for longest, although it is not due. */
static inline void fake_settle_one(struct fake *fake)
{
	pthread_mutex_lock(&fake->lock);
	void *ticket = fake_due(fake, INT64_MAX);
	pthread_mutex_unlock(&fake->lock);
	if (ticket)
		fake_settle(fake, ticket);
}

static void *fake_run(void *fake_)
{
	struct fake *fake = fake_;

	pthread_mutex_lock(&fake->lock);
	while (!fake->stopping) {
		void *ticket = fake_due(fake, clock_us());
		if (!ticket && fake->count == 0) {
			pthread_cond_wait(&fake->change, &fake->lock);
			continue;
		}
		pthread_mutex_unlock(&fake->lock);
		if (ticket)
			fake_settle(fake, ticket);
		else
			usleep(200);
		pthread_mutex_lock(&fake->lock);
	}
	pthread_mutex_unlock(&fake->lock);
	return NULL;
}

static void fake_close(struct backend *backend)
{
	struct fake *fake = (struct fake *)backend;

	fake_wait_while_stuck(fake);
	pthread_mutex_lock(&fake->lock);
	fake->stopping = true;
	pthread_cond_signal(&fake->change);
	pthread_mutex_unlock(&fake->lock);
	pthread_join(fake->thread, NULL);
	if (fake->closed)
		atomic_store(fake->closed, true);
	pthread_mutex_destroy(&fake->lock);
	pthread_cond_destroy(&fake->change);
	free(fake);
}

static struct fake *fake_new(int64_t delay_us)
{
	static const struct dns_record record = {.text = {"v=spf1 -all", 11}, .strings = 1};
	struct fake *fake = xmalloc(sizeof(*fake));

	fake->backend = (struct backend){.start = fake_start, .close = fake_close};
	fake->delay_us = delay_us;
	fake->ttl_us = 60 * SECOND_US;
	fake->draft = (struct dns_answer){.status = DNS_OK, .count = 1, .records = &record};
	pthread_mutex_init(&fake->lock, NULL);
	pthread_cond_init(&fake->change, NULL);
	if (pthread_create(&fake->thread, NULL, fake_run, fake) != 0)
		die("no thread for the fake backend");
	return fake;
}

static inline struct resolver *fake_resolver(struct fake *fake, int64_t timeout_us, size_t cache_entries)
{
	struct error err;

	return resolver_new(&fake->backend, "fake", timeout_us, cache_entries, &err);
}

#endif
