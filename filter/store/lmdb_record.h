/*
 * lmdb_record.h - records and what is due, in a transaction. Returns are 0 or errors of LMDB.
 */
#ifndef SEKISHO_STORE_LMDB_RECORD_H
#define SEKISHO_STORE_LMDB_RECORD_H

#include "lmdb_file.h"

struct record {
	enum store_kind kind;
	int64_t due; /* what its entry in that table says */
	int64_t expires;
	struct slice value; /* in the file: valid as long as the transaction */
};

/* MDB_NOTFOUND: there is none. MDB_CORRUPTED: it is malformed. */
int lmdb_record_get(struct lmdb_file *, MDB_txn *, struct slice key, struct record *record_r);
bool lmdb_record_read(MDB_val data, struct record *record_r); /* false: malformed */

/* record->due is found by itself. */
int lmdb_record_put(struct lmdb_file *, MDB_txn *, struct slice key, const struct record *);
int lmdb_record_delete(struct lmdb_file *, MDB_txn *, struct slice key); /* 0 also when there is none */

/* When the first entry is due; MDB_NOTFOUND: there is none. */
int lmdb_due_first(struct lmdb_file *, MDB_txn *, int64_t *due_r);
/* Takes at most `max` entries that are due: deletes their records, or puts the entry back when the record lives longer.
 */
int lmdb_due_sweep(struct lmdb_file *, MDB_txn *, int64_t now, size_t max, size_t *taken_r);

/* Brings the records of format 1 up to date. */
int lmdb_upgrade(struct lmdb_file *, MDB_txn *);

#endif
