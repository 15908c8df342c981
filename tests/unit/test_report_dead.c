/*
 * test_report_dead.c - an address that does not exist gets no reports for a while, and which refusals and bounces say
 * that it does not.
 */
#include "report_scene.h"

/* ---- dead addresses ---------------------------------------------------------------------- */

static void a_dead_address_rests_for_longer_each_time(void **state)
{
	static const int64_t rests[] = {1, 4, 16, 16};
	struct site *site = site_new("memory:");
	struct store *store = site->scene->store;
	struct arena *arena = site->scene->arena;
	int64_t now = START, until;
	struct report_dead dead, *list;
	struct slice next;
	size_t number;

	(void)state;
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		for (int again = 0; again < 3; again++) /* of several mails each may bounce */
			assert_int_equal(report_dead_add(store, SLICE("Gone@example.org"), SLICE("550 no\r\n"),
							 now + again, arena, &until),
					 STORE_OK);
		assert_int_equal(until, now / SECOND + rests[i] * 86400);
		assert_int_equal(report_dead_find(store, SLICE("gone@example.org"), until * SECOND - 1, arena, &dead),
				 STORE_OK);
		assert_slice(dead.why, "550 no??");
		assert_int_equal(report_dead_find(store, SLICE("gone@example.org"), until * SECOND, arena, &dead),
				 STORE_ABSENT);
		now = until * SECOND;
	}
	assert_int_equal(report_dead_find(store, SLICE("other@example.org"), now, arena, &dead), STORE_ABSENT);
	assert_int_equal(report_dead_list(store, SLICE(""), arena, &list, &number, &next), STORE_OK);
	assert_int_equal(number, 1);
	assert_slice(list[0].address, "gone@example.org");
	assert_int_equal(list[0].times, 4);
	assert_null(next.p);
	assert_int_equal(report_dead_clear(store, SLICE("GONE@example.org"), arena), STORE_OK);
	assert_int_equal(report_dead_clear(store, SLICE("gone@example.org"), arena), STORE_ABSENT);
	site_free(site);
}

