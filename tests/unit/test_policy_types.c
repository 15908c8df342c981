/*
 * test_policy_types.c - what a rule may ask, do and say, and where: rules and the messages about them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_text.h"

struct expectation {
	const char *stage, *rule;
	const char *message; /* without "t:LINE:"; "" when the rule is right */
};

static const char head[] = "list friends file:friends\nlist owners file:owners\npolicy inbound {\n";

static void check_rules(const struct expectation *cases, size_t count)
{
	write_text("friends", "a@example.org\n");
	write_text("owners", "a a@example.org\n");
	for (size_t i = 0; i < count; i++) {
		char *text = NULL, *messages;
		const char *said;
		struct policy *policy;

		assert_true(asprintf(&text, "%son %s {\n%s\n}\n}\n", head, cases[i].stage, cases[i].rule) > 0);
		policy = load_text(text, NULL, &messages);
		said = strncmp(messages, "t:5:", 4) == 0 ? messages + 4 : messages;
		if (strcmp(said, cases[i].message))
			fail_msg("of\n%s: %s\nexpected\n%s\ngot\n%s", cases[i].stage, cases[i].rule, cases[i].message,
				 said);
		assert_int_equal(policy != NULL, *messages == '\0');
		policy_release(policy);
		free(messages);
		free(text);
	}
}

#define CHECK(cases) check_rules(cases, sizeof(cases) / sizeof(cases[0]))

static void result_words_are_checked(void **state)
{
	static const struct expectation cases[] = {
	    {"mail", "reject if spf is fail", ""},
	    {"mail", "reject if spf is { fail softfail } and spf.helo is not pass", ""},
	    {"mail", "reject if spf is fial",
	     "18: spf is never \"fial\"; it is one of none neutral pass fail softfail temperror permerror; did you "
	     "mean \"fail\"?"},
	    {"mail", "reject if spf is { fail hard }",
	     "25: spf is never \"hard\"; it is one of none neutral pass fail softfail temperror permerror"},
	    {"mail", "reject if sender.domain.mx is nul",
	     "31: sender.domain.mx is never \"nul\"; it is one of ok implicit null none temperror bogon; did "
	     "you mean \"null\"?"},
	    {"mail", "reject if sender.domain.mx is null", ""},
	};

	(void)state;
	CHECK(cases);
}

static void types_are_checked(void **state)
{
	static const struct expectation cases[] = {
	    {"mail", "reject if auth and not tls", ""},
	    {"mail", "reject if auth is true",
	     "19: auth is true or false by itself; write \"if auth\" or \"if not auth\""},
	    {"mail", "reject if spf", "11: spf is not a boolean; ask what it is, as in spf is none"},
	    {"mail", "reject if sender", "11: sender is not a boolean; ask what it is, as in sender is @example.org"},
	    {"mail", "reject if auth.user",
	     "11: auth.user is not a boolean; ask what it is, as in auth.user is \"text\", or "
	     "auth.user is not \"\" for any text"},
	    {"mail", "reject if client", "11: client is not a boolean; ask what it is, as in client is 192.0.2.0/24"},
	    {"message", "reject if size", "11: size is not a boolean; compare it, as in size > 10"},
	    {"message", "reject if size > 10M and size <= 1GB or size = 0 or size >= 10 or size < 5k", ""},
	    {"message", "reject if size > big",
	     "18: size is a number and never \"big\"; write digits, or a size as in 10M"},
	    {"message", "reject if size matches /1/",
	     "11: only a text, a domain or an address can match an expression; use \"is\" or a comparison"},
	    {"message", "reject if size is { 1 2 }", ""},
	    {"mail", "reject if sender > 3", "11: only a number can be compared; use \"is\""},
	    {"mail", "reject if spf matches /fail/",
	     "11: only a text, a domain or an address can match an expression; use \"is\" or a comparison"},
	    {"mail", "reject if client matches /1/",
	     "11: only a text, a domain or an address can match an expression; use \"is\" or a comparison"},
	    {"mail", "reject if client is { 192.0.2.0/24 2001:db8::/32 198.51.100.7 }", ""},
	    {"mail", "reject if client is 192.0.2.0/33",
	     "21: \"192.0.2.0/33\" is not a network; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"},
	    {"mail", "reject if client is example.org",
	     "21: \"example.org\" is not a network; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"},
	    {"mail", "reject if sender is { alice@example.org @example.org .example.org null }", ""},
	    {"mail", "reject if sender is example.org",
	     "21: \"example.org\" is not an address; write alice@example.org, @example.org, .example.org or null"},
	    {"mail", "reject if sender is *@example.org",
	     "21: \"*\" is not a pattern here; write @example.org for every address of a domain"},
	    {"mail", "reject if sender in @example.org",
	     "21: \"@example.org\" is a value, and `in` wants the name of a list; write it with `is`"},
	    {"mail", "reject if sender is @",
	     "21: \"@\" is not a domain; write alice@example.org, @example.org, .example.org or null"},
	    {"mail", "reject if sender.domain is { example.org .example.org }", ""},
	    {"mail", "reject if sender.domain is @example.org",
	     "28: \"@example.org\" is not a domain; write it without \"@\""},
	    {"mail", "reject if helo is \"[192.0.2.1]\" or client.ptr is \"\"", ""},
	    {"mail", "reject if helo is null",
	     "19: only an address can be null (the null sender); write \"\" for an empty text"},
	    {"mail", "reject if spf is { }", "11: an empty { } is nothing; name a value, or leave the condition out"},
	    {"mail", "reject if auth.user is \"%{sender}\"",
	     "24: a condition compares with fixed texts; facts in %{ } belong in replies and headers"},
	};

	(void)state;
	CHECK(cases);
}

