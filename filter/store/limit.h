/*
 * limit.h - how a limit reads and writes the value of its key.
 */
#ifndef SEKISHO_STORE_LIMIT_H
#define SEKISHO_STORE_LIMIT_H

#include "members.h"

struct limit_view {
	struct window window;
	uint64_t amount; /* that would be added: 0 for a member that is counted already */
	bool fits;
};

/* A value, malloc'ed, for a table to adopt. p NULL: the key is to be removed. */
struct limit_value {
	char *p;
	size_t n;
	int64_t expires;
};

enum store_kind limit_kind(const struct store_limit *);
/* `seed` of the hashes of members. An empty value counts nothing. */
void limit_look(const struct store_limit *, struct slice value, uint64_t seed, int64_t now, struct limit_view *view_r);
void limit_usage(const struct store_limit *, const struct limit_view *, int64_t now, struct store_usage *usage_r);
/* The value with the reservation that limit_look found to fit; the view then counts it, too. */
struct limit_value limit_take(const struct store_limit *, struct slice value, uint64_t seed, int64_t now,
			      struct limit_view *);
/* The value without what was reserved at that time. */
struct limit_value limit_return(const struct store_limit *, struct slice value, uint64_t seed, int64_t now,
				int64_t at_us);

#endif
