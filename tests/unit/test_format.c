/*
 * test_format.c - `sekisho fmt`: the layout of each thing, and for generated policies that the grammar gets the same
 * tokens of both texts, that every comment is kept, and that a second time changes nothing.
 */
#include "config.h"
#include "policy_text.h"
#include "grammar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define POLICIES 400

static char *format_text(const char *text)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct arena *arena = arena_new();
	struct slice before, after;
	char *result = NULL;

	write_text("t", text);
	if (policy_format("t", arena, diagnostics, &before, &after) == 0)
		result = xstrdup(arena_cstring(arena, after));
	else
		assert_true(diagnostics_errors(diagnostics) > 0);
	arena_free(arena);
	diagnostics_free(diagnostics);
	return result;
}

/* ---- the layout ------------------------------------------------------------------------------ */

static const struct {
	const char *before, *after;
} layouts[] = {
    {"", ""},
    {"\n\n", ""},
    {"# only\n\n\n  # comments", "# only\n\n# comments\n"},
    {"  mode\t report", "mode report\n"},
    {"mode report # why\n", "mode report  # why\n"},
    {"\n\nmode report\n\n\n\ndrain 3s\n\n", "mode report\n\ndrain 3s\n"},
    {"mode report\r\ndrain 3s\r\n", "mode report\ndrain 3s\n"},
    {"trusted {1.2.3.4   ::1}", "trusted { 1.2.3.4 ::1 }\n"},
    {"trusted { 1.2.3.4 # a\n\n\n# b\n::1 }", "trusted {\n  1.2.3.4  # a\n\n  # b\n  ::1\n}\n"},
    {"resolver { timeout 3s\n cache 100 }", "resolver {\n  timeout 3s\n  cache 100\n}\n"},
    {"policy inbound { # all\n\n on mail { accept } }", "policy inbound {  # all\n  on mail {\n    accept\n  }\n}\n"},
    {"policy inbound {on mail {accept if size<5\ntry   defer if spf is{fail none}}}",
     "policy inbound {\n  on mail {\n    accept     if size < 5\n    try defer  if spf is { fail none }\n  }\n}\n"},
    {"policy inbound{on message{accept if header (Subject) is \"a  b\" and not ( dmarc is fail )\n}}",
     "policy inbound {\n  on message {\n    accept  if header(Subject) is \"a  b\" and not (dmarc is fail)\n  }\n}\n"},
    {"policy inbound{on message{accept\nif spf is fail\n# why\nand dmarc is fail # so\n# end\n}}",
     "policy inbound {\n  on message {\n    accept  if spf is fail\n    # why\n            and dmarc is fail  # so\n"
     "    # end\n  }\n}\n"},
    {"policy inbound{on message{accept # why\nif spf is fail and dmarc is fail\n}}",
     "policy inbound {\n  on message {\n    accept  # why\n            if spf is fail\n            and dmarc is fail\n"
     "  }\n}\n"},
    {"policy inbound { on message {\naccept if dmarc is fail\n"
     "log \"a text that is longer than what others are aligned to, by far\" if spf is fail\n}}",
     "policy inbound {\n  on message {\n    accept  if dmarc is fail\n"
     "    log \"a text that is longer than what others are aligned to, by far\"  if spf is fail\n  }\n}\n"},
    {"policy inbound { on message {\naccept if dmarc is fail and header(Subject) matches /one expression of words/i "
     "and "
     "(header(To) matches /another expression of words/ or not spf is { fail softfail })\n}}",
     "policy inbound {\n  on message {\n    accept  if dmarc is fail\n            and header(Subject) matches /one "
     "expression of words/i\n            and (header(To) matches /another expression of words/ or not spf is { fail "
     "softfail })\n  }\n}\n"},
};

static void each_thing_has_one_layout(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		char *after = format_text(layouts[i].before);

		assert_non_null(after);
		assert_string_equal(after, layouts[i].after);
		free(after);
	}
}