static void lists_and_owners_are_checked(void **state)
{
	static const struct expectation cases[] = {
	    {"mail", "reject if sender in friends or client in friends or helo in friends or auth.user in friends", ""},
	    {"mail", "reject if sender in freinds", "21: no list is named \"freinds\"; did you mean \"friends\"?"},
	    {"mail", "reject if sender in x",
	     "21: no list is named \"x\"; define it with: list NAME file:/path (or write values of your own in { })"},
	    {"mail", "reject if spf in friends",
	     "11: lists hold addresses, domains, networks and texts, and this fact is none of them; "
	     "use \"is\" or a comparison"},
	    {"mail", "reject if sender in owners",
	     "21: the list owners says which login owns which address; ask \"sender owned by auth.user\""},
	    {"mail", "reject if not (sender owned by auth.user)", ""},
	    {"mail", "reject if auth.user owned by sender",
	     "11: only an address can be owned; write \"sender owned by auth.user\""},
	    {"mail", "reject if sender owned by sender",
	     "27: only a login can own an address; write \"owned by auth.user\""},
	};
	char *messages;

	(void)state;
	CHECK(cases);
	assert_null(load_text("policy submission { on mail { reject if not (sender owned by auth.user) } }\n", NULL,
			      &messages));
	assert_string_equal(
	    messages, "t:1:46: nobody says who owns an address; define the list: list owners file:/etc/sekisho/owners");
	free(messages);
}

static void a_fact_before_its_stage_is_refused_with_both_places(void **state)
{
	static const struct expectation cases[] = {
	    {"connect", "accept if client is 192.0.2.1", ""},
	    {"connect", "reject if helo is x.example",
	     "11: helo is known from \"on helo\" on (this rule is in \"on connect\", line 4); move the rule to "
	     "\"on helo\" or later"},
	    {"helo", "reject if not (spf is fail)",
	     "16: spf is known from \"on mail\" on (this rule is in \"on helo\", line 4); move the rule to \"on "
	     "mail\" or later"},
	    {"mail", "reject if recipient is @example.org",
	     "11: recipient is known from \"on rcpt\" on (this rule is in \"on mail\", line 4); move the rule to "
	     "\"on rcpt\""},
	    {"mail", "reject if header(\"Subject\") is \"x\"",
	     "11: header is known from \"on message\" on (this rule is in \"on mail\", line 4); move the rule to "
	     "\"on message\""},
	    {"rcpt", "reject \"%{recipient}\" if recipient is @example.org", ""},
	    {"message", "reject if recipient is @example.org",
	     "11: recipient belongs to one recipient and a message can have several (this rule is in \"on "
	     "message\", line 4); write \"any recipient\" or \"all recipient\" in a condition, or ask for it in \"on "
	     "rcpt\""},
	    {"message", "log \"%{recipient.domain}\"",
	     "8: recipient.domain belongs to one recipient and a message can have several (this rule is in \"on "
	     "message\", line 4); write \"any recipient.domain\" or \"all recipient.domain\" in a condition, or ask "
	     "for it in \"on rcpt\""},
	    {"message", "log \"%{sender} %{client} %{helo}\" if spf is fail", ""},
	};

	(void)state;
	CHECK(cases);
}

