/*
 * backend.h - where questions go that the cache cannot answer.
 *
 * A backend is given questions, each with a ticket, and settles each ticket once, at once or later, from any thread.
 * Nobody calls a question back: what is not wanted any more is settled all the same, and only then its place is free.
 */
#ifndef SEKISHO_DNS_BACKEND_H
#define SEKISHO_DNS_BACKEND_H

#include "name.h"

struct backend {
	/* Sees that the ticket is settled, perhaps before it returns. With places: always called from the same thread,
	 * which is the feed's own, so it may block. The question is valid until it returns. */
	void (*start)(struct backend *, const struct question *, void *ticket);
	/* Frees the backend and ends its threads. With places: called from that thread, too. What it settles from now
	 * on reaches nobody, so it may leave tickets as they are. */
	void (*close)(struct backend *);
	/* See resolver_warning; may be NULL. */
	const char *(*warning)(struct backend *);
	/* Questions it can hold at once. 0: any number; then `start` must not block. */
	unsigned places;

	/* Set by resolver_new: what the servers said, and for how long it is true. The draft's texts are copied. */
	void (*settle)(void *keeper, void *ticket, const struct dns_answer *draft, int64_t ttl_us);
	void *keeper;
};

static inline void backend_settle(struct backend *backend, void *ticket, const struct dns_answer *draft, int64_t ttl_us)
{
	backend->settle(backend->keeper, ticket, draft, ttl_us);
}

struct backend *zone_backend(struct slice zone, const char *name, struct error *err);
struct backend *unbound_backend(const struct resolver_settings *, struct error *err);

#endif
