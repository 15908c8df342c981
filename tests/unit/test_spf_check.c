/*
 * test_spf_check.c - the check of RFC 7208 over zone text: what the public suites
 * leave out, explanations, the trace.
 */
#include "../../filter/dns/resolver.h"
#include "spf_bench.h"

/* ---- results --------------------------------------------------------------------- */

static const char zone[] =
    "plain.example TXT \"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all exp=why.example.org\"\n"
    "why.example.org TXT \"%{i} is not a sender of %{o}\"\n"
    "tree.example TXT \"v=spf1 include:plain.example ?include:soft.example redirect=last.example\"\n"
    "soft.example TXT \"v=spf1 ~all\"\n"
    "last.example TXT \"v=spf1 a:slow.example mx -all\"\n"
    "slow.example TIMEOUT\n"
    "broken.example SERVFAIL\n"
    "inc-broken.example TXT \"v=spf1 include:broken.example -all\"\n"
    "inc-none.example TXT \"v=spf1 include:nothing.example -all\"\n"
    "red-none.example TXT \"v=spf1 redirect=nothing.example\"\n"
    "red-single.example TXT \"v=spf1 redirect=%{d1}\"\n"
    "twice.example TXT \"v=spf1 -all\"\n"
    "twice.example TXT \"V=SPF1 +all\"\n"
    "wrong.example TXT \"v=spf1 +all mox\"\n"
    "empty.example TXT \"v=spf1\"\n"
    "mapped.example TXT \"v=spf1 ip6:::ffff:192.0.2.1 ip6:::/0 ip4:192.0.2.1 -all\"\n"
    "mx.example TXT \"v=spf1 mx -all\"\n"
    "mx.example MX 5 .\n"
    "mx.example MX 10 nowhere.example\n"
    "mx.example MX 20 host.example\n"
    "host.example A 192.0.2.77\n"
    "host.example AAAA 2001:db8::77\n"
    "mx-slow.example TXT \"v=spf1 mx -all\"\n"
    "mx-slow.example MX 10 slow.example\n"
    "mx-slow.example MX 20 host.example\n"
    "mx-late.example TXT \"v=spf1 mx -all\"\n"
    "mx-late.example MX 10 nowhere.example\n"
    "mx-late.example MX 20 slow.example\n"
    "mx-void.example TXT \"v=spf1 mx:v.example mx:v.example mx:v.example mx:v.example ip4:192.0.2.1 -all\"\n"
    "v.example MX 1 v1.example\n"
    "v.example MX 2 v2.example\n"
    "ptr.example TXT \"v=spf1 ptr:host.example -all\"\n"
    "77.2.0.192.in-addr.arpa PTR other.example\n"
    "77.2.0.192.in-addr.arpa PTR HOST.example\n"
    "78.2.0.192.in-addr.arpa PTR host.example\n"
    "79.2.0.192.in-addr.arpa TIMEOUT\n"
    "80.2.0.192.in-addr.arpa PTR evil\\.host.example\n"
    "evil\\.host.example A 192.0.2.80\n"
    "81.2.0.192.in-addr.arpa PTR slow.host.example\n"
    "slow.host.example TIMEOUT\n"
    "exists.example TXT \"v=spf1 exists:%{l}._l.example -all\"\n"
    "joe._l.example A 127.0.0.2\n"
    "*.star._l.example A 127.0.0.2\n"
    "utf8.example TXT \"v=spf1 exists:%{l}.wild.example -exists:%{o}.wild.example +all\"\n"
    "*.wild.example A 127.0.0.2\n"
    "utf8-red.example TXT \"v=spf1 redirect=%{s}.wild.example\"\n"
    "xn--bcher-kva.example TXT \"v=spf1 exists:%{d}.wild.example -all\"\n"
    "slash.example TXT \"v=spf1 exists:%{l}.slash.example -all\"\n"
    "a\\\\.b.slash.example A 127.0.0.2\n"
    "p.example TXT \"v=spf1 exists:%{p}.p.example a a a a a a a a ip4:192.0.2.77 -all\"\n"
    "p.example A 192.0.2.99\n"
    "p11.example TXT \"v=spf1 exists:%{p}.p.example a a a a a a a a a ip4:192.0.2.77 -all\"\n"
    "p11.example A 192.0.2.99\n"
    "host.example.p.example TXT x\n"
    "void2.example TXT \"v=spf1 a:n1.example exists:n2.example ip4:192.0.2.1 -all\"\n"
    "void3.example TXT \"v=spf1 a:n1.example mx:n2.example exists:host2.example ip4:192.0.2.1 -all\"\n"
    "host2.example AAAA 2001:db8::2\n"
    "void4.example TXT \"v=spf1 a:old1.example mx:host2.example a:old2.example ip4:192.0.2.1 -all\"\n"
    "old1.example A 192.0.2.1\nold2.example A 192.0.2.1\n"
    "loop.example TXT \"v=spf1 redirect=loop.example\"\n"
    "inc-loop.example TXT \"v=spf1 include:inc-loop.example -all\"\n"
    "dot.example TXT \"v=spf1 a:host.example. -all\"\n"
    "only6.example TXT \"v=spf1 exists:host2.example -all\"\n"
    "dual.example TXT \"v=spf1 a:host.example/8//128 ~exists:host.example -all\"\n"
    "bad-a.example TXT \"v=spf1 a:x..example exists:%{l}.example ~all\"\n"
    "bad-inc.example TXT \"v=spf1 ?include:x..example ~all\"\n"
    "bad-red.example TXT \"v=spf1 redirect=%{l}.example\"\n";

