/*
 * ptr.c - the names of an address, believed only when they lead back to it.
 *
 * Whoever owns the address writes its PTR records, and may write any name and any
 * number of them: DNS_PTR_NAMES_MAX are looked at, each costs one question more.
 */
#include "dns.h"

enum dns_status dns_name_has_address(struct dns_budget *budget, struct slice name, struct ip ip)
{
	const struct dns_answer *answer;

	if (name.n == 0 || ip.family == 0)
		return DNS_NXDOMAIN;
	answer = dns_ask(budget, name, ip.family == 4 ? DNS_A : DNS_AAAA);
	if (answer->status != DNS_OK)
		return answer->status;
	for (size_t i = 0; i < answer->count; i++)
		if (ip_equal(answer->records[i].ip, ip))
			return DNS_OK;
	return DNS_NODATA;
}

enum dns_status dns_confirmed_name(struct dns_budget *budget, struct ip ip, struct arena *arena, struct slice *name_r)
{
	const struct dns_answer *ptr;
	enum dns_status none = DNS_NODATA;

	*name_r = SLICE("");
	if (ip.family == 0)
		return DNS_NXDOMAIN;
	ptr = dns_ask(budget, dns_reverse_name(ip, arena), DNS_PTR);
	if (ptr->status != DNS_OK)
		return ptr->status;
	for (size_t i = 0; i < ptr->count && i < DNS_PTR_NAMES_MAX; i++) {
		enum dns_status status = dns_name_has_address(budget, ptr->records[i].name, ip);

		if (status == DNS_OK) {
			*name_r = arena_copy(arena, ptr->records[i].name);
			return DNS_OK;
		}
		if (status == DNS_TEMPFAIL)
			none = DNS_TEMPFAIL;
	}
	return none;
}
