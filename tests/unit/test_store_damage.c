/*
 * test_store_damage.c - files of other formats, of other programs, and damaged ones.
 */
#include "store_file.h"

#include <fcntl.h>
#include <sys/wait.h>

/* ---- formats ------------------------------------------------------------------------------ */

struct raw {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi meta, records;
};

static void raw_open(struct raw *raw, const struct scene *scene)
{
	char path[128];

	scene_path(scene, path, "store.mdb");
	assert_int_equal(mdb_env_create(&raw->env), 0);
	mdb_env_set_maxdbs(raw->env, 4);
	assert_int_equal(mdb_env_open(raw->env, path, MDB_NOSUBDIR, 0600), 0);
	assert_int_equal(mdb_txn_begin(raw->env, NULL, 0, &raw->txn), 0);
	assert_int_equal(mdb_dbi_open(raw->txn, "meta", MDB_CREATE, &raw->meta), 0);
	assert_int_equal(mdb_dbi_open(raw->txn, "records", MDB_CREATE, &raw->records), 0);
}

static void raw_put(struct raw *raw, MDB_dbi table, const char *name, const void *value, size_t n)
{
	MDB_val key = {strlen(name), (void *)name}, data = {n, (void *)value};

	assert_int_equal(mdb_put(raw->txn, table, &key, &data, 0), 0);
}

static void raw_close(struct raw *raw)
{
	assert_int_equal(mdb_txn_commit(raw->txn), 0);
	mdb_env_close(raw->env);
}

static void a_newer_file_is_refused_and_left_alone(void **state)
{
	struct scene *scene = *state;
	uint32_t format = 3;
	struct raw raw;

	put(scene, 1, 10, HOUR);
	store_gone(scene);
	raw_open(&raw, scene);
	raw_put(&raw, raw.meta, "format", &format, sizeof(format));
	raw_close(&raw);
	assert_refused(scene, "has format 3 and was written by a newer Sekisho; this one knows 2");
	assert_refused(scene, "has format 3");
	assert_int_equal(entries_of(scene, "records"), 1);
}

static void an_older_file_is_brought_up_to_date(void **state)
{
	struct scene *scene = *state;
	struct store_counters counters;
	uint32_t format = 1;
	uint64_t seed = 4711;
	struct raw raw;
	char path[128];

	store_gone(scene);
	scene_path(scene, path, "store.mdb");
	assert_int_equal(unlink(path), 0);
	raw_open(&raw, scene);
	raw_put(&raw, raw.meta, "format", &format, sizeof(format));
	raw_put(&raw, raw.meta, "seed", &seed, sizeof(seed));
	for (unsigned i = 0; i < 2000; i++) {
		char key[24], record[9 + 30];
		int64_t expires = scene_wall + (i < 1000 ? HOUR : 2 * HOUR);

		record[0] = STORE_VALUE;
		memcpy(record + 1, &expires, 8);
		memset(record + 9, (int)('a' + i % 26), 30);
		key_of(i, key);
		raw_put(&raw, raw.records, key, record, sizeof(record));
	}
	raw_put(&raw, raw.records, "malformed", "x", 1);
	raw_close(&raw);
	for (int i = 0; i < 2; i++) { /* the second time it is up to date */
		scene_reopen(scene, 0);
		assert_true(has(scene, 0, 30) && has(scene, 1999, 30));
	}
	pass(HOUR);
	flush(scene);
	store_counters(scene->store, &counters);
	assert_int_equal(counters.keys, 1000);
	assert_true(has(scene, 1000, 30));
}

/* ---- files that are not ours, or damaged ------------------------------------------------------ */

static void write_over(const struct scene *scene, off_t at, const void *bytes, size_t n)
{
	char path[128];
	int fd;

	scene_path(scene, path, "store.mdb");
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), n);
	close(fd);
}

static void a_file_of_somebody_else_is_refused(void **state)
{
	struct scene *scene = *state;
	static char text[9000];
	struct raw raw;
	char path[128];

	store_gone(scene);
	scene_path(scene, path, "store.mdb");
	raw_open(&raw, scene);
	raw_put(&raw, raw.meta, "format", "?", 1);
	raw_close(&raw);
	chmod(path, 0622);
	assert_refused(scene, "can be written by others");
	unlink(path);
	memset(text, 'x', sizeof(text));
	write_over(scene, 0, text, sizeof(text));
	assert_refused(scene, "is not a store");
	unlink(path);
	raw_open(&raw, scene); /* LMDB, but not with our tables */
	raw_put(&raw, raw.meta, "other", "1", 1);
	raw_close(&raw);
	assert_refused(scene, "is not a store");
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_refused(scene, "cannot be opened for writing");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused(scene, "cannot be opened for writing");
	rmdir(path);
}

