/*
 * sqlite_module.c - the module of SQLite: nothing but the table of its functions.
 */
#include "sqlite_library.h"

extern const struct sqlite_library library_sqlite;
const struct sqlite_library library_sqlite = LIBRARY_VALUES(LIBRARY_SQLITE_VERSION, SQLITE_FUNCTIONS);
