/*
 * lmdb.c - the store in a file of this machine.
 */
#include "lmdb_private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define SCAN_SHARE    4                 /* records looked at for each that a page has room for: those that expired */
#define SCAN_WAIT_US  (5 * 1000 * 1000) /* until what was decided is in the file */
#define DIRECTORY_MAX (PATH_MAX - 32)

static int lmdb_check(const struct store_settings *settings, struct slice rest, struct error *err)
{
	(void)settings;
	if (rest.n > 0 && rest.p[0] == '/' && rest.n <= DIRECTORY_MAX && slice_find(rest, '\0') < 0)
		return 0;
	error_set(err, "lmdb: needs the absolute path of a directory after the colon, as in lmdb:/var/lib/sekisho");
	return -1;
}

/* ---- what the table asks ------------------------------------------------------------------- */

static int load_entry(struct lmdb *lmdb, MDB_txn *txn, struct entry *entry)
{
	struct record record;
	int rc = lmdb_record_get(&lmdb->file, txn, entry_key(entry), &record);

	if (rc == 0)
		entry_fill(entry, record.kind, record.value, record.expires);
	if (rc == MDB_CORRUPTED)
		atomic_fetch_add(&lmdb->damaged, 1);
	return rc == 0 || rc == MDB_NOTFOUND || rc == MDB_CORRUPTED ? 0 : -1;
}

static int load(struct local *local, struct entry *const *entries, size_t count)
{
	struct lmdb *lmdb = (struct lmdb *)local;
	int worked = 0;
	MDB_txn *txn;

	if (lmdb_reader_take(&lmdb->readers, lmdb->file.env, clock_us() + READ_US, &txn) != 0)
		return -1;
	for (size_t i = 0; i < count && worked == 0; i++)
		if (entries[i])
			worked = load_entry(lmdb, txn, entries[i]);
	lmdb_reader_give(&lmdb->readers, txn);
	return worked;
}

/* Nothing is promised while the latest commit has failed or hangs. */
static bool may_write(struct local *local)
{
	struct lmdb *lmdb = (struct lmdb *)local;
	int64_t began = atomic_load_explicit(&lmdb->began, memory_order_relaxed);

	return !atomic_load_explicit(&lmdb->failing, memory_order_relaxed) &&
	       (began == 0 || clock_us() - began < STALL_US);
}

static bool may_hold(struct local *local)
{
	size_t bytes = atomic_load_explicit(&local->table->bytes, memory_order_relaxed);

	if (bytes > STORE_MEMORY)
		lmdb_writer_hurry((struct lmdb *)local);
	return bytes < MEMORY_MAX;
}

static bool is_full(const struct lmdb *lmdb, uint64_t more)
{
	return atomic_load_explicit(&lmdb->used, memory_order_relaxed) + more >= lmdb->at_most / 4 * 3;
}

/* What is not written yet counts as new; at worst each entry begins a page, which a few share. The thread measures
 * again soon. */
static bool may_add(struct local *local)
{
	uint64_t dirty = atomic_load_explicit(&local->table->dirty, memory_order_relaxed);

	return !is_full((struct lmdb *)local, dirty * 512);
}

static const struct local_kind lmdb_kind = {
    .load = load, .may_write = may_write, .may_hold = may_hold, .may_add = may_add};

/* ---- opening and closing --------------------------------------------------------------------- */

static void lmdb_free(struct lmdb *lmdb)
{
	lmdb_readers_free(&lmdb->readers);
	lmdb_file_close(&lmdb->file);
	table_free(lmdb->local.table);
	ticker_free(&lmdb->local.ticker);
	free(lmdb->writer.batch.values);
	free(lmdb);
}

static void *lmdb_open(const struct store_settings *settings, struct slice rest, struct error *err)
{
	struct lmdb *lmdb = xmalloc(sizeof(*lmdb));
	char directory[DIRECTORY_MAX + 1];

	snprintf(directory, sizeof(directory), "%.*s", SLICE_ARGS(rest));
	lmdb->at_most = settings->at_most;
	if (lmdb_file_open(&lmdb->file, directory, settings->at_most, err) < 0) {
		free(lmdb);
		return NULL;
	}
	lmdb->local = (struct local){.kind = &lmdb_kind, .table = table_new(true), .seed = lmdb->file.seed};
	ticker_init(&lmdb->local.ticker, &settings->clock, lmdb->file.clock);
	lmdb_readers_init(&lmdb->readers);
	lmdb_measure(lmdb);
	if (lmdb_writer_start(lmdb, err) < 0) {
		lmdb_free(lmdb);
		return NULL;
	}
	return lmdb;
}

static void lmdb_close(void *state)
{
	lmdb_writer_stop(state);
	lmdb_free(state);
}

/* ---- pages ------------------------------------------------------------------------------------ */

struct scan {
	struct lmdb *lmdb;
	struct slice prefix;
	size_t room;
	int64_t now;
	struct arena *arena;
	struct store_page *page;
	struct lmdb_span span;
};

/* When the table has the key, it is newer than the file. */
static void scan_record(struct scan *scan, struct slice key, MDB_val data)
{
	struct store_item *item = &scan->page->items[scan->page->count];
	struct record record;
	bool known, lives;

	lives = local_look(&scan->lmdb->local, key, scan->now, scan->arena, item, &known) == STORE_OK;
	if (!known)
		lives = lmdb_record_read(data, &record) &&
			local_item(record.kind, key, record.value, record.expires, scan->now, scan->arena, item);
	scan->page->count += lives;
}

