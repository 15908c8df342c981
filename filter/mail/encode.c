/*
 * encode.c - the text of a header field: unfolds a value to one line, and turns any
 * bytes into valid header lines.
 *
 * To write a value, it is cleaned first (no control bytes, valid UTF-8), then cut
 * into chunks. ASCII words are chunks of their own and stay unchanged. A run of
 * other words is one chunk, written as RFC 2047 encoded words. Lines are folded
 * between chunks. Readers drop the blanks between two encoded words (RFC 2047 6.2),
 * so a run includes the blanks between its words and those next to existing
 * encoded words.
 */
#include "mail.h"

#include <string.h>

#define LINE_WANTED  78  /* RFC 5322 2.1.1 */
#define ENCODED_LINE 76  /* RFC 2047 2: a line with encoded words */
#define WORD_FRAME   12  /* of "=?UTF-8?Q??=" */
#define WORD_MAX     75  /* RFC 2047 2, with its frame */
#define WORD_LEAST   30  /* with less room than this on a line, a new line begins */
#define PLAIN_MAX    900 /* a longer word does not fit a line of 998 (RFC 5322 2.1.1): encoded, it can be split */
#define BLANKS_MAX   40  /* blanks in a row that are kept: more could make a line of nothing but blanks */
#define BASE64_BYTES 3   /* are encoded as 4 letters */

struct slice header_unfold(struct slice value, struct arena *arena)
{
	char *line;
	size_t n = 0;

	value = slice_trim(value);
	line = arena_raw(arena, value.n);
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c != '\r' && c != '\n') {
			line[n++] = c;
			continue;
		}
		/* After slice_trim, text follows every line end. The blank of the fold becomes a space, since
		 * a tab there is only indentation; without a blank, a space replaces the line end. */
		while (value.p[i + 1] == '\r' || value.p[i + 1] == '\n')
			i++;
		if (value.p[i + 1] == ' ' || value.p[i + 1] == '\t')
			i++;
		line[n++] = ' ';
	}
	return (struct slice){line, n};
}

/* Without blanks at the ends; control bytes become spaces, and invalid UTF-8 becomes question marks. */
static struct slice clean(struct slice value, struct arena *arena)
{
	char *text = arena_raw(arena, value.n);
	size_t n = 0, i = 0;

	while (i < value.n) {
		size_t length = slice_utf8(slice_from(value, i));

		if (length > 1)
			memcpy(text + n, value.p + i, length);
		else if (length == 1)
			text[n] = value.p[i];
		else
			text[n] = '?';
		if (is_control(text[n]))
			text[n] = ' ';
		n += length > 0 ? length : 1;
		i += length > 0 ? length : 1;
	}
	return slice_trim((struct slice){text, n});
}

/* ---- encoded words ------------------------------------------------------------ */

struct writer {
	struct text *out;
	size_t column;
};

/* RFC 2047 5 (3): characters that are safe in every position. */
static bool is_safe_in_q(char c)
{
	return is_letter(c) || is_digit(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t q_length(struct slice text)
{
	size_t length = 0;

	for (size_t i = 0; i < text.n; i++)
		length += is_safe_in_q(text.p[i]) || text.p[i] == ' ' ? 1 : 3;
	return length;
}

static void q_add(struct text *out, struct slice text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == ' ')
			text_add_char(out, '_');
		else if (is_safe_in_q(text.p[i]))
			text_add_char(out, text.p[i]);
		else
			text_add(out, (struct slice){(char[]){'=', digits[c >> 4], digits[c & 15]}, 3});
	}
}

static size_t b_length(struct slice text)
{
	return (text.n + BASE64_BYTES - 1) / BASE64_BYTES * 4;
}

static void b_add(struct text *out, struct slice text)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < text.n; i += BASE64_BYTES) {
		size_t left = text.n - i;
		uint32_t bits = (uint32_t)(unsigned char)text.p[i] << 16;

		bits |= left > 1 ? (uint32_t)(unsigned char)text.p[i + 1] << 8 : 0;
		bits |= left > 2 ? (uint32_t)(unsigned char)text.p[i + 2] : 0;
		text_add_char(out, letters[bits >> 18]);
		text_add_char(out, letters[bits >> 12 & 63]);
		text_add_char(out, left > 1 ? letters[bits >> 6 & 63] : '=');
		text_add_char(out, left > 2 ? letters[bits & 63] : '=');
	}
}

/* As many whole characters from the start of the text as fit `room` letters (RFC 2047 5: never part of one). */
static struct slice what_fits(struct slice text, size_t (*length)(struct slice), size_t room)
{
	size_t n = 0;

	while (n < text.n) {
		size_t next = n + slice_utf8(slice_from(text, n));

		if (length(slice_head(text, next)) > room)
			break;
		n = next;
	}
	return slice_head(text, n);
}

