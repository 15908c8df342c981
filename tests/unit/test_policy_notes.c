/*
 * test_policy_notes.c - what rules note for later rules (score, set, stop), what texts take from expressions, and
 * the messages about mistakes there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "assert_slice.h"
#include "policy_scene.h"

/* All log notes, each on a line. */
static const char *logged(const struct scene *scene)
{
	static char text[20000];
	char *end = text;

	*text = '\0';
	for (size_t i = 0; i < scene->decision.note_count; i++)
		if (scene->decision.notes[i].kind == NOTE_LOG)
			end +=
			    sprintf(end, "%s%.*s", end == text ? "" : "\n", SLICE_ARGS(scene->decision.notes[i].text));
	return text;
}

static void run_recipient(struct scene *scene, const char *address)
{
	scene->recipient.address = address_parse_path(slice_of(address), scene->arena);
	run(scene, STAGE_RCPT, false);
}

/* ---- scores -------------------------------------------------------------------------------------------- */

static void scores_add_up_and_later_rules_read_the_sum(void **state)
{
	struct scene *scene =
	    scene_new(ON("mail", "log \"%{score}\"\nscore 5 \"spf %{spf}\" if spf is fail\n"
				 "score 7 \"no\" if spf is pass\nscore -8 \"friend\" if sender in friends\n"
				 "log \"%{score}\" if score < -2 and score is -3 and score = -3\n"
				 "score +4 \"more\"\nreject \"%{score} points\" if score > 0"));
	const struct score *scores;

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 1 points");
	assert_string_equal(logged(scene), "0\n-3");
	assert_int_equal(scene->decision.noted.score, 1);
	assert_int_equal(scene->decision.score_count, 3);
	scores = scene->decision.scores;
	assert_int_equal(scores[0].points, 5);
	assert_slice(scores[0].why, "spf fail");
	assert_int_equal(scores[0].rule.line, FIRST_RULE + 1);
	assert_int_equal(scores[1].points, -8);
	assert_int_equal(scores[2].points, 4);
	assert_non_null(strstr(scene->trace, "score +4 \"more\": true, note"));
	scene_free(scene);
}

static void what_is_noted_under_try_and_in_report_mode_is_read(void **state)
{
	static const char *const files[] = {
	    "mode enforce\npolicy inbound { on mail {\ntry score 5 \"a\"\ntry set x \"y\"\n"
	    "log \"%{score} %{var(x)}\"\ntry stop if score is 5\nlog \"not reached\"\n} }\n",
	    "mode report\npolicy inbound { on mail {\nscore 5 \"a\"\nset x \"y\"\n"
	    "log \"%{score} %{var(x)}\"\nstop if var(\"x\") is \"Y\"\nlog \"not reached\"\n} }\n",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct scene *scene = scene_new(files[i]);

		run(scene, STAGE_MAIL, false);
		assert_string_equal(logged(scene), "5 y");
		assert_int_equal(scene->decision.note_count, 1); /* nothing "would" */
		scene_free(scene);
	}
}

/* A recipient does not count for another one, and a client that names a thousand of them changes nothing. */
static void at_rcpt_the_score_is_the_recipients_and_a_rule_counts_once_for_the_message(void **state)
{
	struct scene *scene =
	    scene_new("policy inbound {\non mail {\nscore 1 \"mail\"\n}\non rcpt {\nscore 5 \"trap\" if recipient is "
		      "trap@example.net\nscore 2 \"each\"\nscore -9 \"friend\" if recipient is friend@example.net\n"
		      "reject \"%{score}\" if score > 7\n}\non message {\nlog \"%{score}\"\n}\n}\n");

	(void)state;
	run(scene, STAGE_MAIL, false);
	run_recipient(scene, "<trap@example.net>");
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 8");
	for (int i = 0; i < 1000; i++) {
		run_recipient(scene, "<bob@example.net>");
		assert_string_equal(outcome_text(scene), "none");
	}
	run_recipient(scene, "<friend@example.net>");
	assert_string_equal(outcome_text(scene), "none");
	run_recipient(scene, "<trap@example.net>"); /* the friend does not help it */
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 8");
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(logged(scene), "-1"); /* 1 + 5 + 2 - 9 */
	assert_int_equal(scene->decision.score_count, 4);
	scene_free(scene);
}

