/*
 * store_file.h - a store with many keys, and its file.
 */
#ifndef SEKISHO_TEST_STORE_FILE_H
#define SEKISHO_TEST_STORE_FILE_H

#include "store_scene.h"

#include <lmdb.h>
#include <sys/stat.h>

static inline struct slice key_of(unsigned i, char key[24])
{
	snprintf(key, 24, "key:%u", i);
	return slice_of(key);
}

/* Values of `n` bytes that tell their keys apart. */
static inline enum store_answer put(struct scene *scene, unsigned i, size_t n, int64_t life_us)
{
	static char value[STORE_VALUE_MAX];
	char key[24];

	memset(value, (int)('a' + i % 26), n);
	return store_put(scene->store, key_of(i, key), (struct slice){value, n}, life_us);
}

static inline bool has(struct scene *scene, unsigned i, size_t n)
{
	struct store_item item;
	char key[24];
	bool there;

	there = store_get(scene->store, key_of(i, key), scene->arena, &item) == STORE_OK && item.value.n == n &&
		item.value.p[n - 1] == (char)('a' + i % 26);
	arena_reset(scene->arena);
	return there;
}

static inline void flush(struct scene *scene)
{
	assert_int_equal(store_flush(scene->store, clock_us() + 60 * SECOND), STORE_OK);
}

static inline off_t file_size(const struct scene *scene)
{
	struct stat status;
	char path[128];

	scene_path(scene, path, "store.mdb");
	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

static inline void store_gone(struct scene *scene)
{
	store_close(scene->store);
	scene->store = NULL;
}

static inline void assert_refused(struct scene *scene, const char *why)
{
	struct error err = {""};

	scene->store = scene_open(scene, 0, &err);
	assert_null(scene->store);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

/* Of a table of a file that is closed. */
static inline uint64_t entries_of(const struct scene *scene, const char *table)
{
	MDB_stat status;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	char path[128];

	scene_path(scene, path, "store.mdb");
	assert_int_equal(mdb_env_create(&env), 0);
	mdb_env_set_maxdbs(env, 4);
	assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	assert_int_equal(mdb_stat(txn, dbi, &status), 0);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return status.ms_entries;
}

#define LMDB(test) cmocka_unit_test_setup_teardown(test, open_lmdb, close_scene)

#endif