/* A damaged file is read in another process. Either it is refused, or it works. */
static void use_damaged(struct scene *scene)
{
	struct error err = {""};
	struct store_page page;

	scene->store = scene_open(scene, 0, &err);
	if (!scene->store) {
		_exit(strstr(err.text, "damaged") || strstr(err.text, "is not a store") ? 1 : 3);
	}
	for (unsigned i = 0; i < 2000; i++)
		has(scene, i, 50);
	store_scan(scene->store, SLICE(""), SLICE(""), STORE_SCAN_MAX, scene->arena, &page);
	for (unsigned i = 0; i < 2000; i++)
		put(scene, i, 60, HOUR);
	store_flush(scene->store, clock_us() + 10 * SECOND);
	_exit(0);
}

static int end_of_use(struct scene *scene)
{
	pid_t pid = fork();
	int end;

	if (pid == 0)
		use_damaged(scene);
	assert_int_equal(waitpid(pid, &end, 0), pid);
	return WIFEXITED(end) ? WEXITSTATUS(end) : -1;
}

static void a_damaged_file_is_refused(void **state)
{
	struct scene *scene = *state;
	char path[128], garbage[4096];
	off_t size;

	for (unsigned i = 0; i < 2000; i++)
		put(scene, i, 50, HOUR);
	flush(scene);
	store_gone(scene);
	size = file_size(scene);
	assert_int_equal(end_of_use(scene), 0);
	scene_path(scene, path, "store.mdb");
	memset(garbage, 0xa5, sizeof(garbage));
	write_over(scene, size / 8192 * 4096, garbage, sizeof(garbage));
	assert_in_range(end_of_use(scene), 0, 1); /* the page may be free */
	for (off_t at = 2 * 4096; at + 4096 <= size; at += 4096)
		write_over(scene, at, garbage, sizeof(garbage));
	assert_int_equal(end_of_use(scene), 1);
	assert_refused(scene, "damaged");
}

static void a_file_that_was_cut_is_refused(void **state)
{
	struct scene *scene = *state;
	char path[128];

	for (unsigned i = 0; i < 2000; i++)
		put(scene, i, 50, HOUR);
	store_gone(scene);
	scene_path(scene, path, "store.mdb");
	assert_int_equal(truncate(path, file_size(scene) / 3), 0);
	assert_int_equal(end_of_use(scene), 1);
	assert_refused(scene, "damaged");
}

static void a_damaged_record_is_absent_and_counted(void **state)
{
	struct scene *scene = *state;
	struct store_counters counters;
	struct raw raw;

	put(scene, 1, 10, HOUR);
	put(scene, 2, 10, HOUR);
	store_gone(scene);
	raw_open(&raw, scene);
	raw_put(&raw, raw.records, "key:1", "?", 1);
	raw_close(&raw);
	scene_reopen(scene, 0);
	assert_false(has(scene, 1, 10));
	assert_true(has(scene, 2, 10));
	store_counters(scene->store, &counters);
	assert_int_equal(counters.damaged, 1);
	put(scene, 1, 10, HOUR);
	scene_reopen(scene, 0);
	assert_true(has(scene, 1, 10));
}

/* An entry of what is due that is not the one of its record, or of no record at all, goes when it comes up. */
static void a_stray_entry_of_what_is_due_does_no_harm(void **state)
{
	struct scene *scene = *state;
	char stray[] = "\0\0\0\0\0\0\0\1key:1", none[] = "\0\0\0\0\0\0\0\2nobody";
	MDB_val names[] = {{sizeof(stray) - 1, stray}, {sizeof(none) - 1, none}, {3, "odd"}}, nothing = {0, ""};
	struct raw raw;
	MDB_dbi due;

	put(scene, 1, 10, HOUR);
	flush(scene);
	put(scene, 1, 10, 2 * HOUR); /* its entry stays where it is */
	store_gone(scene);
	raw_open(&raw, scene);
	assert_int_equal(mdb_dbi_open(raw.txn, "due", 0, &due), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(mdb_put(raw.txn, due, &names[i], &nothing, 0), 0);
	raw_close(&raw);
	scene_reopen(scene, 0);
	flush(scene);
	flush(scene);
	assert_true(has(scene, 1, 10));
	store_gone(scene);
	assert_int_equal(entries_of(scene, "records"), 1);
	assert_int_equal(entries_of(scene, "due"), 1 + 1); /* "odd" sorts after all times there are */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LMDB(a_newer_file_is_refused_and_left_alone),
	    LMDB(an_older_file_is_brought_up_to_date),
	    LMDB(a_file_of_somebody_else_is_refused),
	    LMDB(a_damaged_file_is_refused),
	    LMDB(a_file_that_was_cut_is_refused),
	    LMDB(a_damaged_record_is_absent_and_counted),
	    LMDB(a_stray_entry_of_what_is_due_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
