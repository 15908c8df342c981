/*
 * memory.c - the store that is lost with the process.
 */
#include "local.h"
#include "selection.h"
#include "store_private.h"

#include <stdlib.h>

struct memory {
	struct local local; /* first: the operations are those of local.h */
	uint64_t at_most;
};

static bool may_always(struct local *local)
{
	(void)local;
	return true;
}

static bool is_full(const struct memory *memory)
{
	return atomic_load_explicit(&memory->local.table->bytes, memory_order_relaxed) >= memory->at_most / 4 * 3;
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
	return memory;
}

static void memory_close(void *state)
{
	struct memory *memory = state;

	table_free(memory->local.table);
	ticker_free(&memory->local.ticker);
	free(memory);
}

/* ---- pages: of a table without order: the smallest keys after a given one -------- */

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

static enum store_answer memory_sums(void *state, struct slice key, struct slice after, size_t room,
				     struct arena *arena, struct store_page *page_r)
{
	char prefix[STORE_KEY_MAX], from[STORE_KEY_MAX];
	enum store_answer answer =
	    memory_scan(state, sum_key(key, SLICE(""), prefix), after.n > 0 ? sum_key(key, after, from) : SLICE(""),
			room, arena, page_r);

	sum_page(key, page_r);
	return answer;
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
	counters_r->bytes = atomic_load_explicit(&memory->local.table->bytes, memory_order_relaxed);
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
    .get = local_get,
    .remove = local_remove,
    .lease = local_lease,
    .unlease = local_unlease,
    .scan = memory_scan,
    .add = local_add,
    .sums = memory_sums,
    .forget = local_forget,
    .flush = memory_flush,
    .counters = memory_counters,
    .health = memory_health,
};
