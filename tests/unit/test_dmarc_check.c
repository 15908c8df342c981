/*
 * test_dmarc_check.c - the walk and the evaluation of DMARC over zone text: bounds, and
 * what the public cases leave out.
 */
#include "assert_slice.h"

#include <string.h>

#include "dmarc.h"
#include "skip_because.h"

struct bench {
	struct arena *arena;
	struct resolver *resolver;
	struct dns_budget *budget;
};

static void bench_open(struct bench *bench, const char *zone)
{
	struct error err;

	bench->arena = arena_new();
	bench->resolver = resolver_open_zone(slice_of(zone), "test", &err);
	if (!bench->resolver)
		fail_msg("%s", err.text);
	bench->budget = dns_budget_open(bench->resolver, bench->arena, DNS_BUDGET_QUESTIONS);
}

static void bench_close(struct bench *bench)
{
	dns_budget_close(bench->budget);
	resolver_release(bench->resolver);
	arena_free(bench->arena);
}

static void judge(struct bench *bench, const char *from, const char *spf, struct dmarc_outcome *outcome_r)
{
	struct authors authors;
	struct dmarc_request request = {.authors = &authors, .spf = {slice_of(spf), false}};

	author_read(slice_of(from), bench->arena, &authors);
	dmarc_check(&request, bench->budget, bench->arena, outcome_r);
}

