/*
 * test_policy_bounds.c - the bounds of a policy file, files that are not text, and how a message shows the line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_text.h"

#define NESTING 100

static char *repeated(const char *head, const char *part, size_t count, const char *tail)
{
	char *text = calloc(1, strlen(head) + count * strlen(part) + strlen(tail) + 1), *end = text;

	end = stpcpy(end, head);
	for (size_t i = 0; i < count; i++)
		end = stpcpy(end, part);
	strcpy(end, tail);
	return text;
}

static void nesting_is_bounded(void **state)
{
	char *opens, *closes, *text = NULL, *messages;

	(void)state;
	for (size_t depth = NESTING; depth < 200000; depth = depth == NESTING ? NESTING + 1 : depth * 40) {
		opens = repeated("policy inbound {\n on mail {\nreject if ", "(", depth, "auth");
		closes = repeated("", ")", depth, "\n }\n}\n");
		assert_true(asprintf(&text, "%s%s", opens, closes) > 0);
		policy_release(load_text(text, NULL, &messages));
		if (depth == NESTING)
			assert_string_equal(messages, "");
		else
			assert_non_null(strstr(messages, "nested more than 100 deep; make several rules of this one"));
		free(messages);
		free(text);
		free(opens);
		free(closes);
	}
	text = repeated("policy inbound {\n on mail {\nreject if ", "not ", 100000, "auth\n }\n}\n");
	assert_null(load_text(text, NULL, &messages));
	assert_string_equal(
	    messages, "t:3:411: parentheses and \"not\" nested more than 100 deep; make several rules of this one");
	free(messages);
	free(text);
	/* both together */
	text = repeated("policy inbound {\n on mail {\nreject if ", "not (not not not ", 1000, "auth\n }\n}\n");
	assert_null(load_text(text, NULL, &messages));
	assert_string_equal(
	    messages, "t:3:351: parentheses and \"not\" nested more than 100 deep; make several rules of this one");
	free(messages);
	free(text);
}

static void a_chain_is_bounded_and_not_deep(void **state)
{
	char *text = repeated("policy inbound {\n on mail {\nreject if auth", " or tls", 4000, "\n }\n}\n"), *messages;

	(void)state;
	policy_release(load_text(text, NULL, &messages));
	assert_string_equal(messages, "");
	free(messages);
	free(text);
	text = repeated("policy inbound {\n on mail {\nreject if auth", " or tls", 5000, "\n }\n}\n");
	assert_null(load_text(text, NULL, &messages));
	assert_string_equal(messages,
			    "t:3:1: this condition has more than 4096 parts; put the values into a list, or make "
			    "several rules");
	free(messages);
	free(text);
}

static void errors_are_counted_to_a_hundred(void **state)
{
	char *text = repeated("", "nonsense\n", 5000, ""), *messages;
	struct diagnostics *diagnostics = diagnostics_new();

	(void)state;
	assert_null(load_text(text, NULL, &messages));
	assert_non_null(strstr(messages, "\nand perhaps more errors; fix these first, then check again"));
	free(messages);
	free(text);
	text = repeated("", "reject if (\n", 100000 / 12, "");
	write_text("t", text);
	assert_null(policy_load("t", NULL, diagnostics));
	assert_true(diagnostics_errors(diagnostics) <= 100);
	diagnostics_free(diagnostics);
	free(text);
}

