/*
 * greylist_key.c - the keys of greylisting in the store. Contract: greylist.h.
 */
#include "greylist.h"
#include "mail.h"
#include <string.h>

#define DIGITS_MAX (2 * GREYLIST_IPV6 / 8)

static size_t bytes_of(uint8_t family)
{
	return (family == 4 ? GREYLIST_IPV4 : GREYLIST_IPV6) / 8;
}

struct slice greylist_network(struct ip ip, struct arena *arena)
{
	static const char digits[] = "0123456789abcdef";
	char text[1 + DIGITS_MAX], *end = text;

	if (!ip.family)
		return SLICE("");
	*end++ = (char)('0' + ip.family);
	for (size_t i = 0; i < bytes_of(ip.family); i++) {
		*end++ = digits[ip.bytes[i] >> 4];
		*end++ = digits[ip.bytes[i] & 15];
	}
	return arena_copy(arena, (struct slice){text, (size_t)(end - text)});
}

/* ---- printing ----------------------------------------------------------------------------------- */

static int digit(char c)
{
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "4cb0071:..." as 203.0.113.0/24. */
static struct slice network_shown(struct slice text, struct arena *arena)
{
	struct ip ip = {.family = text.n > 0 && text.p[0] == '4' ? 4 : 6};
	size_t bytes = bytes_of(ip.family);
	char printed[IP_TEXT], number[NUMBER_TEXT];

	if (text.n < 1 + 2 * bytes || (text.p[0] != '4' && text.p[0] != '6'))
		return SLICE("");
	for (size_t i = 0; i < bytes; i++) {
		int high = digit(text.p[1 + 2 * i]), low = digit(text.p[2 + 2 * i]);

		if (high < 0 || low < 0)
			return SLICE("");
		ip.bytes[i] = (uint8_t)(high * 16 + low);
	}
	return arena_join(arena, ip_print(ip, printed), SLICE("/"), number_print((int64_t)bytes * 8, number));
}

/* What follows the prefix; "" when it is another key. */
static struct slice part_of(struct slice key)
{
	struct slice prefix = SLICE(GREYLIST_PREFIX);

	return slice_equal(slice_head(key, prefix.n), prefix) ? slice_from(key, prefix.n) : SLICE("");
}

struct slice greylist_shown(struct slice key, struct arena *arena)
{
	struct slice part = part_of(key);

	if (part.n < 2)
		return SLICE("");
	if (part.p[0] == 'd')
		return slice_from(part, 1);
	return network_shown(part.p[0] == 'p' || part.p[0] == 'k' ? slice_from(part, 1) : part, arena);
}

const char *greylist_state(struct slice key, struct slice value)
{
	struct slice part = part_of(key);

	if (part.n > 0 && part.p[0] == 'p')
		return "counted";
	if (value.n > 0 && value.p[0] == GREYLIST_PROVEN)
		return "proven";
	return value.n > 0 && value.p[0] == GREYLIST_PASSED ? "passed" : "waiting";
}

/* ---- asking ------------------------------------------------------------------------------------- */

static size_t network_keys(struct ip ip, struct arena *arena, struct slice *keys_r)
{
	struct slice network = greylist_network(ip, arena), prefix = SLICE(GREYLIST_PREFIX);

	keys_r[0] = arena_join(arena, prefix, network);
	keys_r[1] = arena_join(arena, prefix, SLICE("p"), network);
	keys_r[2] = arena_join(arena, prefix, SLICE("k"), network);
	return GREYLIST_KEYS;
}

size_t greylist_keys(struct slice what, struct arena *arena, struct slice keys_r[GREYLIST_KEYS], struct error *err)
{
	struct ip_net net;
	struct slice domain;
	bool valid;

	if (ip_net_parse(what, &net) == 0) {
		bool whole = slice_find(what, '/') < 0, v4 = net.ip.family == 4;

		if (whole || net.prefix == (v4 ? GREYLIST_IPV4 : GREYLIST_IPV6))
			return network_keys(net.ip, arena, keys_r);
		error_set(err, "entries are by /%d of IPv4 and /%d of IPv6; name such a network, or one address of it",
			  GREYLIST_IPV4, GREYLIST_IPV6);
		return 0;
	}
	domain = domain_normalise(what, arena, &valid);
	if (valid) {
		keys_r[0] = arena_join(arena, SLICE(GREYLIST_PREFIX), SLICE("d"), domain);
		return 1;
	}
	error_set(err, "name a domain, an address or its network, as in 203.0.113.0/24");
	return 0;
}
