/*
 * memory.c - the store that is lost with the process.
 */
#include "local.h"
#include "order.h"
#include "selection.h"
#include "store_private.h"

#include <stdlib.h>

struct memory {
	struct local local; /* first: the operations are those of local.h */
	uint64_t at_most;
	pthread_mutex_t lock; /* of what follows; the locks of shards are taken within it */
	struct order sums;    /* the keys of all members of sums, and some that have expired */
	_Atomic size_t bytes; /* of them */
};

static bool may_always(struct local *local)
{
	(void)local;
	return true;
}

static size_t bytes_of(const struct memory *memory)
{
	return atomic_load_explicit(&memory->local.table->bytes, memory_order_relaxed) +
	       atomic_load_explicit(&memory->bytes, memory_order_relaxed);
}

static bool is_full(const struct memory *memory)
{
	return bytes_of(memory) >= memory->at_most / 4 * 3;
}

static bool memory_may_add(struct local *local)
{
	return !is_full((struct memory *)local);
}

static const struct local_kind memory_kind = {
    .may_write = may_always, .may_hold = may_always, .may_add = memory_may_add};

static int memory_check(const struct store_settings *settings, struct slice rest, struct error *err)
{
	(void)settings;
	if (rest.n == 0)
		return 0;
	error_set(err, "memory: takes nothing after the colon");
	return -1;
}

static void *memory_open(const struct store_settings *settings, struct slice rest, struct error *err)
{
	struct memory *memory = xmalloc(sizeof(*memory));

	(void)rest, (void)err;
	memory->at_most = settings->at_most;
	memory->local = (struct local){.kind = &memory_kind, .table = table_new(false), .seed = random_seed()};
	ticker_init(&memory->local.ticker, &settings->clock, 0);
	pthread_mutex_init(&memory->lock, NULL);
	order_init(&memory->sums, random_seed());
	return memory;
}

static void memory_close(void *state)
{
	struct memory *memory = state;

	order_clear(&memory->sums);
	pthread_mutex_destroy(&memory->lock);
	table_free(memory->local.table);
	ticker_free(&memory->local.ticker);
	free(memory);
}

/* ---- pages of all keys: the table has no order: the smallest after a given one ---- */

static void select_from(struct selection *selection, struct shard *shard)
{
	pthread_mutex_lock(&shard->lock);
	for (size_t i = 0; i < shard->room; i++)
		for (const struct entry *entry = shard->buckets[i]; entry; entry = entry->next)
			selection_add(selection, entry_key(entry));
	pthread_mutex_unlock(&shard->lock);
}

static enum store_answer memory_scan(void *state, struct slice prefix, struct slice after, size_t room,
				     struct arena *arena, struct store_page *page_r)
{
	struct local *local = state;
	struct selection selection = selection_of(prefix, after, room, arena);
	int64_t now = ticker_now(&local->ticker);
	bool known;

	for (size_t i = 0; i < TABLE_SHARDS; i++)
		select_from(&selection, &local->table->shards[i]);
	for (size_t i = 0; i < selection.count; i++)
		if (local_look(local, selection.keys[i], now, arena, &page_r->items[page_r->count], &known) == STORE_OK)
			page_r->count++;
	if (selection.count == room)
		page_r->next = selection.keys[room - 1];
	return STORE_OK;
}

/* ---- sums: reports ask for the members of one key after the other, so these keys are kept in order ---- */

static bool is_gone(struct memory *memory, struct slice key, struct arena *arena)
{
	struct store_item item;
	bool known;

	return local_look(&memory->local, key, ticker_now(&memory->local.ticker), arena, &item, &known) != STORE_OK;
}

static void unlock_sums(struct memory *memory)
{
	atomic_store_explicit(&memory->bytes, memory->sums.bytes, memory_order_relaxed);
	pthread_mutex_unlock(&memory->lock);
}

/* Each addition looks at two others, so that those that expired take no more memory than the live ones. */
static void tidy(struct memory *memory, struct arena *arena)
{
	for (int i = 0; i < 2; i++) {
		struct slice key = order_turn(&memory->sums);

		if (key.p && is_gone(memory, key, arena))
			order_remove(&memory->sums, key);
	}
}

