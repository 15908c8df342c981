/*
 * The history: what is added is found again, addresses are hidden, the file stays below its bound, and a file that
 * cannot be used costs records alone.
 */
#include "assert_slice.h"
#include "history.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#define NOW (INT64_C(1790000000) * 1000 * 1000)

static char directory[64], path[96];
static struct error err;

static int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/sekisho-history-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/h.db", directory);
	return 0;
}

static int remove_directory(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static struct history *open_as(enum history_addresses addresses, uint64_t at_most)
{
	struct history *history =
	    history_open(&(struct history_settings){path, 3650 * HISTORY_DAY_US, at_most, addresses}, &err);

	if (!history)
		fail_msg("%s", err.text);
	return history;
}

static void add(struct history *history, const char *line, const char *sender, const char *recipient, int64_t time_us)
{
	const struct history_found found[] = {{HISTORY_CASE, slice_of(line)},
					      {HISTORY_SENDER, slice_of(sender)},
					      {HISTORY_RECIPIENT, slice_of(recipient)}};
	const struct history_counted counted[] = {{HISTORY_COUNT_VERDICT, SLICE("accept")},
						  {HISTORY_COUNT_REFUSED, slice_of(sender)}};

	history_add(history, &(struct history_entry){time_us, slice_of(line), found, 3, counted, 2});
}

struct lines {
	char text[512];
	size_t count, enough;
};

static bool take(void *context, const struct history_row *row)
{
	struct lines *lines = context;
	size_t n = strlen(lines->text);

	if (n + row->line.n + 2 < sizeof(lines->text))
		snprintf(lines->text + n, sizeof(lines->text) - n, "%.*s ", SLICE_ARGS(row->line));
	return ++lines->count != lines->enough;
}

static struct history_reader *read_it(void)
{
	struct history_reader *reader = history_reader_open(path, &err);

	if (!reader)
		fail_msg("%s", err.text);
	return reader;
}

static struct lines find(enum history_term term, const char *text, int64_t since)
{
	struct history_reader *reader = read_it();
	struct lines lines = {.count = 0};

	assert_int_equal(history_find(reader, &(struct history_found){term, slice_of(text)}, since, take, &lines, &err),
			 0);
	history_reader_close(reader);
	return lines;
}

static size_t all(uint64_t *lost_r)
{
	struct history_reader *reader = read_it();
	struct lines lines = {.count = 0};

	history_each(reader, 0, take, &lines, lost_r);
	history_reader_close(reader);
	return lines.count;
}

/* ---- finding --------------------------------------------------------------------------------------- */

static void what_was_added_is_found_newest_first(void **state)
{
	struct history *history = open_as(HISTORY_PLAIN, 64 << 20);

	(void)state;
	add(history, "one", "A@example.net", "b@example.org", NOW);
	add(history, "two", "a@example.net", "c@example.org", NOW + 10);
	history_close(history);
	assert_string_equal(find(HISTORY_SENDER, "a@EXAMPLE.net", 0).text, "two one ");
	assert_string_equal(find(HISTORY_SENDER, "a@example.net", NOW + 5).text, "two ");
	assert_string_equal(find(HISTORY_RECIPIENT, "b@example.org", 0).text, "one ");
	assert_string_equal(find(HISTORY_CASE, "two", 0).text, "two ");
	assert_int_equal(find(HISTORY_RECIPIENT, "a@example.net", 0).count, 0);
	assert_int_equal(find(HISTORY_QUEUE_ID, "two", 0).count, 0);
	assert_int_equal(find(HISTORY_CASE, "' OR 1=1; --", 0).count, 0);
}

static void take_count(void *context, int64_t step_us, enum history_count kind, struct slice name, uint64_t count)
{
	uint64_t *counts = context;

	(void)step_us;
	(void)name;
	counts[kind] += count;
}

static void what_was_counted_is_added_up_and_bounded(void **state)
{
	struct history *history = open_as(HISTORY_PLAIN, 64 << 20);
	uint64_t counts[HISTORY_COUNT_KINDS] = {0};
	struct history_reader *reader;
	sqlite3 *db;
	sqlite3_stmt *statement;
	char sender[32];

	(void)state;
	for (int i = 0; i < 3 * HISTORY_NAMES_MAX; i++) {
		snprintf(sender, sizeof(sender), "s%d@example.net", i);
		add(history, "x", sender, "b@example.org", NOW);
	}
	history_close(history);
	reader = read_it();
	assert_int_equal(history_counts(reader, ~0u, 0, INT64_MAX, take_count, counts, &err), 0);
	history_reader_close(reader);
	assert_int_equal(counts[HISTORY_COUNT_VERDICT], 3 * HISTORY_NAMES_MAX);
	assert_int_equal(counts[HISTORY_COUNT_REFUSED], 3 * HISTORY_NAMES_MAX);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM count", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(statement, 0), 1 + HISTORY_NAMES_MAX + 1);
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

/* ---- addresses ------------------------------------------------------------------------------------------ */

static void addresses_are_hidden_wherever_they_are(void **state)
{
	static const char *const texts[] = {"alice@example.org",
					    "<alice@example.org>: no",
					    "a=alice@example.org,bob@example.net;",
					    "\"a lice\"@example.org said",
					    "x @ y",
					    "alice@[192.0.2.1]",
					    "mailto:alice@example.org",
					    "alice+tag@EXAMPLE.org..."};
	struct history *history = open_as(HISTORY_HASHED, 64 << 20);
	struct arena *arena = arena_new();
	struct slice once = history_hide(history, SLICE("Alice@example.org"), arena);

	(void)state;
	assert_true(slice_equal(once, history_hide(history, SLICE("alice@EXAMPLE.org"), arena)) == false);
	assert_true(slice_equal_nocase(once, history_hide(history, SLICE("alice@EXAMPLE.org"), arena)));
	assert_true(slice_ends_nocase(once, SLICE("@example.org")));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *hidden = arena_cstring(arena, history_hide_within(history, slice_of(texts[i]), arena));

		if (strstr(hidden, "alice") || strstr(hidden, "a lice") || strstr(hidden, "bob"))
			fail_msg("%s became %s", texts[i], hidden);
	}
	assert_slice(history_hide_within(history, SLICE("x @ y"), arena), "x @ y");
	arena_free(arena);
	history_close(history);
}

static void a_hashed_address_is_found_by_who_knows_it_and_has_the_key(void **state)
{
	struct history *history = open_as(HISTORY_HASHED, 64 << 20);
	struct arena *arena = arena_new();
	const char *hidden = arena_cstring(arena, history_hide(history, SLICE("alice@example.org"), arena));
	char key[128];
	struct stat info;

	(void)state;
	add(history, "one", hidden, hidden, NOW);
	history_close(history);
	assert_int_equal(find(HISTORY_SENDER, "alice@example.org", 0).count, 1);
	snprintf(key, sizeof(key), "%s.key", path);
	assert_int_equal(stat(key, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(unlink(key), 0);
	assert_int_equal(find(HISTORY_SENDER, "alice@example.org", 0).count, 0);
	arena_free(arena);
}

static void a_key_that_others_can_read_is_refused(void **state)
{
	char key[128];

	(void)state;
	history_close(open_as(HISTORY_HASHED, 64 << 20));
	snprintf(key, sizeof(key), "%s.key", path);
	assert_int_equal(chmod(key, 0644), 0);
	assert_null(history_open(&(struct history_settings){path, HISTORY_DAY_US, 64 << 20, HISTORY_HASHED}, &err));
	assert_non_null(strstr(err.text, "only its owner can read"));
}

static void an_address_is_erased_with_what_was_counted_of_it(void **state)
{
	struct history *history = open_as(HISTORY_PLAIN, 64 << 20);
	uint64_t counts[HISTORY_COUNT_KINDS] = {0}, erased;
	struct history_reader *reader;
	char text[256];

	(void)state;
	add(history, "marker-one", "a@example.net", "b@example.org", NOW);
	add(history, "marker-two", "b@example.org", "c@example.org", NOW);
	add(history, "marker-three", "x@example.net", "y@example.org", NOW);
	history_close(history);
	assert_int_equal(history_erase(path, SLICE("B@example.org"), &erased, &err), 0);
	assert_int_equal(erased, 2);
	assert_int_equal(find(HISTORY_CASE, "marker-one", 0).count, 0);
	assert_int_equal(find(HISTORY_SENDER, "b@example.org", 0).count, 0);
	assert_int_equal(find(HISTORY_SENDER, "x@example.net", 0).count, 1);
	reader = read_it();
	history_counts(reader, ~0u, 0, INT64_MAX, take_count, counts, &err);
	history_reader_close(reader);
	assert_int_equal(counts[HISTORY_COUNT_REFUSED], 2);
	snprintf(text, sizeof(text), "grep -qa marker-one %s %s-wal 2>/dev/null", path, path);
	assert_int_not_equal(system(text), 0);
	snprintf(text, sizeof(text), "grep -qa marker-three %s", path);
	assert_int_equal(system(text), 0);
}

/* ---- the file --------------------------------------------------------------------------------------------- */

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

	for (int i = 0; i < 100 && !history_report(history, clock_us() + i * INT64_C(61000000), &line); i++)
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
	    TEST(what_was_added_is_found_newest_first),
	    TEST(what_was_counted_is_added_up_and_bounded),
	    TEST(addresses_are_hidden_wherever_they_are),
	    TEST(a_hashed_address_is_found_by_who_knows_it_and_has_the_key),
	    TEST(a_key_that_others_can_read_is_refused),
	    TEST(an_address_is_erased_with_what_was_counted_of_it),
	    TEST(the_file_stays_below_its_bound_and_keeps_the_newest),
	    TEST(more_than_the_bound_at_once_loses_no_history),
	    TEST(counted_names_never_fill_the_file_for_good),
	    TEST(a_file_of_another_program_is_left_alone),
	    TEST(a_file_of_a_newer_version_is_left_alone),
	    TEST(two_daemons_do_not_write_one_file),
	    TEST(a_file_that_is_no_database_is_put_aside_by_nobody),
	    TEST(what_can_be_read_of_a_damaged_file_is_read),
	    TEST(a_full_queue_loses_records_and_counts_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
