/*
 * order.h - keys in order, for a table that has none: a skip list. The caller locks.
 */
#ifndef SEKISHO_STORE_ORDER_H
#define SEKISHO_STORE_ORDER_H

#include "store.h"

#define ORDER_LEVELS 16 /* enough for some billion keys, as a level has a quarter of the keys of the one below */

struct order_node;

struct order {
	struct order_node *first[ORDER_LEVELS];
	struct order_node *hand; /* of order_turn; NULL: the first */
	uint64_t random;
	size_t bytes; /* of all keys, with what they cost */
};

void order_init(struct order *, uint64_t seed);
void order_clear(struct order *);

void order_add(struct order *, struct slice key);    /* copied; nothing when it is there */
void order_remove(struct order *, struct slice key); /* nothing when it is not there; may be a key of the order */
/* The first key after `key`, or from it on; p is NULL: there is none. It is valid until it is removed. */
struct slice order_find(const struct order *, struct slice key, bool after);
/* Another key with each call, and after the last one the first; p is NULL: there are none. */
struct slice order_turn(struct order *);

#endif
