/*
 * test_spf_engines.c - both engines come to the same result, over records that test one rule each. What libspf2
 * is handed for them is the subject of test_spf_handed.c.
 */
#include "spf_bench.h"
#include "skip_because.h"

/* TEXT of a record: `head`, then `piece` so many times, then `tail`. */
struct made {
	const char *head, *piece;
	int times;
	const char *tail;
};

static void add_txt(struct text *zone, const char *name, const struct made *made)
{
	struct text record;

	text_init(&record, zone->arena, 1000);
	text_printf(&record, "%s", made->head);
	for (int i = 0; i < made->times; i++)
		text_printf(&record, "%s", made->piece);
	text_printf(zone, "%s TXT \"%.*s%s\"\n", name, SLICE_ARGS(text_slice(&record)), made->tail);
}

static const struct {
	const char *about, *client;
	struct made record, other; /* of x.example and o.example */
	enum spf_result result;
	unsigned lookups;
} cases[] = {
    {"an explanation with a macro",
     "192.0.2.9",
     {"v=spf1 -all exp=o.example", "", 0, ""},
     {"%{i} is not ours", "", 0, ""},
     SPF_FAIL,
     0},
    {"a macro in a mechanism",
     "192.0.2.9",
     {"v=spf1 exists:%{l}.%{d2}.", "", 0, "wild.example -all"},
     {"", "", 0, ""},
     SPF_FAIL,
     1},
    {"a macro in a modifier that is not known",
     "192.0.2.9",
     {"v=spf1 x=%{d} -all", "", 0, ""},
     {"", "", 0, ""},
     SPF_FAIL,
     0},
    {"networks of others before -all",
     "192.0.2.9",
     {"v=spf1", " ip4:198.51.100.1", 3, " -all"},
     {"", "", 0, ""},
     SPF_FAIL,
     0},
    {"networks of IPv6 before -all",
     "2001:db8::9",
     {"v=spf1", " ip6:2001:db8:1::1", 3, " -all"},
     {"", "", 0, ""},
     SPF_FAIL,
     0},
    {"includes that do not match before -all",
     "192.0.2.9",
     {"v=spf1", " include:o.example", 3, " -all"},
     {"v=spf1 ?all", "", 0, ""},
     SPF_FAIL,
     3},
    {"networks of others, then the one of the client",
     "192.0.2.9",
     {"v=spf1", " ip4:198.51.100.1", 3, " ip4:192.0.2.0/24 -all"},
     {"", "", 0, ""},
     SPF_PASS,
     0},
    {"a length of 0", "192.0.2.9", {"v=spf1 a:o.example/0 -all", "", 0, ""}, {"a", "", 0, ""}, SPF_PASS, 1},
    {"a network of length 0", "192.0.2.9", {"v=spf1 ip4:198.51.100.1/0 -all", "", 0, ""}, {"", "", 0, ""}, SPF_PASS, 0},
    {"a redirect before what matches",
     "192.0.2.9",
     {"v=spf1 redirect=o.example ip4:192.0.2.9", "", 0, ""},
     {"v=spf1 -all", "", 0, ""},
     SPF_PASS,
     0},
    {"a name of a modifier with dots",
     "192.0.2.9",
     {"v=spf1 a.b-c_d=%{i} -all", "", 0, ""},
     {"", "", 0, ""},
     SPF_FAIL,
     0},
    {"a percent sign alone",
     "192.0.2.9",
     {"v=spf1 exists:%.example -all", "", 0, ""},
     {"", "", 0, ""},
     SPF_PERMERROR,
     0},
    {"an empty domain", "192.0.2.9", {"v=spf1 a: -all", "", 0, ""}, {"", "", 0, ""}, SPF_PERMERROR, 0},
    {"two explanations",
     "192.0.2.9",
     {"v=spf1 exp=o.example exp=o.example -all", "", 0, ""},
     {"", "", 0, ""},
     SPF_PERMERROR,
     0},
    {"a loopback client", "127.0.0.1", {"v=spf1 ip4:192.0.2.1 -all", "", 0, ""}, {"", "", 0, ""}, SPF_FAIL, 0},
    {"a mapped address", "::ffff:192.0.2.9", {"v=spf1 ip4:192.0.2.9 -all", "", 0, ""}, {"", "", 0, ""}, SPF_PASS, 0},
    {"a term too many that asks",
     "192.0.2.9",
     {"v=spf1", " a:o.example", 11, " -all"},
     {"a", "", 0, ""},
     SPF_PERMERROR,
     10},
    {"a record that includes itself",
     "192.0.2.9",
     {"v=spf1 include:x.example -all", "", 0, ""},
     {"", "", 0, ""},
     SPF_PERMERROR,
     10},
    {"two records that redirect to each other",
     "192.0.2.9",
     {"v=spf1 redirect=o.example", "", 0, ""},
     {"v=spf1 redirect=x.example", "", 0, ""},
     SPF_PERMERROR,
     10},
    {"ptr after an include",
     "192.0.2.9",
     {"v=spf1 include:o.example ptr:in.example -all", "", 0, ""},
     {"v=spf1 ptr:nowhere.example", "", 0, ""},
     SPF_PASS,
     3},
};

