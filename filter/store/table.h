/*
 * table.h - entries by key, in shards with a lock each.
 *
 * With a file, the table is what the file will be: an entry that differs from its record is dirty until it is
 * written, and an entry without a value says that the file has none, or will have none. Entries that are not dirty may
 * be dropped at any time; `drops` of their shard then tells a thread that read the file without the lock to read again.
 * Without a file an entry is dropped when it expires.
 *
 * An entry is one piece of memory with its key and room for a short value, as that of most limits is: few pieces of
 * memory, and none of them touched that need not be.
 */
#ifndef SEKISHO_STORE_TABLE_H
#define SEKISHO_STORE_TABLE_H

#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

#define TABLE_SHARDS 64 /* one bit each in a mask */

enum entry_flags {
	ENTRY_DIRTY = 1,   /* in the list of its shard, or on its way from there to the file */
	ENTRY_WRITING = 2, /* a copy is being written */
	ENTRY_USED = 4,    /* since the last sweep */
};

struct entry {
	struct entry *next, *next_dirty;
	char *value;     /* in the room after the key, or malloc'ed; NULL: none */
	int64_t expires; /* time of the store; ignored when there is no value */
	uint64_t hash;
	uint32_t value_n;
	uint16_t key_n;
	uint8_t kind; /* enum store_kind; 0: no value */
	uint8_t flags;
	char key[];
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct entry **buckets; /* lists; room is a power of two */
	size_t room, count;
	size_t hand; /* the next bucket to sweep */
	struct entry *dirty;
	uint64_t drops, adds; /* entries that were removed and inserted so far */
};

struct table {
	bool backed; /* by a file */
	uint64_t seed;
	_Atomic size_t bytes, count; /* of all entries */
	_Atomic size_t dirty;        /* how many are */
	struct shard shards[TABLE_SHARDS];
};

struct table *table_new(bool backed);
void table_free(struct table *);

uint64_t table_hash(const struct table *, struct slice key);
struct shard *table_shard(struct table *, uint64_t hash);
unsigned table_shard_number(uint64_t hash);

/* The shard's lock is held in all of these. */
struct entry *table_find(struct table *, struct slice key, uint64_t hash); /* NULL: none */
/* Several will be looked up: the memory of all is fetched at once, not of one after the other. */
void table_fetch(struct table *, const uint64_t *hashes, size_t count);
void table_insert(struct table *, struct entry *); /* its key is not there */
void table_remove(struct table *, struct entry *); /* and frees it */
/* Gives the entry a malloc'ed value (NULL: none; kind and expires are then ignored), which it owns, and marks it. */
void table_set(struct table *, struct entry *, enum store_kind kind, char *value, size_t n, int64_t expires);
void table_mark_dirty(struct table *, struct entry *);
/* Visits that many buckets, from where it stopped; drops what expired and, with `unused`, what was not used since the
 * last time. */
void table_sweep(struct table *, struct shard *, size_t buckets, int64_t now, bool unused);

/* An entry that is in no table; without a value. */
struct entry *entry_new(struct slice key, uint64_t hash);
void entry_fill(struct entry *, enum store_kind kind, struct slice value, int64_t expires); /* copied */
void entry_free(struct entry *);                                                            /* NULL is allowed */

static inline bool entry_lives(const struct entry *entry, int64_t now)
{
	return entry->kind != 0 && entry->expires > now;
}

static inline struct slice entry_key(const struct entry *entry)
{
	return (struct slice){entry->key, entry->key_n};
}

/* Empty when it has expired. */
static inline struct slice entry_value(const struct entry *entry, int64_t now)
{
	return entry_lives(entry, now) ? (struct slice){entry->value, entry->value_n} : SLICE("");
}

#endif
