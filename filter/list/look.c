/*
 * look.c - which keys match an address, a text or a client. Contract: look.h.
 */
#include "look.h"

/* A key that begins with a control byte is that of a network (entry.c), and never what a stranger says. */
static enum truth has(const struct look *look, const struct key *key)
{
	return key->n && (unsigned char)key->bytes[0] >= 0x20 ? look->has(look->context, key) : TRUTH_FALSE;
}

/* ".org" and ".example.org" for mail.example.org: one look-up for each label, at most 127 in a domain. */
static enum truth has_parent(const struct look *look, struct slice domain)
{
	enum truth found = TRUTH_FALSE;
	struct key key;

	if (domain.n > MAIL_DOMAIN_MAX)
		return TRUTH_FALSE;
	for (size_t i = 1; i + 1 < domain.n && found == TRUTH_FALSE; i++) {
		if (domain.p[i] != '.')
			continue;
		key_of_domain('.', slice_from(domain, i + 1), &key);
		found = has(look, &key);
	}
	return found;
}

/* An entry that begins with "@" or "." is not a text: it does not match a client that says HELO @example.org. */
enum truth look_text(const struct look *look, struct slice text)
{
	struct key key;
	enum truth found;

	if (text.n == 0 || text.p[0] == '@' || text.p[0] == '.' || (unsigned char)text.p[0] < 0x20)
		return TRUTH_FALSE;
	if (slice_equal(text, SLICE("<>")))
		return TRUTH_FALSE;
	key_of_text(text, &key);
	found = has(look, &key);
	return found != TRUTH_FALSE ? found : has_parent(look, text);
}

enum truth look_address(const struct look *look, const struct address *address)
{
	enum truth found = TRUTH_FALSE;
	struct key key;

	key_of_address(address, &key);
	if (key.n && key.bytes[0] != '.')
		found = has(look, &key);
	if (found == TRUTH_FALSE) {
		key_of_domain('@', address->domain, &key);
		found = has(look, &key);
	}
	if (found == TRUTH_FALSE) {
		key_of_domain(0, address->domain, &key);
		found = has(look, &key);
	}
	return found != TRUTH_FALSE ? found : has_parent(look, address->domain);
}

enum truth look_ip(const struct look *look, const bool *prefixes, struct ip ip)
{
	unsigned most = ip.family == 4 ? 32 : 128;
	struct ip_net net = {.ip = ip};
	enum truth found = TRUTH_FALSE;
	struct key key;

	if (ip.family == 0)
		return TRUTH_FALSE;
	for (unsigned prefix = most + 1; prefix-- > 0 && found == TRUTH_FALSE;) {
		if (prefix < 128) /* clears one more bit each time */
			net.ip.bytes[prefix / 8] &= (uint8_t)(0xFF00 >> prefix % 8);
		net.prefix = (uint8_t)prefix;
		if (!prefixes[prefix])
			continue;
		key_of_net(&net, &key);
		found = look->has(look->context, &key);
	}
	return found;
}
