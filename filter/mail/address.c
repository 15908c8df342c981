/*
 * address.c - envelope paths (RFC 5321 4.1.2, RFC 6531 3.3) as a milter gives
 * them: with <> or without, with a source route, a quoted local part, nothing
 * at all (the null sender).
 *
 * The text is read from left to right by a cursor that never goes back, so the
 * work is linear. The parser accepts the local parts that MTAs accept (a..b, "a".b,
 * more than 64 bytes): the MTA has already accepted the address, and what matters
 * is that every program sees the same domain. An address that can be read in two
 * ways (an @ or a blank outside of quotes, a comment, a control byte) is not valid.
 */
#include "mail.h"

#include <string.h>

/* RFC 5322 3.2.3 */
static bool is_atext(char c)
{
	if (is_letter(c) || is_digit(c))
		return true;
	return c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c);
}

/* Length of the quoted string at the start of the text with its quotes; 0: there is none, or it is not closed. */
static size_t quoted_length(struct slice text)
{
	size_t i = 1;

	while (i < text.n && text.p[i] != '"') {
		size_t length;

		if (text.p[i] == '\\')
			i++; /* a quoted pair: the next byte is literal */
		length = slice_utf8(slice_from(text, i));
		if (length == 0 || is_control(text.p[i]))
			return 0;
		i += length;
	}
	return i < text.n ? i + 1 : 0;
}

/* Length of the local part at the start of the text; it ends at @ or at the end. 0: there is none. */
static size_t local_length(struct slice text)
{
	size_t i = 0;

	while (i < text.n && text.p[i] != '@') {
		struct slice rest = slice_from(text, i);
		size_t length = 0;

		if (rest.p[0] == '"' && (i == 0 || text.p[i - 1] == '.')) {
			length = quoted_length(rest);
			if (length < rest.n && rest.p[length] != '.' && rest.p[length] != '@')
				return 0;
		} else if (rest.p[0] == '.' || is_atext(rest.p[0])) {
			length = 1;
		} else if ((unsigned char)rest.p[0] >= 0x80) {
			length = slice_utf8(rest); /* RFC 6531 3.3 */
		}
		if (length == 0)
			return 0;
		i += length;
	}
	return i;
}

/* RFC 5321 4.1.3: [192.0.2.1], [IPv6:2001:db8::1]. Each address has one spelling, so comparison works. */
static struct slice literal_normalise(struct slice domain, struct arena *arena, bool *valid_r)
{
	struct slice inside = slice_head(slice_from(domain, 1), domain.n - 2);
	char buffer[IP_TEXT];
	struct slice printed;
	struct ip ip;

	*valid_r = false;
	if (domain.n < 2 || domain.p[domain.n - 1] != ']' || ip_parse(inside, &ip) < 0)
		return arena_lower(arena, domain);
	if (slice_find(inside, ':') >= 0 && !slice_starts_nocase(inside, SLICE("IPv6:")))
		return arena_lower(arena, domain);
	*valid_r = true;
	printed = ip_print(ip, buffer);
	return arena_printf(arena, ip.family == 6 ? "[ipv6:%.*s]" : "[%.*s]", SLICE_ARGS(printed));
}

static struct slice host_normalise(struct slice domain, struct arena *arena, bool *valid_r)
{
	if (domain.n > 0 && domain.p[0] == '[')
		return literal_normalise(domain, arena, valid_r);
	return domain_normalise(domain, arena, valid_r);
}

/* Removes a source route (RFC 5321 4.1.1.3: accepted and ignored); false when it is malformed. */
static bool route_skip(struct slice *path, struct arena *arena)
{
	ptrdiff_t colon = slice_find(*path, ':');
	struct slice route, hop;

	if (path->n == 0 || path->p[0] != '@')
		return true;
	if (colon < 0)
		return false;
	route = slice_head(*path, (size_t)colon);
	*path = slice_from(*path, (size_t)colon + 1);
	while (slice_cut(&route, ',', &hop)) {
		bool valid = false;

		if (hop.n > 0 && hop.p[0] == '@')
			domain_normalise(slice_from(hop, 1), arena, &valid);
		if (!valid)
			return false;
	}
	return true;
}

