/*
 * test_sign.c - whose keys sign, who may read them, and header fields that an MTA
 * would write anew.
 */
#include "../../filter/engine/gate_private.h"
#include "assert_slice.h"
#include "policy_text.h"
#include "skip_because.h"

#include <pwd.h>
#include <sys/stat.h>

/* The policy of a text; NULL and the first message. */
static struct policy *load(const char *text, const char **message_r)
{
	static char line[512];
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *policy;

	write_text("t", text);
	policy = policy_load("t", NULL, diagnostics);
	snprintf(line, sizeof(line), "%s", diagnostics_line(diagnostics, 0) ? diagnostics_line(diagnostics, 0) : "");
	*message_r = line;
	diagnostics_free(diagnostics);
	return policy;
}

static void the_nearest_domain_signs(void **state)
{
	static const struct {
		const char *author, *domain;
	} cases[] = {
	    {"example.org", "example.org"},
	    {"a.example.org", NULL},
	    {"example.net", "example.net"},
	    {"a.b.example.net", "example.net"},
	    {"x.example.net", "x.example.net"},
	    {"a.x.example.net", "example.net"},
	    {"example.com", NULL},
	    {"net", NULL},
	    {"badexample.net", NULL},
	    {"table.example", "table.example"},
	    {"a.table.example", NULL},
	    {"sub.example", "sub.example"},
	    {"a.sub.example", "sub.example"},
	    {"", NULL},
	};
	const char *message;
	struct policy *policy;

	(void)state;
	write_key("friends");
	write_text("owners", "# comment\ntable.example s1 friends\ntable.example s2 friends # another\n\n"
			     "sub.example s1 friends subdomains\n");
	policy = load("sign example.org { selector s1 key friends }\n"
		      "sign example.net { selector s1 key friends subdomains yes }\n"
		      "sign x.example.net { selector s1 key friends }\n"
		      "sign-table file:owners\n",
		      &message);
	assert_string_equal(message, "");
	assert_non_null(policy);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sign_setting *sign = policy_sign(policy, slice_of(cases[i].author));

		if (!cases[i].domain)
			assert_null(sign);
		else
			assert_slice(sign->domain, cases[i].domain);
	}
	assert_int_equal(policy_sign(policy, SLICE("table.example"))->key_count, 2);
	policy_release(policy);
}

static void a_domain_is_said_once(void **state)
{
	const char *message;

	(void)state;
	write_key("friends");
	assert_null(load("sign example.org { selector s1 key friends }\nsign example.org { selector s2 key friends }\n",
			 &message));
	assert_non_null(strstr(message, "sign example.org is said twice; put its keys in one place"));
}

static void fields_to_sign_may_be_named_in_several_places(void **state)
{
	const struct sign_setting *sign;
	const char *message;
	struct policy *policy;

	(void)state;
	write_key("friends");
	policy =
	    load("sign example.org { selector s1 key friends headers From To expire 7d headers Subject }\n", &message);
	assert_non_null(policy);
	sign = policy_sign(policy, SLICE("example.org"));
	assert_int_equal(sign->names.count, 3);
	assert_slice(sign->names.items[0], "From");
	assert_slice(sign->names.items[2], "Subject");
	policy_release(policy);
}

static void a_key_that_others_can_use_is_refused(void **state)
{
	static const struct {
		mode_t mode;
		bool good;
	} cases[] = {{0600, true}, {0400, true}, {0640, false}, {0604, false}, {0620, false}, {0601, false}};
	const char *message;

	(void)state;
	write_key("friends");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *policy;

		chmod("friends", cases[i].mode);
		policy = load("sign example.org { selector s1 key friends }\n", &message);
		assert_int_equal(policy != NULL, cases[i].good);
		if (!policy)
			assert_non_null(strstr(message, "; chmod 600 it"));
		policy_release(policy);
	}
	assert_null(load("sign example.org { selector s1 key . }\n", &message));
	assert_non_null(strstr(message, "is not a file"));
}

