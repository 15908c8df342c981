/*
 * test_policy_run.c - what rules decide: verdicts, edits, notes, and what is done when a condition
 * is unknown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "assert_slice.h"
#include "policy_scene.h"

static void verdicts_come_with_their_reply(void **state)
{
	static const struct {
		const char *rule, *outcome;
	} cases[] = {
	    {"accept", "accept"},
	    {"discard", "discard"},
	    {"reject", "reject 550 5.7.1 Rejected by policy"},
	    {"defer", "defer 451 4.7.1 Try again later"},
	    {"reject 554", "reject 554 5.7.1 Rejected by policy"},
	    {"reject 550 5.7.23 \"one\" \"two %{sender}\"", "reject 550 5.7.23 one / two alice@example.org"},
	    {"reject \"100%% of %{sender.domain}\"", "reject 550 5.7.1 100% of example.org"},
	    {"reject \"%{spf.explanation}.\"", "reject 550 5.7.1 not  allowed??."},
	    {"reject \"[%{client.ptr}] \\\"%{client}\\\"\"", "reject 550 5.7.1 [] \"192.0.2.1\""},
	    {"reject if spf is pass", "none"},
	    {"quarantine", "none"},
	};

	(void)state;
	prepare_lists();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = NULL;
		struct scene *scene;

		assert_true(asprintf(&text, ON("mail", "%s"), cases[i].rule) > 0);
		scene = scene_new(text);
		run(scene, STAGE_MAIL, false);
		if (strcmp(outcome_text(scene), cases[i].outcome))
			fail_msg("%s: expected %s, got %s", cases[i].rule, cases[i].outcome, outcome_text(scene));
		if (scene->outcome.verdict) {
			assert_int_equal(scene->outcome.rule.line, FIRST_RULE);
			assert_string_equal(scene->outcome.rule.file, "t");
		}
		scene_free(scene);
		free(text);
	}
}

static void the_first_rule_that_decides_ends_the_stage(void **state)
{
	struct scene *scene =
	    scene_new(ON("mail", "log \"a\"\nreject \"x\" if spf is pass\ndefer \"y\"\nlog \"b\"\nreject \"z\""));

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(outcome_text(scene), "defer 451 4.7.1 y");
	assert_int_equal(scene->outcome.rule.line, FIRST_RULE + 2);
	assert_int_equal(scene->decision.note_count, 1);
	scene_free(scene);
}

static void accept_ends_verdicts_and_not_edits(void **state)
{
	struct scene *scene = scene_new(ON(
	    "mail", "accept if client in friends\nreject\nquarantine \"q\"\nadd-header X \"y\"\nlog \"z\"\ndiscard"));

	(void)state;
	prepare_lists();
	scene_free(scene);
	scene = scene_new(ON(
	    "mail", "accept if client in friends\nreject\nquarantine \"q\"\nadd-header X \"y\"\nlog \"z\"\ndiscard"));
	run(scene, STAGE_MAIL, false);
	assert_string_equal(outcome_text(scene), "accept");
	assert_int_equal(scene->outcome.rule.line, FIRST_RULE);
	assert_false(scene->decision.quarantined);
	assert_int_equal(scene->decision.edit_count, 1);
	assert_int_equal(scene->decision.note_count, 1);
	scene_free(scene);

	/* what an earlier stage accepted */
	scene = scene_new(ON("mail", "reject\nquarantine\nadd-header X \"y\""));
	run(scene, STAGE_MAIL, true);
	assert_string_equal(outcome_text(scene), "none");
	assert_false(scene->decision.quarantined);
	assert_int_equal(scene->decision.edit_count, 1);
	scene_free(scene);
}

static void quarantine_is_remembered_and_a_later_reject_wins(void **state)
{
	struct scene *scene = scene_new(ON("mail", "quarantine \"one %{sender}\"\nquarantine \"two\"\nreject"));

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_true(scene->decision.quarantined);
	assert_true(slice_equal(scene->decision.quarantine_reason, SLICE("one alice@example.org")));
	assert_int_equal(scene->decision.quarantine_rule.line, FIRST_RULE);
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 Rejected by policy");
	scene_free(scene);
}

static void rules_are_those_of_their_stage_and_kind(void **state)
{
	struct scene *scene =
	    scene_new("policy inbound { on mail { reject \"mail\" } on rcpt { reject \"%{recipient}\" } }\n"
		      "policy local { on mail { reject \"local\" } }\n");

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 mail");
	run(scene, STAGE_RCPT, false);
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 bob@example.net");
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(outcome_text(scene), "none");
	policy_run(scene->policy, KIND_LOCAL, STAGE_MAIL, &scene->view, false, &scene->decision, NULL, &scene->outcome);
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 local");
	policy_run(scene->policy, KIND_SUBMISSION, STAGE_MAIL, &scene->view, false, &scene->decision, NULL,
		   &scene->outcome);
	assert_string_equal(outcome_text(scene), "none");
	scene_free(scene);
}

