/*
 * test_history.c - what is added to the history is found again and counted; addresses are hidden, and erased.
 */
#include "history_scene.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
