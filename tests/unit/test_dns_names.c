/*
 * test_dns_names.c - who takes the mail of a domain (RFC 5321 5.1, RFC 7505), and
 * which name of an address leads back to it (RFC 8601 2.7.3).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"

#define COUNT(table) (sizeof(table) / sizeof(table[0]))

static const char zone[] =
    "two.example MX 20 b.example\n"
    "two.example MX 10 a.example\n"
    "two.example A 192.0.2.1\n"
    "implicit4.example A 192.0.2.1\n"
    "implicit6.example AAAA 2001:db8::1\n"
    "implicit6.example A TIMEOUT\n"
    "slow.example TIMEOUT\n"
    "slow-mx.example MX SERVFAIL\n"
    "slow-mx.example A 192.0.2.1\n"
    "slow-a.example A TIMEOUT\n"
    "slow-a.example TXT x\n"
    "null.example MX 0 .\n"
    "null.example A 192.0.2.1\n"
    "half-null.example MX 0 .\n"
    "half-null.example MX 10 a.example\n"
    "text.example TXT x\n"
    "alias.example CNAME two.example\n"
    "1.2.0.192.in-addr.arpa PTR liar.example\n"
    "1.2.0.192.in-addr.arpa PTR nowhere.example\n"
    "1.2.0.192.in-addr.arpa PTR implicit4.example\n"
    "2.2.0.192.in-addr.arpa PTR implicit4.example\n"
    "3.2.0.192.in-addr.arpa PTR slow.example\n"
    "3.2.0.192.in-addr.arpa PTR liar.example\n"
    "4.2.0.192.in-addr.arpa TIMEOUT\n"
    "5.2.0.192.in-addr.arpa TXT x\n"
    "7.2.0.192.in-addr.arpa PTR .\n"
    "liar.example A 192.0.2.200\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR implicit6.example\n";

struct bench {
	struct arena *arena;
	struct resolver *resolver;
	struct dns_budget *budget;
};

static void bench_open(struct bench *bench, struct slice text)
{
	struct error err;

	bench->arena = arena_new();
	bench->resolver = resolver_open_zone(text, "test", &err);
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

static void a_domain_says_who_takes_its_mail(void **state)
{
	static const struct {
		const char *domain, *result, *hosts;
	} cases[] = {
	    {"two.example", "ok", "10 a.example, 20 b.example"},
	    {"alias.example", "ok", "10 a.example, 20 b.example"},
	    {"half-null.example", "ok", "10 a.example"},
	    {"implicit4.example", "implicit", "0 implicit4.example"},
	    {"implicit6.example", "implicit", "0 implicit6.example"},
	    {"null.example", "null", ""},
	    {"text.example", "none", ""},
	    {"nowhere.example", "none", ""},
	    {"no..name", "none", ""},
	    {"", "none", ""},
	    {"slow.example", "temperror", ""},
	    {"slow-mx.example", "temperror", ""},
	    {"slow-a.example", "temperror", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dns_mx_outcome outcome;
		struct bench bench;
		char hosts[200] = "";
		size_t n = 0;

		bench_open(&bench, slice_of(zone));
		dns_mx(bench.budget, slice_of(cases[i].domain), bench.arena, &outcome);
		for (size_t host = 0; host < outcome.host_count; host++)
			n += (size_t)snprintf(hosts + n, sizeof(hosts) - n, "%s%u %.*s", host ? ", " : "",
					      outcome.hosts[host].preference, SLICE_ARGS(outcome.hosts[host].name));
		if (strcmp(dns_mx_names[outcome.result], cases[i].result) != 0)
			print_error("%s\n", cases[i].domain);
		assert_string_equal(dns_mx_names[outcome.result], cases[i].result);
		assert_string_equal(hosts, cases[i].hosts);
		bench_close(&bench);
	}
}

static void a_name_counts_only_when_it_leads_back(void **state)
{
	static const struct {
		const char *ip;
		enum dns_status status;
		const char *name;
	} cases[] = {
	    {"192.0.2.1", DNS_OK, "implicit4.example"},
	    {"2001:db8::1", DNS_OK, "implicit6.example"},
	    {"192.0.2.2", DNS_NODATA, ""},
	    {"192.0.2.3", DNS_TEMPFAIL, ""},
	    {"192.0.2.4", DNS_TEMPFAIL, ""},
	    {"192.0.2.5", DNS_NODATA, ""},
	    {"192.0.2.6", DNS_NXDOMAIN, ""},
	    {"192.0.2.7", DNS_NODATA, ""},
	    {"", DNS_NXDOMAIN, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ip ip = {0};
		struct bench bench;
		struct slice name;

		bench_open(&bench, slice_of(zone));
		ip_parse(slice_of(cases[i].ip), &ip);
		assert_int_equal(dns_confirmed_name(bench.budget, ip, bench.arena, &name), cases[i].status);
		assert_string_equal(arena_cstring(bench.arena, name), cases[i].name);
		bench_close(&bench);
	}
}

static void no_more_than_ten_names_of_an_address_are_asked_for(void **state)
{
	struct arena *arena = arena_new();
	struct ip ip;
	struct slice name;

	(void)state;
	ip_parse(SLICE("192.0.2.1"), &ip);
	for (int last = DNS_PTR_NAMES_MAX; last <= DNS_PTR_NAMES_MAX + 1; last++) {
		struct bench bench;
		struct text text;

		text_init(&text, arena, 1 << 16);
		for (int i = 1; i <= last; i++)
			text_printf(&text, "1.2.0.192.in-addr.arpa PTR h%d.example\n", i);
		text_printf(&text, "h%d.example A 192.0.2.1\n", last);
		bench_open(&bench, text_slice(&text));
		assert_int_equal(dns_confirmed_name(bench.budget, ip, bench.arena, &name),
				 last == DNS_PTR_NAMES_MAX ? DNS_OK : DNS_NODATA);
		assert_int_equal(dns_budget_asked(bench.budget), 1 + DNS_PTR_NAMES_MAX);
		bench_close(&bench);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_domain_says_who_takes_its_mail),
	    cmocka_unit_test(a_name_counts_only_when_it_leads_back),
	    cmocka_unit_test(no_more_than_ten_names_of_an_address_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
