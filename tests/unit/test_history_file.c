/*
 * test_history_file.c - the file of the history stays below its bound, and a file that cannot be used costs records
 * alone.
 */
#include "history_scene.h"

static void the_file_stays_below_its_bound_and_keeps_the_newest(void **state)
{
	static char line[4000];
	struct history *history = open_as(HISTORY_PLAIN, HISTORY_AT_MOST_MIN);
	struct history_counters counters = {0};
	struct stat info;
	uint64_t lost;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	for (unsigned i = 0; i < 12000; i++) { /* 48 MB */
		int n = snprintf(line, sizeof(line), "%08u", i);

		line[n] = 'x';
		add(history, line, "a@example.net", "b@example.org", NOW + i);
		for (int k = 0; i % 500 == 499 && counters.written + 600 < i && k < 3000; k++) {
			usleep(10000);
			history_counters(history, &counters);
		}
	}
	history_close(history);
	assert_int_equal(stat(path, &info), 0);
	assert_true((uint64_t)info.st_size <= HISTORY_AT_MOST_MIN);
	assert_true(all(&lost) > 1000);
	assert_int_equal(lost, 0);
	line[8] = 'x';
	assert_int_equal(find(HISTORY_CASE, line, 0).count, 1);
	memcpy(line, "00000000", 8);
	assert_int_equal(find(HISTORY_CASE, line, 0).count, 0);
}

/* A queue that is full of long records is more than the file may hold: it is written piece by piece. */
static void more_than_the_bound_at_once_loses_no_history(void **state)
{
	static char line[16000];
	struct history *history = open_as(HISTORY_PLAIN, HISTORY_AT_MOST_MIN);
	struct history_counters counters = {0};
	struct stat info;
	sqlite3 *db;
	uint64_t lost;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK); /* the writer waits */
	for (unsigned i = 0; i < 1000; i++)                                                 /* 16 MB */
		add(history, line, "a@example.net", "b@example.org", NOW + i);
	sqlite3_close(db);
	for (int k = 0; counters.written + counters.lost < 1000 && k < 3000; k++) {
		usleep(10000);
		history_counters(history, &counters);
	}
	assert_int_equal(counters.failures, 0);
	assert_int_equal(counters.lost, 0);
	history_close(history);
	assert_int_equal(stat(path, &info), 0);
	assert_true((uint64_t)info.st_size <= HISTORY_AT_MOST_MIN);
	assert_true(all(&lost) > 300);
}

/* Of each step, names that strangers choose are counted; here they are more than the file may hold. */
static void counted_names_never_fill_the_file_for_good(void **state)
{
	enum { NAMES = 200, STEPS = 500, EVERY = 20 };
	static char names[NAMES][300];
	static struct history_counted counted[NAMES];
	struct history *history = open_as(HISTORY_PLAIN, HISTORY_AT_MOST_MIN);
	struct history_counters counters = {0};
	char line[16];

	(void)state;
	for (unsigned i = 0; i < STEPS; i++) { /* 30 MB */
		const struct history_found found = {HISTORY_CASE, slice_of(line)};

		snprintf(line, sizeof(line), "case-%u", i);
		for (unsigned n = 0; n < NAMES; n++) {
			snprintf(names[n], sizeof(names[n]), "%0290u@x", i * NAMES + n);
			counted[n] = (struct history_counted){HISTORY_COUNT_REFUSED, slice_of(names[n])};
		}
		history_add(history, &(struct history_entry){NOW + i * HISTORY_STEP_US, slice_of(line), &found, 1,
							     counted, NAMES});
		for (int k = 0; i % EVERY == EVERY - 1 && counters.written + EVERY < i && k < 3000; k++) {
			usleep(10000);
			history_counters(history, &counters);
		}
		if (counters.failures)
			break;
	}
	history_close(history);
	assert_int_equal(counters.failures, 0);
	assert_int_equal(find(HISTORY_CASE, line, 0).count, 1);
}

