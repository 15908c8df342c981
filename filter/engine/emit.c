/*
 * emit.c - header fields that an MTA writes anew behind the milter.
 *
 * Sendmail takes lists of addresses apart and writes them with ", " between, so that
 * `To: a@b,c@d` leaves as `To: a@b, c@d`, and a signature over the first form is
 * broken. Postfix leaves them alone. The form with ", " is the one that both leave as it is, so a
 * message that is signed gets it first. Nothing else of the field is touched; what is not well-formed is left alone.
 */
#include "gate_private.h"

static bool has_addresses(struct slice name)
{
	static const char *const names[] = {"From",      "Sender",    "Reply-To",      "To", "Cc", "Resent-From",
					    "Resent-To", "Resent-Cc", "Resent-Sender", NULL};

	for (size_t i = 0; names[i]; i++)
		if (slice_equal_nocase(name, slice_of(names[i])))
			return true;
	return false;
}

static char closing(char c)
{
	static const char pairs[][2] = {{'"', '"'}, {'(', ')'}, {'<', '>'}, {'[', ']'}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (c == pairs[i][0])
			return pairs[i][1];
	return '\0';
}

/* Length of the element that the text begins with, up to its comma; -1: something is open at the end. */
static ptrdiff_t element_length(struct slice text)
{
	char open = '\0', close = '\0';
	unsigned depth = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\') {
			i++;
		} else if (close) {
			if (open == '(' && text.p[i] == '(')
				depth++;
			else if (text.p[i] == close && depth-- == 1)
				close = '\0';
		} else if (text.p[i] == ',') {
			return (ptrdiff_t)i;
		} else if ((close = closing(text.p[i])) != '\0') {
			open = text.p[i];
			depth = 1;
		}
	}
	return close ? -1 : (ptrdiff_t)text.n;
}

/* Relaxed canonicalisation makes one space of all blanks: folding alone is no difference. */
static bool is_rewritten(struct slice old, struct slice new)
{
	size_t i = 0, k = 0;

	old = slice_trim(old);
	for (; i < old.n && k < new.n; i++, k++) {
		bool blank = slice_trim((struct slice){old.p + i, 1}).n == 0;

		if (!blank && old.p[i] != new.p[k])
			return true;
		if (blank && slice_trim((struct slice){new.p + k, 1}).n > 0)
			return true;
		while (blank && i + 1 < old.n && slice_trim((struct slice){old.p + i + 1, 1}).n == 0)
			i++;
		while (blank && k + 1 < new.n &&slice_trim((struct slice){new.p + k + 1, 1}).n == 0)
			k++;
	}
	return i < old.n || k < new.n;
}

/* A line end that folds nothing: behind it, what we hand back would be a field of its own. */
static bool is_torn(struct slice value)
{
	for (size_t i = 0; i < value.n; i++) {
		char next = i + 1 < value.n ? value.p[i + 1] : '\0';

		if (value.p[i] == '\n' && next != ' ' && next != '\t')
			return true;
		if (value.p[i] == '\r' && next != '\n')
			return true;
	}
	return false;
}

bool emit_rewrites(struct slice name, struct slice value, struct arena *arena, struct slice *value_r)
{
	struct slice rest = value, element;
	struct text text;
	ptrdiff_t n;

	if (!has_addresses(name) || is_torn(value))
		return false;
	text_init(&text, arena, 2 * value.n + 2);
	while (rest.n > 0) {
		n = element_length(rest);
		if (n < 0)
			return false;
		element = slice_trim(slice_head(rest, (size_t)n));
		rest = slice_from(rest, (size_t)n + 1);
		if (element.n == 0)
			continue;
		text_add(&text, text.n > 0 ? SLICE(",\n ") : SLICE(""));
		text_add(&text, element);
	}
	*value_r = text_slice(&text);
	return value_r->n > 0 && is_rewritten(value, *value_r);
}
