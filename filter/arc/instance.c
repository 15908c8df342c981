/*
 * instance.c - the instance (i=) of a field of ARC (RFC 8617 4.2.1).
 *
 * In ARC-Message-Signature and ARC-Seal it is a tag, wherever it is in the list. In ARC-Authentication-Results it comes
 * first, with comments and folding around each of its parts: "(a) i (b) = (c) 1 (d) ;".
 */
#include "arc_private.h"

#define COMMENTS_DEEP 100 /* nested ones; people write one */

/* RFC 5322 3.2.2 CFWS. False: a comment does not end. */
static bool skip_cfws(struct slice *rest)
{
	unsigned depth = 0;

	while (rest->n > 0) {
		char c = rest->p[0];

		if (depth == 0 && c != '(' && !is_space(c))
			return true;
		if (c == '\\' && rest->n > 1)
			*rest = slice_from(*rest, 1);
		else if (c == '(' && ++depth > COMMENTS_DEEP)
			return false;
		else if (c == ')')
			depth--;
		*rest = slice_from(*rest, 1);
	}
	return depth == 0;
}

static bool take(struct slice *rest, char c)
{
	if (!skip_cfws(rest) || rest->n == 0 || rest->p[0] != c)
		return false;
	*rest = slice_from(*rest, 1);
	return skip_cfws(rest);
}

static bool read_number(struct slice text, unsigned *instance_r)
{
	uint64_t number;

	if (text.n < 1 || text.n > 2 || slice_number(text, 99, &number) < 0)
		return false;
	*instance_r = (unsigned)number;
	return true;
}

/* "i=1;" */
static bool read_results(struct slice rest, unsigned *instance_r, struct slice *rest_r)
{
	size_t digits = 0;
	struct slice number;

	if (!take(&rest, 'i') || !take(&rest, '='))
		return false;
	while (digits < rest.n && is_digit(rest.p[digits]))
		digits++;
	number = slice_head(rest, digits);
	rest = slice_from(rest, digits);
	if (!read_number(number, instance_r) || !take(&rest, ';'))
		return false;
	*rest_r = rest;
	return true;
}

bool arc_instance(enum arc_part part, struct slice value, unsigned *instance_r, struct slice *rest_r)
{
	if (part == ARC_RESULTS)
		return read_results(value, instance_r, rest_r);
	return read_number(dkim_instance(value), instance_r);
}
