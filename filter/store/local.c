/*
 * local.c - operations over a table.
 *
 * Each locks the shards of all its keys together, in the order of their numbers. What the table does not have is read
 * from the file without a lock, because the disk may be slow. When an entry of these shards was dropped
 * meanwhile, the result may be out of date, and it is read again, finally with the locks held.
 */
#include "limit.h"
#include "local.h"

#include <stdlib.h>

#define LOAD_TRIES 3 /* without the locks: entries are dropped at most once a second, so the next try succeeds */

/* Entries of several keys, with their shards locked. */
struct hold {
	struct local *local;
	uint64_t shards;
	size_t count;
	struct slice keys[STORE_LIMITS_MAX];
	uint64_t hashes[STORE_LIMITS_MAX];
	struct entry *entries[STORE_LIMITS_MAX];
	int64_t now;
};

static void lock_shards(struct hold *hold)
{
	for (uint64_t left = hold->shards; left; left &= left - 1)
		pthread_mutex_lock(&hold->local->table->shards[__builtin_ctzll(left)].lock);
}

static void unlock_shards(struct hold *hold)
{
	for (uint64_t left = hold->shards; left; left &= left - 1)
		pthread_mutex_unlock(&hold->local->table->shards[__builtin_ctzll(left)].lock);
}

/* What has happened in the shards: numbers that only grow. */
struct history {
	uint64_t drops, adds;
};

static struct history history_of(const struct hold *hold)
{
	struct history history = {0, 0};

	for (uint64_t left = hold->shards; left; left &= left - 1) {
		const struct shard *shard = &hold->local->table->shards[__builtin_ctzll(left)];

		history.drops += shard->drops;
		history.adds += shard->adds;
	}
	return history;
}

/* How many are missing. */
static size_t find_all(struct hold *hold)
{
	size_t missing = 0;

	if (hold->count > 1)
		table_fetch(hold->local->table, hold->hashes, hold->count);
	for (size_t i = 0; i < hold->count; i++) {
		hold->entries[i] = table_find(hold->local->table, hold->keys[i], hold->hashes[i]);
		missing += !hold->entries[i];
	}
	return missing;
}

/* Entries for those that are missing, as the file has them; with no lock held. */
static int load_missing(struct hold *hold, struct entry **loaded)
{
	for (size_t i = 0; i < hold->count; i++)
		loaded[i] = hold->entries[i] ? NULL : entry_new(hold->keys[i], hold->hashes[i]);
	return hold->local->kind->load ? hold->local->kind->load(hold->local, loaded, hold->count) : 0;
}

/* Puts what was loaded into the table, except what another thread has put there first. */
static void insert_loaded(struct hold *hold, struct entry **loaded)
{
	for (size_t i = 0; i < hold->count; i++) {
		if (hold->entries[i] || !loaded[i])
			continue;
		table_insert(hold->local->table, loaded[i]);
		hold->entries[i] = loaded[i];
		loaded[i] = NULL;
	}
}

/* One try for what is missing; the locks are held before and after. 1: complete; 0: try again; -1: it cannot be read.
 */
static int fetch_missing(struct hold *hold, bool unlocked)
{
	struct entry *loaded[STORE_LIMITS_MAX];
	struct history before = history_of(hold), now;
	int worked;

	if (unlocked)
		unlock_shards(hold);
	worked = load_missing(hold, loaded);
	if (unlocked)
		lock_shards(hold);
	now = history_of(hold);
	if (now.adds != before.adds || now.drops != before.drops)
		find_all(hold);
	if (worked == 0 && now.drops == before.drops) {
		insert_loaded(hold, loaded);
		worked = 1;
	}
	for (size_t i = 0; i < hold->count; i++)
		entry_free(loaded[i]);
	return worked;
}