static void facts_are_known_and_get_their_arguments(void **state)
{
	static const struct expectation cases[] = {
	    {"mail", "reject if spff is fail", "11: unknown fact \"spff\"; did you mean \"spf\"?"},
	    {"mail", "reject if spf.explnation is \"x\"",
	     "11: unknown fact \"spf.explnation\"; did you mean \"spf.explanation\"?"},
	    {"mail", "reject if xyzzyplugh", "11: unknown fact \"xyzzyplugh\"; sekisho.conf(5) names them all"},
	    {"message", "reject if size=0", "11: unknown fact \"size=0\"; put spaces around \"=\""},
	    {"message", "reject if header is \"x\"", "11: header needs the name of a field; write header(\"Subject\")"},
	    {"message", "reject if header(Subject) is \"x\" and header.count(\"To\") > 1", ""},
	    {"message", "reject if header(\"To:\") is \"x\"",
	     "18: \"To:\" is not the name of a header field; write it without \":\" and blanks"},
	    {"mail", "reject if sender(\"x\") is null", "18: sender takes no argument; write sender alone"},
	};

	(void)state;
	CHECK(cases);
}

static void reply_codes_are_of_their_class(void **state)
{
	static const struct expectation cases[] = {
	    {"mail", "reject", ""},
	    {"mail", "defer", ""},
	    {"mail", "reject 550", ""},
	    {"mail", "reject 554 5.7.1", ""},
	    {"mail", "reject \"x\"", ""},
	    {"mail", "reject 550 \"x\" \"y\"", ""},
	    {"mail", "defer 451 4.4.3 \"x\"", ""},
	    {"mail", "reject 451", "8: reject takes a 5xx code; write \"defer 451\", or another code"},
	    {"mail", "defer 550", "7: defer takes a 4xx code; write \"reject 550\", or another code"},
	    {"mail", "reject 250", "8: \"250\" is not a reply code; reject takes 500 to 559"},
	    {"mail", "reject 560", "8: \"560\" is not a reply code; reject takes 500 to 559"},
	    {"mail", "reject 55", "8: \"55\" is not a reply code; reject takes 500 to 559"},
	    {"mail", "reject 5.7.1", "8: \"5.7.1\" comes after a reply code; write \"reject 550 5.7.1\""},
	    {"mail", "reject 550 4.7.1", "12: \"4.7.1\" is of another class than 550; write 5.7.1"},
	    {"mail", "reject 550 5.7",
	     "12: \"5.7\" is not an enhanced code; write it as in 5.7.1 (put a text in quotes)"},
	    {"mail", "reject 550 5.07.1",
	     "12: \"5.07.1\" is not an enhanced code; write it as in 5.7.1 (put a text in quotes)"},
	    {"mail", "reject 550 5.7.1 No", "18: a text without quotes; write it in \" \""},
	    {"mail", "reject no",
	     "8: \"no\" is not expected here; write reject [CODE [ENHANCED]] [\"text\" ...] (put a text in quotes)"},
	    {"mail", "reject \"\xC3\xA9\"", "8: a reply is plain ASCII (RFC 5321 4.2); write it in such letters"},
	};

	(void)state;
	CHECK(cases);
}

static void a_line_of_a_reply_has_its_bound(void **state)
{
	char line[REPLY_LINE_MAX + 2], *text = NULL, *messages;

	(void)state;
	for (int over = 0; over < 2; over++) {
		memset(line, 'x', sizeof(line));
		line[REPLY_LINE_MAX + over] = '\0';
		assert_true(asprintf(&text, "policy inbound { on mail { reject \"%s\" } }\n", line) > 0);
		policy_release(load_text(text, NULL, &messages));
		assert_string_equal(
		    messages,
		    over ? "t:1:35: a line of a reply is longer than 480 bytes; write several strings, one a line"
			 : "");
		free(messages);
		free(text);
	}
}

