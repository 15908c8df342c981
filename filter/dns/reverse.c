/*
 * reverse.c - the name under which the DNS keeps what belongs to an address:
 * in-addr.arpa (RFC 1035 3.5), ip6.arpa nibble by nibble (RFC 3596 2.5).
 */
#include "dns.h"

static struct slice reverse_ip6(const uint8_t bytes[16], struct arena *arena)
{
	static const char hex[] = "0123456789abcdef";
	char nibbles[64];

	for (int i = 0; i < 16; i++) {
		char *at = nibbles + 4 * (15 - i);
		at[0] = hex[bytes[i] & 15];
		at[1] = '.';
		at[2] = hex[bytes[i] >> 4];
		at[3] = '.';
	}
	return arena_printf(arena, "%.*sip6.arpa", (int)sizeof(nibbles), nibbles);
}

struct slice dns_reverse_name(struct ip ip, struct arena *arena)
{
	if (ip.family == 4)
		return arena_printf(arena, "%u.%u.%u.%u.in-addr.arpa", ip.bytes[3], ip.bytes[2], ip.bytes[1],
				    ip.bytes[0]);
	if (ip.family == 6)
		return reverse_ip6(ip.bytes, arena);
	return (struct slice){"", 0};
}
