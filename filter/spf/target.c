/*
 * target.c - the target domain of a term, and the values of the macros in it
 * (RFC 7208 7.2, 7.3).
 */
#include "spf_private.h"

#include <inttypes.h>

static void value_set(struct spf_run *run, char letter, struct slice value)
{
	run->values.of[letter - 'a'] = value;
}

/* RFC 7208 7.3: an IPv6 address as 32 nibbles separated by dots. */
static struct slice nibbles(struct ip ip, struct arena *arena)
{
	static const char hex[] = "0123456789ABCDEF";
	char text[63];

	for (size_t i = 0; i < 16; i++) {
		text[4 * i] = hex[ip.bytes[i] >> 4];
		text[4 * i + 1] = '.';
		text[4 * i + 2] = hex[ip.bytes[i] & 15];
		if (i < 15)
			text[4 * i + 3] = '.';
	}
	return arena_copy(arena, (struct slice){text, sizeof(text)});
}

/* The cheap values, computed once per check. */
static void values_prepare(struct spf_run *run)
{
	const struct spf_request *request = run->request;
	/* RFC 7208 4.3: an empty local part becomes "postmaster". */
	struct slice local = request->local.n ? request->local : SLICE("postmaster");
	struct text sender;

	if (run->values_ready)
		return;
	run->values_ready = true;
	run->local_ascii = slice_is_ascii(local);
	text_init(&sender, run->arena, local.n + 1 + run->identity.n);
	text_add(&sender, local);
	text_add_char(&sender, '@');
	text_add(&sender, run->identity);
	value_set(run, 's', text_slice(&sender));
	value_set(run, 'l', local);
	value_set(run, 'o', run->identity);
	value_set(run, 'v', request->client.family == 4 ? SLICE("in-addr") : SLICE("ip6"));
	value_set(run, 'h', request->helo);
	value_set(run, 'r', request->receiver.n ? request->receiver : SLICE("unknown"));
}

/* The string needs a value that was not computed yet. */
static bool wants(const struct spf_run *run, const struct spf_string *string, char letter)
{
	return spf_string_uses(string, letter) && run->values.of[letter - 'a'].n == 0;
}

static void values_print(struct spf_run *run, const struct spf_string *string)
{
	const struct spf_request *request = run->request;
	char buffer[IP_TEXT];

	if (wants(run, string, 't'))
		value_set(run, 't', arena_printf(run->arena, "%" PRId64, request->now_us / 1000000));
	if (wants(run, string, 'c'))
		value_set(run, 'c', arena_copy(run->arena, ip_print(request->client, buffer)));
	if (wants(run, string, 'i') && request->client.family == 6)
		value_set(run, 'i', nibbles(request->client, run->arena));
	else if (wants(run, string, 'i'))
		value_set(run, 'i', arena_copy(run->arena, ip_print(request->client, buffer)));
}

/* 2: the domain itself, 1: below it, 0: elsewhere. */
static int closeness(struct slice name, struct slice domain)
{
	if (!spf_name_is_in(name, domain))
		return 0;
	return name.n == domain.n ? 2 : 1;
}

/* RFC 7208 7.3 %{p}: the validated name of the client that is nearest to the domain; else "unknown". */
static struct slice client_name(struct spf_run *run, struct slice domain)
{
	struct ip client = run->request->client;
	const struct dns_answer *ptr = spf_ask(run, dns_reverse_name(client, run->arena), DNS_PTR);

	for (int near = 2; near >= 0; near--)
		for (size_t i = 0; i < ptr->count && i < DNS_PTR_NAMES_MAX; i++) {
			struct slice name = ptr->records[i].name;

			if (closeness(name, domain) == near &&
			    dns_name_has_address(run->budget, name, client) == DNS_OK)
				return arena_copy(run->arena, name);
		}
	return SLICE("unknown");
}

enum spf_matched spf_values_fill(struct spf_run *run, struct slice domain, const struct spf_string *string,
				 struct slice *why_r)
{
	if (string->letters == 0)
		return SPF_MATCH;
	values_prepare(run);
	values_print(run, string);
	value_set(run, 'd', domain);
	if (!spf_string_uses(string, 'p'))
		return SPF_MATCH;
	/* RFC 7208 4.6.4: the PTR query of %{p} is one of the ten lookups. */
	if (!run->names_counted && !spf_count_lookup(run)) {
		*why_r = SLICE("more than 10 terms ask the DNS");
		return SPF_PERMANENT;
	}
	run->names_counted = true;
	value_set(run, 'p', client_name(run, domain));
	return SPF_MATCH;
}

/* In queries and answers a backslash begins an escape; in a record it is an ordinary byte. */
static struct slice question_name(struct slice name, struct arena *arena)
{
	struct text escaped;

	if (slice_find(name, '\\') < 0)
		return name;
	text_init(&escaped, arena, 2 * name.n);
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '\\')
			text_add_char(&escaped, '\\');
		text_add_char(&escaped, name.p[i]);
	}
	return text_slice(&escaped);
}

enum spf_matched spf_target(struct spf_run *run, const struct spf_frame *frame, const struct spf_string *string,
			    struct slice *domain_r, struct slice *why_r)
{
	enum spf_matched filled;

	*domain_r = frame->domain;
	if (string->count > 0) {
		filled = spf_values_fill(run, frame->domain, string, why_r);
		if (filled != SPF_MATCH)
			return filled;
		*domain_r = spf_string_domain(string, &run->values, run->arena);
	}
	if (run->values_ready && !run->local_ascii && (spf_string_uses(string, 'l') || spf_string_uses(string, 's'))) {
		*why_r = SLICE("the local part is not ASCII, so it cannot be part of a domain name"); /* RFC 8616 4 */
		return SPF_NO_MATCH;
	}
	if (spf_name_valid(*domain_r)) {
		*domain_r = question_name(*domain_r, run->arena);
		return SPF_MATCH;
	}
	*why_r = SLICE("that is not a domain name"); /* it is never queried */
	return SPF_NO_NAME;
}
