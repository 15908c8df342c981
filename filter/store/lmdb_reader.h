/*
 * lmdb_reader.h - transactions that read, kept for reuse: beginning a new one costs several times as
 * much.
 */
#ifndef SEKISHO_STORE_LMDB_READER_H
#define SEKISHO_STORE_LMDB_READER_H

#include "lmdb_file.h"

#include <pthread.h>

struct lmdb_readers {
	pthread_mutex_t lock;
	pthread_cond_t given; /* back */
	unsigned idle, all;
	MDB_txn *txns[FILE_READERS];
	struct lmdb_span {
		uintptr_t first, last; /* addresses in the mapped file; 0: none */
		uintptr_t latest;      /* page */
		size_t pages;          /* read in between, since they were given back */
	} span;
};

void lmdb_readers_init(struct lmdb_readers *);
void lmdb_readers_free(struct lmdb_readers *);

/* Waits when FILE_READERS are in use, until deadline_us. 0 or an error of LMDB. */
int lmdb_reader_take(struct lmdb_readers *, MDB_env *, int64_t deadline_us, MDB_txn **txn_r);
void lmdb_reader_give(struct lmdb_readers *, MDB_txn *);

/* A scan has read this byte of the mapped file. `span` is that of the scan. */
void lmdb_span_add(struct lmdb_span *, const void *byte);
/* What a scan has read. A page of the file that was read is memory of this process until it is given back to the
 * system, as is done here for all pages after some number of them: their data stays in the file and in the cache of
 * the system. Without that, making the reports of a day would have all of its rows in memory. */
void lmdb_reader_read(struct lmdb_readers *, const struct lmdb_span *);

#endif
