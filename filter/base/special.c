/*
 * special.c - addresses that are not a place of the Internet, from the registries of special-purpose addresses (RFC
 * 6890).
 */
#include "base.h"

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

static const struct ip_net documentation[] = {
    NET4(192, 0, 2, 0, 24),                                                                /* RFC 5737 */
    NET4(198, 51, 100, 0, 24), NET4(203, 0, 113, 0, 24), NET6(32, 0x20, 0x01, 0x0d, 0xb8), /* RFC 3849 */
    NET6(20, 0x3f, 0xff),                                                                  /* RFC 9637 */
};

static bool is_in(const struct ip_net *list, size_t count, struct ip ip)
{
	for (size_t i = 0; i < count; i++)
		if (ip_net_contains(&list[i], ip))
			return true;
	return false;
}

enum ip_use ip_use(struct ip ip)
{
	if (is_in(nets, sizeof(nets) / sizeof(nets[0]), ip))
		return IP_USE_SPECIAL;
	return is_in(documentation, sizeof(documentation) / sizeof(documentation[0]), ip) ? IP_USE_EXAMPLE
											  : IP_USE_PUBLIC;
}
