/*
 * ip.c - IP addresses and networks: read, printed, compared.
 *
 * Every IPv4-mapped IPv6 address is converted to IPv4 here, so comparisons need no
 * special case.
 */
#include "base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define GROUPS 8 /* of 16 bits in an IPv6 address */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static struct ip ip_of_4(const void *bytes)
{
	struct ip ip = {.family = 4};

	memcpy(ip.bytes, bytes, 4);
	return ip;
}

static struct ip ip_of_6(const uint8_t *bytes)
{
	struct ip ip = {.family = 6};

	if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0)
		return ip_of_4(bytes + sizeof(mapped_prefix));
	memcpy(ip.bytes, bytes, 16);
	return ip;
}

/* As ip_parse; *mapped_r says whether it was written as an IPv4-mapped address. */
static int parse(struct slice text, struct ip *ip_r, bool *mapped_r)
{
	char buffer[IP_TEXT];
	uint8_t bytes[16];
	bool tagged = slice_starts_nocase(text, SLICE("IPv6:")); /* RFC 5321 4.1.3 */

	if (tagged)
		text = slice_from(text, 5);
	if (text.n == 0 || text.n >= sizeof(buffer) || slice_find(text, '\0') >= 0)
		return -1;
	memcpy(buffer, text.p, text.n);
	buffer[text.n] = '\0';
	*mapped_r = false;
	if (!tagged && inet_pton(AF_INET, buffer, bytes) == 1) {
		*ip_r = ip_of_4(bytes);
		return 0;
	}
	if (inet_pton(AF_INET6, buffer, bytes) != 1)
		return -1;
	*ip_r = ip_of_6(bytes);
	*mapped_r = ip_r->family == 4;
	return 0;
}

int ip_parse(struct slice text, struct ip *ip_r)
{
	bool mapped;

	return parse(text, ip_r, &mapped);
}

struct ip ip_of_sockaddr(const struct sockaddr *address)
{
	if (address && address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		return ip_of_4(&in.sin_addr);
	}
	if (address && address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		return ip_of_6(in6.sin6_addr.s6_addr);
	}
	return (struct ip){0};
}

/* The first longest run of at least two zero groups (RFC 5952 4.2.2, 4.2.3); its length is 0 when there is none. */
static size_t longest_zeros(const unsigned *groups, size_t *length_r)
{
	size_t best = 0, run = 0;

	*length_r = 0;
	for (size_t i = 0; i < GROUPS; i++) {
		run = groups[i] == 0 ? run + 1 : 0;
		if (run >= 2 && run > *length_r) {
			*length_r = run;
			best = i + 1 - run;
		}
	}
	return best;
}

/* Writes digits without leading zeros; returns the end. */
static char *put_number(char *p, unsigned number, unsigned base)
{
	if (number >= base)
		p = put_number(p, number / base, base);
	*p = "0123456789abcdef"[number % base];
	return p + 1;
}

static char *print_4(const uint8_t *bytes, char *p)
{
	for (size_t i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		p = put_number(p, bytes[i], 10);
	}
	return p;
}

/* C libraries differ from RFC 5952 and from each other (::1.2.3.4), so we have our own function. */
static char *print_6(const uint8_t *bytes, char *p)
{
	unsigned groups[GROUPS];
	size_t zeros, length;

	for (size_t i = 0; i < GROUPS; i++)
		groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
	zeros = longest_zeros(groups, &length);
	for (size_t i = 0; i < GROUPS; i++) {
		if (length > 0 && i == zeros) {
			*p++ = ':';
			*p++ = ':';
			i += length - 1;
			continue;
		}
		if (i > 0 && !(length > 0 && i == zeros + length))
			*p++ = ':';
		p = put_number(p, groups[i], 16);
	}
	return p;
}

struct slice ip_print(struct ip ip, char buffer[IP_TEXT])
{
	char *end = buffer;

	if (ip.family == 6)
		end = print_6(ip.bytes, buffer);
	if (ip.family == 4)
		end = print_4(ip.bytes, buffer);
	*end = '\0';
	return (struct slice){buffer, (size_t)(end - buffer)};
}

bool ip_equal(struct ip a, struct ip b)
{
	if (a.family != b.family)
		return false;
	return a.family == 0 || memcmp(a.bytes, b.bytes, a.family == 4 ? 4 : 16) == 0;
}

int ip_net_parse(struct slice text, struct ip_net *net_r)
{
	ptrdiff_t slash = slice_find(text, '/');
	struct ip_net net = {0};
	uint64_t prefix;
	bool mapped;
	unsigned bits;

	if (parse(slash < 0 ? text : slice_head(text, (size_t)slash), &net.ip, &mapped) < 0)
		return -1;
	bits = net.ip.family == 4 ? 32 : 128;
	prefix = bits;
	if (slash >= 0) {
		if (slice_number(slice_from(text, (size_t)slash + 1), mapped ? 128 : bits, &prefix) < 0)
			return -1;
		if (mapped && prefix < 96) /* wider than the mapped addresses: not an IPv4 network */
			return -1;
		prefix -= mapped ? 96 : 0;
	}
	net.prefix = (uint8_t)prefix;
	for (unsigned bit = net.prefix; bit < bits; bit++)
		net.ip.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	*net_r = net;
	return 0;
}

bool ip_net_contains(const struct ip_net *net, struct ip ip)
{
	unsigned whole = net->prefix / 8, rest = net->prefix % 8;
	uint8_t mask = (uint8_t)(0xff00u >> rest);

	if (net->ip.family != ip.family || ip.family == 0)
		return false;
	if (memcmp(net->ip.bytes, ip.bytes, whole) != 0)
		return false;
	return rest == 0 || (net->ip.bytes[whole] & mask) == (ip.bytes[whole] & mask);
}