static void a_score_of_an_unknown_condition_is_not_given_and_defers_nothing(void **state)
{
	struct scene *scene =
	    scene_new(ON("mail", "score 5 \"x\" if sender in absent\nset x \"y\" if sender in absent"));

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(outcome_text(scene), "none");
	assert_int_equal(scene->decision.score_count, 0);
	assert_int_equal(scene->decision.notes[0].kind, NOTE_UNKNOWN);
	scene_free(scene);
}

/* ---- variables ------------------------------------------------------------------------------------------ */

static void variables_are_absent_until_they_are_set_and_the_last_text_counts(void **state)
{
	struct scene *scene =
	    scene_new(ON("mail", "log \"none\" if var(\"a\") is \"\" and not var(\"a\") matches /./\n"
				 "set a \"%{sender}\"\nset a \"%{var(a)}, again\" if var(a) is \"alice@example.org\"\n"
				 "set b \"x\" if spf is pass\nlog \"[%{var(a)}] [%{var(b)}]\"\nset a \"\"\n"
				 "log \"empty\" if var(\"a\") is \"\""));

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(logged(scene), "none\n[alice@example.org, again] []\nempty");
	scene_free(scene);
}

static void a_text_that_is_set_is_made_safe_where_it_goes_and_bounded(void **state)
{
	struct scene *scene =
	    scene_new(ON("message", "set x \"%{header(X-Evil)}\"\nlog \"%{var(x)}\"\nadd-header X-A "
				    "\"%{var(x)}\"\nset x \"%{header(X-Long)}\"\nreject \"%{var(x)}\""));
	char *value = malloc(100000);

	(void)state;
	memset(value, 'x', 100000);
	headers_add(&scene->message.headers, SLICE("X-Evil"), SLICE(" a\x01%n\xC3\xA9"));
	headers_add(&scene->message.headers, SLICE("X-Long"), (struct slice){value, 100000});
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(logged(scene), "a\\x01%n\xC3\xA9");
	assert_null(memchr(scene->decision.edits[0].value.p, 1, scene->decision.edits[0].value.n));
	assert_int_equal(scene->outcome.reply.lines[0].n, REPLY_LINE_MAX);
	assert_int_equal(scene->decision.noted.vars[0].n, VARIABLE_TEXT_MAX);
	scene_free(scene);
	free(value);
}

static void what_is_set_for_a_recipient_is_not_seen_for_the_next(void **state)
{
	struct scene *scene = scene_new(
	    "policy inbound {\non mail {\nset who \"all\"\n}\non rcpt {\nset who \"vip\" if recipient is "
	    "vip@example.net\nlog \"%{recipient} %{var(who)}\"\n}\non message {\nlog \"%{var(who)}\"\n}\n}\n");
	size_t used;

	(void)state;
	run(scene, STAGE_MAIL, false);
	run_recipient(scene, "<bob@example.net>");
	run_recipient(scene, "<vip@example.net>");
	run_recipient(scene, "<eve@example.net>");
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(logged(scene), "bob@example.net all\nvip@example.net vip\neve@example.net all\nvip");
	run_recipient(scene, "<vip@example.net>");
	used = (size_t)(scene->decision.noted.vars[0].p - scene->decision.noted.texts);
	assert_int_equal(used, 0); /* one place for each variable, written over */
	scene_free(scene);
}

/* ---- stop ------------------------------------------------------------------------------------------------ */

