/*
 * term.c - parses one word of an SPF record, a directive or a modifier, strictly
 * (RFC 7208 4.6.1, grammar in section 12). Returns errors as text for a person.
 */
#include "spf_private.h"

#include <arpa/inet.h>
#include <string.h>

#define LAST_DIGITS 3 /* of the longest prefix length, 128 */

/* ---- mechanisms ---------------------------------------------------------------- */

/* Takes "/DIGITS" or "//DIGITS", depending on `slashes`, off the end of *rest, if present. */
static const char *prefix_cut(struct slice *rest, struct slice slashes, unsigned max, uint8_t *prefix_r)
{
	size_t digits = 0;
	struct slice before, number;
	uint64_t value;

	while (digits < rest->n && is_digit(rest->p[rest->n - 1 - digits]))
		digits++;
	before = slice_head(*rest, rest->n - digits);
	number = slice_from(*rest, before.n);
	*prefix_r = (uint8_t)max;
	if (digits == 0 || !slice_ends_nocase(before, slashes))
		return NULL;
	if (slashes.n == 1 && slice_ends_nocase(before, SLICE("//")))
		return NULL;
	if (digits > LAST_DIGITS || (digits > 1 && number.p[0] == '0') || slice_number(number, max, &value) < 0)
		return max == 32 ? "the prefix length is not between 0 and 32"
				 : "the prefix length is not between 0 and 128";
	*prefix_r = (uint8_t)value;
	*rest = slice_head(before, before.n - slashes.n);
	return NULL;
}

/* ":" domain-spec */
static const char *target_parse(struct slice rest, struct spf_term *term, struct spf_parts *parts)
{
	if (rest.n == 0 || rest.p[0] != ':')
		return "it needs a colon and a domain name";
	return spf_string_parse(slice_from(rest, 1), SPF_STRING_DOMAIN, parts, &term->target);
}

static const char *all_parse(struct slice rest, struct spf_term *term, struct spf_parts *parts)
{
	(void)term;
	(void)parts;
	return rest.n ? "all takes no argument" : NULL;
}

static const char *optional_target_parse(struct slice rest, struct spf_term *term, struct spf_parts *parts)
{
	return rest.n ? target_parse(rest, term, parts) : NULL;
}

/* [ ":" domain-spec ] [ dual-cidr-length ]. No domain-spec ends in a slash and digits, so the lengths are cut first. */
static const char *address_parse(struct slice rest, struct spf_term *term, struct spf_parts *parts)
{
	const char *why = prefix_cut(&rest, SLICE("//"), 128, &term->prefix6);

	if (!why)
		why = prefix_cut(&rest, SLICE("/"), 32, &term->prefix4);
	return why ? why : optional_target_parse(rest, term, parts);
}

/* ":" network [ "/" length ] */
static const char *network_parse(struct slice rest, struct spf_term *term, int family, unsigned bits)
{
	char text[IP_TEXT];
	const char *why;

	if (rest.n == 0 || rest.p[0] != ':')
		return "it needs a colon and an address";
	rest = slice_from(rest, 1);
	why = prefix_cut(&rest, SLICE("/"), bits, &term->net.prefix);
	if (why)
		return why;
	if (rest.n == 0 || rest.n >= sizeof(text) || slice_find(rest, '\0') >= 0)
		return bits == 32 ? "that is not an IPv4 address" : "that is not an IPv6 address";
	memcpy(text, rest.p, rest.n);
	text[rest.n] = '\0';
	if (inet_pton(family, text, term->net.ip.bytes) != 1)
		return bits == 32 ? "that is not an IPv4 address" : "that is not an IPv6 address";
	term->net.ip.family = bits == 32 ? 4 : 6;
	return NULL;
}

static const char *ip4_parse(struct slice rest, struct spf_term *term, struct spf_parts *parts)
{
	(void)parts;
	return network_parse(rest, term, AF_INET, 32);
}

static const char *ip6_parse(struct slice rest, struct spf_term *term, struct spf_parts *parts)
{
	(void)parts;
	return network_parse(rest, term, AF_INET6, 128);
}

static const struct {
	const char *name;
	enum spf_mechanism mechanism;
	const char *(*parse)(struct slice rest, struct spf_term *, struct spf_parts *);
} mechanisms[] = {
    {"all", SPF_ALL, all_parse},   {"include", SPF_INCLUDE, target_parse},  {"a", SPF_A, address_parse},
    {"mx", SPF_MX, address_parse}, {"ptr", SPF_PTR, optional_target_parse}, {"ip4", SPF_IP4, ip4_parse},
    {"ip6", SPF_IP6, ip6_parse},   {"exists", SPF_EXISTS, target_parse},
};

/* Where the name of a mechanism ends: at ":", "/" or the end. */
static size_t name_length(struct slice text)
{
	size_t n = 0;

	while (n < text.n && text.p[n] != ':' && text.p[n] != '/')
		n++;
	return n;
}

static const char *directive_parse(struct slice word, struct spf_record *record, struct spf_parts *parts)
{
	static const char qualifiers[] = "+-~?";
	static const enum spf_result results[] = {SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL};
	struct spf_term *term = &record->terms[record->term_count];
	const char *qualifier = word.p[0] ? strchr(qualifiers, word.p[0]) : NULL;
	struct slice text = qualifier ? slice_from(word, 1) : word;
	size_t n = name_length(text);

	*term = (struct spf_term){.text = word, .result = qualifier ? results[qualifier - qualifiers] : SPF_PASS};
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
		const char *why;

		if (!slice_equal_nocase(slice_head(text, n), slice_of(mechanisms[i].name)))
			continue;
		term->mechanism = mechanisms[i].mechanism;
		why = mechanisms[i].parse(slice_from(text, n), term, parts);
		record->term_count += why ? 0 : 1;
		return why;
	}
	return "unknown mechanism";
}

/* ---- modifiers ----------------------------------------------------------------- */

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) */
static bool is_modifier_name(struct slice name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool letter = is_letter(c);

		if (!letter && (i == 0 || ((c < '0' || c > '9') && c != '-' && c != '_' && c != '.')))
			return false;
	}
	return name.n > 0;
}

/* RFC 7208 6: redirect and exp appear at most once; an unknown modifier is ignored if its syntax is valid. */
static const char *modifier_parse(struct slice name, struct slice word, struct spf_record *record,
				  struct spf_parts *parts)
{
	struct slice value = slice_from(word, name.n + 1);
	struct spf_string ignored;
	size_t before = parts->count;
	const char *why;

	if (!is_modifier_name(name))
		return "the part before = is not a valid modifier name";
	if (slice_equal_nocase(name, SLICE("redirect"))) {
		if (record->redirect.count)
			return "redirect appears twice";
		record->redirect_text = word;
		return spf_string_parse(value, SPF_STRING_DOMAIN, parts, &record->redirect);
	}
	if (slice_equal_nocase(name, SLICE("exp"))) {
		if (record->explanation.count)
			return "exp appears twice";
		return spf_string_parse(value, SPF_STRING_DOMAIN, parts, &record->explanation);
	}
	why = spf_string_parse(value, SPF_STRING_VALUE, parts, &ignored);
	parts->count = before;
	return why;
}

/* A modifier has "=" before any ":" or "/" (RFC 7208 4.6.1). */
const char *spf_term_parse(struct slice word, struct spf_record *record, struct spf_parts *parts)
{
	ptrdiff_t equals = slice_find(slice_head(word, name_length(word)), '=');

	if (equals >= 0)
		return modifier_parse(slice_head(word, (size_t)equals), word, record, parts);
	return directive_parse(word, record, parts);
}