static const char *note_text(const struct scene *scene, size_t i)
{
	static char text[2000];

	if (i >= scene->decision.note_count)
		return "none";
	snprintf(text, sizeof(text), "%.*s", SLICE_ARGS(scene->decision.notes[i].text));
	return text;
}

static void try_does_nothing_but_note_what_it_would(void **state)
{
	static const struct {
		const char *rule, *would;
	} cases[] = {
	    {"reject 550 5.7.23 \"SPF: %{spf}\" \"two\"", "reject 550 5.7.23 SPF: fail / two"},
	    {"defer", "defer 451 4.7.1 Try again later"},
	    {"accept", "accept"},
	    {"discard", "discard"},
	    {"quarantine", "quarantine"},
	    {"quarantine \"why\"", "quarantine why"},
	    {"add-header X-Spf \"%{spf}\"", "add-header X-Spf: fail"},
	    {"delete-header X-Spf", "delete-header X-Spf"},
	    {"prefix-subject \"[x] \"", "prefix-subject [x] "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int whole_file = 0; whole_file < 2; whole_file++) {
			struct scene *scene;
			char *text = NULL;

			assert_true(
			    asprintf(&text,
				     "mode %s\npolicy inbound { on mail {\n%s %s if spf is fail\nlog \"on\"\n} }\n",
				     whole_file ? "report" : "enforce", whole_file ? "" : "try", cases[i].rule) > 0);
			scene = scene_new(text);
			run(scene, STAGE_MAIL, false);
			assert_string_equal(outcome_text(scene), "none");
			assert_int_equal(scene->decision.edit_count, 0);
			assert_false(scene->decision.quarantined);
			assert_int_equal(scene->decision.notes[0].kind, NOTE_WOULD);
			assert_string_equal(note_text(scene, 0), cases[i].would);
			assert_int_equal(scene->decision.notes[1].kind, NOTE_LOG); /* the rules go on */
			scene_free(scene);
			free(text);
		}
	}
}

static void edits_are_kept_in_order_and_once(void **state)
{
	struct scene *scene =
	    scene_new(ON("rcpt", "add-header X-To \"%{recipient}\"\nadd-header X-One \"same\"\ndelete-header X-Old\n"
				 "replace-header X-New \"%{sender}\"\nprefix-subject \"[%{spf}] \""));

	(void)state;
	run(scene, STAGE_RCPT, false);
	assert_int_equal(scene->decision.edit_count, 5);
	scene->recipient.address = address_parse_path(SLICE("<eve@example.net>"), scene->arena);
	run(scene, STAGE_RCPT, false);
	assert_int_equal(scene->decision.edit_count, 6); /* only what differs by recipient is there twice */
	assert_int_equal(scene->decision.edits[0].kind, EDIT_ADD_HEADER);
	assert_int_equal(scene->decision.edits[2].kind, EDIT_DELETE_HEADER);
	assert_int_equal(scene->decision.edits[3].kind, EDIT_REPLACE_HEADER);
	assert_int_equal(scene->decision.edits[4].kind, EDIT_PREFIX_SUBJECT);
	assert_true(slice_equal(scene->decision.edits[0].value, SLICE("bob@example.net")));
	assert_true(slice_equal(scene->decision.edits[4].value, SLICE("[fail] ")));
	assert_true(slice_equal(scene->decision.edits[5].value, SLICE("eve@example.net")));
	assert_int_equal(scene->decision.edits[5].rule.line, FIRST_RULE);
	scene_free(scene);
}

