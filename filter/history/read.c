/*
 * read.c - reading the history: by a text, all of it, the numbers of the page; and erasing.
 *
 * No transaction lasts longer than READ_ROWS records, so that the write-ahead log of the daemon does not grow while
 * somebody reads a million of them.
 */
#include "history_private.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_ROWS  2000
#define SKIP_LEAST 64 /* records; a damaged page holds some of them */

struct history_reader {
	struct db *db;
	struct hiding hiding;
	struct arena *arena;
	struct part *parts;
	size_t part_count;
};

/* ---- opening ----------------------------------------------------------------------------------------- */

struct history_reader *history_reader_open(const char *path, struct error *err)
{
	struct history_reader *reader;
	struct db *db = file_open(path, false, err);
	struct error why;

	if (!db && access(path, F_OK) != 0 && errno == ENOENT)
		error_set(err, "%s does not exist: a daemon that is started with `history` makes it", path);
	if (!db)
		return NULL;
	reader = xmalloc(sizeof(*reader));
	*reader = (struct history_reader){.db = db, .arena = arena_new()};
	if (file_parts(db, reader->arena, &reader->parts, &reader->part_count, &why)) {
		error_set(err, "%s: %s", path, why.text);
		history_reader_close(reader);
		return NULL;
	}
	/* hashed or not: without the key, addresses are looked for as they are */
	if (hiding_open(path, HISTORY_HASHED, false, &reader->hiding, &why))
		reader->hiding.addresses = HISTORY_PLAIN;
	return reader;
}

void history_reader_close(struct history_reader *reader)
{
	if (!reader)
		return;
	db_close(reader->db);
	arena_free(reader->arena);
	free(reader);
}

uint64_t history_size(struct history_reader *reader)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < reader->part_count; i++)
		rows += (uint64_t)reader->parts[i].rows;
	return rows;
}

static struct history_row row_of(const struct sqlite_library *sqlite, sqlite3_stmt *statement)
{
	return (struct history_row){.time_us = sqlite->sqlite3_column_int64(statement, 0),
				    .line = {(const char *)sqlite->sqlite3_column_text(statement, 1),
					     (size_t)sqlite->sqlite3_column_bytes(statement, 1)}};
}

/* ---- by a text --------------------------------------------------------------------------------------- */

/* The hashes under which it may have been added. */
static size_t hashes_of(struct history_reader *reader, const struct history_found *found, int64_t hashes[2])
{
	bool address = found->term == HISTORY_SENDER || found->term == HISTORY_RECIPIENT;
	struct arena *arena = arena_new();
	size_t count = 0;

	hashes[count++] = term_hash(found->term, found->text);
	if (address && reader->hiding.addresses == HISTORY_HASHED)
		hashes[count++] = term_hash(found->term, hiding_hide(&reader->hiding, found->text, arena));
	arena_free(arena);
	return count;
}

/* 1: go on; 0: the callback has enough; -1 and err. */
static int find_in(struct history_reader *reader, const struct part *part, int64_t hash, int64_t since_us,
		   history_take *take, void *context, struct error *err)
{
	const struct sqlite_library *sqlite = reader->db->sqlite;
	long long number = part->number;
	sqlite3_stmt *statement =
	    db_prepare(reader->db, err,
		       "SELECT time, line FROM t%lld, m%lld USING(id) WHERE hash = ? AND time >= ? ORDER BY id DESC",
		       number, number);
	bool more = true;
	int result = SQLITE_DONE;

	if (!statement)
		return strstr(err->text, "no such table") ? 1 : -1; /* dropped meanwhile */
	sqlite->sqlite3_bind_int64(statement, 1, hash);
	sqlite->sqlite3_bind_int64(statement, 2, since_us);
	while (more && (result = sqlite->sqlite3_step(statement)) == SQLITE_ROW) {
		struct history_row row = row_of(sqlite, statement);

		more = take(context, &row);
	}
	if (more && result != SQLITE_DONE)
		db_wrong(reader->db, err);
	sqlite->sqlite3_finalize(statement);
	return !more ? 0 : result == SQLITE_DONE ? 1 : -1;
}

