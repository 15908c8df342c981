/*
 * test_report_rounds.c - a round sends each report once to each address, whatever the mail server says; what cannot be
 * sent now is kept for a while.
 */
#include "report_scene.h"

#define EACH_STORE(body)                                                                                               \
	for (int i = 0; i < 2; i++) {                                                                                  \
		struct site *site = site_new(i ? "lmdb:" : "memory:");                                                 \
		body(site);                                                                                            \
		site_free(site);                                                                                       \
	}

static void every_address(struct site *site)
{
	count(site, "example.org",
	      "mailto:a@example.org!10m, https://example.org/,mailto:A@example.org ,mailto:b@yes.example");
	count(site, "example.net", "mailto:a@example.net");
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_SENT], 3);
	assert_int_equal(site->told[REPORT_NO_ADDRESS], 1);
	assert_int_equal(site->server.taken, 3);
	assert_int_equal(mails_to(&site->server, "b@yes.example"), 1);
	assert_false(has_rows(site, "example.org") || has_rows(site, "example.net"));
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->server.taken, 3);
	assert_int_equal(site->counters.sent, 3);
	assert_int_equal(site->counters.waiting, 0);
}

static void every_address_of_rua_gets_a_report_once(void **state)
{
	(void)state;
	EACH_STORE(every_address)
}

/* Of three addresses one takes the report, one never will, and one does not now. */
static void one_refusal(struct site *site)
{
	count(site, "example.org", "mailto:gone@example.org,mailto:later@example.org,mailto:a@example.org");
	count(site, "example.net", "mailto:a@example.net");
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_SENT], 2);
	assert_int_equal(site->told[REPORT_REFUSED], 1);
	assert_int_equal(site->told[REPORT_LATER], 1);
	assert_true(has_rows(site, "example.org"));
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(site->server.tried, 4); /* it waits for its time */
	wall += REPORTS_AGAIN_US;
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_SENT_BEFORE], 2);
	assert_int_equal(site->server.tried, 5);
	assert_int_equal(site->server.taken, 2);
	assert_int_equal(site->counters.waiting, 1);
}

static void a_refusal_repeats_nothing_for_others(void **state)
{
	(void)state;
	EACH_STORE(one_refusal)
}

static void where_no_report_may_go_none_goes(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	count(site, "example.org", "mailto:a@no.example,mailto:a@away.example,mailto:a@slow.example");
	count(site, "example.net", "");
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_NO_CONSENT], 2);
	assert_int_equal(site->told[REPORT_LATER], 1);
	assert_int_equal(site->told[REPORT_NO_ADDRESS], 1);
	assert_int_equal(site->server.tried, 0);
	assert_true(has_rows(site, "example.org"));
	assert_false(has_rows(site, "example.net"));
	site->excluded = TRUTH_UNKNOWN;
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_true(has_rows(site, "example.org"));
	site->excluded = TRUTH_TRUE;
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_EXCLUDED], 1);
	assert_false(has_rows(site, "example.org"));
	site_free(site);
}

/* Nothing is lost while mail would not be aligned, or while another process has the lease. */
static void what_cannot_be_sent_now_is_kept(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	count(site, "example.org", "mailto:a@example.org");
	site->aligned = false;
	assert_int_equal(run(site, true), REPORTS_BROKEN);
	assert_string_equal(site->last, "it would not pass");
	site->aligned = true;
	assert_int_equal(store_lease_take(site->scene->store, SLICE("rua:lease"), SLICE("there"), SECOND * 60),
			 STORE_OK);
	assert_int_equal(run(site, true), REPORTS_ELSEWHERE);
	assert_int_equal(store_lease_release(site->scene->store, SLICE("rua:lease"), SLICE("there")), STORE_OK);
	site->stopped = true;
	assert_int_equal(run(site, true), REPORTS_BROKEN);
	assert_int_equal(site->server.taken, 0);
	site->stopped = false;
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->server.taken, 1);
	site_free(site);
}

