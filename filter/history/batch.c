/*
 * batch.c - a batch of records into the file, in one transaction.
 *
 * The hashes of a batch are inserted in order, so that neighbours share a page. When the file comes near its bound, the
 * oldest part goes; the pages that it had are used again.
 */
#include "history_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PARTS_LEAST 8 /* of a full file: dropping one loses at most this share */

struct term_row {
	int64_t hash, id;
};

/* ---- opening ------------------------------------------------------------------------------------- */

/* One daemon for each file: two would drop each other's parts. */
static int batch_lock(struct writer *writer, struct error *err)
{
	char path[4096];

	if (writer->lock_fd >= 0)
		return 0;
	snprintf(path, sizeof(path), "%s.lock", writer->settings->path);
	writer->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (writer->lock_fd < 0) {
		error_set(err, "cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	if (flock(writer->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	error_set(err, "%s is written by another daemon", writer->settings->path);
	close(writer->lock_fd);
	writer->lock_fd = -1;
	return -1;
}

static void statements_end(struct writer *writer)
{
	if (!writer->db)
		return;
	writer->db->sqlite->sqlite3_finalize(writer->insert_record);
	writer->db->sqlite->sqlite3_finalize(writer->insert_term);
	writer->db->sqlite->sqlite3_finalize(writer->insert_count);
	writer->insert_record = writer->insert_term = writer->insert_count = NULL;
}

void batch_close(struct writer *writer)
{
	statements_end(writer);
	db_close(writer->db);
	writer->db = NULL;
}

static int statements_begin(struct writer *writer, struct error *err)
{
	long long number = writer->part.number;

	statements_end(writer);
	writer->insert_record = db_prepare(writer->db, err, "INSERT INTO m%lld(time, line) VALUES(?, ?)", number);
	writer->insert_term = db_prepare(writer->db, err, "INSERT OR IGNORE INTO t%lld VALUES(?, ?)", number);
	writer->insert_count =
	    db_prepare(writer->db, err,
		       "INSERT INTO count VALUES(?, ?, ?, 1) ON CONFLICT(step, kind, name) DO UPDATE SET n = n + 1");
	return writer->insert_record && writer->insert_term && writer->insert_count ? 0 : -1;
}

static int part_begin(struct writer *writer, int64_t now_us, struct error *err)
{
	long long number = writer->part.number + 1;

	statements_end(writer);
	if (db_printf(writer->db, err,
		      "CREATE TABLE m%lld(id INTEGER PRIMARY KEY, time INTEGER, line TEXT);"
		      "CREATE TABLE t%lld(hash INTEGER, id INTEGER, PRIMARY KEY(hash, id)) WITHOUT ROWID;"
		      "INSERT INTO part VALUES(%lld, %lld, %lld, 0)",
		      number, number, number, (long long)now_us, (long long)now_us))
		return -1;
	writer->part = (struct part){number, now_us, now_us, 0};
	writer->part_bytes = 0;
	return statements_begin(writer, err);
}

static uint64_t part_bytes(struct writer *writer)
{
	char sql[64];

	if (writer->part.number == 0)
		return 0;
	snprintf(sql, sizeof(sql), "SELECT total(length(line)) FROM m%lld", (long long)writer->part.number);
	return (uint64_t)db_number(writer->db, sql, 0);
}

int batch_open(struct writer *writer, struct error *err)
{
	struct arena *arena;
	struct part *parts;
	size_t count = 0;
	int result;

	if (batch_lock(writer, err))
		return -1;
	writer->db = file_open(writer->settings->path, true, err);
	if (!writer->db)
		return -1;
	db_printf(writer->db, err, "PRAGMA max_page_count=%llu",
		  (unsigned long long)(writer->settings->at_most / PAGE_BYTES));
	arena = arena_new();
	result = file_parts(writer->db, arena, &parts, &count, err);
	writer->part = count ? parts[count - 1] : (struct part){0};
	writer->part_bytes = part_bytes(writer);
	arena_free(arena);
	if (result == 0 && count)
		result = statements_begin(writer, err);
	if (result)
		batch_close(writer);
	return result;
}

/* ---- the bound ------------------------------------------------------------------------------------- */

static uint64_t bytes_used(struct writer *writer)
{
	int64_t pages = db_number(writer->db, "PRAGMA page_count", 0);
	int64_t unused = db_number(writer->db, "PRAGMA freelist_count", 0);

	writer->bytes = (uint64_t)pages * PAGE_BYTES;
	return (uint64_t)(pages - unused) * PAGE_BYTES;
}

static int drop_part(struct writer *writer, const struct part *part, struct error *err)
{
	long long number = part->number;

	if (part->number == writer->part.number)
		statements_end(writer);
	if (db_printf(writer->db, err,
		      "DROP TABLE IF EXISTS m%lld; DROP TABLE IF EXISTS t%lld;"
		      "DELETE FROM part WHERE number = %lld",
		      number, number, number))
		return -1;
	return db_printf(writer->db, err, "DELETE FROM count WHERE step < %lld",
			 (long long)(part->last_us - HISTORY_STEP_US));
}

/* The part that is being written fills the file: what was counted for it is not bounded by its records, since strangers
 * choose the names. The next part takes its place. */
static int drop_last(struct writer *writer, struct error *err)
{
	if (drop_part(writer, &writer->part, err))
		return -1;
	writer->part.rows = PART_ROWS; /* full */
	return 0;
}

/* Drops what is too old, and the oldest part while a batch might not fit; that which is being written only when there
 * is no other. */
static int make_room(struct writer *writer, size_t batch, int64_t now_us, struct error *err)
{
	struct arena *arena = arena_new();
	struct part *parts;
	size_t count = 0;
	int result = file_parts(writer->db, arena, &parts, &count, err);

	for (size_t i = 0; result == 0 && i + 1 < count; i++) {
		uint64_t margin = writer->settings->at_most / PARTS_LEAST + 3 * batch;
		bool old = parts[i].last_us < now_us - writer->settings->keep_us;

		if (!old && bytes_used(writer) + margin <= writer->settings->at_most)
			break;
		result = drop_part(writer, &parts[i], err);
	}
	if (result == 0 && count > 0 && bytes_used(writer) + 2 * batch > writer->settings->at_most)
		result = drop_last(writer, err);
	arena_free(arena);
	return result;
}

/* So many records, or an eighth of the file: then the next part begins. A record takes more than its bytes: pages are
 * not full, and there are the hashes. */
static bool part_is_full(const struct writer *writer)
{
	return writer->part.number == 0 || writer->part.rows >= PART_ROWS ||
	       writer->part_bytes * 3 / 2 >= writer->settings->at_most / PARTS_LEAST ||
	       writer->part.last_us - writer->part.first_us > writer->settings->keep_us / PARTS_LEAST;
}

/* ---- a batch ---------------------------------------------------------------------------------------- */

static int compare_terms(const void *a, const void *b)
{
	const struct term_row *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static int step_done(struct writer *writer, sqlite3_stmt *statement, struct error *err)
{
	int result = writer->db->sqlite->sqlite3_step(statement);

	writer->db->sqlite->sqlite3_reset(statement);
	return result == SQLITE_DONE ? 0 : db_wrong(writer->db, err);
}

static int write_record(struct writer *writer, const struct queued *queued, int64_t *id_r, struct error *err)
{
	writer->db->sqlite->sqlite3_bind_int64(writer->insert_record, 1, queued->time_us);
	writer->db->sqlite->sqlite3_bind_text(writer->insert_record, 2, queued->line, (int)queued->line_n,
					      SQLITE_STATIC);
	if (step_done(writer, writer->insert_record, err))
		return -1;
	*id_r = writer->db->sqlite->sqlite3_last_insert_rowid(writer->db->file);
	return 0;
}

static int write_counts(struct writer *writer, const struct queued *queued, struct error *err)
{
	int64_t step = queued->time_us - queued->time_us % HISTORY_STEP_US;
	int result = 0;

	for (size_t i = 0; result == 0 && i < queued->count_count; i++) {
		const struct queued_count *count = &queued->counts[i];
		struct slice name =
		    counts_name(writer->counts, step, count->kind, (struct slice){count->name, count->n});

		writer->db->sqlite->sqlite3_bind_int64(writer->insert_count, 1, step);
		writer->db->sqlite->sqlite3_bind_int(writer->insert_count, 2, (int)count->kind);
		writer->db->sqlite->sqlite3_bind_text(writer->insert_count, 3, name.p ? name.p : "", (int)name.n,
						      SQLITE_STATIC);
		result = step_done(writer, writer->insert_count, err);
	}
	return result;
}

static int write_terms(struct writer *writer, struct term_row *terms, size_t count, struct error *err)
{
	int result = 0;

	qsort(terms, count, sizeof(*terms), compare_terms);
	for (size_t i = 0; result == 0 && i < count; i++) {
		writer->db->sqlite->sqlite3_bind_int64(writer->insert_term, 1, terms[i].hash);
		writer->db->sqlite->sqlite3_bind_int64(writer->insert_term, 2, terms[i].id);
		result = step_done(writer, writer->insert_term, err);
	}
	return result;
}

static int write_rows(struct writer *writer, const struct queued *first, size_t term_count, struct error *err)
{
	struct term_row *terms = xmalloc((term_count + 1) * sizeof(*terms));
	size_t n = 0;
	int result = 0;

	for (const struct queued *queued = first; result == 0 && queued; queued = queued->next) {
		int64_t id = 0;

		result = write_record(writer, queued, &id, err) || write_counts(writer, queued, err) ? -1 : 0;
		for (size_t i = 0; i < queued->term_count; i++)
			terms[n++] = (struct term_row){queued->terms[i], id};
		writer->part.rows++;
		writer->part_bytes += queued->line_n;
		if (queued->time_us > writer->part.last_us)
			writer->part.last_us = queued->time_us;
		if (queued->time_us < writer->part.first_us)
			writer->part.first_us = queued->time_us;
	}
	if (result == 0)
		result = write_terms(writer, terms, n, err);
	free(terms);
	if (result == 0)
		result =
		    db_printf(writer->db, err, "UPDATE part SET first=%lld, last=%lld, rows=%lld WHERE number=%lld",
			      (long long)writer->part.first_us, (long long)writer->part.last_us,
			      (long long)writer->part.rows, (long long)writer->part.number);
	return result;
}

static int write_batch(struct writer *writer, const struct queued *first, int64_t now_us, struct error *err)
{
	size_t bytes = 0, terms = 0;

	for (const struct queued *queued = first; queued; queued = queued->next) {
		bytes += queued->bytes;
		terms += queued->term_count;
	}
	if (db_run(writer->db, "BEGIN IMMEDIATE", err))
		return -1;
	if (make_room(writer, bytes, now_us, err) || (part_is_full(writer) && part_begin(writer, now_us, err)) ||
	    write_rows(writer, first, terms, err))
		return -1;
	return db_run(writer->db, "COMMIT", err);
}

/* A file that SQLite calls damaged is put aside: what can be read of it stays readable. */
static void put_aside(struct writer *writer, struct error *err)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char from[4096], to[4096];
	long long now = (long long)time(NULL);

	batch_close(writer);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(from, sizeof(from), "%s%s", writer->settings->path, ends[i]);
		snprintf(to, sizeof(to), "%s.damaged-%lld%s", writer->settings->path, now, ends[i]);
		rename(from, to);
	}
	error_set(err, "%s is damaged; it is now %s.damaged-%lld, and a new one begins", writer->settings->path,
		  writer->settings->path, now);
}

int batch_write(struct writer *writer, const struct queued *first, int64_t now_us, struct error *err)
{
	struct part before = writer->part;
	uint64_t bytes = writer->part_bytes;
	int code;

	if (write_batch(writer, first, now_us, err) == 0)
		return 0;
	code = writer->db->sqlite->sqlite3_errcode(writer->db->file) & 0xff;
	if (!writer->db->sqlite->sqlite3_get_autocommit(writer->db->file))
		db_run(writer->db, "ROLLBACK", &(struct error){""});
	writer->part = before;
	writer->part_bytes = bytes;
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		put_aside(writer, err);
	else
		batch_close(writer); /* opened again: its tables may have changed */
	return -1;
}