static void a_file_that_is_not_text_is_refused_at_once(void **state)
{
	struct diagnostics *diagnostics = diagnostics_new();
	char *large = repeated("", "# comment\n", 110000, "");

	(void)state;
	write_file("t", "mode report\n\0\n", 14);
	assert_null(policy_load("t", NULL, diagnostics));
	assert_string_equal(diagnostics_line(diagnostics, 0),
			    "t: byte 13 is NUL, so this is not a text file; name the policy file");
	diagnostics_free(diagnostics);

	diagnostics = diagnostics_new();
	write_file("t", "\xFF\xFEm\0o\0d\0e\0", 10);
	assert_null(policy_load("t", NULL, diagnostics));
	assert_string_equal(diagnostics_line(diagnostics, 0), "t: this file is UTF-16; save it as UTF-8");
	diagnostics_free(diagnostics);

	diagnostics = diagnostics_new();
	write_text("t", large);
	assert_null(policy_load("t", NULL, diagnostics));
	assert_non_null(strstr(diagnostics_line(diagnostics, 0), "larger than the limit of 1048576 bytes"));
	diagnostics_free(diagnostics);
	free(large);

	diagnostics = diagnostics_new();
	assert_null(policy_load("/nowhere/at/all", NULL, diagnostics));
	assert_string_equal(diagnostics_line(diagnostics, 0),
			    "/nowhere/at/all: cannot open /nowhere/at/all: No such file or "
			    "directory; name a policy file that we may read");
	diagnostics_free(diagnostics);
}

static void random_bytes_give_errors_and_nothing_else(void **state)
{
	static const char alphabet[] = " \n{}()\"#/ifonmailpolicyreject%=<>\\";
	unsigned char bytes[20000];
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct diagnostics *diagnostics = diagnostics_new();
		char *text;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = round % 2 ? (unsigned char)alphabet[(seed >> 16) % strlen(alphabet)]
					     : (unsigned char)(1 + (seed >> 16) % 255);
		}
		write_file("t", bytes, sizeof(bytes));
		assert_null(policy_load("t", NULL, diagnostics));
		assert_true(diagnostics_errors(diagnostics) > 0 && diagnostics_errors(diagnostics) <= 100);
		text = diagnostics_print(diagnostics);
		assert_true(strlen(text) < 200 * 1000);
		free(text);
		diagnostics_free(diagnostics);
	}
}

static void the_line_is_shown_with_a_caret_below_the_place(void **state)
{
	struct diagnostics *diagnostics = diagnostics_new();
	char *text;

	(void)state;
	write_text("t",
		   "policy inbound {\n\ton mail {\n\t\treject \"\xC3\xA9\" if x\n\t\tlog \"\xC3\xA9\"\tif y\n }\n}\n");
	assert_null(policy_load("t", NULL, diagnostics));
	text = diagnostics_print(diagnostics);
	assert_string_equal(text, "t:3:10: a reply is plain ASCII (RFC 5321 4.2); write it in such letters\n"
				  "\t\t\treject \"\xC3\xA9\" if x\n"
				  "\t\t\t       ^\n"
				  "t:4:15: unknown fact \"y\"; sekisho.conf(5) names them all\n"
				  "\t\t\tlog \"\xC3\xA9\"\tif y\n"
				  "\t\t\t       \t   ^\n");
	free(text);
	diagnostics_free(diagnostics);
}

static void a_long_line_is_shown_around_the_place(void **state)
{
	char *text = repeated("mode ", "x", 100000, " y\n");
	struct diagnostics *diagnostics = diagnostics_new();

	(void)state;
	write_text("t", text);
	free(text);
	assert_null(policy_load("t", NULL, diagnostics));
	text = diagnostics_print(diagnostics);
	assert_true(strlen(text) < 600);
	assert_non_null(strstr(text, "t:1:100007: "));
	assert_non_null(strstr(text, "x y\n"));
	free(text);
	diagnostics_free(diagnostics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nesting_is_bounded),
	    cmocka_unit_test(a_chain_is_bounded_and_not_deep),
	    cmocka_unit_test(errors_are_counted_to_a_hundred),
	    cmocka_unit_test(a_file_that_is_not_text_is_refused_at_once),
	    cmocka_unit_test(random_bytes_give_errors_and_nothing_else),
	    cmocka_unit_test(the_line_is_shown_with_a_caret_below_the_place),
	    cmocka_unit_test(a_long_line_is_shown_around_the_place),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
