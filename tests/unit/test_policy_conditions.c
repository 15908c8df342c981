/*
 * test_policy_conditions.c - when a condition is true, false or unknown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_scene.h"

/* Is `condition` true? Asked at the end of the message, where all but recipients is known. */
struct question {
	const char *condition;
	enum truth truth;
};

static void check_conditions(const struct question *cases, size_t count)
{
	prepare_lists();
	for (size_t i = 0; i < count; i++) {
		static const char *const truths[] = {"false", "true", "unknown"};
		struct scene *scene;
		char *text = NULL;

		assert_true(asprintf(&text, ON("message", "log \"x\" if %s"), cases[i].condition) > 0);
		scene = scene_new(text);
		remember(scene, "auth.user", word("alice"));
		remember(scene, "spf.helo", failed());
		run(scene, STAGE_MESSAGE, false);
		if (!strstr(scene->trace, truths[cases[i].truth]) ||
		    strncmp(strstr(scene->trace, ": ") + 2, truths[cases[i].truth], 4))
			fail_msg("%s: expected %s, got %s", cases[i].condition, truths[cases[i].truth], scene->trace);
		scene_free(scene);
		free(text);
	}
}

#define YES          TRUTH_TRUE
#define NO           TRUTH_FALSE
#define HUH          TRUTH_UNKNOWN
#define CHECK(cases) check_conditions(cases, sizeof(cases) / sizeof(cases[0]))

static void is_compares_by_type(void **state)
{
	static const struct question cases[] = {
	    {"spf is fail", YES},
	    {"spf is pass", NO},
	    {"spf is { softfail fail }", YES},
	    {"spf is not fail", NO},
	    {"spf is not { pass none }", YES},
	    {"client is 192.0.2.1", YES},
	    {"client is 192.0.2.0/24", YES},
	    {"client is { 198.51.100.0/24 2001:db8::/32 }", NO},
	    {"sender is alice@example.org", YES},
	    {"sender is ALICE@Example.ORG", YES},
	    {"sender is \"\\\"alice\\\"@example.org\"", YES},
	    {"sender is bob@example.org", NO},
	    {"sender is @example.org", YES},
	    {"sender is @EXAMPLE.org", YES},
	    {"sender is @sub.example.org", NO},
	    {"sender is .org", YES},
	    {"sender is .example.org", NO},
	    {"sender is null", NO},
	    {"sender is not null", YES},
	    {"sender.domain is example.org", YES},
	    {"sender.domain is .org", YES},
	    {"sender.domain is .example.org", NO},
	    {"helo is MAIL.example.org", YES},
	    {"helo is .example.org", YES},
	    {"header(\"Subject\") is \"buy NOW\"", YES},
	    {"header(subject) is \"buy\"", NO},
	    {"size > 4k and size < 5k and size >= 5000 and size <= 5000 and size = 5000 and size is 5000", YES},
	    {"size > 5000 or size < 5000 or size = 4999", NO},
	    {"header.count(\"Subject\") = 1", YES},
	};

	(void)state;
	CHECK(cases);
}

static void absent_is_nothing_and_the_empty_text(void **state)
{
	static const struct question cases[] = {
	    {"client.ptr is example.org", NO},
	    {"client.ptr is not example.org", YES},
	    {"client.ptr is not { example.org .example.com }", YES},
	    {"client.ptr is \"\"", YES},
	    {"client.ptr is not \"\"", NO},
	    {"header(\"X-None\") is \"\"", YES},
	    {"header(\"X-None\") is \"x\"", NO},
	    {"header(\"X-None\") is not \"x\"", YES},
	    {"header(\"X-None\") matches /^$/", YES},
	    {"header(\"X-None\") in friends", NO},
	    {"tls.version is not \"TLSv1.3\"", YES},
	    {"auth", NO},
	    {"not auth", YES},
	};

	(void)state;
	CHECK(cases);
}

