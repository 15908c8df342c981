/*
 * test_sign.c - which keys sign for a domain, and who may be able to read them.
 */
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

static void a_domain_has_one_sign_block(void **state)
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

/* systemd starts the daemon as another user, and the file does not name it. */
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
	/* But the file can name it, and a key that others can read is wrong whichever user the daemon is. */
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
		    "user nobody does not exist here");
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
	    cmocka_unit_test(a_domain_has_one_sign_block),
	    cmocka_unit_test(fields_to_sign_may_be_named_in_several_places),
	    cmocka_unit_test(a_key_that_others_can_use_is_refused),
	    cmocka_unit_test(a_key_of_somebody_else_is_refused),
	    cmocka_unit_test(root_may_look_at_the_file_of_a_daemon_that_is_somebody_else),
	    cmocka_unit_test(keys_of_root_that_the_group_reads_can_be_allowed),
	    cmocka_unit_test(what_is_written_twice_signs_once),
	    cmocka_unit_test(a_reload_takes_over_the_keys_whose_files_have_not_changed),
	};

	return cmocka_run_group_tests_name("sign", tests, enter_directory, leave_directory);
}
