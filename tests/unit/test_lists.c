/*
 * test_lists.c - list files: what an entry means, which files are refused, and what stays
 * when a file cannot be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "list.h"
#include "list_content.h"
#include "policy_text.h"
#include <pthread.h>
#include <sys/time.h>
#include <utime.h>

static struct list_content *parse(const char *text, bool owners)
{
	struct error err = {""};
	struct list_content *content = list_content_parse(slice_of(text), "f", owners, &err);

	if (!content)
		fail_msg("%s: %s", text, err.text);
	return content;
}

static struct value value_of(enum type type, const char *text, struct arena *arena)
{
	struct value value = {.state = VALUE_SET, .type = type, .text = slice_of(text)};

	if (type == TYPE_ADDRESS)
		value.address = address_parse_path(slice_of(text), arena);
	if (type == TYPE_IP && ip_parse(slice_of(text), &value.ip))
		fail_msg("%s is no address", text);
	return value;
}

static void entries_mean_what_the_manual_says(void **state)
{
	static const char text[] =
	    "# a comment\n\n  alice@Example.ORG   # behind a blank\n@whole.example\n.below.example\nhost.example\n"
	    "192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n::ffff:203.0.113.0/120\nWord\n"
	    "b\xC3\xBC"
	    "cher.example\na#b@example.org\n\"quoted\"@example.org\n";
	static const struct {
		enum type type;
		const char *value;
		bool in;
	} cases[] = {
	    {TYPE_ADDRESS, "<alice@example.org>", true},
	    {TYPE_ADDRESS, "<ALICE@EXAMPLE.org>", true},
	    {TYPE_ADDRESS, "<bob@example.org>", false},
	    {TYPE_ADDRESS, "<anybody@whole.example>", true},
	    {TYPE_ADDRESS, "<anybody@sub.whole.example>", false},
	    {TYPE_ADDRESS, "<anybody@below.example>", false},
	    {TYPE_ADDRESS, "<anybody@a.below.example>", true},
	    {TYPE_ADDRESS, "<anybody@a.b.below.example>", true},
	    {TYPE_ADDRESS, "<anybody@host.example>", true},
	    {TYPE_ADDRESS, "<anybody@sub.host.example>", false},
	    {TYPE_ADDRESS, "<quoted@example.org>", true},
	    {TYPE_ADDRESS, "<\"ALICE\"@example.org>", true},
	    {TYPE_ADDRESS, "<a#b@example.org>", true},
	    {TYPE_ADDRESS, "<x@xn--bcher-kva.example>", true},
	    {TYPE_ADDRESS, "<>", false},
	    {TYPE_ADDRESS, "<\"@whole.example\">", false},
	    {TYPE_ADDRESS, "<\"alice@example.org\">", false},
	    {TYPE_DOMAIN, "host.example", true},
	    {TYPE_DOMAIN, "sub.host.example", false},
	    {TYPE_DOMAIN, "below.example", false},
	    {TYPE_DOMAIN, "a.below.example", true},
	    {TYPE_DOMAIN, "notbelow.example", false},
	    {TYPE_DOMAIN, "whole.example", false},
	    {TYPE_DOMAIN, "@whole.example", false},
	    {TYPE_DOMAIN, ".below.example", false},
	    {TYPE_DOMAIN, "xn--bcher-kva.example", true},
	    {TYPE_STRING, "WORD", true},
	    {TYPE_STRING, "Words", false},
	    {TYPE_STRING, "alice@example.org", true},
	    {TYPE_STRING, "", false},
	    {TYPE_IP, "192.0.2.1", true},
	    {TYPE_IP, "192.0.2.2", false},
	    {TYPE_IP, "198.51.100.255", true},
	    {TYPE_IP, "198.51.101.0", false},
	    {TYPE_IP, "2001:db8:ffff::1", true},
	    {TYPE_IP, "2001:db9::1", false},
	};
	struct list_content *content = parse(text, false);
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct value value = value_of(cases[i].type, cases[i].value, arena);

		if (list_content_has(content, &value) != cases[i].in)
			fail_msg("%s: expected %s", cases[i].value, cases[i].in ? "in" : "not in");
	}
	arena_free(arena);
	list_content_release(content);
}

static void the_null_sender_is_listed_by_its_brackets(void **state)
{
	struct list_content *content = parse("<>\n", false);
	struct value null = {.state = VALUE_SET, .type = TYPE_ADDRESS, .address = {.valid = true}};
	struct value text = value_of(TYPE_STRING, "<>", NULL);

	(void)state;
	assert_true(list_content_has(content, &null));
	assert_false(list_content_has(content, &text));
	list_content_release(content);
}

static void every_length_of_network_is_found(void **state)
{
	char text[96];
	struct value in4 = value_of(TYPE_IP, "170.170.170.170", NULL), out4 = value_of(TYPE_IP, "85.170.170.170", NULL);
	struct value in6 = value_of(TYPE_IP, "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa", NULL);
	struct value out6 = value_of(TYPE_IP, "5555:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa", NULL);

	(void)state;
	for (int prefix = 0; prefix <= 128; prefix++) {
		struct list_content *content;

		if (prefix <= 32)
			snprintf(text, sizeof(text), "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa/%d\n170.170.170.170/%d\n",
				 prefix, prefix);
		else
			snprintf(text, sizeof(text), "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa/%d\n", prefix);
		content = parse(text, false);
		assert_true(list_content_has(content, &in6));
		assert_int_equal(list_content_has(content, &out6), prefix == 0);
		assert_int_equal(list_content_has(content, &in4), prefix <= 32);
		assert_int_equal(list_content_has(content, &out4), prefix == 0);
		list_content_release(content);
	}
}

static void a_malformed_line_refuses_the_whole_list(void **state)
{
	char longest[LIST_ENTRY_MAX + 3];
	const struct {
		const char *text, *message;
	} cases[] = {
	    {"a@example.org\nb@example.org c@example.org\n", "f:2: two entries on one line; write one entry per line"},
	    {"@\n", "f:1: \"@\" names no domain behind \"@\"; write it as @example.org"},
	    {".\n", "f:1: \".\" names no domain behind \".\"; write it as .example.org"},
	    {"a@\n", "f:1: \"a@\" is no address; write it as alice@example.org or @example.org"},
	    {"bro@ken@@\n", "f:1: \"bro@ken@@\" is no address; write it as alice@example.org or @example.org"},
	    {"\n\n10.0.0.0/33\n", "f:3: \"10.0.0.0/33\" is no network; write it as 192.0.2.0/24 or 2001:db8::/32"},
	    {"a\x01\n", "f:1: an entry with blanks or control characters in it; write one entry per line"},
	    {"\xFF\n", "f:1: an entry that is not UTF-8; save the list as UTF-8"},
	    {"a@example.org\nb@exam",
	     "f:2: the last line has no end, as if the file were half written; end it with a newline"},
	    {longest, "f:1: an entry of 1001 bytes; 1000 is the most"},
	};

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[LIST_ENTRY_MAX + 1] = '\n';
	longest[LIST_ENTRY_MAX + 2] = '\0';
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {""};

		assert_null(list_content_parse(slice_of(cases[i].text), "f", false, &err));
		assert_string_equal(err.text, cases[i].message);
	}
	list_content_release(parse(longest + 1, false));
}

static void owners_map_logins_to_addresses(void **state)
{
	static const char text[] =
	    "# logins\nalice: alice@example.org, sales@example.org @alice.example\nbob @bob.example,bob@example.org\n"
	    "carol:carol@example.org\nAlice: upper@example.org\nDave: dave@example.org\nalice .below.example\n"
	    "null: <>\nnobody:\nx@example.org x@example.org # itself\n";
	static const struct {
		const char *login, *address;
		bool owns;
	} cases[] = {
	    {"alice", "<alice@example.org>", true},
	    {"alice", "<Sales@EXAMPLE.org>", true},
	    {"alice", "<any@alice.example>", true},
	    {"alice", "<a@sub.below.example>", true},
	    {"alice", "<bob@example.org>", false},
	    {"alice", "<upper@example.org>", false},
	    {"Alice", "<upper@example.org>", true},
	    {"Alice", "<alice@example.org>", false},
	    {"ALICE", "<alice@example.org>", false},
	    {"bob", "<bob@example.org>", true},
	    {"bob", "<x@bob.example>", true},
	    {"bob", "<x@sub.bob.example>", false},
	    {"carol", "<carol@example.org>", true},
	    {"dave", "<dave@example.org>", true},
	    {"DAVE", "<dave@example.org>", true},
	    {"nobody", "<alice@example.org>", false},
	    {"", "<alice@example.org>", false},
	    {"eve", "<alice@example.org>", false},
	    {"null", "<>", true},
	    {"alice", "<>", false},
	    {"x@example.org", "<x@example.org>", true},
	};
	struct list_content *content = parse(text, true);
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address address = address_parse_path(slice_of(cases[i].address), arena);

		if (list_content_owns(content, slice_of(cases[i].login), &address) != cases[i].owns)
			fail_msg("%s and %s: expected %d", cases[i].login, cases[i].address, cases[i].owns);
	}
	arena_free(arena);
	list_content_release(content);
}

static void malformed_owners_are_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"alice\n", "f:1: a login without addresses; write \"login: address @domain\""},
	    {": a@example.org\n", "f:1: no login at the start of the line; write \"login: address @domain\""},
	    {"alice: example.org\n",
	     "f:1: a login owns addresses and domains; write alice@example.org or @example.org"},
	    {"alice: 192.0.2.1\n", "f:1: a login owns addresses and domains; write alice@example.org or @example.org"},
	    {"alice: a@example.org",
	     "f:1: the last line has no end, as if the file were half written; end it with a newline"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {""};

		assert_null(list_content_parse(slice_of(cases[i].text), "f", true, &err));
		assert_string_equal(err.text, cases[i].message);
	}
}

/* ---- files ------------------------------------------------------------------------ */

