/* test_zone.c - zone text answers as DNS does, and says which line is wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* One line for an answer: "ok 192.0.2.1", "ok 10 mx.example" (MX), "ok \"text\"/strings", "nodata", "tempfail timeout".
 */
static void answer_show(const struct dns_answer *answer, enum dns_type type, char *out, size_t room)
{
	char ip[IP_TEXT];
	size_t n = (size_t)snprintf(out, room, "%s%s%s", dns_status_names[answer->status],
				    answer->reason != DNS_NO_REASON ? " " : "", dns_reason_texts[answer->reason]);

	for (size_t i = 0; i < answer->count && n < room; i++) {
		const struct dns_record *record = &answer->records[i];
		struct slice name = type == DNS_A || type == DNS_AAAA ? ip_print(record->ip, ip) : record->name;
		if (type == DNS_TXT)
			n += (size_t)snprintf(out + n, room - n, " \"%.*s\"/%u", SLICE_ARGS(record->text),
					      record->strings);
		else if (type == DNS_MX)
			n += (size_t)snprintf(out + n, room - n, " %u %.*s", record->preference, SLICE_ARGS(name));
		else
			n += (size_t)snprintf(out + n, room - n, " %.*s", SLICE_ARGS(name));
	}
}

static void zone_says(const char *zone, const char *name, enum dns_type type, const char *expected)
{
	struct error err = {""};
	struct arena *arena = arena_new();
	struct resolver *resolver = resolver_open_zone(slice_of(zone), "test", &err);

	assert_string_equal(err.text, "");
	assert_non_null(resolver);
	struct dns_budget *budget = dns_budget_open(resolver, arena, 10);
	char shown[1024];
	answer_show(dns_ask(budget, slice_of(name), type), type, shown, sizeof(shown));
	if (strcmp(shown, expected) != 0)
		print_error("%s type %d\n", name, (int)type);
	assert_string_equal(shown, expected);
	dns_budget_close(budget);
	resolver_release(resolver);
	arena_free(arena);
}

struct asked_case {
	const char *name;
	enum dns_type type;
	const char *expected;
};

static void zone_says_all(const char *zone, const struct asked_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		zone_says(zone, cases[i].name, cases[i].type, cases[i].expected);
}

static void names_and_types_are_told_apart(void **state)
{
	static const char zone[] = "example.net A 192.0.2.1\n"
				   "example.net. A 192.0.2.2\n"
				   "Mail.Example.NET 300 IN AAAA 2001:db8::25\n"
				   "deep.empty.example.net IN 1h TXT here\n"
				   "spf-only.example.net SPF \"v=spf1 -all\"\n"
				   "odd.example.net TYPE99 \\# 0\n"
				   "example.net SOA ns.example.net. root.example.net. 1 3600 600 86400 5\n";
	static const struct asked_case cases[] = {
	    {"example.net", DNS_A, "ok 192.0.2.1 192.0.2.2"},
	    {"EXAMPLE.net.", DNS_A, "ok 192.0.2.1 192.0.2.2"},
	    {"example.net", DNS_TXT, "nodata"},
	    {"mail.example.net", DNS_AAAA, "ok 2001:db8::25"},
	    {"mail.example.net", DNS_A, "nodata"},
	    {"empty.example.net", DNS_A, "nodata"},
	    {"net", DNS_A, "nodata"},
	    {".", DNS_A, "nodata"},
	    {"", DNS_A, "nodata"},
	    {"nothing.example.net", DNS_A, "nxdomain"},
	    {"below.deep.empty.example.net", DNS_TXT, "nxdomain"},
	    {"xample.net", DNS_A, "nxdomain"},
	    {"example.org", DNS_A, "nxdomain"},
	    {"spf-only.example.net", DNS_TXT, "nodata"},
	    {"odd.example.net", DNS_TXT, "nodata"},
	};

	(void)state;
	zone_says_all(zone, cases, COUNT(cases));
	zone_says("", "example.net", DNS_A, "nxdomain");
	zone_says("", ".", DNS_A, "nxdomain");
	zone_says(" \t\r\n; comment\n# comment\n\n", "example.net", DNS_A, "nxdomain");
}

