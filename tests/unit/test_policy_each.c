/*
 * test_policy_each.c - any and all: a test of each recipient that was accepted, and of each word of a list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_scene.h"

#define YES TRUTH_TRUE
#define NO  TRUTH_FALSE
#define HUH TRUTH_UNKNOWN

struct question {
	const char *recipients; /* blanks between them */
	const char *condition;
	enum truth truth;
	const char *seen; /* at the end of the trace; NULL: not looked at */
};

static void add_recipients(struct scene *scene, const char *addresses)
{
	struct slice rest = slice_of(addresses), word;
	struct message *message = &scene->message;

	message->recipients = arena_alloc(scene->arena, 20 * sizeof(*message->recipients));
	while (slice_word(&rest, &word)) {
		struct recipient *recipient = &message->recipients[message->recipient_count++];

		recipient->address = address_parse_path(word, scene->arena);
		recipient->deleted = slice_equal(recipient->address.local, SLICE("deleted"));
	}
}

static struct scene *ask(const struct question *question)
{
	struct scene *scene;
	char *text = NULL;

	assert_true(asprintf(&text, ON("message", "log \"x\" if %s"), question->condition) > 0);
	scene = scene_new(text);
	add_recipients(scene, question->recipients);
	remember(scene, "auth.user", word("alice"));
	remember(scene, "dkim.domains", word("example.org mail.example.com"));
	remember(scene, "from.domains", (struct value){.state = VALUE_ABSENT});
	run(scene, STAGE_MESSAGE, false);
	free(text);
	return scene;
}

static void check(const struct question *cases, size_t count)
{
	static const char *const truths[] = {"false", "true", "unknown"};

	prepare_lists();
	for (size_t i = 0; i < count; i++) {
		const struct question *question = &cases[i];
		struct scene *scene = ask(question);
		const char *got = strstr(scene->trace, ": ") + 2, *seen = strstr(scene->trace, "effect ");

		seen = seen                            ? seen + strlen("effect ")
		       : strstr(scene->trace, "note ") ? strstr(scene->trace, "note ") + 5
						       : "";
		if (strncmp(got, truths[question->truth], 4) || (question->seen && strcmp(seen, question->seen)))
			fail_msg("%s for %s: expected %s %s, got %s", question->condition, question->recipients,
				 truths[question->truth], question->seen ? question->seen : "", scene->trace);
		assert_null(scene->view.recipient); /* no rule after it reads a recipient */
		scene_free(scene);
	}
}

#define CHECK(cases) check(cases, sizeof(cases) / sizeof(cases[0]))

static void any_is_true_for_one_of_them_and_all_for_every_one(void **state)
{
	static const struct question cases[] = {
	    {"a@example.net alice@example.org", "any recipient in friends", YES, "[any recipient=alice@example.org]"},
	    {"a@example.net b@example.net", "any recipient in friends", NO,
	     "[any recipient=a@example.net, b@example.net]"},
	    {"alice@example.org a@x.example.com", "all recipient in friends", YES,
	     "[all recipient=alice@example.org, a@x.example.com]"},
	    {"alice@example.org a@example.net b@example.net", "all recipient in friends", NO,
	     "[all recipient=a@example.net]"},
	    {"a@example.net b@example.com", "any recipient.domain is .com", YES,
	     "[any recipient.domain=example.com (b@example.com)]"},
	    {"a@example.net b@example.com", "any recipient.domain is { example.org .net }", YES, NULL},
	    {"a@example.net b@example.com", "all recipient.domain is { example.net example.com }", YES, NULL},
	    {"a@example.net b@example.com", "any recipient is not @example.net", YES, "[any recipient=b@example.com]"},
	    {"a@example.net b@example.com", "all recipient is not @example.net", NO, "[all recipient=a@example.net]"},
	    {"a@example.net b@example.com", "not any recipient is @example.org", YES, NULL},
	    {"a@example.net b@example.com", "not all recipient is @example.net", YES, NULL},
	    {"a@example.net sales@example.com", "any recipient matches /^sales@/", YES, NULL},
	    {"a@example.net sales@example.com", "all recipient matches /^sales@/", NO, NULL},
	    {"x@example.com a@example.net", "any recipient owned by auth.user", YES,
	     "[auth.user=alice] [any recipient=a@example.net]"},
	    {"a@example.net x@example.com", "all recipient owned by auth.user", NO, NULL},
	    {"a@example.net alice@example.org", "any recipient in friends and any recipient is @example.net", YES,
	     "[any recipient=alice@example.org; a@example.net]"},
	    {"a@example.net", "any recipient in friends or (spf is fail and all recipient is @example.net)", YES, NULL},
	};

	(void)state;
	CHECK(cases);
}

