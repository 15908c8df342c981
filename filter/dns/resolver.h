/*
 * resolver.h - the resolver as the DNS room sees it: what budgets ask.
 */
#ifndef SEKISHO_DNS_RESOLVER_H
#define SEKISHO_DNS_RESOLVER_H

#include "backend.h"
#include "cache.h"
#include "flight.h"

/* A resolver before a backend of one's own, which it closes at its end. `name` is copied. NULL and err: no thread can
 * be started; the backend is closed then. */
struct resolver *resolver_new(struct backend *, const char *name, int64_t timeout_us, size_t cache_entries,
			      struct error *err);

void resolver_hints_off(struct resolver *);
bool resolver_hints(const struct resolver *);

#define RESOLVER_STRIPES 16 /* counters are apart, so that threads do not fight for one line of memory */

enum resolver_count {
	COUNT_QUESTIONS,
	COUNT_HITS,
	COUNT_JOINED,
	COUNT_ASKED,
	COUNT_TEMPFAILS,
	COUNT_TIMEOUTS,
	COUNT_STALE,
	COUNT_ANSWERED,
	COUNT_FAILURES, /* one for each enum dns_reason */
	COUNTS = COUNT_FAILURES + DNS_REASONS
};

unsigned resolver_stripe(struct resolver *); /* one for each budget, in turn */
void resolver_count(struct resolver *, unsigned stripe, enum resolver_count);
uint64_t resolver_hash_seed(const struct resolver *);

/* The answer the cache has, held, or NULL. */
struct answer *resolver_known(struct resolver *, const struct question *, unsigned stripe);

/* Sees that the question is on its way; the flight is the caller's to leave. NULL: too many are, or it is a hint for
 * which there is no place. */
struct flight *resolver_send(struct resolver *, const struct question *, struct intent, unsigned stripe);

bool resolver_has_landed(struct resolver *, struct flight *); /* then resolver_await does not wait */
/* Waits for it, not beyond until_us. The answer, held, or NULL: until_us has passed and nothing better is known. */
struct answer *resolver_await(struct resolver *, struct flight *, uint64_t whose, int64_t until_us);
void resolver_leave(struct resolver *, struct flight *); /* NULL is allowed */

#endif
