/*
 * table.c - entries by key.
 */
#include "table.h"

#include <stdlib.h>

#define FIRST_ROOM 16
#define MALLOC     16 /* what a piece of memory and a place in a bucket cost beyond their bytes, on average */
#define ROOM       18 /* bytes of a value that an entry has room for: a window with one count; more where malloc gives it */

struct table *table_new(bool backed)
{
	struct table *table = aligned_alloc(_Alignof(struct table), sizeof(*table));

	if (!table)
		die("out of memory: a table");
	memset(table, 0, sizeof(*table));
	table->backed = backed;
	table->seed = random_seed();
	for (size_t i = 0; i < TABLE_SHARDS; i++) {
		pthread_mutex_init(&table->shards[i].lock, NULL);
		table->shards[i].room = FIRST_ROOM;
		table->shards[i].buckets = xmalloc(FIRST_ROOM * sizeof(struct entry *));
	}
	return table;
}

static void shard_free(struct shard *shard)
{
	for (size_t i = 0; i < shard->room; i++)
		for (struct entry *entry = shard->buckets[i], *next; entry; entry = next) {
			next = entry->next;
			entry_free(entry);
		}
	free(shard->buckets);
	pthread_mutex_destroy(&shard->lock);
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < TABLE_SHARDS; i++)
		shard_free(&table->shards[i]);
	free(table);
}

uint64_t table_hash(const struct table *table, struct slice key)
{
	return hash_slice(key, table->seed);
}

unsigned table_shard_number(uint64_t hash)
{
	return (unsigned)(hash >> 58);
}

struct shard *table_shard(struct table *table, uint64_t hash)
{
	return &table->shards[table_shard_number(hash)];
}

static struct entry **bucket_of(const struct shard *shard, uint64_t hash)
{
	return &shard->buckets[hash & (shard->room - 1)];
}

/* Of an entry with its key and the room: malloc hands out pieces of 16 bytes, less 8. */
static size_t entry_size(size_t key_n)
{
	return ((sizeof(struct entry) + key_n + ROOM + 7) | 15) - 7;
}

static size_t entry_room(const struct entry *entry)
{
	return entry_size(entry->key_n) - sizeof(*entry) - entry->key_n;
}

static char *entry_inside(struct entry *entry)
{
	return entry->key + entry->key_n;
}

/* Bytes of a value of that length that are not inside the entry. */
static size_t outside(const struct entry *entry, size_t n)
{
	return n > entry_room(entry) ? n + MALLOC : 0;
}

static size_t entry_bytes(const struct entry *entry)
{
	return entry_size(entry->key_n) + MALLOC + outside(entry, entry->value_n);
}

static void value_free(struct entry *entry)
{
	if (entry->value != entry_inside(entry))
		free(entry->value);
}

struct entry *table_find(struct table *table, struct slice key, uint64_t hash)
{
	struct entry *entry = *bucket_of(table_shard(table, hash), hash);

	while (entry && !(entry->hash == hash && slice_equal(entry_key(entry), key)))
		entry = entry->next;
	if (entry)
		entry->flags |= ENTRY_USED;
	return entry;
}

void table_fetch(struct table *table, const uint64_t *hashes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		__builtin_prefetch(bucket_of(table_shard(table, hashes[i]), hashes[i]));
	for (size_t i = 0; i < count; i++)
		__builtin_prefetch(*bucket_of(table_shard(table, hashes[i]), hashes[i]));
}