static void rdata_is_read_as_rfc_1035_writes_it(void **state)
{
	static const char zone[] = "t.test TXT \"one \" two \"\\;three\\\"\" \\065\\ b;comment\n"
				   "e.test TXT \"\"\n"
				   "h.test TXT a#b # comment\n"
				   "n.test TXT \"\\000\\255\"\n"
				   "m.test MX 20 B.test. ; second\n"
				   "m.test MX 10 a.test\n"
				   "m.test MX 20 A.test\n"
				   "null.test MX 0 .\n"
				   "p.test PTR \\104ost\\.name.test.\n"
				   "odd\\.label.test A 192.0.2.9\n"
				   "_x.test A 192.0.2.10\n"
				   "w.test PTR TIMEOUT.test\n"
				   "q.test TXT \"TIMEOUT\"\n"
				   "mapped.test AAAA ::ffff:192.0.2.1\n";
	static const struct asked_case cases[] = {
	    {"t.test", DNS_TXT, "ok \"one two;three\"A b\"/4"},
	    {"e.test", DNS_TXT, "ok \"\"/1"},
	    {"h.test", DNS_TXT, "ok \"a#b\"/1"},
	    {"m.test", DNS_MX, "ok 10 a.test 20 B.test 20 A.test"},
	    {"null.test", DNS_MX, "ok 0 "},
	    {"p.test", DNS_PTR, "ok host\\.name.test"},
	    {"odd\\.label.test", DNS_A, "ok 192.0.2.9"},
	    {"odd\\046label.test", DNS_A, "ok 192.0.2.9"},
	    {"odd.label.test", DNS_A, "nxdomain"},
	    {"_X.TEST", DNS_A, "ok 192.0.2.10"},
	    {"w.test", DNS_PTR, "ok TIMEOUT.test"},
	    {"q.test", DNS_TXT, "ok \"TIMEOUT\"/1"},
	    {"mapped.test", DNS_AAAA, "ok 192.0.2.1"},
	};

	(void)state;
	zone_says_all(zone, cases, COUNT(cases));
}

static void aliases_are_followed_within_the_text(void **state)
{
	static const char zone[] = "a.test CNAME B.test\nb.test CNAME c.test.\nc.test A 192.0.2.1\n"
				   "out.test CNAME elsewhere.example\n"
				   "self.test CNAME self.test\n"
				   "l1.test CNAME l2.test\nl2.test CNAME l1.test\n"
				   "*.wild.test CNAME c.test\n"
				   "both.test CNAME c.test\nboth.test TXT own\n"
				   "slow.test CNAME dead.test\ndead.test TIMEOUT\n"
				   "r0.test CNAME r1.test\nr1.test CNAME r2.test\nr2.test CNAME r3.test\n"
				   "r3.test CNAME r4.test\nr4.test CNAME r5.test\nr5.test CNAME r6.test\n"
				   "r6.test CNAME r7.test\nr7.test CNAME r8.test\nr8.test CNAME r9.test\n"
				   "r9.test CNAME ra.test\nra.test CNAME rb.test\nrb.test A 192.0.2.2\n";
	static const struct asked_case cases[] = {
	    {"a.test", DNS_A, "ok 192.0.2.1"},
	    {"a.test", DNS_TXT, "nodata"},
	    {"a.test", DNS_CNAME, "ok B.test"},
	    {"c.test", DNS_CNAME, "nodata"},
	    {"out.test", DNS_A, "nxdomain"},
	    {"self.test", DNS_A, "tempfail cname loop"},
	    {"self.test", DNS_CNAME, "ok self.test"},
	    {"l1.test", DNS_TXT, "tempfail cname loop"},
	    {"x.y.wild.test", DNS_A, "ok 192.0.2.1"},
	    {"both.test", DNS_TXT, "ok \"own\"/1"},
	    {"both.test", DNS_A, "ok 192.0.2.1"},
	    {"slow.test", DNS_A, "tempfail timeout"},
	    {"r1.test", DNS_A, "ok 192.0.2.2"},
	    {"r0.test", DNS_A, "tempfail cname loop"}, /* one more than ZONE_CHAIN_MAX */
	};

	(void)state;
	zone_says_all(zone, cases, COUNT(cases));
}