static const struct {
	const char *client, *sender, *result, *mechanism;
	unsigned lookups, voids;
	const char *explanation, *reason;
} results[] = {
    {"192.0.2.1", "a@plain.example", "pass", "ip4:192.0.2.0/24", 0, 0, "", ""},
    {"::ffff:192.0.2.1", "a@plain.example", "pass", "ip4:192.0.2.0/24", 0, 0, "", ""},
    {"2001:db8::1", "a@PLAIN.example.", "pass", "ip6:2001:db8::/32", 0, 0, "", ""},
    {"203.0.113.1", "a@plain.example", "fail", "-all", 0, 0, "203.0.113.1 is not a sender of plain.example", ""},
    {"192.0.2.1", "a@tree.example", "pass", "include:plain.example", 1, 0, "", ""},
    {"203.0.113.1", "a@tree.example", "temperror", "", 4, 0, "",
     "last.example: a:slow.example: temporary DNS failure (timeout)"},
    {"192.0.2.1", "a@broken.example", "temperror", "", 0, 0, "", "broken.example: temporary DNS failure (servfail)"},
    {"192.0.2.1", "a@inc-broken.example", "temperror", "", 1, 0, "",
     "broken.example: temporary DNS failure (servfail)"},
    {"192.0.2.1", "a@inc-none.example", "permerror", "", 1, 1, "", "nothing.example: the name does not exist"},
    {"192.0.2.1", "a@red-none.example", "permerror", "", 1, 1, "", "nothing.example: the name does not exist"},
    {"192.0.2.1", "a@red-single.example", "permerror", "", 1, 0, "",
     "example: that is not a fully qualified domain name"},
    {"192.0.2.1", "a@nothing.example", "none", "", 0, 0, "", "nothing.example: the name does not exist"},
    {"192.0.2.1", "a@host.example", "none", "", 0, 0, "", "host.example: it has no TXT record"},
    {"192.0.2.1", "a@why.example.org", "none", "", 0, 0, "", "why.example.org: it has no SPF record"},
    {"192.0.2.1", "a@twice.example", "permerror", "", 0, 0, "", "twice.example: there is more than one SPF record"},
    {"192.0.2.1", "a@wrong.example", "permerror", "", 0, 0, "", "wrong.example: mox: unknown mechanism"},
    {"192.0.2.1", "a@empty.example", "neutral", "", 0, 0, "", ""},
    {"192.0.2.1", "a@mapped.example", "pass", "ip4:192.0.2.1", 0, 0, "", ""},
    {"192.0.2.77", "a@mx.example", "pass", "mx", 1, 0, "", ""},
    {"2001:db8::77", "a@mx.example", "pass", "mx", 1, 0, "", ""},
    {"192.0.2.77", "a@mx-slow.example", "temperror", "", 1, 0, "",
     "mx-slow.example: mx: slow.example: temporary DNS failure (timeout)"},
    {"192.0.2.77", "a@mx-late.example", "temperror", "", 1, 0, "",
     "mx-late.example: mx: slow.example: temporary DNS failure (timeout)"},
    {"192.0.2.1", "a@mx-void.example", "pass", "ip4:192.0.2.1", 4, 0, "", ""},
    {"192.0.2.77", "a@ptr.example", "pass", "ptr:host.example", 1, 0, "", ""},
    {"192.0.2.78", "a@ptr.example", "fail", "-all", 1, 0, "", ""},
    {"192.0.2.79", "a@ptr.example", "fail", "-all", 1, 0, "", ""},
    {"192.0.2.80", "a@ptr.example", "fail", "-all", 1, 0, "", ""},
    {"192.0.2.81", "a@ptr.example", "fail", "-all", 1, 0, "", ""},
    {"192.0.2.1", "joe@exists.example", "pass", "exists:%{l}._l.example", 1, 0, "", ""},
    {"192.0.2.1", "a b.star@exists.example", "pass", "exists:%{l}._l.example", 1, 0, "", ""},
    {"192.0.2.1", "jo..e@exists.example", "fail", "-all", 1, 0, "", ""},
    /* RFC 8616 4: a name cannot contain such a local part. */
    {"192.0.2.1", "j\xc3\xb6rg@utf8.example", "fail", "-exists:%{o}.wild.example", 2, 0, "", ""},
    {"192.0.2.1", "j\xc3\xb6rg@utf8-red.example", "permerror", "", 1, 0, "",
     "utf8-red.example: redirect=%{s}.wild.example: the local part is not ASCII, so it cannot be part of a domain "
     "name"},
    {"192.0.2.1",
     "a@b\xc3\xbc"
     "cher.example",
     "pass", "exists:%{d}.wild.example", 1, 0, "", ""},
    /* A backslash in a record or a local part is a byte, not an escape. */
    {"192.0.2.1", "a\\@slash.example", "fail", "-all", 1, 1, "", ""},
    {"192.0.2.1", "a\\.b@slash.example", "pass", "exists:%{l}.slash.example", 1, 0, "", ""},
    {"192.0.2.77", "a@p.example", "pass", "ip4:192.0.2.77", 10, 1, "", ""},
    {"192.0.2.77", "a@p11.example", "permerror", "", 10, 1, "", "p11.example: a: more than 10 terms ask the DNS"},
    {"192.0.2.1", "a@void2.example", "pass", "ip4:192.0.2.1", 2, 2, "", ""},
    {"192.0.2.1", "a@void3.example", "permerror", "", 3, 3, "",
     "void3.example: exists:host2.example: more than 2 terms find nothing: n1.example does not exist, n2.example does "
     "not exist, host2.example has no A record"},
    {"2001:db8::1", "a@void4.example", "permerror", "", 3, 3, "",
     "void4.example: a:old2.example: more than 2 terms find nothing: old1.example has no AAAA record, host2.example "
     "has "
     "no MX record, old2.example has no AAAA record"},
    {"192.0.2.1", "a@loop.example", "permerror", "", 10, 0, "",
     "loop.example: redirect=loop.example: more than 10 terms ask the DNS"},
    {"192.0.2.1", "a@inc-loop.example", "permerror", "", 10, 0, "",
     "inc-loop.example: include:inc-loop.example: more than 10 terms ask the DNS"},
    {"192.0.2.77", "a@dot.example", "pass", "a:host.example.", 1, 0, "", ""},
    {"192.200.0.1", "a@dual.example", "pass", "a:host.example/8//128", 1, 0, "", ""},
    {"2001:db8::78", "a@dual.example", "softfail", "~exists:host.example", 2, 0, "", ""},
    {"2001:db8::2", "a@only6.example", "fail", "-all", 1, 1, "", ""},
    /* A target that is not a name: it does not match, and is not a void look-up; an include of nothing is an error. */
    {"192.0.2.1", ".@bad-a.example", "softfail", "~all", 2, 0, "", ""},
    {"192.0.2.1", "a@bad-inc.example", "permerror", "", 1, 0, "",
     "bad-inc.example: ?include:x..example: that is not a domain name"},
    {"192.0.2.1", "a.@bad-red.example", "permerror", "", 1, 0, "",
     "bad-red.example: redirect=%{l}.example: that is not a domain name"},
    /* No identity. */
    {"192.0.2.1", "a@", "none", "", 0, 0, "", "there is no domain"},
    {"192.0.2.1", "a@localhost", "none", "", 0, 0, "", "the identity is not a fully qualified domain name"},
    {"192.0.2.1", "a@[192.0.2.1]", "none", "", 0, 0, "", "the domain is an address literal"},
    {"192.0.2.1", "a@ex ample.org", "none", "", 0, 0, "", "the identity is not a fully qualified domain name"},
    {"192.0.2.1", "a@\xff\xfe.example", "none", "", 0, 0, "", "the identity is not a fully qualified domain name"},
    {"", "a@plain.example", "none", "", 0, 0, "", "the client has no address"},
};

