/*
 * lmdb_file.h - the file of a store: three tables in one LMDB environment.
 *
 *	meta      "format": FILE_FORMAT as 4 bytes
 *	          "seed": of the hashes of members, 8 bytes
 *	          "clock": the time of the store at the latest commit, 8 bytes
 *	records   key -> kind (1 byte), when the entry in `due` says it expires (8), when it expires (8), value
 *	due       time (8 bytes, the most significant first) and key -> nothing
 *
 * Each record but a member of a sum has exactly one entry in `due`. The entry is made with the record. When the life of
 * the record becomes longer, the entry is not moved, but put back when its time comes: a key that lives long and
 *changes often costs one look per lifetime. Numbers are in the byte order of the machine, as everywhere in an LMDB
 *file, unless stated otherwise.
 *
 * The members of a sum have no entries in `due`, which would be as large as they: their second number is 0. Their key
 *and a blank alone is a record without a value, the marker: it has the entry, and lives at least as long as they. When
 *its time comes, they are deleted.
 *
 * Formats: 1 had records without the second number, and no table `due`.
 */
#ifndef SEKISHO_STORE_LMDB_FILE_H
#define SEKISHO_STORE_LMDB_FILE_H

#include "store.h"

#include <lmdb.h>

#define FILE_NAME    "store.mdb"
#define FILE_FORMAT  2
#define FILE_READERS 64 /* transactions that read at the same time; more wait for one */
#define RECORD_HEAD  17

struct lmdb_file {
	char *path;
	int lock; /* a descriptor of the file, locked as long as it is open */
	MDB_env *env;
	MDB_dbi meta, records, due;
	size_t page; /* bytes */
	uint64_t seed;
	int64_t clock; /* when it was opened */
};

/* `directory` is absolute. 0, or -1 and err; then there is nothing to close. */
int lmdb_file_open(struct lmdb_file *, const char *directory, uint64_t at_most, struct error *err);
void lmdb_file_close(struct lmdb_file *);

/* Can the file, or as much of it as a moment allows, be read? Checked in a separate process, because LMDB ends the
 * process that reads a damaged file. 0, or -1 and err. */
int lmdb_file_examine(const char *path, struct error *err);

/* What follows returns 0 or an error of LMDB. */
int lmdb_meta_get(struct lmdb_file *, MDB_txn *, const char *name, void *value_r, size_t n); /* MDB_NOTFOUND: none */
int lmdb_meta_put(struct lmdb_file *, MDB_txn *, const char *name, const void *value, size_t n);

#endif