int history_find(struct history_reader *reader, const struct history_found *found, int64_t since_us, history_take *take,
		 void *context, struct error *err)
{
	int64_t hashes[2];
	size_t count = hashes_of(reader, found, hashes);
	int result = 1;

	for (size_t i = reader->part_count; result > 0 && i-- > 0 && reader->parts[i].last_us >= since_us;)
		for (size_t k = 0; result > 0 && k < count; k++)
			result = find_in(reader, &reader->parts[i], hashes[k], since_us, take, context, err);
	return result < 0 ? -1 : 0;
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

struct walk {
	struct history_reader *reader;
	int64_t since_us;
	history_take *take;
	void *context;
	uint64_t lost;
	bool more;
};

/* Records of a part from id on, some of them. *next_r: the id after them. 1: there may be more; 0: none; -1: damaged.
 */
static int walk_some(struct walk *walk, const struct part *part, int64_t id, int64_t *next_r)
{
	const struct sqlite_library *sqlite = walk->reader->db->sqlite;
	struct error err;
	sqlite3_stmt *statement =
	    db_prepare(walk->reader->db, &err, "SELECT time, line, id FROM m%lld WHERE id >= ? ORDER BY id LIMIT %d",
		       (long long)part->number, READ_ROWS);
	int result = SQLITE_DONE, count = 0;

	if (!statement)
		return 0; /* dropped meanwhile */
	sqlite->sqlite3_bind_int64(statement, 1, id);
	*next_r = id;
	while (walk->more && (result = sqlite->sqlite3_step(statement)) == SQLITE_ROW) {
		struct history_row row = row_of(sqlite, statement);

		*next_r = sqlite->sqlite3_column_int64(statement, 2) + 1;
		count++;
		if (row.time_us >= walk->since_us)
			walk->more = walk->take(walk->context, &row);
	}
	sqlite->sqlite3_finalize(statement);
	if (walk->more && result != SQLITE_DONE && result != SQLITE_ROW)
		return -1;
	return walk->more && count == READ_ROWS;
}

/* Beyond a damaged page by steps that grow until something can be read again. */
static void walk_part(struct walk *walk, const struct part *part)
{
	int64_t id = 0, skip = SKIP_LEAST;

	for (;;) {
		int64_t next = id;
		int result = walk_some(walk, part, id, &next);

		if (result == 0)
			return;
		skip = next > id ? SKIP_LEAST : result < 0 ? 2 * skip : skip;
		id = next;
		if (result > 0)
			continue;
		walk->lost += (uint64_t)(id + skip > part->rows ? (id < part->rows ? part->rows - id : 0) : skip);
		id += skip;
		if (id > part->rows)
			return;
	}
}

void history_each(struct history_reader *reader, int64_t since_us, history_take *take, void *context, uint64_t *lost_r)
{
	struct walk walk = {.reader = reader, .since_us = since_us, .take = take, .context = context, .more = true};

	for (size_t i = 0; i < reader->part_count && walk.more; i++)
		if (reader->parts[i].last_us >= since_us)
			walk_part(&walk, &reader->parts[i]);
	*lost_r = walk.lost;
}

/* ---- the numbers ------------------------------------------------------------------------------------------ */

/* Step by step, with the kinds that are wanted: rows of the others are not read. */
#define COUNTS_QUERY                                                                                                   \
	"WITH RECURSIVE steps(at) AS (SELECT max(?1, (SELECT min(step) FROM count)) UNION ALL "                        \
	"SELECT at + %lld FROM steps WHERE at + %lld <= min(?2, (SELECT max(step) FROM count))) "                      \
	"SELECT step, kind, name, n FROM steps CROSS JOIN count ON step = at AND kind IN (%d, %d, %d, %d, %d)"

/* The kind, or one that is none. */
static int wanted(unsigned kinds, enum history_count kind)
{
	return kinds >> kind & 1 ? (int)kind : -1;
}

int history_counts(struct history_reader *reader, unsigned kinds, int64_t since_us, int64_t until_us,
		   history_take_count *take, void *context, struct error *err)
{
	const struct sqlite_library *sqlite = reader->db->sqlite;
	long long step = HISTORY_STEP_US;
	sqlite3_stmt *statement =
	    db_prepare(reader->db, err, COUNTS_QUERY, step, step, wanted(kinds, HISTORY_COUNT_VERDICT),
		       wanted(kinds, HISTORY_COUNT_RULE), wanted(kinds, HISTORY_COUNT_REFUSED),
		       wanted(kinds, HISTORY_COUNT_WOULD), wanted(kinds, HISTORY_COUNT_SOURCE));
	int result;

	if (!statement)
		return -1;
	sqlite->sqlite3_bind_int64(statement, 1, (since_us + step - 1) / step * step);
	sqlite->sqlite3_bind_int64(statement, 2, until_us);
	while ((result = sqlite->sqlite3_step(statement)) == SQLITE_ROW) {
		int kind = sqlite->sqlite3_column_int(statement, 1);
		struct slice name = {(const char *)sqlite->sqlite3_column_text(statement, 2),
				     (size_t)sqlite->sqlite3_column_bytes(statement, 2)};

		if (kind >= 0 && kind < HISTORY_COUNT_KINDS && name.p)
			take(context, sqlite->sqlite3_column_int64(statement, 0), (enum history_count)kind, name,
			     (uint64_t)sqlite->sqlite3_column_int64(statement, 3));
	}
	if (result != SQLITE_DONE)
		db_wrong(reader->db, err);
	sqlite->sqlite3_finalize(statement);
	return result == SQLITE_DONE ? 0 : -1;
}

/* ---- erasing ------------------------------------------------------------------------------------------------ */

static int erase_in(struct history_reader *reader, const struct part *part, int64_t hash, uint64_t *erased,
		    struct error *err)
{
	long long number = part->number;

	if (db_printf(reader->db, err,
		      "BEGIN IMMEDIATE;"
		      "CREATE TEMP TABLE IF NOT EXISTS gone(id INTEGER PRIMARY KEY); DELETE FROM gone;"
		      "INSERT OR IGNORE INTO gone SELECT id FROM t%lld WHERE hash = %lld;"
		      "DELETE FROM m%lld WHERE id IN (SELECT id FROM gone)",
		      number, (long long)hash, number))
		return -1;
	*erased += (uint64_t)reader->db->sqlite->sqlite3_changes64(reader->db->file);
	return db_printf(reader->db, err, "DELETE FROM t%lld WHERE id IN (SELECT id FROM gone); COMMIT", number);
}

/* As a sender whose messages were refused. */
static int erase_counts(struct history_reader *reader, struct slice address, struct error *err)
{
	const struct sqlite_library *sqlite = reader->db->sqlite;
	sqlite3_stmt *statement =
	    db_prepare(reader->db, err,
		       "DELETE FROM count WHERE kind = %d AND (name = ? COLLATE NOCASE OR name = ? COLLATE NOCASE)",
		       (int)HISTORY_COUNT_REFUSED);
	struct arena *arena = arena_new();
	struct slice hidden = hiding_hide(&reader->hiding, address, arena);
	int result;

	if (!statement) {
		arena_free(arena);
		return -1;
	}
	sqlite->sqlite3_bind_text(statement, 1, address.p, (int)address.n, SQLITE_TRANSIENT);
	sqlite->sqlite3_bind_text(statement, 2, hidden.p, (int)hidden.n, SQLITE_TRANSIENT);
	result = sqlite->sqlite3_step(statement) == SQLITE_DONE ? 0 : db_wrong(reader->db, err);
	sqlite->sqlite3_finalize(statement);
	arena_free(arena);
	return result;
}

int history_erase(const char *path, struct slice address, uint64_t *erased_r, struct error *err)
{
	static const enum history_term terms[] = {HISTORY_SENDER, HISTORY_RECIPIENT};
	struct history_reader *reader = history_reader_open(path, err);
	int64_t hashes[2];
	int result = 0;

	*erased_r = 0;
	if (!reader)
		return -1;
	if (db_run(reader->db, "PRAGMA query_only=0; PRAGMA secure_delete=1; PRAGMA temp_store=MEMORY", err))
		result = -1;
	for (size_t i = 0; result == 0 && i < 2; i++) {
		size_t count = hashes_of(reader, &(struct history_found){terms[i], address}, hashes);

		for (size_t p = 0; result == 0 && p < reader->part_count; p++)
			for (size_t k = 0; result == 0 && k < count; k++)
				result = erase_in(reader, &reader->parts[p], hashes[k], erased_r, err);
	}
	if (result == 0)
		result = erase_counts(reader, address, err);
	if (result == 0) /* what the write-ahead log still holds of them goes, too */
		db_run(reader->db, "PRAGMA wal_checkpoint(TRUNCATE)", &(struct error){""});
	history_reader_close(reader);
	return result;
}
