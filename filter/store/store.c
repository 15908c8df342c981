/*
 * store.c - the door of the room: finds the backend of a URL, checks what goes in, counts what comes out.
 */
#include "store_private.h"
#include "waiting.h"

#include <stdatomic.h>
#include <stdlib.h>

#define REPORT_US (60 * 1000 * 1000) /* at most one line a minute while a problem lasts */

struct store {
	struct store *of; /* NULL: this is the store; else a view of that one, with `waiting` and nothing below */
	struct wait_hook waiting;
	const struct store_backend *backend;
	void *state;
	_Atomic uint64_t asked, unanswered;
	/* For the one thread that reports: */
	bool in_trouble;
	int64_t reported_at;
	uint64_t reported_unanswered;
};

static const struct store_backend *const backends[] = {&store_lmdb, &store_memory, &store_redis};

static const struct store_backend *backend_find(struct slice url, struct slice *rest_r, struct error *err)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		struct slice scheme = slice_of(backends[i]->scheme);

		if (slice_starts_nocase(url, scheme)) {
			*rest_r = slice_from(url, scheme.n);
			return backends[i];
		}
	}
	error_set(err, "\"%.*s\" is not a store; use lmdb:DIRECTORY, redis://HOST:PORT/DATABASE or memory:",
		  SLICE_ARGS(slice_head(url, 100)));
	return NULL;
}

static int backend_fits(const struct store_backend *backend, const struct store_settings *settings, struct error *err)
{
	if (backend->remote && settings->at_most != 0)
		error_set(err, "at-most is for a store on this host; set maxmemory in the server");
	else if (!backend->remote && (settings->password_file || settings->ca_file || settings->timeout_us != 0))
		error_set(err, "password-file, ca-file and timeout are for a store in Redis");
	else
		return 0;
	return -1;
}

static const struct store_backend *backend_check(const struct store_settings *settings, struct slice *rest_r,
						 struct error *err)
{
	const struct store_backend *backend = backend_find(settings->url, rest_r, err);

	if (!backend || backend->check(settings, *rest_r, err) < 0 || backend_fits(backend, settings, err) < 0)
		return NULL;
	if (settings->at_most != 0 && settings->at_most < STORE_AT_MOST_MIN) {
		error_set(err, "a store needs space: at-most must be at least %d MB", (int)(STORE_AT_MOST_MIN >> 20));
		return NULL;
	}
	return backend;
}

int store_check(const struct store_settings *settings, struct error *err)
{
	struct slice rest;

	return backend_check(settings, &rest, err) ? 0 : -1;
}

struct slice store_directory(struct slice url)
{
	struct error err;
	struct slice rest;
	const struct store_backend *backend = backend_find(url, &rest, &err);

	return backend && backend->in_directory ? rest : SLICE("");
}

struct store *store_open(const struct store_settings *settings, struct error *err)
{
	struct store_settings complete = *settings;
	struct slice rest;
	const struct store_backend *backend = backend_check(settings, &rest, err);
	struct store *store;
	void *state;

	if (complete.at_most == 0)
		complete.at_most = STORE_AT_MOST;
	if (!complete.clock.wall_us)
		complete.clock.wall_us = clock_wall_us;
	if (!complete.clock.steady_us)
		complete.clock.steady_us = clock_us;
	state = backend ? backend->open(&complete, rest, err) : NULL;
	if (!state)
		return NULL;
	store = xmalloc(sizeof(*store));
	store->backend = backend;
	store->state = state;
	return store;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store->backend->close(store->state);
	free(store);
}

/* ---- views ---------------------------------------------------------------------- */

struct store *store_view(struct store *store, const struct wait_hook *waiting)
{
	struct store *view;

	if (!store || !store->backend->waits || !waiting->waits)
		return store;
	view = xmalloc(sizeof(*view));
	view->of = store;
	view->waiting = *waiting;
	return view;
}

void store_view_close(struct store *store)
{
	if (store && store->of)
		free(store);
}

/* ---- questions ------------------------------------------------------------------ */

/* A call of the backend. */
struct call {
	struct store *store;
	bool waits; /* it may, and somebody wants to know */
};

static struct call call_begin(struct store *store)
{
	struct call call = {store->of ? store->of : store, false};

	call.waits = store->of && call.store->backend->waits(call.store->state);
	if (call.waits)
		waiting_begin(&store->waiting);
	return call;
}