static void a_file_with_errors_has_no_layout(void **state)
{
	static const char *const wrong[] = {"policy inbound {",
					    "policy inbound { on mail { accept if } }",
					    "log \"unclosed\n",
					    "trusted { 1.2.3.4",
					    "}",
					    "mode report if spf is fail and\n on mail {"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_null(format_text(wrong[i]));
}

/* ---- generated policies ------------------------------------------------------------------------ */

static unsigned seed;

static unsigned pick(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* Between two words; inside of brackets lines may end. */
static void make_gap(FILE *out, bool in_brackets)
{
	static const char *const blanks[] = {" ", "  ", "\t", "   \t "};

	fputs(blanks[pick(4)], out);
	if (in_brackets && pick(6) == 0)
		fprintf(out, "%s\n%s%s", pick(2) ? "# c (here) { \"" : "", pick(3) ? "" : "\n\n", blanks[pick(4)]);
}

static void make_values(FILE *out, const char *const *words, unsigned count, unsigned most)
{
	fputc('{', out);
	for (unsigned i = 0, n = 1 + pick(most); i < n; i++) {
		make_gap(out, true);
		fputs(words[pick(count)], out);
	}
	make_gap(out, true);
	fputs("}", out);
}

static void make_condition(FILE *out, unsigned depth, bool in_brackets)
{
	static const char *const tests[] = {"spf is fail",
					    "not from.valid",
					    "header(Subject) matches /a # \\/ \" { ( b/i",
					    "header (\"X-A\") is \"# no comment }\"",
					    "size>10k",
					    "size <= 5",
					    "client in friends",
					    "sender owned by auth.user",
					    "any recipient in friends",
					    "dmarc is not none"};
	static const char *const words[] = {"fail", "none", "softfail", "temperror"};

	for (unsigned i = 0, n = 1 + pick(4); i < n; i++) {
		if (i) {
			if (pick(3) == 0)
				fputs(pick(2) ? " # why\n" : "\n# or so\n\n", out);
			else
				make_gap(out, in_brackets);
			fputs(pick(2) ? "and" : "or", out);
			make_gap(out, in_brackets);
		}
		if (depth < 3 && pick(4) == 0) {
			fputs(pick(2) ? "(" : "not (", out);
			make_condition(out, depth + 1, true);
			fputs(")", out);
		} else if (pick(5) == 0) {
			fputs("spf is ", out);
			make_values(out, words, 4, 25);
		} else {
			fputs(tests[pick(sizeof(tests) / sizeof(tests[0]))], out);
		}
	}
}

static void make_rule(FILE *out)
{
	static const char *const actions[] = {
	    "accept",
	    "reject 550 5.7.1 \"%{header(\"X\")} (not) #\" \"two\"",
	    "try defer",
	    "quarantine \"why\"",
	    "add-header X-A \"a value that is so long that nothing can be beside it\"",
	    "log \"\\\"quoted\\\" and {\""};

	fputs(actions[pick(6)], out);
	if (pick(4)) {
		fputs(pick(3) ? " " : "\n   ", out);
		fputs("if ", out);
		make_condition(out, 0, false);
	}
	fputs(pick(4) ? "\n" : " # a rule\n\n\n", out);
	if (pick(4) == 0)
		fputs("\t# in between\n", out);
}

static void make_setting(FILE *out)
{
	static const char *const plain[] = {"mode   report", "drain 3s#4", "authserv-id \"mx.example.org\" # name",
					    "log\tfile:/a#b"};
	static const char *const words[] = {"192.0.2.1", "::1", "if", "\"a b\"", "and", "matches"};

	if (pick(2)) {
		fputs(plain[pick(4)], out);
	} else {
		fputs("trusted ", out);
		make_values(out, words, 6, 10);
	}
	fputs(pick(3) ? "\n" : "\n\n\n# next\n", out);
}

static char *make_policy(unsigned number)
{
	static const char *const stages[] = {"on mail {", "on   message{ # all\n", "\n\non rcpt {\n\n"};
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	seed = number * 7919 + 1;
	for (unsigned i = 0, count = pick(4); i < count; i++)
		make_setting(out);
	for (unsigned i = 0, policies = 1 + pick(2); i < policies; i++) {
		fputs(pick(2) ? "policy inbound {" : "policy  submission\t{\n# first\n", out);
		for (unsigned j = 0, count = 1 + pick(3); j < count; j++) {
			fputs(stages[pick(3)], out);
			for (unsigned k = 0, rules = pick(6); k < rules; k++)
				make_rule(out);
			fputs(pick(2) ? "}\n" : "} # end\n", out);
		}
		fputs("}\n", out);
	}
	fclose(out);
	return text;
}

struct token_log {
	char *text;
	size_t n;
	FILE *out;
};

static void tell_token(void *context, int token, struct slice text)
{
	struct token_log *told = context;
	bool end = token == END || token == END_OF_FILE;

	fprintf(told->out, "%d %.*s\n", token, end ? 0 : (int)text.n, end ? "" : text.p);
}

/* What the grammar gets of a text, and nothing else is there from which it could make another policy. END has the text
 * of what ended the statement: that is left out. */
static char *tokens_of(const char *text)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct arena *arena = arena_new();
	struct token_log told = {0};
	struct file_syntax file = {.token = tell_token, .context = &told};
	unsigned number = diagnostics_source(diagnostics, "t");

	told.out = open_memstream(&told.text, &told.n);
	syntax_read_more(slice_of(text), number, arena, diagnostics, &file);
	fclose(told.out);
	if (diagnostics_errors(diagnostics))
		print_message("%s\n%s\n", text, diagnostics_line(diagnostics, 0));
	assert_int_equal(diagnostics_errors(diagnostics), 0);
	arena_free(arena);
	diagnostics_free(diagnostics);
	return told.text;
}

static unsigned count_of(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

static void check_policy(const char *text)
{
	static const char *const comments[] = {"# c (here) { \"\n", "# why\n",  "# or so\n", "# a rule\n",
					       "# in between\n",    "# name\n", "# next\n",  "# all\n",
					       "# first\n",         "# end\n"};
	char *once = format_text(text), *twice, *before, *after;

	assert_non_null(once);
	twice = format_text(once);
	assert_non_null(twice);
	assert_string_equal(once, twice);
	before = tokens_of(text);
	after = tokens_of(once);
	assert_string_equal(before, after);
	for (size_t i = 0; i < sizeof(comments) / sizeof(comments[0]); i++)
		assert_int_equal(count_of(text, comments[i]), count_of(once, comments[i]));
	free(once);
	free(twice);
	free(before);
	free(after);
}

static void generated_policies_keep_tokens_and_comments(void **state)
{
	(void)state;
	for (unsigned i = 0; i < POLICIES; i++) {
		char *text = make_policy(i);

		check_policy(text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_thing_has_one_layout),
	    cmocka_unit_test(a_file_with_errors_has_no_layout),
	    cmocka_unit_test(generated_policies_keep_tokens_and_comments),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
