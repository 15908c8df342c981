/*
 * resolver.c - cache, flights and a backend put together.
 *
 * A question goes: cache, else join its flight, else start one. Who waits for a
 * flight that is overdue settles it himself as timed out; flights for which nobody waits
 * are swept up when new ones start. So no thread is needed to keep the time, and what is in
 * flight stays bounded.
 */
#include <stdlib.h>

#include "resolver.h"

#define SWEEP 4 /* overdue flights settled before each start: more than one, so that they cannot pile up */

struct stripe {
	_Alignas(64) atomic_uint_least64_t counts[COUNTS];
};

struct resolver {
	struct stripe stripes[RESOLVER_STRIPES];
	atomic_uint owners;
	atomic_uint next_stripe;
	uint64_t seed;
	int64_t timeout_us;
	bool hints_off;
	char *name;
	struct cache *cache;
	struct flights *flights;
	struct backend *backend;
};

struct resolver *resolver_new(struct backend *backend, const char *name, int64_t timeout_us, size_t cache_entries)
{
	struct resolver *resolver = aligned_alloc(64, sizeof(*resolver));

	if (!resolver)
		die("no memory for the resolver");
	*resolver = (struct resolver){.seed = random_seed(), .timeout_us = timeout_us, .backend = backend};
	atomic_init(&resolver->owners, 1);
	resolver->name = xstrdup(name);
	resolver->cache = cache_new(cache_entries);
	resolver->flights = flights_new();
	backend->resolver = resolver;
	return resolver;
}

void resolver_hints_off(struct resolver *resolver)
{
	resolver->hints_off = true;
}

bool resolver_hints(const struct resolver *resolver)
{
	return !resolver->hints_off;
}

struct resolver *resolver_hold(struct resolver *resolver)
{
	atomic_fetch_add_explicit(&resolver->owners, 1, memory_order_relaxed);
	return resolver;
}

static const struct dns_answer timed_out = {.status = DNS_TEMPFAIL, .reason = DNS_TIMEOUT};

/* The resolver's patience with a flight is over: those who wait for it hear so. */
static void resolver_expire(struct resolver *resolver, struct flight *flight)
{
	if (!flight_give_up(resolver->flights, flight))
		return;
	if (!resolver->backend->cancel(resolver->backend, flight))
		flight_hold(resolver->flights, flight); /* the backend lets go of its own when it settles */
	resolver_settle(resolver, flight, &timed_out, TTL_TEMPFAIL_US);
}

void resolver_release(struct resolver *resolver)
{
	struct flight *flight;

	if (!resolver || atomic_fetch_sub_explicit(&resolver->owners, 1, memory_order_acq_rel) != 1)
		return;
	/* No budget is left, so what is still in flight is what hints began. */
	while ((flight = flight_overdue(resolver->flights, INT64_MAX))) {
		resolver_expire(resolver, flight);
		flight_leave(resolver->flights, flight);
	}
	resolver->backend->close(resolver->backend);
	flights_free(resolver->flights);
	cache_free(resolver->cache);
	free(resolver->name);
	free(resolver);
}

const char *resolver_name(const struct resolver *resolver)
{
	return resolver->name;
}

const char *resolver_warning(const struct resolver *resolver)
{
	struct backend *backend = resolver->backend;

	return backend->warning ? backend->warning(backend) : NULL;
}

uint64_t resolver_hash_seed(const struct resolver *resolver)
{
	return resolver->seed;
}

/* ---- counters --------------------------------------------------------------------- */

unsigned resolver_stripe(struct resolver *resolver)
{
	return atomic_fetch_add_explicit(&resolver->next_stripe, 1, memory_order_relaxed) % RESOLVER_STRIPES;
}

void resolver_count(struct resolver *resolver, unsigned stripe, enum resolver_count count)
{
	atomic_fetch_add_explicit(&resolver->stripes[stripe].counts[count], 1, memory_order_relaxed);
}

