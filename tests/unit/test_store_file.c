/*
 * test_store_file.c - the file of a store: what is kept, what frees it, and who may use it.
 */
#include "store_file.h"

#include <pthread.h>
#include <sys/wait.h>

#define SMALL STORE_AT_MOST_MIN

/* ---- URLs -------------------------------------------------------------------------- */

static void a_url_says_what_is_wrong(void **state)
{
	static const struct {
		const char *url;
		uint64_t at_most;
		const char *why;
	} cases[] = {
	    {"mongodb://host", 0, "\"mongodb://host\" is not a store"},
	    {"", 0, "\"\" is not a store"},
	    {"lmdb:", 0, "needs the absolute path of a directory"},
	    {"lmdb:var/lib", 0, "needs the absolute path of a directory"},
	    {"memory:/tmp", 0, "takes nothing after the colon"},
	    {"memory:", 1000, "at least 8 MB"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store_settings settings = {.url = slice_of(cases[i].url), .at_most = cases[i].at_most};
		struct error err = {""};

		assert_int_equal(store_check(&settings, &err), -1);
		assert_non_null(strstr(err.text, cases[i].why));
		assert_null(store_open(&settings, &err));
	}
}

/* ---- what is kept -------------------------------------------------------------------- */

static void a_file_takes_more_when_it_may(void **state)
{
	struct scene *scene = *state;
	unsigned fit = 0, more = 0;

	scene_reopen(scene, SMALL);
	for (enum store_answer answer = STORE_OK; answer == STORE_OK && fit < 10000; flush(scene))
		for (int i = 0; i < 100 && answer == STORE_OK; i++) {
			answer = put(scene, fit, 1000, HOUR);
			fit += answer == STORE_OK;
		}
	assert_in_range(fit, 3000, 9999);
	assert_true(file_size(scene) <= (off_t)SMALL);
	scene_reopen(scene, 4 * SMALL);
	while (more < 2 * fit && put(scene, fit + more, 1000, HOUR) == STORE_OK)
		if (++more % 500 == 0)
			flush(scene);
	assert_int_equal(more, 2 * fit);
	scene_reopen(scene, 4 * SMALL);
	for (unsigned i = 0; i < fit + more; i += 7)
		assert_true(has(scene, i, 1000));
}

/* New keys are refused, those that exist still change; what expires makes room. The log gets a line for each. */
static void a_full_file_goes_on_with_the_keys_it_has(void **state)
{
	struct scene *scene = *state;
	struct store_counters counters;
	struct error line;
	unsigned fit = 0;

	scene_reopen(scene, SMALL);
	assert_false(store_report(scene->store, 0, &line));
	while (put(scene, fit, 500, 2 * HOUR) == STORE_OK)
		if (++fit % 500 == 0)
			flush(scene);
	flush(scene);
	assert_true(store_report(scene->store, 0, &line));
	assert_non_null(strstr(line.text, "takes no new keys until some expire; raise at-most"));
	assert_false(store_report(scene->store, 59 * SECOND, &line));
	assert_true(store_report(scene->store, 60 * SECOND, &line));
	for (int round = 0; round < 8; round++) {
		for (unsigned i = 0; i < fit; i++)
			assert_int_equal(put(scene, i, 500, HOUR), STORE_OK);
		assert_int_equal(put(scene, fit, 500, HOUR), STORE_UNAVAILABLE);
		flush(scene);
	}
	store_counters(scene->store, &counters);
	assert_true(file_size(scene) <= (off_t)SMALL && counters.bytes <= counters.at_most);
	pass(HOUR);
	for (int i = 0; i < 100 && put(scene, fit, 500, HOUR) != STORE_OK; i++)
		flush(scene);
	assert_true(has(scene, fit, 500));
	assert_true(store_report(scene->store, 61 * SECOND, &line));
	assert_non_null(strstr(line.text, "works again"));
}

static void full_memory_goes_on_with_the_keys_it_has(void **state)
{
	struct scene *scene = *state;
	unsigned fit = 0;

	scene_reopen(scene, SMALL);
	while (put(scene, fit, 500, HOUR) == STORE_OK)
		fit++;
	assert_in_range(fit, 5000, 15000);
	assert_int_equal(put(scene, 0, 500, 2 * HOUR), STORE_OK);
	pass(HOUR);
	for (int i = 0; i < 1000 && put(scene, fit, 500, HOUR) != STORE_OK; i++)
		;
	assert_true(has(scene, fit, 500) && has(scene, 0, 500));
}

/* Each record has one entry in the table of what is due, however often its life changes or it is made anew; what
 * expired is deleted without being asked for, and its space used again. */
static void what_expired_leaves_the_file(void **state)
{
	struct scene *scene = *state;
	struct store_counters counters;
	off_t size = 0;

	for (int cycle = 0; cycle < 8; cycle++) {
		for (unsigned i = 0; i < 3000; i++)
			assert_int_equal(put(scene, i, 100, SECOND), STORE_OK);
		put(scene, 5000, 10, HOUR * (1 + cycle % 3));
		flush(scene);
		store_delete(scene->store, SLICE("key:5001"));
		put(scene, 5001, 10, HOUR + cycle);
		flush(scene);
		pass(2 * SECOND);
		do {
			flush(scene);
			store_counters(scene->store, &counters);
		} while (counters.keys > 2);
		if (cycle == 3)
			size = file_size(scene);
	}
	assert_true(file_size(scene) <= size + size / 4);
	store_gone(scene);
	assert_int_equal(entries_of(scene, "records"), 2);
	assert_int_equal(entries_of(scene, "due"), 2);
	scene_reopen(scene, 0);
	assert_true(has(scene, 5000, 10) && has(scene, 5001, 10));
	pass(3 * HOUR);
	flush(scene);
	flush(scene);
	store_gone(scene);
	assert_int_equal(entries_of(scene, "records"), 0);
	assert_int_equal(entries_of(scene, "due"), 0);
}

/* Its entry in the table of what is due comes up and is put back. */
static void a_record_that_came_to_live_longer_stays(void **state)
{
	struct scene *scene = *state;

	put(scene, 1, 10, SECOND);
	flush(scene);
	put(scene, 1, 20, HOUR);
	scene_reopen(scene, 0);
	pass(2 * SECOND);
	flush(scene);
	scene_reopen(scene, 0);
	assert_true(has(scene, 1, 20));
	pass(HOUR);
	flush(scene);
	store_gone(scene);
	assert_int_equal(entries_of(scene, "records"), 0);
	assert_int_equal(entries_of(scene, "due"), 0);
}

/* A clock that is wrong after a restart does not make the file younger. */
static void time_goes_on_after_a_restart(void **state)
{
	struct scene *scene = *state;
	struct store_limit limit = {.key = SLICE("w"), .length_us = HOUR, .amount = 5, .hard = 5};
	struct store_usage usage;

	assert_int_equal(store_reserve(scene->store, &limit, 1, &usage), STORE_OK);
	flush(scene);
	scene_wall = SECOND; /* 1970 */
	scene_reopen(scene, 0);
	assert_int_equal(store_reserve(scene->store, &limit, 1, &usage), STORE_OVER);
	pass(HOUR);
	assert_int_equal(store_reserve(scene->store, &limit, 1, &usage), STORE_OK);
	scene_wall = START + scene_steady;
}

static void *churn(void *stop)
{
	struct scene *scene = scene_new("memory:", false);

	while (!*(atomic_bool *)stop)
		pass(1);
	scene_free(scene);
	return NULL;
}

/* More than may be in memory: dropped entries are read from the file, as they were left. */
static void what_is_dropped_from_memory_is_in_the_file(void **state)
{
	struct scene *scene = *state;
	struct store_counters counters;
	atomic_bool stop = false;
	pthread_t thread;

	pthread_create(&thread, NULL, churn, &stop);
	for (unsigned i = 0; i < 9500; i++)
		assert_int_equal(put(scene, i, i % 2 ? STORE_VALUE_MAX : 8000, STORE_DAY_US), STORE_OK);
	for (unsigned i = 0; i < 9500; i += 3)
		assert_int_equal(put(scene, i, 5000, STORE_DAY_US), STORE_OK);
	for (unsigned i = 0; i < 9500; i++)
		assert_true(has(scene, i, i % 3 == 0 ? 5000 : i % 2 ? STORE_VALUE_MAX : 8000));
	flush(scene);
	store_counters(scene->store, &counters);
	assert_in_range(counters.memory, 1, STORE_MEMORY);
	stop = true;
	pthread_join(thread, NULL);
}

/* ---- how much of it is memory of the process ------------------------------------------------ */

/* KB of the mapped file. */
static unsigned long resident_kb(void)
{
	unsigned long kb = 0, all = 0;
	bool is_file = false;
	char line[512];
	FILE *maps = fopen("/proc/self/smaps", "r");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (strchr(line, '-') && !strstr(line, " kB"))
			is_file = strstr(line, "/store.mdb\n") != NULL;
		else if (is_file && sscanf(line, "Rss: %lu kB", &kb) == 1)
			all += kb;
	}
	fclose(maps);
	return all;
}