/* The zone of RFC 4592 2.2.1, with its questions. */
static void wildcards_answer_as_rfc_4592_says(void **state)
{
	static const char zone[] = "example SOA ns.example. root.example. 1 3600 600 86400 5\n"
				   "*.example TXT \"this is a wildcard\"\n"
				   "*.example MX 10 host1.example.\n"
				   "sub.*.example TXT \"this is not a wildcard\"\n"
				   "host1.example A 192.0.2.1\n"
				   "_ssh._tcp.host1.example SRV 0 0 22 host1.example\n"
				   "_ssh._tcp.host2.example SRV 0 0 22 host2.example\n"
				   "a.*.ent.example A 192.0.2.7\n"
				   "*.fault.example TIMEOUT\n";
	static const struct asked_case cases[] = {
	    {"host3.example", DNS_MX, "ok 10 host1.example"},
	    {"host3.example", DNS_A, "nodata"},
	    {"foo.bar.example", DNS_TXT, "ok \"this is a wildcard\"/1"},
	    {"host1.example", DNS_MX, "nodata"},                 /* the name is there */
	    {"sub.*.example", DNS_MX, "nodata"},                 /* it is there too */
	    {"_telnet._tcp.host1.example", DNS_TXT, "nxdomain"}, /* closest encloser _tcp.host1.example */
	    {"host2.example", DNS_TXT, "nodata"},                /* an empty non-terminal is there */
	    {"below.host2.example", DNS_TXT, "nxdomain"},        /* and is the closest encloser */
	    {"ghost.*.example", DNS_MX, "nxdomain"},             /* below *.example itself */
	    {"*.example", DNS_TXT, "ok \"this is a wildcard\"/1"},
	    {"x.ent.example", DNS_A, "nodata"}, /* its wildcard is an empty non-terminal */
	    {"x.fault.example", DNS_A, "tempfail timeout"},
	};

	(void)state;
	zone_says_all(zone, cases, COUNT(cases));
	zone_says("* A 192.0.2.3\nnet A 192.0.2.4", "any.where", DNS_A, "ok 192.0.2.3");
	zone_says("* A 192.0.2.3\nnet A 192.0.2.4", "any.net", DNS_A, "nxdomain");
}

static void a_fault_applies_to_one_type_or_to_whatever_is_missing(void **state)
{
	static const char zone[] = "a.test A 192.0.2.1\na.test TIMEOUT\n"
				   "b.test TXT TIMEOUT\nb.test A 192.0.2.2\n"
				   "c.test SERVFAIL\n"
				   "d.test MX SERVFAIL\nd.test MX 10 a.test\n"
				   "e.test CNAME a.test\ne.test TIMEOUT\n"
				   "f.test CNAME TIMEOUT\n";
	static const struct asked_case cases[] = {
	    {"a.test", DNS_A, "ok 192.0.2.1"},
	    {"a.test", DNS_TXT, "tempfail timeout"},
	    {"b.test", DNS_TXT, "tempfail timeout"},
	    {"b.test", DNS_A, "ok 192.0.2.2"},
	    {"b.test", DNS_MX, "nodata"},
	    {"c.test", DNS_PTR, "tempfail servfail"},
	    {"d.test", DNS_MX, "tempfail servfail"},
	    {"e.test", DNS_A, "ok 192.0.2.1"},
	    {"f.test", DNS_CNAME, "tempfail timeout"},
	    {"f.test", DNS_A, "nodata"},
	    {"below.c.test", DNS_A, "nxdomain"},
	};

	(void)state;
	zone_says_all(zone, cases, COUNT(cases));
}