static bool has_prefix(const struct scan *scan, struct slice key)
{
	return key.n >= scan->prefix.n && slice_equal(slice_head(key, scan->prefix.n), scan->prefix);
}

static int scan_records(struct scan *scan, MDB_cursor *cursor, struct slice after)
{
	struct slice from = after.n > 0 ? after : scan->prefix, key = SLICE("");
	MDB_val name = {from.n, (void *)from.p}, data;
	int rc = mdb_cursor_get(cursor, &name, &data, from.n > 0 ? MDB_SET_RANGE : MDB_FIRST);

	for (size_t left = scan->room * SCAN_SHARE; rc == 0; left--) {
		key = (struct slice){name.mv_data, name.mv_size};
		lmdb_span_add(&scan->span, key.p);
		if (!has_prefix(scan, key))
			break;
		if (after.n == 0 || !slice_equal(key, after))
			scan_record(scan, key, data);
		if (scan->page->count == scan->room || left <= 1) {
			scan->page->next = arena_copy(scan->arena, key);
			break;
		}
		rc = mdb_cursor_get(cursor, &name, &data, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int scan_page(struct scan *scan, struct slice after)
{
	struct lmdb *lmdb = scan->lmdb;
	MDB_cursor *cursor;
	MDB_txn *txn;
	int rc = lmdb_reader_take(&lmdb->readers, lmdb->file.env, clock_us() + READ_US, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_open(txn, lmdb->file.records, &cursor);
	if (rc == 0) {
		rc = scan_records(scan, cursor, after);
		mdb_cursor_close(cursor);
	}
	lmdb_reader_give(&lmdb->readers, txn);
	lmdb_reader_read(&lmdb->readers, &scan->span);
	return rc;
}

static int is_before(struct slice a, struct slice b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order < 0 || (order == 0 && a.n < b.n);
}

static enum store_answer scan_file(struct lmdb *lmdb, struct slice prefix, struct slice after, size_t room,
				   struct arena *arena, struct store_page *page_r)
{
	struct scan scan = {lmdb, prefix, room, .arena = arena, .page = page_r};

	if (after.n > 0 && prefix.n > 0 && is_before(after, prefix))
		after = SLICE("");
	scan.now = ticker_now(&lmdb->local.ticker);
	return scan_page(&scan, after) == 0 ? STORE_OK : STORE_UNAVAILABLE;
}

static enum store_answer lmdb_scan(void *state, struct slice prefix, struct slice after, size_t room,
				   struct arena *arena, struct store_page *page_r)
{
	if (lmdb_writer_flush(state, clock_us() + SCAN_WAIT_US) != STORE_OK)
		return STORE_UNAVAILABLE;
	return scan_file(state, prefix, after, room, arena, page_r);
}

static enum store_answer lmdb_sums(void *state, struct slice key, struct slice after, size_t room, struct arena *arena,
				   struct store_page *page_r)
{
	char prefix[STORE_KEY_MAX], from[STORE_KEY_MAX];
	enum store_answer answer = scan_file(state, sum_key(key, SLICE(""), prefix),
					     after.n > 0 ? sum_key(key, after, from) : SLICE(""), room, arena, page_r);

	sum_page(key, page_r);
	return answer;
}

/* ---- the rest ----------------------------------------------------------------------------------- */

static enum store_answer lmdb_flush(void *state, int64_t deadline_us)
{
	return lmdb_writer_flush(state, deadline_us);
}

static void lmdb_counters(void *state, struct store_counters *counters_r)
{
	struct lmdb *lmdb = state;

	counters_r->keys = atomic_load(&lmdb->keys);
	counters_r->bytes = atomic_load(&lmdb->used);
	counters_r->at_most = lmdb->at_most;
	counters_r->memory = atomic_load(&lmdb->local.table->bytes);
	counters_r->flushes = atomic_load(&lmdb->commits);
	counters_r->failures = atomic_load(&lmdb->failures);
	counters_r->damaged = atomic_load(&lmdb->damaged);
}

static void lmdb_health(void *state, struct store_health *health_r)
{
	struct lmdb *lmdb = state;

	health_r->failing = !may_write(&lmdb->local);
	health_r->full = is_full(lmdb, 0);
	if (health_r->failing && atomic_load(&lmdb->failing)) {
		pthread_mutex_lock(&lmdb->writer.lock);
		health_r->why = lmdb->writer.why;
		pthread_mutex_unlock(&lmdb->writer.lock);
	} else if (health_r->failing) {
		error_set(&health_r->why,
			  "store %s: the disk does not respond; facts that need the store are unknown until it does",
			  lmdb->file.path);
	} else if (health_r->full) {
		error_set(&health_r->why,
			  "store %s: three quarters of its %llu MB are in use, so it takes no new keys until some "
			  "expire; raise at-most",
			  lmdb->file.path, (unsigned long long)(lmdb->at_most >> 20));
	}
}

const struct store_backend store_lmdb = {
    .scheme = "lmdb:",
    .in_directory = true,
    .check = lmdb_check,
    .open = lmdb_open,
    .close = lmdb_close,
    .reserve = local_reserve,
    .release = local_release,
    .put = local_put,
    .renew = local_renew,
    .get = local_get,
    .remove = local_remove,
    .lease = local_lease,
    .unlease = local_unlease,
    .scan = lmdb_scan,
    .add = local_add,
    .sums = lmdb_sums,
    .forget = local_forget,
    .flush = lmdb_flush,
    .counters = lmdb_counters,
    .health = lmdb_health,
};
