/*
 * test_base.c - the small modules of base: clock, hash, words, files.
 */
#include "assert_slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void time_is_printed_as_rfc_3339_says(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_slice(clock_print(0, arena), "1970-01-01T00:00:00.000Z");
	assert_slice(clock_print(1795281580123999, arena), "2026-11-21T17:19:40.123Z");
	assert_slice(clock_print(951782400000000, arena), "2000-02-29T00:00:00.000Z");
	assert_slice(clock_print(-1, arena), "1969-12-31T23:59:59.999Z");
	assert_slice(clock_print(253402300799999999, arena), "9999-12-31T23:59:59.999Z");
	assert_slice(clock_print(253402300800000000, arena), "");
	assert_slice(clock_print(INT64_MIN, arena), "");
	arena_free(arena);
}

static void the_monotonic_clock_does_not_go_back(void **state)
{
	int64_t before = clock_us();

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(clock_us() >= before);
	assert_true(clock_wall_us() > 1700000000LL * 1000000);
}

static void a_hash_depends_on_bytes_and_seed(void **state)
{
	(void)state;
	assert_true(hash_slice(SLICE("a"), 1) == hash_slice(SLICE("a"), 1));
	assert_true(hash_slice(SLICE("a"), 1) != hash_slice(SLICE("b"), 1));
	assert_true(hash_slice(SLICE("a"), 1) != hash_slice(SLICE("a"), 2));
	assert_true(hash_slice((struct slice){NULL, 0}, 1) == hash_slice(SLICE(""), 1));
	assert_true(random_seed() != random_seed());
}

static void the_word_that_was_meant_is_found(void **state)
{
	static const char *const words[] = {"pass",      "fail",      "softfail", "neutral", "none",
					    "temperror", "permerror", "mx",       NULL};
	static const struct {
		const char *wrong, *meant;
	} cases[] = {
	    {"fial", "fail"},
	    {"FIAL", "fail"},
	    {"pas", "pass"},
	    {"netural", "neutral"},
	    {"softfial", "softfail"},
	    {"temperorr", "temperror"},
	    {"tmperrorr", "temperror"},
	    {"pass", "pass"},
	    {"xm", "mx"},
	    {"piss", "pass"},
	    {"puff", NULL},
	    {"x", NULL},
	    {"", NULL},
	    {"neu", "neutral"}, /* not written to its end */
	    {"ne", NULL},
	    {"quarantine", NULL},
	};
	char long_word[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *found = nearest_word(slice_of(cases[i].wrong), words);

		assert_string_equal(found ? found : "-", cases[i].meant ? cases[i].meant : "-");
	}
	memset(long_word, 'p', sizeof(long_word));
	assert_null(nearest_word((struct slice){long_word, sizeof(long_word)}, words));
}

static void write_file(const char *path, size_t n)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (size_t i = 0; i < n; i++)
		fputc("\0ab\n"[i % 4], file);
	assert_int_equal(fclose(file), 0);
}

static void a_file_is_read_whole_or_not_at_all(void **state)
{
	static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 4097, 100000};
	char path[] = "/tmp/sekisho-test.XXXXXX";
	struct slice text;
	struct error err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		write_file(path, sizes[i]);
		assert_int_equal(file_read(path, sizes[i], &text, &err), 0);
		assert_int_equal(text.n, sizes[i]);
		for (size_t j = 0; j < text.n; j++)
			assert_int_equal(text.p[j], "\0ab\n"[j % 4]);
		assert_int_equal(text.p[text.n], '\0');
		free((char *)text.p);
		if (sizes[i] == 0)
			continue;
		assert_int_equal(file_read(path, sizes[i] - 1, &text, &err), -1);
		assert_non_null(strstr(err.text, path));
	}
	unlink(path);
	assert_int_equal(file_read(path, 100, &text, &err), -1);
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(file_read("/", 100, &text, &err), -1);
	assert_non_null(strstr(err.text, "directory"));
}

static void what_may_have_no_end_is_not_read_as_a_plain_file(void **state)
{
	char path[] = "/tmp/sekisho-base-XXXXXX";
	const struct {
		const char *path, *what;
	} cases[] = {
	    {path, "a named pipe"}, {"/", "a directory"}, {"/dev/zero", "a device"}, {"/none", "No such file"}};
	struct slice text;
	struct error err;

	(void)state;
	close(mkstemp(path));
	assert_int_equal(file_read_plain(path, 100, &text, &err), 0);
	free((char *)text.p);
	unlink(path);
	mkfifo(path, 0600);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(file_read_plain(cases[i].path, 100, &text, &err), -1);
		assert_non_null(strstr(err.text, cases[i].what));
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(time_is_printed_as_rfc_3339_says),
	    cmocka_unit_test(the_monotonic_clock_does_not_go_back),
	    cmocka_unit_test(a_hash_depends_on_bytes_and_seed),
	    cmocka_unit_test(the_word_that_was_meant_is_found),
	    cmocka_unit_test(a_file_is_read_whole_or_not_at_all),
	    cmocka_unit_test(what_may_have_no_end_is_not_read_as_a_plain_file),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
