/*
 * emit_token.c - an address field, token by token, and its encoded words.
 *
 * Mail programs write encoded words with letters that may not appear in one within a name (RFC 2047 5 (3)), such as
 * `=?utf-8?Q?O'Brien,_Pat?=`. Here they are still one token, and are written with these letters encoded.
 */
#include "emit_private.h"
#include <string.h>

#define WORD_MAX    75 /* of an encoded word (RFC 2047 2) */
#define UNIT        3  /* "=2E" */
#define LITERAL_MAX 64 /* [IPv6:...] is shorter */
#define WORD_END    "?="
#define BLANKS      " \t\r\n"
#define BASE64      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
#define CHARSET     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+:*"
#define SYNTAX      "@,;:\\()[].'\"<>" /* what a mail server acts on, and Sendmail's MustQuoteChars */
#define ENDS_A_WORD BLANKS "\"(<,;:"

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c);
}

static size_t span(struct slice text, size_t from, const char *set)
{
	while (from < text.n && is_one_of(text.p[from], set))
		from++;
	return from;
}

static bool holds_one_of(struct slice text, const char *set)
{
	for (size_t i = 0; i < text.n; i++)
		if (is_one_of(text.p[i], set))
			return true;
	return false;
}

/* ---- encoded words ----------------------------------------------------------------------- */

/* "=?charset?Q?text?=" */
struct encoded {
	struct slice charset, head; /* head: up to the text */
	struct slice text;
	bool q;
	size_t length;
};

/* Does the text begin with an encoded word? */
static bool encoded_read(struct slice text, struct encoded *encoded_r)
{
	size_t charset = span(text, 2, CHARSET), end;
	bool q, b;

	if (!slice_starts_nocase(text, SLICE("=?")) || charset == 2 || charset + 3 >= text.n)
		return false;
	q = text.p[charset + 1] == 'Q' || text.p[charset + 1] == 'q';
	b = text.p[charset + 1] == 'B' || text.p[charset + 1] == 'b';
	if (text.p[charset] != '?' || text.p[charset + 2] != '?' || !(q || b))
		return false;
	end = b ? span(text, charset + 3, BASE64) : charset + 3;
	while (q && end < text.n && text.p[end] > ' ' && text.p[end] <= '~' && text.p[end] != '?')
		end++;
	if (!slice_starts_nocase(slice_from(text, end), SLICE(WORD_END)))
		return false;
	*encoded_r = (struct encoded){
	    .charset = {text.p + 2, charset - 2},
	    .head = slice_head(text, charset + 3),
	    .text = {text.p + charset + 3, end - charset - 3},
	    .q = q,
	    .length = end + 2,
	};
	return true;
}

/* In these an ASCII letter begins a character and is one by itself: before it a word can be divided. */
static bool is_divisible(struct slice charset)
{
	static const char *const families[] = {"utf-8", "us-ascii", "iso-8859-", "windows-125", "koi8-", NULL};

	for (size_t i = 0; families[i]; i++)
		if (slice_starts_nocase(charset, slice_of(families[i])))
			return true;
	return false;
}

/* Length of the letter at i as it will be written, with the encoded bytes that must stay with it. */
static size_t letter_length(struct slice text, size_t i)
{
	size_t length = is_one_of(text.p[i], SYNTAX) ? UNIT : 1;

	for (i++; i < text.n && text.p[i] == '='; i += UNIT)
		length += UNIT;
	return length;
}

void encoded_write(struct text *out, struct slice word)
{
	static const char digits[] = "0123456789ABCDEF";
	struct encoded encoded;
	size_t column;

	if (!encoded_read(word, &encoded) || !encoded.q || !holds_one_of(encoded.text, SYNTAX)) {
		text_add(out, word);
		return;
	}
	text_add(out, encoded.head);
	column = encoded.head.n;
	for (size_t i = 0; i < encoded.text.n; i++) {
		char c = encoded.text.p[i];
		size_t start = out->n;

		if (c != '=' && i > 0 && column + letter_length(encoded.text, i) + 2 > WORD_MAX &&
		    column > encoded.head.n && word.n <= WORD_MAX && is_divisible(encoded.charset)) {
			text_add(out, SLICE(WORD_END " "));
			text_add(out, encoded.head);
			column = encoded.head.n;
			start = out->n;
		}
		if (is_one_of(c, SYNTAX))
			text_add(out, (struct slice){(char[]){'=', digits[(unsigned char)c >> 4], digits[c & 15]}, 3});
		else
			text_add_char(out, c);
		column += out->n - start;
	}
	text_add(out, SLICE(WORD_END));
}