static void wrong_lines_are_named(void **state)
{
	static const struct {
		const char *zone, *expected;
	} cases[] = {
	    {"a.test", "test:1: a record type (A, TXT, MX, ...), TIMEOUT or SERVFAIL is missing after the name"},
	    {"\n\na.test A 192.0.2.256", "test:3: this is not an IPv4 address: \"192.0.2.256\""},
	    {"a.test A 2001:db8::1", "test:1: this is not an IPv4 address: \"2001:db8::1\""},
	    {"a.test A", "test:1: this is not an IPv4 address"},
	    {"a.test AAAA 192.0.2.1", "test:1: this is not an IPv6 address: \"192.0.2.1\""},
	    {"a.test AAAA IPv6:2001:db8::1", "test:1: this is not an IPv6 address: \"IPv6:2001:db8::1\""},
	    {"a.test A 192.0.2.1 192.0.2.2", "test:1: nothing may follow the record, but here is: \"192.0.2.2\""},
	    {"a.test MX mx.test",
	     "test:1: an MX record is a preference from 0 to 65535 and a host name, not: \"mx.test\""},
	    {"a.test MX 65536 mx.test",
	     "test:1: an MX record is a preference from 0 to 65535 and a host name, not: \"65536\""},
	    {"a.test MX 1", "test:1: a host name is missing here"},
	    {"a.test CNAME a..b", "test:1: this is not a host name: \"a..b\""},
	    {"a..test A 192.0.2.1", "test:1: this is not a domain name: \"a..test\""},
	    {".a.test A 192.0.2.1", "test:1: this is not a domain name: \".a.test\""},
	    {"\"a.test\" A 192.0.2.1", "test:1: a line begins with a domain name, not with a string: \"a.test\""},
	    {"$ORIGIN test.", "test:1: directives are not read; write every name in full: \"$ORIGIN\""},
	    {"a.test 99 99", "test:1: a record type (A, TXT, MX, ...), TIMEOUT or SERVFAIL is missing after the name"},
	    {"a.test =A 1", "test:1: this is not a record type: \"=A\""},
	    {"a.test TXT", "test:1: a TXT record has one string at least; the empty one is \"\""},
	    {"a.test TXT \"open", "test:1: this string has no closing quote: \"open\""},
	    {"a.test TXT \"open\\\"", "test:1: this string has no closing quote: \"open\\\"\""},
	    {"a.test SPF \"open", "test:1: this string has no closing quote: \"open\""},
	    {"a.test TXT \\256",
	     "test:1: a backslash is followed by three digits up to 255, or by one other character: \"\\256\""},
	    {"a.test TXT \"x\" \\1",
	     "test:1: a backslash is followed by three digits up to 255, or by one other character: \"\\1\""},
	    {"a.test TIMEOUT now", "test:1: nothing may follow TIMEOUT or SERVFAIL, but here is: \"now\""},
	    {"a.test CNAME b.test\nb.test A 192.0.2.1\nA.test CNAME c.test\n",
	     "test:3: this name has a CNAME record already; another leads to: \"c.test\""},
	    {"a.test A 1\0012", "test:1: this is not an IPv4 address: \"1?2\""},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error err = {""};
		assert_null(resolver_open_zone(slice_of(cases[i].zone), "test", &err));
		assert_string_equal(err.text, cases[i].expected);
	}
}

static char *repeat(char *at, char c, size_t n)
{
	memset(at, c, n);
	return at + n;
}

static void names_end_at_their_bounds(void **state)
{
	static const struct {
		size_t label[5];
		bool name;
	} cases[] = {
	    {{63}, true},
	    {{64}, false},
	    {{63, 63, 63, 61}, true}, /* 253 bytes of text */
	    {{63, 63, 63, 62}, false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char name[300], zone[400], *at = name;
		for (const size_t *label = cases[i].label; *label > 0; label++) {
			if (label != cases[i].label)
				*at++ = '.';
			at = repeat(at, 'x', *label);
		}
		*at = 0;
		zone_says("* A 192.0.2.1\n", name, DNS_A, cases[i].name ? "ok 192.0.2.1" : "nxdomain");
		snprintf(at, 2, ".");
		zone_says("* A 192.0.2.1\n", name, DNS_A, cases[i].name ? "ok 192.0.2.1" : "nxdomain");
		struct error err = {""};
		snprintf(zone, sizeof(zone), "%s A 192.0.2.1\n", name);
		struct resolver *resolver = resolver_open_zone(slice_of(zone), "test", &err);
		assert_int_equal(resolver != NULL, cases[i].name);
		resolver_release(resolver);
	}
	static const char *const no_names[] = {"a..b", ".a", "..", "a..", "a\\", "a\\25", "a\\256.b"};
	for (size_t i = 0; i < COUNT(no_names); i++)
		zone_says("* A 192.0.2.1\n", no_names[i], DNS_A, "nxdomain");
	zone_says("* A 192.0.2.1\n", "sp ace.\xff\x01.b", DNS_A, "ok 192.0.2.1");
}

static void texts_and_records_end_at_their_bounds(void **state)
{
	static const size_t sizes[] = {255, 256, DNS_TEXT_MAX, DNS_TEXT_MAX + 1};
	static const unsigned strings[] = {1, 2, 257, 0};

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct error err = {""};
		char *zone = malloc(sizes[i] + 20), *at = zone + sprintf(zone, "a TXT \"");
		at = repeat(at, 'x', sizes[i]);
		memcpy(at, "\"", 2);
		struct resolver *resolver = resolver_open_zone(slice_of(zone), "test", &err);
		free(zone);
		assert_int_equal(resolver != NULL, sizes[i] <= DNS_TEXT_MAX);
		if (!resolver)
			continue;
		struct arena *arena = arena_new();
		struct dns_budget *budget = dns_budget_open(resolver, arena, 1);
		const struct dns_answer *answer = dns_ask(budget, SLICE("a"), DNS_TXT);
		assert_int_equal(answer->records[0].text.n, sizes[i]);
		assert_int_equal(answer->records[0].strings, strings[i]);
		dns_budget_close(budget);
		resolver_release(resolver);
		arena_free(arena);
	}
}