static const char policy_text_of_list[] =
    "list friends file:friends\npolicy inbound { on mail { reject if sender in friends } }\n";

static enum truth is_friend(struct policy *policy, const char *address)
{
	struct arena *arena = arena_new();
	struct message message = {.arena = arena, .sender = address_parse_path(slice_of(address), arena)};
	struct session session = {.arena = arena};
	struct fact_memo memo = {{NULL}};
	struct view view = {.settings = &policy_settings(policy)->check,
			    .stage = STAGE_MAIL,
			    .session = &session,
			    .message = &message,
			    .connection_memo = &memo,
			    .message_memo = &memo};
	struct decision decision;
	struct outcome outcome;

	decision_init(&decision, arena);
	policy_run(policy, KIND_INBOUND, STAGE_MAIL, &view, false, &decision, NULL, &outcome);
	arena_free(arena);
	return outcome.verdict == VERDICT_REJECT  ? TRUTH_TRUE
	       : outcome.verdict == VERDICT_DEFER ? TRUTH_UNKNOWN
						  : TRUTH_FALSE;
}

static struct policy *load(const struct policy *old, const char *expected)
{
	char *messages;
	struct policy *policy = load_text(policy_text_of_list, old, &messages);

	assert_non_null(policy);
	assert_string_equal(messages, expected);
	free(messages);
	return policy;
}

