/*
 * author.c - the author domain, to choose among signatures and keys.
 *
 * Only what is plain: one From field with one address. Comments, quoted strings and
 * the display name are passed over; anything else has no author domain, and so
 * gets no preference and no signature.
 */
#include "dkim_private.h"

/* Where the quoted string, comment or domain literal that begins at `at` ends; comments nest. */
static size_t skip(struct slice text, size_t at)
{
	char open = text.p[at], close = open == '(' ? ')' : open == '[' ? ']' : '"';
	unsigned depth = 0;

	for (; at < text.n; at++) {
		if (text.p[at] == '\\')
			at++;
		else if (text.p[at] == close && (open != '"' || depth > 0) && --depth == 0)
			return at + 1;
		else if (text.p[at] == open)
			depth++;
	}
	return text.n;
}

static bool ends_domain(char c)
{
	return c == '>' || c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ';' || c == '(';
}

/* The text behind the only @ that is not quoted; "" when there are none or several. */
static struct slice only_domain(struct slice text)
{
	struct slice domain = SLICE("");
	size_t end;

	for (size_t at = 0; at < text.n; at++) {
		if (text.p[at] == '(' || text.p[at] == '"') {
			at = skip(text, at) - 1;
			continue;
		}
		if (text.p[at] == ',' || text.p[at] == ';')
			return SLICE(""); /* a list or a group */
		if (text.p[at] != '@')
			continue;
		if (domain.n > 0)
			return SLICE("");
		for (end = at + 1; end < text.n && !ends_domain(text.p[end]);)
			end++;
		domain = (struct slice){text.p + at + 1, end - at - 1};
		at = end - 1;
	}
	return domain;
}

struct slice dkim_author_domain(const struct headers *headers, struct arena *arena)
{
	const struct header_field *from = headers_find(headers, SLICE("From"), 1);
	bool valid = false;
	struct slice domain;

	if (!from || headers_count(headers, SLICE("From")) != 1)
		return SLICE("");
	domain = domain_normalise(only_domain(from->value), arena, &valid);
	return valid ? domain : SLICE("");
}
