/*
 * lmdb_record.c - records and what is due.
 */
#include "lmdb_record.h"
#include "members.h"

#include <endian.h>

#define DUE_HEAD 8
#define OLD_HEAD 9 /* of format 1: kind, when it expires */

#define MARKER_US     (INT64_C(600) * 1000 * 1000) /* a marker lives longer than its members: it changes seldom */
#define MEMBERS_SWEPT 8                            /* for each entry that is due: a commit is bounded */

static MDB_val val_of(struct slice text)
{
	return (MDB_val){text.n, (void *)text.p};
}

static bool kind_is_known(unsigned char kind)
{
	return kind >= STORE_VALUE && kind <= STORE_SUM;
}

bool lmdb_record_read(MDB_val data, struct record *record_r)
{
	const char *p = data.mv_data;

	if (data.mv_size < RECORD_HEAD || data.mv_size > RECORD_HEAD + MEMBERS_BYTES ||
	    !kind_is_known((unsigned char)p[0]))
		return false;
	record_r->kind = (enum store_kind)p[0];
	memcpy(&record_r->due, p + 1, 8);
	memcpy(&record_r->expires, p + 9, 8);
	record_r->value = (struct slice){p + RECORD_HEAD, data.mv_size - RECORD_HEAD};
	return true;
}

int lmdb_record_get(struct lmdb_file *file, MDB_txn *txn, struct slice key, struct record *record_r)
{
	MDB_val name = val_of(key), data;
	int rc = mdb_get(txn, file->records, &name, &data);

	if (rc == 0 && !lmdb_record_read(data, record_r))
		rc = MDB_CORRUPTED;
	return rc;
}

/* ---- due ---------------------------------------------------------------------------- */

struct due_key {
	char bytes[DUE_HEAD + STORE_KEY_MAX];
	size_t n;
};

static MDB_val due_of(struct due_key *due, int64_t time, struct slice key)
{
	uint64_t big = htobe64((uint64_t)time);

	memcpy(due->bytes, &big, DUE_HEAD);
	memcpy(due->bytes + DUE_HEAD, key.p, key.n);
	return (MDB_val){DUE_HEAD + key.n, due->bytes};
}

static int due_add(struct lmdb_file *file, MDB_txn *txn, int64_t time, struct slice key)
{
	struct due_key due;
	MDB_val name = due_of(&due, time, key), nothing = {0, ""};

	return mdb_put(txn, file->due, &name, &nothing, 0);
}