/* For a malformed address: splits it at its last @. */
static void split_roughly(struct address *address, struct arena *arena)
{
	ptrdiff_t at = slice_find_last(address->text, '@');
	bool valid;

	address->valid = false;
	address->local = at < 0 ? address->text : slice_head(address->text, (size_t)at);
	address->domain = at < 0 ? SLICE("") : host_normalise(slice_from(address->text, (size_t)at + 1), arena, &valid);
}

/* Removes <> and surrounding blanks; false when only one of the brackets is there. */
static bool brackets_skip(struct slice *path)
{
	*path = slice_trim(*path);
	if (path->n == 0 || path->p[0] != '<')
		return true;
	if (path->n < 2 || path->p[path->n - 1] != '>')
		return false;
	*path = slice_trim(slice_head(slice_from(*path, 1), path->n - 2));
	return true;
}

struct address address_parse_path(struct slice argument, struct arena *arena)
{
	struct address address = {0};
	struct slice path = slice_trim(argument);
	size_t length;

	if (path.n > MAIL_PATH_MAX) {
		address.text = arena_copy(arena, slice_head(path, MAIL_PATH_MAX));
		address.local = address.domain = SLICE("");
		return address;
	}
	path = arena_copy(arena, path);
	address.valid = brackets_skip(&path);
	address.text = path;
	address.local = address.domain = SLICE("");
	if (address.valid && path.n == 0) /* the null sender */
		return address;
	/* A source route without an address after it is malformed. */
	if (!address.valid || !route_skip(&path, arena) || path.n == 0) {
		split_roughly(&address, arena);
		return address;
	}
	address.text = path;
	length = local_length(path);
	/* Both MTAs use the text after a second @ (outside of quotes) as the domain. */
	if (length == 0 || slice_find_last(path, '@') > (ptrdiff_t)length) {
		split_roughly(&address, arena);
		return address;
	}
	address.local = slice_head(path, length);
	if (length < path.n)
		address.domain = host_normalise(slice_from(path, length + 1), arena, &address.valid);
	return address;
}

/* Characters of domains and address literals, also of names that are not host names (a_b.example). */
static bool is_domain_text(struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (!is_letter(c) && !is_digit(c) && (unsigned char)c < 0x80 && (c == '\0' || !strchr("-._[]:", c)))
			return false;
	}
	return text.n > 0;
}

static bool has_route(struct slice local)
{
	return slice_find(local, '%') >= 0 || slice_find(local, '!') >= 0 || slice_find(local, '@') >= 0;
}

enum address_notation address_notation(const struct address *address)
{
	struct slice text = address->text, local;
	size_t length = local_length(text);

	if (text.n == 0)
		return address->valid ? ADDRESS_PLAIN : ADDRESS_UNCLEAR;
	if (length == 0 || text.n >= MAIL_PATH_MAX)
		return ADDRESS_UNCLEAR;
	local = slice_head(text, length);
	if (length == text.n)
		return has_route(local) ? ADDRESS_UNCLEAR : ADDRESS_BARE;
	if (!is_domain_text(slice_from(text, length + 1)))
		return ADDRESS_UNCLEAR;
	return has_route(local) ? ADDRESS_ROUTED : ADDRESS_PLAIN;
}

#define LOCAL_MAX 64  /* RFC 5321 4.5.3.1.1 */
#define BOTH_MAX  254 /* RFC 5321 4.5.3.1.3, without <> */

/* Some delivery agents take a local part that begins with one of these for a program, a file or an option. */
static bool is_dangerous(struct slice local)
{
	while (local.n > 0 && (local.p[0] == '"' || local.p[0] == '\\'))
		local = slice_from(local, 1);
	return local.n == 0 || strchr("|/-:", local.p[0]) != NULL;
}

bool address_usable(const struct address *address)
{
	if (!address->valid || address->domain.n == 0 || address_notation(address) != ADDRESS_PLAIN)
		return false;
	if (address->local.n > LOCAL_MAX || address->local.n + 1 + address->domain.n > BOTH_MAX)
		return false;
	return slice_is_ascii(address->local) && slice_is_ascii(address->domain) && !is_dangerous(address->local);
}
