/*
 * mime_parts.c - splits a multipart at its delimiter lines (RFC 2046 5.1), and a part into header and body.
 *
 * Mail readers differ about a line that only begins like a delimiter, a multipart that is not closed, and a header that
 * does not end. Such input is rejected here.
 */
#include "mime_private.h"

#include <string.h>

#define PART_HEADER_MAX (64 * 1024) /* bytes; honest headers have a few hundred */
#define PART_FIELDS_MAX 100

enum line_kind { LINE_TEXT, LINE_DELIMITER, LINE_CLOSE, LINE_ODD };

/* The line at `at`, with its line end; all of the rest when there is no line end. */
static struct slice line_at(struct slice text, size_t at)
{
	struct slice rest = slice_from(text, at);
	const char *end = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;

	return end ? slice_head(rest, (size_t)(end - rest.p) + 1) : rest;
}

static enum line_kind kind_of_line(struct slice line, struct slice boundary)
{
	struct slice rest;

	if (line.n < boundary.n + 2 || line.p[0] != '-' || line.p[1] != '-' ||
	    memcmp(line.p + 2, boundary.p, boundary.n) != 0)
		return LINE_TEXT;
	rest = slice_from(line, boundary.n + 2);
	if (slice_trim(rest).n == 0)
		return LINE_DELIMITER;
	if (rest.p[0] == '-' && rest.n > 1 && rest.p[1] == '-' && slice_trim(slice_from(rest, 2)).n == 0)
		return LINE_CLOSE;
	return LINE_ODD;
}

/* The next delimiter line, from parts->at on; *start_r is its start. Moves parts->at after it. */
static enum line_kind next_delimiter(struct mime_parts *parts, size_t *start_r)
{
	while (parts->at < parts->body.n) {
		struct slice line = line_at(parts->body, parts->at);
		enum line_kind kind = kind_of_line(line, parts->boundary);

		*start_r = parts->at;
		parts->at += line.n;
		if (kind != LINE_TEXT)
			return kind;
	}
	return LINE_TEXT;
}

const char *mime_parts_begin(struct mime_parts *parts, struct slice body, struct slice boundary)
{
	size_t start;

	*parts = (struct mime_parts){.body = body, .boundary = boundary};
	switch (next_delimiter(parts, &start)) {
	case LINE_DELIMITER:
		return NULL;
	case LINE_ODD:
		return "a line begins like a boundary but is not one";
	default:
		return "it is a multipart without parts";
	}
}

/* Removes the line end that belongs to the next delimiter. */
static struct slice without_line_end(struct slice text)
{
	if (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	return text;
}

const char *mime_parts_next(struct mime_parts *parts, struct slice *part_r)
{
	size_t from = parts->at, start = 0;
	enum line_kind kind;

	*part_r = (struct slice){NULL, 0};
	if (parts->closed)
		return NULL;
	kind = next_delimiter(parts, &start);
	if (kind == LINE_ODD)
		return "a line begins like a boundary but is not one";
	if (kind == LINE_TEXT)
		return "it is a multipart that is not closed";
	parts->closed = kind == LINE_CLOSE;
	*part_r = without_line_end(slice_head(slice_from(parts->body, from), start - from));
	return NULL;
}

/* The length of the field at the start of the text with its continuation lines; 0: it is not a field. */
static size_t field_length(struct slice text)
{
	size_t n = line_at(text, 0).n;
	ptrdiff_t colon = slice_find(slice_head(text, n), ':');

	if (colon < 1 || !header_name_valid(slice_trim(slice_head(text, (size_t)colon))) || is_blank(text.p[0]))
		return 0;
	while (n < text.n && is_blank(text.p[n]))
		n += line_at(text, n).n;
	return n;
}

const char *mime_part_open(struct slice part, struct arena *arena, struct mime_type *type_r, struct slice *body_r)
{
	static const char malformed[] = "a part has a malformed header";
	struct header_field *fields = arena_raw(arena, PART_FIELDS_MAX * sizeof(*fields));
	size_t count = 0, at = 0;
	bool joined = false;
	const char *why;

	for (;;) {
		struct slice line = line_at(part, at);
		size_t n;

		if (line.n > 0 && slice_trim(line).n == 0 && line.p[line.n - 1] == '\n') {
			at += line.n;
			break;
		}
		joined = line.n == 0 && at > 0 && part.p[at - 1] == '\n';
		if (joined)
			break;
		n = field_length(slice_from(part, at));
		if (n == 0 || count == PART_FIELDS_MAX || at + n > PART_HEADER_MAX)
			return malformed;
		slice_cut(&(struct slice){part.p + at, n}, ':', &fields[count].name);
		fields[count].value = slice_from((struct slice){part.p + at, n}, fields[count].name.n + 1);
		count++;
		at += n;
	}
	*body_r = slice_from(part, at);
	why = mime_read_type(fields, count, arena, type_r);
	type_r->joined = joined;
	return why;
}