static void not_binds_looser_than_is_and_and_tighter_than_or(void **state)
{
	static const struct question cases[] = {
	    {"not spf is pass", YES},
	    {"not spf is fail", NO},
	    {"not spf is pass and spf is pass", NO},
	    {"spf is fail or spf is fail and spf is pass", YES},
	    {"(spf is fail or spf is fail) and spf is pass", NO},
	    {"spf is pass and spf is fail or spf is fail", YES},
	    {"spf is pass and (spf is fail or spf is fail)", NO},
	    {"not (spf is pass or spf is none)", YES},
	    {"not not spf is fail", YES},
	    {"not sender in friends or spf is fail", YES},
	    {"not sender in friends and spf is fail", NO},
	};

	(void)state;
	CHECK(cases);
}

static void expressions_match_parts_of_texts(void **state)
{
	static const struct question cases[] = {
	    {"header(\"Subject\") matches /now/", YES},          {"header(\"Subject\") matches /NOW/", NO},
	    {"header(\"Subject\") matches /^buy NOW$/i", YES},   {"sender matches /^alice@/", YES},
	    {"helo matches /mail\\.example\\.(org|net)$/", YES}, {"helo matches /a\\/b/", NO},
	};

	(void)state;
	CHECK(cases);
}

static void lists_and_owners_answer(void **state)
{
	static const struct question cases[] = {
	    {"sender in friends", YES},         {"client in friends", YES},          {"helo in friends", NO},
	    {"sender owned by auth.user", YES}, {"sender owned by auth.method", NO},
	};

	(void)state;
	CHECK(cases);
}

static void unknown_spreads_only_where_it_matters(void **state)
{
	static const struct question cases[] = {
	    {"sender in absent", HUH},
	    {"not sender in absent", HUH},
	    {"sender in absent or spf is fail", YES},
	    {"spf is fail or sender in absent", YES},
	    {"sender in absent and spf is pass", NO},
	    {"spf is pass and sender in absent", NO},
	    {"sender in absent and spf is fail", HUH},
	    {"sender in absent or spf is pass", HUH},
	    {"spf.helo is fail", HUH},
	    {"spf.helo is not fail", HUH},
	    {"not (sender in absent and spf is pass)", YES},
	};

	(void)state;
	CHECK(cases);
}

static void an_expression_beyond_its_limits_is_unknown(void **state)
{
	struct scene *scene;
	char *value = malloc(100001);

	(void)state;
	prepare_lists();
	memset(value, 'a', 100000);
	value[100000] = '\0';
	scene = scene_new(
	    ON("message", "reject if header(\"X-Long\") matches /b/\nreject if header(\"X-Evil\") matches /^(a+)+$/\n"
			  "reject if header(\"X-Slow\") matches /(a+)+[bc]/"));
	headers_add(&scene->message.headers, SLICE("X-Long"), (struct slice){value, 16385});
	value[20] = '!'; /* a million steps */
	headers_add(&scene->message.headers, SLICE("X-Evil"), (struct slice){value, 21});
	value[20] = 'a';
	headers_add(&scene->message.headers, SLICE("X-Slow"), (struct slice){value, 16384});
	int64_t before = clock_us();
	run(scene, STAGE_MESSAGE, false);
	assert_true(clock_us() - before < 60000000); /* without a bound it would not end */
	assert_string_equal(outcome_text(scene), "none");
	assert_int_equal(scene->decision.note_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(scene->decision.notes[i].kind, NOTE_UNKNOWN);
	scene_free(scene);
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_compares_by_type),
	    cmocka_unit_test(absent_is_nothing_and_the_empty_text),
	    cmocka_unit_test(not_binds_looser_than_is_and_and_tighter_than_or),
	    cmocka_unit_test(expressions_match_parts_of_texts),
	    cmocka_unit_test(lists_and_owners_answer),
	    cmocka_unit_test(unknown_spreads_only_where_it_matters),
	    cmocka_unit_test(an_expression_beyond_its_limits_is_unknown),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