static void results_are_those_of_rfc_7208(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(results); i++) {
		struct bench bench;

		bench_open(&bench, slice_of(zone), DNS_BUDGET_QUESTIONS);
		check(&bench, results[i].client, results[i].sender, "mail.example.net");
		if (strcmp(spf_result_names[bench.outcome.result], results[i].result) != 0)
			print_error("%s from %s\n", results[i].sender, results[i].client);
		assert_string_equal(spf_result_names[bench.outcome.result], results[i].result);
		assert_string_equal(text_of(&bench, bench.outcome.reason), results[i].reason);
		assert_string_equal(text_of(&bench, bench.outcome.mechanism), results[i].mechanism);
		assert_string_equal(text_of(&bench, bench.outcome.explanation), results[i].explanation);
		assert_int_equal(bench.outcome.lookups, results[i].lookups);
		assert_int_equal(bench.outcome.void_lookups, results[i].voids);
		bench_close(&bench);
	}
}

/* ---- explanations ---------------------------------------------------------------- */

static const struct {
	const char *txt, *sender, *helo, *explanation;
} explanations[] = {
    {"TXT \"plain\"", "a@x.example", "h", "plain"},
    {"TXT \"for %{l} from %{h} at %{r}, %{t}\"", "a@x.example", "h.example",
     "for a from h.example at mx.receiver.example, 1234567890"},
    {"TXT \"%{l}\"", "@x.example", "h", "postmaster"},
    {"TXT \"%{l}|%{L}\"", "a\r\n250 ok\xff@x.example", "h", "a??250 ok?|a%0D%0A250%20ok%FF"},
    {"TXT \"%{h}\"", "a@x.example", "\x1b[31m", "?[31m"},
    {"TXT \"one\"\ne.example TXT \"two\"", "a@x.example", "h", ""},
    {"TXT \"bell \\007\"", "a@x.example", "h", ""},
    {"TXT \"zero \\000\"", "a@x.example", "h", ""},
    {"TXT \"high \\200\"", "a@x.example", "h", ""},
    {"TXT \"%{x}\"", "a@x.example", "h", ""},
    {"TXT TIMEOUT", "a@x.example", "h", ""},
    {"A 192.0.2.1", "a@x.example", "h", ""},
    {"TXT \"from %{p}\"", "a@x.example", "h", "from unknown"},
};