static void each_domain_is_due_at_a_time_of_its_own(void **state)
{
	struct site *site = site_new("memory:");
	unsigned middle;

	(void)state;
	for (int i = 0; i < 12; i++)
		count(site, arena_cstring(site->scene->arena, arena_printf(site->scene->arena, "d%d.example", i)),
		      "mailto:a@example.org");
	wall = ((int64_t)site->day + 1) * DAY_US + REPORTS_START_US - SECOND;
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_NO_CONSENT], 0);
	wall += REPORTS_SPREAD_US / 2;
	assert_int_equal(run(site, false), REPORTS_DONE);
	middle = site->told[REPORT_NO_CONSENT];
	assert_in_range(middle, 1, 11);
	wall += REPORTS_SPREAD_US / 2 + 2 * SECOND;
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(middle + site->told[REPORT_NO_CONSENT], 12);
	site_free(site);
}

/* Back and forth; a clock that is only corrected a little is not set. */
static void no_round_begins_for_a_while_when_the_clock_was_set(void **state)
{
	static const struct {
		int64_t wall, steady, jump; /* seconds */
		bool may;
	} looks[] = {
	    {1000000, 50, 0, true},         {1000010, 60, 0, true},    {1000310, 70, 0, true},
	    {1086710, 80, 86390, false},    {1087310, 680, 0, false},  {1087621, 991, 0, true},
	    {1001231, 1001, -86400, false}, {1002130, 1900, 0, false}, {1002131, 1901, 0, true},
	};
	struct report_clock clock = {.began = false};

	(void)state;
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		int64_t jump;

		assert_int_equal(report_clock_steady(&clock, looks[i].wall * SECOND, looks[i].steady * SECOND, &jump),
				 looks[i].may);
		assert_int_equal(jump / SECOND, looks[i].jump);
	}
}

static void a_day_that_is_not_over_is_not_reported(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	site->day++;
	count(site, "example.org", "mailto:a@example.org");
	wall += DAY_US; /* a clock that is wrong */
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->server.tried, 0);
	site_free(site);
}

static void what_waits_for_two_days_is_dropped(void **state)
{
	struct site *site = site_new("memory:");
	unsigned rounds = 0;

	(void)state;
	count(site, "example.org", "mailto:later@example.org");
	wall = ((int64_t)site->day + 1) * DAY_US + REPORTS_START_US + REPORTS_SPREAD_US;
	for (; has_rows(site, "example.org"); rounds++) {
		assert_int_equal(run(site, false), REPORTS_DONE);
		wall += REPORTS_AGAIN_US;
	}
	assert_int_equal(site->told[REPORT_DROPPED], 1);
	assert_int_equal(site->counters.dropped, 1);
	assert_in_range(site->server.tried, 10, 20);
	assert_in_range(rounds, 150, 48 * 4);
	site_free(site);
}

static void a_mail_server_that_is_silent_ends_the_round(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	for (int i = 0; i < 8; i++)
		count(site, arena_cstring(site->scene->arena, arena_printf(site->scene->arena, "d%d.example.org", i)),
		      "mailto:cut@example.org");
	assert_int_equal(run(site, true), REPORTS_BROKEN);
	assert_int_equal(site->server.tried, REPORTS_SILENT_MAX);
	assert_string_equal(site->last, "the mail server does not answer");
	site_free(site);
}

/* The second round would begin with the same domain, and end there. */
static void a_domain_whose_mail_gets_no_answer_does_not_hold_up_others(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	count(site, "a.example.org", "mailto:cut1@example.org,mailto:cut2@example.org,mailto:cut3@example.org");
	count(site, "b.example.org", "mailto:a@example.org");
	wall = ((int64_t)site->day + 1) * DAY_US + REPORTS_START_US + REPORTS_SPREAD_US;
	assert_int_equal(run(site, false), REPORTS_BROKEN);
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(mails_to(&site->server, "a@example.org"), 1);
	assert_true(has_rows(site, "a.example.org"));
	site_free(site);
}

/* A DNS server can answer each question with another record: each of them is a report of its own. */
static void a_record_that_changes_all_the_time_gets_no_flood_of_reports(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	for (int i = 0; i < REPORTS_PARTS_MAX + 10; i++)
		count(site, "example.org",
		      arena_cstring(site->scene->arena,
				    arena_printf(site->scene->arena, "mailto:a@example.org; x=%d", i)));
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->server.taken, REPORTS_PARTS_MAX);
	assert_int_equal(site->told[REPORT_DROPPED], 1);
	assert_false(has_rows(site, "example.org"));
	site_free(site);
}

