/*
 * test_spf_record.c - SPF records: what RFC 7208 12 allows, what it does not, and
 * what is understood.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../filter/spf/spf_private.h"

#define COUNT(table) (sizeof(table) / sizeof(table[0]))

/* As one line: result and mechanism of each term, with what belongs to it; then the modifiers. */
static void record_show(const struct spf_record *record, char *out, size_t room)
{
	static const char *const names[] = {"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"};
	char ip[IP_TEXT];
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < record->term_count; i++) {
		const struct spf_term *term = &record->terms[i];

		n += (size_t)snprintf(out + n, room - n, "%s%s %s", i ? "; " : "", spf_result_names[term->result],
				      names[term->mechanism]);
		if (term->target.count)
			n += (size_t)snprintf(out + n, room - n, " %zu", term->target.count);
		if (term->mechanism == SPF_A || term->mechanism == SPF_MX)
			n += (size_t)snprintf(out + n, room - n, " /%u//%u", term->prefix4, term->prefix6);
		if (term->mechanism == SPF_IP4 || term->mechanism == SPF_IP6)
			n += (size_t)snprintf(out + n, room - n, " %.*s/%u", SLICE_ARGS(ip_print(term->net.ip, ip)),
					      term->net.prefix);
	}
	if (record->redirect.count)
		n += (size_t)snprintf(out + n, room - n, "; redirect %zu", record->redirect.count);
	if (record->explanation.count)
		snprintf(out + n, room - n, "; exp %zu", record->explanation.count);
}

static void what_is_right_is_understood(void **state)
{
	static const struct {
		const char *record, *shown;
	} cases[] = {
	    {"v=spf1", ""},
	    {"V=SPF1    ", ""},
	    {"v=spf1 -all", "fail all"},
	    {"v=spf1  ?ALL  +all ~aLL", "neutral all; pass all; softfail all"},
	    {"v=spf1 a mx ptr", "pass a /32//128; pass mx /32//128; pass ptr"},
	    {"v=spf1 a/0 a//0 a/24//64", "pass a /0//128; pass a /32//0; pass a /24//64"},
	    {"v=spf1 mx:x.example/32//128", "pass mx 1 /32//128"},
	    {"v=spf1 a:foo:bar/baz.example", "pass a 1 /32//128"},
	    {"v=spf1 a:foo:bar/baz.example/8", "pass a 1 /8//128"},
	    {"v=spf1 a:%{d}/24 a:%{d}//24", "pass a 1 /24//128; pass a 1 /32//24"},
	    {"v=spf1 a:%% a:%_ a:%-", "pass a 1 /32//128; pass a 1 /32//128; pass a 1 /32//128"},
	    {"v=spf1 include:%{ir}.%{v}.%{d2}", "pass include 5"},
	    {"v=spf1 exists:%{L5R.-+,/_=}._x.example.", "pass exists 2"},
	    {"v=spf1 a:example.xn--p1ai a:example.1-2 a:example.a1",
	     "pass a 1 /32//128; pass a 1 /32//128; pass a 1 /32//128"},
	    {"v=spf1 a:.example", "pass a 1 /32//128"},
	    {"v=spf1 ip4:192.0.2.1 ip4:192.0.2.0/24 ip4:0.0.0.0/0",
	     "pass ip4 192.0.2.1/32; pass ip4 192.0.2.0/24; pass ip4 0.0.0.0/0"},
	    {"v=spf1 ip6:2001:DB8::/32 ip6:::1", "pass ip6 2001:db8::/32; pass ip6 ::1/128"},
	    {"v=spf1 ip6:::ffff:192.0.2.1", "pass ip6 ::ffff:c000:201/128"},
	    {"v=spf1 redirect=x.example exp=%{d}", "; redirect 1; exp 1"},
	    {"v=spf1 REDIRECT=x.example -all EXP=e.example", "fail all; redirect 1; exp 1"},
	    {"v=spf1 moo.cow-far_out=man:dog/cat all=x include=%{r}%{t}%{c} x= -all", "fail all"},
	};
	char shown[512];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct spf_record *record = spf_record_parse(slice_of(cases[i].record));

		if (record->state != SPF_RECORD_VALID)
			print_error("%s: %s\n", cases[i].record, record->why);
		assert_int_equal(record->state, SPF_RECORD_VALID);
		record_show(record, shown, sizeof(shown));
		assert_string_equal(shown, cases[i].shown);
		free(record);
	}
}

