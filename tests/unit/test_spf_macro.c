/*
 * test_spf_macro.c - macro strings: the examples of RFC 7208 7.4 and what is
 * around them; how long a name may become.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../filter/spf/spf_private.h"

#define COUNT(table) (sizeof(table) / sizeof(table[0]))

/* The values of RFC 7208 7.4. */
static void values_fill(struct spf_values *values, bool ipv6)
{
	static const struct {
		char letter;
		const char *value;
	} table[] = {
	    {'s', "strong-bad@email.example.com"},
	    {'l', "strong-bad"},
	    {'o', "email.example.com"},
	    {'d', "email.example.com"},
	    {'i', "192.0.2.3"},
	    {'p', "mx.example.org"},
	    {'v', "in-addr"},
	    {'h', "mail host&co"},
	    {'c', "192.0.2.3"},
	    {'r', "mx.receiver.example"},
	    {'t', "1000000000"},
	};

	for (size_t i = 0; i < COUNT(table); i++)
		values->of[table[i].letter - 'a'] = slice_of(table[i].value);
	if (!ipv6)
		return;
	values->of['i' - 'a'] = SLICE("2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.C.B.0.1");
	values->of['v' - 'a'] = SLICE("ip6");
}

static struct slice domain_of(const char *text, const struct spf_values *values, struct arena *arena)
{
	static struct spf_part pool[SPF_PARTS_MAX];
	struct spf_parts parts = {pool, 0, COUNT(pool)};
	struct spf_string string;
	const char *why = spf_string_parse(slice_of(text), SPF_STRING_DOMAIN, &parts, &string);

	if (why)
		fail_msg("%s: %s", text, why);
	return spf_string_domain(&string, values, arena);
}