static void explanations_are_printable_or_absent(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(explanations); i++) {
		struct bench bench;

		snprintf(text, sizeof(text), "x.example TXT \"v=spf1 -all exp=e.example\"\ne.example %s\n",
			 explanations[i].txt);
		bench_open(&bench, slice_of(text), DNS_BUDGET_QUESTIONS);
		check(&bench, "192.0.2.1", explanations[i].sender, explanations[i].helo);
		assert_int_equal(bench.outcome.result, SPF_FAIL);
		assert_string_equal(text_of(&bench, bench.outcome.explanation), explanations[i].explanation);
		bench_close(&bench);
	}
}

static void an_explanation_is_cut_to_fit_a_reply(void **state)
{
	struct bench bench;
	char text[2000], words[900];

	(void)state;
	memset(words, 'w', sizeof(words) - 1);
	words[sizeof(words) - 1] = '\0';
	snprintf(text, sizeof(text),
		 "x.example TXT \"v=spf1 -all exp=e.example\"\ne.example TXT \"%.250s\" \"%.250s\" \"%.250s\"\n", words,
		 words, words);
	bench_open(&bench, slice_of(text), DNS_BUDGET_QUESTIONS);
	check(&bench, "192.0.2.1", "a@x.example", "h");
	assert_int_equal(bench.outcome.explanation.n, SPF_EXPLANATION_MAX);
	bench_close(&bench);
}