static void add_sums(struct scene *scene, unsigned count, size_t n)
{
	char member[STORE_SUM_MAX];

	memset(member, 'x', sizeof(member));
	for (unsigned i = 0; i < count; i++) {
		struct store_sum sum = {SLICE("report:1"), {member, n}, i + 1, HOUR};
		size_t added;

		snprintf(member, 8, "%06u", i);
		member[6] = 'x';
		assert_int_equal(store_add(scene->store, &sum, 1, &added), STORE_OK);
		if (i % 5000 == 0)
			flush(scene);
	}
	flush(scene);
}

static void reading_all_sums_has_little_of_the_file_in_memory(void **state)
{
	enum { COUNT = 40000, MB = 1 << 20 };
	struct scene *scene = *state;
	char after[STORE_SUM_MAX];
	struct store_page page = {.next = SLICE("")};
	unsigned long most = 0, next = 0;

	add_sums(scene, COUNT, 440);
	assert_true(file_size(scene) > 18 * MB);
	scene_reopen(scene, 0);
	do {
		struct slice from = {after, page.next.n};

		memcpy(after, page.next.p, page.next.n);
		arena_reset(scene->arena);
		assert_int_equal(store_sums(scene->store, SLICE("report:1"), from, 100, scene->arena, &page), STORE_OK);
		for (size_t i = 0; i < page.count; i++)
			assert_int_equal(page.items[i].count, ++next);
		most = next % 1000 == 0 && resident_kb() > most ? resident_kb() : most;
	} while (page.next.p);
	assert_int_equal(next, COUNT);
	assert_in_range(most, 1, 12 * 1024);
}