static void more_records_than_the_most_are_left_out(void **state)
{
	struct error err = {""};
	struct arena *arena = arena_new();
	struct text zone;

	(void)state;
	text_init(&zone, arena, 1 << 20);
	for (int i = 0; i < DNS_RECORD_MAX + 5; i++)
		text_printf(&zone, "a MX %d mx%d.test\n", 1000 - i, i);
	struct resolver *resolver = resolver_open_zone(text_slice(&zone), "test", &err);
	struct dns_budget *budget = dns_budget_open(resolver, arena, 1);
	const struct dns_answer *answer = dns_ask(budget, SLICE("a"), DNS_MX);
	assert_int_equal(answer->count, DNS_RECORD_MAX);
	assert_int_equal(answer->records[0].preference, 1000 - DNS_RECORD_MAX + 1);
	dns_budget_close(budget);
	resolver_release(resolver);
	arena_free(arena);
}

/* The same bytes each time: a failure can be repeated. */
static void random_bytes_are_a_zone_or_an_error(void **state)
{
	static const char letters[] = "aAb.*\\\"; #\t\n01 9IN TXT MX CNAME A TIMEOUT\xff";
	uint64_t random = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		char zone[200];
		for (size_t i = 0; i < sizeof(zone); i++) {
			random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
			zone[i] = round % 3 == 0 ? (char)(random >> 56) : letters[(random >> 33) % (sizeof(letters))];
		}
		struct error err = {""};
		struct resolver *resolver = resolver_open_zone((struct slice){zone, random >> 32 & 127}, "test", &err);
		assert_true((resolver != NULL) == (err.text[0] == 0));
		resolver_release(resolver);
	}
}

static void a_megabyte_of_text_is_read_in_linear_time(void **state)
{
	size_t room = 1 << 20, n = 0;
	char *zone = malloc(room), name[40];
	struct error err = {""};

	(void)state;
	unsigned count = 0;
	while (n < room - 64)
		n += (size_t)sprintf(zone + n, "h%u.example.net A 192.0.2.%u\n", count, count % 256), count++;
	struct resolver *resolver = resolver_open_zone((struct slice){zone, n}, "test", &err);
	assert_non_null(resolver);
	struct arena *arena = arena_new();
	struct dns_budget *budget = dns_budget_open(resolver, arena, count);
	for (unsigned i = 0; i < count; i += 7) {
		sprintf(name, "h%u.EXAMPLE.net", i);
		const struct dns_answer *answer = dns_ask(budget, slice_of(name), DNS_A);
		assert_int_equal(answer->count, 1);
		assert_int_equal(answer->records[0].ip.bytes[3], i % 256);
	}
	dns_budget_close(budget);
	resolver_release(resolver);
	arena_free(arena);
	free(zone);
}

static void reverse_names_are_those_of_the_rfcs(void **state)
{
	static const char *const cases[][2] = {
	    {"192.0.2.1", "1.2.0.192.in-addr.arpa"},
	    {"::ffff:192.0.2.1", "1.2.0.192.in-addr.arpa"},
	    {"4321:0:1:2:3:4:567:89ab", /* RFC 3596 2.5 */
	     "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ip ip;
		assert_int_equal(ip_parse(slice_of(cases[i][0]), &ip), 0);
		assert_string_equal(arena_cstring(arena, dns_reverse_name(ip, arena)), cases[i][1]);
	}
	assert_int_equal(dns_reverse_name((struct ip){0}, arena).n, 0);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_and_types_are_told_apart),
	    cmocka_unit_test(rdata_is_read_as_rfc_1035_writes_it),
	    cmocka_unit_test(aliases_are_followed_within_the_text),
	    cmocka_unit_test(wildcards_answer_as_rfc_4592_says),
	    cmocka_unit_test(a_fault_applies_to_one_type_or_to_whatever_is_missing),
	    cmocka_unit_test(wrong_lines_are_named),
	    cmocka_unit_test(names_end_at_their_bounds),
	    cmocka_unit_test(texts_and_records_end_at_their_bounds),
	    cmocka_unit_test(more_records_than_the_most_are_left_out),
	    cmocka_unit_test(random_bytes_are_a_zone_or_an_error),
	    cmocka_unit_test(a_megabyte_of_text_is_read_in_linear_time),
	    cmocka_unit_test(reverse_names_are_those_of_the_rfcs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