static void a_missing_explanation_costs_no_lookup_and_changes_no_result(void **state)
{
	static const char text[] =
	    "x.example TXT \"v=spf1 a:n1.x.example a:n2.x.example -all exp=%{p}.nothing.example\"\n";
	struct bench bench;

	(void)state;
	bench_open(&bench, slice_of(text), DNS_BUDGET_QUESTIONS);
	check(&bench, "192.0.2.1", "a@x.example", "h");
	assert_int_equal(bench.outcome.result, SPF_FAIL);
	assert_int_equal(bench.outcome.lookups, 2);
	assert_int_equal(bench.outcome.void_lookups, 2);
	bench_close(&bench);
}

/* ---- the trace ------------------------------------------------------------------------ */

static void the_trace_shows_each_term_with_what_came_of_it(void **state)
{
	static const struct {
		unsigned depth;
		const char *domain, *term, *target, *result, *note;
		unsigned lookup;
		bool record;
	} steps[] = {
	    {0, "tree.example", "include:plain.example", "plain.example", "enter", "", 1, true},
	    {1, "plain.example", "ip4:192.0.2.0/24", "", "no match", "", 0, true},
	    {1, "plain.example", "ip6:2001:db8::/32", "", "no match", "", 0, false},
	    {1, "plain.example", "-all", "", "match", "", 0, false},
	    {0, "tree.example", "include:plain.example", "plain.example", "no match", "the included record says fail",
	     0, false},
	    {0, "tree.example", "?include:soft.example", "soft.example", "enter", "", 2, false},
	    {1, "soft.example", "~all", "", "match", "", 0, true},
	    {0, "tree.example", "?include:soft.example", "soft.example", "no match",
	     "the included record says softfail", 0, false},
	    {0, "tree.example", "redirect=last.example", "last.example", "enter", "", 3, false},
	    {1, "last.example", "a:slow.example", "slow.example", "error", "temporary DNS failure (timeout)", 4, true},
	};
	struct bench bench;

	(void)state;
	bench_open(&bench, slice_of(zone), DNS_BUDGET_QUESTIONS);
	check(&bench, "203.0.113.1", "a@tree.example", "h");
	assert_int_equal(bench.outcome.step_count, COUNT(steps));
	for (size_t i = 0; i < COUNT(steps); i++) {
		const struct spf_step *step = &bench.outcome.steps[i];

		assert_int_equal(step->depth, steps[i].depth);
		assert_string_equal(text_of(&bench, step->domain), steps[i].domain);
		assert_string_equal(text_of(&bench, step->term), steps[i].term);
		assert_string_equal(text_of(&bench, step->target), steps[i].target);
		assert_string_equal(spf_step_names[step->result], steps[i].result);
		assert_string_equal(text_of(&bench, step->note), steps[i].note);
		assert_int_equal(step->lookup, steps[i].lookup);
		assert_int_equal(step->record.n > 0, steps[i].record);
	}
	bench_close(&bench);
}

static void without_a_trace_all_else_is_said_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(results); i++) {
		struct spf_request request = request_for(results[i].client, results[i].sender, "h");
		const struct spf_outcome *said;
		struct bench bench;

		bench_open(&bench, slice_of(zone), DNS_BUDGET_QUESTIONS);
		request.trace = false;
		spf_check(&request, bench.budget, bench.arena, &bench.outcome);
		said = &bench.outcome;
		if (strcmp(spf_result_names[said->result], results[i].result) != 0)
			print_error("%s %s\n", results[i].client, results[i].sender);
		assert_string_equal(spf_result_names[said->result], results[i].result);
		assert_string_equal(text_of(&bench, said->reason), results[i].reason);
		assert_string_equal(text_of(&bench, said->mechanism), results[i].mechanism);
		assert_string_equal(text_of(&bench, said->explanation), results[i].explanation);
		assert_int_equal(said->step_count, 0);
		bench_close(&bench);
	}
}