static const struct {
	const char *record, *wrong, *why;
} wrong_records[] = {
    {"v=spf1 -all moo", "moo", "unknown mechanism"},
    {"v=spf1 - all", "-", "unknown mechanism"},
    {"v=spf1 --all", "--all", "unknown mechanism"},
    {"v=spf1 !all", "!all", "unknown mechanism"},
    {"v=spf1 -all.", "-all.", "unknown mechanism"},
    {"v=spf1 a\tmx", "a\tmx", "unknown mechanism"},
    {"v=spf1 \xe2\x80\x8b-all", "\xe2\x80\x8b-all", "unknown mechanism"},
    {"v=spf1 redirect:x.example", "redirect:x.example", "unknown mechanism"},
    {"v=spf1 all:x", "all:x", "no argument"},
    {"v=spf1 all/8", "all/8", "no argument"},
    {"v=spf1 include", "include", "colon"},
    {"v=spf1 include:", "include:", "domain name"},
    {"v=spf1 include/24", "include/24", "colon"},
    {"v=spf1 include:x.example/24", "include:x.example/24", "top-level"},
    {"v=spf1 exists", "exists", "colon"},
    {"v=spf1 a:", "a:", "domain name"},
    {"v=spf1 a:/24", "a:/24", "domain name"},
    {"v=spf1 a/", "a/", "colon"},
    {"v=spf1 a//", "a//", "colon"},
    {"v=spf1 a/33", "a/33", "between 0 and 32"},
    {"v=spf1 a/024", "a/024", "between 0 and 32"},
    {"v=spf1 a/00", "a/00", "between 0 and 32"},
    {"v=spf1 a/4294967296", "a/4294967296", "between 0 and 32"},
    {"v=spf1 a//129", "a//129", "between 0 and 128"},
    {"v=spf1 a/24/64", "a/24/64", "between 0 and 32"},
    {"v=spf1 a/24/24", "a/24/24", "colon"},
    {"v=spf1 a//64/24", "a//64/24", "colon"},
    {"v=spf1 a:foo-bar", "a:foo-bar", "only one label"},
    {"v=spf1 a:museum.", "a:museum.", "only one label"},
    {"v=spf1 a:example..", "a:example..", "top-level"},
    {"v=spf1 a:example.com:8080", "a:example.com:8080", "top-level"},
    {"v=spf1 a:192.0.2.1", "a:192.0.2.1", "ip4:"},
    {"v=spf1 a:x.123", "a:x.123", "ip4:"},
    {"v=spf1 a:x.-y", "a:x.-y", "hyphen"},
    {"v=spf1 a:x.y-", "a:x.y-", "hyphen"},
    {"v=spf1 a:x.%{d}.", "a:x.%{d}.", "top-level"},
    {"v=spf1 a:x\x7f.example", "a:x\x7f.example", "printable"},
    {"v=spf1 a:\xef\xbb\xbf.example", "a:\xef\xbb\xbf.example", "printable"},
    {"v=spf1 a:%{x}", "a:%{x}", "letter"},
    {"v=spf1 a:%{", "a:%{", "letter"},
    {"v=spf1 a:%{d", "a:%{d", "closed"},
    {"v=spf1 a:%{d0}", "a:%{d0}", "0 labels"},
    {"v=spf1 a:%{d00r}", "a:%{d00r}", "0 labels"},
    {"v=spf1 a:%{dr2}", "a:%{dr2}", "transformer"},
    {"v=spf1 a:%{d:}", "a:%{d:}", "transformer"},
    {"v=spf1 a:%(d).example", "a:%(d).example", "%%"},
    {"v=spf1 a:x.example%", "a:x.example%", "%%"},
    {"v=spf1 exists:%{c}.example", "exists:%{c}.example", "explanations"},
    {"v=spf1 exp=%{R}.example", "exp=%{R}.example", "explanations"},
    {"v=spf1 ip4", "ip4", "colon"},
    {"v=spf1 ip4:", "ip4:", "IPv4"},
    {"v=spf1 ip4:1.2.3", "ip4:1.2.3", "IPv4"},
    {"v=spf1 ip4:1.2.3.04", "ip4:1.2.3.04", "IPv4"},
    {"v=spf1 ip4:1.2.3.256", "ip4:1.2.3.256", "IPv4"},
    {"v=spf1 ip4:1.2.3.4:80", "ip4:1.2.3.4:80", "IPv4"},
    {"v=spf1 ip4:1.2.3.4/", "ip4:1.2.3.4/", "IPv4"},
    {"v=spf1 ip4:1.2.3.4//32", "ip4:1.2.3.4//32", "IPv4"},
    {"v=spf1 ip4:1.2.3.4/33", "ip4:1.2.3.4/33", "between 0 and 32"},
    {"v=spf1 ip4:::1", "ip4:::1", "IPv4"},
    {"v=spf1 ip6:1.2.3.4", "ip6:1.2.3.4", "IPv6"},
    {"v=spf1 ip6:IPv6:::1", "ip6:IPv6:::1", "IPv6"},
    {"v=spf1 ip6:::1%lo", "ip6:::1%lo", "IPv6"},
    {"v=spf1 ip6:::/129", "ip6:::/129", "between 0 and 128"},
    {"v=spf1 ip6::CAFE::BABE", "ip6::CAFE::BABE", "IPv6"},
    {"v=spf1 ptr:", "ptr:", "domain name"},
    {"v=spf1 ptr/0", "ptr/0", "colon"},
    {"v=spf1 =all", "=all", "modifier name"},
    {"v=spf1 1up=foo", "1up=foo", "modifier name"},
    {"v=spf1 -exp=x.example", "-exp=x.example", "modifier name"},
    {"v=spf1 redirect=", "redirect=", "domain name"},
    {"v=spf1 redirect=-all", "redirect=-all", "only one label"},
    {"v=spf1 redirect=a.example redirect=b.example", "redirect=b.example", "twice"},
    {"v=spf1 exp=a.example -all EXP=b.example", "EXP=b.example", "twice"},
    {"v=spf1 -all foo=%abc", "foo=%abc", "%%"},
    {"v=spf1 -all foo=\x80", "foo=\x80", "printable"},
};