static void count_report(void *context, const char *line)
{
	assert_non_null(strstr(line, "list friends: "));
	++*(unsigned *)context;
}

/* As if time had passed since the file was written. */
static void make_older(const char *name)
{
	struct utimbuf times = {1000000000, 1000000000};

	utime(name, &times);
}

static void a_changed_list_is_read_anew(void **state)
{
	struct policy *policy;
	unsigned reports = 0;

	(void)state;
	write_text("friends", "a@example.org\n");
	policy = load(NULL, "");
	assert_int_equal(is_friend(policy, "<a@example.org>"), TRUTH_TRUE);
	assert_int_equal(policy_refresh_lists(policy, count_report, &reports), 0);
	write_text("friends.new", "b@example.org\n");
	rename("friends.new", "friends");
	assert_int_equal(policy_refresh_lists(policy, count_report, &reports), 1);
	assert_int_equal(is_friend(policy, "<a@example.org>"), TRUTH_FALSE);
	assert_int_equal(is_friend(policy, "<b@example.org>"), TRUTH_TRUE);
	assert_int_equal(policy_refresh_lists(policy, count_report, &reports), 0);
	assert_int_equal(reports, 0);
	policy_release(policy);
}

static void a_list_that_cannot_be_read_keeps_its_content(void **state)
{
	static const char *const broken[] = {"a@example.org b\n", "new@example.org\nhalf@exa", "\xFF\n", ""};
	struct policy *policy, *next;
	unsigned reports = 0;

	(void)state;
	write_text("friends", "a@example.org\n");
	policy = load(NULL, "");
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		write_text("friends", broken[i]);
		assert_int_equal(policy_refresh_lists(policy, count_report, &reports), 0);
		assert_int_equal(is_friend(policy, "<a@example.org>"), TRUTH_TRUE);
		assert_int_equal(is_friend(policy, "<new@example.org>"), TRUTH_FALSE);
	}
	unlink("friends");
	assert_int_equal(policy_refresh_lists(policy, count_report, &reports), 0);
	assert_int_equal(policy_refresh_lists(policy, count_report, &reports), 0);
	assert_int_equal(is_friend(policy, "<a@example.org>"), TRUTH_TRUE);
	assert_int_equal(reports, 1); /* one a minute */
	next = load(
	    policy,
	    "t:1:1: warning: list friends: friends: No such file or directory; create the file, or let us read it; "
	    "its old content is kept until then");
	policy_release(policy);
	assert_int_equal(is_friend(next, "<a@example.org>"), TRUTH_TRUE);
	write_text("friends", "b@example.org\n");
	assert_int_equal(policy_refresh_lists(next, NULL, NULL), 1);
	assert_int_equal(is_friend(next, "<a@example.org>"), TRUTH_FALSE);
	policy_release(next);
}