static const struct expectation verdict_actions[] = {
    {"mail", "accept \"x\"", "8: this action takes no arguments; only \"if\" may follow; write accept"},
    {"mail", "discard if auth", ""},
    {"rcpt", "discard if auth",
     "1: discard concerns the whole message and \"on rcpt\" one recipient; reject that one, or "
     "discard in \"on message\""},
    {"rcpt", "accept\nreject\ndefer\nquarantine", ""},
    {"mail", "quarantine", ""},
    {"mail", "quarantine \"why\"", ""},
    {"mail", "quarantine why", "12: one text in quotes fits here; write quarantine [\"reason\"]"},
    {"mail", "log \"x\"", ""},
    {"mail", "log \"x\" \"y\"", "9: one text in quotes fits here; write log \"text\""},
    {"mail", "try reject 550 5.7.1 \"x\" if auth", ""},
    {"mail", "try try reject",
     "5: unknown action \"try\"; a rule is [try] ACTION [if CONDITION], and sekisho.conf(5) names the actions"},
    {"mail", "adheader X \"y\"", "1: unknown action \"adheader\"; did you mean \"add-header\"?"},
};

static void verdicts_and_notes_get_what_they_take(void **state)
{
	(void)state;
	CHECK(verdict_actions);
}

static const struct expectation header_actions[] = {
    {"mail", "add-header X-Spam \"yes\"", ""},
    {"mail", "add-header \"X-Spam\" \"yes\"", ""},
    {"mail", "add-header X-Spam: \"yes\"",
     "12: \"X-Spam:\" is not the name of a header field; write it without \":\" and blanks"},
    {"mail", "add-header X-Spam", "1: the value of the field is missing; write add-header NAME \"value\" [bottom]"},
    {"mail", "add-header", "1: the name of a header field is missing; write add-header NAME \"value\" [bottom]"},
    {"mail", "add-header X-Spam \"a\" \"b\"",
     "23: one value in quotes fits here; write add-header NAME \"value\" [bottom]"},
    {"mail", "add-header X-Spam \"a\" bottom", ""},
    {"mail", "add-header X-Spam bottom", "19: one value in quotes fits here; write add-header NAME \"value\" [bottom]"},
    {"mail", "replace-header Subject \"x\"", ""},
    {"mail", "delete-header Received", ""},
    {"mail", "delete-header User-Agent X-Mailer X-Originating-*", ""},
    {"mail", "delete-header User-Agent X-Mailer matching \"x\"", ""},
    {"mail", "delete-header matching matching \"x\"", ""},
    {"mail", "delete-header in friends", ""},
    {"mail", "delete-header in In-Reply-To Date", ""},
    {"mail", "delete-header",
     "1: the name of a header field is missing; write delete-header NAME ... [matching \"expression\"], or "
     "delete-header in LIST"},
    {"mail", "delete-header *", "15: \"*\": in names of header fields, \"*\" is the end of several, as in X-Spam-*"},
    {"mail", "delete-header X-Mailer X-*-IP",
     "24: \"X-*-IP\": in names of header fields, \"*\" is the end of several, as in X-Spam-*"},
    {"mail", "delete-header in enemies",
     "18: no list has this name; define it with: list NAME file:/path; write delete-header NAME ... [matching "
     "\"expression\"], or delete-header in LIST"},
    {"mail", "delete-header in owners",
     "18: this list holds logins, not names of header fields; write delete-header NAME ... [matching "
     "\"expression\"], or delete-header in LIST"},
    {"mail", "delete-header Received \"x\"",
     "24: after the names of fields only \"matching\" may follow; write delete-header NAME ... [matching "
     "\"expression\"], or delete-header in LIST"},
    {"mail", "delete-header Received matching \"from \\\"x\\\" \\\\[127\\\\.\"", ""},
    {"mail", "delete-header Received matching",
     "24: an expression in quotes must follow \"matching\"; write delete-header NAME ... [matching "
     "\"expression\"], or delete-header in LIST"},
    {"mail", "delete-header Received matching \"(\"",
     "33: missing closing parenthesis; fix the regular expression (pcre2pattern(3))"},
    {"mail", "add-missing", ""},
    {"mail", "prefix-subject \"[x] \"", ""},
    {"mail", "prefix-subject", "1: a text is missing; write prefix-subject \"text\""},
};

static void actions_on_header_fields_get_what_they_take(void **state)
{
	(void)state;
	CHECK(header_actions);
}

