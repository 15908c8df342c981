/*
 * sqlite_library.h - SQLite, in a module (library.h).
 */
#ifndef SEKISHO_HISTORY_SQLITE_LIBRARY_H
#define SEKISHO_HISTORY_SQLITE_LIBRARY_H

#include "library.h"
#include <sqlite3.h>

#define SQLITE_FUNCTIONS(X)                                                                                            \
	X(sqlite3_bind_int)                                                                                            \
	X(sqlite3_bind_int64)                                                                                          \
	X(sqlite3_bind_text)                                                                                           \
	X(sqlite3_busy_timeout)                                                                                        \
	X(sqlite3_changes64)                                                                                           \
	X(sqlite3_close)                                                                                               \
	X(sqlite3_column_bytes)                                                                                        \
	X(sqlite3_column_int)                                                                                          \
	X(sqlite3_column_int64)                                                                                        \
	X(sqlite3_column_text)                                                                                         \
	X(sqlite3_errcode)                                                                                             \
	X(sqlite3_errmsg)                                                                                              \
	X(sqlite3_exec)                                                                                                \
	X(sqlite3_finalize)                                                                                            \
	X(sqlite3_get_autocommit)                                                                                      \
	X(sqlite3_last_insert_rowid)                                                                                   \
	X(sqlite3_limit)                                                                                               \
	X(sqlite3_open_v2)                                                                                             \
	X(sqlite3_prepare_v2)                                                                                          \
	X(sqlite3_reset)                                                                                               \
	X(sqlite3_step)                                                                                                \
	X(sqlite3_vsnprintf)

struct sqlite_library LIBRARY_TABLE(SQLITE_FUNCTIONS);
#define LIBRARY_SQLITE_VERSION SQLITE_VERSION

/* NULL and err. */
static inline const struct sqlite_library *sqlite_library_open(struct error *err)
{
	return library_open("sqlite", LIBRARY_STAMP(LIBRARY_SQLITE_VERSION, SQLITE_FUNCTIONS), err);
}

#endif