static void an_emptied_list_is_empty_once_it_has_settled(void **state)
{
	struct policy *policy;

	(void)state;
	write_text("friends", "a@example.org\n");
	policy = load(NULL, "");
	write_text("friends", "");
	assert_int_equal(policy_refresh_lists(policy, NULL, NULL), 0);
	make_older("friends");
	assert_int_equal(policy_refresh_lists(policy, NULL, NULL), 1);
	assert_int_equal(is_friend(policy, "<a@example.org>"), TRUTH_FALSE);
	policy_release(policy);
}

static void a_list_that_was_never_there_is_unknown_until_it_is(void **state)
{
	struct policy *policy;

	(void)state;
	unlink("friends");
	policy = load(
	    NULL,
	    "t:1:1: warning: list friends: friends: No such file or directory; create the file, or let us read it; "
	    "until then rules that ask for it defer");
	assert_int_equal(is_friend(policy, "<a@example.org>"), TRUTH_UNKNOWN);
	write_text("friends", "a@example.org\n");
	assert_int_equal(policy_refresh_lists(policy, NULL, NULL), 1);
	assert_int_equal(is_friend(policy, "<a@example.org>"), TRUTH_TRUE);
	policy_release(policy);
}

static void a_failure_is_reported_once_a_minute(void **state)
{
	struct list *list = list_new(SLICE("friends"), "nowhere", false, false);
	struct error err;
	int64_t now = clock_us();

	(void)state;
	assert_int_equal(list_load(list, NULL, &err), -1); /* that was told already */
	assert_null(list_report(list, now));
	assert_int_equal(list_refresh(list), -1);
	assert_null(list_report(list, now + LIST_REPORT_US / 2));
	assert_non_null(list_report(list, now + 2 * LIST_REPORT_US));
	assert_null(list_report(list, now + 2 * LIST_REPORT_US + 1));
	list_free(list);
}

static void only_plain_files_of_a_bounded_size_are_lists(void **state)
{
	struct list *list = list_new(SLICE("friends"), "/dev/zero", false, false);
	struct error err;

	(void)state;
	assert_int_equal(list_load(list, NULL, &err), -1);
	assert_string_equal(err.text, "/dev/zero is no plain file; name a file with one entry per line");
	list_free(list);

	write_text("friends", "");
	assert_int_equal(truncate("friends", LIST_BYTES_MAX + 1), 0);
	list = list_new(SLICE("friends"), "friends", false, false);
	assert_int_equal(list_load(list, NULL, &err), -1);
	assert_non_null(strstr(err.text, "larger than 67108864 bytes"));
	list_free(list);
}

