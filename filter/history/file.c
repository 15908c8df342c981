/*
 * file.c - the file: opening it, its version, its parts.
 */
#include "history_private.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SQL_MAX 512

int db_wrong(struct db *db, struct error *err)
{
	error_set(err, "%s", db->file ? db->sqlite->sqlite3_errmsg(db->file) : "out of memory");
	return -1;
}

int db_run(struct db *db, const char *sql, struct error *err)
{
	return db->sqlite->sqlite3_exec(db->file, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_wrong(db, err);
}

int db_printf(struct db *db, struct error *err, const char *format, ...)
{
	char sql[SQL_MAX];
	va_list arguments;

	va_start(arguments, format);
	db->sqlite->sqlite3_vsnprintf(sizeof(sql), sql, format, arguments);
	va_end(arguments);
	return db_run(db, sql, err);
}

sqlite3_stmt *db_prepare(struct db *db, struct error *err, const char *format, ...)
{
	sqlite3_stmt *statement = NULL;
	char sql[SQL_MAX];
	va_list arguments;

	va_start(arguments, format);
	db->sqlite->sqlite3_vsnprintf(sizeof(sql), sql, format, arguments);
	va_end(arguments);
	if (db->sqlite->sqlite3_prepare_v2(db->file, sql, -1, &statement, NULL) != SQLITE_OK)
		db_wrong(db, err);
	return statement;
}

int64_t db_number(struct db *db, const char *sql, int64_t otherwise)
{
	sqlite3_stmt *statement = NULL;
	int64_t number = otherwise;

	if (db->sqlite->sqlite3_prepare_v2(db->file, sql, -1, &statement, NULL) == SQLITE_OK &&
	    db->sqlite->sqlite3_step(statement) == SQLITE_ROW)
		number = db->sqlite->sqlite3_column_int64(statement, 0);
	db->sqlite->sqlite3_finalize(statement);
	return number;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static const char schema[] = "BEGIN IMMEDIATE;"
			     "CREATE TABLE part(number INTEGER PRIMARY KEY, first INTEGER, last INTEGER, rows INTEGER);"
			     "CREATE TABLE count(step INTEGER, kind INTEGER, name TEXT, n INTEGER,"
			     " PRIMARY KEY(step, kind, name)) WITHOUT ROWID;"
			     "COMMIT";

static int file_make(struct db *db, struct error *err)
{
	if (db_printf(db, err, "PRAGMA application_id=%d", HISTORY_APPLICATION) ||
	    db_printf(db, err, "PRAGMA user_version=%d", HISTORY_VERSION))
		return -1;
	return db_run(db, schema, err);
}

/* 0; -1 and err. An empty file is made ours if `write`. */
static int file_examine(struct db *db, const char *path, bool write, struct error *err)
{
	int64_t tables = db_number(db, "SELECT count(*) FROM sqlite_master", -1), version;

	if (tables < 0)
		return db_wrong(db, err);
	if (tables == 0 && write)
		return file_make(db, err);
	version = db_number(db, "PRAGMA user_version", 0);
	if (tables == 0 || db_number(db, "PRAGMA application_id", 0) != HISTORY_APPLICATION)
		error_set(err, "%s is not a history of sekisho", path);
	else if (version > HISTORY_VERSION)
		error_set(err, "%s was written by a newer sekisho (its form is %lld, ours %d)", path,
			  (long long)version, HISTORY_VERSION);
	else
		return 0;
	return -1;
}

static int file_prepare(struct db *db, bool write, struct error *err)
{
	db->sqlite->sqlite3_busy_timeout(db->file, BUSY_MS);
	db->sqlite->sqlite3_limit(db->file, SQLITE_LIMIT_LENGTH, 1 << 20);
	if (!write)
		return db_run(db, "PRAGMA query_only=1; PRAGMA cache_size=-8192; PRAGMA trusted_schema=0", err);
	return db_run(
	    db,
	    "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-2048;"
	    "PRAGMA journal_size_limit=16777216; PRAGMA wal_autocheckpoint=4000; PRAGMA trusted_schema=0;"
	    "PRAGMA temp_store=MEMORY",
	    err);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	db->sqlite->sqlite3_close(db->file);
	free(db);
}

/* Without a path of the user in an SQL text, and without URIs. 0, or -1 and err. */
static int connect_to(struct db *db, const char *path, bool write, struct error *err)
{
	const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
	int result = db->sqlite->sqlite3_open_v2(
	    path, &db->file, SQLITE_OPEN_READWRITE | (write ? SQLITE_OPEN_CREATE : 0) | flags, NULL);

	if (result != SQLITE_OK && !write) { /* a reader who may not write, of a file that nobody writes */
		db->sqlite->sqlite3_close(db->file);
		result = db->sqlite->sqlite3_open_v2(path, &db->file, SQLITE_OPEN_READONLY | flags, NULL);
	}
	return result == SQLITE_OK ? 0 : db_wrong(db, err);
}

struct db *file_open(const char *path, bool write, struct error *err)
{
	const struct sqlite_library *sqlite = sqlite_library_open(err);
	struct db *db = sqlite ? xmalloc(sizeof(*db)) : NULL;
	int made = write && db ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	struct error why;

	if (!db)
		return NULL;
	db->sqlite = sqlite;
	if (made >= 0)
		close(made); /* SQLite gives its other files the same mode */
	if (connect_to(db, path, write, &why) == 0 && file_prepare(db, write, &why) == 0 &&
	    file_examine(db, path, write, &why) == 0)
		return db;
	if (strncmp(why.text, path, strlen(path)) == 0)
		*err = why;
	else
		error_set(err, "%s: %s", path, why.text);
	db_close(db);
	return NULL;
}

int file_parts(struct db *db, struct arena *arena, struct part **parts_r, size_t *count_r, struct error *err)
{
	size_t room = (size_t)db_number(db, "SELECT count(*) FROM part", 0) + 1;
	sqlite3_stmt *statement = db_prepare(db, err, "SELECT number, first, last, rows FROM part ORDER BY number");
	int result;

	if (!statement)
		return -1;
	*parts_r = arena_alloc(arena, room * sizeof(**parts_r));
	*count_r = 0;
	while ((result = db->sqlite->sqlite3_step(statement)) == SQLITE_ROW && *count_r < room)
		(*parts_r)[(*count_r)++] = (struct part){
		    .number = db->sqlite->sqlite3_column_int64(statement, 0),
		    .first_us = db->sqlite->sqlite3_column_int64(statement, 1),
		    .last_us = db->sqlite->sqlite3_column_int64(statement, 2),
		    .rows = db->sqlite->sqlite3_column_int64(statement, 3),
		};
	db->sqlite->sqlite3_finalize(statement);
	return result == SQLITE_DONE || result == SQLITE_ROW ? 0 : db_wrong(db, err);
}
