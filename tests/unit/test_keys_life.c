/*
 * test_keys_life.c - the life of keys: made, published by the hook and removed, also when a process is killed in
 * between.
 *
 * The DNS is a directory with a file for each record; the hook writes and removes them.
 */
#include "keys_scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define LIFE 240 /* days */
#define STEP 5   /* days */

/* ---- killed at a step -------------------------------------------------------------------------------- */

static unsigned steps, kill_at; /* 0: never */

static void step(void)
{
	if (++steps == kill_at)
		kill(getpid(), SIGKILL);
}

int __real_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, mode_t mode);
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
int __real_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __real_unlinkat(int fd, const char *path, int flags);
int __wrap_unlinkat(int fd, const char *path, int flags);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_openat(int fd, const char *path, int flags, mode_t mode)
{
	if (flags & O_CREAT)
		step();
	return __real_openat(fd, path, flags, mode);
}

/* Half of it may be there. */
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
	if (n > 1 && kill_at == steps + 1)
		(void)!__real_write(fd, bytes, n / 2);
	step();
	return __real_write(fd, bytes, n);
}

int __wrap_renameat(int from, const char *old, int to, const char *new)
{
	step();
	return __real_renameat(from, old, to, new);
}

int __wrap_unlinkat(int fd, const char *path, int flags)
{
	step();
	return __real_unlinkat(fd, path, flags);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	step();
	return __real_mkdir(path, mode);
}

int __wrap_fsync(int fd)
{
	step();
	return __real_fsync(fd);
}

/* ---- the DNS ---------------------------------------------------------------------------------------------- */

static bool refuses; /* the hook fails */

static int hook(void *context, bool publish, const struct key_set *set, const struct managed_key *key,
		struct error *err)
{
	struct arena *arena = arena_new();
	struct slice name = key_record_name(set, key, arena), record = dkim_private_record(key->private, arena);
	const char *file = arena_printf(arena, DNS_DIR "/%.*s", SLICE_ARGS(name)).p;

	(void)context;
	step();
	if (publish && !refuses)
		write_file(file, record.p, record.n);
	else if (!refuses)
		unlink(file);
	step();
	arena_free(arena);
	error_set(err, "the hook fails");
	return refuses ? -1 : 0;
}

static struct resolver *open_dns(void)
{
	struct arena *arena = arena_new();
	DIR *records = opendir(DNS_DIR);
	struct resolver *resolver;
	const struct dirent *entry;
	struct slice text;
	struct text zone;
	struct error err;

	text_init(&zone, arena, 100000);
	while ((entry = readdir(records))) {
		if (entry->d_name[0] == '.')
			continue;
		assert_int_equal(file_read(arena_printf(arena, DNS_DIR "/%s", entry->d_name).p, 4096, &text, &err), 0);
		text_printf(&zone, "%s TXT \"%.*s\"\n", entry->d_name, SLICE_ARGS(text));
		free((char *)text.p);
	}
	closedir(records);
	resolver = resolver_open_zone(text_slice(&zone), "zone", &err);
	arena_free(arena);
	return resolver;
}

/* ---- a life -------------------------------------------------------------------------------------------------- */

static int run_once(int64_t now_s, struct key_set **set_r)
{
	static const struct key_hook calls = {hook, NULL};
	struct resolver *resolver = open_dns();
	struct arena *arena = arena_new();
	struct dns_budget *budget = dns_budget_open(resolver, arena, 100);
	struct error err;
	int result = keys_run(KEYS_DIR, DOMAIN, &rules, budget, now_s, &calls, NULL, set_r, &err);

	dns_budget_close(budget);
	arena_free(arena);
	resolver_release(resolver);
	return result;
}

static unsigned entries_of(const char *path, const char *beginning)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;

	while (directory && (entry = readdir(directory)))
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
			 strncmp(entry->d_name, beginning, strlen(beginning)) == 0;
	if (directory)
		closedir(directory);
	return count;
}

