/*
 * selection.h - the smallest keys with a prefix, after a given one, of keys that come in any order: a page of a store
 * that has no order.
 */
#ifndef SEKISHO_STORE_SELECTION_H
#define SEKISHO_STORE_SELECTION_H

#include "store.h"

struct selection {
	struct arena *arena;
	struct slice prefix, after;
	struct slice *keys; /* sorted, in the arena */
	size_t count, room;
};

/* Negative, 0 or positive, as of memcmp; a key is before those that it begins. */
int key_order(struct slice, struct slice);

struct selection selection_of(struct slice prefix, struct slice after, size_t room, struct arena *);
/* Takes a copy of the key if it belongs there and is not there yet. At most `room` keys take memory. */
void selection_add(struct selection *, struct slice key);

#endif