static void who_answers_no_question_does_not_take_the_time_of_others(void **state)
{
	int64_t vain = 0;
	unsigned domains = 0;

	(void)state;
	assert_true(report_patience_us(0) >= 10 * SECOND);
	for (; vain < 2 * HOUR; domains++)
		vain += report_patience_us(vain);
	assert_true(domains >= 10000);
}

/* Else those of a stranger, each with a pause, would make a round as long as he likes. */
static void domains_that_only_wait_take_no_rest(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	for (int i = 0; i < 5; i++)
		count(site, arena_cstring(site->scene->arena, arena_printf(site->scene->arena, "d%d.example.org", i)),
		      "mailto:later@example.org");
	wall = ((int64_t)site->day + 1) * DAY_US + REPORTS_START_US + REPORTS_SPREAD_US;
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(site->rests, 5);
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(site->rests, 5);
	site_free(site);
}

/* ---- the mail ----------------------------------------------------------------------------- */

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in\n%s", part, text);
}

static void the_mail_has_the_report_attached_and_stays_the_same(void **state)
{
	struct site *site = site_new("memory:");
	const char *text = site->server.text;
	struct aggregate_request request = {
	    .day = site->day, .domain = SLICE("example.org"), .part = SLICE(""), .max_bytes = REPORTS_BYTES_MAX};
	struct arena *arena = site->scene->arena;
	struct aggregate_report report;
	struct slice coded, bytes;
	struct error err;

	(void)state;
	count(site, "example.org", "mailto:a@example.org");
	assert_int_equal(aggregate_make(site->aggregate, &request, arena, &report, &err), 1);
	assert_int_equal(run(site, true), REPORTS_DONE);
	has(text, "From: \"Example, Inc.\" <dmarc@receiver.example>\r\nTo: a@example.org\r\n");
	has(text, arena_cstring(arena, report.file));
	has(text, " +0000\r\nMessage-ID: <");
	has(text, arena_cstring(arena, arena_join(arena, SLICE("Message-ID: <"), report.id, SLICE("."))));
	has(text, "Auto-Submitted: auto-generated\r\n");
	has(text, "Content-Type: application/gzip;\r\n name=\"receiver.example!example.org!");
	has(text, " filename=\"receiver.example!example.org!");
	coded = slice_of(strstr(text, "base64\r\n\r\n") + 10);
	coded.n = (size_t)(strstr(coded.p, "\r\n--=_") - coded.p);
	assert_int_equal(base64_decode(coded, arena, &bytes), 0);
	assert_true(slice_equal(bytes, report.gz));
	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
		assert_true(end > line && end[-1] == '\r' && end - line < 998);
	site_free(site);
}

/* Strangers choose which domains ask for reports, and where. */
static void one_place_gets_only_so_many_reports_a_day(void **state)
{
	struct site *site = site_new("memory:");
	struct arena *arena = site->scene->arena;

	(void)state;
	site->sender.address_max = 2;
	site->sender.org_max = 3;
	for (int i = 0; i < 6; i++)
		count(site, arena_cstring(arena, arena_printf(arena, "d%d.example.org", i)),
		      i < 4 ? "mailto:a@example.org" : "mailto:B@Example.Org");
	for (int i = 0; i < 6; i++) {
		const char *domain = arena_cstring(arena, arena_printf(arena, "d%d.example.org", i));

		assert_int_equal(run_for(site, domain, true), REPORTS_DONE);
		assert_int_equal(site->told[i < 2 || i == 4 ? REPORT_SENT : REPORT_TOO_MANY], 1);
		if (i == 3)
			assert_string_equal(site->last, "a@example.org: 2 reports went to a@example.org within a day, "
							"and more wait");
	}
	assert_string_equal(site->last, "B@example.org: 3 reports went to addresses at example.org within a day, and "
					"more wait");
	assert_true(has_rows(site, "d3.example.org"));
	pass(DAY_US + HOUR);
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_SENT], 3);
	assert_int_equal(site->server.taken, 6);
	site_free(site);
}

