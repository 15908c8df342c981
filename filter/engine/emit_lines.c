/*
 * emit_lines.c - header lines that a mail server would cut after the milter (RFC 5322 2.1.1).
 *
 * Postfix cuts lines over 998 octets (smtp_line_length_limit), Sendmail those over 989 (L=990 of its
 * SMTP mailers), both in the middle of a word. This breaks a signature over the field. Folding at a blank does not:
 * relaxed canonicalisation turns both into one space.
 */
#include "gate_private.h"

#define LINE_MAX    989 /* including the name, the colon and the blanks of a fold */
#define LINE_WANTED 900 /* of a field that we fold */
#define BLANKS_MAX  40  /* blanks in a row that are kept: a line never consists only of blanks */

static size_t longest_line(struct slice name, struct slice value)
{
	size_t column = name.n + 1, longest = 0;

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\n')
			column = 0;
		else if (value.p[i] != '\r')
			column++;
		if (column > longest)
			longest = column;
	}
	return longest;
}

static size_t span(struct slice text, size_t from, bool blank)
{
	while (from < text.n && is_space(text.p[from]) == blank)
		from++;
	return from;
}

/* Blanks unchanged, except line ends. */
static void add_blanks(struct text *out, struct slice blanks)
{
	size_t start = out->n;

	for (size_t i = 0; i < blanks.n && out->n < start + BLANKS_MAX; i++)
		if (blanks.p[i] == ' ' || blanks.p[i] == '\t')
			text_add_char(out, blanks.p[i]);
}

bool emit_folds(struct slice name, struct slice value, struct arena *arena, struct slice *value_r, bool *cut_r)
{
	size_t line = name.n + 1, at = 0;
	struct text out;

	*cut_r = false;
	if (longest_line(name, value) <= LINE_MAX || emit_is_torn(value))
		return false;
	text_init(&out, arena, SIZE_MAX / 4); /* linear in the value, which is bounded */
	while (at < value.n) {
		size_t word = span(value, at, true), end = span(value, word, false), start = out.n;

		add_blanks(&out, (struct slice){value.p + at, word - at});
		if (start > 0 && word < end && line + (out.n - start) + (end - word) > LINE_WANTED) {
			out.n = start;
			text_add_char(&out, '\n');
			line = 0;
			start = out.n;
			add_blanks(&out, (struct slice){value.p + at, word - at});
		}
		text_add(&out, (struct slice){value.p + word, end - word});
		line += out.n - start;
		at = end;
	}
	*value_r = text_slice(&out);
	*cut_r = longest_line(name, *value_r) > LINE_MAX;
	return true;
}