static void a_key_of_somebody_else_is_refused(void **state)
{
	const char *message;

	(void)state;
	SKIP_UNLESS(geteuid() == 0, "only root can give files away");
	write_key("friends");
	assert_int_equal(chown("friends", 12345, (gid_t)-1), 0);
	assert_null(load("sign example.org { selector s1 key friends }\n", &message));
	assert_non_null(strstr(message, "key friends belongs to uid 12345, and the daemon runs as root; "));
	/* And one of root when the daemon will be another. */
	write_key("friends");
	chown("friends", 0, (gid_t)-1);
	assert_null(load("user nobody\nsign example.org { selector s1 key friends }\n", &message));
	assert_non_null(strstr(message, "belongs to root, and the daemon runs as nobody; chown nobody friends"));
}

static bool can_read(enum policy_reader reader, const char *text, const char *message)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *policy;
	bool read;

	write_text("t", text);
	policy = policy_load_as(reader, "t", diagnostics);
	read = policy != NULL;
	if (!read)
		assert_non_null(strstr(diagnostics_line(diagnostics, 0), message));
	policy_release(policy);
	diagnostics_free(diagnostics);
	return read;
}

/* systemd starts the daemon as somebody else, and the file does not say as whom. */
static void root_may_look_at_the_file_of_a_daemon_that_is_somebody_else(void **state)
{
	static const char text[] = "sign example.org { selector s1 key friends }\n";

	(void)state;
	SKIP_UNLESS(geteuid() == 0, "only root can give files away");
	write_key("friends");
	assert_int_equal(chown("friends", 12345, (gid_t)-1), 0);
	assert_true(can_read(POLICY_CHECK, text, ""));
	assert_true(can_read(POLICY_EXPLAIN, text, ""));
	assert_false(can_read(POLICY_DAEMON, text, "belongs to uid 12345"));
	/* But it can be said, and what others can read is wrong whoever the daemon is. */
	assert_false(can_read(POLICY_CHECK, "user nobody\nsign example.org { selector s1 key friends }\n",
			      "chown nobody friends"));
	chmod("friends", 0644);
	assert_false(can_read(POLICY_CHECK, text, "can be used by others (mode 0644); chmod 600 it"));
}

/* As packages install them: root:sekisho, mode 0640. */
static void keys_of_root_that_the_group_reads_can_be_allowed(void **state)
{
	static const struct {
		uid_t owner;
		gid_t group;
		mode_t mode;
		const char *access;
		bool good;
	} cases[] = {
	    {0, 65534, 0640, "group", true},      {0, 65534, 0640, "owner", false},
	    {0, 65534, 0600, "group", true},      {65534, 65534, 0640, "group", true},
	    {0, 65534, 0660, "group", false},     {0, 65534, 0644, "group", false},
	    {0, 12345, 0640, "group", false},     {12345, 65534, 0640, "group", false},
	    {65534, 65534, 0640, "owner", false},
	};
	char text[300];
	const char *message;

	(void)state;
	SKIP_UNLESS(geteuid() == 0, "only root can give files away");
	SKIP_UNLESS(getpwnam("nobody") && getpwnam("nobody")->pw_uid == 65534 && getpwnam("nobody")->pw_gid == 65534,
		    "there is no user nobody here");
	write_key("friends");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *policy;

		assert_int_equal(chown("friends", cases[i].owner, cases[i].group), 0);
		chmod("friends", cases[i].mode);
		snprintf(text, sizeof(text),
			 "user nobody\nkey-access %s\nsign example.org { selector s1 key friends }\n", cases[i].access);
		policy = load(text, &message);
		if ((policy != NULL) != cases[i].good)
			fail_msg("case %zu: %s", i, message);
		policy_release(policy);
	}
	unlink("friends");
}

