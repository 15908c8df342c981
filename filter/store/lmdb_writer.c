/*
 * lmdb_writer.c - the thread that writes: twice a second when something changed, at once when somebody waits for it or
 * memory is scarce. It also drops unused entries, so that memory stays bounded.
 */
#include "lmdb_private.h"

#include <errno.h>
#include <sys/statvfs.h>
#include <time.h>

#define SWEEPS      32 /* commits of a round that only delete what is due: a round must end */
#define SWEEP_SHARE 8  /* entries are dropped until an eighth of the memory is free */

static struct timespec time_of(int64_t us)
{
	return (struct timespec){us / 1000000, us % 1000000 * 1000};
}

/* ---- the memory ------------------------------------------------------------------------ */

static void drop_unused(struct lmdb *lmdb)
{
	struct table *table = lmdb->local.table;
	int64_t now = ticker_now(&lmdb->local.ticker);

	/* Twice: the first time an entry may only lose its mark of use. */
	for (size_t i = 0; i < (size_t)2 * TABLE_SHARDS; i++) {
		struct shard *shard = &table->shards[i % TABLE_SHARDS];

		if (atomic_load(&table->bytes) <= STORE_MEMORY - STORE_MEMORY / SWEEP_SHARE)
			return;
		pthread_mutex_lock(&shard->lock);
		table_sweep(table, shard, shard->room, now, true);
		pthread_mutex_unlock(&shard->lock);
	}
}

/* ---- a round ----------------------------------------------------------------------------- */

static bool has_work(struct lmdb *lmdb)
{
	return atomic_load(&lmdb->local.table->dirty) > 0 || atomic_load(&lmdb->failing) ||
	       lmdb->writer.due <= ticker_now(&lmdb->local.ticker);
}

/* LMDB also returns EIO for a write that failed because the disk was full. */
static void explain(const struct lmdb *lmdb, int rc, struct error *why_r)
{
	struct statvfs disk;

	if (rc == MDB_MAP_FULL)
		error_set(why_r, "it is full; raise at-most");
	else if (rc == MDB_PANIC)
		error_set(why_r, "an earlier disk error left it unusable; restart the daemon");
	else if ((rc == EIO || rc == ENOSPC) && statvfs(lmdb->file.path, &disk) == 0)
		error_set(why_r, "%s (its disk has %llu KB free)", mdb_strerror(rc),
			  (unsigned long long)disk.f_bavail * disk.f_frsize / 1024);
	else
		error_set(why_r, "%s", mdb_strerror(rc));
}

static void tell(struct lmdb *lmdb, uint64_t number, int rc)
{
	struct lmdb_writer *writer = &lmdb->writer;
	struct error why = {""};

	if (rc != 0)
		explain(lmdb, rc, &why);

	pthread_mutex_lock(&writer->lock);
	atomic_store(&lmdb->failing, rc != 0);
	writer->done = number;
	if (rc != 0) {
		writer->failed = number;
		error_set(&writer->why,
			  "store %s: cannot be written: %s; facts that need it are unknown until that works",
			  lmdb->file.path, why.text);
	}
	pthread_cond_broadcast(&writer->written);
	pthread_mutex_unlock(&writer->lock);
}

/* All that is dirty now, and some of what is due. */
static void write_round(struct lmdb *lmdb, uint64_t number, bool durable)
{
	bool more = has_work(lmdb);
	int rc = 0;

	lmdb_gather(lmdb);
	for (unsigned commits = 0; more && rc == 0; commits++) {
		rc = lmdb_commit(lmdb, &more);
		more = more && (lmdb->writer.pending || commits < SWEEPS);
	}
	if (rc == 0 && durable) /* the meta page of the latest commit, see MDB_NOMETASYNC */
		rc = mdb_env_sync(lmdb->file.env, 1);
	lmdb_measure(lmdb);
	drop_unused(lmdb);
	atomic_store(&lmdb->hurried, false);
	tell(lmdb, number, rc);
}

static void *run(void *lmdb_)
{
	struct lmdb *lmdb = lmdb_;
	struct lmdb_writer *writer = &lmdb->writer;
	bool stop = false;

	while (!stop) {
		struct timespec until = time_of(clock_us() + STORE_FLUSH_US);
		uint64_t number;
		bool durable;

		pthread_mutex_lock(&writer->lock);
		for (int rc = 0; !writer->stop && !writer->hurry && writer->asked == writer->done && rc == 0;)
			rc = pthread_cond_timedwait(&writer->wanted, &writer->lock, &until);
		stop = writer->stop;
		writer->hurry = false;
		number = writer->asked;
		durable = stop || number != writer->done;
		pthread_mutex_unlock(&writer->lock);
		if (durable || has_work(lmdb))
			write_round(lmdb, number, durable);
	}
	return NULL;
}

/* ---- for others -------------------------------------------------------------------------- */

int lmdb_writer_start(struct lmdb *lmdb, struct error *err)
{
	struct lmdb_writer *writer = &lmdb->writer;
	pthread_condattr_t attributes;
	int rc;

	pthread_mutex_init(&writer->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->wanted, &attributes);
	pthread_cond_init(&writer->written, &attributes);
	pthread_condattr_destroy(&attributes);
	writer->limit = BATCH_MAX;
	rc = pthread_create(&writer->thread, NULL, run, lmdb);
	if (rc == 0)
		return 0;
	error_set(err, "store %s: cannot start the thread that writes it: %s", lmdb->file.path, strerror(rc));
	return -1;
}

void lmdb_writer_stop(struct lmdb *lmdb)
{
	struct lmdb_writer *writer = &lmdb->writer;

	pthread_mutex_lock(&writer->lock);
	writer->stop = true;
	pthread_cond_signal(&writer->wanted);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	pthread_cond_destroy(&writer->wanted);
	pthread_cond_destroy(&writer->written);
	pthread_mutex_destroy(&writer->lock);
}

enum store_answer lmdb_writer_flush(struct lmdb *lmdb, int64_t deadline_us)
{
	struct lmdb_writer *writer = &lmdb->writer;
	struct timespec until = time_of(deadline_us);
	uint64_t number;
	bool done;
	int rc = 0;

	pthread_mutex_lock(&writer->lock);
	number = ++writer->asked;
	pthread_cond_signal(&writer->wanted);
	while (writer->done < number && rc == 0)
		rc = pthread_cond_timedwait(&writer->written, &writer->lock, &until);
	done = writer->done >= number && writer->failed < number;
	pthread_mutex_unlock(&writer->lock);
	return done ? STORE_OK : STORE_UNAVAILABLE;
}

void lmdb_writer_hurry(struct lmdb *lmdb)
{
	if (atomic_exchange(&lmdb->hurried, true))
		return;
	pthread_mutex_lock(&lmdb->writer.lock);
	lmdb->writer.hurry = true;
	pthread_cond_signal(&lmdb->writer.wanted);
	pthread_mutex_unlock(&lmdb->writer.lock);
}
