/*
 * compare.c - what happened to the body of a message between two places: line ends, blanks, encoding, a footer, or the
 * first line that was changed.
 */
#include "mime_private.h"

#include <string.h>

const char *const line_ends_names[5] = {"none", "LF", "CRLF", "LF and CRLF", NULL};

/* The lines of a body, without their ends and without empty lines at the end. */
struct lines {
	struct slice *list;
	size_t count, empty;
};

static enum line_ends ends_of(struct slice body)
{
	bool lf = false, crlf = false;

	for (size_t i = 0; i < body.n; i++) {
		const char *found = memchr(body.p + i, '\n', body.n - i);

		if (!found)
			break;
		i = (size_t)(found - body.p);
		if (i > 0 && found[-1] == '\r')
			crlf = true;
		else
			lf = true;
	}
	if (lf && crlf)
		return LINE_ENDS_MIXED;
	return crlf ? LINE_ENDS_CRLF : lf ? LINE_ENDS_LF : LINE_ENDS_NONE;
}

static struct lines lines_of(struct slice body, struct arena *arena)
{
	struct lines lines = {.count = 0};
	struct slice line;
	size_t room = 1;

	for (size_t i = 0; i < body.n; i++)
		room += body.p[i] == '\n';
	lines.list = arena_raw(arena, room * sizeof(*lines.list));
	while (body.n > 0 && slice_cut(&body, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		lines.list[lines.count++] = line;
	}
	for (; lines.count > 0 && lines.list[lines.count - 1].n == 0; lines.count--)
		lines.empty++;
	return lines;
}

static struct slice without_blanks(struct slice line)
{
	while (line.n > 0 && is_blank(line.p[line.n - 1]))
		line.n--;
	return line;
}

static bool same_line(struct slice a, struct slice b)
{
	return slice_equal(without_blanks(a), without_blanks(b));
}

/* ---- encodings -------------------------------------------------------------------------------- */

/* The text; false: it is encoded, and malformed. */
static bool decode(struct slice encoding, struct slice body, struct arena *arena, struct slice *text_r)
{
	*text_r = body;
	if (slice_equal_nocase(encoding, SLICE("quoted-printable")))
		return qp_decode(body, arena, text_r) == 0;
	if (slice_equal_nocase(encoding, SLICE("base64")))
		return base64_decode(body, arena, text_r) == 0;
	return true;
}

static void decode_both(const struct slice bodies[2], const struct slice encodings[2], struct arena *arena,
			struct body_difference *difference, struct slice texts_r[2])
{
	struct slice decoded[2];

	texts_r[0] = bodies[0];
	texts_r[1] = bodies[1];
	difference->seven_bits = !slice_is_ascii(bodies[0]) && slice_is_ascii(bodies[1]);
	if (slice_equal_nocase(slice_trim(encodings[0]), slice_trim(encodings[1])))
		return;
	for (int i = 0; i < 2; i++)
		if (!decode(slice_trim(encodings[i]), bodies[i], arena, &decoded[i]))
			return;
	difference->decoded = decoded[0].p != bodies[0].p || decoded[1].p != bodies[1].p;
	texts_r[0] = decoded[0];
	texts_r[1] = decoded[1];
}

/* ---- lines ------------------------------------------------------------------------------------ */

/* Are all lines of `rest` from `at` on the last ones of `all`, and how many of `all` are between? */
static size_t lines_between(const struct lines *rest, const struct lines *all, size_t at)
{
	size_t between = all->count > rest->count ? all->count - rest->count : 0;

	for (size_t i = at; i < rest->count && between > 0; i++)
		if (!same_line(rest->list[i], all->list[i + between]))
			between = 0;
	return between;
}

static bool is_boundary(struct slice line)
{
	return line.n > 2 && line.p[0] == '-' && line.p[1] == '-' && !slice_equal(without_blanks(line), SLICE("--"));
}

static void tell_change(const struct lines *before, const struct lines *after, size_t at,
			struct body_difference *difference)
{
	static const struct slice none;

	difference->line = at + 1;
	difference->changed[0] = at < before->count ? before->list[at] : none;
	difference->changed[1] = at < after->count ? after->list[at] : none;
	difference->added = lines_between(before, after, at);
	difference->removed = lines_between(after, before, at);
	difference->footer = difference->added > 0 && (at >= before->count || is_boundary(before->list[at]));
}

void body_compare(const struct slice bodies[2], const struct slice encodings[2], struct arena *arena,
		  struct body_difference *difference_r)
{
	struct slice texts[2];
	struct lines before, after;
	size_t at = 0;

	*difference_r = (struct body_difference){.same = slice_equal(bodies[0], bodies[1])};
	decode_both(bodies, encodings, arena, difference_r, texts);
	before = lines_of(texts[0], arena);
	after = lines_of(texts[1], arena);
	for (int i = 0; i < 2; i++)
		difference_r->ends[i] = ends_of(bodies[i]);
	difference_r->empty_lines[0] = before.empty;
	difference_r->empty_lines[1] = after.empty;
	for (; at < before.count && at < after.count && same_line(before.list[at], after.list[at]); at++)
		if (difference_r->blank_line == 0 && !slice_equal(before.list[at], after.list[at]))
			difference_r->blank_line = at + 1;
	if (at < before.count || at < after.count)
		tell_change(&before, &after, at, difference_r);
}
