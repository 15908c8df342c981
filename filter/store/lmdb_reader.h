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
};

void lmdb_readers_init(struct lmdb_readers *);
void lmdb_readers_free(struct lmdb_readers *);

/* Waits when FILE_READERS are in use, until deadline_us. 0 or an error of LMDB. */
int lmdb_reader_take(struct lmdb_readers *, MDB_env *, int64_t deadline_us, MDB_txn **txn_r);
void lmdb_reader_give(struct lmdb_readers *, MDB_txn *);

#endif