static uint64_t counter_sum(const struct resolver *resolver, enum resolver_count count)
{
	uint64_t sum = 0;

	for (int i = 0; i < RESOLVER_STRIPES; i++)
		sum += atomic_load_explicit(&resolver->stripes[i].counts[count], memory_order_relaxed);
	return sum;
}

void resolver_counters(const struct resolver *resolver, struct resolver_counters *counters_r)
{
	*counters_r = (struct resolver_counters){
	    .questions = counter_sum(resolver, COUNT_QUESTIONS),
	    .cache_hits = counter_sum(resolver, COUNT_HITS),
	    .joined = counter_sum(resolver, COUNT_JOINED),
	    .asked = counter_sum(resolver, COUNT_ASKED),
	    .tempfails = counter_sum(resolver, COUNT_TEMPFAILS),
	    .timeouts = counter_sum(resolver, COUNT_TIMEOUTS),
	    .stale = counter_sum(resolver, COUNT_STALE),
	    .cache_entries = cache_entries(resolver->cache),
	};
}

/* ---- the way of a question ----------------------------------------------------------- */

struct answer *resolver_known(struct resolver *resolver, const struct question *question, unsigned stripe)
{
	int64_t now = clock_us();
	struct answer *answer = cache_find(resolver->cache, question, now);

	if (!answer)
		return NULL;
	if (!answer_is_fresh(answer, now)) {
		answer_release(answer);
		return NULL;
	}
	resolver_count(resolver, stripe, COUNT_HITS);
	return answer;
}

void resolver_settle(struct resolver *resolver, struct flight *flight, const struct dns_answer *draft, int64_t ttl_us)
{
	/* The cache first: who finds no flight any more finds the answer there. */
	struct answer *answer = cache_settle(resolver->cache, &flight->question, draft, ttl_us, clock_us());
	flight_land(resolver->flights, flight, answer);
	answer_release(answer);
	flight_leave(resolver->flights, flight);
}

static void resolver_sweep(struct resolver *resolver)
{
	struct flight *flight;
	int64_t now = clock_us();

	for (int i = 0; i < SWEEP && (flight = flight_overdue(resolver->flights, now)); i++) {
		resolver_expire(resolver, flight);
		flight_leave(resolver->flights, flight);
	}
}

struct flight *resolver_send(struct resolver *resolver, const struct question *question, unsigned stripe)
{
	bool first;

	resolver_sweep(resolver);
	struct flight *flight = flight_join(resolver->flights, question, clock_us() + resolver->timeout_us, &first);
	if (!flight)
		return NULL;
	if (!first) {
		resolver_count(resolver, stripe, COUNT_JOINED);
		return flight;
	}
	/* Another flight may have landed between the look into the cache and here. */
	struct answer *answer = resolver_known(resolver, question, stripe);
	if (answer) {
		flight_land(resolver->flights, flight, answer);
		answer_release(answer);
		return flight;
	}
	resolver_count(resolver, stripe, COUNT_ASKED);
	flight_hold(resolver->flights, flight); /* the backend's, until it settles it */
	flight->backend = resolver->backend;
	resolver->backend->start(resolver->backend, flight);
	return flight;
}

struct answer *resolver_await(struct resolver *resolver, struct flight *flight, int64_t until_us)
{
	int64_t patience = flight->overdue_us;
	struct answer *answer = flight_wait(resolver->flights, flight, until_us < patience ? until_us : patience);

	if (!answer && until_us >= patience) {
		resolver_expire(resolver, flight); /* or another one does, in a moment */
		answer = flight_wait(resolver->flights, flight, patience + SECOND_US);
	}
	return answer ? answer : cache_fallback(resolver->cache, &flight->question, clock_us());
}

void resolver_leave(struct resolver *resolver, struct flight *flight)
{
	if (flight)
		flight_leave(resolver->flights, flight);
}