static void stop_ends_the_stage_without_a_verdict(void **state)
{
	struct scene *scene =
	    scene_new("list absent file:nowhere\npolicy inbound {\non mail {\nstop if spf is pass\n"
		      "stop if spf is fail\nreject \"not reached\"\n}\non rcpt {\nstop if recipient is "
		      "bob@example.net\nreject \"rcpt\"\n}\non message {\nstop if sender in absent\n"
		      "reject \"x\"\n}\n}\n");

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(outcome_text(scene), "none");
	assert_non_null(strstr(scene->trace, "stop if spf is fail: true, stop"));
	assert_null(strstr(scene->trace, "not reached"));
	run_recipient(scene, "<bob@example.net>");
	assert_string_equal(outcome_text(scene), "none");
	run_recipient(scene, "<eve@example.net>"); /* the next recipient is tried by all rules */
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 rcpt");
	/* It is unknown whether the later rules were meant for this one. */
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(outcome_text(scene), "defer 451 4.3.0 Temporary failure of a list, try again later");
	run(scene, STAGE_MESSAGE, true);
	assert_string_equal(outcome_text(scene), "none");
	scene_free(scene);
}

static void stop_keeps_an_acceptance(void **state)
{
	struct scene *scene = scene_new(ON("mail", "accept\nadd-header X-A \"b\"\nstop\nadd-header X-B \"c\"\nreject"));

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(outcome_text(scene), "accept");
	assert_int_equal(scene->decision.edit_count, 1);
	scene_free(scene);
}

/* ---- %{1} ------------------------------------------------------------------------------------------------- */