static void check_by(enum spf_engine engine, size_t number)
{
	struct arena *arena = arena_new();
	struct bench bench;
	struct text zone;

	text_init(&zone, arena, 1 << 18);
	add_txt(&zone, "x.example", &cases[number].record);
	add_txt(&zone, "o.example", &cases[number].other);
	text_printf(&zone,
		    "o.example A 203.0.113.1\n9.2.0.192.in-addr.arpa PTR h.in.example\nh.in.example A 192.0.2.9\n");
	bench_open(&bench, text_slice(&zone), DNS_BUDGET_QUESTIONS);
	struct spf_request request = request_for(cases[number].client, "a@x.example", "h");
	request.engine = engine;
	spf_check(&request, bench.budget, bench.arena, &bench.outcome);
	if (bench.outcome.result != cases[number].result || bench.outcome.lookups != cases[number].lookups)
		fail_msg("%s by %s: %s after %u lookups, wanted %s after %u", cases[number].about,
			 spf_engine_names[engine], spf_result_names[bench.outcome.result], bench.outcome.lookups,
			 spf_result_names[cases[number].result], cases[number].lookups);
	bench_close(&bench);
	arena_free(arena);
}

static void records_have_the_right_result(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_by(SPF_ENGINE_NATIVE, i);
}

static void libspf2_comes_to_the_same_results(void **state)
{
	(void)state;
	SKIP_UNLESS(spf_engine_built(SPF_ENGINE_LIBSPF2), WITHOUT_LIBSPF2);
	for (size_t i = 0; i < COUNT(cases); i++)
		check_by(SPF_ENGINE_LIBSPF2, i);
}

static void both_engines_stop_at_ten_lookups_in_a_tree_of_includes(void **state)
{
	struct arena *arena = arena_new();
	struct text zone;

	(void)state;
	text_init(&zone, arena, 1 << 20);
	for (int level = 0; level < 2; level++) {
		text_printf(&zone, "l%d.example TXT \"v=spf1", level);
		for (int i = 0; i < 4; i++)
			text_printf(&zone, " include:l%d.example", level + 1);
		text_printf(&zone, " -all\"\n");
	}
	text_printf(&zone, "l2.example TXT \"v=spf1 -all\"\n");
	for (int engine = SPF_ENGINE_NATIVE; engine <= SPF_ENGINE_LIBSPF2; engine++) {
		struct spf_request request = request_for("192.0.2.9", "a@l0.example", "h");
		struct bench bench;

		if (!spf_engine_built((enum spf_engine)engine))
			continue;
		request.engine = (enum spf_engine)engine;
		bench_open(&bench, text_slice(&zone), DNS_BUDGET_QUESTIONS);
		spf_check(&request, bench.budget, bench.arena, &bench.outcome);
		assert_int_equal(bench.outcome.result, SPF_PERMERROR);
		assert_true(dns_budget_asked(bench.budget) <= 1 + SPF_LOOKUPS_MAX);
		bench_close(&bench);
	}
	arena_free(arena);
}

static void compare_keeps_what_both_say_and_the_native_result(void **state)
{
	struct bench bench;
	struct spf_request request = request_for("192.0.2.9", "a@x.example", "h");

	(void)state;
	SKIP_UNLESS(spf_engine_built(SPF_ENGINE_COMPARE), WITHOUT_LIBSPF2);
	request.engine = SPF_ENGINE_COMPARE;
	bench_open(&bench, SLICE("x.example TXT \"v=spf1 ~all\"\n"), DNS_BUDGET_QUESTIONS);
	spf_check(&request, bench.budget, bench.arena, &bench.outcome);
	assert_true(bench.outcome.compared);
	assert_int_equal(bench.outcome.result, SPF_SOFTFAIL);
	assert_int_equal(bench.outcome.other_result, SPF_SOFTFAIL);
	bench_close(&bench);
}

/* The daemon, which asks for no trace, reports the same as a verb. */
static void a_reason_names_the_term_with_and_without_a_trace(void **state)
{
	static const char zone[] = "x.example TXT \"v=spf1 mx -all\"\n"
				   "x.example MX 10 nowhere.example\n"
				   "x.example MX 20 slow.example\n"
				   "slow.example TIMEOUT\n";
	static const char *const reasons[] = {
	    [SPF_ENGINE_NATIVE] = "x.example: mx: slow.example: temporary DNS failure (timeout)",
	    [SPF_ENGINE_LIBSPF2] = "x.example: mx: temporary DNS failure (timeout)",
	};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct spf_request request = request_for("192.0.2.9", "a@x.example", "h");
		struct bench bench;

		request.engine = i / 2 ? SPF_ENGINE_LIBSPF2 : SPF_ENGINE_NATIVE;
		request.trace = i % 2;
		if (!spf_engine_built(request.engine))
			continue;
		bench_open(&bench, slice_of(zone), DNS_BUDGET_QUESTIONS);
		spf_check(&request, bench.budget, bench.arena, &bench.outcome);
		assert_int_equal(bench.outcome.result, SPF_TEMPERROR);
		assert_string_equal(arena_cstring(bench.arena, bench.outcome.reason), reasons[request.engine]);
		bench_close(&bench);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_have_the_right_result),
	    cmocka_unit_test(libspf2_comes_to_the_same_results),
	    cmocka_unit_test(both_engines_stop_at_ten_lookups_in_a_tree_of_includes),
	    cmocka_unit_test(compare_keeps_what_both_say_and_the_native_result),
	    cmocka_unit_test(a_reason_names_the_term_with_and_without_a_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
