/*
 * decode.c - encoded words (RFC 2047), as a mail reader shows them.
 *
 * An encoded word must have blanks on both sides (RFC 2047 5); blanks between two encoded words are not shown (6.2).
 */
#include "mime.h"

#define WORD_MAX 998 /* 75 by RFC 2047 2; readers decode longer ones, up to a line */

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 2047 4.2. */
static int decode_q(struct slice text, struct arena *arena, struct slice *bytes_r)
{
	char *out = arena_raw(arena, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int high, low;

		if (text.p[i] != '=') {
			out[n++] = text.p[i] == '_' ? ' ' : text.p[i];
			continue;
		}
		high = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
		low = i + 2 < text.n ? hex_digit(text.p[i + 2]) : -1;
		if (high < 0 || low < 0)
			return -1;
		out[n++] = (char)(high << 4 | low);
		i += 2;
	}
	*bytes_r = (struct slice){out, n};
	return 0;
}

static struct slice before_star(struct slice charset)
{
	ptrdiff_t star = slice_find(charset, '*');

	return star < 0 ? charset : slice_head(charset, (size_t)star);
}

/* =?charset*language?encoding?text?= */
static bool decode_word(struct slice word, struct arena *arena, struct slice *text_r)
{
	struct slice rest = word, charset, encoding, text, bytes;
	int result;

	if (word.n > WORD_MAX || !slice_starts_nocase(word, SLICE("=?")) || !slice_ends_nocase(word, SLICE("?=")))
		return false;
	rest = slice_from(rest, 2);
	if (!slice_cut(&rest, '?', &charset) || !rest.p || !slice_cut(&rest, '?', &encoding) || !rest.p)
		return false;
	if (!slice_cut(&rest, '?', &text) || !slice_equal(rest, SLICE("=")))
		return false;
	charset = before_star(charset); /* RFC 2231 5 */
	if (slice_equal_nocase(encoding, SLICE("B")))
		result = base64_decode(text, arena, &bytes);
	else if (slice_equal_nocase(encoding, SLICE("Q")))
		result = decode_q(text, arena, &bytes);
	else
		return false;
	return result == 0 && charset_decode(charset, bytes, arena, text_r) == 0;
}

struct slice header_decode(struct slice value, struct arena *arena)
{
	struct slice rest = header_unfold(value, arena);
	bool after_encoded = false;
	struct text out;

	text_init(&out, arena, SIZE_MAX / 4); /* linear in the value, which the caller bounds */
	while (rest.n > 0) {
		struct slice word, text, blanks = rest;
		size_t blank = 0, end;
		bool encoded;

		while (blank < rest.n && is_blank(rest.p[blank]))
			blank++;
		for (end = blank; end < rest.n && !is_blank(rest.p[end]); end++)
			continue;
		blanks.n = blank;
		word = slice_head(slice_from(rest, blank), end - blank);
		encoded = decode_word(word, arena, &text);
		if (!encoded || !after_encoded)
			text_add(&out, blanks);
		text_add(&out, encoded ? text : word);
		after_encoded = encoded;
		rest = slice_from(rest, end);
	}
	return text_slice(&out);
}