static void texts_take_what_the_last_expression_matched(void **state)
{
	static const struct {
		const char *rule, *logged;
	} cases[] = {
	    {"log \"%{1}|%{2}|%{0}\" if header(\"Subject\") matches /(\\w+) (\\w+)$/", "Buy|now|Buy now"},
	    {"log \"%{0}\" if header(\"Subject\") matches /now/", "now"},
	    {"log \"[%{1}] [%{2}]\" if header(\"Subject\") matches /(x)?(now)/", "[] [now]"},
	    {"log \"%{1}\" if sender matches /^(.*)@/ and helo matches /^([a-z]*)/", "mail"},
	    {"log \"%{1}\" if sender matches /^(.*)@/ or helo matches /^([a-z]*)/", "alice"},
	    /* One that does not match, and one without groups, take nothing away. */
	    {"log \"%{1}\" if sender matches /^(.*)@/ and not helo matches /^(no)/", "alice"},
	    {"log \"%{1} %{0}\" if sender matches /^(.*)@/ and helo matches /^mail/", "alice mail"},
	    {"log \"[%{1}]\" if spf is fail or sender matches /^(.*)@/", "[]"},
	    {"log \"[%{9}]\" if helo matches /(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)/", "[m]"},
	    {"log \"%{1}\" if any dkim.domains matches /^mail\\.(.*)/", "example.com"},
	    {"log \"%{1}[%{9}%{8}%{2}]\" if helo matches /(.)(.)(.)(.)(.)(.)(.)(.)(.)x/ or helo matches /^(mail)/",
	     "mail[]"},
	    {"log \"%%{1}\" if helo matches /mail/", "%{1}"},
	    {"set a \"%{1}\" if sender matches /^(.*)@/\nlog \"%{var(a)}\"", "alice"},
	    {"score 2 \"%{1}\" if sender matches /^(.*)@/\nlog \"%{score}\"", "2"},
	    {"log \"%{1}\" if header(\"X-Evil\") matches /(.*)/", "a\\x01b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene *scene;
		char *text = NULL;

		assert_true(asprintf(&text, ON("message", "%s"), cases[i].rule) > 0);
		scene = scene_new(text);
		remember(scene, "dkim.domains", word("example.org mail.example.com"));
		headers_add(&scene->message.headers, SLICE("X-Evil"),
			    SLICE(" a\x01"
				  "b"));
		run(scene, STAGE_MESSAGE, false);
		if (strcmp(logged(scene), cases[i].logged))
			fail_msg("%s: expected %s, got %s", cases[i].rule, cases[i].logged, logged(scene));
		scene_free(scene);
		free(text);
	}
}

static void what_an_expression_matched_belongs_to_its_rule(void **state)
{
	struct scene *scene = scene_new(ON("message", "log \"%{1}\" if sender matches /^(.*)@/\n"
						      "log \"[%{1}]\" if spf is fail or helo matches /(x)/\n"
						      "reject \"%{1}\" \"%{0}\" if header(\"X-Long\") matches /(x+)/"));
	char *value = malloc(16000);

	(void)state;
	memset(value, 'x', 16000);
	headers_add(&scene->message.headers, SLICE("X-Long"), (struct slice){value, 16000});
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(logged(scene), "alice\n[]");
	assert_int_equal(scene->outcome.reply.lines[0].n, REPLY_LINE_MAX);
	scene_free(scene);
	free(value);
}

/* ---- facts ------------------------------------------------------------------------------------------------ */

static void facts_of_header_author_daemon_and_time(void **state)
{
	static const struct {
		const char *name, *value, *text, *expected;
	} cases[] = {
	    {"Reply-To", " Bob <Bob@Example.NET>, eve@example.com",
	     "%{header.address(Reply-To)} %{header.domain(reply-to)}", "Bob@Example.NET example.net"},
	    {"Sender",
	     " a@b\xC3\xBC"
	     "cher.example",
	     "%{header.domain(Sender)}", "xn--bcher-kva.example"},
	    {"Sender", " not an address", "%{header.address(Sender)}|%{header.domain(Sender)}", "not an address|"},
	    {"Sender", " ", "[%{header.address(Sender)}]", "[]"},
	    {"X-None", "", "[%{header.address(Sender)}] [%{header.domain(Sender)}]", "[] []"},
	    {"To", " team: a@x.example, b@y.example;", "%{header.domain(To)}", "x.example"},
	    {"To", " nobody:;", "[%{header.domain(To)}]", "[]"},
	    {"From", " \"Smith, \\\"Al\\\"\"  (sales)\r\n Bob <a@b.example>", "%{from.name}", "Smith, \"Al\" Bob"},
	    {"From", " a@b.example", "[%{from.name}]", "[]"},
	    {"From", " =?utf-8?q?B=C3=BCro?= =?utf-8?B?IDEK?= <a@b.example>", "%{from.name}", "B\xC3\xBCro 1\\x0A"},
	    {"From", " \"=?utf-8?q?eve=40x.example?=\" <a@b.example>", "%{from.name} %{from}",
	     "eve@x.example a@b.example"},
	    {"From", " First <a@b.example>, Second <c@d.example>", "%{from.name}", "First"},
	    {"From", " Evil <a@b.example> <c@d.example>", "[%{from.name}]", "[]"},
	    {"Message-ID", " <1@x.example>\r\n", "%{message-id}", "<1@x.example>"},
	    {"List-Id", " Our list <Our.Lists.Example.org> ", "%{list-id}", "our.lists.example.org"},
	    {"List-ID", " our.lists.example.org", "%{list-id}", "our.lists.example.org"},
	    {"X", "", "%{port} %{daemon-name} [%{list-id}] [%{message-id}]", "587 MSA [] []"},
	    {"X", "", "%{time.hour} %{time.weekday}", "23 saturday"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene *scene;
		char *text = NULL;

		assert_true(asprintf(&text, ON("message", "log \"%s\""), cases[i].text) > 0);
		scene = scene_new(text);
		scene->session.daemon_port = 587;
		scene->session.daemon_name = SLICE("MSA");
		scene->view.now_us = INT64_C(1600000000) * 1000000; /* 2020-09-13 12:26:40 UTC, a Sunday */
		headers_add(&scene->message.headers, slice_of(cases[i].name), slice_of(cases[i].value));
		run(scene, STAGE_MESSAGE, false);
		if (strcmp(logged(scene), cases[i].expected))
			fail_msg("%s:%s expected %s, got %s", cases[i].name, cases[i].value, cases[i].expected,
				 logged(scene));
		scene_free(scene);
		free(text);
	}
}

/* An address that cannot be read is in no list, and no login owns it. */
static void an_address_that_cannot_be_read_is_nobodys(void **state)
{
	struct scene *scene =
	    scene_new(ON("message", "log \"in\" if header.address(\"Reply-To\") in friends\n"
				    "log \"owned\" if header.address(\"Reply-To\") owned by auth.user\n"
				    "log \"null\" if header.address(\"Reply-To\") is null\n"
				    "log \"at\" if header.address(\"Reply-To\") is @example.org"));

	(void)state;
	remember(scene, "auth.user", word("alice"));
	headers_add(&scene->message.headers, SLICE("Reply-To"), SLICE(" alice@example.org <alice@example.org>"));
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(logged(scene), "");
	scene_free(scene);
}

/* ---- what the compiler says ------------------------------------------------------------------------------ */

static const struct {
	const char *rule, *message;
} mistakes[] = {
    {"score 5 \"x\"\nscore -1000000 \"y\"\nscore 1000000 \"z\"", ""},
    {"reject if (spf is fail or\nscore > 5)", ""}, /* no statement begins there */
    {"score", "1: a score has a number and a reason; write score NUMBER \"why\""},
    {"score 5", "1: a score has a reason, which the record shows; write score NUMBER \"why\""},
    {"score 2.5 \"x\"",
     "7: a score is a whole number from -1000000 to 1000000, as in score 5 or score -3; write score NUMBER "
     "\"why\""},
    {"score 1000001 \"x\"",
     "7: a score is a whole number from -1000000 to 1000000, as in score 5 or score -3; write score NUMBER "
     "\"why\""},
    {"score \"5\" \"x\"",
     "7: a score is a whole number from -1000000 to 1000000, as in score 5 or score -3; write score NUMBER "
     "\"why\""},
    {"score 5 why", "9: one text in quotes fits here; write score NUMBER \"why\""},
    {"score 5 \"a\" \"b\"", "13: one text in quotes fits here; write score NUMBER \"why\""},
    {"set", "1: the name of a variable is missing; write set NAME \"text\""},
    {"set x", "1: the text of the variable is missing; write set NAME \"text\""},
    {"set x y", "7: one text in quotes fits here; write set NAME \"text\""},
    {"set 1x \"y\"",
     "5: \"1x\" is not a name of a variable; use letters, digits, \"_\", \"-\" and \".\", a letter or \"_\" "
     "first, 64 at most"},
    {"stop \"x\"", "6: this action takes no arguments; only \"if\" may follow; write stop"},
    {"set kind \"x\"\nlog \"a\" if var(\"kind\") is \"x\"\nlog \"%{var(kind)}\"", ""},
    {"log \"a\" if var(\"kind\") is \"x\"\nset kind \"x\"", ""},
    {"set kind \"x\"\nlog \"a\" if var(\"knid\") is \"x\"", "t:4:16: no rule sets \"knid\"; did you mean \"kind\"?"},
    {"log \"a\" if var(\"kind\") is \"x\"",
     "16: no rule sets \"kind\"; write a rule before this one: set kind \"text\""},
    {"log \"%{var(kind)}\"", "12: no rule sets \"kind\"; write a rule before this one: set kind \"text\""},
    {"log \"a\" if var is \"x\"", "12: var needs the name of a variable; write var(\"NAME\")"},
    {"log \"a\" if score(x) > 1", "18: score takes no argument; write score alone"},
    {"log \"a\" if score is low", "21: score is a number and never \"low\"; write digits, or a size as in 10M"},
    {"log \"%{1}\"", "8: %{1} is what an expression of this rule matched, and the rule has none; write if FACT "
		     "matches /(...)/, "
		     "or name a fact"},
    {"log \"a %{2}\" if helo matches /(x)/",
     "10: %{2} is group 2 of an expression of this rule, and it has 1; put ( ) around what is meant, or use "
     "another number"},
    {"log \"%{0} %{1}\" if helo matches /x/",
     "13: %{1} is group 1 of an expression of this rule, and it has 0; put ( ) around what is meant, or use "
     "another number"},
    {"log \"%{10}\" if helo matches /x/",
     "8: the groups of an expression are %{1} to %{9}, and %{0} is all that it matched; use fewer, or name a "
     "fact"},
    {"log \"a\" if helo matches /(x)/\nlog \"%{1}\"",
     "t:4:8: %{1} is what an expression of this rule matched, and the rule has none; write if FACT matches "
     "/(...)/, or name a fact"},
    {"log \"a\" if time.weekday is caturday",
     "28: time.weekday is never \"caturday\"; it is one of monday tuesday wednesday thursday friday saturday "
     "sunday; did you mean \"saturday\"?"},
    {"log \"a\" if header.address is null",
     "12: header.address needs the name of a field; write header.address(\"Subject\")"},
};

static void mistakes_have_their_place_and_what_to_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char *text = NULL, *messages;
		const char *said;

		assert_true(asprintf(&text, "policy inbound {\non message {\n%s\n}\n}\n", mistakes[i].rule) > 0);
		policy_release(load_text(text, NULL, &messages));
		said = strncmp(messages, "t:3:", 4) == 0 ? messages + 4 : messages;
		if (strcmp(said, mistakes[i].message))
			fail_msg("of %s expected\n%s\ngot\n%s", mistakes[i].rule, mistakes[i].message, said);
		free(messages);
		free(text);
	}
}