/* RFC 6376 allows several signatures; two of the same domain and selector add nothing. */
static void what_is_written_twice_signs_once(void **state)
{
	static const struct {
		const char *text, *table, *message;
		size_t keys; /* 0: refused */
	} cases[] = {
	    {"sign-table file:owners\n", "example.org s1 friends\nexample.org s1 friends\n",
	     "t:1:1: warning: owners:2: selector s1 of example.org is written twice and signs once; remove one of them",
	     1},
	    {"sign-table file:owners\n", "example.org s1 friends\nother.example s1 friends\nexample.org s2 friends\n",
	     "", 2},
	    {"sign-table file:owners\n", "example.org s1 friends\na.example s1 friends\nExample.ORG S1 friends\n",
	     "t:1:1: warning: owners:3: selector s1 of example.org is written twice and signs once; remove one of them",
	     1},
	    {"sign-table file:owners\n", "example.org s1 friends\nexample.org s1 ./friends\n",
	     "t:1:1: owners:2: selector s1 of example.org has two keys, friends and ./friends; remove one of them", 0},
	    {"sign-table file:owners\n",
	     "example.org a friends\nexample.org b friends\nexample.org c friends\nexample.org d friends\n"
	     "example.org e friends\n",
	     "t:1:1: owners:5: example.org has more than 4 keys; remove some", 0},
	    {"sign example.org { selector s1 key friends selector s1 key friends }\n", "",
	     "t:1:1: warning: selector s1 of example.org is written twice and signs once; remove one of them", 1},
	    {"sign example.org { selector s1 key friends }\nsign-table file:owners\n", "example.org s2 friends\n",
	     "t:2:1: sign example.org is said twice; put its keys in one place", 0},
	};
	const char *message;

	(void)state;
	write_key("friends");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *policy;

		write_text("owners", cases[i].table);
		policy = load(cases[i].text, &message);
		assert_string_equal(message, cases[i].message);
		if ((policy ? policy_sign(policy, SLICE("example.org"))->key_count : 0) != cases[i].keys)
			fail_msg("case %zu", i);
		policy_release(policy);
	}
}

static void fields_are_written_as_both_mail_servers_leave_them(void **state)
{
	static const struct {
		const char *name, *value, *rewritten;
	} cases[] = {
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
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice value;
		const char *why;
		bool rewrites = emit_rewrites(slice_of(cases[i].name), slice_of(cases[i].value), arena, &value, &why);

		assert_int_equal(rewrites, cases[i].rewritten != NULL);
		if (rewrites)
			assert_slice(value, cases[i].rewritten);
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

/* ---- reloads ------------------------------------------------------------------------------------ */

#define SETTLED_US 1100000 /* after it, a file that is written again has another time */

static const struct dkim_private *key_of(const struct policy *policy)
{
	return policy_sign(policy, SLICE("example.org"))->keys[0].key;
}

static struct policy *reload(const struct policy *old)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *policy = policy_load("t", old, diagnostics);

	diagnostics_free(diagnostics);
	return policy;
}

static void a_reload_takes_over_the_keys_whose_files_have_not_changed(void **state)
{
	struct policy *first, *second, *third;
	const char *message;

	(void)state;
	write_key("friends");
	first = load("sign example.org { selector s1 key friends }\n", &message);
	assert_string_equal(message, "");
	/* It was read at once after it was written: that it is the same is not certain yet. */
	second = reload(first);
	assert_ptr_not_equal(key_of(second), key_of(first));
	policy_release(second);
	policy_release(first);
	usleep(SETTLED_US);
	first = reload(NULL);
	second = reload(first);
	assert_ptr_equal(key_of(second), key_of(first));
	policy_release(first); /* the key outlives the policy that read it */
	third = reload(second);
	assert_ptr_equal(key_of(third), key_of(second));
	policy_release(third);
	write_key("friends");
	third = reload(second);
	assert_ptr_not_equal(key_of(third), key_of(second));
	policy_release(third);
	assert_int_equal(chmod("friends", 0644), 0);
	assert_null(reload(second));
	policy_release(second);
	unlink("friends");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_nearest_domain_signs),
	    cmocka_unit_test(a_domain_is_said_once),
	    cmocka_unit_test(fields_to_sign_may_be_named_in_several_places),
	    cmocka_unit_test(a_key_that_others_can_use_is_refused),
	    cmocka_unit_test(a_key_of_somebody_else_is_refused),
	    cmocka_unit_test(root_may_look_at_the_file_of_a_daemon_that_is_somebody_else),
	    cmocka_unit_test(keys_of_root_that_the_group_reads_can_be_allowed),
	    cmocka_unit_test(what_is_written_twice_signs_once),
	    cmocka_unit_test(fields_are_written_as_both_mail_servers_leave_them),
	    cmocka_unit_test(what_only_sendmail_can_write_is_left_alone_and_named),
	    cmocka_unit_test(written_fields_are_not_written_again),
	    cmocka_unit_test(long_lines_are_folded_at_their_blanks),
	    cmocka_unit_test(a_reload_takes_over_the_keys_whose_files_have_not_changed),
	};

	return cmocka_run_group_tests_name("sign", tests, enter_directory, leave_directory);
}