/* Many recipients fill the places of the rules that are tried for each, and of no other rule. */
static void edits_and_notes_of_a_rule_are_bounded_and_take_no_other_rules_place(void **state)
{
	struct scene *scene = scene_new(ON("rcpt", "add-header X-To \"%{recipient}\"\nlog \"%{recipient}\"\n"
						   "delete-header X-Old if recipient is last@example.net\n"
						   "log \"end\" if recipient is last@example.net"));
	const struct decision *decision = &scene->decision;
	char address[64];

	(void)state;
	for (int i = 0; i < 400; i++) {
		snprintf(address, sizeof(address), "<user%d@example.net>", i);
		scene->recipient.address =
		    address_parse_path(slice_of(i < 399 ? address : "<last@example.net>"), scene->arena);
		*scene->trace = '\0';
		run(scene, STAGE_RCPT, false);
	}
	assert_int_equal(decision->edit_count, DECISION_RULE_EDITS_MAX + 1);
	assert_int_equal(decision->edits[DECISION_RULE_EDITS_MAX].kind, EDIT_DELETE_HEADER);
	assert_int_equal(decision->note_count, DECISION_RULE_NOTES_MAX + 3);
	assert_slice(decision->notes[DECISION_RULE_NOTES_MAX].text, "further notes of this rule were left out");
	assert_int_equal(decision->notes[DECISION_RULE_NOTES_MAX].rule.line, FIRST_RULE + 1);
	assert_slice(decision->notes[DECISION_RULE_NOTES_MAX + 1].text, "further edits of this rule were left out");
	assert_int_equal(decision->notes[DECISION_RULE_NOTES_MAX + 1].rule.line, FIRST_RULE);
	assert_slice(decision->notes[DECISION_RULE_NOTES_MAX + 2].text, "end");
	scene_free(scene);
}

static void what_comes_from_outside_is_made_safe_for_where_it_goes(void **state)
{
	struct scene *scene =
	    scene_new(ON("message", "add-header X-A \"%{header(X-Evil)}\"\nprefix-subject \"%{header(X-Evil)}\"\n"
				    "log \"%{header(X-Evil)}\"\nreject \"%{header(X-Evil)}\""));

	(void)state;
	headers_add(&scene->message.headers, SLICE("X-Evil"), SLICE(" a\x01\x7F%n\xC3\xA9"));
	run(scene, STAGE_MESSAGE, false);
	assert_null(memchr(scene->decision.edits[0].value.p, 1, scene->decision.edits[0].value.n));
	assert_null(memchr(scene->decision.edits[0].value.p, 0xC3, scene->decision.edits[0].value.n));
	assert_true(slice_equal(scene->decision.edits[1].value, SLICE("a  %n\xC3\xA9")));
	assert_string_equal(note_text(scene, 0), "a\\x01\\x7F%n\xC3\xA9");
	assert_string_equal(outcome_text(scene), "reject 550 5.7.1 a  %n??");
	scene_free(scene);
}

static void expansions_are_bounded(void **state)
{
	struct scene *scene =
	    scene_new(ON("message", "log \"%{header(X-Long)}\"\nadd-header X-A \"%{header(X-Long)}\"\n"
				    "reject \"%{header(X-Long)}\" \"two\""));
	char *value = malloc(200000);

	(void)state;
	memset(value, 'x', 200000);
	headers_add(&scene->message.headers, SLICE("X-Long"), (struct slice){value, 200000});
	run(scene, STAGE_MESSAGE, false);
	assert_int_equal(scene->outcome.reply.lines[0].n, REPLY_LINE_MAX);
	assert_int_equal(scene->outcome.reply.line_count, 2);
	assert_int_equal(scene->decision.notes[0].text.n, 1000);
	assert_true(scene->decision.edits[0].value.n < 4000); /* 2000 bytes, as encoded words */
	scene_free(scene);
	free(value);
}

static void an_unknown_list_defers_or_skips_as_it_says(void **state)
{
	static const struct {
		const char *rule, *outcome, *note;
		bool accepted;
	} cases[] = {
	    {"reject if sender in absent", "defer 451 4.3.0 Temporary failure of a list, try again later",
	     "list absent: its file could not be read; deferred"},
	    {"accept if sender in absent", "defer 451 4.3.0 Temporary failure of a list, try again later",
	     "list absent: its file could not be read; deferred"},
	    {"add-header X \"y\" if not sender in absent",
	     "defer 451 4.3.0 Temporary failure of a list, try again later",
	     "list absent: its file could not be read; deferred"},
	    {"reject if sender in softly", "none", "list softly: its file could not be read; rule skipped"},
	    {"accept if sender in softly", "none", "list softly: its file could not be read; rule skipped"},
	    {"reject if sender in softly or sender in absent",
	     "defer 451 4.3.0 Temporary failure of a list, try again later",
	     "list absent: its file could not be read; deferred"},
	    {"reject if sender in absent or sender in softly",
	     "defer 451 4.3.0 Temporary failure of a list, try again later",
	     "list absent: its file could not be read; deferred"},
	    {"try reject if sender in absent", "none", "list absent: its file could not be read; rule skipped"},
	    {"log \"x\" if sender in absent", "none", "list absent: its file could not be read; rule skipped"},
	    {"add-header X \"y\" if sender in absent", "none", "list absent: its file could not be read; rule skipped",
	     true},
	    {"discard if spf.helo is fail", "none", "a test broke it; rule skipped"},
	    {"reject if not (sender in absent) and spf is pass", "none", "none"},
	};

	(void)state;
	prepare_lists();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene *scene;
		char *text = NULL;

		assert_true(asprintf(&text, ON("mail", "%s"), cases[i].rule) > 0);
		scene = scene_new(text);
		remember(scene, "spf.helo", failed());
		run(scene, STAGE_MAIL, cases[i].accepted);
		if (strcmp(outcome_text(scene), cases[i].outcome) || strcmp(note_text(scene, 0), cases[i].note))
			fail_msg("%s: got %s, noted %s", cases[i].rule, outcome_text(scene), note_text(scene, 0));
		if (scene->outcome.verdict)
			assert_int_equal(scene->outcome.rule.line, FIRST_RULE);
		assert_int_equal(scene->decision.edit_count, 0);
		scene_free(scene);
		free(text);
	}
}

