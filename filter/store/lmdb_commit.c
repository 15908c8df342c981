/*
 * lmdb_commit.c - writes what changed in memory to the file, a batch at a time.
 */
#include "lmdb_private.h"

#include <stdlib.h>

/* ---- the batch ----------------------------------------------------------------------- */

static void batch_add(struct lmdb_batch *batch, struct entry *entry)
{
	struct lmdb_change *change = &batch->changes[batch->count++];

	*change = (struct lmdb_change){entry, entry->kind, entry->expires, batch->used, entry->value_n};
	if (batch->used + entry->value_n > batch->room) {
		batch->room = 2 * (batch->used + entry->value_n);
		batch->values = xrealloc(batch->values, batch->room);
	}
	if (entry->value_n > 0)
		memcpy(batch->values + batch->used, entry->value, entry->value_n);
	batch->used += entry->value_n;
}

/* An entry that is dirty stays in the list it is in, so the list can be walked without the lock. */
void lmdb_gather(struct lmdb *lmdb)
{
	for (size_t i = 0; i < TABLE_SHARDS; i++) {
		struct shard *shard = &lmdb->local.table->shards[i];
		struct entry *dirty = NULL, **end = &dirty;

		pthread_mutex_lock(&shard->lock);
		dirty = shard->dirty;
		shard->dirty = NULL;
		pthread_mutex_unlock(&shard->lock);
		while (*end)
			end = &(*end)->next_dirty;
		*end = lmdb->writer.pending;
		lmdb->writer.pending = dirty;
	}
}

/* From here on an entry that changes is dirty again. */
static void collect_entry(struct lmdb *lmdb, struct entry *entry)
{
	struct shard *shard = table_shard(lmdb->local.table, entry->hash);

	pthread_mutex_lock(&shard->lock);
	lmdb->writer.pending = entry->next_dirty;
	entry->next_dirty = NULL;
	entry->flags = (uint8_t)((entry->flags & ~ENTRY_DIRTY) | ENTRY_WRITING);
	batch_add(&lmdb->writer.batch, entry);
	pthread_mutex_unlock(&shard->lock);
	atomic_fetch_sub_explicit(&lmdb->local.table->dirty, 1, memory_order_relaxed);
}

static int compare_changes(const void *a_, const void *b_)
{
	const struct entry *a = ((const struct lmdb_change *)a_)->entry, *b = ((const struct lmdb_change *)b_)->entry;
	int order = memcmp(a->key, b->key, a->key_n < b->key_n ? a->key_n : b->key_n);

	return order != 0 ? order : (int)a->key_n - (int)b->key_n;
}

/* Sorted by key: neighbours share pages. */
static void collect(struct lmdb *lmdb)
{
	struct lmdb_batch *batch = &lmdb->writer.batch;

	batch->count = batch->used = 0;
	while (lmdb->writer.pending && batch->count < lmdb->writer.limit && batch->used < BATCH_BYTES)
		collect_entry(lmdb, lmdb->writer.pending);
	qsort(batch->changes, batch->count, sizeof(batch->changes[0]), compare_changes);
}

/* What was not written is dirty again, whether or not it changed meanwhile. */
static void settle(struct lmdb *lmdb, bool written)
{
	struct lmdb_batch *batch = &lmdb->writer.batch;

	for (size_t i = 0; i < batch->count; i++) {
		struct entry *entry = batch->changes[i].entry;
		struct shard *shard = table_shard(lmdb->local.table, entry->hash);

		pthread_mutex_lock(&shard->lock);
		entry->flags &= (uint8_t)~ENTRY_WRITING;
		if (!written)
			table_mark_dirty(lmdb->local.table, entry);
		pthread_mutex_unlock(&shard->lock);
	}
}

/* ---- the commit ------------------------------------------------------------------------ */

static int write_change(struct lmdb *lmdb, MDB_txn *txn, const struct lmdb_change *change)
{
	struct slice key = entry_key(change->entry);
	struct record record = {.kind = change->kind,
				.expires = change->expires,
				.value = {lmdb->writer.batch.values + change->at, change->n}};

	return change->kind != 0 ? lmdb_record_put(&lmdb->file, txn, key, &record)
				 : lmdb_record_delete(&lmdb->file, txn, key);
}

static int write_all(struct lmdb *lmdb, MDB_txn *txn, int64_t now, size_t *swept_r)
{
	const struct lmdb_batch *batch = &lmdb->writer.batch;
	int rc = lmdb_due_sweep(&lmdb->file, txn, now, 2 * lmdb->writer.limit, swept_r);

	for (size_t i = 0; rc == 0 && i < batch->count; i++)
		rc = write_change(lmdb, txn, &batch->changes[i]);
	if (rc == 0)
		rc = lmdb_meta_put(&lmdb->file, txn, "clock", &now, sizeof(now));
	if (rc == 0)
		rc = lmdb_due_first(&lmdb->file, txn, &lmdb->writer.due);
	if (rc == MDB_NOTFOUND) {
		lmdb->writer.due = INT64_MAX;
		rc = 0;
	}
	return rc;
}

/* Time is read after the written entries were decided, so it is not before any time in the file. */
static int commit_batch(struct lmdb *lmdb, size_t *swept_r)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(lmdb->file.env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	rc = write_all(lmdb, txn, ticker_now(&lmdb->local.ticker), swept_r);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* When the pages that a commit replaces do not fit the bound, smaller commits may: each frees what the one before
 * replaced. */
static bool make_smaller(struct lmdb_writer *writer, int rc)
{
	if ((rc != MDB_MAP_FULL && rc != MDB_TXN_FULL) || writer->limit <= BATCH_MIN)
		return false;
	writer->limit /= 2;
	return true;
}

int lmdb_commit(struct lmdb *lmdb, bool *more_r)
{
	struct lmdb_writer *writer = &lmdb->writer;
	size_t swept = 0;
	int rc;

	collect(lmdb);
	atomic_store(&lmdb->began, clock_us());
	rc = commit_batch(lmdb, &swept);
	atomic_store(&lmdb->began, 0);
	settle(lmdb, rc == 0);
	*more_r = writer->pending || swept == 2 * writer->limit;
	if (rc != 0 && make_smaller(writer, rc)) {
		lmdb_gather(lmdb);
		*more_r = true;
		return 0;
	}
	if (rc == 0 && writer->limit < BATCH_MAX)
		writer->limit *= 2;
	atomic_fetch_add(rc == 0 ? &lmdb->commits : &lmdb->failures, 1);
	return rc;
}

/* ---- how much is in use ------------------------------------------------------------------- */

static size_t pages_of(MDB_txn *txn, MDB_dbi table, size_t *entries_r)
{
	MDB_stat status;

	if (mdb_stat(txn, table, &status) != 0)
		return 0;
	*entries_r = status.ms_entries;
	return status.ms_branch_pages + status.ms_leaf_pages + status.ms_overflow_pages;
}

void lmdb_measure(struct lmdb *lmdb)
{
	size_t pages = 0, entries = 0;
	MDB_txn *txn;

	if (lmdb_reader_take(&lmdb->readers, lmdb->file.env, clock_us() + READ_US, &txn) != 0)
		return;
	pages = pages_of(txn, 0, &entries) + pages_of(txn, lmdb->file.due, &entries);
	pages += pages_of(txn, lmdb->file.records, &entries);
	lmdb_reader_give(&lmdb->readers, txn);
	atomic_store(&lmdb->used, (uint64_t)pages * lmdb->file.page);
	atomic_store(&lmdb->keys, entries);
}