/* Holds the entries of the keys, which may be without a value. False: not available; nothing is held. */
static bool hold_entries(struct hold *hold)
{
	int worked = 0;

	hold->shards = 0;
	for (size_t i = 0; i < hold->count; i++) {
		hold->hashes[i] = table_hash(hold->local->table, hold->keys[i]);
		hold->shards |= UINT64_C(1) << table_shard_number(hold->hashes[i]);
	}
	lock_shards(hold);
	if (find_all(hold) == 0)
		worked = 1;
	else if (!hold->local->kind->may_hold(hold->local))
		worked = -1;
	for (int tries = hold->local->kind->load ? 0 : LOAD_TRIES; worked == 0; tries++)
		worked = fetch_missing(hold, tries < LOAD_TRIES);
	if (worked == 1) {
		hold->now = ticker_now(&hold->local->ticker);
		return true;
	}
	unlock_shards(hold);
	return false;
}

/* Without a file, entries without a value are not needed; and a few buckets are searched for expired ones, so
 * that they take no more memory than the live ones. */
static void let_go(struct hold *hold)
{
	struct table *table = hold->local->table;

	for (size_t i = 0; i < hold->count && !table->backed; i++) {
		if (hold->entries[i]->kind == 0)
			table_remove(table, hold->entries[i]);
		hold->entries[i] = NULL;
	}
	for (uint64_t left = hold->shards; left && !table->backed; left &= left - 1)
		table_sweep(table, &table->shards[__builtin_ctzll(left)], 2, hold->now, false);
	unlock_shards(hold);
}

static struct hold hold_of(struct local *local, struct slice key)
{
	struct hold hold = {.local = local, .count = 1};

	hold.keys[0] = key;
	return hold;
}

/* ---- limits --------------------------------------------------------------------- */

static bool hold_limits(struct hold *hold, struct local *local, const struct store_limit *limits, size_t count)
{
	hold->local = local;
	hold->count = count;
	for (size_t i = 0; i < count; i++)
		hold->keys[i] = limits[i].key;
	return hold_entries(hold);
}

/* May it be reserved? Fills the views, and what a refusal says. */
static enum store_answer look_at_all(struct hold *hold, const struct store_limit *limits, struct limit_view *views,
				     struct store_usage *usage_r)
{
	enum store_answer answer = STORE_OK;

	for (size_t i = 0; i < hold->count; i++) {
		struct entry *entry = hold->entries[i];

		if (entry_lives(entry, hold->now) && entry->kind != limit_kind(&limits[i]))
			return STORE_INVALID;
		limit_look(&limits[i], entry_value(entry, hold->now), hold->local->seed, hold->now, &views[i]);
		limit_usage(&limits[i], &views[i], hold->now, &usage_r[i]);
		if (!views[i].fits)
			answer = STORE_OVER;
	}
	return answer;
}

static bool is_added(const struct hold *hold, size_t i)
{
	return !entry_lives(hold->entries[i], hold->now);
}

static void take(struct hold *hold, size_t i, const struct store_limit *limit, struct limit_view *view,
		 struct store_usage *usage_r)
{
	struct entry *entry = hold->entries[i];
	struct limit_value value;

	if (view->amount == 0 && !limit->member.p)
		return; /* only a look */
	value = limit_take(limit, entry_value(entry, hold->now), hold->local->seed, hold->now, view);
	table_set(hold->local->table, entry, limit_kind(limit), value.p, value.n, value.expires);
	limit_usage(limit, view, hold->now, usage_r);
}

enum store_answer local_reserve(void *state, const struct store_limit *limits, size_t count,
				struct store_usage *usage_r)
{
	struct limit_view views[STORE_LIMITS_MAX];
	struct local *local = state;
	struct hold hold;
	enum store_answer answer;

	if (!local->kind->may_write(local) || !hold_limits(&hold, local, limits, count))
		return STORE_UNAVAILABLE;
	answer = look_at_all(&hold, limits, views, usage_r);
	for (size_t i = 0; i < count && answer == STORE_OK; i++)
		if (is_added(&hold, i) && !local->kind->may_add(local))
			answer = STORE_UNAVAILABLE;
	for (size_t i = 0; i < count && answer == STORE_OK; i++)
		take(&hold, i, &limits[i], &views[i], &usage_r[i]);
	let_go(&hold);
	return answer;
}

