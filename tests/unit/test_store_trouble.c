/*
 * test_store_trouble.c - a process that is killed, a disk that is full, a directory that cannot be written.
 */
#include "skip_because.h"
#include "store_scene.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- kill -9 ------------------------------------------------------------------------ */

/* What the process reports before it is killed; in shared memory. */
struct witness {
	_Atomic uint64_t decided, flushed; /* reservations; those before a flush that was answered */
	_Atomic uint64_t commits;          /* the store's own, without a request */
};

static _Noreturn void reserve_until_killed(struct scene *scene, struct witness *witness, bool flushes)
{
	struct store_limit limit = hourly(1, STORE_NO_LIMIT);
	struct store_counters counters;
	struct store_usage usage;
	struct error err;
	char key[24];

	scene->store = scene_open(scene, 0, &err);
	for (unsigned i = 0; scene->store; i++) {
		if (store_reserve(scene->store, &limit, 1, &usage) != STORE_OK)
			break;
		witness->decided = usage.count;
		snprintf(key, sizeof(key), "k:%u", i * 2654435761u % 10000);
		store_put(scene->store, slice_of(key), slice_of(key), HOUR);
		if (flushes && i % 50 == 49 && store_flush(scene->store, clock_us() + 60 * SECOND) == STORE_OK)
			witness->flushed = usage.count;
		store_counters(scene->store, &counters);
		witness->commits = counters.flushes;
	}
	_exit(1);
}

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void kill_and_wait(pid_t pid)
{
	int end;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &end, 0), pid);
	assert_true(WIFSIGNALED(end));
}

static void check_all(struct scene *scene)
{
	struct store_page page = {.next = SLICE("")};

	do {
		assert_int_equal(store_scan(scene->store, SLICE("k:"), page.next, 500, scene->arena, &page), STORE_OK);
		for (size_t i = 0; i < page.count; i++)
			assert_true(slice_equal(page.items[i].key, page.items[i].value));
	} while (page.next.p);
	arena_reset(scene->arena);
}

/* At any moment: what a flush was answered for is there, and nothing that was not decided. */
static void a_kill_loses_nothing_that_was_flushed(void **state)
{
	struct scene *scene = *state;
	struct witness *witness = shared(sizeof(*witness));

	for (unsigned round = 0; round < 12; round++) {
		uint64_t before = counted(scene, hourly(0, STORE_NO_LIMIT));
		pid_t pid;

		store_close(scene->store);
		scene->store = NULL;
		witness->flushed = 0;
		pid = fork();
		if (pid == 0)
			reserve_until_killed(scene, witness, true);
		while (witness->flushed <= before)
			usleep(1000);
		usleep(round * 1700);
		kill_and_wait(pid);
		scene_reopen(scene, 0);
		assert_in_range(counted(scene, hourly(0, STORE_NO_LIMIT)), witness->flushed, witness->decided + 1);
		check_all(scene);
	}
	munmap(witness, sizeof(*witness));
}

/* What is decided is written without a request. */
static void a_kill_loses_only_what_is_young(void **state)
{
	struct scene *scene = *state;
	struct witness *witness = shared(sizeof(*witness));
	uint64_t old, commits;
	pid_t pid;

	store_close(scene->store);
	scene->store = NULL;
	pid = fork();
	if (pid == 0)
		reserve_until_killed(scene, witness, false);
	while ((old = witness->decided) < 1000)
		usleep(1000);
	/* The commit under way may be older than that, so may be the rest of its round; 12 batches hold all the keys
	 * there are. */
	commits = witness->commits;
	while (witness->commits < commits + 24)
		usleep(1000);
	kill_and_wait(pid);
	scene_reopen(scene, 0);
	assert_in_range(counted(scene, hourly(0, STORE_NO_LIMIT)), old, witness->decided + 1);
	check_all(scene);
	munmap(witness, sizeof(*witness));
}

/* ---- no space ------------------------------------------------------------------------- */

/* Puts until the store says that it does not work; how many it took. */
static unsigned put_until_dead(struct scene *scene)
{
	unsigned taken = 0;
	char key[24];

	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "k:%u", taken);
		if (store_put(scene->store, slice_of(key), slice_of(key), HOUR) != STORE_OK)
			break;
		taken++;
		if (taken % 500 == 0)
			store_flush(scene->store, clock_us() + 60 * SECOND);
	}
	return taken;
}

