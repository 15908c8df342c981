/*
 * local.h - the operations of a store that decides in the memory of this process: over a table that has a file or
 * not.
 */
#ifndef SEKISHO_STORE_LOCAL_H
#define SEKISHO_STORE_LOCAL_H

#include "store_private.h"
#include "table.h"
#include "ticker.h"

struct local;

struct local_kind {
	/* Fills entries with what the file has; NULL among them is left out. 0, also when it has nothing; -1: it cannot
	 * be read. NULL: no file. */
	int (*load)(struct local *, struct entry *const *, size_t count);
	bool (*may_write)(struct local *); /* false: what is decided could not be saved */
	bool (*may_hold)(struct local *);  /* false: no memory for one more entry */
	bool (*may_add)(struct local *);   /* false: no room for a key that is not there yet */
};

struct local {
	const struct local_kind *kind;
	struct table *table;
	struct ticker ticker;
	uint64_t seed; /* of the hashes of members */
};

/* The operations of struct store_backend; `state` is a struct local. */
enum store_answer local_reserve(void *state, const struct store_limit *, size_t count, struct store_usage *usage_r);
enum store_answer local_release(void *state, const struct store_limit *, size_t count, const struct store_usage *);
enum store_answer local_put(void *state, const struct put *);
enum store_answer local_renew(void *state, const struct slice *keys, size_t count, struct slice value, int64_t life_us,
			      int64_t again_us);
enum store_answer local_get(void *state, struct slice key, struct arena *, struct store_item *item_r);
enum store_answer local_remove(void *state, struct slice key);
enum store_answer local_lease(void *state, struct slice key, struct slice holder, int64_t life_us);
enum store_answer local_unlease(void *state, struct slice key, struct slice holder);

enum store_answer local_add(void *state, const struct store_sum *, size_t count, size_t *added_r);
enum store_answer local_forget(void *state, struct slice key, struct slice member);

/* Of a value of the kind STORE_SUM. */
uint64_t sum_read(struct slice value);
/* A member of a sum as one key; key.n + member.n is at most STORE_SUM_MAX. */
struct slice sum_key(struct slice key, struct slice member, char buffer[STORE_KEY_MAX]);
/* The items of a page are members: without the key and the blank before them. */
void sum_page(struct slice key, struct store_page *);

/* What the table has of the key, without reading the file. *known_r: the answer (STORE_OK, STORE_ABSENT) is the truth.
 */
enum store_answer local_look(struct local *, struct slice key, int64_t now, struct arena *, struct store_item *item_r,
			     bool *known_r);
/* The item of a value; false when it counts nothing. */
bool local_item(enum store_kind, struct slice key, struct slice value, int64_t expires, int64_t now, struct arena *,
		struct store_item *item_r);

#endif