static void wait_for_trouble(struct history *history, const char *part)
{
	struct error line = {""};

	for (int i = 0; i < 3000 && !history_report(history, clock_us() + i * INT64_C(61000000), &line); i++)
		usleep(20000);
	if (!strstr(line.text, part))
		fail_msg("expected %s, got %s", part, line.text);
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void a_file_of_another_program_is_left_alone(void **state)
{
	struct history *history;
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE theirs(x); INSERT INTO theirs VALUES(1)", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	history = open_as(HISTORY_PLAIN, 64 << 20);
	wait_for_trouble(history, "is not a history of sekisho");
	history_close(history);
	assert_null(history_reader_open(path, &err));
	assert_non_null(strstr(err.text, "is not a history of sekisho"));
}

static void a_file_that_does_not_exist_is_not_made_by_a_reader(void **state)
{
	(void)state;
	assert_null(history_reader_open(path, &err));
	assert_non_null(strstr(err.text, "does not exist: a daemon that is started with `history` makes it"));
	assert_int_not_equal(access(path, F_OK), 0);
}

static void a_file_of_a_newer_version_is_left_alone(void **state)
{
	struct history *history = open_as(HISTORY_PLAIN, 64 << 20);
	sqlite3 *db;

	(void)state;
	add(history, "one", "a@example.net", "b@example.org", NOW);
	history_close(history);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=2", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	history = open_as(HISTORY_PLAIN, 64 << 20);
	wait_for_trouble(history, "was written by a newer sekisho (its form is 2, ours 1)");
	history_close(history);
}

static void two_daemons_do_not_write_one_file(void **state)
{
	struct history *first = open_as(HISTORY_PLAIN, 64 << 20), *second = open_as(HISTORY_PLAIN, 64 << 20);

	(void)state;
	wait_for_trouble(second, "is written by another daemon");
	history_close(second);
	add(first, "one", "a@example.net", "b@example.org", NOW);
	history_close(first);
	assert_int_equal(find(HISTORY_CASE, "one", 0).count, 1);
}

static void a_file_that_is_no_database_is_put_aside_by_nobody(void **state)
{
	struct history *history;

	(void)state;
	write_file(
	    "this is not a database, and it is longer than the header of one would be, which has a hundred bytes...");
	history = open_as(HISTORY_PLAIN, 64 << 20);
	wait_for_trouble(history, "not a database");
	history_close(history);
	assert_int_equal(access(path, R_OK), 0);
}

/* Three pages with records become junk, from the first one after the middle of the file on: which pages have records
 * and which have hashes depends on how many records came into a batch. */
static void damage_records(void)
{
	static const char junk[3 * 4096] = {0};
	int fd = open(path, O_RDWR);
	char page[4096];
	struct stat info;
	off_t at;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &info), 0);
	for (at = info.st_size / 2 / 4096 * 4096;; at += 4096) {
		assert_int_equal(pread(fd, page, sizeof(page), at), sizeof(page));
		if (memmem(page, sizeof(page), "yyyyyyyy", 8))
			break;
	}
	assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
	close(fd);
}

/* Records on damaged pages are missing, all others are read, and the loss is told. */
static void what_can_be_read_of_a_damaged_file_is_read(void **state)
{
	struct history *history = open_as(HISTORY_PLAIN, 64 << 20);
	char line[400];
	uint64_t lost = 0;
	size_t count;

	(void)state;
	memset(line, 'y', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (unsigned i = 0; i < 5000; i++)
		add(history, line, "a@example.net", "b@example.org", NOW + i);
	history_close(history);
	damage_records();
	count = all(&lost);
	assert_true(lost > 0);
	assert_true(count > 3000 && count + lost >= 5000);
}

static void a_full_queue_loses_records_and_counts_them(void **state)
{
	static char line[HISTORY_LINE_MAX + 2];
	struct history *history = open_as(HISTORY_PLAIN, 64 << 20);
	struct history_counters counters;

	(void)state;
	memset(line, 'z', sizeof(line) - 1);
	add(history, line, "a@example.net", "b@example.org", NOW); /* too long */
	history_counters(history, &counters);
	assert_int_equal(counters.lost, 1);
	wait_for_trouble(history, "1 records were lost");
	history_close(history);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
	const struct CMUnitTest tests[] = {
	    TEST(the_file_stays_below_its_bound_and_keeps_the_newest),
	    TEST(more_than_the_bound_at_once_loses_no_history),
	    TEST(counted_names_never_fill_the_file_for_good),
	    TEST(a_file_of_another_program_is_left_alone),
	    TEST(a_file_that_does_not_exist_is_not_made_by_a_reader),
	    TEST(a_file_of_a_newer_version_is_left_alone),
	    TEST(two_daemons_do_not_write_one_file),
	    TEST(a_file_that_is_no_database_is_put_aside_by_nobody),
	    TEST(what_can_be_read_of_a_damaged_file_is_read),
	    TEST(a_full_queue_loses_records_and_counts_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