/* `blanks` come before the first word; they are folding white space, not part of the text. */
static void write_encoded(struct writer *w, struct slice blanks, struct slice text)
{
	bool b = b_length(text) < q_length(text);

	while (text.n > 0) {
		size_t left = w->column + blanks.n < ENCODED_LINE ? ENCODED_LINE - w->column - blanks.n : 0;
		struct slice part;

		if (left < WORD_LEAST && blanks.n > 0) {
			text_add_char(w->out, '\n');
			w->column = 0;
		}
		if (left < WORD_LEAST || left > WORD_MAX)
			left = WORD_MAX;
		text_add(w->out, blanks);
		part = what_fits(text, b ? b_length : q_length, left - WORD_FRAME);
		text_printf(w->out, "=?UTF-8?%c?", b ? 'B' : 'Q');
		(b ? b_add : q_add)(w->out, part);
		text_add(w->out, SLICE("?="));
		w->column += blanks.n + WORD_FRAME + (b ? b_length : q_length)(part);
		text = slice_from(text, part.n);
		blanks = SLICE(" ");
	}
}

static void write_plain(struct writer *w, struct slice blanks, struct slice word)
{
	if (blanks.n > 0 && w->column + blanks.n + word.n > LINE_WANTED) {
		text_add_char(w->out, '\n');
		w->column = 0;
	}
	text_add(w->out, blanks);
	text_add(w->out, word);
	w->column += blanks.n + word.n;
}

/* ---- a value -------------------------------------------------------------------- */

static bool is_encoded_word(struct slice word)
{
	return word.n <= WORD_MAX && slice_starts_nocase(word, SLICE("=?")) && slice_ends_nocase(word, SLICE("?="));
}

static bool must_encode(struct slice word)
{
	for (size_t i = 0; i < word.n; i++)
		if ((unsigned char)word.p[i] >= 0x80)
			return true;
	return word.n > PLAIN_MAX;
}

/* Takes the next word and the blanks before it off the text. */
static struct slice next_word(struct slice *text, struct slice *blanks_r)
{
	size_t blanks = 0, end;
	struct slice word;

	while (blanks < text->n && text->p[blanks] == ' ')
		blanks++;
	end = blanks;
	while (end < text->n && text->p[end] != ' ')
		end++;
	*blanks_r = slice_head(*text, blanks < BLANKS_MAX ? blanks : BLANKS_MAX);
	word = slice_head(slice_from(*text, blanks), end - blanks);
	*text = slice_from(*text, end);
	return word;
}

/* `*rest` follows a word that must be encoded. Takes the next words off it as long as they must be encoded, too.
 * Returns the end of the run: after the last of them, or after the blanks that follow it when an existing encoded word
 * comes next. */
static const char *run_end(struct slice *rest)
{
	struct slice blanks, word;

	for (;;) {
		struct slice next = *rest;

		word = next_word(&next, &blanks);
		if (is_encoded_word(word))
			return word.p;
		if (!must_encode(word))
			return rest->p;
		*rest = next;
	}
}

struct slice header_safe(struct slice value, size_t name_length, struct arena *arena)
{
	struct slice rest = clean(value, arena), blanks, word;
	bool after_encoded = false; /* the word before was an encoded word already */
	struct text out;
	struct writer w = {&out, name_length + 2}; /* ": " */

	text_init(&out, arena, SIZE_MAX / 4); /* linear in the value, which the caller bounds */
	while (rest.n > 0) {
		const char *start = rest.p;

		word = next_word(&rest, &blanks);
		if (!must_encode(word)) {
			after_encoded = is_encoded_word(word);
			write_plain(&w, blanks, word);
			continue;
		}
		start = after_encoded ? start : word.p;
		word = (struct slice){start, (size_t)(run_end(&rest) - start)};
		write_encoded(&w, blanks.n > 0 ? SLICE(" ") : blanks, word);
		after_encoded = false;
	}
	return text_slice(&out);
}

/* ---- a name before an address --------------------------------------------------- */

/* At most `most` bytes, and no part of a character. */
static struct slice cut_text(struct slice text, size_t most)
{
	size_t n = 0;

	while (n < text.n && n + slice_utf8(slice_from(text, n)) <= most)
		n += slice_utf8(slice_from(text, n));
	return slice_trim(slice_head(text, n));
}

static bool looks_encoded(struct slice text)
{
	for (size_t i = 0; i + 1 < text.n; i++)
		if (text.p[i] == '=' && text.p[i + 1] == '?')
			return true;
	return false;
}

struct slice header_phrase(struct slice name, size_t name_length, struct arena *arena)
{
	struct slice text = cut_text(clean(name, arena), PHRASE_MAX);
	struct text out;
	struct writer w = {&out, name_length + 2};

	text_init(&out, arena, SIZE_MAX / 4); /* linear in the name, which is bounded */
	if (text.n == 0)
		return text;
	if (!slice_is_ascii(text) || looks_encoded(text)) {
		write_encoded(&w, SLICE(""), text);
		return text_slice(&out);
	}
	text_add_char(&out, '"');
	for (size_t i = 0; i < text.n; i++) {
		text_add(&out, text.p[i] == '"' || text.p[i] == '\\' ? SLICE("\\") : SLICE(""));
		text_add_char(&out, text.p[i]);
	}
	text_add_char(&out, '"');
	return text_slice(&out);
}