static void of_nothing_both_are_false(void **state)
{
	static const struct question cases[] = {
	    {"", "any recipient is not null", NO, "[any recipient=]"},
	    {"", "all recipient is not null", NO, "[all recipient=]"},
	    {"", "not all recipient in friends", YES, NULL},
	    {"deleted@example.net", "any recipient is not null", NO, "[any recipient=]"},
	    {"deleted@example.net", "all recipient is not null", NO, "[all recipient=]"},
	    {"deleted@example.net a@example.com", "all recipient is @example.com", YES, NULL},
	    {"", "any from.domains is not \"\"", NO, NULL},
	    {"", "all from.domains is not \"\"", NO, NULL},
	};

	(void)state;
	CHECK(cases);
}

/* true or unknown = true, false and unknown = false */
static void unknown_is_the_answer_only_where_it_matters(void **state)
{
	static const struct question cases[] = {
	    {"a@example.net b@example.net", "any recipient in absent", HUH, NULL},
	    {"a@example.net b@example.net", "all recipient in absent", HUH, NULL},
	    {"a@example.net", "any recipient in absent or spf is fail", YES, NULL},
	    {"a@example.net", "all recipient in absent and spf is pass", NO, NULL},
	    {"", "any recipient in absent", NO, NULL},
	    {"", "all recipient in absent", NO, NULL},
	};
	char subject[16400];
	struct scene *scene;

	(void)state;
	CHECK(cases);
	/* One too long for an expression between two that decide. */
	memset(subject, 'a', sizeof(subject));
	for (int all = 0; all < 2; all++) {
		scene = scene_new(all ? ON("message", "log \"x\" if all recipient matches /^yes/")
				      : ON("message", "log \"x\" if any recipient matches /^yes/"));
		add_recipients(scene, all ? "yes@example.org x@example.org" : "no@example.org x@example.org");
		scene->message.recipients[1].address.text = (struct slice){subject, sizeof(subject)};
		run(scene, STAGE_MESSAGE, false);
		assert_non_null(strstr(scene->trace, "unknown, no effect"));
		scene->message.recipients[2].address =
		    address_parse_path(all ? SLICE("no@example.org") : SLICE("yes@example.org"), scene->arena);
		scene->message.recipient_count = 3;
		*scene->trace = '\0';
		run(scene, STAGE_MESSAGE, false);
		assert_non_null(strstr(scene->trace, all ? ": false, no effect" : ": true, note"));
		scene_free(scene);
	}
}

static void each_word_of_a_list_is_a_value_of_its_type(void **state)
{
	static const struct question cases[] = {
	    {"", "any dkim.domains in friends", YES, "[any dkim.domains=mail.example.com]"},
	    {"", "all dkim.domains in friends", NO, "[all dkim.domains=example.org]"},
	    {"", "any dkim.domains is .example.com", YES, NULL},
	    {"", "any dkim.domains is EXAMPLE.org", YES, NULL},
	    {"", "all dkim.domains is { .org example.org .example.com }", YES,
	     "[all dkim.domains=example.org, mail.example.com]"},
	    {"", "any dkim.domains matches /^example.org mail/", NO, NULL},
	    {"", "dkim.domains matches /^example.org mail/", YES, NULL},
	    {"", "any dkim.domains in absent", HUH, NULL},
	};

	(void)state;
	CHECK(cases);
}

