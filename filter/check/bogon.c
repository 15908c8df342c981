/*
 * bogon.c - addresses at which no mail server of the Internet can be reached: a domain whose mail hosts have no others
 * takes no mail, and has it look as if it did.
 *
 * From the registries of special-purpose addresses (RFC 6890). Networks for documentation are left out: they are
 * what examples and trials use.
 */
#include "check_private.h"

#define NET4(a, b, c, d, length)                                                                                       \
	{                                                                                                              \
		.ip = {.family = 4, .bytes = {a, b, c, d}}, .prefix = (length)                                         \
	}
#define NET6(length, ...)                                                                                              \
	{                                                                                                              \
		.ip = {.family = 6, .bytes = {__VA_ARGS__}}, .prefix = (length)                                        \
	}

static const struct ip_net nets[] = {
    NET4(0, 0, 0, 0, 8),      /* this network */
    NET4(10, 0, 0, 0, 8),     /* private, RFC 1918 */
    NET4(100, 64, 0, 0, 10),  /* behind the NAT of a provider, RFC 6598 */
    NET4(127, 0, 0, 0, 8),    /* loopback */
    NET4(169, 254, 0, 0, 16), /* link-local, RFC 3927 */
    NET4(172, 16, 0, 0, 12),
    NET4(192, 0, 0, 0, 24),
    NET4(192, 168, 0, 0, 16),
    NET4(198, 18, 0, 0, 15),             /* tests of networks, RFC 2544 */
    NET4(224, 0, 0, 0, 3),               /* multicast and reserved */
    NET6(127, 0),                        /* :: and ::1 */
    NET6(48, 0, 0x64, 0xff, 0x9b, 0, 1), /* translation within a site, RFC 8215 */
    NET6(64, 1),                         /* discard, RFC 6666 */
    NET6(16, 0x5f),                      /* segment routing, RFC 9602 */
    NET6(7, 0xfc),                       /* unique local, RFC 4193 */
    NET6(10, 0xfe, 0x80),                /* link-local */
    NET6(8, 0xff),                       /* multicast */
};

static bool is_bogon(struct ip ip)
{
	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		if (ip_net_contains(&nets[i], ip))
			return true;
	return false;
}

/* True when a usable address is in the answer. *some_r: it has addresses at all. */
static bool has_good(const struct dns_answer *answer, bool *some_r)
{
	for (size_t i = 0; i < answer->count; i++) {
		*some_r = true;
		if (!is_bogon(answer->records[i].ip))
			return true;
	}
	return false;
}

bool bogon_hosts(struct dns_budget *budget, const struct dns_mx_host *hosts, size_t count)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA};
	bool some = false;

	if (count > BOGON_HOSTS_MAX)
		count = BOGON_HOSTS_MAX;
	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count)
			dns_hint(budget, hosts[i + 1].name, DNS_A);
		for (size_t t = 0; t < 2; t++) {
			const struct dns_answer *answer = dns_ask(budget, hosts[i].name, types[t]);

			if (answer->status == DNS_TEMPFAIL || has_good(answer, &some))
				return false;
		}
	}
	return some;
}