/* Answered with "not available" while nothing can be written; what was taken before is written later. */
static bool survives(struct scene *scene, const char *why, void (*make_room)(struct scene *))
{
	struct store_item item;
	struct error line;
	unsigned taken = put_until_dead(scene);
	struct store_limit limit = hourly(1, STORE_NO_LIMIT);
	struct store_usage usage;
	bool right = taken > 0 && taken < 5000;
	char key[24];

	right = right && store_reserve(scene->store, &limit, 1, &usage) == STORE_UNAVAILABLE;
	right = right && store_delete(scene->store, SLICE("k:0")) == STORE_UNAVAILABLE;
	right = right && store_get(scene->store, SLICE("k:0"), scene->arena, &item) == STORE_OK;
	right = right && store_flush(scene->store, clock_us() + 60 * SECOND) == STORE_UNAVAILABLE;
	right = right && store_report(scene->store, 0, &line) && strstr(line.text, why);
	make_room(scene);
	right = right && store_flush(scene->store, clock_us() + 60 * SECOND) == STORE_OK;
	right = right && store_report(scene->store, 1, &line) && strstr(line.text, "works again");
	scene_reopen(scene, 0);
	for (unsigned i = 0; i < taken && right; i++) {
		snprintf(key, sizeof(key), "k:%u", i);
		right = store_get(scene->store, slice_of(key), scene->arena, &item) == STORE_OK;
	}
	return right;
}

static struct rlimit unlimited;

static void no_limit(struct scene *scene)
{
	(void)scene;
	setrlimit(RLIMIT_FSIZE, &unlimited);
}

static void a_limit_on_files_is_survived(void **state)
{
	struct rlimit small;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &unlimited);
	small = unlimited;
	small.rlim_cur = 128 * 1024;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_true(survives(*state, "cannot be written: ", no_limit));
}

static void more_space(struct scene *scene)
{
	mount("none", scene->directory, "tmpfs", MS_REMOUNT, "size=64m");
}

/* In a process of its own, with mounts that no other process sees. The exit code says how far it came; 77: not
 * allowed. */
static int on_a_small_disk(struct scene *scene)
{
	struct error err = {""};
	struct store_item item;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", scene->directory, "tmpfs", 0, "size=256k") < 0)
		return 77;
	scene->store = scene_open(scene, 0, &err);
	if (!scene->store)
		return 1;
	if (!survives(scene, " (its disk has 0 KB free)", more_space))
		return 2;
	store_close(scene->store);
	if (mount("none", scene->directory, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return 77;
	scene->store = scene_open(scene, 0, &err);
	if (scene->store || !strstr(err.text, "cannot be opened for writing: Read-only file system"))
		return 3;
	mount("none", scene->directory, "tmpfs", MS_REMOUNT, "size=64m");
	scene->store = scene_open(scene, 0, &err);
	if (!scene->store || store_get(scene->store, SLICE("k:0"), scene->arena, &item) != STORE_OK)
		return 4;
	store_close(scene->store);
	return 0;
}

static void a_full_disk_is_survived(void **state)
{
	struct scene *scene = *state;
	pid_t pid;
	int end;

	store_close(scene->store);
	scene->store = NULL;
	pid = fork();
	if (pid == 0)
		_exit(on_a_small_disk(scene));
	assert_int_equal(waitpid(pid, &end, 0), pid);
	assert_true(WIFEXITED(end));
	SKIP_UNLESS(WEXITSTATUS(end) != 77, "only root can make a mount namespace, and not everywhere");
	assert_int_equal(WEXITSTATUS(end), 0);
}

/* ---- no directory ------------------------------------------------------------------------ */

static void a_directory_is_made_or_the_reason_is_reported(void **state)
{
	struct scene *scene = *state;
	struct error err = {""};
	char inner[70], path[128];
	struct stat status;

	store_close(scene->store);
	scene->store = NULL;
	snprintf(inner, sizeof(inner), "%s/made", scene->directory);
	snprintf(scene->url, sizeof(scene->url), "lmdb:%.70s", inner);
	scene_reopen(scene, 0);
	assert_int_equal(stat(inner, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	store_close(scene->store);
	scene->store = NULL;
	snprintf(path, sizeof(path), "%s/store.mdb", inner);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	unlink(path);
	snprintf(path, sizeof(path), "%s/store.mdb-lock", inner);
	unlink(path);
	rmdir(inner);
	snprintf(scene->url, sizeof(scene->url), "lmdb:%s/no/such", scene->directory);
	assert_null(scene_open(scene, 0, &err));
	assert_non_null(strstr(err.text, "the directory cannot be created: No such file or directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_kill_loses_nothing_that_was_flushed, open_lmdb, close_scene),
	    cmocka_unit_test_setup_teardown(a_kill_loses_only_what_is_young, open_lmdb, close_scene),
	    cmocka_unit_test_setup_teardown(a_limit_on_files_is_survived, open_lmdb, close_scene),
	    cmocka_unit_test_setup_teardown(a_full_disk_is_survived, open_lmdb, close_scene),
	    cmocka_unit_test_setup_teardown(a_directory_is_made_or_the_reason_is_reported, open_lmdb, close_scene),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
