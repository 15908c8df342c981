/*
 * test_policy_door.c - what a mail server asks over the policy delegation protocol, and the action it gets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fuzz/door_host.h"
#include "../../filter/doors/policy/policy_private.h"

static const char config[] =
    "list recent dynamic:30m\n"
    "submission { port 587  clients recent }\n"
    "limit hourly { key auth.user  count recipients  hard 3  per 1h }\n"
    "policy inbound {\n"
    "  on connect { defer 421 4.7.0 \"not you\" if client is 203.0.113.66 }\n"
    "  on mail { reject 550 5.7.1 \"bad\" \"really\" if sender is bad@example.net\n"
    "            discard if sender is drop@example.net\n"
    "            quarantine \"held\" if sender is hold@example.net\n"
    "            add-header X-A \"b\" if sender is null }\n"
    "  on rcpt { reject 550 5.1.1 \"nobody %{recipient}\" if recipient is nobody@example.org }\n"
    "  on message { reject 550 5.7.1 \"unseen\" } }\n"
    "policy submission {\n"
    "  on rcpt { defer 450 4.7.1 \"limit\" if limit(\"hourly\") is over\n"
    "            accept } }\n";

static struct sessions *sessions;
static uintptr_t last;

static int open_door(void **state)
{
	(void)state;
	sessions = sessions_new(door_host_with(config));
	last = 0;
	return 0;
}

static int close_door(void **state)
{
	(void)state;
	sessions_free(sessions);
	return 0;
}

/* The action for a request; client 203.0.113.5 unless the text has another. */
static const char *ask(const char *text)
{
	static char action[SERVER_ANSWER_MAX + 1], whole[4096];
	struct arena *arena = arena_new();
	struct policy_request request;
	struct text answer;

	snprintf(whole, sizeof(whole), "request=smtpd_access_policy\n%sclient_address=203.0.113.5\n\n", text);
	assert_int_equal(request_frame(slice_of(whole)), strlen(whole));
	assert_int_equal(request_parse(slice_of(whole), &request), 0);
	text_init(&answer, arena, SERVER_ANSWER_MAX);
	sessions_answer(sessions, &request, &last, &answer);
	memcpy(action, answer.p, answer.n);
	action[answer.n] = '\0';
	arena_free(arena);
	return action;
}

static const char *ask_rcpt(const char *instance, const char *sender, const char *recipient, const char *more)
{
	char text[2048];

	snprintf(text, sizeof(text), "protocol_state=RCPT\ninstance=%s\nsender=%s\nrecipient=%s\n%s", instance, sender,
		 recipient, more);
	return ask(text);
}

static const char *ask_data(const char *instance, const char *more)
{
	char text[2048];

	snprintf(text, sizeof(text), "protocol_state=DATA\ninstance=%s\nsender=a@example.net\nrecipient=\n%s", instance,
		 more);
	return ask(text);
}

/* ---- frames -------------------------------------------------------------------------------- */

static void a_request_ends_with_an_empty_line(void **state)
{
	struct policy_request request;

	(void)state;
	assert_int_equal(request_frame(SLICE("a=b\nc=d\n")), 0);
	assert_int_equal(request_frame(SLICE("a=b\n\nc=d\n")), 5);
	assert_int_equal(request_frame(SLICE("\n\n")), FRAME_INVALID);
	assert_int_equal(request_frame(SLICE("")), 0);
	assert_int_equal(request_parse(SLICE("a=b\n\n"), &request), -1);
	assert_int_equal(request_parse(SLICE("request=other\n\n"), &request), -1);
	assert_int_equal(request_parse(SLICE("request=smtpd_access_policy\nGET / HTTP/1.1\n\n"), &request), -1);
	assert_int_equal(request_parse(SLICE("request=smtpd_access_policy\n=x\n\n"), &request), -1);
	assert_int_equal(request_parse(SLICE("request=smtpd_access_policy\nsender=a\0b\n\n"), &request), -1);
	assert_int_equal(
	    request_parse(SLICE("x=y=z\nsender=a=b@x\nsender=c\nrequest=smtpd_access_policy\n\n"), &request), 0);
	assert_true(slice_equal(request.sender, SLICE("a=b@x")));
}

/* ---- actions ------------------------------------------------------------------------------- */