static const struct expectation envelope_actions[] = {
    {"mail", "set-sender \"\"", ""},
    {"mail", "set-sender \"<>\"", ""},
    {"mail", "set-sender \"a@b.example\"", ""},
    {"mail", "set-sender \"%{sender}\"", ""},
    {"mail", "set-sender",
     "1: an address is missing; write set-sender \"user@domain\", or \"\" for the null sender, or srs"},
    {"mail", "set-sender srs",
     "1: there is no domain to rewrite the sender to; write srs { domain NAME  secret-file /path } in the "
     "settings"},
    {"mail", "set-sender a@b.example",
     "12: one address in quotes fits here; write set-sender \"user@domain\", or \"\" for the null sender, or "
     "srs"},
    {"mail", "add-recipient \"\"",
     "15: this is not an address that mail can be sent to; write add-recipient \"user@domain\""},
    {"mail", "add-recipient \"bob\"",
     "15: this is not an address that mail can be sent to; write add-recipient \"user@domain\""},
    {"mail", "add-recipient \"|cat@example.org\"",
     "15: this is not an address that mail can be sent to; write add-recipient \"user@domain\""},
    {"mail", "add-recipient \"a%b@example.org\"", "17: a lone \"%\"; write %% for the character, %{fact} for a fact"},
    {"mail", "add-recipient \"a%%b@example.org\"",
     "15: this is not an address that mail can be sent to; write add-recipient \"user@domain\""},
    {"rcpt", "delete-recipient", ""},
    {"message", "delete-recipient",
     "1: only \"on rcpt\" has a recipient at hand; say here which one is deleted; write delete-recipient "
     "[\"user@domain\"]"},
    {"message", "delete-recipient \"bob@example.org\"", ""},
    {"message", "redirect \"bob@example.org\"", ""},
    {"rcpt", "redirect \"bob@example.org\"",
     "1: redirect replaces all recipients and \"on rcpt\" has one; write delete-recipient and add-recipient, "
     "or "
     "redirect in \"on message\""},
};

static void actions_on_the_envelope_get_what_they_take(void **state)
{
	(void)state;
	CHECK(envelope_actions);
}

static const struct expectation content_actions[] = {
    {"message", "rewrite-from \"%{from.name} via list\" \"list@example.org\"", ""},
    {"message", "rewrite-from \"list\" \"%{sender}\"", ""},
    {"message", "rewrite-from \"list\" \"nobody\"",
     "21: this is not an address that mail can be sent to; write rewrite-from \"name\" \"user@domain\""},
    {"message", "rewrite-from \"list@example.org\"",
     "14: a name and an address, both in quotes, fit here; write rewrite-from \"name\" \"user@domain\""},
    {"message", "rewrite-from \"a\" list@example.org",
     "14: a name and an address, both in quotes, fit here; write rewrite-from \"name\" \"user@domain\""},
    {"mail", "rewrite-from \"a\" \"list@example.org\"",
     "1: rewrite-from needs the author, who is known when the header is complete; move the rule to \"on "
     "message\""},
    {"mail", "footer \"text\"", ""},
    {"mail", "footer \"one\" \"two\" \"<p>%{sender}</p>\"", ""},
    {"mail", "footer", "1: the text of the footer is missing; write footer \"text\" [\"HTML\"]"},
    {"mail", "footer text", "8: the texts of a footer are in quotes; write footer \"text\" [\"HTML\"]"},
    {"rcpt", "footer \"text\"",
     "1: footer changes the message for all recipients and \"on rcpt\" has one; move the rule to \"on "
     "message\""},
    {"mail", "sign example.org",
     "6: there is no key to sign with; write sign example.org { selector NAME key /path } in the settings"},
    {"mail", "sign \"..\"", "6: this is not a domain; write sign [DOMAIN]"},
    {"mail", "sign example.org example.net", "18: one domain fits here; write sign [DOMAIN]"},
};

static void rewrite_from_footer_and_sign_get_what_they_take(void **state)
{
	(void)state;
	CHECK(content_actions);
}

