/*
 * A reply of the policy reaches the MTA whole, in a form that neither MTA misreads.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "milter.h"
#include <string.h>

static void texts_are_written_for_mtas(void **state)
{
	static const struct {
		struct slice text;
		const char *written;
	} cases[] = {
	    {SLICE("No"), "No"},
	    {SLICE("100% sure"), "100%% sure"},
	    {SLICE("%s%n%%"), "%%s%%n%%%%"},
	    {SLICE("a\r\nb"), "a??b"},
	    {SLICE("nul\0here"), "nul?here"},
	    {SLICE("gr\xc3\xbc\xc3\x9f"), "gr????"},
	    {SLICE("\x7f\t"), "??"},
	    {SLICE(""), ""},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reply reply = {550, SLICE("5.7.1"), {cases[i].text}, 1};
		struct reply_text text;

		reply_write(&reply, arena, &text);
		assert_string_equal(text.code, "550");
		assert_string_equal(text.enhanced, "5.7.1");
		assert_int_equal(text.count, 1);
		assert_string_equal(text.lines[0], cases[i].written);
	}
	arena_free(arena);
}

static void a_code_that_does_not_refuse_becomes_a_temporary_one(void **state)
{
	static const struct {
		unsigned code;
		const char *written;
	} cases[] = {{421, "421"}, {450, "450"}, {599, "599"}, {0, "451"},
		     {250, "451"}, {399, "451"}, {600, "451"}, {4294967295u, "451"}};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reply reply = {cases[i].code, SLICE(""), {SLICE("x")}, 1};
		struct reply_text text;

		reply_write(&reply, arena, &text);
		assert_string_equal(text.code, cases[i].written);
		assert_string_equal(text.enhanced, "");
	}
	arena_free(arena);
}

static void a_long_line_of_percent_signs_stays_within_what_libmilter_takes(void **state)
{
	static char line[REPLY_LINE_MAX * 4];
	struct reply reply = {550, SLICE("5.7.1"), {{line, sizeof(line)}}, 1};
	struct arena *arena = arena_new();
	struct reply_text text;

	(void)state;
	memset(line, '%', sizeof(line));
	reply_write(&reply, arena, &text);
	assert_int_equal(strlen(text.lines[0]), 2 * REPLY_LINE_MAX);
	arena_free(arena);
}

static void no_more_lines_are_written_than_libmilter_takes(void **state)
{
	struct reply reply = {550, SLICE("5.7.1"), {SLICE("")}, REPLY_LINES_MAX + 5};
	struct arena *arena = arena_new();
	struct reply_text text;

	(void)state;
	for (size_t i = 0; i < REPLY_LINES_MAX; i++)
		reply.lines[i] = SLICE("line");
	reply_write(&reply, arena, &text);
	assert_int_equal(text.count, REPLY_LINES_MAX);
	assert_non_null(text.lines[REPLY_LINES_MAX - 1]);
	assert_null(text.lines[REPLY_LINES_MAX]);
	arena_free(arena);
}

static void a_reply_without_text_still_says_something(void **state)
{
	struct reply reply = {554, SLICE("5.7.1"), {SLICE("")}, 0};
	struct arena *arena = arena_new();
	struct reply_text text;

	(void)state;
	reply_write(&reply, arena, &text);
	assert_int_equal(text.count, 1);
	assert_true(strlen(text.lines[0]) > 0);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_written_for_mtas),
	    cmocka_unit_test(a_code_that_does_not_refuse_becomes_a_temporary_one),
	    cmocka_unit_test(a_long_line_of_percent_signs_stays_within_what_libmilter_takes),
	    cmocka_unit_test(no_more_lines_are_written_than_libmilter_takes),
	    cmocka_unit_test(a_reply_without_text_still_says_something),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