static void a_list_holds_no_more_than_its_entries(void **state)
{
	size_t n = LIST_ENTRIES_MAX + 1;
	char *text = malloc(2 * n + 1);
	struct error err;

	(void)state;
	for (size_t i = 0; i < n; i++)
		memcpy(text + 2 * i, "a\n", 2);
	text[2 * n] = '\0';
	assert_null(list_content_parse((struct slice){text, 2 * n}, "f", false, &err));
	assert_string_equal(err.text, "f:4000001: more entries than a list can hold; split it into several lists");
	free(text);
}

static void three_hundred_thousand_entries_are_quick(void **state)
{
	struct arena *arena = arena_new();
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	struct list_content *content;
	struct error err;
	int64_t begin;

	(void)state;
	for (int i = 0; i < 300000; i++)
		fprintf(out,
			i % 3 == 0   ? "user%d@domain%d.example\n"
			: i % 3 == 1 ? "@host%d.of%d.example\n"
				     : "10.%d.0.0/%d\n",
			i % 3 == 2 ? i % 256 : i, i % 3 == 2 ? 8 + i % 25 : i);
	fclose(out);
	begin = clock_us();
	content = list_content_parse((struct slice){text, n}, "f", false, &err);
	assert_non_null(content);
	assert_true(clock_us() - begin < 3000000); /* 0.2 s; sanitizers take their time */
	begin = clock_us();
	for (int i = 0; i < 100000; i++) {
		struct value value = value_of(TYPE_ADDRESS, "<user299997@domain299997.example>", arena);

		assert_true(list_content_has(content, &value));
		arena_reset(arena);
	}
	assert_true(clock_us() - begin < 3000000);
	list_content_release(content);
	arena_free(arena);
	free(text);
}

/* ---- readers beside a writer -------------------------------------------------------- */

struct beside {
	struct policy *policy;
	_Atomic bool stop;
	_Atomic unsigned wrong;
};

/* Whatever the writer does, alice is always in the list. */
static void *keep_asking(void *argument)
{
	struct beside *beside = argument;

	while (!beside->stop)
		beside->wrong += is_friend(beside->policy, "<alice@example.org>") != TRUTH_TRUE;
	return NULL;
}

static void readers_see_a_whole_list_while_it_is_swapped(void **state)
{
	struct beside beside = {0};
	pthread_t threads[4];
	char text[64];

	(void)state;
	write_text("friends", "alice@example.org\n");
	beside.policy = load(NULL, "");
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_asking, &beside), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "alice@example.org\nround%d@example.org\n", i);
		write_text("friends.new", text);
		rename("friends.new", "friends");
		policy_refresh_lists(beside.policy, NULL, NULL);
	}
	beside.stop = true;
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(beside.wrong, 0);
	assert_int_equal(is_friend(beside.policy, "<round199@example.org>"), TRUTH_TRUE);
	policy_release(beside.policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_mean_what_the_manual_says),
	    cmocka_unit_test(the_null_sender_is_listed_by_its_brackets),
	    cmocka_unit_test(every_length_of_network_is_found),
	    cmocka_unit_test(a_malformed_line_refuses_the_whole_list),
	    cmocka_unit_test(owners_map_logins_to_addresses),
	    cmocka_unit_test(malformed_owners_are_refused),
	    cmocka_unit_test(a_changed_list_is_read_anew),
	    cmocka_unit_test(a_list_that_cannot_be_read_keeps_its_content),
	    cmocka_unit_test(an_emptied_list_is_empty_once_it_has_settled),
	    cmocka_unit_test(a_list_that_was_never_there_is_unknown_until_it_is),
	    cmocka_unit_test(a_failure_is_reported_once_a_minute),
	    cmocka_unit_test(only_plain_files_of_a_bounded_size_are_lists),
	    cmocka_unit_test(a_list_holds_no_more_than_its_entries),
	    cmocka_unit_test(three_hundred_thousand_entries_are_quick),
	    cmocka_unit_test(readers_see_a_whole_list_while_it_is_swapped),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
