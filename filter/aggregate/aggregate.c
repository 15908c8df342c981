/*
 * aggregate.c - the thread that moves rows to the store, and what is known of it.
 */
#include "aggregate_private.h"

#include <stdlib.h>
#include <time.h>

static struct timespec time_of(int64_t us)
{
	return (struct timespec){us / 1000000, us % 1000000 * 1000};
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void *run(void *aggregate_)
{
	struct aggregate *aggregate = aggregate_;
	bool stop = false;

	while (!stop) {
		struct timespec until = time_of(clock_us() + FLUSH_US);
		uint64_t number;
		int rc = 0;

		pthread_mutex_lock(&aggregate->lock);
		while (!aggregate->stop && aggregate->asked == aggregate->answered && rc == 0)
			rc = pthread_cond_timedwait(&aggregate->wanted, &aggregate->lock, &until);
		stop = aggregate->stop;
		number = aggregate->asked;
		pthread_mutex_unlock(&aggregate->lock);
		if (atomic_load_explicit(&aggregate->rows, memory_order_relaxed) > 0)
			flush_rows(aggregate);
		pthread_mutex_lock(&aggregate->lock);
		aggregate->answered = number;
		if (atomic_load(&aggregate->unanswered))
			aggregate->failed = number;
		pthread_cond_broadcast(&aggregate->done);
		pthread_mutex_unlock(&aggregate->lock);
	}
	return NULL;
}

enum store_answer aggregate_flush(struct aggregate *aggregate, int64_t deadline_us)
{
	struct timespec until = time_of(deadline_us);
	uint64_t number;
	bool done;
	int rc = 0;

	pthread_mutex_lock(&aggregate->lock);
	number = ++aggregate->asked;
	pthread_cond_signal(&aggregate->wanted);
	while (aggregate->answered < number && rc == 0)
		rc = pthread_cond_timedwait(&aggregate->done, &aggregate->lock, &until);
	done = aggregate->answered >= number && aggregate->failed < number;
	pthread_mutex_unlock(&aggregate->lock);
	return done ? store_flush(aggregate->store, deadline_us) : STORE_UNAVAILABLE;
}

/* ---- opening and closing ------------------------------------------------------------------------ */

static char *text_of(struct slice text)
{
	char *copy = xmalloc(text.n + 1);

	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	return copy;
}

void aggregate_set(struct aggregate *aggregate, const struct aggregate_settings *settings)
{
	char *const fresh[] = {text_of(settings->organization), text_of(settings->email), text_of(settings->contact)};
	char *old[3];

	pthread_mutex_lock(&aggregate->lock);
	old[0] = aggregate->settings.organization;
	old[1] = aggregate->settings.email;
	old[2] = aggregate->settings.contact;
	aggregate->settings.organization = fresh[0];
	aggregate->settings.email = fresh[1];
	aggregate->settings.contact = fresh[2];
	pthread_mutex_unlock(&aggregate->lock);
	for (size_t i = 0; i < 3; i++)
		free(old[i]);
}

static void aggregate_free(struct aggregate *aggregate)
{
	for (size_t i = 0; i < SHARDS; i++) {
		for (size_t j = 0; j < BUCKETS; j++)
			for (struct waiting *waiting = aggregate->shards[i].buckets[j], *next; waiting;
			     waiting = next) {
				next = waiting->next;
				free(waiting);
			}
		free(aggregate->shards[i].buckets);
		pthread_mutex_destroy(&aggregate->shards[i].lock);
	}
	for (struct waiting *waiting = aggregate->pending, *next; waiting; waiting = next) {
		next = waiting->next;
		free(waiting);
	}
	free(aggregate->settings.organization);
	free(aggregate->settings.email);
	free(aggregate->settings.contact);
	pthread_cond_destroy(&aggregate->wanted);
	pthread_cond_destroy(&aggregate->done);
	pthread_mutex_destroy(&aggregate->lock);
	free(aggregate);
}

static void locks_init(struct aggregate *aggregate)
{
	pthread_condattr_t attributes;

	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&aggregate->shards[i].lock, NULL);
		aggregate->shards[i].buckets = xmalloc(BUCKETS * sizeof(struct waiting *));
	}
	pthread_mutex_init(&aggregate->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&aggregate->wanted, &attributes);
	pthread_cond_init(&aggregate->done, &attributes);
	pthread_condattr_destroy(&attributes);
}

int aggregate_library(struct error *err)
{
	return xml_library_open(err) ? 0 : -1;
}

struct aggregate *aggregate_open(struct store *store, const struct aggregate_settings *settings, struct error *err)
{
	const struct xml_library *xml2 = xml_library_open(err);
	struct aggregate *aggregate;
	int rc;

	if (!xml2)
		return NULL;
	aggregate = aligned_alloc(_Alignof(struct aggregate), sizeof(*aggregate));
	if (!aggregate)
		die("out of memory: reports");
	memset(aggregate, 0, sizeof(*aggregate));
	aggregate->store = store;
	aggregate->xml2 = xml2;
	aggregate->seed = random_seed();
	locks_init(aggregate);
	aggregate_set(aggregate, settings);
	rc = pthread_create(&aggregate->thread, NULL, run, aggregate);
	if (rc == 0)
		return aggregate;
	error_set(err, "cannot start the thread that keeps data for DMARC reports: %s", strerror(rc));
	aggregate_free(aggregate);
	return NULL;
}

void aggregate_close(struct aggregate *aggregate)
{
	if (!aggregate)
		return;
	pthread_mutex_lock(&aggregate->lock);
	aggregate->stop = true;
	pthread_cond_signal(&aggregate->wanted);
	pthread_mutex_unlock(&aggregate->lock);
	pthread_join(aggregate->thread, NULL);
	aggregate_free(aggregate);
}

/* ---- state -------------------------------------------------------------------------------------- */

void aggregate_counters(struct aggregate *aggregate, struct aggregate_counters *counters_r)
{
	*counters_r = (struct aggregate_counters){.messages = atomic_load(&aggregate->messages),
						  .waiting = atomic_load(&aggregate->rows),
						  .lost = atomic_load(&aggregate->lost)};
}

bool aggregate_trouble(struct aggregate *aggregate, int64_t now_us, struct error *line_r)
{
	uint64_t lost = atomic_load(&aggregate->lost);
	bool crowded = atomic_load(&aggregate->crowded);
	bool trouble = crowded || atomic_load(&aggregate->unanswered) || lost != aggregate->told_lost;

	if (aggregate->in_trouble ? now_us - aggregate->told_at < TELL_US : !trouble)
		return false;
	if (!trouble)
		error_set(line_r, "the data for DMARC reports is stored again; messages that are in no report: %llu",
			  (unsigned long long)lost);
	else if (crowded)
		error_set(
		    line_r,
		    "half of the store is in use, so it gets no more data for DMARC reports until some expires; "
		    "raise at-most of store, or maxmemory of a Redis server; messages that will be in no report: %llu",
		    (unsigned long long)(lost - aggregate->told_lost));
	else
		error_set(line_r,
			  "the store does not take the data for DMARC reports fast enough; messages that will be in no "
			  "report: %llu, rows that wait: %llu",
			  (unsigned long long)(lost - aggregate->told_lost),
			  (unsigned long long)atomic_load(&aggregate->rows));
	aggregate->in_trouble = trouble;
	aggregate->told_at = now_us;
	aggregate->told_lost = lost;
	return true;
}
