/*
 * test_spf_received.c - Received-SPF fields (RFC 7208 9.1), whatever a sender says.
 */
#include "spf_bench.h"

static const char zone[] = "plain.example TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
			   "broken.example SERVFAIL\n";

static void received_spf_keeps_strangers_inside_their_quotes(void **state)
{
	static const struct {
		const char *sender, *helo, *field;
	} cases[] = {
	    {"a@plain.example", "mail.example",
	     "fail (mx.receiver.example: domain of plain.example does not designate 203.0.113.1 as permitted sender)\n"
	     "\tclient-ip=\"203.0.113.1\";\n\tenvelope-from=\"a@plain.example\";\n\thelo=\"mail.example\";\n"
	     "\treceiver=\"mx.receiver.example\";\n\tmechanism=\"-all\";\n\tidentity=mailfrom"},
	    {"\"; x=\\\"@broken.example", "a\r\nSubject: (x)\x80\"",
	     "temperror (mx.receiver.example: temporary error in processing domain of broken.example)\n"
	     "\tclient-ip=\"203.0.113.1\";\n\tenvelope-from=\"\\\"; x=\\\\\\\"@broken.example\";\n"
	     "\thelo=\"a??Subject: (x)?\\\"\";\n\treceiver=\"mx.receiver.example\";\n"
	     "\tproblem=\"broken.example: temporary DNS failure (servfail)\";\n\tidentity=mailfrom"},
	    {"a@b)(c.example", "h",
	     "none (mx.receiver.example: domain of b??c.example has no SPF record)\n\tclient-ip=\"203.0.113.1\";\n"
	     "\tenvelope-from=\"a@b)(c.example\";\n\thelo=\"h\";\n\treceiver=\"mx.receiver.example\";\n"
	     "\tidentity=mailfrom"},
	    /* RFC 6531: as RFC 6533 3 writes it in ASCII; the domain in A-labels */
	    {"j\xc3\xb6rg.\xe2\x98\x83.\xf0\x9f\x98\x80@plain.example", "h",
	     "fail (mx.receiver.example: domain of plain.example does not designate 203.0.113.1 as permitted sender)\n"
	     "\tclient-ip=\"203.0.113.1\";\n\tenvelope-from=\"j\\\\x{F6}rg.\\\\x{2603}.\\\\x{1F600}@plain.example\";\n"
	     "\thelo=\"h\";\n\treceiver=\"mx.receiver.example\";\n\tmechanism=\"-all\";\n\tidentity=mailfrom"},
	    /* no RFC 2047 word, for readers who decode those first */
	    {"=?q?x?=@b=?c.example", "=?utf-8?q?=22?=",
	     "none (mx.receiver.example: domain of b=.c.example has no SPF record)\n\tclient-ip=\"203.0.113.1\";\n"
	     "\tenvelope-from=\"=\\?q?x?=@b=\\?c.example\";\n\thelo=\"=\\?utf-8?q?=22?=\";\n"
	     "\treceiver=\"mx.receiver.example\";\n\tidentity=mailfrom"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct spf_request request = request_for("203.0.113.1", cases[i].sender, cases[i].helo);
		struct bench bench;
		struct slice field;

		bench_open(&bench, slice_of(zone), DNS_BUDGET_QUESTIONS);
		spf_check(&request, bench.budget, bench.arena, &bench.outcome);
		field = spf_received(&request, &bench.outcome, slice_of(cases[i].sender), bench.arena);
		assert_string_equal(text_of(&bench, field), cases[i].field);
		bench_close(&bench);
	}
}

static void received_spf_is_bounded(void **state)
{
	struct spf_request request = request_for("203.0.113.1", "a@plain.example", "h");
	char flood[5000];
	struct bench bench;

	(void)state;
	memset(flood, '"', sizeof(flood));
	request.helo = (struct slice){flood, sizeof(flood)};
	bench_open(&bench, slice_of(zone), DNS_BUDGET_QUESTIONS);
	spf_check(&request, bench.budget, bench.arena, &bench.outcome);
	request.identity_helo = true;
	struct slice field = spf_received(&request, &bench.outcome, request.helo, bench.arena);
	assert_true(field.n < 4000);
	assert_true(slice_ends_nocase(field, SLICE("\tidentity=helo")));
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(received_spf_keeps_strangers_inside_their_quotes),
	    cmocka_unit_test(received_spf_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
