/*
 * count.c - messages become rows in memory: equal ones are counted together.
 */
#include "aggregate_private.h"

#include <stdlib.h>

#define POLICY_ROOM (2 + AGGREGATE_TEXT_MAX + ROW_POLICY_TEXT)

/* ---- days -------------------------------------------------------------------------------- */

static unsigned day_of(struct aggregate *aggregate, int64_t wall_us)
{
	unsigned day = wall_us < STORE_DAY_US ? 1 : (unsigned)(wall_us / STORE_DAY_US);
	unsigned latest = atomic_load_explicit(&aggregate->latest, memory_order_relaxed);

	/* Set back a little around midnight: the day before may be reported already. Set back by more than a day, the
	 * clock was wrong before. */
	if (latest == day + 1)
		return latest;
	if (latest != day)
		atomic_store_explicit(&aggregate->latest, day, memory_order_relaxed);
	return day;
}

unsigned aggregate_today(struct aggregate *aggregate)
{
	return day_of(aggregate, clock_wall_us());
}

/* ---- rows in memory ------------------------------------------------------------------------ */

struct key {
	uint64_t hash;
	unsigned day;
	struct slice domain;
	struct slice row;
	uint32_t policy;
	bool is_policy;
};

static bool is_same(const struct waiting *waiting, const struct key *key)
{
	return waiting->hash == key->hash && waiting->day == key->day && waiting->is_policy == key->is_policy &&
	       waiting->domain_n == key->domain.n && waiting->n == key->row.n &&
	       memcmp(waiting->bytes, key->domain.p, key->domain.n) == 0 &&
	       memcmp(waiting->bytes + key->domain.n, key->row.p, key->row.n) == 0;
}

static struct waiting *waiting_new(const struct key *key)
{
	struct waiting *waiting = xrealloc(NULL, sizeof(*waiting) + key->domain.n + key->row.n);

	*waiting = (struct waiting){.hash = key->hash,
				    .day = key->day,
				    .n = (uint32_t)key->row.n,
				    .policy = key->policy,
				    .domain_n = (uint16_t)key->domain.n,
				    .is_policy = key->is_policy};
	memcpy(waiting->bytes, key->domain.p, key->domain.n);
	memcpy(waiting->bytes + key->domain.n, key->row.p, key->row.n);
	return waiting;
}

/* Room for one more; false: there is none. */
static bool reserve_room(struct aggregate *aggregate, const struct key *key)
{
	size_t bytes = sizeof(struct waiting) + key->domain.n + key->row.n;

	if (atomic_load_explicit(&aggregate->rows, memory_order_relaxed) >= AGGREGATE_ROWS_MAX ||
	    atomic_load_explicit(&aggregate->bytes, memory_order_relaxed) + bytes > BYTES_MAX)
		return false;
	atomic_fetch_add_explicit(&aggregate->rows, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&aggregate->bytes, bytes, memory_order_relaxed);
	return true;
}

/* False: no room. */
static bool add(struct aggregate *aggregate, const struct key *key)
{
	struct shard *shard = &aggregate->shards[key->hash >> 58];
	struct waiting **bucket, *found;
	bool added = true;

	pthread_mutex_lock(&shard->lock);
	bucket = &shard->buckets[key->hash % BUCKETS];
	found = *bucket;
	while (found && !is_same(found, key))
		found = found->next;
	if (!found && reserve_room(aggregate, key)) {
		found = waiting_new(key);
		found->next = *bucket;
		*bucket = found;
	} else if (!found) {
		added = false;
	}
	if (found)
		found->count++;
	pthread_mutex_unlock(&shard->lock);
	return added;
}

/* ---- a message ------------------------------------------------------------------------------- */

/* The hash names the configuration in the keys of rows: it is the same in every process. */
static uint32_t policy_hash(const struct aggregate_message *message)
{
	uint64_t seed = hash_slice(message->trouble, (uint64_t)message->discovery + 1);

	return (uint32_t)hash_slice(message->record, seed);
}

/* Sees to it that the configuration gets into the store, before its first row of the day. */
static bool add_policy(struct aggregate *aggregate, const struct aggregate_message *message, struct key *key)
{
	uint64_t hash = hash_slice(message->domain, aggregate->seed + key->day + ((uint64_t)key->policy << 32));
	_Atomic uint64_t *seen = &aggregate->seen[hash % SEEN];
	char buffer[POLICY_ROOM];
	struct key policy = {
	    .hash = hash, .day = key->day, .domain = message->domain, .policy = key->policy, .is_policy = true};

	if (atomic_load_explicit(seen, memory_order_relaxed) == hash)
		return true;
	policy.row = policy_write(message, buffer, sizeof(buffer));
	return add(aggregate, &policy);
}

void aggregate_count(struct aggregate *aggregate, const struct aggregate_message *message)
{
	unsigned char row[ROW_MAX];
	struct key key = {.domain = message->domain};

	if (message->client.family == 0 || !domain_is_plain(message->domain) || message->header_from.n == 0)
		return;
	key.day = day_of(aggregate, message->time_us);
	key.policy = policy_hash(message);
	key.row = (struct slice){(const char *)row, row_write(message, key.policy, row)};
	key.hash = hash_slice(key.row, hash_slice(key.domain, aggregate->seed + key.day));
	atomic_fetch_add_explicit(&aggregate->messages, 1, memory_order_relaxed);
	if (!add_policy(aggregate, message, &key) || !add(aggregate, &key))
		atomic_fetch_add_explicit(&aggregate->lost, 1, memory_order_relaxed);
}
