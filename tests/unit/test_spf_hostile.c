/*
 * test_spf_hostile.c - zones that try to make a check long, big or wrong.
 */
#include "spf_bench.h"

static void a_tree_of_includes_stops_at_the_tenth_lookup(void **state)
{
	struct bench bench;
	struct arena *arena = arena_new();
	struct text text;

	(void)state;
	text_init(&text, arena, 1 << 20);
	for (int level = 0; level < 2; level++) {
		text_printf(&text, "l%d.example TXT \"v=spf1", level);
		for (int i = 0; i < 4; i++)
			text_printf(&text, " include:l%d.example", level + 1);
		text_printf(&text, " -all\"\n");
	}
	text_printf(&text, "l2.example TXT \"v=spf1 -all\"\n");
	bench_open(&bench, text_slice(&text), DNS_BUDGET_QUESTIONS);
	check(&bench, "192.0.2.1", "a@l0.example", "h");
	assert_int_equal(bench.outcome.result, SPF_PERMERROR);
	assert_int_equal(bench.outcome.lookups, SPF_LOOKUPS_MAX);
	assert_true(dns_budget_asked(bench.budget) <= 1 + SPF_LOOKUPS_MAX);
	bench_close(&bench);
	arena_free(arena);
}

static void ten_mx_of_ten_hosts_ask_111_questions_and_eleven_hosts_are_an_error(void **state)
{
	struct bench bench;
	struct arena *arena = arena_new();

	(void)state;
	for (int hosts = 10; hosts <= 11; hosts++) {
		struct text text;

		text_init(&text, arena, 1 << 20);
		text_printf(&text, "x.example TXT \"v=spf1");
		for (int i = 0; i < 10; i++)
			text_printf(&text, " mx:m%d.example", i);
		text_printf(&text, " -all\"\n");
		for (int i = 0; i < 10; i++)
			for (int host = 0; host < hosts; host++)
				text_printf(&text, "m%d.example MX 1 h%d-%d.example\n", i, i, host);
		bench_open(&bench, text_slice(&text), DNS_BUDGET_QUESTIONS);
		check(&bench, "192.0.2.1", "a@x.example", "h");
		assert_int_equal(bench.outcome.result, hosts == 10 ? SPF_FAIL : SPF_PERMERROR);
		assert_int_equal(dns_budget_asked(bench.budget), hosts == 10 ? 111 : 2);
		bench_close(&bench);
	}
	arena_free(arena);
}

static void ten_names_of_a_client_are_looked_at(void **state)
{
	static const enum spf_result results[] = {[10] = SPF_PASS, [11] = SPF_FAIL};

	(void)state;
	for (int last = 10; last <= 11; last++) {
		struct arena *arena = arena_new();
		struct bench bench;
		struct text text;

		text_init(&text, arena, 1 << 16);
		text_printf(&text, "x.example TXT \"v=spf1 ptr -all\"\nh%d.x.example A 192.0.2.1\n", last);
		for (int i = 1; i <= 11; i++)
			text_printf(&text, "1.2.0.192.in-addr.arpa PTR h%d.x.example\n", i);
		bench_open(&bench, text_slice(&text), DNS_BUDGET_QUESTIONS);
		check(&bench, "192.0.2.1", "a@x.example", "h");
		assert_int_equal(bench.outcome.result, results[last]);
		bench_close(&bench);
		arena_free(arena);
	}
}

