/*
 * transfer.c - the transfer encodings of MIME (RFC 2045 6.7, 6.8).
 */
#include "mime_private.h"

#define ENCODED_MAX 76 /* RFC 2045 6.7 (5), 6.8 */

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The length of a soft line break at the start of the text, which begins with "="; 0: it is not one. A soft break that
 * is cut off by the end of the text counts, too. */
static size_t soft_break(struct slice text)
{
	size_t n = 1;

	while (n < text.n && is_blank(text.p[n]))
		n++;
	if (n == text.n)
		return n;
	if (text.p[n] == '\r')
		n++;
	return n < text.n && text.p[n] == '\n' ? n + 1 : 0;
}

/* Decodes the next byte; returns its length in the text. 0: malformed, or the end; *byte_r is -1 for a soft break. */
static size_t qp_next(struct slice text, int *byte_r)
{
	int high, low;
	size_t soft;

	if (text.n == 0)
		return 0;
	*byte_r = (unsigned char)text.p[0];
	if (text.p[0] != '=')
		return 1;
	soft = soft_break(text);
	*byte_r = -1;
	if (soft > 0)
		return soft;
	high = text.n > 2 ? hex_digit(text.p[1]) : -1;
	low = text.n > 2 ? hex_digit(text.p[2]) : -1;
	if (high < 0 || low < 0)
		return 0;
	*byte_r = high << 4 | low;
	return 3;
}

int qp_decode(struct slice text, struct arena *arena, struct slice *bytes_r)
{
	char *out = arena_raw(arena, text.n + 1);
	size_t n = 0, length;

	for (size_t at = 0; at < text.n; at += length) {
		int byte;

		length = qp_next(slice_from(text, at), &byte);
		if (length == 0)
			return -1;
		if (byte >= 0)
			out[n++] = (char)byte;
	}
	*bytes_r = (struct slice){out, n};
	return 0;
}

size_t qp_offset(struct slice text, size_t number)
{
	size_t at = 0, length;
	int byte;

	while ((length = qp_next(slice_from(text, at), &byte)) > 0) {
		if (byte >= 0 && number-- == 0)
			return at;
		at += length;
	}
	return at;
}

static bool is_plain(char c, bool last)
{
	if (is_blank(c))
		return !last; /* a blank at the end of a line may be lost in transit */
	return c > ' ' && c <= '~' && c != '=';
}

struct slice qp_encode(struct slice text, struct slice eol, struct arena *arena)
{
	static const char digits[] = "0123456789ABCDEF";
	struct text out;
	size_t column = 0;

	text_init(&out, arena, SIZE_MAX / 4); /* at most four times the text, which the caller bounds */
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool last = i + 1 == text.n || text.p[i + 1] == '\n';
		bool plain = is_plain(text.p[i], last);

		if (c == '\n') {
			text_add(&out, eol);
			column = 0;
			continue;
		}
		if (column + (plain ? 1 : 3) >= ENCODED_MAX) { /* the last place is for the "=" of a soft break */
			text_add_char(&out, '=');
			text_add(&out, eol);
			column = 0;
		}
		if (plain)
			text_add_char(&out, text.p[i]);
		else
			text_add(&out, (struct slice){(char[]){'=', digits[c >> 4], digits[c & 15]}, 3});
		column += plain ? 1 : 3;
	}
	return text_slice(&out);
}

struct slice base64_lines(struct slice bytes, struct slice eol, struct arena *arena)
{
	struct slice all = base64_encode(bytes, arena);
	struct text out;

	text_init(&out, arena, SIZE_MAX / 4); /* likewise */
	text_reserve(&out, all.n + (all.n / ENCODED_MAX + 1) * eol.n);
	while (all.n > 0) {
		size_t n = all.n < ENCODED_MAX ? all.n : ENCODED_MAX;

		text_add(&out, slice_head(all, n));
		text_add(&out, eol);
		all = slice_from(all, n);
	}
	return text_slice(&out);
}