/* ---- tokens ------------------------------------------------------------------------------- */

/* At a quote: the position after its end; 0: it does not end. */
static size_t quoted_end(struct slice text, size_t i)
{
	for (i++; i < text.n; i++) {
		if (text.p[i] == '"')
			return i + 1;
		if (text.p[i] == '\\')
			i++;
	}
	return 0;
}

/* At "(": comments may hold others (RFC 5322 3.2.2). */
static size_t comment_end(struct slice text, size_t i)
{
	size_t depth = 0;

	for (; i < text.n; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == '(')
			depth++;
		else if (text.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static size_t angle_end(struct slice text, size_t i)
{
	for (i++; i < text.n;) {
		char c = text.p[i];

		if (c == '>')
			return i + 1;
		if (c == '<')
			return 0;
		if (c == '\\')
			i += 2;
		else if (c == '"' || c == '(')
			i = c == '"' ? quoted_end(text, i) : comment_end(text, i);
		else
			i++;
		if (i == 0)
			return 0;
	}
	return 0;
}

/* At "[": the last letter of an address literal, or the bracket itself. */
static size_t literal_last(struct slice text, size_t i)
{
	struct slice near = slice_head(slice_from(text, i), LITERAL_MAX);
	ptrdiff_t end = slice_find(near, ']');

	return end > 0 && !holds_one_of(slice_head(near, (size_t)end), BLANKS "\"(<,;") ? i + (size_t)end : i;
}

/* An address literal is part of a word, colons and all. */
static size_t word_end(struct slice text, size_t i)
{
	while (i < text.n && !is_one_of(text.p[i], ENDS_A_WORD)) {
		if (text.p[i] == '[')
			i = literal_last(text, i);
		i += text.p[i] == '\\' ? 2 : 1;
	}
	return i <= text.n ? i : 0; /* a backslash and nothing after it */
}

static const struct {
	char begins;
	enum token_kind kind;
	size_t (*end)(struct slice text, size_t i);
} openings[] = {
    {'"', TOKEN_QUOTED, quoted_end},
    {'(', TOKEN_COMMENT, comment_end},
    {'<', TOKEN_ANGLE, angle_end},
};

int token_next(struct slice *rest, struct token *token_r)
{
	size_t blanks = span(*rest, 0, BLANKS), end = 0;
	struct slice text = slice_from(*rest, blanks);
	struct encoded encoded;

	if (text.n == 0)
		return 0;
	token_r->blank = blanks > 0;
	token_r->kind = TOKEN_WORD;
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++)
		if (text.p[0] == openings[i].begins) {
			token_r->kind = openings[i].kind;
			end = openings[i].end(text, 0);
		}
	if (is_one_of(text.p[0], ",;:")) {
		token_r->kind = TOKEN_MARK;
		end = 1;
	} else if (token_r->kind == TOKEN_WORD && encoded_read(text, &encoded)) {
		token_r->kind = TOKEN_ENCODED;
		end = encoded.length;
	} else if (token_r->kind == TOKEN_WORD) {
		end = word_end(text, 0);
	}
	if (end == 0)
		return -1;
	token_r->text = slice_head(text, end);
	if (token_r->kind == TOKEN_ANGLE)
		token_r->text = (struct slice){text.p + 1, end - 2};
	*rest = slice_from(text, end);
	return 1;
}

void token_write(struct text *out, const struct token *token)
{
	for (size_t i = 0; i < token->text.n; i++)
		if (token->text.p[i] != '\r' && token->text.p[i] != '\n')
			text_add_char(out, token->text.p[i]);
}
