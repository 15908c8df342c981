/*
 * fake_backend.h - a backend for tests, which answers as slowly and as badly as it is told.
 *
 * It holds flights until a thread of its own has waited delay_us, or for ever
 * (delay_us < 0), and settles them with `draft`; without a delay it settles at once.
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
	int64_t delay_us, ttl_us;
	struct dns_answer draft;
	atomic_uint started, cancelled;
	atomic_uint *cancels; /* counts what was cancelled, also when it refused; outlives the fake */
	atomic_bool *closed;  /* set when the resolver closes it; the fake itself is then gone */
	bool refuses_cancel;  /* as a backend whose answer is just coming in */
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct fake_held {
		struct flight *flight;
		int64_t due_us;
	} held[FAKE_HELD_MAX];
	size_t count;
	bool stopping;
	pthread_t thread;
};

static void fake_settle(struct fake *fake, struct flight *flight)
{
	resolver_settle(fake->backend.resolver, flight, &fake->draft, fake->ttl_us);
}

static void fake_start(struct backend *backend, struct flight *flight)
{
	struct fake *fake = (struct fake *)backend;

	atomic_fetch_add(&fake->started, 1);
	if (fake->delay_us == 0) {
		fake_settle(fake, flight);
		return;
	}
	pthread_mutex_lock(&fake->lock);
	if (fake->count == FAKE_HELD_MAX)
		die("the fake backend holds too much");
	fake->held[fake->count++] =
	    (struct fake_held){flight, fake->delay_us < 0 ? INT64_MAX : clock_us() + fake->delay_us};
	pthread_cond_signal(&fake->change);
	pthread_mutex_unlock(&fake->lock);
}

static bool fake_cancel(struct backend *backend, struct flight *flight)
{
	struct fake *fake = (struct fake *)backend;
	bool found = false;

	if (fake->cancels) {
		atomic_fetch_add(fake->cancels, 1);
		usleep(20000); /* so that others come meanwhile, if they can */
	}
	pthread_mutex_lock(&fake->lock);
	for (size_t i = 0; i < fake->count && !found && !fake->refuses_cancel; i++)
		if (fake->held[i].flight == flight) {
			fake->held[i] = fake->held[--fake->count];
			found = true;
		}
	pthread_mutex_unlock(&fake->lock);
	if (found)
		atomic_fetch_add(&fake->cancelled, 1);
	return found;
}

/* Takes one flight that is due; NULL when none is. */
static struct flight *fake_due(struct fake *fake, int64_t now_us)
{
	for (size_t i = 0; i < fake->count; i++)
		if (fake->held[i].due_us <= now_us) {
			struct flight *flight = fake->held[i].flight;
			fake->held[i] = fake->held[--fake->count];
			return flight;
		}
	return NULL;
}

static void *fake_run(void *fake_)
{
	struct fake *fake = fake_;

	pthread_mutex_lock(&fake->lock);
	while (!fake->stopping) {
		struct flight *flight = fake_due(fake, clock_us());
		if (!flight && fake->count == 0) {
			pthread_cond_wait(&fake->change, &fake->lock);
			continue;
		}
		pthread_mutex_unlock(&fake->lock);
		if (flight)
			fake_settle(fake, flight);
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
	struct flight *flight;

	pthread_mutex_lock(&fake->lock);
	fake->stopping = true;
	pthread_cond_signal(&fake->change);
	pthread_mutex_unlock(&fake->lock);
	pthread_join(fake->thread, NULL);
	while ((flight = fake_due(fake, INT64_MAX))) /* what it refused to cancel */
		fake_settle(fake, flight);
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

	fake->backend = (struct backend){.start = fake_start, .cancel = fake_cancel, .close = fake_close};
	fake->delay_us = delay_us;
	fake->ttl_us = 60 * SECOND_US;
	fake->draft = (struct dns_answer){.status = DNS_OK, .count = 1, .records = &record};
	pthread_mutex_init(&fake->lock, NULL);
	pthread_cond_init(&fake->change, NULL);
	if (pthread_create(&fake->thread, NULL, fake_run, fake) != 0)
		die("no thread for the fake backend");
	return fake;
}

#endif
