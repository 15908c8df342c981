/*
 * lmdb_reader.c - transactions that read.
 */
#include "lmdb_reader.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE       4096 /* as far as they are counted */
#define SPAN_PAGES 128  /* that scans read before all are given back; the system may map 16 for each: 8 MB */

void lmdb_readers_init(struct lmdb_readers *readers)
{
	pthread_condattr_t attributes;

	*readers = (struct lmdb_readers){.lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&readers->given, &attributes);
	pthread_condattr_destroy(&attributes);
}

void lmdb_readers_free(struct lmdb_readers *readers)
{
	for (unsigned i = 0; i < readers->idle; i++)
		mdb_txn_abort(readers->txns[i]);
	pthread_cond_destroy(&readers->given);
	pthread_mutex_destroy(&readers->lock);
}

/* An idle one, or NULL and permission to begin one; -1: neither in time. */
static int take_idle(struct lmdb_readers *readers, int64_t deadline_us, MDB_txn **txn_r)
{
	struct timespec until = {deadline_us / 1000000, deadline_us % 1000000 * 1000};
	int rc = 0;

	pthread_mutex_lock(&readers->lock);
	while (readers->idle == 0 && readers->all == FILE_READERS && rc == 0)
		rc = pthread_cond_timedwait(&readers->given, &readers->lock, &until);
	*txn_r = NULL;
	if (readers->idle > 0) {
		*txn_r = readers->txns[--readers->idle];
		rc = 0;
	} else if (readers->all < FILE_READERS) {
		readers->all++;
		rc = 0;
	}
	pthread_mutex_unlock(&readers->lock);
	return rc;
}

static void count_less(struct lmdb_readers *readers)
{
	pthread_mutex_lock(&readers->lock);
	readers->all--;
	pthread_mutex_unlock(&readers->lock);
}

int lmdb_reader_take(struct lmdb_readers *readers, MDB_env *env, int64_t deadline_us, MDB_txn **txn_r)
{
	int rc = take_idle(readers, deadline_us, txn_r);

	if (rc != 0)
		return rc;
	rc = *txn_r ? mdb_txn_renew(*txn_r) : mdb_txn_begin(env, NULL, MDB_RDONLY, txn_r);
	if (rc == 0)
		return 0;
	if (*txn_r)
		mdb_txn_abort(*txn_r);
	count_less(readers);
	return rc;
}

void lmdb_reader_give(struct lmdb_readers *readers, MDB_txn *txn)
{
	mdb_txn_reset(txn);
	pthread_mutex_lock(&readers->lock);
	readers->txns[readers->idle++] = txn;
	pthread_cond_signal(&readers->given);
	pthread_mutex_unlock(&readers->lock);
}

/* ---- the pages that were read ------------------------------------------------------ */

void lmdb_span_add(struct lmdb_span *span, const void *byte)
{
	uintptr_t address = (uintptr_t)byte;

	span->pages += span->pages == 0 || address / PAGE != span->latest;
	span->latest = address / PAGE;
	if (span->first == 0 || address < span->first)
		span->first = address;
	if (address > span->last)
		span->last = address;
}

/* Only between addresses of the mapped file, so nothing else can be there. */
static void give_back(uintptr_t first, uintptr_t last)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = first / page * page;

	(void)madvise((void *)from, last / page * page + page - from, MADV_DONTNEED);
}

void lmdb_reader_read(struct lmdb_readers *readers, const struct lmdb_span *scan)
{
	struct lmdb_span all;

	if (scan->pages == 0)
		return;
	pthread_mutex_lock(&readers->lock);
	all = readers->span;
	all.first = all.first == 0 || scan->first < all.first ? scan->first : all.first;
	all.last = scan->last > all.last ? scan->last : all.last;
	all.pages += scan->pages;
	readers->span = all;
	if (all.pages >= SPAN_PAGES)
		readers->span.pages = 0;
	pthread_mutex_unlock(&readers->lock);
	if (all.pages >= SPAN_PAGES)
		give_back(all.first, all.last);
}
