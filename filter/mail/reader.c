/*
 * reader.c - reads a message from the text of a file: its header fields one by one,
 * then its body. Line ends may be LF or CRLF; an mbox "From " line at the start is skipped.
 */
#include "mail.h"
#include <string.h>

/* The first line of `text` with its line end; all of it when there is none. */
static struct slice line_of(struct slice text)
{
	ptrdiff_t end = slice_find(text, '\n');

	return slice_head(text, end < 0 ? text.n : (size_t)end + 1);
}

/* A field with its continuation lines. */
static struct slice folded_lines(struct slice text)
{
	size_t n = line_of(text).n;

	while (n < text.n && is_blank(text.p[n]))
		n += line_of(slice_from(text, n)).n;
	return slice_head(text, n);
}

/* Without CR before LF and without the last line end, as MTAs hand values to a milter. */
static struct slice without_cr(struct slice lines, struct arena *arena)
{
	char *out = arena_alloc(arena, lines.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < lines.n; i++)
		if (lines.p[i] != '\r' || i + 1 == lines.n || lines.p[i + 1] != '\n')
			out[n++] = lines.p[i];
	if (n > 0 && out[n - 1] == '\n')
		n--;
	return (struct slice){out, n};
}

/* "From alice@example.org Sat Nov 21 ..." - but "From : " is an obsolete form of the field (RFC 5322 4.5). */
static bool is_mbox_line(struct slice text)
{
	struct slice rest = slice_from(line_of(text), strlen("From"));

	return slice_starts_nocase(text, SLICE("From ")) && !slice_starts_nocase(slice_trim(rest), SLICE(":"));
}

bool message_next_field(struct slice *rest, struct arena *arena, struct slice *name_r, struct slice *value_r)
{
	struct slice lines;
	ptrdiff_t colon;

	if (is_mbox_line(*rest))
		*rest = slice_from(*rest, line_of(*rest).n);
	lines = folded_lines(*rest);
	colon = slice_find(lines, ':');
	if (slice_trim(line_of(*rest)).n == 0 || colon < 1 || is_blank(lines.p[0])) {
		/* The blank line is part of neither; any other line without a colon begins the body. */
		if (slice_trim(line_of(*rest)).n == 0)
			*rest = slice_from(*rest, line_of(*rest).n);
		return false;
	}
	*rest = slice_from(*rest, lines.n);
	*name_r = slice_head(lines, (size_t)colon);
	*value_r = without_cr(slice_from(lines, (size_t)colon + 1), arena);
	return true;
}