static void before_mail_nothing_is_decided(void **state)
{
	static const char *const states[] = {"CONNECT", "EHLO", "HELO", "VRFY", "ETRN", "", "rcpt"};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		snprintf(text, sizeof(text), "protocol_state=%s\nclient_address=203.0.113.66\n", states[i]);
		assert_string_equal(ask(text), "DUNNO");
	}
	assert_string_equal(ask("protocol_state=MAIL\nclient_address=203.0.113.66\nsender=a@example.net\n"),
			    "421 4.7.0 not you");
}

static void each_verdict_has_its_action(void **state)
{
	(void)state;
	assert_string_equal(ask_rcpt("1", "a@example.net", "bob@example.org", ""), "DUNNO");
	assert_string_equal(ask_rcpt("1", "a@example.net", "nobody@example.org", ""),
			    "550 5.1.1 nobody nobody@example.org");
	assert_string_equal(ask_data("1", ""), "DUNNO"); /* the message stage is not seen */
	assert_string_equal(ask_rcpt("2", "bad@example.net", "bob@example.org", ""), "550 5.7.1 bad really");
	assert_string_equal(ask_rcpt("2", "bad@example.net", "carol@example.org", ""), "550 5.7.1 bad really");
	assert_string_equal(ask_rcpt("3", "drop@example.net", "bob@example.org", ""), "DISCARD");
	assert_string_equal(ask_data("3", ""), "DISCARD");
	assert_string_equal(ask_rcpt("4", "hold@example.net", "bob@example.org", ""), "HOLD held");
	assert_string_equal(ask_rcpt("4", "hold@example.net", "nobody@example.org", ""),
			    "550 5.1.1 nobody nobody@example.org");
	assert_string_equal(ask_data("4", ""), "HOLD held");
	assert_string_equal(ask_rcpt("5", "", "bob@example.org", ""), "DUNNO");
	assert_string_equal(ask_data("5", ""), "DUNNO");
}

static void only_a_user_that_a_rule_accepts_may_relay(void **state)
{
	(void)state;
	/* the port makes it submission, and the rule accepts, but nobody has said who it is */
	assert_string_equal(ask_rcpt("10", "a@example.org", "x@example.com", "server_port=587\n"), "DUNNO");
	assert_string_equal(ask_rcpt("11", "a@example.org", "x@example.com", "sasl_username=alice\n"), "OK");
	assert_string_equal(ask_rcpt("12", "a@example.org", "x@example.com", "client_address=198.51.100.9\n"), "DUNNO");
	door_host_list("recent", "198.51.100.9");
	assert_string_equal(ask_rcpt("13", "a@example.org", "x@example.com", "client_address=198.51.100.9\n"), "OK");
	assert_string_equal(ask_rcpt("14", "a@example.org", "x@example.com", "client_address=198.51.100.8\n"), "DUNNO");
}

static void a_recipient_counts_once_whoever_asks_and_a_message_counts_once_it_is_let_through(void **state)
{
	static const char carol[] = "sasl_username=carol\n";

	(void)state;
	for (int i = 0; i < 5; i++) /* several restrictions of Postfix ask */
		assert_string_equal(ask_rcpt("20", "c@example.org", "x@example.com", carol), "OK");
	assert_string_equal(ask_rcpt("20", "c@example.org", "y@example.com", carol), "OK");
	assert_string_equal(ask_data("20", carol), "DUNNO");
	assert_string_equal(ask_rcpt("21", "c@example.org", "x@example.com", carol), "OK");
	/* that client gave up before DATA, and its mail server asks at DATA: it does not count */
	assert_string_equal(ask_rcpt("22", "c@example.org", "z@example.com", carol), "OK");
	assert_string_equal(ask_data("22", carol), "DUNNO");
	assert_string_equal(ask_rcpt("23", "c@example.org", "x@example.com", carol), "450 4.7.1 limit");
}

static void the_oldest_of_too_many_sessions_makes_room(void **state)
{
	char instance[20];

	(void)state;
	for (int i = 0; i < SESSIONS_MAX + 50; i++) {
		snprintf(instance, sizeof(instance), "m%d", i);
		last = 0;
		assert_string_equal(ask_rcpt(instance, "a@example.net", "bob@example.org", ""), "DUNNO");
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_door, close_door)
	const struct CMUnitTest tests[] = {
	    TEST(a_request_ends_with_an_empty_line),
	    TEST(before_mail_nothing_is_decided),
	    TEST(each_verdict_has_its_action),
	    TEST(only_a_user_that_a_rule_accepts_may_relay),
	    TEST(a_recipient_counts_once_whoever_asks_and_a_message_counts_once_it_is_let_through),
	    TEST(the_oldest_of_too_many_sessions_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