static bool is_published(const struct key_set *set, const struct managed_key *key)
{
	char path[300];

	snprintf(path, sizeof(path), DNS_DIR "/%.*s._domainkey.%.*s", SLICE_ARGS(key->selector),
		 SLICE_ARGS(set->domain));
	return access(path, F_OK) == 0;
}

/* What must be true at any time after the first key signed. */
static void check_day(int64_t day, const struct key_set *set)
{
	const struct managed_key *signers[KEYS_SIGNING_MAX];

	if (day < 2 * STEP)
		return;
	assert_int_equal(key_set_signers(set, rules.types, START + day * DAY, signers), 1);
	assert_true(is_published(set, signers[0]));
	assert_in_range(set->count, 1, 3);
}

/* From a day on, as a timer would. */
static void live(int64_t day)
{
	struct key_set *set;

	for (; day < LIFE; day += STEP) {
		assert_int_equal(run_once(START + day * DAY, &set), 0);
		check_day(day, set);
		key_set_release(set);
	}
}

static void a_life_has_three_keys_and_ends_with_one(void **state)
{
	struct error err;
	struct key_set *set;

	(void)state;
	clean();
	live(0);
	set = key_set_read(KEYS_DIR, DOMAIN, &err);
	assert_int_equal(set->count, 1);
	assert_int_equal(set->keys[0].made_s, START + 180 * DAY);
	assert_int_equal(entries_of(DNS_DIR, ""), 1);
	assert_true(is_published(set, &set->keys[0]));
	key_set_release(set);
}

/* The day at which the process was killed; LIFE when it lived. */
static int64_t live_until_killed(void)
{
	int reports[2], status;
	int64_t day = 0, last = 0;
	pid_t child;

	assert_int_equal(pipe(reports), 0);
	child = fork();
	if (child == 0) {
		for (; day < LIFE; day += STEP) {
			struct key_set *set;

			(void)!__real_write(reports[1], &day, sizeof(day));
			if (run_once(START + day * DAY, &set))
				_exit(1);
			key_set_release(set);
		}
		_exit(0);
	}
	close(reports[1]);
	while (read(reports[0], &day, sizeof(day)) == sizeof(day))
		last = day;
	close(reports[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 0);
		return LIFE;
	}
	return last;
}

static void a_kill_at_any_step_changes_nothing_in_the_end(void **state)
{
	unsigned kills = 0;
	int64_t day;

	(void)state;
	for (unsigned at = 1;; at++) {
		struct error err;
		struct key_set *set;

		clean();
		steps = 0;
		kill_at = at;
		day = live_until_killed();
		kill_at = 0;
		if (day == LIFE)
			break;
		kills++;
		set = key_set_read(KEYS_DIR, DOMAIN, &err); /* as the daemon would, at once */
		assert_non_null(set);
		key_set_release(set);
		live(day);
		set = key_set_read(KEYS_DIR, DOMAIN, &err);
		assert_non_null(set);
		assert_int_equal(set->count, 1);
		assert_true(is_published(set, &set->keys[0]));
		assert_int_equal(entries_of(DNS_DIR, ""), 1);
		assert_int_equal(entries_of(KEYS_DIR "/example.org", ".new-"), 0);
		key_set_release(set);
	}
	assert_true(kills > 40);
}

static void a_hook_that_fails_is_called_again(void **state)
{
	struct key_set *set;

	(void)state;
	clean();
	refuses = true;
	assert_int_equal(run_once(START, &set), -1);
	assert_int_equal(set->count, 1);
	key_set_release(set);
	assert_int_equal(entries_of(DNS_DIR, ""), 0);
	refuses = false;
	assert_int_equal(run_once(START + 3600, &set), 0);
	assert_int_equal(set->count, 1); /* the same key */
	key_set_release(set);
	assert_int_equal(entries_of(DNS_DIR, ""), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_life_has_three_keys_and_ends_with_one),
	    cmocka_unit_test(a_kill_at_any_step_changes_nothing_in_the_end),
	    cmocka_unit_test(a_hook_that_fails_is_called_again),
	};
	return cmocka_run_group_tests(tests, open_directory, close_directory);
}