static void what_is_wrong_is_refused_with_the_word_and_the_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong_records); i++) {
		struct spf_record *record = spf_record_parse(slice_of(wrong_records[i].record));

		if (record->state != SPF_RECORD_WRONG || !strstr(record->why, wrong_records[i].why))
			print_error("%s: %s\n", wrong_records[i].record, record->why ? record->why : "taken for right");
		assert_int_equal(record->state, SPF_RECORD_WRONG);
		assert_true(slice_equal(record->wrong, slice_of(wrong_records[i].wrong)));
		assert_non_null(strstr(record->why, wrong_records[i].why));
		free(record);
	}
}

static void a_nul_byte_is_wrong_anywhere(void **state)
{
	static const char base[] = "v=spf1 a:foo.example ip4:192.0.2.1 ip6:::1 redirect=%{d}.example x=y -all";
	char text[sizeof(base)];

	(void)state;
	for (size_t i = 7; i < sizeof(base) - 1; i++) {
		struct spf_record *record;

		memcpy(text, base, sizeof(base));
		text[i] = '\0';
		record = spf_record_parse((struct slice){text, sizeof(base) - 1});
		assert_int_equal(record->state, SPF_RECORD_WRONG);
		free(record);
	}
}

static void only_the_version_and_a_space_or_the_end_begin_a_record(void **state)
{
	(void)state;
	assert_true(spf_is_record(SLICE("v=spf1")));
	assert_true(spf_is_record(SLICE("V=sPf1 ")));
	assert_false(spf_is_record(SLICE("")));
	assert_false(spf_is_record(SLICE("v=spf")));
	assert_false(spf_is_record(SLICE("v=spf10")));
	assert_false(spf_is_record(SLICE("v=spf1\tmx")));
	assert_false(spf_is_record(SLICE(" v=spf1")));
	assert_false(spf_is_record(SLICE("v=spf1\0 -all")));
}

/* "v=spf1" and then `word` so many times. */
static struct spf_record *repeat(const char *word, size_t times, size_t spaces)
{
	size_t length = 6 + times * strlen(word) + spaces, n = 6;
	char *text = malloc(length);
	struct spf_record *record;

	memcpy(text, "v=spf1", 6);
	for (size_t i = 0; i < times; i++, n += strlen(word))
		memcpy(text + n, word, strlen(word));
	memset(text + n, ' ', spaces);
	record = spf_record_parse((struct slice){text, length});
	free(text);
	return record;
}

static void a_record_beyond_a_bound_is_refused_and_one_at_the_bound_is_not(void **state)
{
	static const struct {
		const char *word;
		size_t times, spaces;
		bool valid;
		const char *why;
	} cases[] = {
	    {" a", 1, SPF_RECORD_MAX - 8, true, NULL},
	    {" a", 1, SPF_RECORD_MAX - 7, false, "too long"},
	    {" a", SPF_TERMS_MAX - 1, 0, true, NULL},
	    {" a", SPF_TERMS_MAX, 0, false, "too many terms"},
	    {" a:%{d}", SPF_PARTS_MAX, 0, true, NULL},
	    {" a:%{d}", SPF_PARTS_MAX + 1, 0, false, "too many macros"},
	    {" x=%{d}%{d}%{d}%{d}", SPF_PARTS_MAX, 0, true, NULL}, /* what is ignored takes no room */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct spf_record *record = repeat(cases[i].word, cases[i].times, cases[i].spaces);

		assert_int_equal(record->state, cases[i].valid ? SPF_RECORD_VALID : SPF_RECORD_WRONG);
		if (!cases[i].valid)
			assert_non_null(strstr(record->why, cases[i].why));
		free(record);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_right_is_understood),
	    cmocka_unit_test(what_is_wrong_is_refused_with_the_word_and_the_reason),
	    cmocka_unit_test(a_nul_byte_is_wrong_anywhere),
	    cmocka_unit_test(only_the_version_and_a_space_or_the_end_begin_a_record),
	    cmocka_unit_test(a_record_beyond_a_bound_is_refused_and_one_at_the_bound_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