static void what_is_said_of_a_hostile_record_is_printable(void **state)
{
	static const char text[] = "x.example TXT \"v=spf1 a:\\027[31m\\000\\255 -all\"\n";
	struct bench bench;

	(void)state;
	bench_open(&bench, slice_of(text), DNS_BUDGET_QUESTIONS);
	check(&bench, "192.0.2.1", "a@x.example", "h");
	assert_string_equal(text_of(&bench, bench.outcome.reason),
			    "x.example: a:\\027[31m\\000\\255: it contains a byte that is not printable ASCII");
	bench_close(&bench);
}

static void a_hint_asks_for_the_record_only_where_there_can_be_one(void **state)
{
	struct bench bench;

	(void)state;
	bench_open(&bench, slice_of(zone), DNS_BUDGET_QUESTIONS);
	spf_hint(bench.budget, SLICE("localhost"));
	spf_hint(bench.budget, SLICE("[192.0.2.1]"));
	spf_hint(bench.budget, SLICE(""));
	assert_int_equal(dns_budget_asked(bench.budget), 0);
	spf_hint(bench.budget, SLICE("plain.example"));
	assert_int_equal(dns_budget_asked(bench.budget), 1);
	check(&bench, "192.0.2.1", "a@plain.example", "h");
	assert_int_equal(dns_budget_asked(bench.budget), 1);
	bench_close(&bench);
}

/* ---- what is our own fault -------------------------------------------------------------- */

static void no_place_for_ptr_start(struct backend *backend, const struct question *question, void *ticket)
{
	static const struct dns_record record = {.text = {"v=spf1 ptr -all", 15}, .strings = 1};
	struct dns_answer draft = {.status = DNS_OK, .count = 1, .records = &record};

	if (question->type == DNS_PTR)
		draft = (struct dns_answer){.status = DNS_TEMPFAIL, .reason = DNS_CROWDED};
	backend_settle(backend, ticket, &draft, 1);
}

static void no_place_for_ptr_close(struct backend *backend)
{
	(void)backend;
}

/* RFC 7208 5.5 makes no match of trouble with the client's names; a stranger who takes all places could make a fail. */
static void a_question_that_could_not_be_asked_makes_no_fail(void **state)
{
	static struct backend backend = {.start = no_place_for_ptr_start, .close = no_place_for_ptr_close};
	struct resolver *resolver = resolver_new(&backend, "crowded", 1000000, 16, &(struct error){""});

	(void)state;
	for (int engine = SPF_ENGINE_NATIVE; engine <= SPF_ENGINE_LIBSPF2; engine++) {
		struct arena *arena = arena_new();
		struct dns_budget *budget = dns_budget_open(resolver, arena, DNS_BUDGET_QUESTIONS);
		struct spf_request request = {
		    .engine = (enum spf_engine)engine, .domain = SLICE("a.example"), .helo = SLICE("a.example")};
		struct spf_outcome outcome = {.result = SPF_TEMPERROR};
		ip_parse(SLICE("192.0.2.1"), &request.client);
		if (spf_engine_built(request.engine))
			spf_check(&request, budget, arena, &outcome);
		assert_int_equal(outcome.result, SPF_TEMPERROR);
		dns_budget_close(budget);
		arena_free(arena);
	}
	resolver_release(resolver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_question_that_could_not_be_asked_makes_no_fail),
	    cmocka_unit_test(results_are_those_of_rfc_7208),
	    cmocka_unit_test(explanations_are_printable_or_absent),
	    cmocka_unit_test(an_explanation_is_cut_to_fit_a_reply),
	    cmocka_unit_test(a_missing_explanation_costs_no_lookup_and_changes_no_result),
	    cmocka_unit_test(the_trace_shows_each_term_with_what_came_of_it),
	    cmocka_unit_test(without_a_trace_all_else_is_said_the_same),
	    cmocka_unit_test(what_is_said_of_a_hostile_record_is_printable),
	    cmocka_unit_test(a_hint_asks_for_the_record_only_where_there_can_be_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
