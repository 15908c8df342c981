/*
 * members.h - the distinct members of a set in a window, and its value: the length of a slot (8 bytes), then for each
 * member 16 bytes: the hash of its text, and the slot in which it was reserved last with the number of reservations
 * that were not released. Members are known by a hash of 64 bits with a secret seed.
 */
#ifndef SEKISHO_STORE_MEMBERS_H
#define SEKISHO_STORE_MEMBERS_H

#include "window.h"

#define MEMBERS_HEAD  8
#define MEMBERS_BYTES (MEMBERS_HEAD + 16 * (size_t)STORE_DISTINCT_MAX) /* the longest value */

/* The members as counts by age: `is_there`: `hash` is one of them. slot_us as for window_read. False: malformed. */
bool members_read(struct slice value, uint64_t hash, int64_t slot_us, int64_t now, struct window *window_r,
		  bool *is_there_r);

/* The value with one more reservation of the member now, without those that are too old. value_r has room for 16 bytes
 * more than the old value and the head. It is left out when the set is full. Returns the length. */
size_t members_add(struct slice value, uint64_t hash, int64_t slot_us, int64_t now, char *value_r);
/* Without one reservation of it. 0: no member is left. */
size_t members_remove(struct slice value, uint64_t hash, int64_t now, char *value_r);

#endif
