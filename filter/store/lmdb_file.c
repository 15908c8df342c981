/*
 * lmdb_file.c - opening the file of a store: one owner, our format; an older format is upgraded.
 */
#include "lmdb_file.h"
#include "lmdb_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLES 3

/* ---- the directory and the lock -------------------------------------------------- */

static int fail(struct error *err, const char *path, const char *what)
{
	error_set(err, "store %s: %s", path, what);
	return -1;
}

static int make_directory(const char *directory, struct error *err)
{
	struct error why;

	if (mkdir(directory, 0700) == 0 || errno == EEXIST)
		return 0;
	error_set(&why, "the directory cannot be created: %s", strerror(errno));
	return fail(err, directory, why.text);
}

/* Others could make us read or write what they like. */
static int check_owner(const struct lmdb_file *file, struct error *err)
{
	struct stat status;

	if (fstat(file->lock, &status) < 0)
		return fail(err, file->path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return fail(err, file->path, "is not a regular file; move it away");
	if (status.st_uid != geteuid())
		return fail(err, file->path, "belongs to another user; change its owner to the user of the daemon");
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return fail(err, file->path, "can be written by others; remove that permission (chmod 600)");
	return 0;
}

/* Not a lock of fcntl: LMDB has those, and closing any descriptor of a file gives them up. */
static int lock_file(struct lmdb_file *file, struct error *err)
{
	struct error why;

	file->lock = open(file->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (file->lock < 0) {
		error_set(&why, "cannot be opened for writing: %s", strerror(errno));
		return fail(err, file->path, why.text);
	}
	if (check_owner(file, err) < 0)
		return -1;
	if (flock(file->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return fail(err, file->path, "is in use by another daemon; give each its own directory");
	error_set(&why, "cannot be locked: %s", strerror(errno));
	return fail(err, file->path, why.text);
}

/* ---- meta -------------------------------------------------------------------------- */

int lmdb_meta_get(struct lmdb_file *file, MDB_txn *txn, const char *name, void *value_r, size_t n)
{
	MDB_val key = {strlen(name), (void *)name}, value;
	int rc = mdb_get(txn, file->meta, &key, &value);

	if (rc == 0 && value.mv_size != n)
		rc = MDB_CORRUPTED;
	if (rc == 0)
		memcpy(value_r, value.mv_data, n);
	return rc;
}

int lmdb_meta_put(struct lmdb_file *file, MDB_txn *txn, const char *name, const void *value, size_t n)
{
	MDB_val key = {strlen(name), (void *)name}, data = {n, (void *)value};

	return mdb_put(txn, file->meta, &key, &data, 0);
}

/* ---- the environment ----------------------------------------------------------------- */

static int fail_lmdb(const struct lmdb_file *file, int rc, struct error *err)
{
	struct error why;

	if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH || rc == MDB_INCOMPATIBLE)
		return fail(err, file->path, "is not a store; move it away, or name another directory");
	if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND)
		return fail(err, file->path, "is damaged; move it away, and a new one is created");
	if (rc == MDB_MAP_FULL)
		return fail(err, file->path, "has no room for the upgrade of its format; raise at-most");
	error_set(&why, "%s", mdb_strerror(rc));
	return fail(err, file->path, why.text);
}

static int open_environment(struct lmdb_file *file, uint64_t at_most, struct error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int rc = mdb_env_create(&file->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(file->env, at_most / page * page);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(file->env, TABLES);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(file->env, FILE_READERS + 8); /* 8: scans, and the writing thread */
	if (rc == 0) /* NOMETASYNC: one fdatasync a commit; after a loss of power the latest commit may be undone */
		rc = mdb_env_open(file->env, file->path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOMETASYNC, 0600);
	return rc == 0 ? 0 : fail_lmdb(file, rc, err);
}

static int open_tables(struct lmdb_file *file, MDB_txn *txn, unsigned flags)
{
	int rc = mdb_dbi_open(txn, "meta", flags, &file->meta);

	if (rc == 0)
		rc = mdb_dbi_open(txn, "records", flags, &file->records);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "due", MDB_CREATE, &file->due);
	return rc;
}

static int write_format(struct lmdb_file *file, MDB_txn *txn)
{
	uint32_t format = FILE_FORMAT;

	return lmdb_meta_put(file, txn, "format", &format, sizeof(format));
}

static int begin_new(struct lmdb_file *file, MDB_txn *txn)
{
	uint64_t seed = random_seed();
	int rc = open_tables(file, txn, MDB_CREATE);

	if (rc == 0)
		rc = write_format(file, txn);
	if (rc == 0)
		rc = lmdb_meta_put(file, txn, "seed", &seed, sizeof(seed));
	return rc;
}

/* -1 and err: a newer program wrote it. Else *rc_r. */
static int check_format(struct lmdb_file *file, MDB_txn *txn, int *rc_r, struct error *err)
{
	uint32_t format = 0;
	struct error why;

	*rc_r = lmdb_meta_get(file, txn, "format", &format, sizeof(format));
	if (*rc_r == 0 && format > FILE_FORMAT) {
		error_set(&why,
			  "has format %u and was written by a newer Sekisho; this one knows %d: use the newer one, or "
			  "another directory",
			  (unsigned)format, FILE_FORMAT);
		return fail(err, file->path, why.text);
	}
	if (*rc_r == 0 && format < FILE_FORMAT)
		*rc_r = lmdb_upgrade(file, txn);
	if (*rc_r == 0 && format < FILE_FORMAT)
		*rc_r = write_format(file, txn);
	return 0;
}

static int read_meta(struct lmdb_file *file, MDB_txn *txn)
{
	int rc = lmdb_meta_get(file, txn, "seed", &file->seed, sizeof(file->seed));

	if (rc == 0)
		rc = lmdb_meta_get(file, txn, "clock", &file->clock, sizeof(file->clock));
	if (rc == MDB_NOTFOUND)
		rc = file->seed != 0 ? 0 : MDB_INVALID;
	return rc;
}

/* The tables of an existing file; an LMDB file of another program has no tables with these names or rows. */
static int use_tables(struct lmdb_file *file, MDB_txn *txn, struct error *err)
{
	MDB_stat status;
	int rc = mdb_env_stat(file->env, &status); /* of the table of tables */

	if (rc == 0 && status.ms_entries == 0)
		rc = begin_new(file, txn);
	else if (rc == 0)
		rc = open_tables(file, txn, 0);
	if (rc == 0 && check_format(file, txn, &rc, err) < 0)
		return -1;
	if (rc == 0)
		rc = read_meta(file, txn);
	if (rc == MDB_NOTFOUND)
		rc = MDB_INVALID;
	if (rc == 0)
		file->page = status.ms_psize;
	return rc == 0 ? 0 : fail_lmdb(file, rc, err);
}

static int open_content(struct lmdb_file *file, struct error *err)
{
	MDB_txn *txn;
	int rc, dead;

	mdb_reader_check(file->env, &dead); /* slots of a process that was killed */
	rc = mdb_txn_begin(file->env, NULL, 0, &txn);
	if (rc != 0)
		return fail_lmdb(file, rc, err);
	if (use_tables(file, txn, err) < 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : fail_lmdb(file, rc, err);
}

int lmdb_file_open(struct lmdb_file *file, const char *directory, uint64_t at_most, struct error *err)
{
	size_t room = strlen(directory) + sizeof("/" FILE_NAME);

	*file = (struct lmdb_file){.path = xmalloc(room), .lock = -1};
	snprintf(file->path, room, "%s/%s", directory, FILE_NAME);
	if (make_directory(directory, err) < 0 || lock_file(file, err) < 0 || lmdb_file_examine(file->path, err) < 0 ||
	    open_environment(file, at_most, err) < 0 || open_content(file, err) < 0) {
		lmdb_file_close(file);
		return -1;
	}
	return 0;
}

void lmdb_file_close(struct lmdb_file *file)
{
	if (file->env)
		mdb_env_close(file->env);
	if (file->lock >= 0)
		close(file->lock);
	free(file->path);
	*file = (struct lmdb_file){.lock = -1};
}