static enum store_answer count(struct store *store, enum store_answer answer)
{
	atomic_fetch_add_explicit(&store->asked, 1, memory_order_relaxed);
	if (answer == STORE_UNAVAILABLE)
		atomic_fetch_add_explicit(&store->unanswered, 1, memory_order_relaxed);
	return answer;
}

static enum store_answer call_end(const struct call *call, enum store_answer answer)
{
	if (call->waits)
		waiting_end();
	return count(call->store, answer);
}

static enum store_answer invalid(struct store *store)
{
	return count(store->of ? store->of : store, STORE_INVALID);
}

static bool key_is_valid(struct slice key)
{
	return key.n > 0 && key.n <= STORE_KEY_MAX;
}

static bool life_is_valid(int64_t life_us)
{
	return life_us > 0 && life_us <= STORE_LIFE_MAX_US;
}

static bool holder_is_valid(struct slice holder)
{
	return holder.n > 0 && holder.n <= STORE_HOLDER_MAX;
}

static bool limit_is_valid(const struct store_limit *limit)
{
	return key_is_valid(limit->key) && limit->length_us >= STORE_WINDOW_MIN_US &&
	       limit->length_us <= STORE_WINDOW_MAX_US;
}

/* Two limits with one key would be evaluated independently. */
static bool limits_are_valid(const struct store_limit *limits, size_t count)
{
	if (count == 0 || count > STORE_LIMITS_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!limit_is_valid(&limits[i]))
			return false;
		for (size_t j = 0; j < i; j++)
			if (slice_equal(limits[i].key, limits[j].key))
				return false;
	}
	return true;
}

enum store_answer store_reserve(struct store *store, const struct store_limit *limits, size_t count,
				struct store_usage *usage_r)
{
	struct call call;

	if (!limits_are_valid(limits, count))
		return invalid(store);
	memset(usage_r, 0, count * sizeof(*usage_r));
	call = call_begin(store);
	return call_end(&call, call.store->backend->reserve(call.store->state, limits, count, usage_r));
}

enum store_answer store_release(struct store *store, const struct store_limit *limits, size_t count,
				const struct store_usage *usage)
{
	struct call call;

	if (!limits_are_valid(limits, count))
		return invalid(store);
	call = call_begin(store);
	return call_end(&call, call.store->backend->release(call.store->state, limits, count, usage));
}

static enum store_answer put(struct store *store, const struct put *put)
{
	struct call call;

	if (!key_is_valid(put->key) || put->value.n > STORE_VALUE_MAX || !life_is_valid(put->life_us) ||
	    put->was.n > STORE_VALUE_MAX)
		return invalid(store);
	call = call_begin(store);
	return call_end(&call, call.store->backend->put(call.store->state, put));
}

enum store_answer store_put(struct store *store, struct slice key, struct slice value, int64_t life_us)
{
	return put(store, &(struct put){.key = key, .value = value, .life_us = life_us, .when = PUT_ALWAYS});
}

enum store_answer store_put_absent(struct store *store, struct slice key, struct slice value, int64_t life_us)
{
	return put(store, &(struct put){.key = key, .value = value, .life_us = life_us, .when = PUT_ABSENT});
}

enum store_answer store_replace(struct store *store, struct slice key, struct slice was, struct slice value,
				int64_t life_us)
{
	return put(store, &(struct put){.key = key, .value = value, .life_us = life_us, .when = PUT_SAME, .was = was});
}

enum store_answer store_renew(struct store *store, const struct slice *keys, size_t count, struct slice value,
			      int64_t life_us, int64_t again_us)
{
	struct call call;

	if (count == 0 || count > STORE_RENEW_MAX || value.n > STORE_VALUE_MAX || !life_is_valid(life_us) ||
	    again_us < 0 || again_us > life_us)
		return invalid(store);
	for (size_t i = 0; i < count; i++)
		if (!key_is_valid(keys[i]))
			return invalid(store);
	call = call_begin(store);
	return call_end(&call, call.store->backend->renew(call.store->state, keys, count, value, life_us, again_us));
}

enum store_answer store_get(struct store *store, struct slice key, struct arena *arena, struct store_item *item_r)
{
	struct call call;

	if (!key_is_valid(key))
		return invalid(store);
	call = call_begin(store);
	return call_end(&call, call.store->backend->get(call.store->state, key, arena, item_r));
}

enum store_answer store_delete(struct store *store, struct slice key)
{
	struct call call;

	if (!key_is_valid(key))
		return invalid(store);
	call = call_begin(store);
	return call_end(&call, call.store->backend->remove(call.store->state, key));
}

