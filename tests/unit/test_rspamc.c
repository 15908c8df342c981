/*
 * test_rspamc.c - what Exim's spam condition sends, and the answer it gets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rspamc_scene.h"
#include "../../filter/doors/policy/policy_private.h"

static const char config[] =
    "authserv-id mx.example.org\n"
    "authentication-results { auth }\n"
    "submission { port 587 }\n"
    "limit once { key sender  count messages  hard 1  per 1h }\n"
    "policy inbound {\n"
    "  on mail { reject 550 5.7.1 \"bad sender\" if sender is bad@example.net\n"
    "            reject 550 5.7.1 \"one\" \"two\" if sender is lines@example.net\n"
    "            quarantine \"held\" if sender is hold@example.net }\n"
    "  on rcpt { reject 550 5.1.1 \"nobody\" if recipient is nobody@example.org }\n"
    "  on message {\n"
    "    reject 550 5.7.26 \"one\" \"two\" if header(Subject) is \"refuse\"\n"
    "    defer 451 4.7.1 \"later\" if header(Subject) is \"defer\"\n"
    "    discard if header(Subject) is \"drop\"\n"
    "    defer 450 4.7.1 \"limit\" if sender is once@example.net and limit(\"once\") is over\n"
    "    add-header X-Facts \"%{size} %{header.count(X-Envelope-To)} %{header.count(Received)} %{client} %{helo} "
    "%{auth.user} %{queue-id} %{recipients} %{client.name} %{tls.version}\" if header(Subject) is \"facts\"\n"
    "    delete-header X-A matching \"^x\"\n"
    "    delete-header Received matching \"evil\"\n"
    "    replace-header X-R \"new\" if header(X-R) is \"old\"\n"
    "    add-header X-End \"end\" bottom if header(Subject) is \"end\"\n"
    "    add-recipient \"c@example.org\" if header(Subject) is \"copy\"\n"
    "  } }\n"
    "policy submission { on message { add-header X-User \"%{auth.user}\" } }\n";

static struct door_host *host;
static struct served served;

static int open_door(void **state)
{
	(void)state;
	host = door_host_with(config);
	host->parked = parked_new();
	return 0;
}

static int close_door(void **state)
{
	(void)state;
	assert_int_equal(host->messages_open, 0);
	parked_free(host->parked);
	host->parked = NULL;
	return 0;
}

#define HEAD(more, length)                                                                                             \
	"CHECK RSPAMC/1.3\r\nContent-length: " length "\r\nQueue-Id: 1xWpme-000827-12\r\n" more                        \
	"Helo: mail.example.net\r\nIP: 203.0.113.5\r\n"
#define TO(number) "From: <a@example.net>\r\nRecipient-Number: " number "\r\nRcpt: <bob@example.org>\r\n"
#define ENVELOPE   TO("1")
#define MBOX                                                                                                           \
	"From MAILER-DAEMON Fri Nov 27 21:00:00 2026\nX-Envelope-From: <a@example.net>\nX-Envelope-To: "               \
	"bob@example.org\n"
#define RECEIVED "Received: from mail.example.net by mx.example.org\n\tid 1xWpme-000827-12\n"

#define PASS   "RSPAMD/1.3 0 EX_OK\r\nMetric: default; False; 0.00 / 1.00 / 1.00\r\nAction: no action\r\n"
#define TRUE_  "RSPAMD/1.3 0 EX_OK\r\nMetric: default; True; 1.00 / 1.00 / 1.00\r\n"
#define NO_ONE "Add: Authentication-Results: mx.example.org; none\r\n"

/* The answer without its size, which is right. */
static const char *sized(char *answer)
{
	static const char *const begin = PASS "Size: ";
	char *size = answer + strlen(PASS), *rest = strchr(size, '\n');
	size_t expected = 0, blank = 0;

	if (strncmp(answer, begin, strlen(begin)) != 0 || !rest)
		return answer;
	for (const char *p = rest + 1; *p; p++) { /* a line end and a blank in place of each CR and LF */
		expected++;
		if (*p != '\r' && *p != '\n')
			blank = *p == ' ' ? blank + 1 : 0;
	}
	assert_int_equal(strtoul(size + strlen("Size: "), NULL, 10), expected - blank);
	memmove(size, rest + 1, strlen(rest + 1) + 1);
	return answer;
}