static void shard_grow(struct shard *shard)
{
	struct entry **old = shard->buckets;
	size_t old_room = shard->room;

	shard->room *= 2;
	shard->hand = 0;
	shard->buckets = xmalloc(shard->room * sizeof(struct entry *));
	for (size_t i = 0; i < old_room; i++)
		for (struct entry *entry = old[i], *next; entry; entry = next) {
			struct entry **bucket = bucket_of(shard, entry->hash);

			next = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	free(old);
}

void table_insert(struct table *table, struct entry *entry)
{
	struct shard *shard = table_shard(table, entry->hash);
	struct entry **bucket;

	if (shard->count >= shard->room)
		shard_grow(shard);
	bucket = bucket_of(shard, entry->hash);
	entry->next = *bucket;
	*bucket = entry;
	shard->count++;
	shard->adds++;
	atomic_fetch_add_explicit(&table->count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&table->bytes, entry_bytes(entry), memory_order_relaxed);
}

/* Removes the entry from its list, into which `link` points. */
static void drop(struct table *table, struct shard *shard, struct entry **link)
{
	struct entry *entry = *link;

	*link = entry->next;
	shard->count--;
	shard->drops++;
	atomic_fetch_sub_explicit(&table->count, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&table->bytes, entry_bytes(entry), memory_order_relaxed);
	entry_free(entry);
}

void table_remove(struct table *table, struct entry *entry)
{
	struct shard *shard = table_shard(table, entry->hash);
	struct entry **link = bucket_of(shard, entry->hash);

	while (*link != entry)
		link = &(*link)->next;
	drop(table, shard, link);
}

void table_mark_dirty(struct table *table, struct entry *entry)
{
	struct shard *shard = table_shard(table, entry->hash);

	if (!table->backed || entry->flags & ENTRY_DIRTY)
		return;
	entry->flags |= ENTRY_DIRTY;
	entry->next_dirty = shard->dirty;
	shard->dirty = entry;
	atomic_fetch_add_explicit(&table->dirty, 1, memory_order_relaxed);
}

void table_set(struct table *table, struct entry *entry, enum store_kind kind, char *value, size_t n, int64_t expires)
{
	size_t before = outside(entry, entry->value_n), after = value ? outside(entry, n) : 0;

	value_free(entry);
	if (value && after == 0) {
		entry->value = memcpy(entry_inside(entry), value, n);
		free(value);
	} else {
		entry->value = value;
	}
	entry->value_n = value ? (uint32_t)n : 0;
	entry->kind = value ? (uint8_t)kind : 0;
	entry->expires = expires;
	if (before != after)
		atomic_fetch_add_explicit(&table->bytes, after - before, memory_order_relaxed);
	table_mark_dirty(table, entry);
}

/* The second chance: an entry that was used since the last sweep stays until the next. */
static bool may_go(struct entry *entry, int64_t now, bool unused)
{
	bool used = entry->flags & ENTRY_USED;

	if (entry->flags & (ENTRY_DIRTY | ENTRY_WRITING))
		return false;
	if (entry->kind != 0 && entry->expires <= now)
		return true;
	if (unused)
		entry->flags &= (uint8_t)~ENTRY_USED;
	return unused && !used;
}

void table_sweep(struct table *table, struct shard *shard, size_t buckets, int64_t now, bool unused)
{
	for (size_t i = 0; i < buckets && i < shard->room; i++) {
		struct entry **link = &shard->buckets[shard->hand];

		while (*link) {
			if (may_go(*link, now, unused))
				drop(table, shard, link);
			else
				link = &(*link)->next;
		}
		shard->hand = (shard->hand + 1) & (shard->room - 1);
	}
}

struct entry *entry_new(struct slice key, uint64_t hash)
{
	struct entry *entry = xmalloc(entry_size(key.n));

	entry->hash = hash;
	entry->key_n = (uint16_t)key.n;
	entry->flags = ENTRY_USED;
	memcpy(entry->key, key.p, key.n);
	return entry;
}

void entry_fill(struct entry *entry, enum store_kind kind, struct slice value, int64_t expires)
{
	entry->value = outside(entry, value.n) == 0 ? entry_inside(entry) : xrealloc(NULL, value.n);
	if (value.n > 0)
		memcpy(entry->value, value.p, value.n);
	entry->value_n = (uint32_t)value.n;
	entry->kind = (uint8_t)kind;
	entry->expires = expires;
}

void entry_free(struct entry *entry)
{
	if (!entry)
		return;
	value_free(entry);
	free(entry);
}