/* Nor is one of the mail: a stranger chooses what it is about, and others share the address. */
static void a_refusal_that_is_about_us_is_not_taken_for_a_dead_address(void **state)
{
	static const struct {
		const char *address;
		enum report_fate fate;
		bool dead;
	} cases[] = {{"gone@example.org", REPORT_REFUSED, true},  {"large@example.org", REPORT_REFUSED, false},
		     {"spam@example.org", REPORT_REFUSED, false}, {"text@example.org", REPORT_REFUSED, false},
		     {"us@example.org", REPORT_LATER, false},     {"sender@example.org", REPORT_LATER, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct site *site = site_new("memory:");
		struct report_dead dead;
		char rua[60];

		snprintf(rua, sizeof(rua), "mailto:%s", cases[i].address);
		count(site, "example.org", rua);
		count(site, "other.example.org", rua);
		assert_int_equal(run_for(site, "example.org", true), REPORTS_DONE);
		assert_int_equal(site->told[cases[i].fate], 1);
		assert_int_equal(
		    report_dead_find(site->scene->store, slice_of(cases[i].address), wall, site->scene->arena, &dead),
		    cases[i].dead ? STORE_OK : STORE_ABSENT);
		assert_int_equal(run_for(site, "other.example.org", true), REPORTS_DONE);
		assert_int_equal(site->told[REPORT_SUPPRESSED], cases[i].dead);
		site_free(site);
	}
}

/* ---- bounces ------------------------------------------------------------------------------ */

static enum store_answer find(struct site *site, const char *recipient, struct slice *address_r)
{
	return report_bounce_find(site->scene->store, site->sender.from, '+', slice_of(recipient), site->scene->arena,
				  address_r);
}

static void a_bounce_is_of_the_address_that_its_token_belongs_to(void **state)
{
	struct site *site = site_new("memory:");
	struct slice address;
	char *sender = site->server.senders[0];

	(void)state;
	count(site, "example.org", "mailto:Rep.Box@example.org");
	count(site, "example.net", "mailto:a@example.net");
	assert_int_equal(run_for(site, "example.org", true), REPORTS_DONE);
	assert_int_equal(strncmp(sender, "dmarc+r", 7), 0);
	assert_int_equal(find(site, sender, &address), STORE_OK);
	assert_slice(address, "Rep.Box@example.org");
	sender[7] ^= 1;
	assert_int_equal(find(site, sender, &address), STORE_ABSENT);
	assert_int_equal(find(site, "dmarc@receiver.example", &address), STORE_ABSENT);
	assert_int_equal(find(site, "dmarc+r@receiver.example", &address), STORE_ABSENT);
	assert_int_equal(find(site, "", &address), STORE_ABSENT);
	site->sender.delimiter = '\0';
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_string_equal(site->server.senders[1], "dmarc@receiver.example");
	site_free(site);
}

static void only_a_failure_for_good_is_a_bounce(void **state)
{
	static const struct {
		const char *type, *body, *why; /* why NULL: it is none */
	} cases[] = {
	    {" multipart/report; report-type=delivery-status;\r\n boundary=x",
	     "--x\r\n\r\nSorry\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n"
	     "Final-Recipient: rfc822; a@b\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no\r\n",
	     "bounced: 5.1.1 smtp; 550 no"},
	    {"Multipart/Report; boundary=x; report-type=\"delivery-status\"", "ACTION: failed\nStatus: 4.4.7\n",
	     "bounced: 4.4.7 "},
	    {"multipart/report; report-type=delivery-status", "Action: failed\r\nStatus: 5.7.1 (spam)\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "Action: failed\r\nStatus: 5.6.0\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "Action: failed\r\nStatus: 5.2.3\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "Action: failed\r\nStatus: 5.0.0\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "Action: failed\r\n", NULL},
	    {"multipart/report; report-type=delivery-status",
	     "<a@b>: host b said: 550 like spam (in reply to end of DATA command)\r\nAction: failed\r\nStatus: "
	     "5.0.0\r\n"
	     "Diagnostic-Code: smtp; 550 like spam\r\n",
	     NULL},
	    {"multipart/report; report-type=delivery-status",
	     "Action: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 550-5.7.1 spam (in reply to RCPT TO)\r\n",
	     NULL},
	    {"multipart/report; report-type=delivery-status",
	     "Action: failed\r\nStatus: 5.5.0\r\nDiagnostic-Code: smtp; 550 5.1.1 no\r\n",
	     "bounced: 5.5.0 smtp; 550 5.1.1 no"},
	    {"multipart/report; report-type=delivery-status",
	     "<a@b>: host b said: 550 no such user (in reply to\r\n    RCPT TO command)\r\nAction: failed\r\nStatus: "
	     "5.0.0\r\n",
	     "bounced: 5.0.0 "},
	    {"multipart/report; report-type=delivery-status",
	     "SMTP error from remote mail server after RCPT TO:<a@b>:\r\nAction: failed\r\nStatus: 5.0.0\r\n",
	     "bounced: 5.0.0 "},
	    {"multipart/report; report-type=delivery-status",
	     ">>> RCPT To:<a@b>\r\n<<< 550 no\r\nAction: failed\r\nStatus: 5.0.0\r\n", "bounced: 5.0.0 "},
	    {"multipart/report; report-type=delivery-status", "Action: delayed\r\nAction: failed\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "x Action: failed\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "", NULL},
	    {"multipart/report; report-type=disposition-notification", "Action: failed\r\n", NULL},
	    {"text/plain; x=delivery-status", "Action: failed\r\n", NULL},
	    {"", "Action: failed\r\n", NULL},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice why;

		assert_int_equal(report_bounce_read(slice_of(cases[i].type), slice_of(cases[i].body), arena, &why),
				 cases[i].why != NULL);
		if (cases[i].why)
			assert_slice(why, cases[i].why);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_dead_address_rests_for_longer_each_time),
	    cmocka_unit_test(a_refusal_that_is_about_us_is_not_taken_for_a_dead_address),
	    cmocka_unit_test(a_bounce_is_of_the_address_that_its_token_belongs_to),
	    cmocka_unit_test(only_a_failure_for_good_is_a_bounce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
