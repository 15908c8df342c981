/*
 * entry.c - one form for everything that can be listed and looked up.
 *
 * Contract: entry.h. Keys of texts begin with no control byte, keys of networks do, so
 * that one set holds both.
 */
#include "entry.h"

static void key_add(struct key *key, char c)
{
	if (key->n < KEY_MAX)
		key->bytes[key->n++] = c;
}

static void key_add_lower(struct key *key, struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		key_add(key, to_lower(text.p[i]));
}

/* Letters beyond ASCII in their form for comparison; a key that is too long for it keeps them. */
static void key_fold(struct key *key)
{
	struct slice text = {key->bytes, key->n};
	char folded[KEY_MAX];
	size_t n;

	if (slice_is_ascii(text))
		return;
	n = mail_fold_into(text, folded, sizeof(folded));
	if (n == 0)
		return;
	memcpy(key->bytes, folded, n);
	key->n = n;
}

void key_of_text(struct slice text, struct key *key_r)
{
	key_r->n = 0;
	if (text.n > LIST_ENTRY_MAX)
		return;
	key_add_lower(key_r, text);
	key_fold(key_r);
}

void key_of_domain(char mark, struct slice domain, struct key *key_r)
{
	key_r->n = 0;
	if (domain.n == 0 || domain.n > LIST_ENTRY_MAX)
		return;
	if (mark)
		key_add(key_r, mark);
	key_add_lower(key_r, domain);
}

/* "a b" and a\ b are the local part a b (RFC 5321 4.1.2: the quotes are not part of it). */
static void key_add_local(struct key *key, struct slice local)
{
	bool quoted = local.n >= 2 && local.p[0] == '"' && local.p[local.n - 1] == '"';

	if (!quoted) {
		key_add_lower(key, local);
		return;
	}
	for (size_t i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '\\' && i + 2 < local.n)
			i++;
		key_add(key, to_lower(local.p[i]));
	}
}

void key_of_address(const struct address *address, struct key *key_r)
{
	key_r->n = 0;
	if (address->text.n == 0) {
		key_of_text(SLICE("<>"), key_r);
		return;
	}
	if (address->local.n + address->domain.n >= LIST_ENTRY_MAX)
		return;
	/* <postmaster>; but <alice@example.org@> must not look like what it is not. */
	if (address->domain.n == 0 && slice_find(address->local, '@') < 0)
		key_of_text(address->local, key_r);
	if (address->domain.n == 0)
		return;
	key_add_local(key_r, address->local);
	key_add(key_r, '@');
	key_add_lower(key_r, address->domain);
	key_fold(key_r);
}

void key_of_net(const struct ip_net *net, struct key *key_r)
{
	size_t n = net->ip.family == 4 ? 4 : 16;

	key_r->n = 0;
	key_add(key_r, (char)(net->ip.family == 4 ? 1 : 2));
	key_add(key_r, (char)net->prefix);
	for (size_t i = 0; i < n; i++)
		key_add(key_r, (char)net->ip.bytes[i]);
}

/* ---- entries ------------------------------------------------------------------ */

/* A-labels and odd dots are left to domain_normalise. */
static bool is_lower_host(struct slice domain)
{
	char before = '.';

	for (size_t i = 0; i < domain.n; i++) {
		char c = domain.p[i];

		if (!(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-' && c != '.')
			return false;
		if ((c == '.' || c == '-') && before == c)
			return false;
		before = c;
	}
	return domain.n <= MAIL_DOMAIN_MAX && before != '.';
}

/* As domain_normalise, with the short way for what nearly all entries are. */
static struct slice normalise(struct slice domain, struct arena *scratch, bool *valid_r)
{
	*valid_r = true;
	return is_lower_host(domain) ? domain : domain_normalise(domain, scratch, valid_r);
}

static int parse_marked(struct slice text, struct arena *scratch, struct key *key_r, struct error *err)
{
	bool valid;
	struct slice domain = normalise(slice_from(text, 1), scratch, &valid);

	if (!valid && !(text.n > 2 && text.p[1] == '[')) { /* @[192.0.2.1] is an address literal */
		error_set(err, "\"%.64s\" names no domain after \"%c\"; write it as %cexample.org",
			  arena_cstring(scratch, text), text.p[0], text.p[0]);
		return -1;
	}
	key_of_domain(text.p[0], domain, key_r);
	return 0;
}

static int parse_address(struct slice text, struct arena *scratch, struct key *key_r, struct error *err)
{
	struct address address = address_parse_path(text, scratch);

	if (slice_equal(address.local, SLICE("*"))) {
		error_set(err, "\"*\" is not a wildcard here; write @example.org for every address of a domain");
		return -1;
	}
	if (!address.valid || address.domain.n == 0) {
		error_set(err, "\"%.64s\" is not an address; write it as alice@example.org or @example.org",
			  arena_cstring(scratch, text));
		return -1;
	}
	key_of_address(&address, key_r);
	return 0;
}

static int parse_text(struct slice text, struct arena *scratch, struct key *key_r)
{
	bool valid;
	struct slice domain = normalise(text, scratch, &valid);

	key_of_text(valid ? domain : text, key_r);
	return 0;
}

static bool has_odd_bytes(struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] <= 0x20 || text.p[i] == 0x7F)
			return true;
	}
	return false;
}

int entry_parse(struct slice text, struct arena *scratch, enum entry_kind *kind_r, struct key *key_r,
		struct ip_net *net_r, struct error *err)
{
	*kind_r = ENTRY_TEXT;
	if (text.n > LIST_ENTRY_MAX) {
		error_set(err, "an entry of %zu bytes; at most %d are allowed", text.n, LIST_ENTRY_MAX);
		return -1;
	}
	if (!slice_is_utf8(text)) {
		error_set(err, "an entry that is not UTF-8; save the list as UTF-8");
		return -1;
	}
	if (has_odd_bytes(text)) {
		error_set(err, "an entry with blanks or control characters in it; write one entry per line");
		return -1;
	}
	if (slice_equal(text, SLICE("<>"))) {
		key_of_text(text, key_r);
		return 0;
	}
	if (ip_net_parse(text, net_r) == 0) {
		*kind_r = ENTRY_NET;
		key_of_net(net_r, key_r);
		return 0;
	}
	if (entry_refuse(text, err))
		return -1;
	if (text.p[0] == '@' || text.p[0] == '.')
		return parse_marked(text, scratch, key_r, err);
	return slice_find(text, '@') >= 0 ? parse_address(text, scratch, key_r, err) : parse_text(text, scratch, key_r);
}