static const struct {
	const char *text;
	unsigned needs;
	bool uses_spf[KIND_COUNT];
} needs[] = {
    {"authentication-results off\n", 0, {false, false, false}},
    {"authentication-results off\npolicy inbound { on mail { reject if spf is fail } }\n", 0, {true, false, false}},
    {"authentication-results off\npolicy local { on mail { log \"%{spf}\" } }\n", 0, {false, false, true}},
    {"authentication-results { spf }\n", NEED_HEADERS, {true, true, true}},
    {"authentication-results { auth }\n", NEED_HEADERS, {false, false, false}},
    {"authentication-results off\nreceived-spf yes\n", 0, {true, true, true}},
    {"authentication-results off\nrecord { facts all }\n", NEED_HEADERS | NEED_BODY, {true, true, true}},
    {"authentication-results off\npolicy local { on message { log \"%{size}\" } }\n",
     NEED_HEADERS | NEED_BODY,
     {false, false, false}},
    {"authentication-results off\npolicy local { on mail { add-header X \"y\" } }\n", 0, {false, false, false}},
    {"authentication-results off\npolicy local { on mail { delete-header X } }\n", NEED_HEADERS, {false, false, false}},
    {"authentication-results off\npolicy local { on mail { footer \"x\" } }\n",
     NEED_HEADERS | NEED_BODY | NEED_NEW_BODY,
     {false, false, false}},
    {"authentication-results off\non-conflict split\npolicy local { on message { reject if recipient is "
     "@b.example } }\n",
     NEED_DELETE_RECIPIENT,
     {false, false, false}},
    {"authentication-results off\non-conflict strictest\npolicy local { on message { reject if recipient is "
     "@b.example } }\n",
     0,
     {false, false, false}},
    {"authentication-results off\npolicy local { on mail { set-sender \"\" } }\n", NEED_SENDER, {false, false, false}},
    {"authentication-results off\npolicy local { on mail { add-recipient \"a@b.example\" } }\n",
     NEED_ADD_RECIPIENT,
     {false, false, false}},
    {"authentication-results off\npolicy local { on rcpt { delete-recipient } }\n",
     NEED_DELETE_RECIPIENT,
     {false, false, false}},
    {"authentication-results off\npolicy local { on mail { redirect \"a@b.example\" } }\n",
     NEED_ADD_RECIPIENT | NEED_DELETE_RECIPIENT,
     {false, false, false}},
    {"authentication-results off\npolicy local { on mail { prefix-subject \"x\" } }\n",
     NEED_HEADERS,
     {false, false, false}},
};

static void what_is_needed_follows_from_who_reads_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		char *messages;
		struct policy *policy = load_text(needs[i].text, NULL, &messages);
		const struct check *spf = fact_check(fact_find(SLICE("spf")));

		assert_string_equal(messages, "");
		if (policy_needs(policy) != needs[i].needs)
			fail_msg("%s needs %u", needs[i].text, policy_needs(policy));
		for (int kind = 0; kind < KIND_COUNT; kind++) {
			if (policy_uses_check(policy, NULL, (enum kind)kind, spf) != needs[i].uses_spf[kind])
				fail_msg("%s: wrong about spf in %s", needs[i].text, kind_names[kind]);
		}
		policy_release(policy);
		free(messages);
	}
}

static void a_stage_has_rules_when_any_kind_of_traffic_has(void **state)
{
	char *messages;
	struct policy *policy =
	    load_text("policy local { on rcpt { accept } }\npolicy inbound { on mail { } }\n", NULL, &messages);

	(void)state;
	assert_string_equal(messages, "");
	assert_true(policy_has_rules(policy, STAGE_RCPT));
	assert_false(policy_has_rules(policy, STAGE_MAIL));
	assert_int_equal(policy_rules(policy), 1);
	assert_int_equal(policy_lists(policy), 0);
	policy_release(policy);
	free(messages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(result_words_are_checked),
	    cmocka_unit_test(types_are_checked),
	    cmocka_unit_test(lists_and_owners_are_checked),
	    cmocka_unit_test(a_fact_before_its_stage_is_refused_with_both_places),
	    cmocka_unit_test(facts_are_known_and_get_their_arguments),
	    cmocka_unit_test(reply_codes_are_of_their_class),
	    cmocka_unit_test(a_line_of_a_reply_has_its_bound),
	    cmocka_unit_test(verdicts_and_notes_get_what_they_take),
	    cmocka_unit_test(actions_on_header_fields_get_what_they_take),
	    cmocka_unit_test(actions_on_the_envelope_get_what_they_take),
	    cmocka_unit_test(rewrite_from_footer_and_sign_get_what_they_take),
	    cmocka_unit_test(what_is_needed_follows_from_who_reads_it),
	    cmocka_unit_test(a_stage_has_rules_when_any_kind_of_traffic_has),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
