/*
 * test_sign_fields.c - header fields that a mail server would rewrite are rewritten before they are signed.
 */
#include "../../filter/engine/gate_private.h"
#include "assert_slice.h"

static const struct {
	const char *name, *value, *rewritten;
} written[] = {
    {"To", " a@b,c@d", "a@b,\n c@d"},
    {"To", " a@b , c@d", "a@b,\n c@d"},
    {"Cc", "a@b,,c@d,", "a@b,\n c@d"},
    {"From", " \"A, B\" <a@b>,c@d", "\"A, B\" <a@b>,\n c@d"},
    {"To", " (a,b) c@d,(e (f,g)) h@i", "(a,b) c@d,\n (e (f,g)) h@i"},
    {"To", " \"\\\",\" <a@b>,c@d", "\"\\\",\" <a@b>,\n c@d"},
    {"To", " a@b, c@d", NULL},
    {"To", " a@b,\n\tc@d", NULL},
    {"To", " a@b,   c@d", NULL},
    {"To", " a@b", NULL},
    {"To", " \"a,b\" <c@d>", NULL},
    {"To", " \"open, a@b,c@d", NULL},
    {"To", " <a@b,c@d", NULL},
    {"To", "", NULL},
    {"To", " a@b\r\n\t,c@d", "a@b,\n c@d"},
    {"To", " a@b,c@d\nBcc: e@f", NULL},
    {"To", " a@b,\r\nBcc: e@f", NULL},
    {"To", " a@b,c@d\rBcc: e@f", NULL},
    {"Subject", " a,b", NULL},
    {"References", " <a>,<b>", NULL},
    {"From", " Pat O'Brien <a@b>", "\"Pat O'Brien\" <a@b>"},
    {"Errors-To", " J. Q.\r\n Public<a@b>", "\"J. Q. Public\"<a@b>"},
    {"Cc", " (x.y) Pat (a) O'B <a@b>", "(x.y) Pat (a) \"O'B\" <a@b>"},
    {"Cc", " a@b <a@b>", "\"a@b\" <a@b>"},
    {"Cc", " Bob) <a@b>", "\"Bob)\" <a@b>"},
    {"Cc", " a\\'b <a@b>", "\"a\\'b\" <a@b>"},
    {"Cc", " =?x?Q?a'b?= 'c' \"d\" <a@b>", "=?x?Q?a=27b?= \"'c'\" \"d\" <a@b>"},
    {"Cc", " =?x?B?YS5i?= c <a@b>", NULL},
    {"Cc", " =?x?B?a.b?= <a@b>", "\"=?x?B?a.b?=\" <a@b>"},
    {"Cc", " =?x?Q?a,b <c>?= <a@b>", NULL},
    {"Cc", " =?x?q?a=2Eb?= <a@b>", NULL},
    {"Cc", " <@r:a@b>, <@r, @s:c@d>", "<a@b>,\n <c@d>"},
    {"Cc", " a@b;c@d;", "a@b,\n c@d"},
    {"Cc", " x; y <a@b>", "\"x; y\" <a@b>"},
    {"Cc", " g:a@b,c@d;;e@f", "g:a@b,\n c@d;,\n e@f"},
    {"Cc", " g:;", NULL},
    {"Cc", " g.h: a@b ;", "\"g.h\": a@b;"},
    {"Cc", " < a@b. (x) > (y)", "<a@b> (x) (y)"},
    {"Cc", " a (x) @ b", "a@b (x)"},
    {"Cc", " (x)a@b(y)(z)", "(x) a@b (y) (z)"},
    {"Cc", " x: y:z <a@b>", "x: \"y:z\" <a@b>"},
    {"Cc", " a@[IPv6:::1], \"x:;,\"@b", NULL},
    {"Cc", " <>", NULL},
    {"Cc", " (nobody)", NULL},
};

static void fields_are_written_as_both_mail_servers_leave_them(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		struct slice value;
		const char *why;
		bool rewrites =
		    emit_rewrites(slice_of(written[i].name), slice_of(written[i].value), arena, &value, &why);

		assert_int_equal(rewrites, written[i].rewritten != NULL);
		if (rewrites)
			assert_slice(value, written[i].rewritten);
	}
	arena_free(arena);
}