static void domains_expand_as_the_rfc_shows(void **state)
{
	static const struct {
		const char *text, *domain;
		bool ipv6;
	} cases[] = {
	    {"%{s}", "strong-bad@email.example.com", false},
	    {"%{o}", "email.example.com", false},
	    {"%{d}", "email.example.com", false},
	    {"%{d4}", "email.example.com", false},
	    {"%{d3}", "email.example.com", false},
	    {"%{d2}", "example.com", false},
	    {"%{d1}", "com", false},
	    {"%{dr}", "com.example.email", false},
	    {"%{d2r}", "example.email", false},
	    {"%{D2R}", "example.email", false},
	    {"%{d128}", "email.example.com", false},
	    {"%{d99999999999999999999}", "email.example.com", false},
	    {"%{l}", "strong-bad", false},
	    {"%{l-}", "strong.bad", false},
	    {"%{lr}", "strong-bad", false},
	    {"%{lr-}", "bad.strong", false},
	    {"%{l1r-}", "strong", false},
	    {"%{l1-}", "bad", false},
	    {"%{o+-}", "email.example.com", false}, /* "." is not a delimiter once others are given */
	    {"%{o1+-}", "email.example.com", false},
	    {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com", false},
	    {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com", false},
	    {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com", false},
	    {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com", false},
	    {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net", false},
	    {"%{ir}.%{v}._spf.%{d2}",
	     "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com", true},
	    {"%{i3}.x.example", "B.0.1.x.example", true},
	    {"a%%b%_c%-d.example.", "a%b c%20d.example", false},
	    {"%{d}.example.", "email.example.com.example", false},
	    {"%{H}.x.example", "mail%20host%26co.x.example", false},
	    {"%{h}.x.example", "mail host&co.x.example", false},
	    {"%{p}", "mx.example.org", false},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct spf_values values;
		struct slice domain;

		values_fill(&values, cases[i].ipv6);
		domain = domain_of(cases[i].text, &values, arena);
		assert_string_equal(arena_cstring(arena, domain), cases[i].domain);
	}
	arena_free(arena);
}

static void empty_parts_of_a_value_stay_empty_labels(void **state)
{
	static const struct {
		const char *value, *text, *domain;
	} cases[] = {
	    {"", "%{lr}x.example", "x.example"},
	    {"a..b", "%{lr}", "b..a"},
	    {".a.", "%{lr}", ".a"}, /* a last dot is not part of a name */
	    {"a--b", "%{l-}", "a..b"},
	    {"a--b", "%{l2-}", ".b"},
	    {"a--b", "%{l2r-}", ".a"},
	    {"--", "%{l-}x.example", "..x.example"},
	};
	struct arena *arena = arena_new();
	struct spf_values values = {{{0}}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		values.of['l' - 'a'] = slice_of(cases[i].value);
		assert_string_equal(arena_cstring(arena, domain_of(cases[i].text, &values, arena)), cases[i].domain);
	}
	arena_free(arena);
}

static void a_name_over_253_bytes_loses_labels_on_the_left(void **state)
{
	struct arena *arena = arena_new();
	struct spf_values values = {{{0}}};
	char label[400];

	(void)state;
	memset(label, 'x', sizeof(label));
	/* 241 + ".a.b.example" is 253: it fits. */
	values.of['l' - 'a'] = (struct slice){label, 241};
	assert_int_equal(domain_of("%{l}.a.b.example", &values, arena).n, 253);
	assert_int_equal(domain_of("%{l}.a.b.example.", &values, arena).n, 253);
	assert_int_equal(domain_of("q.%{l}.a.b.example", &values, arena).n, 253);
	/* 254: the first label goes, and no more. */
	values.of['l' - 'a'].n = 242;
	assert_string_equal(arena_cstring(arena, domain_of("%{l}.a.b.example", &values, arena)), "a.b.example");
	values.of['l' - 'a'].n = 400;
	assert_string_equal(arena_cstring(arena, domain_of("q.%{l}.a.b.example.", &values, arena)), "a.b.example");
	/* One label that is too long is not a name. */
	values.of['l' - 'a'].n = 254;
	assert_int_equal(domain_of("%{l}", &values, arena).n, 0);
	values.of['l' - 'a'].n = 253;
	assert_int_equal(domain_of("%{l}", &values, arena).n, 253);
	arena_free(arena);
}

static void reversed_nibbles_make_one_bounded_name(void **state)
{
	struct arena *arena = arena_new();
	struct spf_values values;
	char text[5 * 5 + 1] = "";
	size_t used;

	(void)state;
	values_fill(&values, true);
	for (int i = 0; i < 5; i++) /* 63 bytes each, and no dot between */
		strcat(text, "%{ir}");
	used = arena_used(arena);
	assert_true(domain_of(text, &values, arena).n <= SPF_NAME_MAX);
	assert_true(arena_used(arena) - used < 512);
	arena_free(arena);
}

static struct slice explain(const char *text, const struct spf_values *values, size_t limit, struct arena *arena)
{
	static struct spf_part pool[SPF_PARTS_MAX];
	struct spf_parts parts = {pool, 0, COUNT(pool)};
	struct spf_string string;
	struct text out;

	if (spf_string_parse(slice_of(text), SPF_STRING_EXPLAIN, &parts, &string))
		return SLICE("wrong");
	text_init(&out, arena, limit);
	spf_string_expand(&string, values, &out);
	return text_slice(&out);
}

static void explanations_keep_spaces_and_know_three_letters_more(void **state)
{
	static const struct {
		const char *text, *explanation;
	} cases[] = {
	    {"", ""},
	    {" See http://%{d}/why.html?s=%{S}&i=%{I} ",
	     " See http://email.example.com/why.html?s=strong-bad%40email.example.com&i=192.0.2.3 "},
	    {"%{c} %{r} %{t} %% %_ %-.", "192.0.2.3 mx.receiver.example 1000000000 %   %20."},
	    {"%{R2}.", "receiver.example."},
	    {"%{dr} ends. ", "com.example.email ends. "},
	    {"100%", "wrong"},
	    {"%{x}", "wrong"},
	    {"tab\there", "wrong"},
	    {"\xc3\xa9", "wrong"},
	};
	struct arena *arena = arena_new();
	struct spf_values values;

	(void)state;
	values_fill(&values, false);
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(arena_cstring(arena, explain(cases[i].text, &values, 1000, arena)),
				    cases[i].explanation);
	arena_free(arena);
}

static void an_explanation_stops_at_its_limit(void **state)
{
	struct arena *arena = arena_new();
	struct spf_values values;

	(void)state;
	values_fill(&values, false);
	assert_string_equal(arena_cstring(arena, explain("%{d}%{d}%{d}", &values, 20, arena)), "email.example.comema");
	arena_free(arena);
}

static void names_are_checked_by_the_lengths_of_their_labels(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} cases[] = {
	    {"a", true},
	    {"a.b", true},
	    {"", false},
	    {".", false},
	    {".a", false},
	    {"a.", false},
	    {"a..b", false},
	    {"foo:bar/baz.x", true},
	    {"123456789012345678901234567890123456789012345678901234567890123.x", true},
	    {"1234567890123456789012345678901234567890123456789012345678901234.x", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(spf_name_valid(slice_of(cases[i].name)), cases[i].valid);
}

static void a_name_is_in_a_domain_at_a_border_of_labels_only(void **state)
{
	static const struct {
		const char *name, *domain;
		bool in;
	} cases[] = {
	    {"example.org", "example.org", true},
	    {"Mail.Example.ORG", "example.org", true},
	    {"badexample.org", "example.org", false},
	    {"org", "example.org", false},
	    {"example.org", "", false},
	    {"evil\\.example.org", "example.org", false}, /* the label "evil.example" of org */
	    {"evil\\\\.example.org", "example.org", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(spf_name_is_in(slice_of(cases[i].name), slice_of(cases[i].domain)), cases[i].in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(domains_expand_as_the_rfc_shows),
	    cmocka_unit_test(empty_parts_of_a_value_stay_empty_labels),
	    cmocka_unit_test(a_name_over_253_bytes_loses_labels_on_the_left),
	    cmocka_unit_test(reversed_nibbles_make_one_bounded_name),
	    cmocka_unit_test(explanations_keep_spaces_and_know_three_letters_more),
	    cmocka_unit_test(an_explanation_stops_at_its_limit),
	    cmocka_unit_test(names_are_checked_by_the_lengths_of_their_labels),
	    cmocka_unit_test(a_name_is_in_a_domain_at_a_border_of_labels_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