/* Allowed while nothing can be written: it makes room, and it is written when the disk works again. */
enum store_answer local_release(void *state, const struct store_limit *limits, size_t count,
				const struct store_usage *usage)
{
	struct local *local = state;
	struct hold hold;

	if (!hold_limits(&hold, local, limits, count))
		return STORE_UNAVAILABLE;
	for (size_t i = 0; i < count; i++) {
		struct entry *entry = hold.entries[i];
		struct limit_value value;

		if (!entry_lives(entry, hold.now) || entry->kind != limit_kind(&limits[i]))
			continue;
		value = limit_return(&limits[i], entry_value(entry, hold.now), local->seed, hold.now, usage[i].at_us);
		table_set(local->table, entry, limit_kind(&limits[i]), value.p, value.n, value.expires);
	}
	let_go(&hold);
	return STORE_OK;
}

/* ---- values --------------------------------------------------------------------- */

/* Gives the one entry that is held a value, unless its key is new and there is no room for it. */
static enum store_answer set_value(struct hold *hold, struct slice value, int64_t life_us)
{
	struct local *local = hold->local;
	char *copy;

	if (is_added(hold, 0) && !local->kind->may_add(local))
		return STORE_UNAVAILABLE;
	copy = xrealloc(NULL, value.n);
	if (value.n > 0)
		memcpy(copy, value.p, value.n);
	table_set(local->table, hold->entries[0], STORE_VALUE, copy, value.n, hold->now + life_us);
	return STORE_OK;
}

/* Does the one entry that is held forbid it? */
static bool is_other(const struct hold *hold, const struct put *put)
{
	const struct entry *entry = hold->entries[0];
	bool lives = entry_lives(entry, hold->now);

	if (put->when == PUT_SAME)
		return !lives || entry->kind != STORE_VALUE || !slice_equal(entry_value(entry, hold->now), put->was);
	return put->when == PUT_ABSENT && lives;
}

enum store_answer local_put(void *state, const struct put *put)
{
	struct local *local = state;
	struct hold hold = hold_of(local, put->key);
	enum store_answer answer;

	if (!local->kind->may_write(local) || !hold_entries(&hold))
		return STORE_UNAVAILABLE;
	answer = is_other(&hold, put) ? STORE_EXISTS : set_value(&hold, put->value, put->life_us);
	let_go(&hold);
	return answer;
}

enum store_answer local_renew(void *state, const struct slice *keys, size_t count, struct slice value, int64_t life_us,
			      int64_t again_us)
{
	struct local *local = state;
	enum store_answer answer = STORE_OK;

	for (size_t i = 0; i < count; i++) {
		struct hold hold = hold_of(local, keys[i]);
		const struct entry *entry;

		if (!local->kind->may_write(local) || !hold_entries(&hold))
			return STORE_UNAVAILABLE;
		entry = hold.entries[0];
		if (!entry_lives(entry, hold.now) || entry->kind != STORE_VALUE || entry->expires - hold.now < again_us)
			answer = set_value(&hold, value, life_us) == STORE_OK ? answer : STORE_UNAVAILABLE;
		let_go(&hold);
	}
	return answer;
}

enum store_answer local_remove(void *state, struct slice key)
{
	struct local *local = state;
	struct hold hold = hold_of(local, key);
	enum store_answer answer = STORE_ABSENT;

	if (!local->kind->may_write(local) || !hold_entries(&hold))
		return STORE_UNAVAILABLE;
	if (entry_lives(hold.entries[0], hold.now))
		answer = STORE_OK;
	if (hold.entries[0]->kind != 0)
		table_set(local->table, hold.entries[0], 0, NULL, 0, 0);
	let_go(&hold);
	return answer;
}

static enum store_answer item_of(const struct entry *entry, int64_t now, struct arena *arena, struct store_item *item_r)
{
	struct slice value = entry_value(entry, now);

	if (!entry_lives(entry, now) ||
	    !local_item(entry->kind, entry_key(entry), value, entry->expires, now, arena, item_r))
		return STORE_ABSENT;
	return STORE_OK;
}

enum store_answer local_get(void *state, struct slice key, struct arena *arena, struct store_item *item_r)
{
	struct hold hold = hold_of(state, key);
	enum store_answer answer;

	if (!hold_entries(&hold))
		return STORE_UNAVAILABLE;
	answer = item_of(hold.entries[0], hold.now, arena, item_r);
	let_go(&hold);
	return answer;
}