static void what_only_sendmail_can_write_is_left_alone_and_named(void **state)
{
	static const struct {
		const char *value, *why; /* NULL: nothing is wrong */
	} cases[] = {
	    {"a@b", NULL},
	    {"bob, c@d", "without a domain"},
	    {"Bob <bob>", "without a domain"},
	    {"x!a", "without a domain"},
	    {"a@x.UUCP", "without a domain"},
	    {"a@Localhost", "without a domain"},
	    {"a@", "not well-formed"},
	    {"@b", "not well-formed"},
	    {"a b@c", "not well-formed"},
	    {"<a@b", "not well-formed"},
	    {"<<a@b>>", "not well-formed"},
	    {"a@b>", "not well-formed"},
	    {"a@b\\.", "not well-formed"},
	    {"(x); a@b", "not well-formed"},
	    {"<a@b>c", "not well-formed"},
	    {"c <a@b> \"d\"", "not well-formed"},
	    {"=?x?Q?a,b?=c@d", "not well-formed"},
	    {",", "not well-formed"},
	    {"\"a", "not well-formed"},
	    {"(a", "not well-formed"},
	    {"a\\", "not well-formed"},
	    {"g: h: a@b;", "not well-formed"},
	    {"<a@b> c <d@e>", "not well-formed"},
	};
	struct arena *arena = arena_new();
	char long_name[300];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice value;
		const char *why;

		assert_false(emit_rewrites(SLICE("Cc"), slice_of(cases[i].value), arena, &value, &why));
		assert_int_equal(why != NULL, cases[i].why != NULL);
		if (why)
			assert_non_null(strstr(why, cases[i].why));
	}
	for (size_t n = 250; n < 290; n++) { /* 255 octets with " <a@b>" */
		struct slice value;
		const char *why;

		memset(long_name, 'n', n);
		memcpy(long_name + n, " <a@b>", 7);
		assert_false(emit_rewrites(SLICE("Cc"), slice_of(long_name), arena, &value, &why));
		assert_int_equal(why != NULL, n + 6 > 255);
	}
	arena_free(arena);
}

/* What was written is left alone when it comes back, whatever it was made of. */
static void written_fields_are_not_written_again(void **state)
{
	static const char *const pieces[] = {"a",        "O'B", "=?utf-8?Q?x.y?=",
					     "\"q, r\"", "(c)", "<a@b>",
					     "<@r:a@b>", "a@b", ",",
					     ";",        ":",   " ",
					     "\n ",      ".",   "@",
					     "[1]",      "\\x", ")"};
	const size_t count = sizeof(pieces) / sizeof(pieces[0]);
	unsigned random = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct arena *arena = arena_new();
		struct slice once, twice;
		struct text text;
		const char *why;

		text_init(&text, arena, 1000);
		for (unsigned left = 1 + (random >> 16) % 8; left > 0; left--) {
			random = random * 1103515245 + 12345;
			text_add(&text, slice_of(pieces[(random >> 16) % count]));
		}
		if (emit_rewrites(SLICE("Cc"), text_slice(&text), arena, &once, &why)) {
			bool again = emit_rewrites(SLICE("Cc"), once, arena, &twice, &why);

			if (again || why)
				fail_msg("%.*s -> %.*s -> %.*s", SLICE_ARGS(text_slice(&text)), SLICE_ARGS(once),
					 SLICE_ARGS(twice));
		}
		arena_free(arena);
	}
}

static void long_lines_are_folded_at_their_blanks(void **state)
{
	static char text[4000];
	struct arena *arena = arena_new();
	struct slice value;
	bool cut;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_false(
	    emit_folds(SLICE("Subject"), (struct slice){text, 981}, arena, &value, &cut)); /* 989 with its name */
	assert_false(cut);
	assert_true(emit_folds(SLICE("Subject"), (struct slice){text, 982}, arena, &value, &cut));
	assert_true(cut);
	text[0] = text[500] = text[501] = ' ';
	assert_true(emit_folds(SLICE("Subject"), (struct slice){text, 982}, arena, &value, &cut));
	assert_false(cut);
	assert_int_equal(value.n, 983);
	assert_memory_equal(value.p + 499, "x\n  x", 5);
	text[200] = '\n';
	text[201] = '\t';
	assert_false(emit_folds(SLICE("Subject"), (struct slice){text, 1100}, arena, &value, &cut));
	assert_true(emit_folds(SLICE("Subject"), (struct slice){text, 1900}, arena, &value, &cut));
	assert_true(cut);
	text[1000] = '\n'; /* a field of its own would follow */
	assert_false(emit_folds(SLICE("Subject"), (struct slice){text, 1900}, arena, &value, &cut));
	memset(text, ' ', sizeof(text));
	assert_true(emit_folds(SLICE("Subject"), (struct slice){text, 3000}, arena, &value, &cut));
	assert_false(cut);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_are_written_as_both_mail_servers_leave_them),
	    cmocka_unit_test(what_only_sendmail_can_write_is_left_alone_and_named),
	    cmocka_unit_test(written_fields_are_not_written_again),
	    cmocka_unit_test(long_lines_are_folded_at_their_blanks),
	};

	return cmocka_run_group_tests_name("sign_fields", tests, NULL, NULL);
}