static void a_budget_that_is_used_up_is_a_temperror_and_never_a_fail(void **state)
{
	static const char text[] = "x.example TXT \"v=spf1 a:y.example mx:y.example exists:y.example ptr -all\"\n"
				   "p.example TXT \"v=spf1 ptr -all\"\n"
				   "q.example TXT \"v=spf1 ptr -all\"\n"
				   "i.example TXT \"v=spf1 include:x.example -all\"\n"
				   "y.example A 192.0.2.9\ny.example MX 1 y.example\n"
				   "1.2.0.192.in-addr.arpa PTR h.q.example\nh.q.example A 192.0.2.2\n";
	static const struct {
		const char *sender;
		unsigned needs;
	} cases[] = {{"a@x.example", 3}, {"a@p.example", 2}, {"a@q.example", 3}, {"a@i.example", 4}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (unsigned questions = 0; questions < cases[i].needs; questions++) {
			struct bench bench;

			bench_open(&bench, slice_of(text), questions);
			check(&bench, "192.0.2.1", cases[i].sender, "h");
			assert_int_equal(bench.outcome.result, SPF_TEMPERROR);
			assert_non_null(strstr(text_of(&bench, bench.outcome.reason), "budget"));
			bench_close(&bench);
		}
}

static void records_at_the_size_of_a_message_cost_bounded_memory(void **state)
{
	static const char *const words[] = {" ip4:192.0.2.1", " a:%{ir}.x.example", " x=%{l}", " %{l}",
					    " exp=%{l}.x.example"};

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		struct arena *arena = arena_new();
		struct bench bench;
		struct text text;

		text_init(&text, arena, 1 << 20);
		text_printf(&text, "x.example TXT \"v=spf1\"");
		while (text.n < 60000) {
			text_printf(&text, " \"");
			for (int word = 0; word < 8; word++)
				text_add(&text, slice_of(words[i]));
			text_add_char(&text, '"');
		}
		bench_open(&bench, text_slice(&text), DNS_BUDGET_QUESTIONS);
		check(&bench, "203.0.113.1", "a@x.example", "h");
		assert_int_equal(bench.outcome.result, SPF_PERMERROR);
		assert_true(arena_used(bench.arena) < 64 * 1024);
		bench_close(&bench);
		arena_free(arena);
	}
}

/* 300 KB of text records beside a record that is one. */
static void many_big_texts_of_others_do_not_hide_a_record(void **state)
{
	struct arena *arena = arena_new();
	struct bench bench;
	struct text text;

	(void)state;
	text_init(&text, arena, 1 << 20);
	text_printf(&text, "x.example TXT \"v=spf1 ip4:192.0.2.1 -all\"\n");
	for (int record = 0; record < 5; record++) {
		text_printf(&text, "x.example TXT \"v=spf10 %d\"", record);
		for (int i = 0; i < 240; i++)
			text_printf(&text, " \"%0250d\"", i);
		text_add_char(&text, '\n');
	}
	assert_true(text.n > 300000);
	bench_open(&bench, text_slice(&text), DNS_BUDGET_QUESTIONS);
	check(&bench, "192.0.2.1", "a@x.example", "h");
	assert_int_equal(bench.outcome.result, SPF_PASS);
	assert_true(arena_used(bench.arena) < 64 * 1024);
	bench_close(&bench);
	arena_free(arena);
}

static void a_trace_is_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct bench bench;
	struct text text;

	(void)state;
	text_init(&text, arena, 1 << 20);
	text_printf(&text, "x.example TXT \"v=spf1 include:y.example include:y.example include:y.example ?all\"\n"
			   "y.example TXT \"v=spf1\"");
	for (int i = 0; i < 1000; i++)
		text_printf(&text, "%s ip4:192.0.2.1%s", i % 10 ? "" : " \"", i % 10 == 9 ? "\"" : "");
	text_printf(&text, " \" ?all\"\n");
	bench_open(&bench, text_slice(&text), DNS_BUDGET_QUESTIONS);
	check(&bench, "203.0.113.1", "a@x.example", "h");
	assert_int_equal(bench.outcome.result, SPF_NEUTRAL);
	assert_int_equal(bench.outcome.step_count, SPF_STEPS_MAX);
	bench_close(&bench);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_tree_of_includes_stops_at_the_tenth_lookup),
	    cmocka_unit_test(ten_mx_of_ten_hosts_ask_111_questions_and_eleven_hosts_are_an_error),
	    cmocka_unit_test(ten_names_of_a_client_are_looked_at),
	    cmocka_unit_test(a_budget_that_is_used_up_is_a_temperror_and_never_a_fail),
	    cmocka_unit_test(records_at_the_size_of_a_message_cost_bounded_memory),
	    cmocka_unit_test(many_big_texts_of_others_do_not_hide_a_record),
	    cmocka_unit_test(a_trace_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