/* ---- one at a time --------------------------------------------------------------------- */

static void a_file_has_one_owner(void **state)
{
	struct scene *scene = *state;
	struct error err = {""};
	pid_t pid = fork();
	int end;

	if (pid == 0)
		_exit(scene_open(scene, 0, &err) == NULL && strstr(err.text, "in use by another daemon") ? 0 : 1);
	assert_int_equal(waitpid(pid, &end, 0), pid);
	assert_true(WIFEXITED(end) && WEXITSTATUS(end) == 0);
	assert_null(scene_open(scene, 0, &err));
	assert_non_null(strstr(err.text, "in use by another daemon"));
	assert_int_equal(put(scene, 1, 10, HOUR), STORE_OK);
	flush(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_url_says_what_is_wrong),
	    LMDB(a_file_takes_more_when_it_may),
	    LMDB(a_full_file_goes_on_with_the_keys_it_has),
	    cmocka_unit_test_setup_teardown(full_memory_goes_on_with_the_keys_it_has, open_memory, close_scene),
	    LMDB(what_expired_leaves_the_file),
	    LMDB(a_record_that_came_to_live_longer_stays),
	    LMDB(time_goes_on_after_a_restart),
	    LMDB(what_is_dropped_from_memory_is_in_the_file),
	    LMDB(reading_all_sums_has_little_of_the_file_in_memory),
	    LMDB(a_file_has_one_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