static void a_list_that_is_unknown_is_neither_any_nor_all(void **state)
{
	struct scene *scene = scene_new(
	    ON("message", "log \"x\" if any dkim.domains in friends\nlog \"x\" if all dkim.domains in friends"));

	(void)state;
	remember(scene, "dkim.domains", failed());
	run(scene, STAGE_MESSAGE, false);
	assert_int_equal(scene->decision.note_count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(scene->decision.notes[i].kind, NOTE_UNKNOWN);
	scene_free(scene);
}

/* An expression that takes milliseconds for each of thousands of recipients: the rule ends as unknown. */
static void expressions_over_many_recipients_are_bounded(void **state)
{
	struct scene *scene = scene_new(ON("message", "reject if any recipient matches /(.)\\1*[bc]/"));
	struct message *message = &scene->message;
	char text[4001];

	(void)state;
	memset(text, 'a', sizeof(text));
	message->recipient_count = 2000;
	message->recipients = arena_alloc(scene->arena, message->recipient_count * sizeof(*message->recipients));
	for (size_t i = 0; i < message->recipient_count; i++)
		message->recipients[i].address = (struct address){.text = {text, sizeof(text)}};
	run(scene, STAGE_MESSAGE, false);
	assert_string_equal(outcome_text(scene), "none");
	assert_int_equal(scene->decision.note_count, 1);
	assert_int_equal(scene->decision.notes[0].kind, NOTE_UNKNOWN);
	scene_free(scene);
}

/* ---- what the compiler says ------------------------------------------------------------------------------ */

static const struct {
	const char *stage, *rule, *message;
} mistakes[] = {
    {"message", "log \"x\" if any recipient in friends and all recipient.domain is example.org", ""},
    {"message", "log \"x\" if not any recipient in friends or (all recipient in friends)", ""},
    {"message", "log \"x\" if any dkim.domains in friends", ""},
    {"message", "log \"x\" if header(any) is \"all\" and header(all) is \"any\"", ""},
    {"mail", "log \"x\" if auth.user is any or auth.user is { all any }", ""},
    {"message", "log \"x\" if any sender in friends",
     "16: sender is one value; write it without \"any\", which is for facts of recipients and lists of words"},
    {"rcpt", "log \"x\" if any recipient in friends",
     "16: \"on rcpt\" is about one recipient; write recipient without \"any\", or move the rule to \"on "
     "message\""},
    {"mail", "log \"x\" if all recipient.domain is example.org",
     "16: the recipients are known at \"on message\" (this rule is in \"on mail\", line 7); move the rule "
     "there"},
    {"mail", "log \"x\" if any dkim.domains in friends",
     "16: dkim.domains is known from \"on message\" on (this rule is in \"on mail\", line 7); move the "
     "rule "
     "to \"on message\""},
    {"message", "log \"x\" if recipient in friends",
     "12: recipient belongs to one recipient and a message can have several (this rule is in \"on "
     "message\", line 7); write \"any recipient\" or \"all recipient\" in a condition, or ask for it in \"on "
     "rcpt\""},
    {"message", "log \"x\" if any not recipient in friends",
     "16: \"not\" is not expected here; write \"not\" before it, as in not any recipient in friends"},
    {"message", "log \"x\" if any (recipient in friends)",
     "16: \"(\" is not expected here; after \"any\" and \"all\" comes a fact, as in any recipient in friends"},
    {"message", "log \"x\" if all",
     "15: the line ends too early; after \"any\" and \"all\" comes a fact, as in any recipient in friends"},
    {"message", "log \"x\" if any recipient",
     "16: any recipient is not a boolean; ask what it is, as in any recipient is @example.org"},
    {"message", "log \"x\" if any dkim.domains",
     "16: any dkim.domains is not a boolean; ask what it is, as in any dkim.domains is example.org, "
     "or "
     "any dkim.domains is not \"\" for any domain"},
    {"message", "log \"x\" if any dkim.domains is @example.org",
     "32: \"@example.org\" is not a domain; write it without \"@\""},
    {"message", "log \"x\" if any recipient > 3", "16: only a number can be compared; use \"is\""},
};

static void mistakes_have_their_place_and_what_to_do(void **state)
{
	(void)state;
	prepare_lists();
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char *text = NULL, *messages;
		const char *said;

		assert_true(asprintf(&text,
				     "list friends file:friends\nlist owners file:owners\n\n\n\npolicy inbound {\non "
				     "%s {\n%s\n}\n}\n",
				     mistakes[i].stage, mistakes[i].rule) > 0);
		policy_release(load_text(text, NULL, &messages));
		said = strncmp(messages, "t:8:", 4) == 0 ? messages + 4 : messages;
		if (strcmp(said, mistakes[i].message))
			fail_msg("of %s expected\n%s\ngot\n%s", mistakes[i].rule, mistakes[i].message, said);
		free(messages);
		free(text);
	}
}

/* A list has words that any and all can test. */
static void facts_that_are_lists_are_texts_of_texts_or_domains(void **state)
{
	const struct fact *fact;
	unsigned lists = 0;

	(void)state;
	for (unsigned i = 0; (fact = fact_at(i)) != NULL; i++) {
		if (!fact->list)
			continue;
		lists++;
		assert_int_equal(fact->type, TYPE_STRING);
		assert_true(fact->of == TYPE_STRING || fact->of == TYPE_DOMAIN);
		assert_int_not_equal(fact->scope, SCOPE_RECIPIENT);
	}
	assert_true(lists >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_is_true_for_one_of_them_and_all_for_every_one),
	    cmocka_unit_test(of_nothing_both_are_false),
	    cmocka_unit_test(unknown_is_the_answer_only_where_it_matters),
	    cmocka_unit_test(each_word_of_a_list_is_a_value_of_its_type),
	    cmocka_unit_test(a_list_that_is_unknown_is_neither_any_nor_all),
	    cmocka_unit_test(expressions_over_many_recipients_are_bounded),
	    cmocka_unit_test(mistakes_have_their_place_and_what_to_do),
	    cmocka_unit_test(facts_that_are_lists_are_texts_of_texts_or_domains),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