static enum store_answer memory_add(void *state, const struct store_sum *sums, size_t count, size_t *added_r)
{
	struct memory *memory = state;
	enum store_answer answer = local_add(state, sums, count, added_r);
	struct arena *arena = arena_new();
	char buffer[STORE_KEY_MAX];

	pthread_mutex_lock(&memory->lock);
	for (size_t i = 0; i < *added_r; i++) {
		order_add(&memory->sums, sum_key(sums[i].key, sums[i].member, buffer));
		tidy(memory, arena);
		arena_reset(arena);
	}
	unlock_sums(memory);
	arena_free(arena);
	return answer;
}

static enum store_answer memory_forget(void *state, struct slice key, struct slice member)
{
	struct memory *memory = state;
	enum store_answer answer = local_forget(state, key, member);
	struct arena *arena = arena_new();
	char buffer[STORE_KEY_MAX];
	struct slice whole = sum_key(key, member, buffer);

	pthread_mutex_lock(&memory->lock);
	if (is_gone(memory, whole, arena)) /* no other thread has added to it meanwhile */
		order_remove(&memory->sums, whole);
	unlock_sums(memory);
	arena_free(arena);
	return answer;
}

/* Adds the live members with the prefix. */
static void take_sums(struct memory *memory, struct slice prefix, struct slice after, size_t room, struct arena *arena,
		      struct store_page *page)
{
	int64_t now = ticker_now(&memory->local.ticker);
	struct slice key = order_find(&memory->sums, after.n > 0 ? after : prefix, after.n > 0);
	bool known;

	while (key.p && slice_equal(slice_head(key, prefix.n), prefix) && page->count < room) {
		struct store_item *item = &page->items[page->count];

		page->count += local_look(&memory->local, key, now, arena, item, &known) == STORE_OK;
		key = order_find(&memory->sums, key, true);
	}
	if (page->count == room)
		page->next = page->items[room - 1].key;
}

static enum store_answer memory_sums(void *state, struct slice key, struct slice after, size_t room,
				     struct arena *arena, struct store_page *page_r)
{
	char prefix[STORE_KEY_MAX], from[STORE_KEY_MAX];
	struct memory *memory = state;

	pthread_mutex_lock(&memory->lock);
	take_sums(memory, sum_key(key, SLICE(""), prefix), after.n > 0 ? sum_key(key, after, from) : SLICE(""), room,
		  arena, page_r);
	pthread_mutex_unlock(&memory->lock);
	sum_page(key, page_r);
	return STORE_OK;
}

static enum store_answer memory_flush(void *state, int64_t deadline_us)
{
	(void)state, (void)deadline_us;
	return STORE_OK; /* as far as memory can be */
}

static void memory_counters(void *state, struct store_counters *counters_r)
{
	const struct memory *memory = state;

	counters_r->keys = atomic_load_explicit(&memory->local.table->count, memory_order_relaxed);
	counters_r->bytes = bytes_of(memory);
	counters_r->at_most = memory->at_most;
	counters_r->memory = counters_r->bytes;
}

static void memory_health(void *state, struct store_health *health_r)
{
	const struct memory *memory = state;

	health_r->full = is_full(memory);
	if (health_r->full)
		error_set(&health_r->why,
			  "the store memory: holds three quarters of its %llu MB, so it takes no new keys "
			  "until some expire; raise at-most",
			  (unsigned long long)(memory->at_most >> 20));
}

const struct store_backend store_memory = {
    .scheme = "memory:",
    .check = memory_check,
    .open = memory_open,
    .close = memory_close,
    .reserve = local_reserve,
    .release = local_release,
    .put = local_put,
    .renew = local_renew,
    .get = local_get,
    .remove = local_remove,
    .lease = local_lease,
    .unlease = local_unlease,
    .scan = memory_scan,
    .add = memory_add,
    .sums = memory_sums,
    .forget = memory_forget,
    .flush = memory_flush,
    .counters = memory_counters,
    .health = memory_health,
};
