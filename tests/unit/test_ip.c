/*
 * test_ip.c - IP addresses and networks.
 */
#include "assert_slice.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static void an_address_has_one_printed_form(void **state)
{
	/* RFC 5952 4 and 5; NULL: not an address */
	static const struct {
		const char *text, *printed;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1"},
	    {"::ffff:192.0.2.1", "192.0.2.1"},
	    {"::FFFF:c000:201", "192.0.2.1"},
	    {"IPv6:2001:db8::1", "2001:db8::1"},
	    {"ipv6:::ffff:192.0.2.1", "192.0.2.1"},
	    {"2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
	    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
	    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
	    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	    {"::", "::"},
	    {"::1", "::1"},
	    {"1::", "1::"},
	    {"::1.2.3.4", "::102:304"},
	    {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	    {"", NULL},
	    {"IPv6:", NULL},
	    {"IPv6:192.0.2.1", NULL},
	    {"192.0.2", NULL},
	    {"192.0.2.256", NULL},
	    {"192.0.02.1", NULL},
	    {"192.0.2.1 ", NULL},
	    {"2001:db8::1::2", NULL},
	    {"fe80::1%eth0", NULL},
	    {"0000:0000:0000:0000:0000:0000:0000:00000000000000000000001", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip ip;
		char buffer[IP_TEXT];
		int result = ip_parse(slice_of(cases[i].text), &ip);

		assert_int_equal(result, cases[i].printed ? 0 : -1);
		if (result == 0)
			assert_slice(ip_print(ip, buffer), cases[i].printed);
	}
}

static void a_nul_byte_ends_no_address(void **state)
{
	struct ip ip;

	(void)state;
	assert_int_equal(ip_parse(SLICE("192.0.2.1\0.evil"), &ip), -1);
}

static void an_address_comes_from_a_socket(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr other = {.sa_family = AF_UNIX};
	char buffer[IP_TEXT];

	(void)state;
	inet_pton(AF_INET, "192.0.2.7", &in.sin_addr);
	assert_slice(ip_print(ip_of_sockaddr((struct sockaddr *)&in), buffer), "192.0.2.7");
	inet_pton(AF_INET6, "2001:db8::7", &in6.sin6_addr);
	assert_slice(ip_print(ip_of_sockaddr((struct sockaddr *)&in6), buffer), "2001:db8::7");
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
	assert_slice(ip_print(ip_of_sockaddr((struct sockaddr *)&in6), buffer), "192.0.2.7");
	assert_int_equal(ip_of_sockaddr(&other).family, 0);
	assert_int_equal(ip_of_sockaddr(NULL).family, 0);
	assert_slice(ip_print((struct ip){0}, buffer), "");
}

static void equal_is_by_value(void **state)
{
	struct ip a, b;

	(void)state;
	assert_true(ip_equal((struct ip){0}, (struct ip){0}));
	ip_parse(SLICE("192.0.2.1"), &a);
	ip_parse(SLICE("::ffff:192.0.2.1"), &b);
	assert_true(ip_equal(a, b));
	ip_parse(SLICE("192.0.2.2"), &b);
	assert_false(ip_equal(a, b));
	ip_parse(SLICE("c000:201::"), &b); /* the same first four bytes */
	assert_false(ip_equal(a, b));
}

static void a_network_holds_its_addresses_and_no_other(void **state)
{
	static const struct {
		const char *net, *ip;
		bool inside;
	} cases[] = {
	    {"192.0.2.0/24", "192.0.2.255", true},
	    {"192.0.2.0/24", "192.0.3.0", false},
	    {"192.0.2.77/24", "192.0.2.1", true}, /* bits after the prefix do not count */
	    {"192.0.2.128/25", "192.0.2.127", false},
	    {"192.0.2.128/25", "192.0.2.128", true},
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.0", false},
	    {"0.0.0.0/0", "255.255.255.255", true},
	    {"0.0.0.0/0", "2001:db8::1", false},
	    {"::/0", "192.0.2.1", false},
	    {"::/0", "2001:db8::1", true},
	    {"2001:db8::/33", "2001:db8:7fff::", true},
	    {"2001:db8::/33", "2001:db8:8000::", false},
	    {"2001:db8::1/128", "2001:db8::1", true},
	    {"::ffff:192.0.2.0/120", "192.0.2.9", true},
	    {"::ffff:192.0.2.0/120", "192.0.3.9", false},
	    {"::ffff:0:0/96", "203.0.113.1", true},
	    {"192.0.2.0/24", "::ffff:192.0.2.5", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_net net;
		struct ip ip;

		assert_int_equal(ip_net_parse(slice_of(cases[i].net), &net), 0);
		assert_int_equal(ip_parse(slice_of(cases[i].ip), &ip), 0);
		assert_int_equal(ip_net_contains(&net, ip), cases[i].inside);
		assert_false(ip_net_contains(&net, (struct ip){0}));
	}
}

static void what_is_not_a_network_is_refused(void **state)
{
	static const char *const cases[] = {"",
					    "/",
					    "/24",
					    "192.0.2.0/",
					    "192.0.2.0/33",
					    "::/129",
					    "10.0/8",
					    "192.0.2.0/x",
					    "192.0.2.0/-1",
					    "192.0.2.0/24/24",
					    "::ffff:192.0.2.0/95",
					    "192.0.2.0/ 24",
					    "192.0.2.0/4294967320"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_net net;

		assert_int_equal(ip_net_parse(slice_of(cases[i]), &net), -1);
	}
}

static void addresses_that_are_no_place_of_the_internet_are_known(void **state)
{
	static const struct {
		const char *ip;
		enum ip_use use;
	} cases[] = {
	    {"0.0.0.0", IP_USE_SPECIAL},
	    {"10.255.255.255", IP_USE_SPECIAL},
	    {"11.0.0.0", IP_USE_PUBLIC},
	    {"100.63.255.255", IP_USE_PUBLIC},
	    {"100.64.0.1", IP_USE_SPECIAL},
	    {"127.0.0.1", IP_USE_SPECIAL},
	    {"169.254.1.1", IP_USE_SPECIAL},
	    {"172.15.0.1", IP_USE_PUBLIC},
	    {"172.31.255.255", IP_USE_SPECIAL},
	    {"192.0.0.9", IP_USE_SPECIAL},
	    {"192.0.2.1", IP_USE_EXAMPLE},
	    {"192.0.3.1", IP_USE_PUBLIC},
	    {"192.168.1.1", IP_USE_SPECIAL},
	    {"198.19.255.255", IP_USE_SPECIAL},
	    {"198.51.100.7", IP_USE_EXAMPLE},
	    {"203.0.113.7", IP_USE_EXAMPLE},
	    {"224.0.0.1", IP_USE_SPECIAL},
	    {"255.255.255.255", IP_USE_SPECIAL},
	    {"8.8.8.8", IP_USE_PUBLIC},
	    {"::", IP_USE_SPECIAL},
	    {"::1", IP_USE_SPECIAL},
	    {"::2", IP_USE_PUBLIC},
	    {"::ffff:10.0.0.1", IP_USE_SPECIAL},
	    {"64:ff9b:1::1", IP_USE_SPECIAL},
	    {"64:ff9b::8.8.8.8", IP_USE_PUBLIC},
	    {"100::1", IP_USE_SPECIAL},
	    {"2001:db8::1", IP_USE_EXAMPLE},
	    {"2001:4860::1", IP_USE_PUBLIC},
	    {"3fff:fff::1", IP_USE_EXAMPLE},
	    {"5f00::1", IP_USE_SPECIAL},
	    {"fd00::1", IP_USE_SPECIAL},
	    {"febf::1", IP_USE_SPECIAL},
	    {"fec0::1", IP_USE_PUBLIC},
	    {"ff02::1", IP_USE_SPECIAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip ip;

		assert_int_equal(ip_parse(slice_of(cases[i].ip), &ip), 0);
		if (ip_use(ip) != cases[i].use)
			fail_msg("%s: %d", cases[i].ip, ip_use(ip));
	}
	assert_int_equal(ip_use((struct ip){.family = 0}), IP_USE_PUBLIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_has_one_printed_form),
	    cmocka_unit_test(a_nul_byte_ends_no_address),
	    cmocka_unit_test(an_address_comes_from_a_socket),
	    cmocka_unit_test(equal_is_by_value),
	    cmocka_unit_test(a_network_holds_its_addresses_and_no_other),
	    cmocka_unit_test(what_is_not_a_network_is_refused),
	    cmocka_unit_test(addresses_that_are_no_place_of_the_internet_are_known),
	};

	return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
