/*
 * meant.c - entries that can match nothing, because they are written as other programs
 * write them: wildcards, ranges, expressions, ports. Each is an error that says how it is
 * written here.
 *
 * A list also holds texts (logins, header values, HELO names), so an entry is refused only when it is odder
 * than such a text can be.
 */
#include "entry.h"

#include <stdio.h>

#define FORM_MAX 128 /* bytes of what to write instead */

/* What nearly all entries are: domains and addresses. (10.0.0.x is not one.) */
static bool is_plain(struct slice text)
{
	bool letter = false;
	char before = '@';

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		letter = letter || (is_letter(c) && to_lower(c) != 'x');
		if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_' && c != '@' && (c != '.' || before == '.'))
			return false;
		before = c;
	}
	return letter;
}

static bool has(struct slice text, const char *part)
{
	return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static bool begins(struct slice text, char c)
{
	return text.n > 0 && text.p[0] == c;
}

static bool ends(struct slice text, char c)
{
	return text.n > 0 && text.p[text.n - 1] == c;
}

static bool consists_of(struct slice text, const char *bytes)
{
	for (size_t i = 0; i < text.n; i++)
		if (!memchr(bytes, text.p[i], strlen(bytes)))
			return false;
	return text.n > 0;
}

/* ---- what it looks like --------------------------------------------------------- */

static bool is_quoted(struct slice text)
{
	return text.n > 1 && ((begins(text, '"') && ends(text, '"')) || (begins(text, '\'') && ends(text, '\'')));
}

/* A quoted local part may hold anything. */
static bool is_joined(struct slice text)
{
	return (has(text, ",") || has(text, ";")) && !begins(text, '"');
}

static bool is_expression(struct slice text)
{
	return begins(text, '/') || begins(text, '^') || has(text, "\\.") || has(text, "\\@") || has(text, ".*@");
}

static bool is_exception(struct slice text)
{
	return begins(text, '!');
}

/* Not ***SPAM***, which is a text. "*@example.org" has its own message, where addresses are read. */
static bool is_wildcard(struct slice text)
{
	if (begins(text, '"') ||
	    (begins(text, '*') && slice_find_last(text, '*') == 0 && text.n > 1 && text.p[1] == '@'))
		return false;
	if (has(text, "*"))
		return text.n == 1 || has(text, ".") || has(text, "@") || begins(text, '*') != ends(text, '*');
	return has(text, "?") && has(text, ".") && !has(text, "@");
}

static bool has_letters_for_numbers(struct slice text)
{
	return has(text, ".") && consists_of(text, "0123456789.xX") && !consists_of(text, ".xX");
}

static struct slice without_mark(struct slice text)
{
	return slice_from(text, begins(text, '@') || begins(text, '.'));
}

static bool is_range(struct slice text)
{
	return has(text, "-") && has(text, ".") && consists_of(text, "0123456789.-");
}

/* No domain ends in a number, and no login consists of numbers and dots. */
static bool is_half_network(struct slice text)
{
	text = without_mark(text);
	return (has(text, ".") || has(text, "/")) && consists_of(text, "0123456789./-");
}

static bool is_url(struct slice text)
{
	return has(text, "://") || slice_starts_nocase(text, SLICE("mailto:"));
}

static bool is_half_network6(struct slice text)
{
	ptrdiff_t colon = slice_find(text, ':');

	return colon >= 0 && slice_find(slice_from(text, (size_t)colon + 1), ':') >= 0 &&
	       consists_of(text, "0123456789abcdefABCDEF:./-%");
}

/* What a client says in HELO: [192.0.2.1], [IPv6:2001:db8::1]. */
static bool is_bracketed(struct slice text)
{
	struct ip ip;

	if (!begins(text, '['))
		return false;
	return !ends(text, ']') || ip_parse(slice_head(slice_from(text, 1), text.n - 2), &ip);
}

/* A port, or a word that says what follows, as in ip4:192.0.2.1. */
static bool has_colon(struct slice text)
{
	return has(text, ":") && !has(text, "@") && !begins(text, '[');
}

static bool has_path(struct slice text)
{
	ptrdiff_t slash = slice_find(text, '/');

	if (slash < 0 || has(text, "@"))
		return false;
	return ends(text, '/') || slice_find(slice_head(text, (size_t)slash), '.') >= 0;
}

static bool has_comment(struct slice text)
{
	return has(text, "#") && has(text, ".") && !has(text, "@");
}

static bool has_empty_label(struct slice text)
{
	return has(text, "..") && !has(text, "@") && !begins(text, '.');
}

/* ---- the message about it --------------------------------------------------------- */

/* "10.0.0.*", "10.0.", "10.0": the network 10.0.0.0/24 or 10.0.0.0/16. False when it is nothing of that kind. */
static bool as_network(struct slice text, char form_r[FORM_MAX])
{
	unsigned octets[4] = {0}, count = 0;
	struct slice part = SLICE("");
	uint64_t number;

	while (count < 4 && slice_cut(&text, '.', &part) && slice_number(part, 255, &number) == 0) {
		octets[count++] = (unsigned)number;
		part = SLICE("");
	}
	if (count == 0 || count == 4 || (part.n && !consists_of(part, "*xX")) || (text.n && !consists_of(text, "*.xX")))
		return false;
	snprintf(form_r, FORM_MAX, "write %u.%u.%u.%u/%u", octets[0], octets[1], octets[2], octets[3], 8 * count);
	return true;
}

/* "*.example.org" too. */
static bool as_network_or_domain(struct slice text, char form_r[FORM_MAX])
{
	struct slice below = slice_from(text, 1);

	if (as_network(text, form_r))
		return true;
	if (!begins(text, '*') || !begins(below, '.') || !is_plain(slice_from(below, 1)))
		return false;
	snprintf(form_r, FORM_MAX, "write %.*s", SLICE_ARGS(slice_head(below, ENTRY_SHOWN_MAX)));
	return true;
}

#define A_NETWORK "write it as 192.0.2.1 or 192.0.2.0/24"
#define A_DOMAIN  "write .example.org for all subdomains, @example.org for the addresses of a domain"

static const struct {
	bool (*fits)(struct slice);
	const char *what, *form;
	bool (*meant)(struct slice, char form_r[FORM_MAX]); /* a better form, where it can tell; may be NULL */
} oddities[] = {
    {is_quoted, "is in quotes", "write it without them"},
    {is_joined, "has a comma or semicolon in it", "write one entry per line"},
    {is_expression, "is a regular expression or a path, which a list does not support", A_DOMAIN},
    {is_exception, "is an exception, which a list does not support",
     "put the exceptions in a list of their own, and test both in the rule"},
    {is_wildcard, "has a wildcard, which a list does not support", A_DOMAIN, as_network_or_domain},
    {has_letters_for_numbers, "is not an IP address or network", A_NETWORK, as_network},
    {is_range, "is a range of addresses", "write networks such as 192.0.2.0/28, or one address per line"},
    {is_half_network, "is not an IP address or network", A_NETWORK, as_network},
    {is_url, "is a URL", "write the domain or the address alone"},
    {is_half_network6, "is not an IP address or network", "write it as 2001:db8::1 or 2001:db8::/32"},
    {is_bracketed, "is in brackets", "write an address or network without them"},
    {has_colon, "has a colon in it", "write the address, network or domain alone, without port or prefix"},
    {has_path, "has a slash after a domain", "write the domain alone"},
    {has_comment, "has \"#\" in it", "put a space before a comment"},
    {has_empty_label, "has two dots in a row", "write it as example.org"},
};

int entry_refuse(struct slice text, struct error *err)
{
	struct slice shown = slice_head(text, ENTRY_SHOWN_MAX);
	char form[FORM_MAX];

	if (is_plain(text))
		return 0;
	for (size_t i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++) {
		if (!oddities[i].fits(text))
			continue;
		if (!oddities[i].meant || !oddities[i].meant(text, form))
			snprintf(form, sizeof(form), "%s", oddities[i].form);
		error_set(err, "\"%.*s\" %s; %s", SLICE_ARGS(shown), oddities[i].what, form);
		return -1;
	}
	return 0;
}
