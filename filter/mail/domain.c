/*
 * domain.c - domains in the one form in which they can be compared: lower case,
 * A-labels, no trailing dot.
 *
 * libidn2 converts U-labels by UTS 46, non-transitional (RFC 5891, RFC 5895), as
 * registries and browsers do. The result must still be checked as a host name: the
 * mapping turns some characters into dots and other ASCII.
 */
#include "mail.h"

#include <idn2.h>
#include <string.h>

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */

/* A label of MAIL_DOMAIN_MAX bytes in A-labels cannot have been longer than this in UTF-8:
 * each letter takes at least one byte there and at most four here. */
#define DOMAIN_UTF8_MAX (4 * MAIL_DOMAIN_MAX)

/* RFC 5321 4.1.2 sub-domain; the underscore is not allowed there, but such names are in use. */
static bool is_of_label(char c, bool at_an_end)
{
	return is_letter(c) || is_digit(c) || c == '_' || (c == '-' && !at_an_end);
}

static bool has_labels(struct slice domain)
{
	size_t length = 0; /* of the label so far */

	for (size_t i = 0; i < domain.n; i++) {
		bool last = i + 1 == domain.n || domain.p[i + 1] == '.';

		if (domain.p[i] == '.' && length > 0)
			length = 0;
		else if (!is_of_label(domain.p[i], length == 0 || last) || ++length > LABEL_MAX)
			return false;
	}
	return length > 0;
}

/* RFC 1123 2.1: an IPv4 address looks like a host name but is not one. It ends with a digit; few names do. */
static bool is_host_name(struct slice domain)
{
	struct ip ip;

	if (domain.n > MAIL_DOMAIN_MAX || !has_labels(domain))
		return false;
	return !is_digit(domain.p[domain.n - 1]) || ip_parse(domain, &ip) < 0;
}

static struct slice without_last_dot(struct slice domain)
{
	return domain.n > 0 && domain.p[domain.n - 1] == '.' ? slice_head(domain, domain.n - 1) : domain;
}

/* Converts a domain with U-labels to A-labels; the empty slice when it is not a domain. */
static struct slice to_a_labels(struct slice domain, struct arena *arena)
{
	uint8_t *found = NULL;
	struct slice result = SLICE("");

	if (domain.n > DOMAIN_UTF8_MAX || slice_find(domain, '\0') >= 0)
		return result;
	if (idn2_lookup_u8((const uint8_t *)arena_cstring(arena, domain), &found,
			   IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK)
		result = without_last_dot(arena_lower(arena, slice_of((const char *)found)));
	idn2_free(found);
	return result;
}

struct slice domain_normalise(struct slice domain, struct arena *arena, bool *valid_r)
{
	struct slice lower = without_last_dot(arena_lower(arena, domain)), labels;

	*valid_r = is_host_name(lower);
	if (*valid_r || slice_is_ascii(lower))
		return lower;
	labels = to_a_labels(lower, arena);
	*valid_r = is_host_name(labels);
	return *valid_r ? labels : lower;
}

bool domain_is_below(struct slice domain, struct slice parent)
{
	return parent.n > 0 && domain.n > parent.n + 1 && slice_ends_nocase(domain, parent) &&
	       domain.p[domain.n - parent.n - 1] == '.';
}
