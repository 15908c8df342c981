/*
 * resolver.h - the resolver as the DNS room sees it: what budgets ask, what
 * backends answer to.
 *
 * A backend is where questions go that the cache cannot answer. It is given
 * flights to start and settles each with a draft of an answer, at once or later,
 * from any thread.
 */
#ifndef SEKISHO_DNS_RESOLVER_H
#define SEKISHO_DNS_RESOLVER_H

#include "cache.h"
#include "flight.h"

struct backend {
	/* Calls resolver_settle for the flight exactly once, perhaps before it returns; not when cancel said true. */
	void (*start)(struct backend *, struct flight *);
	/* Nobody wants the flight any more. True: it will not be settled. */
	bool (*cancel)(struct backend *, struct flight *);
	/* Frees the backend. No flight is under way any more that it did not agree to cancel. */
	void (*close)(struct backend *);
	/* See resolver_warning; may be NULL. */
	const char *(*warning)(struct backend *);
	struct resolver *resolver; /* set by resolver_new */
};

/* A resolver before a backend of one's own, which it closes at its end. `name` is copied. */
struct resolver *resolver_new(struct backend *, const char *name, int64_t timeout_us, size_t cache_entries);

/* What the servers said, and for how long it is true. The draft's texts are copied. */
void resolver_settle(struct resolver *, struct flight *, const struct dns_answer *draft, int64_t ttl_us);

/* The backends. */
struct backend *zone_backend(struct slice zone, const char *name, struct error *err);
struct backend *unbound_backend(const struct resolver_settings *, struct error *err);

/* ---- for budgets ---------------------------------------------------------------- */

void resolver_hints_off(struct resolver *);
bool resolver_hints(const struct resolver *);

#define RESOLVER_STRIPES 16 /* counters stand apart, so that threads do not fight for one line of memory */

enum resolver_count {
	COUNT_QUESTIONS,
	COUNT_HITS,
	COUNT_JOINED,
	COUNT_ASKED,
	COUNT_TEMPFAILS,
	COUNT_TIMEOUTS,
	COUNT_STALE,
	COUNTS
};

unsigned resolver_stripe(struct resolver *); /* one for each budget, in turn */
void resolver_count(struct resolver *, unsigned stripe, enum resolver_count);
uint64_t resolver_hash_seed(const struct resolver *);

/* The answer the cache has, held, or NULL. */
struct answer *resolver_known(struct resolver *, const struct question *, unsigned stripe);

/* Sees that the question is on its way; the flight is the caller's to leave. NULL: too many are. */
struct flight *resolver_send(struct resolver *, const struct question *, unsigned stripe);

/* Waits for it, not beyond until_us. The answer, held, or NULL: until_us has passed and nothing better is known. */
struct answer *resolver_await(struct resolver *, struct flight *, int64_t until_us);
void resolver_leave(struct resolver *, struct flight *); /* NULL is allowed */

#endif