static int due_remove(struct lmdb_file *file, MDB_txn *txn, int64_t time, struct slice key)
{
	struct due_key due;
	MDB_val name = due_of(&due, time, key);
	int rc = mdb_del(txn, file->due, &name, NULL);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int64_t due_time(MDB_val name)
{
	uint64_t big;

	if (name.mv_size <= DUE_HEAD || name.mv_size > DUE_HEAD + STORE_KEY_MAX)
		return 0; /* not ours: due, and its key has no record */
	memcpy(&big, name.mv_data, DUE_HEAD);
	return (int64_t)be64toh(big);
}

/* ---- records --------------------------------------------------------------------------- */

static int record_write(struct lmdb_file *file, MDB_txn *txn, struct slice key, const struct record *record)
{
	MDB_val name = val_of(key), data = {RECORD_HEAD + record->value.n, NULL};
	int rc = mdb_put(txn, file->records, &name, &data, MDB_RESERVE);
	char *p = data.mv_data;

	if (rc != 0)
		return rc;
	*p = (char)record->kind;
	memcpy(p + 1, &record->due, 8);
	memcpy(p + 9, &record->expires, 8);
	if (record->value.n > 0)
		memcpy(p + RECORD_HEAD, record->value.p, record->value.n);
	return 0;
}

static bool is_marker(struct slice key)
{
	return key.n > 0 && key.p[key.n - 1] == ' ';
}

/* The marker of the sum that a key is a member of, at least as long-lived. */
static int marker_keep(struct lmdb_file *file, MDB_txn *txn, struct slice key, int64_t expires)
{
	struct slice name = slice_head(key, (size_t)(slice_find(key, ' ') + 1));
	const struct record marker = {.kind = STORE_SUM, .expires = expires + MARKER_US, .value = SLICE("")};
	struct record old;
	int rc = lmdb_record_get(file, txn, name, &old);

	if (rc == 0 && old.expires >= expires)
		return 0;
	return rc == 0 || rc == MDB_NOTFOUND || rc == MDB_CORRUPTED ? lmdb_record_put(file, txn, name, &marker) : rc;
}

/* The entry stays where it is when the record lives longer than it says; a record that lives shorter would be found
 * late. */
int lmdb_record_put(struct lmdb_file *file, MDB_txn *txn, struct slice key, const struct record *record)
{
	struct record written = *record, old;
	bool marked = record->kind == STORE_SUM && slice_find(key, ' ') >= 0 && !is_marker(key), keeps;
	int rc = marked ? marker_keep(file, txn, key, record->expires) : 0;

	if (rc != 0)
		return rc;
	rc = lmdb_record_get(file, txn, key, &old);
	keeps = rc == 0 && old.due <= record->expires && (old.due == 0) == marked;
	if (rc != 0 && rc != MDB_NOTFOUND && rc != MDB_CORRUPTED)
		return rc;
	if (rc == 0 && !keeps && old.due != 0) {
		rc = due_remove(file, txn, old.due, key);
		if (rc != 0)
			return rc;
	}
	written.due = marked ? 0 : keeps ? old.due : record->expires;
	rc = keeps || marked ? 0 : due_add(file, txn, written.due, key);
	return rc == 0 ? record_write(file, txn, key, &written) : rc;
}

int lmdb_record_delete(struct lmdb_file *file, MDB_txn *txn, struct slice key)
{
	MDB_val name = val_of(key);
	struct record old;
	int rc = lmdb_record_get(file, txn, key, &old);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0 && old.due != 0)
		rc = due_remove(file, txn, old.due, key);
	else if (rc == MDB_CORRUPTED)
		rc = 0;
	if (rc == 0)
		rc = mdb_del(txn, file->records, &name, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- the sweep --------------------------------------------------------------------------- */

int lmdb_due_first(struct lmdb_file *file, MDB_txn *txn, int64_t *due_r)
{
	MDB_cursor *cursor;
	MDB_val name, data;
	int rc = mdb_cursor_open(txn, file->due, &cursor);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cursor, &name, &data, MDB_FIRST);
	if (rc == 0)
		*due_r = due_time(name);
	mdb_cursor_close(cursor);
	return rc;
}

/* The first members of a marker; 0 and *more_r: there are more. */
static int sweep_members(struct lmdb_file *file, MDB_txn *txn, struct slice key, bool *more_r)
{
	MDB_cursor *cursor;
	MDB_val name = val_of(key), data;
	int rc = mdb_cursor_open(txn, file->records, &cursor);

	*more_r = false;
	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cursor, &name, &data, MDB_SET_RANGE);
	for (unsigned left = MEMBERS_SWEPT; rc == 0; left--) {
		if (name.mv_size < key.n || memcmp(name.mv_data, key.p, key.n) != 0)
			break;
		*more_r = left == 0;
		if (*more_r)
			break;
		if (name.mv_size > key.n)
			rc = mdb_cursor_del(cursor, 0); /* the cursor is then before the next */
		if (rc == 0)
			rc = mdb_cursor_get(cursor, &name, &data, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The record of an entry that was due at `time` and has been removed. */
static int sweep_record(struct lmdb_file *file, MDB_txn *txn, struct slice key, int64_t time, int64_t now)
{
	struct record record;
	MDB_val name = val_of(key);
	int rc = lmdb_record_get(file, txn, key, &record);

	if (rc == MDB_NOTFOUND || rc == MDB_BAD_VALSIZE || (rc == 0 && record.due != time))
		return 0; /* that record has another entry */
	if (rc != 0 && rc != MDB_CORRUPTED)
		return rc;
	if (rc == 0 && record.kind == STORE_SUM && is_marker(key) && record.expires <= now) {
		bool more;

		rc = sweep_members(file, txn, key, &more);
		if (rc != 0 || more)
			return rc == 0 ? due_add(file, txn, time, key) : rc;
		rc = mdb_del(txn, file->records, &name, NULL);
		return rc == MDB_NOTFOUND ? 0 : rc;
	}
	if (rc == 0 && record.expires > now) {
		struct record longer = record;
		char value[MEMBERS_BYTES]; /* what is written may not be in the file */

		longer.due = record.expires;
		if (record.value.n > 0)
			memcpy(value, record.value.p, record.value.n);
		longer.value.p = value;
		rc = due_add(file, txn, longer.due, key);
		return rc == 0 ? record_write(file, txn, key, &longer) : rc;
	}
	return mdb_del(txn, file->records, &name, NULL);
}

static int sweep_one(struct lmdb_file *file, MDB_txn *txn, MDB_cursor *cursor, MDB_val name, int64_t now)
{
	struct due_key due = {.n = 0};
	int64_t time = due_time(name);
	int rc;

	if (time > 0) {
		due.n = name.mv_size - DUE_HEAD;
		memcpy(due.bytes, (const char *)name.mv_data + DUE_HEAD, due.n);
	}
	rc = mdb_cursor_del(cursor, 0);
	return rc == 0 && time > 0 ? sweep_record(file, txn, (struct slice){due.bytes, due.n}, time, now) : rc;
}

int lmdb_due_sweep(struct lmdb_file *file, MDB_txn *txn, int64_t now, size_t max, size_t *taken_r)
{
	MDB_cursor *cursor;
	MDB_val name, data;
	int rc = mdb_cursor_open(txn, file->due, &cursor);

	*taken_r = 0;
	if (rc != 0)
		return rc;
	while (*taken_r < max) {
		rc = mdb_cursor_get(cursor, &name, &data, MDB_FIRST);
		if (rc != 0 || due_time(name) > now)
			break;
		rc = sweep_one(file, txn, cursor, name, now);
		if (rc != 0)
			break;
		++*taken_r;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- format 1 ------------------------------------------------------------------------------- */

/* The record under the cursor in the current format, with its entry in `due`. A malformed one is deleted. */
static int upgrade_record(struct lmdb_file *file, MDB_txn *txn, MDB_cursor *cursor, MDB_val name, MDB_val data)
{
	char record[RECORD_HEAD + MEMBERS_BYTES], key[STORE_KEY_MAX];
	const char *old = data.mv_data;
	MDB_val same = {name.mv_size, key}, renewed = {data.mv_size + 8, record};
	int64_t expires;
	int rc;

	if (data.mv_size < OLD_HEAD || data.mv_size > OLD_HEAD + MEMBERS_BYTES || !kind_is_known((unsigned char)*old) ||
	    name.mv_size > STORE_KEY_MAX)
		return mdb_cursor_del(cursor, 0);
	memcpy(key, name.mv_data, name.mv_size);
	memcpy(&expires, old + 1, 8);
	record[0] = old[0];
	memcpy(record + 1, &expires, 8);
	memcpy(record + 9, old + 1, data.mv_size - 1);
	rc = mdb_cursor_put(cursor, &same, &renewed, MDB_CURRENT);
	return rc == 0 ? due_add(file, txn, expires, (struct slice){key, same.mv_size}) : rc;
}

int lmdb_upgrade(struct lmdb_file *file, MDB_txn *txn)
{
	MDB_cursor *cursor;
	MDB_val name, data;
	int rc = mdb_cursor_open(txn, file->records, &cursor);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cursor, &name, &data, MDB_FIRST);
	while (rc == 0) {
		rc = upgrade_record(file, txn, cursor, name, data);
		if (rc == 0)
			rc = mdb_cursor_get(cursor, &name, &data, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}