static void a_file_has_a_bounded_number_of_variables(void **state)
{
	char *text = NULL, *messages;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	fprintf(out, "policy inbound { on mail {\n");
	for (int i = 0; i < VARIABLES_MAX + 1; i++)
		fprintf(out, "set v%d \"x\"\nset v%d \"y\"\n", i, i);
	fprintf(out, "} }\n");
	fclose(out);
	assert_null(load_text(text, NULL, &messages));
	assert_string_equal(messages, "t:202:5: the file sets more than 100 variables; use fewer\n"
				      "t:203:5: the file sets more than 100 variables; use fewer");
	free(messages);
	free(text);
}

static int set_zone(void **state)
{
	setenv("TZ", "XXX+13:15", 1); /* 13 h 15 min after UTC: 23:11 on Saturday */
	if (enter_directory(state))
		return -1;
	prepare_lists();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scores_add_up_and_later_rules_read_the_sum),
	    cmocka_unit_test(what_is_noted_under_try_and_in_report_mode_is_read),
	    cmocka_unit_test(at_rcpt_the_score_is_the_recipients_and_a_rule_counts_once_for_the_message),
	    cmocka_unit_test(a_score_of_an_unknown_condition_is_not_given_and_defers_nothing),
	    cmocka_unit_test(variables_are_absent_until_they_are_set_and_the_last_text_counts),
	    cmocka_unit_test(a_text_that_is_set_is_made_safe_where_it_goes_and_bounded),
	    cmocka_unit_test(what_is_set_for_a_recipient_is_not_seen_for_the_next),
	    cmocka_unit_test(stop_ends_the_stage_without_a_verdict),
	    cmocka_unit_test(stop_keeps_an_acceptance),
	    cmocka_unit_test(texts_take_what_the_last_expression_matched),
	    cmocka_unit_test(what_an_expression_matched_belongs_to_its_rule),
	    cmocka_unit_test(facts_of_header_author_daemon_and_time),
	    cmocka_unit_test(an_address_that_cannot_be_read_is_nobodys),
	    cmocka_unit_test(mistakes_have_their_place_and_what_to_do),
	    cmocka_unit_test(a_file_has_a_bounded_number_of_variables),
	};

	return cmocka_run_group_tests(tests, set_zone, leave_directory);
}