static const char *ask_bytes(struct slice request)
{
	serve(host, request, SIZE_MAX, true, &served);
	return sized(served.answer);
}

/* With the right length. */
static const char *ask_from(const char *envelope, const char *fields, const char *body)
{
	static char request[300000], message[260000];

	snprintf(message, sizeof(message), MBOX RECEIVED "%s\n%s", fields, body);
	snprintf(request, sizeof(request),
		 "CHECK RSPAMC/1.3\r\nContent-length: %zu\r\nQueue-Id: 1xWpme-000827-12\r\n%sHelo: "
		 "mail.example.net\r\nIP: 203.0.113.5\r\n\r\n%s",
		 strlen(message), envelope, message);
	return ask_bytes(slice_of(request));
}

static const char *ask(const char *fields)
{
	return ask_from(ENVELOPE, fields, "Hello.\n");
}

/* ---- the head ------------------------------------------------------------------------------------ */

static void what_is_not_a_request_gets_no_answer(void **state)
{
	static const struct slice wrong[] = {
	    SLICE("GET / HTTP/1.1\r\n\r\n"),
	    SLICE("\r\n"),
	    SLICE("PING RSPAMC/1.3\r\n\r\n"),
	    SLICE("CHECK SPAMC/1.3\r\n\r\n"),
	    SLICE("CHECK RSPAMC/2.0\r\n\r\n"),
	    SLICE("CHECK RSPAMC/1.3\r\n\r\n"), /* no length */
	    SLICE("CHECK RSPAMC/1.3\r\nContent-length: x\r\n\r\n"),
	    SLICE("CHECK RSPAMC/1.3\r\nContent-length: -1\r\n\r\n"),
	    SLICE("CHECK RSPAMC/1.3\r\nContent-length: 536870913\r\n\r\n"),
	    SLICE("CHECK RSPAMC/1.3\r\nContent-length: 99999999999999999999999\r\n\r\n"),
	    SLICE("CHECK RSPAMC/1.3\r\nno colon\r\nContent-length: 0\r\n\r\n"),
	    SLICE("CHECK RSPAMC/1.3\r\nFrom: <a\0b>\r\nContent-length: 0\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ask_bytes(wrong[i]);
		assert_true(served.invalid);
	}
}

/* Exim writes the line end that a program of its host has put into an address. */
static void a_head_that_a_stranger_has_a_part_in_is_not_a_request(void **state)
{
	static const char *const wrong[] = {
	    "From: <\"a\nUser: boss@example.org\nX: y\"@example.net>\r\nRcpt: <bob@example.org>\r\n",
	    "From: <\"a>\nUser: boss@example.org\nFrom: <y\"@example.net>\r\nRcpt: <bob@example.org>\r\n",
	    "From: <\"a\\\"\n\nb\"@example.net>\r\nRcpt: <bob@example.org>\r\n",
	    "From: <\"a\\\nUser: boss@example.org\nX: y\"@example.net>\r\nRcpt: <bob@example.org>\r\n",
	    "From: <a@example.net>\r\nRcpt: <\"a>\nIP: 127.0.0.1\nRcpt: <y\"@example.org>\r\n",
	    ENVELOPE "User: alice\nRcpt: <x@example.org>\r\n", /* one more than announced */
	    ENVELOPE "User: alice\nQueue-Id: 1xWpme-000827-13\r\n",
	    TO("2"),
	    TO("x"),
	    TO("18446744073709551617"),
	    "Recipient-Number: 1\r\n" ENVELOPE,
	    ENVELOPE "IP: 127.0.0.1\r\n", /* a second one follows */
	    "From: <a@example.net>\r\nRcpt: <bobFrom a@example.net Fri Nov 27 21:00:00 2026\n", /* cut by Exim */
	    ENVELOPE "From a@example.net Fri Nov 27 21:00:00 2026\nUser: boss@example.org\n",
	    ENVELOPE "User : boss@example.org\r\n",
	    ENVELOPE " User: boss@example.org\r\n",
	    ENVELOPE ": x\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ask_from(wrong[i], "", "");
		if (!served.invalid)
			fail_msg("%s", wrong[i]);
	}
	ask_from("From: <\"a\\\"b\"@example.net>\r\nRcpt: <a\\\"b@example.org>\r\n", "", "");
	assert_true(served.answered);
}

static void an_endless_head_and_an_endless_line_are_bounded(void **state)
{
	size_t n = HEAD_MAX + 100000, used = 0;
	char *text = malloc(n);

	(void)state;
	memset(text, 'a', n);
	memcpy(text, "CHECK RSPAMC/1.3\r\n", 18);
	ask_bytes((struct slice){text, n});
	assert_true(served.invalid && served.unread > HEAD_MAX / 2); /* after one line that is too long */
	for (used = 18; used + 1000 < n; used += 1000)
		memcpy(text + used, "Rcpt: <", 7), text[used + 999] = '\n';
	ask_bytes((struct slice){text, used});
	assert_true(served.invalid);
	free(text);
}

static void what_is_short_waits_for_more(void **state)
{
	(void)state;
	ask_bytes(SLICE("CHECK RSP"));
	assert_true(!served.invalid && !served.answered);
	ask_bytes(SLICE(HEAD(ENVELOPE, "100") "\r\nonly this"));
	assert_true(!served.invalid && !served.answered);
	ask_bytes(SLICE(HEAD(ENVELOPE, "0") "\r\n"));
	assert_string_equal(served.answer, PASS NO_ONE);
	ask_bytes(SLICE(HEAD(ENVELOPE, "4") "\r\na\n\nbCHECK RSPAMC/1.3\r\n"));
	assert_true(served.answered && served.unread == 18); /* one request on a connection */
}

/* ---- the message ----------------------------------------------------------------------------------- */

static void lines_of_the_mbox_and_the_own_received_field_are_not_of_the_message(void **state)
{
	(void)state;
	/* "Subject: facts" and an empty line, "Hello." in the body: 16 + 8 bytes with CRLF; the empty line is not
	 * counted */
	assert_string_equal(ask("Subject: facts\n"),
			    PASS "Add: X-Facts: 24 0 0 203.0.113.5 mail.example.net  1xWpme-000827-12 1\r\n" NO_ONE);
	assert_string_equal(ask("X-Envelope-To: forged\nReceived: from x\nSubject: facts\n"),
			    PASS "Add: X-Facts: 65 1 1 203.0.113.5 mail.example.net  1xWpme-000827-12 1\r\n" NO_ONE);
	/* a message that is not an mbox, with CRLF */
	assert_string_equal(ask_bytes(SLICE(HEAD(ENVELOPE, "26") "\r\nSubject: facts\r\n\r\nHello.\r\n")),
			    PASS "Add: X-Facts: 24 0 0 203.0.113.5 mail.example.net  1xWpme-000827-12 1\r\n" NO_ONE);
}

static void a_message_is_the_same_in_any_pieces(void **state)
{
	static const char message[] = MBOX RECEIVED "Subject: facts\nX-A: x\nX-A: y\n\nfirst\r\nsecond\n\n\nlast";
	char request[2000], whole[SERVER_ANSWER_MAX];
	struct served pieces;

	(void)state;
	snprintf(request, sizeof(request), HEAD(ENVELOPE, "%zu") "\r\n%s", strlen(message), message);
	strcpy(whole, ask_bytes(slice_of(request)));
	assert_non_null(strstr(whole, "Add: X-Facts: "));
	for (size_t piece = 1; piece < 200; piece++) {
		serve(host, slice_of(request), piece, true, &pieces);
		assert_string_equal(sized(pieces.answer), whole);
	}
}

static void the_head_says_who_it_is(void **state)
{
	(void)state;
	assert_string_equal(
	    ask_from("From: <>\r\nRcpt: <bob@example.org>\r\nRcpt: <\"odd one\"@example.org>\r\nHostname: "
		     "mail.example.net\r\n",
		     "Subject: facts\n", ""),
	    PASS
	    "Add: X-Facts: 16 0 0 203.0.113.5 mail.example.net  1xWpme-000827-12 2\r\n\tmail.example.net\r\n" NO_ONE);
	assert_string_equal(ask_from(ENVELOPE "User: alice smith@example.org\r\n", "Subject: x\n", ""),
			    PASS "Add: X-User: alice smith@example.org\r\n"
				 "Add: Authentication-Results: mx.example.org;\r\n"
				 "\tauth=pass\r\n");
}

/* ---- the answer -------------------------------------------------------------------------------------- */

static void each_verdict_has_its_action_and_every_line_of_the_reply(void **state)
{
	(void)state;
	assert_string_equal(ask("Subject: refuse\n"),
			    TRUE_ "Action: reject\r\nReply: 550 5.7.26 one\r\nReply: two\r\n");
	assert_string_equal(ask("Subject: defer\n"), TRUE_ "Action: soft reject\r\nReply: 451 4.7.1 later\r\n");
	assert_string_equal(ask("Subject: drop\n"), TRUE_ "Action: discard\r\n");
	/* without questions before DATA all refusals are those of the message */
	assert_string_equal(ask_from("From: <bad@example.net>\r\nRcpt: <bob@example.org>\r\n", "", ""),
			    TRUE_ "Action: reject\r\nReply: 550 5.7.1 bad sender\r\n");
	assert_string_equal(ask_from(TO("2") "Rcpt: <nobody@example.org>\r\n", "", ""),
			    TRUE_ "Action: reject\r\nReply: 550 5.1.1 nobody\r\n");
}

static void what_the_door_cannot_do_defers_the_message(void **state)
{
	static const char deferred[] =
	    TRUE_ "Action: soft reject\r\nReply: 451 4.3.0 Temporary failure of the mail filter\r\n";
	char fields[20000] = "X-A: x\n";

	(void)state;
	assert_string_equal(ask_from("From: <hold@example.net>\r\nRcpt: <bob@example.org>\r\n", "", ""), deferred);
	assert_string_equal(ask("Subject: copy\n"), deferred);
	for (size_t i = 0; i < 10; i++) /* fields that stay, and do not fit */
		snprintf(fields + strlen(fields), sizeof(fields) - strlen(fields), "X-A: %0900d\n", 0);
	assert_string_equal(ask(fields), deferred);
}

static void fields_that_stay_are_added_again_in_their_order(void **state)
{
	(void)state;
	assert_string_equal(ask("X-A: x1\nx-a: y1\nX-B: b\nX-A : x2\nX-A: y2\n  folded\n"),
			    PASS "Remove: X-A\r\nAdd: X-A: y2\r\n\tfolded\r\nAdd: x-a: y1\r\n" NO_ONE);
	/* the mail server's own field is not lost */
	assert_string_equal(
	    ask("Received: by evil\nReceived: by good\n"), PASS
	    "Remove: Received\r\nAdd: Received: by good\r\nAdd: Received: from mail.example.net by mx.example.org\r\n"
	    "\tid 1xWpme-000827-12\r\n" NO_ONE);
	assert_string_equal(ask("X-R: old\nX-R: b\n"), PASS "Remove: X-R\r\nAdd: X-R: new\r\n" NO_ONE);
	assert_string_equal(ask("Authentication-Results: mx.example.org; spf=pass\n"
				"Authentication-Results: other.example; dkim=pass\n"),
			    PASS "Remove: Authentication-Results\r\n"
				 "Add: Authentication-Results: other.example; dkim=pass\r\n" NO_ONE);
	assert_string_equal(ask("Subject: end\n"), PASS "Append: X-End: end\r\n" NO_ONE);
}

static void no_value_looks_like_a_line_of_the_answer(void **state)
{
	(void)state;
	assert_string_equal(ask("X-A: x\nX-A: y\n Add: X-Evil: 1\n\t\n Remove: From\n"),
			    PASS "Remove: X-A\r\nAdd: X-A: y\r\n\tAdd: X-Evil: 1\r\n\tRemove: From\r\n" NO_ONE);
}

/* ---- one session through two doors --------------------------------------------------------------------- */

static struct sessions *sessions;

static const char *ask_policy(const char *state, const char *sender, const char *recipient)
{
	static char action[SERVER_ANSWER_MAX + 1], whole[4096];
	struct arena *arena = arena_new();
	struct policy_request request;
	struct text answer;
	uintptr_t last = 0; /* Exim makes a connection for each question */

	snprintf(whole, sizeof(whole),
		 "request=smtpd_access_policy\nprotocol_state=%s\ninstance=1.2\nqueue_id=%s\nmessage_follows=yes\n"
		 "client_address=203.0.113.5\nclient_name=mail.example.net\nhelo_name=mail.example.net\nsender=%s\n"
		 "recipient=%s\nencryption_protocol=TLS1.3\n\n",
		 state, strcmp(state, "DATA") == 0 ? "1xWpme-000827-12" : "", sender, recipient);
	assert_int_equal(request_parse(slice_of(whole), &request), 0);
	text_init(&answer, arena, SERVER_ANSWER_MAX);
	sessions_answer(sessions, &request, &last, &answer);
	memcpy(action, answer.p, answer.n);
	action[answer.n] = '\0';
	arena_free(arena);
	return action;
}

static void what_was_asked_before_data_is_part_of_the_message(void **state)
{
	static const char once[] = "From: <once@example.net>\r\nRcpt: <bob@example.org>\r\n";

	(void)state;
	sessions = sessions_new(host);
	assert_string_equal(ask_policy("MAIL", "a@example.net", ""), "DUNNO");
	assert_string_equal(ask_policy("RCPT", "a@example.net", "nobody@example.org"), "550 5.1.1 nobody");
	assert_string_equal(ask_policy("RCPT", "a@example.net", "bob@example.org"), "DUNNO");
	assert_string_equal(ask_policy("DATA", "a@example.net", ""), "DUNNO");
	/* TLS is known, and the refused recipient is not one of the message */
	assert_string_equal(ask("Subject: facts\n"), PASS "Add: X-Facts: 24 0 0 203.0.113.5 mail.example.net  "
							  "1xWpme-000827-12 1\r\n\tmail.example.net TLS1.3\r\n" NO_ONE);
	/* a second time it is nobody's */
	assert_string_equal(ask("Subject: facts\n"),
			    PASS "Add: X-Facts: 24 0 0 203.0.113.5 mail.example.net  1xWpme-000827-12 1\r\n" NO_ONE);
	/* a recipient that was not asked about is judged at the end */
	ask_policy("MAIL", "b@example.net", "");
	ask_policy("RCPT", "b@example.net", "bob@example.org");
	ask_policy("DATA", "b@example.net", "");
	assert_string_equal(ask_from(TO("2") "Rcpt: <nobody@example.org>\r\n", "", ""),
			    TRUE_ "Action: reject\r\nReply: 550 5.1.1 nobody\r\n");
	/* every line of a reply */
	assert_string_equal(ask_policy("MAIL", "lines@example.net", ""), "550 5.7.1 one\ntwo");
	/* a limit counts once, whoever asks */
	ask_policy("MAIL", "once@example.net", "");
	ask_policy("RCPT", "once@example.net", "bob@example.org");
	ask_policy("DATA", "once@example.net", "");
	assert_string_equal(ask_from(once, "", ""), PASS NO_ONE);
	assert_string_equal(ask_from(once, "", ""), TRUE_ "Action: soft reject\r\nReply: 450 4.7.1 limit\r\n");
	sessions_free(sessions);
}

static void what_the_policy_door_cannot_say_waits_for_the_message(void **state)
{
	(void)state;
	sessions = sessions_new(host);
	assert_string_equal(ask_policy("MAIL", "hold@example.net", ""), "DUNNO");
	assert_string_equal(ask_policy("RCPT", "hold@example.net", "bob@example.org"), "DUNNO");
	assert_string_equal(ask_policy("DATA", "hold@example.net", ""), "DUNNO");
	assert_string_equal(ask(""),
			    TRUE_ "Action: soft reject\r\nReply: 451 4.3.0 Temporary failure of the mail filter\r\n");
	sessions_free(sessions);
}

static struct gate *gate_of(const char *sender)
{
	struct engine *engine = host->engine(host);
	struct gate *gate = gate_open(engine, &abilities_all);

	engine_release(engine);
	gate_mail(gate, slice_of(sender), MADE_UNKNOWN, false);
	return gate;
}

static void parked_gates_are_bounded_in_number_and_time(void **state)
{
	char id[20];

	(void)state;
	assert_false(parked_put(host->parked, SLICE(""), NULL));
	assert_false(parked_put(NULL, SLICE("x"), NULL));
	assert_null(parked_take(NULL, SLICE("x")));
	for (int i = 0; i < PARKED_MAX + 10; i++) {
		snprintf(id, sizeof(id), "q%d", i);
		assert_true(parked_put(host->parked, slice_of(id), gate_of("<a@example.net>")));
	}
	assert_null(parked_take(host->parked, SLICE("q9")));
	gate_close(parked_take(host->parked, SLICE("q10")));
	assert_null(parked_take(host->parked, SLICE("q10")));
	/* the same id again: the old one ends */
	assert_true(parked_put(host->parked, SLICE("q11"), gate_of("<b@example.net>")));
	gate_close(parked_take(host->parked, SLICE("q11")));
	assert_null(parked_take(host->parked, SLICE("q11")));
	parked_expire(host->parked, clock_us() - 1000000000);
	gate_close(parked_take(host->parked, SLICE("q12")));
	parked_expire(host->parked, INT64_MAX);
	assert_null(parked_take(host->parked, SLICE("q13")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_door, close_door)
	const struct CMUnitTest tests[] = {
	    TEST(what_is_not_a_request_gets_no_answer),
	    TEST(a_head_that_a_stranger_has_a_part_in_is_not_a_request),
	    TEST(an_endless_head_and_an_endless_line_are_bounded),
	    TEST(what_is_short_waits_for_more),
	    TEST(lines_of_the_mbox_and_the_own_received_field_are_not_of_the_message),
	    TEST(a_message_is_the_same_in_any_pieces),
	    TEST(the_head_says_who_it_is),
	    TEST(each_verdict_has_its_action_and_every_line_of_the_reply),
	    TEST(what_the_door_cannot_do_defers_the_message),
	    TEST(fields_that_stay_are_added_again_in_their_order),
	    TEST(no_value_looks_like_a_line_of_the_answer),
	    TEST(what_was_asked_before_data_is_part_of_the_message),
	    TEST(what_the_policy_door_cannot_say_waits_for_the_message),
	    TEST(parked_gates_are_bounded_in_number_and_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
