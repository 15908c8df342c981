/*
 * test_lists.c - the files of lists: read anew when they change, and what stays when they
 * cannot be read; readers beside a writer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "list.h"
#include "policy_text.h"
#include <pthread.h>
#include <sys/stat.h>
#include <utime.h>

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

static void a_changed_list_is_read_again(void **state)
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
	next = load(policy, "t:1:1: warning: list friends: friends: No such file or directory; create the file, or let "
			    "the user of sekisho read it; "
			    "its old content is kept until then");
	policy_release(policy);
	assert_int_equal(is_friend(next, "<a@example.org>"), TRUTH_TRUE);
	write_text("friends", "b@example.org\n");
	assert_int_equal(policy_refresh_lists(next, NULL, NULL), 1);
	assert_int_equal(is_friend(next, "<a@example.org>"), TRUTH_FALSE);
	policy_release(next);
}

static void a_last_line_without_an_end_counts_once_it_has_settled(void **state)
{
	struct policy *policy, *next;

	(void)state;
	write_text("friends", "a@example.org"); /* nothing to keep: taken at once */
	policy = load(NULL, "t:1:1: warning: list friends: friends:1: the last line does not end with a newline, so "
			    "the file may be cut "
			    "off; add the newline");
	assert_int_equal(is_friend(policy, "<a@example.org>"), TRUTH_TRUE);
	write_text("friends", "b@example.org\nhalf@exa");
	assert_int_equal(policy_refresh_lists(policy, NULL, NULL), 0);
	next = load(policy, ""); /* a reload in that moment keeps it, too */
	assert_int_equal(is_friend(next, "<a@example.org>"), TRUTH_TRUE);
	policy_release(policy);
	make_older("friends");
	assert_int_equal(policy_refresh_lists(next, NULL, NULL), 1);
	assert_int_equal(is_friend(next, "<a@example.org>"), TRUTH_FALSE);
	assert_int_equal(is_friend(next, "<half@exa>"), TRUTH_TRUE);
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
	policy = load(NULL, "t:1:1: warning: list friends: friends: No such file or directory; create the file, or let "
			    "the user of sekisho read it; "
			    "until then rules that ask for it defer");
	assert_int_equal(is_friend(policy, "<a@example.org>"), TRUTH_UNKNOWN);
	write_text("friends", "a@example.org\n");
	assert_int_equal(policy_refresh_lists(policy, NULL, NULL), 1);
	assert_int_equal(is_friend(policy, "<a@example.org>"), TRUTH_TRUE);
	policy_release(policy);
}

static struct list *new_list(const char *place)
{
	struct list_setting setting = {.name = SLICE("friends"), .place = slice_of(place)};
	struct error err;

	return list_new(&setting, &err);
}

/* One fault is one line in the log, however many lines are wrong. */
static void a_failure_says_that_there_is_more(void **state)
{
	struct list *list = new_list("file:friends");
	struct list_faults faults;

	(void)state;
	write_text("friends", "@\n.\n");
	assert_int_equal(list_load(list, NULL, &faults), -1);
	assert_int_equal(faults.count, 2);
	assert_string_equal(list_report(list, clock_us() + 2 * LIST_REPORT_US),
			    "friends:1: \"@\" names no domain after \"@\"; write it as @example.org (more lines are "
			    "wrong; \"sekisho check\" names them)");
	list_free(list);
}

/* The daemon runs without such a list. */
static void malformed_lines_are_errors_to_check(void **state)
{
	static const char *const texts[] = {"*.x\na@example.org\n10.0.0.*\n", "a@example.org\nb@exam"};
	static const size_t counts[] = {2, 1};

	(void)state;
	write_text("t", policy_text_of_list);
	for (size_t i = 0; i < 2; i++) {
		struct diagnostics *strict = diagnostics_new(), *mild = diagnostics_new();
		struct policy *policy;
		char *shown;

		write_text("friends", texts[i]);
		assert_null(policy_load_as(POLICY_CHECK, "t", strict));
		assert_int_equal(diagnostics_errors(strict), counts[i]);
		assert_int_equal(diagnostics_warnings(strict), 0);
		shown = diagnostics_print(strict); /* the statement of the list once, after all of its lines */
		assert_ptr_equal(strchr(shown, '^'), strrchr(shown, '^'));
		free(shown);
		policy = policy_load("t", NULL, mild);
		assert_non_null(policy);
		assert_int_equal(diagnostics_errors(mild), 0);
		assert_int_equal(diagnostics_warnings(mild), counts[i]);
		policy_release(policy);
		diagnostics_free(strict);
		diagnostics_free(mild);
	}
}

static void only_known_places_are_lists(void **state)
{
	static const char *const places[] = {"", "file:", ":", "/etc/friends", "files:/x", "fil:/x", "ldap://x"};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		assert_null(new_list(places[i]));
}

static void a_failure_is_reported_once_a_minute(void **state)
{
	struct list *list = new_list("file:nowhere");
	struct list_faults faults;
	int64_t now = clock_us();

	(void)state;
	assert_int_equal(list_load(list, NULL, &faults), -1); /* that was told already */
	assert_null(list_report(list, now));
	assert_int_equal(list_refresh(list), -1);
	assert_null(list_report(list, now + LIST_REPORT_US / 2));
	assert_non_null(list_report(list, now + 2 * LIST_REPORT_US));
	assert_null(list_report(list, now + 2 * LIST_REPORT_US + 1));
	list_free(list);
}

static void only_plain_files_of_a_bounded_size_are_lists(void **state)
{
	struct list *list = new_list("file:/dev/zero");
	struct list_faults faults;

	(void)state;
	assert_int_equal(list_load(list, NULL, &faults), -1);
	assert_string_equal(faults.texts[0].text,
			    "/dev/zero is not a regular file; name a file with one entry per line");
	list_free(list);

	write_text("friends", "");
	assert_int_equal(truncate("friends", LIST_BYTES_MAX + 1), 0);
	list = new_list("file:friends");
	assert_int_equal(list_load(list, NULL, &faults), -1);
	assert_non_null(strstr(faults.texts[0].text, "larger than the limit of 67108864 bytes"));
	list_free(list);
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
	    cmocka_unit_test(a_changed_list_is_read_again),
	    cmocka_unit_test(a_list_that_cannot_be_read_keeps_its_content),
	    cmocka_unit_test(a_last_line_without_an_end_counts_once_it_has_settled),
	    cmocka_unit_test(an_emptied_list_is_empty_once_it_has_settled),
	    cmocka_unit_test(a_list_that_was_never_there_is_unknown_until_it_is),
	    cmocka_unit_test(a_failure_is_reported_once_a_minute),
	    cmocka_unit_test(a_failure_says_that_there_is_more),
	    cmocka_unit_test(malformed_lines_are_errors_to_check),
	    cmocka_unit_test(only_known_places_are_lists),
	    cmocka_unit_test(only_plain_files_of_a_bounded_size_are_lists),
	    cmocka_unit_test(readers_see_a_whole_list_while_it_is_swapped),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