static void a_walk_asks_eight_questions_at_most(void **state)
{
	static const struct {
		const char *domain;
		unsigned questions;
	} cases[] = {
	    {"example", 1},
	    {"a.example", 2},
	    {"a.b.c.d.e.f.g.example", 8},
	    {"a.b.c.d.e.f.g.h.example", 8},
	    {"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.example", 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dmarc_walk walk;
		struct bench bench;

		bench_open(&bench, "a.example A 192.0.2.1");
		dmarc_walk(slice_of(cases[i].domain), DMARC_TREE_WALK, bench.budget, &walk);
		assert_int_equal(dns_budget_asked(bench.budget), cases[i].questions);
		assert_int_equal(walk.count, cases[i].questions);
		assert_slice(walk.org, cases[i].domain);
		/* The hints are the same questions, so none is added. */
		dmarc_hint(bench.budget, slice_of(cases[i].domain), DMARC_TREE_WALK);
		assert_int_equal(dns_budget_asked(bench.budget), cases[i].questions);
		bench_close(&bench);
	}
}

static void a_hint_asks_all_of_the_walk_before_it_is_walked(void **state)
{
	struct dmarc_walk walk;
	struct bench bench;

	(void)state;
	bench_open(&bench, "_dmarc.example.org TXT \"v=DMARC1; p=none\"");
	dmarc_hint(bench.budget, SLICE("mail.example.org"), DMARC_TREE_WALK);
	assert_int_equal(dns_budget_asked(bench.budget), 3);
	dmarc_walk(SLICE("mail.example.org"), DMARC_TREE_WALK, bench.budget, &walk);
	assert_int_equal(dns_budget_asked(bench.budget), 3);
	bench_close(&bench);
}

static void a_name_too_long_for_a_record_is_not_asked(void **state)
{
	char name[MAIL_DOMAIN_MAX + 1];
	struct dmarc_walk walk;
	struct bench bench;

	(void)state;
	memset(name, 'a', sizeof(name));
	for (size_t i = 60; i < MAIL_DOMAIN_MAX; i += 60)
		name[i] = '.';
	name[MAIL_DOMAIN_MAX] = '\0';
	bench_open(&bench, "a.example A 192.0.2.1");
	dmarc_walk(slice_of(name), DMARC_TREE_WALK, bench.budget, &walk);
	assert_int_equal(walk.steps[0].status, DNS_NXDOMAIN);
	assert_int_equal(walk.count, 5);
	assert_int_equal(dns_budget_asked(bench.budget), 4);
	bench_close(&bench);
}

static void three_author_domains_are_judged_and_a_fourth_spoils_the_rest(void **state)
{
	static const struct {
		const char *from;
		enum dmarc_result result;
		enum dmarc_policy policy;
		const char *author;
	} cases[] = {
	    {"a@pass.example", DMARC_PASS, DMARC_REJECT, "pass.example"},
	    {"a@pass.example, b@pass.example", DMARC_PASS, DMARC_REJECT, "pass.example"},
	    {"a@pass.example, b@none.example", DMARC_NONE, DMARC_NO_POLICY, "none.example"},
	    {"a@pass.example, b@watch.example", DMARC_FAIL, DMARC_POLICY_NONE, "watch.example"},
	    {"a@pass.example, b@slow.example, c@watch.example", DMARC_TEMPERROR, DMARC_NO_POLICY, "slow.example"},
	    {"a@pass.example, b@slow.example, c@hold.example", DMARC_FAIL, DMARC_QUARANTINE, "hold.example"},
	    {"a@hold.example, b@refuse.example, c@pass.example", DMARC_FAIL, DMARC_REJECT, "refuse.example"},
	    {"a@pass.example, b@none.example, c@more.example, d@refuse.example", DMARC_PERMERROR, DMARC_NO_POLICY, ""},
	    {"a@pass.example, b@hold.example, c@more.example, d@refuse.example", DMARC_FAIL, DMARC_QUARANTINE,
	     "hold.example"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dmarc_outcome outcome;
		struct bench bench;

		bench_open(&bench, "_dmarc.pass.example TXT \"v=DMARC1; p=reject\"\n"
				   "_dmarc.watch.example TXT \"v=DMARC1; p=none\"\n"
				   "_dmarc.hold.example TXT \"v=DMARC1; p=quarantine\"\n"
				   "_dmarc.refuse.example TXT \"v=DMARC1; p=reject\"\n"
				   "_dmarc.slow.example TIMEOUT\n");
		judge(&bench, cases[i].from, "pass.example", &outcome);
		if (outcome.result != cases[i].result || outcome.policy != cases[i].policy)
			fail_msg("%s: %s %s", cases[i].from, dmarc_result_names[outcome.result],
				 dmarc_policy_name(outcome.policy));
		assert_slice(outcome.author, cases[i].author);
		assert_true(dns_budget_asked(bench.budget) <= DMARC_AUTHORS_MAX * DMARC_QUERIES_MAX);
		bench_close(&bench);
	}
}

static void an_author_that_cannot_be_read_never_passes(void **state)
{
	struct dmarc_outcome outcome;
	struct bench bench;

	(void)state;
	bench_open(&bench, "_dmarc.pass.example TXT \"v=DMARC1; p=none\"");
	judge(&bench, "a@pass.example b", "pass.example", &outcome);
	assert_int_equal(outcome.result, DMARC_PERMERROR);
	assert_true(outcome.reason.n > 0);
	judge(&bench, "a@[192.0.2.1]", "pass.example", &outcome);
	assert_int_equal(outcome.result, DMARC_NONE);
	assert_int_equal(dns_budget_asked(bench.budget), 0);
	bench_close(&bench);
}

static void a_thousand_signatures_cost_no_more_questions_than_are_looked_at(void **state)
{
	struct dmarc_identifier dkim[1000];
	struct dmarc_outcome outcome;
	struct authors authors;
	struct dmarc_request request = {.authors = &authors, .dkim = dkim, .dkim_count = 1000};
	struct bench bench;

	(void)state;
	bench_open(&bench, "_dmarc.bank.example TXT \"v=DMARC1; p=reject\"");
	for (size_t i = 0; i < 1000; i++)
		dkim[i] = (struct dmarc_identifier){arena_printf(bench.arena, "x%zu.evil.example", i), false};
	author_read(SLICE("a@bank.example"), bench.arena, &authors);
	dmarc_check(&request, bench.budget, bench.arena, &outcome);
	assert_int_equal(outcome.result, DMARC_FAIL);
	assert_int_equal(dns_budget_asked(bench.budget),
			 2); /* what is elsewhere cannot align, and is not asked about */
	for (size_t i = 0; i < 1000; i++)
		dkim[i].domain = arena_printf(bench.arena, "x%zu.bank.example", i);
	dmarc_check(&request, bench.budget, bench.arena, &outcome);
	assert_int_equal(outcome.result, DMARC_PASS);
	assert_int_equal(outcome.dkim_aligned_count, DMARC_IDENTIFIERS_MAX);
	assert_int_equal(dns_budget_asked(bench.budget), 2 + DMARC_IDENTIFIERS_MAX);
	bench_close(&bench);
}

static void the_public_suffix_list_finds_the_organization_where_it_is_wanted(void **state)
{
	struct dmarc_outcome outcome;
	struct authors authors;
	struct dmarc_request request = {
	    .authors = &authors, .spf = {SLICE("bounce.example.co.uk"), false}, .discovery = DMARC_PSL};
	struct bench bench;

	(void)state;
	SKIP_UNLESS(dmarc_has_psl(), "the program was built without libpsl");
	bench_open(&bench, "_dmarc.example.co.uk TXT \"v=DMARC1; p=none; sp=reject\"\n"
			   "_dmarc.mail.example.co.uk TXT \"v=spf1\"\n"
			   "_dmarc.co.uk TXT \"v=DMARC1; p=reject\"\n");
	author_read(SLICE("a@www.mail.example.co.uk"), bench.arena, &authors);
	dmarc_check(&request, bench.budget, bench.arena, &outcome);
	assert_int_equal(outcome.result, DMARC_PASS);
	assert_int_equal(outcome.policy, DMARC_REJECT);
	assert_slice(outcome.domain, "example.co.uk");
	assert_int_equal(dns_budget_asked(bench.budget), 2);
	request.spf.domain = SLICE("other.co.uk");
	dmarc_check(&request, bench.budget, bench.arena, &outcome);
	assert_int_equal(outcome.result, DMARC_FAIL);
	bench_close(&bench);
}

static void a_budget_that_is_used_up_is_a_temperror(void **state)
{
	struct dmarc_outcome outcome;
	struct bench bench;

	(void)state;
	bench_open(&bench, "_dmarc.bank.example TXT \"v=DMARC1; p=reject\"");
	dns_budget_close(bench.budget);
	bench.budget = dns_budget_open(bench.resolver, bench.arena, 0);
	judge(&bench, "a@bank.example", "", &outcome);
	assert_int_equal(outcome.result, DMARC_TEMPERROR);
	bench_close(&bench);
}

#define LONG                                                                                                           \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."                                                \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."                                                \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"

static const char consents[] =
    "_dmarc.example.org TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.bank.example TXT \"v=DMARC1; p=none; psd=y\"\n"
    "example.org._report._dmarc.given.example TXT \"v=DMARC1\"\n"
    "example.org._report._dmarc.several.example TXT \"v=DMARC1\"\n"
    "example.org._report._dmarc.several.example TXT \"v=DMARC1; p=none\"\n"
    "example.org._report._dmarc.several.example TXT \"v=spf1 -all\"\n"
    "*._report._dmarc.all.example TXT \"v=DMARC1;\"\n"
    "example.org._report._dmarc.other.example TXT \"v=spf1\"\n"
    "example.org._report._dmarc.late.example TXT \"x=1; v=DMARC1\"\n"
    "example.org._report._dmarc.twice.example TXT \"v=DMARC1; rua=mailto:a@twice.example; "
    "rua=mailto:b@twice.example\"\n"
    "example.org._report._dmarc.slow.example SERVFAIL\n"
    "example.org._report._dmarc.moved.example TXT \"v=DMARC1; rua=mailto:New@MOVED.example\"\n"
    "example.org._report._dmarc.moves.example TXT \"v=DMARC1; rua=mailto:z@moves.example\"\n"
    "example.org._report._dmarc.moves.example TXT \"v=DMARC1; "
    "rua=https://x.example/,mailto:y@moves.example!10m\"\n"
    "example.org._report._dmarc.away.example TXT \"v=DMARC1; rua=mailto:a@victim.example\"\n"
    "example.org._report._dmarc.below.example TXT \"v=DMARC1; rua=mailto:a@mx.below.example\"\n"
    "example.org._report._dmarc.mixed.example TXT \"v=DMARC1; "
    "rua=mailto:a@mixed.example,mailto:a@victim.example\"\n"
    "example.org._report._dmarc.ruf.example TXT \"v=DMARC1; ruf=mailto:a@victim.example\"\n";

static void reports_go_elsewhere_only_with_consent(void **state)
{
	static const struct {
		const char *domain, *uri;
		enum dmarc_consent consent;
		const char *address, *question;
	} cases[] = {
	    {"example.org", "mailto:d@example.org", DMARC_CONSENT_OWN, "d@example.org", ""},
	    {"example.org", "mailto:d@reports.example.org?subject=x@y", DMARC_CONSENT_OWN, "d@reports.example.org", ""},
	    {"sub.example.org", "mailto:d@example.org", DMARC_CONSENT_OWN, "d@example.org", ""},
	    {"example.org", "mailto:d@given.example", DMARC_CONSENT_GIVEN, "d@given.example",
	     "example.org._report._dmarc.given.example"},
	    {"example.org", "mailto:d@several.example", DMARC_CONSENT_GIVEN, "d@several.example", NULL},
	    {"example.org", "MAILTO:Rep.Box@ALL.example", DMARC_CONSENT_GIVEN, "Rep.Box@all.example", NULL},
	    {"example.org", "mailto:a%2Bb%40given.example", DMARC_CONSENT_GIVEN, "a+b@given.example", NULL},
	    {"example.org", "mailto:d@missing.example", DMARC_CONSENT_MISSING, NULL, NULL},
	    {"example.org", "mailto:d@other.example", DMARC_CONSENT_MISSING, NULL, NULL},
	    {"example.org", "mailto:d@late.example", DMARC_CONSENT_MISSING, NULL, NULL},
	    {"example.org", "mailto:d@twice.example", DMARC_CONSENT_MISSING, NULL, NULL},
	    {"example.org", "mailto:d@slow.example", DMARC_CONSENT_UNKNOWN, NULL, NULL},
	    {"example.org", "mailto:d@moved.example", DMARC_CONSENT_GIVEN, "New@moved.example", NULL},
	    {"example.org", "mailto:d@moves.example", DMARC_CONSENT_GIVEN, "y@moves.example", NULL},
	    {"example.org", "mailto:d@away.example", DMARC_CONSENT_ELSEWHERE, NULL, NULL},
	    {"example.org", "mailto:d@below.example", DMARC_CONSENT_ELSEWHERE, NULL, NULL},
	    {"example.org", "mailto:d@mixed.example", DMARC_CONSENT_ELSEWHERE, NULL, NULL},
	    {"example.org", "mailto:d@ruf.example", DMARC_CONSENT_GIVEN, "d@ruf.example", NULL},
	    {"bank.example", "mailto:d@giant.bank.example", DMARC_CONSENT_MISSING, NULL,
	     "bank.example._report._dmarc.giant.bank.example"},
	    {LONG, "mailto:d@" LONG "x", DMARC_CONSENT_IMPOSSIBLE, NULL, NULL},
	    {"example.org", "https://example.org/", DMARC_CONSENT_NO_MAIL, NULL, ""},
	    {"example.org", "mailto:nobody", DMARC_CONSENT_NO_MAIL, NULL, ""},
	    {"example.org", "mailto:", DMARC_CONSENT_NO_MAIL, NULL, ""},
	    {"example.org", "mailto:?to=d@example.org", DMARC_CONSENT_NO_MAIL, NULL, ""},
	    {"example.org", "mailto://d@example.org", DMARC_CONSENT_NO_MAIL, NULL, ""},
	    {"example.org", "mailto:a@victim.example%2Cd@example.org", DMARC_CONSENT_NO_MAIL, NULL, ""},
	    {"example.org", "mailto:a%0D%0ARCPT@example.org", DMARC_CONSENT_NO_MAIL, NULL, ""},
	    {"example.org", "mailto:a%40victim.example@example.org", DMARC_CONSENT_NO_MAIL, NULL, ""},
	    {"example.org", "mailto:a%2@example.org", DMARC_CONSENT_NO_MAIL, NULL, ""},
	    {"example.org", "mailto:d@%5B192.0.2.1%5D", DMARC_CONSENT_NO_MAIL, NULL, ""},
	};
	struct bench bench;

	(void)state;
	bench_open(&bench, consents);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dmarc_destination to;

		if (dmarc_consent(slice_of(cases[i].domain), slice_of(cases[i].uri), DMARC_REPORT_AGGREGATE,
				  bench.budget, bench.arena, &to) != cases[i].consent)
			fail_msg("%s to %s", cases[i].domain, cases[i].uri);
		if (cases[i].address)
			assert_slice(to.mailbox.address, cases[i].address);
		if (cases[i].question)
			assert_slice(to.question, cases[i].question);
	}
	bench_close(&bench);
}

/* A failure report has its own addresses: those of ruf. */
static void reports_of_failures_have_a_consent_of_their_own(void **state)
{
	struct dmarc_destination to;
	struct bench bench;

	(void)state;
	bench_open(&bench, consents);
	assert_int_equal(dmarc_consent(SLICE("example.org"), SLICE("mailto:d@ruf.example"), DMARC_REPORT_FAILURE,
				       bench.budget, bench.arena, &to),
			 DMARC_CONSENT_ELSEWHERE);
	assert_int_equal(dmarc_consent(SLICE("example.org"), SLICE("mailto:d@away.example"), DMARC_REPORT_FAILURE,
				       bench.budget, bench.arena, &to),
			 DMARC_CONSENT_GIVEN);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_walk_asks_eight_questions_at_most),
	    cmocka_unit_test(a_hint_asks_all_of_the_walk_before_it_is_walked),
	    cmocka_unit_test(a_name_too_long_for_a_record_is_not_asked),
	    cmocka_unit_test(three_author_domains_are_judged_and_a_fourth_spoils_the_rest),
	    cmocka_unit_test(an_author_that_cannot_be_read_never_passes),
	    cmocka_unit_test(a_thousand_signatures_cost_no_more_questions_than_are_looked_at),
	    cmocka_unit_test(the_public_suffix_list_finds_the_organization_where_it_is_wanted),
	    cmocka_unit_test(a_budget_that_is_used_up_is_a_temperror),
	    cmocka_unit_test(reports_go_elsewhere_only_with_consent),
	    cmocka_unit_test(reports_of_failures_have_a_consent_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