static void a_trace_shows_the_rules_tried_with_what_they_saw(void **state)
{
	struct scene *scene = scene_new(ON("message", "accept   if  spf is pass # never\nreject \"a  b\"\n  if header( "
						      "Subject ) matches /now/ and\tclient is 192.0.2.1\nlog \"x\""));

	(void)state;
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(
	    scene->trace, "7 accept if spf is pass: false, no effect [spf=fail]\n"
			  "8 reject \"a  b\" if header( Subject ) matches /now/ and client is 192.0.2.1: true, decides "
			  "[header(\"Subject\")=Buy now] [client=192.0.2.1]");
	scene_free(scene);
}

static void facts_that_nobody_needs_are_not_computed(void **state)
{
	struct scene *scene =
	    scene_new(ON("mail", "reject if spf is fail or sender is null\nreject if spf is pass and sender is null"));

	(void)state;
	run(scene, STAGE_MAIL, false);
	assert_string_equal(scene->trace, "7 reject if spf is fail or sender is null: true, decides [spf=fail]");
	scene_free(scene);
}

/* In report mode mail is still sent: it is signed as before, and what would have been refused is not. */
static void report_mode_signs_what_the_policy_would_have_signed(void **state)
{
	static const struct {
		const char *mail, *rcpt, *message;
		size_t edits;
	} cases[] = {
	    {"", "", "sign", 1},
	    {"", "", "try sign", 0},
	    {"", "", "add-header X \"y\"\nquarantine\nsign", 1},
	    {"reject", "", "sign", 0},
	    {"", "", "discard\nsign", 0},
	    {"try reject", "", "sign", 1},
	    {"accept\nreject", "", "defer\nsign", 1},
	    {"", "reject", "sign", 1},
	    {"reject if sender in absent", "", "sign", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene *scene;
		char *text = NULL;

		write_key("owners");
		assert_true(asprintf(&text,
				     "mode report\nlist absent file:nowhere\n"
				     "sign example.org { selector s key owners }\npolicy inbound {\n"
				     "on mail {\n%s\n}\non rcpt {\n%s\n}\non message {\n%s\n}\n}\n",
				     cases[i].mail, cases[i].rcpt, cases[i].message) > 0);
		scene = scene_new(text);
		for (enum stage stage = STAGE_MAIL; stage <= STAGE_MESSAGE; stage++)
			run(scene, stage, false);
		if (scene->decision.edit_count != cases[i].edits ||
		    (cases[i].edits && scene->decision.edits[0].kind != EDIT_SIGN))
			fail_msg("%s\n%s", text, scene->trace);
		scene_free(scene);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(verdicts_come_with_their_reply),
	    cmocka_unit_test(the_first_rule_that_decides_ends_the_stage),
	    cmocka_unit_test(accept_ends_verdicts_and_not_edits),
	    cmocka_unit_test(quarantine_is_remembered_and_a_later_reject_wins),
	    cmocka_unit_test(rules_are_those_of_their_stage_and_kind),
	    cmocka_unit_test(try_does_nothing_but_note_what_it_would),
	    cmocka_unit_test(report_mode_signs_what_the_policy_would_have_signed),
	    cmocka_unit_test(edits_are_kept_in_order_and_once),
	    cmocka_unit_test(edits_and_notes_of_a_rule_are_bounded_and_take_no_other_rules_place),
	    cmocka_unit_test(what_comes_from_outside_is_made_safe_for_where_it_goes),
	    cmocka_unit_test(expansions_are_bounded),
	    cmocka_unit_test(an_unknown_list_defers_or_skips_as_it_says),
	    cmocka_unit_test(a_trace_shows_the_rules_tried_with_what_they_saw),
	    cmocka_unit_test(facts_that_nobody_needs_are_not_computed),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
