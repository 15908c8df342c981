/*
 * resolver.c - cache, flights and a backend put together.
 *
 * A question goes: cache, else join its flight, else make one. Who waits for a
 * flight that is overdue settles it himself as timed out; flights for which nobody waits
 * are swept up when new ones start. So no thread is needed to keep the time, and what is in
 * flight stays bounded.
 *
 * A backend with places is fed by a thread (feed.h); any other is asked by whoever makes the flight.
 */
#include <stdlib.h>

#include "feed.h"
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
	bool hints_off;
	char *name;
	struct cache *cache;
	struct flights *flights;
	struct backend *backend;
	struct feed *feed; /* NULL: the backend has no places and never blocks */
};

/* What the servers said. The cache first: who finds no flight any more finds the answer there. */
static void resolver_settle(void *resolver_, void *ticket, const struct dns_answer *draft, int64_t ttl_us)
{
	struct resolver *resolver = resolver_;
	struct flight *flight = ticket;
	struct answer *answer = cache_settle(resolver->cache, &flight->question, draft, ttl_us, clock_us());

	if (draft->status != DNS_TEMPFAIL)
		resolver_count(resolver, 0, COUNT_ANSWERED);
	flight_land(resolver->flights, flight, answer);
	answer_release(answer);
	flight_return(resolver->flights, flight);
}

static void resolver_free(struct resolver *resolver)
{
	flights_free(resolver->flights);
	cache_free(resolver->cache);
	free(resolver->name);
	free(resolver);
}

struct resolver *resolver_new(struct backend *backend, const char *name, int64_t timeout_us, size_t cache_entries,
			      struct error *err)
{
	struct resolver *resolver = aligned_alloc(64, sizeof(*resolver));

	if (!resolver)
		die("no memory for the resolver");
	*resolver = (struct resolver){.seed = random_seed(), .backend = backend};
	atomic_init(&resolver->owners, 1);
	resolver->name = xstrdup(name);
	resolver->cache = cache_new(cache_entries);
	resolver->flights = flights_new(backend->places, timeout_us);
	backend->settle = resolver_settle;
	backend->keeper = resolver;
	if (backend->places == 0)
		return resolver;
	resolver->feed = feed_new(backend, resolver->flights, (struct feed_sink){resolver_settle, resolver});
	if (resolver->feed)
		return resolver;
	error_set(err, "the resolver cannot start its thread: the system's limit of threads is reached");
	backend->close(backend);
	resolver_free(resolver);
	return NULL;
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

/* That we were too busy to ask says nothing of the name: the next one who wants it may have a place. */
static struct answer *crowded_answer(struct resolver *resolver, const struct question *question)
{
	static const struct dns_answer crowded = {.status = DNS_TEMPFAIL, .reason = DNS_CROWDED};
	struct answer *known = cache_fallback(resolver->cache, question, clock_us());

	return known ? known : answer_new(question, &crowded);
}

/* The resolver's patience with a flight is over: those who wait for it hear so. */
static void resolver_expire(struct resolver *resolver, struct flight *flight)
{
	static const struct dns_answer timed_out = {.status = DNS_TEMPFAIL, .reason = DNS_TIMEOUT};
	int64_t now = clock_us();
	enum dns_reason reason = flight_give_up(resolver->flights, flight, now);
	struct answer *answer;

	if (reason == DNS_NO_REASON)
		return;
	if (reason == DNS_CROWDED)
		answer = crowded_answer(resolver, &flight->question);
	else
		answer = cache_settle(resolver->cache, &flight->question, &timed_out, TTL_TEMPFAIL_US, now);
	flight_land(resolver->flights, flight, answer);
	answer_release(answer);
}

void resolver_release(struct resolver *resolver)
{
	if (!resolver || atomic_fetch_sub_explicit(&resolver->owners, 1, memory_order_acq_rel) != 1)
		return;
	/* No budget is left, so nobody waits for what is still in flight. */
	if (resolver->feed)
		feed_close(resolver->feed);
	else
		resolver->backend->close(resolver->backend);
	resolver_free(resolver);
}

unsigned resolvers_ending(void)
{
	return feeds_ending();
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
	    .answered = counter_sum(resolver, COUNT_ANSWERED),
	    .cache_entries = cache_entries(resolver->cache),
	};
	for (int i = 0; i < DNS_REASONS; i++)
		counters_r->failures[i] = counter_sum(resolver, (enum resolver_count)(COUNT_FAILURES + i));
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

static void resolver_sweep(struct resolver *resolver)
{
	struct flight *flight;
	int64_t now = clock_us();

	for (int i = 0; i < SWEEP && (flight = flight_overdue(resolver->flights, now)); i++) {
		resolver_expire(resolver, flight);
		flight_leave(resolver->flights, flight);
	}
}

/* Another flight has landed between the look into the cache and the new flight. */
static void flight_known(struct resolver *resolver, struct flight *flight, struct answer *answer)
{
	flight_land(resolver->flights, flight, answer);
	answer_release(answer);
	if (!resolver->feed)
		flight_return(resolver->flights, flight); /* the backend never sees it */
}

struct flight *resolver_send(struct resolver *resolver, const struct question *question, struct intent intent,
			     unsigned stripe)
{
	bool first;

	resolver_sweep(resolver);
	struct flight *flight = flight_join(resolver->flights, question, intent, &first);
	if (!flight)
		return NULL;
	if (!first) {
		resolver_count(resolver, stripe, COUNT_JOINED);
		return flight;
	}
	struct answer *answer = resolver_known(resolver, question, stripe);
	if (answer) {
		flight_known(resolver, flight, answer);
		return flight;
	}
	resolver_count(resolver, stripe, COUNT_ASKED);
	if (!resolver->feed)
		resolver->backend->start(resolver->backend, question, flight);
	return flight;
}

bool resolver_has_landed(struct resolver *resolver, struct flight *flight)
{
	return flight_has_landed(resolver->flights, flight);
}

struct answer *resolver_await(struct resolver *resolver, struct flight *flight, uint64_t whose, int64_t until_us)
{
	struct answer *answer;

	while (!(answer = flight_wait(resolver->flights, flight, whose, until_us)) && clock_us() < until_us)
		resolver_expire(resolver, flight); /* or another one does, and it lands in a moment */
	return answer ? answer : cache_fallback(resolver->cache, &flight->question, clock_us());
}

void resolver_leave(struct resolver *resolver, struct flight *flight)
{
	if (flight)
		flight_leave(resolver->flights, flight);
}