enum store_answer local_look(struct local *local, struct slice key, int64_t now, struct arena *arena,
			     struct store_item *item_r, bool *known_r)
{
	uint64_t hash = table_hash(local->table, key);
	struct shard *shard = table_shard(local->table, hash);
	enum store_answer answer = STORE_ABSENT;
	struct entry *entry;

	pthread_mutex_lock(&shard->lock);
	entry = table_find(local->table, key, hash);
	*known_r = entry != NULL || !local->table->backed;
	if (entry)
		answer = item_of(entry, now, arena, item_r);
	pthread_mutex_unlock(&shard->lock);
	return answer;
}

/* ---- leases --------------------------------------------------------------------- */

/* STORE_OK: this holder has the lease. */
static enum store_answer has_lease(const struct hold *hold, struct slice holder)
{
	const struct entry *entry = hold->entries[0];

	if (!entry_lives(entry, hold->now))
		return STORE_ABSENT;
	if (entry->kind != STORE_VALUE)
		return STORE_INVALID;
	return slice_equal(entry_value(entry, hold->now), holder) ? STORE_OK : STORE_EXISTS;
}

enum store_answer local_lease(void *state, struct slice key, struct slice holder, int64_t life_us)
{
	struct local *local = state;
	struct hold hold = hold_of(local, key);
	enum store_answer answer;

	if (!local->kind->may_write(local) || !hold_entries(&hold))
		return STORE_UNAVAILABLE;
	answer = has_lease(&hold, holder);
	if (answer == STORE_OK || answer == STORE_ABSENT)
		answer = set_value(&hold, holder, life_us);
	let_go(&hold);
	return answer;
}

enum store_answer local_unlease(void *state, struct slice key, struct slice holder)
{
	struct local *local = state;
	struct hold hold = hold_of(local, key);
	enum store_answer answer;

	if (!local->kind->may_write(local) || !hold_entries(&hold))
		return STORE_UNAVAILABLE;
	answer = has_lease(&hold, holder);
	if (answer == STORE_OK)
		table_set(local->table, hold.entries[0], 0, NULL, 0, 0);
	let_go(&hold);
	return answer;
}

/* ---- sums ----------------------------------------------------------------------- */

/* With the entry held. */
static void add_to(struct hold *hold, uint64_t amount, int64_t life_us)
{
	struct entry *entry = hold->entries[0];
	bool lives = entry_lives(entry, hold->now) && entry->kind == STORE_SUM;
	uint64_t sum = lives ? sum_read(entry_value(entry, hold->now)) : 0;
	int64_t expires = hold->now + life_us;
	char *value = xrealloc(NULL, sizeof(sum));

	sum = sum + amount < sum ? UINT64_MAX : sum + amount;
	memcpy(value, &sum, sizeof(sum));
	if (lives && entry->expires > expires)
		expires = entry->expires;
	table_set(hold->local->table, entry, STORE_SUM, value, sizeof(sum), expires);
}

static enum store_answer add_one(struct local *local, const struct store_sum *sum)
{
	char buffer[STORE_KEY_MAX];
	struct hold hold = hold_of(local, sum_key(sum->key, sum->member, buffer));
	enum store_answer answer = STORE_OK;

	if (!local->kind->may_write(local) || !hold_entries(&hold))
		return STORE_UNAVAILABLE;
	if (is_added(&hold, 0) && !local->kind->may_add(local))
		answer = STORE_UNAVAILABLE;
	else
		add_to(&hold, sum->amount, sum->life_us);
	let_go(&hold);
	return answer;
}

enum store_answer local_add(void *state, const struct store_sum *sums, size_t count, size_t *added_r)
{
	enum store_answer answer = STORE_OK;

	for (*added_r = 0; *added_r < count && answer == STORE_OK; *added_r += answer == STORE_OK)
		answer = add_one(state, &sums[*added_r]);
	return answer;
}

enum store_answer local_forget(void *state, struct slice key, struct slice member)
{
	char buffer[STORE_KEY_MAX];

	return local_remove(state, sum_key(key, member, buffer));
}
