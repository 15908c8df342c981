/*
 * bogon.c - addresses at which no mail server of the Internet can be reached: a domain whose mail hosts have no others
 * takes no mail, and has it look as if it did.
 *
 * Networks for documentation do not count: they are what examples and trials use.
 */
#include "check_private.h"

/* True when a usable address is in the answer. *some_r: it has addresses at all. */
static bool has_good(const struct dns_answer *answer, bool *some_r)
{
	for (size_t i = 0; i < answer->count; i++) {
		*some_r = true;
		if (ip_use(answer->records[i].ip) != IP_USE_SPECIAL)
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
