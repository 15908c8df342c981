/*
 * test_policy_syntax.c - what a statement is, and the messages about texts that are not one.
 * Bounds are in test_policy_bounds.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_messages.h"

#define MAIL(rules)    "policy inbound {\n on mail {\n" rules "\n }\n}\n"
#define MESSAGE(rules) "policy inbound {\n on message {\n" rules "\n }\n}\n"

static void a_statement_ends_at_the_end_of_its_line(void **state)
{
	static const struct said cases[] = {
	    {"", "t:1:1: there is nothing in this file; write a setting or a policy"},
	    {"\n\n # x\n", "t:1:1: there is nothing in this file; write a setting or a policy"},
	    {"mode report\nlog off\n", ""},
	    {"mode report", ""},
	    {"mode\nreport\n", "t:1:1: mode has no value; write enforce or report\n"
			       "t:2:1: unknown setting \"report\"; did you mean \"record\"?"},
	    {MAIL("reject 550\n5.7.1"), "t:4:1: unknown action \"5.7.1\"; a rule is [try] ACTION [if CONDITION], and "
					"sekisho.conf(5) names the actions"},
	    {"policy local { on mail { log \"x\" } }\n", ""},
	    {"policy local { on mail { log \"x\" if auth } on rcpt { accept } }\n", ""},
	    {"mode report\r\nlog off\r\n", ""},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void a_line_goes_on_inside_parentheses_and_braces_of_values(void **state)
{
	static const struct said cases[] = {
	    {"trusted {\n 127.0.0.0/8\n # a comment\n ::1\n}\n", ""},
	    {"resolver {\n timeout 3s\n dnssec off\n system\n}\n", ""},
	    {"resolver { timeout 3s dnssec off recurse cache 1000 }\n", ""},
	    {MAIL("reject if (auth\n\n or tls\n)"), ""},
	    {MAIL("reject if not (\n auth\n)"), ""},
	    {MAIL("reject if spf is {\n fail\n softfail\n}"), ""},
	    {MESSAGE("reject if header(\n \"Subject\"\n ) is \"x\""), ""},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void a_line_goes_on_when_the_next_word_is_if_and_or(void **state)
{
	static const struct said cases[] = {
	    {MAIL("reject 550 \"x\"\n if auth\n and tls\n\n # a comment\n or trusted\n log \"y\""), ""},
	    {MAIL("reject 550 \"x\" if\n auth"),
	     "t:3:18: the line ends too early; what fits is a fact, \"not\" or (\n"
	     "t:4:2: unknown action \"auth\"; a rule is [try] ACTION [if CONDITION], and "
	     "sekisho.conf(5) names the actions"},
	    {MAIL("reject 550\n not auth"), "t:4:2: unknown action \"not\"; a rule is [try] ACTION [if CONDITION], and "
					    "sekisho.conf(5) names the actions"},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void every_statement_has_one_error_and_all_are_reported(void **state)
{
	static const struct said cases[] = {
	    {"mode what ever\ndrain 1\nfoo\n" MAIL("rejekt\nreject 999 8.8.8 \"a\" if spf is fial and x\naccept if"),
	     "t:1:11: mode takes one value; write enforce or report\n"
	     "t:2:7: drain cannot be \"1\"; write a time from 0s to 10m\n"
	     "t:3:1: unknown setting \"foo\"; sekisho.conf(5) names them all (rules are in \"policy KIND { on STAGE "
	     "{ } }\")\n"
	     "t:6:1: unknown action \"rejekt\"; did you mean \"reject\"?\n"
	     "t:7:8: \"999\" is not a reply code; reject takes 500 to 559\n"
	     "t:8:10: the line ends too early; what fits is a fact, \"not\" or ("},
	    {MAIL("reject if spf if\nreject \"x\" if auth"), "t:3:15: \"if\" is not expected here; what fits is the "
							     "end of the line, a comparison, \"and\", \"or\", \"is\", "
							     "\"in\", \"owned\", \"matches\" or ("},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

/* Notations of other languages and other lists: the message says how it is written here. */
static void habits_from_elsewhere_get_a_hint_how_to_write_it(void **state)
{
#define ACTION_FIRST "write the action before its condition, as in reject 550 \"no\" if spf is fail"
#define NO_COMMAS    "separate values by spaces, without commas"
#define IN_BRACES    ", as in { a b }, or put the whole text in quotes"
	static const struct said cases[] = {
	    {MAIL("reject if spf is fail or softfail"),
	     "t:3:26: \"softfail\" is not a fact; to ask for one of several values write spf is { fail softfail }"},
	    {MAIL("reject if tls and spf is fail or softfail or neutral"),
	     "t:3:34: \"softfail\" is not a fact; to ask for one of several values write spf is { fail softfail }"},
	    {MAIL("reject if spf is not fail and softfail"),
	     "t:3:31: \"softfail\" is not a fact; to ask for one of several values write spf is not { fail softfail }"},
	    {MAIL("reject if sender is \"a@b.org\" or c@d.org"), "t:3:34: \"c@d.org\" is not a fact; to ask for one of "
								 "several values write sender is { \"a@b.org\" c@d.org "
								 "}"},
	    {MAIL("reject if spf is fail or tlss"), "t:3:26: unknown fact \"tlss\"; did you mean \"tls\"?"},
	    {MAIL("reject if sender is a@b.org or tlss"), "t:3:32: unknown fact \"tlss\"; did you mean \"tls\"?"},
	    {MAIL("reject if spf is fail or auth"), ""},
	    {MAIL("reject if spf is fail softfail"), "t:3:23: \"softfail\" is not expected here; join conditions by "
						     "\"and\" or \"or\", and put several values in "
						     "{ }, as in is { fail softfail }"},
	    {MAIL("reject if spf is fail, softfail"), "t:3:24: \"softfail\" is not expected here; separate values by "
						      "spaces and put them in { }, as in is { fail softfail }"},
	    {MAIL("if spf is fail reject 550 \"x\""), "t:3:1: \"if\" comes first; " ACTION_FIRST},
	    {MAIL("try if spf is fail reject"), "t:3:5: \"if\" comes first; " ACTION_FIRST},
	    {MAIL("unless auth reject"), "t:3:1: \"unless\" comes first; " ACTION_FIRST},
	    {MAIL("if (spf is fail) { reject }"), "t:3:4: \"(\" is not expected here; " ACTION_FIRST},
	    {MESSAGE("reject if dmarc is reject"),
	     "t:3:20: dmarc is never \"reject\", but dmarc.policy can be; write dmarc.policy is reject"},
	    {MESSAGE("reject if dmarc.policy is not { fail none }"),
	     "t:3:33: dmarc.policy is never \"fail\", but dmarc can be; write dmarc is fail"},
	    {MAIL("reject if spf is { fail, softfail }"), "t:3:20: \"fail,\" has a comma in it; " NO_COMMAS IN_BRACES},
	    {MAIL("reject if spf is { fail,softfail }"),
	     "t:3:20: \"fail,softfail\" has a comma in it; " NO_COMMAS IN_BRACES},
	    {MAIL("reject if auth.user is { alice, bob }"),
	     "t:3:26: \"alice,\" has a comma in it; " NO_COMMAS IN_BRACES},
	    {MAIL("reject if auth.user is { \"alice,\" bob }"), ""},
	    {"trusted { 10.0.0.0/8, ::1 }\n", "t:1:11: \"10.0.0.0/8,\" has a comma in it; " NO_COMMAS},
	    {"trusted { 10.0.0.0/8,::1 }\n", "t:1:11: \"10.0.0.0/8,::1\" has a comma in it; " NO_COMMAS},
	    {"submission { port 587, 465 }\n", "t:1:19: \"587,\" has a comma in it; " NO_COMMAS},
	    {"authentication-results { spf, dkim }\n", "t:1:26: \"spf,\" has a comma in it; " NO_COMMAS},
	    {MAIL("reject if sender in { a@b.org }"),
	     "t:3:21: \"{\" is not expected here; \"in\" takes the name of a list; "
	     "write \"is { a b }\" for values of your own"},
	    {"\xEF\xBB\xBF"
	     "mode nonsense\n",
	     "t:1:1: a byte order mark comes before the first word; save the file as UTF-8 without one\n"
	     "t:1:9: mode cannot be \"nonsense\"; write enforce or report"},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void words_are_reserved_only_where_the_grammar_has_them(void **state)
{
	write_text("friends", "a\n");
	static const struct said cases[] = {
	    {"list in file:friends\nlist if file:friends\nlist policy file:friends\nlist not file:friends\n"
	     "list is file:friends\nlist by file:friends\nlist accept file:friends\n" MAIL(
		 "accept if sender in in and sender in if and sender in policy\n"
		 "accept if sender in not or sender in is or sender in by and sender in accept"),
	     ""},
	    {MAIL("reject if auth.user is in"), ""},
	    {MAIL("reject if auth.user is { not is in if and or owned }"), ""},
	    {MAIL("reject if auth.user is \"if\""), ""},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void a_hash_begins_a_comment_at_the_start_of_a_word(void **state)
{
	static const struct said cases[] = {
	    {"# all\n  # of it\nmode report#\n", "t:3:6: mode cannot be \"report#\"; write enforce or report"},
	    {"mode report # here\n", ""},
	    {"mode report #\n#\n", ""},
	    {MAIL("reject \"# no\"# yes\n"), ""},
	    {MAIL("reject if sender is a#b@example.org"), ""},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void strings_are_in_double_quotes_on_one_line(void **state)
{
	static const struct said cases[] = {
	    {MAIL("reject \"a \\\"quoted\\\" \\\\ word\""), ""},
	    {MAIL("reject \"one\" \"two\" \"three\""), ""},
	    {MAIL("reject \"one\nlog \"x\""), "t:3:8: this string is not closed on its line; end it with \" (several "
					      "strings are several lines of a reply)"},
	    {MAIL("reject \"a\\n\""),
	     "t:3:8: an unknown escape in a string; only \\\" and \\\\ are known, write \\\\ for a backslash"},
	    {MAIL("log \"caf\xC3\xA9\""), ""},
	    {MAIL("log \"caf\xE9\""), "t:3:5: a string that is not UTF-8; save the file as UTF-8"},
	    {MAIL("log \"\x01\""), "t:3:5: a control character in a string; remove it"},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void a_reply_has_32_lines_at_most(void **state)
{
	char text[1000] = "policy inbound { on mail {\nreject", *messages;
	struct policy *policy;

	(void)state;
	for (int i = 0; i < REPLY_LINES_MAX; i++)
		strcat(text, " \"x\"");
	strcat(text, "\n} }\n");
	policy = load_text(text, NULL, &messages);
	assert_string_equal(messages, "");
	assert_non_null(policy);
	policy_release(policy);
	free(messages);

	strcpy(strchr(text, '\n') + 1, "reject \"x\"");
	for (int i = 0; i < REPLY_LINES_MAX; i++)
		strcat(text, " \"x\"");
	strcat(text, "\n} }\n");
	policy = load_text(text, NULL, &messages);
	assert_null(policy);
	assert_string_equal(messages, "t:2:136: more than 32 lines in a reply; say less");
	free(messages);
}

static void templates_name_known_facts(void **state)
{
	static const struct said cases[] = {
	    {MAIL("reject \"%{sender} 100%% %{spf.explanation}\""), ""},
	    {MESSAGE("log \"%{header(Subject)}\""), ""},
	    {MESSAGE("log \"%{header(\"Subject\")}\""), ""},
	    {MESSAGE("log \"%{header(\\\"Subject\\\")}\""), ""},
	    {MAIL("reject \"to %{sendr}\""), "t:3:14: unknown fact \"sendr\"; did you mean \"sender\"?"},
	    {MAIL("reject \"a \\\" %{sendr}\""), "t:3:16: unknown fact \"sendr\"; did you mean \"sender\"?"},
	    {MAIL("reject \"100% sure\""), "t:3:12: a lone \"%\"; write %% for the character, %{fact} for a fact"},
	    {MAIL("reject \"%{sender\""), "t:3:9: %{ without }; write %{fact}, or %% for the character"},
	    {MAIL("reject \"%{}\""), "t:3:9: %{} names no fact; write %{fact}, or %% for the character"},
	    {MESSAGE("log \"%{header}\""), "t:3:8: header needs the name of a field; write header(\"Subject\")"},
	    {MESSAGE("log \"%{header(Subject}\""),
	     "t:3:8: a ( without its ) inside of %{ }; write it as %{header(Subject)}"},
	    {MESSAGE("log \"%{sender(x)}\""), "t:3:15: sender takes no argument; write sender alone"},
	    {MAIL("log \"%{size}\""),
	     "t:3:8: size is known from \"on message\" on (this rule is in \"on mail\", line 2); "
	     "move the rule to \"on message\""},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void only_matches_takes_an_expression(void **state)
{
	static const struct said cases[] = {
	    {MAIL("reject if helo matches /^a b\\/c#\"{}()$/i # comment"), ""},
	    {MAIL("reject if helo matches /x/ and auth"), ""},
	    {MAIL("reject if helo is /x/"),
	     "t:3:19: \"/x/\" is not a domain; write example.org, .example.org for all below it, "
	     "or any text in quotes"},
	    {MAIL("reject if helo matches x"),
	     "t:3:24: \"x\" is not expected here; after \"matches\" write an expression, as in matches /^buy now/i"},
	    {MAIL("reject if helo matches /x"),
	     "t:3:24: this expression is not closed on its line; end it with / (write \\/ for a slash inside)"},
	    {MAIL("reject if helo matches /x/g"),
	     "t:3:24: unknown flag \"g\" after the expression; only i (case does not count) is known"},
	    {MAIL("reject if helo matches /a(b/"),
	     "t:3:28: missing closing parenthesis; fix the regular expression, see pcre2pattern(3)"},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void habits_from_other_languages_get_the_right_word(void **state)
{
	static const struct said cases[] = {
	    {MAIL("reject if spf == fail"), "t:3:15: \"==\" is not expected here; write \"is\""},
	    {MAIL("reject if spf != fail"), "t:3:15: \"!=\" is not expected here; write \"is not\""},
	    {MAIL("reject if auth && tls"), "t:3:16: \"&&\" is not expected here; write \"and\""},
	    {MAIL("reject if sender not in friends"),
	     "t:3:18: \"not\" is not expected here; write \"not\" before the fact, as in \"not client in friends\""},
	    {MAIL("reject unless auth"),
	     "t:3:8: \"unless\" is not expected here; write reject [CODE [ENHANCED]] [\"text\" ...] "
	     "(put a text in quotes)"},
	    {"reject if auth\n", "t:1:1: unknown setting \"reject\"; sekisho.conf(5) names them all (rules are in "
				 "\"policy KIND { on STAGE { } }\")"},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void a_bracket_that_is_not_closed_spoils_one_statement(void **state)
{
	static const struct said cases[] = {
	    {MAIL("reject if (auth\nreject if x"), "t:3:11: this ( is never closed; add ) where its condition ends\n"
						   "t:4:11: unknown fact \"x\"; sekisho.conf(5) names them all"},
	    {MAIL("reject if (auth"), "t:3:11: this ( is never closed; add ) where its condition ends"},
	    {MAIL("reject if auth)"),
	     "t:3:15: \")\" is not expected here; what fits is the end of the line, a comparison, \"and\", "
	     "\"or\", \"is\", \"in\", \"owned\", \"matches\" or ("},
	    {"trusted { ::1\npolicy inbound {\n on mail { log \"x\" if x }\n}\n",
	     "t:1:9: this { is never closed; add } after its last value\n"
	     "t:3:23: unknown fact \"x\"; sekisho.conf(5) names them all"},
	    {"policy inbound {\n on mail {\n log \"x\"\n}\n",
	     "t:1:16: this { is never closed; add } where its block ends"},
	    {"policy inbound {\n on mail {\n log \"x\"\n on rcpt {\n log \"x\" if x\n }\n}\n",
	     "t:4:2: \"on\" inside of \"on\"; close the one before with } first\n"
	     "t:5:13: unknown fact \"x\"; sekisho.conf(5) names them all"},
	    {"mode report\n}\nlog off\n",
	     "t:2:1: this } closes nothing; remove it, or look for a { that is missing above"},
	    {"policy inbound\n{\n}\n", "t:2:1: { is alone on its line; write it at the end of the line before"},
	    {"on mail {\n log \"x\"\n}\n", "t:1:1: \"on\" is outside of a policy; put it into \"policy inbound { }\", "
					   "\"policy submission { }\" or \"policy local { }\""},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

static void policies_and_stages_have_known_names(void **state)
{
	static const struct said cases[] = {
	    {"policy inbuond {\n}\n",
	     "t:1:8: no kind of traffic is named \"inbuond\"; it is one of inbound submission local; "
	     "did you mean \"inbound\"?"},
	    {"polciy inbound {\n}\n", "t:1:1: unknown setting \"polciy\"; did you mean \"policy\"?"},
	    {"policy inbound {\n}\npolicy inbound {\n}\n", ""},
	    {"policy inbound {\n on mial {\n }\n}\n",
	     "t:2:5: no stage is named \"mial\"; it is one of connect helo mail rcpt "
	     "message; did you mean \"mail\"?"},
	    {"policy inbound {\n on mail {\n }\n on mail {\n }\n}\n", ""},
	    {"policy inbound {\n reject\n}\n",
	     "t:2:2: \"reject\" is not expected here; a policy holds \"on STAGE { rules }\""},
	    {"policy {\n}\n", "t:1:8: \"{\" is not expected here; after \"policy\" write the kind (inbound, submission "
			      "or local), after \"on\" the stage"},
	};

	(void)state;
	ASSERT_MESSAGES(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_statement_ends_at_the_end_of_its_line),
	    cmocka_unit_test(a_line_goes_on_inside_parentheses_and_braces_of_values),
	    cmocka_unit_test(a_line_goes_on_when_the_next_word_is_if_and_or),
	    cmocka_unit_test(every_statement_has_one_error_and_all_are_reported),
	    cmocka_unit_test(habits_from_elsewhere_get_a_hint_how_to_write_it),
	    cmocka_unit_test(words_are_reserved_only_where_the_grammar_has_them),
	    cmocka_unit_test(a_hash_begins_a_comment_at_the_start_of_a_word),
	    cmocka_unit_test(strings_are_in_double_quotes_on_one_line),
	    cmocka_unit_test(a_reply_has_32_lines_at_most),
	    cmocka_unit_test(templates_name_known_facts),
	    cmocka_unit_test(only_matches_takes_an_expression),
	    cmocka_unit_test(habits_from_other_languages_get_the_right_word),
	    cmocka_unit_test(a_bracket_that_is_not_closed_spoils_one_statement),
	    cmocka_unit_test(policies_and_stages_have_known_names),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