/* One who makes up domains below his own does not use up what others may send to the same address. */
static void domains_of_one_owner_do_not_take_all_places(void **state)
{
	static const char *const domains[] = {"a.example.net", "b.example.net", "c.example.net", "example.org"};
	struct site *site = site_new("memory:");

	(void)state;
	site->sender.address_max = 4;
	site->sender.share_max = 2;
	for (int i = 0; i < 4; i++)
		count(site, domains[i], "mailto:a@yes.example");
	for (int i = 0; i < 4; i++) {
		assert_int_equal(run_for(site, domains[i], true), REPORTS_DONE);
		assert_int_equal(site->told[i == 2 ? REPORT_TOO_MANY : REPORT_SENT], 1);
		if (i == 2)
			assert_string_equal(site->last, "a@yes.example: 2 reports about domains below example.net went "
							"to addresses at yes.example within a day, and more wait");
	}
	site_free(site);
}

/* An answer that was lost: else a mail server that is down would use up what may go to an address. */
static void what_was_not_sent_does_not_count(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	site->sender.address_max = 1;
	count(site, "example.org", "mailto:later@example.org");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run(site, true), REPORTS_DONE);
		assert_int_equal(site->told[REPORT_LATER], 1);
	}
	site_free(site);
}

static const struct report_last *last_to(const struct report_last *list, size_t count, const char *address)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(list[i].told.address, slice_of(address)))
			return &list[i];
	fail_msg("nothing is known of %s", address);
	return NULL;
}

static void the_latest_outcome_is_known(struct site *site)
{
	struct report_last *list;
	struct slice next;
	size_t number;

	count(site, "example.org", "mailto:gone@example.org,mailto:later@example.org,mailto:a@example.org,https://b/");
	assert_int_equal(run(site, true), REPORTS_DONE);
	wall += HOUR;
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(report_last_list(site->scene->store, SLICE(""), site->scene->arena, &list, &number, &next),
			 STORE_OK);
	assert_int_equal(number, 4);
	assert_null(next.p);
	assert_int_equal(last_to(list, number, "gone@example.org")->told.fate, REPORT_REFUSED);
	assert_slice(last_to(list, number, "gone@example.org")->told.text, "550 5.1.1 no such user");
	assert_int_equal(last_to(list, number, "a@example.org")->told.fate, REPORT_SENT);
	assert_int_equal(last_to(list, number, "a@example.org")->at_s, (wall - HOUR) / SECOND);
	assert_int_equal(last_to(list, number, "a@example.org")->told.day, site->day);
	assert_int_equal(last_to(list, number, "a@example.org")->told.messages, 1);
	assert_int_equal(last_to(list, number, "later@example.org")->told.fate, REPORT_LATER);
	assert_int_equal(last_to(list, number, "later@example.org")->at_s, wall / SECOND);
	assert_int_equal(last_to(list, number, "")->told.fate, REPORT_NO_ADDRESS);
}

static void the_latest_outcome_of_each_domain_and_address_is_known(void **state)
{
	(void)state;
	EACH_STORE(the_latest_outcome_is_known)
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_address_of_rua_gets_a_report_once),
	    cmocka_unit_test(one_place_gets_only_so_many_reports_a_day),
	    cmocka_unit_test(domains_of_one_owner_do_not_take_all_places),
	    cmocka_unit_test(what_was_not_sent_does_not_count),
	    cmocka_unit_test(the_latest_outcome_of_each_domain_and_address_is_known),
	    cmocka_unit_test(a_refusal_repeats_nothing_for_others),
	    cmocka_unit_test(where_no_report_may_go_none_goes),
	    cmocka_unit_test(what_cannot_be_sent_now_is_kept),
	    cmocka_unit_test(each_domain_is_due_at_a_time_of_its_own),
	    cmocka_unit_test(no_round_begins_for_a_while_when_the_clock_was_set),
	    cmocka_unit_test(a_day_that_is_not_over_is_not_reported),
	    cmocka_unit_test(what_waits_for_two_days_is_dropped),
	    cmocka_unit_test(a_mail_server_that_is_silent_ends_the_round),
	    cmocka_unit_test(a_domain_whose_mail_gets_no_answer_does_not_hold_up_others),
	    cmocka_unit_test(a_record_that_changes_all_the_time_gets_no_flood_of_reports),
	    cmocka_unit_test(who_answers_no_question_does_not_take_the_time_of_others),
	    cmocka_unit_test(domains_that_only_wait_take_no_rest),
	    cmocka_unit_test(the_mail_has_the_report_attached_and_stays_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