enum store_answer store_scan(struct store *store, struct slice prefix, struct slice after, size_t room,
			     struct arena *arena, struct store_page *page_r)
{
	struct call call;

	if (prefix.n > STORE_KEY_MAX || after.n > STORE_KEY_MAX || room == 0 || room > STORE_SCAN_MAX)
		return invalid(store);
	*page_r = (struct store_page){.items = arena_alloc(arena, room * sizeof(struct store_item))};
	call = call_begin(store);
	return call_end(&call, call.store->backend->scan(call.store->state, prefix, after, room, arena, page_r));
}

/* ---- sums ----------------------------------------------------------------------- */

static bool sum_is_valid(struct slice key, struct slice member)
{
	return key.n > 0 && key.n <= STORE_SUM_MAX && member.n > 0 && member.n <= STORE_SUM_MAX - key.n &&
	       slice_find(key, ' ') < 0;
}

enum store_answer store_add(struct store *store, const struct store_sum *sums, size_t count, size_t *added_r)
{
	struct call call;

	*added_r = 0;
	for (size_t i = 0; i < count; i++)
		if (!sum_is_valid(sums[i].key, sums[i].member) || sums[i].life_us <= 0 ||
		    sums[i].life_us > STORE_LIFE_MAX_US)
			return invalid(store);
	call = call_begin(store);
	return call_end(&call, call.store->backend->add(call.store->state, sums, count, added_r));
}

enum store_answer store_sums(struct store *store, struct slice key, struct slice after, size_t room,
			     struct arena *arena, struct store_page *page_r)
{
	struct call call;

	if (!sum_is_valid(key, after.n > 0 ? after : SLICE("a")) || room == 0 || room > STORE_SCAN_MAX)
		return invalid(store);
	*page_r = (struct store_page){.items = arena_alloc(arena, room * sizeof(struct store_item))};
	call = call_begin(store);
	return call_end(&call, call.store->backend->sums(call.store->state, key, after, room, arena, page_r));
}

enum store_answer store_forget(struct store *store, struct slice key, struct slice member)
{
	struct call call;

	if (!sum_is_valid(key, member))
		return invalid(store);
	call = call_begin(store);
	return call_end(&call, call.store->backend->forget(call.store->state, key, member));
}

enum store_answer store_flush(struct store *store, int64_t deadline_us)
{
	struct call call = call_begin(store);

	return call_end(&call, call.store->backend->flush(call.store->state, deadline_us));
}

enum store_answer store_lease_take(struct store *store, struct slice key, struct slice holder, int64_t life_us)
{
	struct call call;

	if (!key_is_valid(key) || !holder_is_valid(holder) || !life_is_valid(life_us))
		return invalid(store);
	call = call_begin(store);
	return call_end(&call, call.store->backend->lease(call.store->state, key, holder, life_us));
}

enum store_answer store_lease_release(struct store *store, struct slice key, struct slice holder)
{
	struct call call;

	if (!key_is_valid(key) || !holder_is_valid(holder))
		return invalid(store);
	call = call_begin(store);
	return call_end(&call, call.store->backend->unlease(call.store->state, key, holder));
}

/* ---- health ------------------------------------------------------------------- */

void store_counters(struct store *store, struct store_counters *counters_r)
{
	*counters_r = (struct store_counters){
	    .asked = atomic_load_explicit(&store->asked, memory_order_relaxed),
	    .unanswered = atomic_load_explicit(&store->unanswered, memory_order_relaxed),
	};
	store->backend->counters(store->state, counters_r);
}

bool store_trouble(struct store *store, struct error *why_r)
{
	struct store_health health = {0};

	store->backend->health(store->state, &health);
	if (health.failing || health.full)
		*why_r = health.why;
	return health.failing || health.full;
}

bool store_report(struct store *store, int64_t now_us, struct error *line_r)
{
	struct store_health health = {0};
	uint64_t unanswered = atomic_load_explicit(&store->unanswered, memory_order_relaxed);
	bool trouble;

	store->backend->health(store->state, &health);
	trouble = health.failing || health.full;
	if (trouble == store->in_trouble && (!trouble || now_us - store->reported_at < REPORT_US))
		return false;
	if (!trouble)
		error_set(line_r, "the store works again; requests it did not answer: %llu",
			  (unsigned long long)unanswered);
	else
		error_set(line_r, "%s; requests not answered since the last report: %llu", health.why.text,
			  (unsigned long long)(unanswered - store->reported_unanswered));
	store->in_trouble = trouble;
	store->reported_at = now_us;
	store->reported_unanswered = unanswered;
	return true;
}
