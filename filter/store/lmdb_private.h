/*
 * lmdb_private.h - the store in a file: a table that decides, and a thread that writes.
 */
#ifndef SEKISHO_STORE_LMDB_PRIVATE_H
#define SEKISHO_STORE_LMDB_PRIVATE_H

#include "lmdb_reader.h"
#include "lmdb_record.h"
#include "local.h"
#include "store_private.h"

#define MEMORY_MAX  (4 * STORE_MEMORY) /* above it no more keys are accepted: the disk does not keep up */
#define READ_US     (50 * 1000)        /* the longest wait for a transaction that reads */
#define BATCH_MAX   1024 /* entries of a commit: 12 MB at worst of pages that LMDB keeps in memory from then on */
#define BATCH_MIN   16
#define BATCH_BYTES ((size_t)4 << 20) /* of their values */
#define STALL_US    (5 * 1000 * 1000) /* a commit that takes longer: the disk hangs; nothing more is decided meanwhile */

struct lmdb;

/* Copies of entries on their way to the file. */
struct lmdb_batch {
	size_t count, used, room;
	char *values; /* one after the other */
	struct lmdb_change {
		struct entry *entry;  /* its key is kept while it is being written */
		enum store_kind kind; /* 0: delete the record */
		int64_t expires;
		size_t at, n; /* of its value */
	} changes[BATCH_MAX];
};

struct lmdb_writer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted, written;
	bool stop, hurry;
	uint64_t asked, done, failed; /* flushes by number: asked for, done, and those that failed */
	struct error why;             /* the latest failure */
	/* For the thread alone: */
	struct entry *pending; /* dirty entries of this round, by next_dirty: no longer in the lists of their shards */
	size_t limit;          /* entries of the next commit */
	int64_t due;           /* when the next entry is due, time of the store; 0: unknown */
	struct lmdb_batch batch;
};

struct lmdb {
	struct local local; /* first: the operations are those of local.h */
	struct lmdb_file file;
	struct lmdb_readers readers;
	struct lmdb_writer writer;
	uint64_t at_most;
	_Atomic bool failing;  /* the latest commit failed */
	_Atomic bool hurried;  /* the thread was told that memory is scarce */
	_Atomic int64_t began; /* the commit that is under way, clock_us; 0: none */
	_Atomic uint64_t used; /* bytes of the file that hold something */
	_Atomic uint64_t keys, commits, failures, damaged;
};

int lmdb_writer_start(struct lmdb *, struct error *err);
void lmdb_writer_stop(struct lmdb *); /* after a last flush */
enum store_answer lmdb_writer_flush(struct lmdb *, int64_t deadline_us);
void lmdb_writer_hurry(struct lmdb *);

/* Makes all that is dirty now pending. */
void lmdb_gather(struct lmdb *);
/* One commit of what is pending, at most a batch, and of what is due. 0 or an error of LMDB; *more_r: there is more. */
int lmdb_commit(struct lmdb *, bool *more_r);
void lmdb_measure(struct lmdb *); /* reads how much of the file is in use */

#endif
