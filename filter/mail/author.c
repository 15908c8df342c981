/*
 * author.c - who wrote a message: the From field (RFC 5322 3.6.2) with the groups
 * of RFC 6854 and the UTF-8 of RFC 6532.
 *
 * The author that is checked must be the author that a mail reader shows. Therefore
 * the field is parsed strictly by its grammar, including the obsolete forms. One
 * mailbox that cannot be parsed makes the whole field invalid. Nothing is decoded
 * before it is parsed: an encoded word is a word, whatever text it encodes, and only
 * names and comments may contain one.
 *
 * The value is read from left to right by a cursor that never goes back.
 */
#include "author_private.h"

#include <string.h>

#define FROM_BYTES_MAX 65536 /* longest From field that is parsed: a hundred mailboxes take less than 64 KB */

struct reader {
	struct slice rest;
	struct arena *arena;
	struct authors *authors;
	const char *why; /* not NULL: the field is not valid */
};

static bool wrong(struct reader *reader, const char *why)
{
	if (!reader->why)
		reader->why = why;
	return false;
}

static char peek(const struct reader *reader)
{
	return reader->rest.n > 0 ? reader->rest.p[0] : '\0';
}

static void skip(struct reader *reader, size_t n)
{
	reader->rest = slice_from(reader->rest, n);
}

/* A letter of an atom (RFC 5322 3.2.3, RFC 6532 3.2). Bytes over 0x7F are accepted: a name in a legacy charset is
 * only shown, and address_parse_path requires UTF-8 where it matters. */
static bool is_atom(char c)
{
	if (is_letter(c))
		return true;
	return (unsigned char)c > ' ' && c != 0x7f && !strchr("()<>[]:;@\\,.\"", c);
}

/* Line ends are allowed only where the field is folded (RFC 5322 2.2.3), other control bytes nowhere. */
static bool is_clean(struct slice value)
{
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		char next = i + 1 < value.n ? value.p[i + 1] : ' ';

		if (c == '\r' && next == '\n')
			continue;
		if (c == '\n' && (next == ' ' || next == '\t'))
			continue;
		if (c == 0x7f || (c < ' ' && c != '\t'))
			return false;
	}
	return true;
}

/* ---- blanks and comments ------------------------------------------------------------- */

/* At "(": skips the comment, which may contain nested ones (RFC 5322 3.2.2). */
static bool skip_comment(struct reader *reader)
{
	struct slice text = reader->rest;
	size_t depth = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == '(')
			depth++;
		else if (text.p[i] == ')' && --depth == 0) {
			skip(reader, i + 1);
			return true;
		}
	}
	return wrong(reader, "a comment is not closed");
}

static bool skip_blanks(struct reader *reader)
{
	while (reader->rest.n > 0) {
		if (is_space(peek(reader)))
			skip(reader, 1);
		else if (peek(reader) != '(')
			break;
		else if (!skip_comment(reader))
			return false;
	}
	return true;
}

/* ---- words ------------------------------------------------------------------------------- */

/* The words before "<", "@" or ":": a name, or a local part without the blanks around its dots. */
struct words {
	struct text text;
	size_t count;
	bool apart; /* two words without a dot between them: a name, not a local part */
};

/* At a quote: takes the quoted string, including its quotes, without line ends. */
static bool read_quoted(struct reader *reader, struct text *text)
{
	struct slice rest = reader->rest;
	size_t i = 1;

	while (i < rest.n && rest.p[i] != '"')
		i += rest.p[i] == '\\' ? 2 : 1;
	if (i >= rest.n)
		return wrong(reader, "a quoted string is not closed");
	for (size_t k = 0; k <= i; k++)
		if (rest.p[k] != '\r' && rest.p[k] != '\n')
			text_add_char(text, rest.p[k]);
	skip(reader, i + 1);
	return true;
}

static void read_atom(struct reader *reader, struct text *text)
{
	size_t n = 0;

	while (n < reader->rest.n && is_atom(reader->rest.p[n]))
		n++;
	text_add(text, slice_head(reader->rest, n));
	skip(reader, n);
}

static bool read_words(struct reader *reader, struct words *words)
{
	bool dot = true;

	*words = (struct words){.count = 0};
	text_init(&words->text, reader->arena, FROM_BYTES_MAX);
	while (skip_blanks(reader)) {
		char c = peek(reader);

		if (reader->rest.n == 0 || (c != '.' && c != '"' && !is_atom(c)))
			return true;
		if (c == '.') {
			text_add_char(&words->text, c);
			skip(reader, 1);
			dot = true;
			continue;
		}
		words->apart = words->apart || !dot;
		words->count++;
		dot = false;
		if (c != '"')
			read_atom(reader, &words->text);
		else if (!read_quoted(reader, &words->text))
			return false;
	}
	return false;
}

/* ---- domains ------------------------------------------------------------------------------- */

/* Characters that are invisible or look like a blank. The mapping of UTS 46 would drop them, and then different texts
 * would become one domain. The joiners 200C and 200D are allowed: some scripts need them. */
static bool is_unseen(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} unseen[] = {
	    {0x80, 0xa0},       {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},     {0x115f, 0x1160},
	    {0x1680, 0x1680},   {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2000, 0x200b},   {0x200e, 0x200f},
	    {0x2028, 0x202f},   {0x205f, 0x206f}, {0x3000, 0x3000}, {0x3164, 0x3164},   {0xfe00, 0xfe0f},
	    {0xfeff, 0xfeff},   {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	    {0xe0000, 0xe0fff},
	};

	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (c >= unseen[i].first && c <= unseen[i].last)
			return true;
	return false;
}

/* Decodes a sequence that slice_utf8 found well formed. */
static uint32_t code_point(const char *p, size_t length)
{
	static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)p[0] & first[length];

	for (size_t i = 1; i < length; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

static bool is_seen(struct slice domain)
{
	while (domain.n > 0) {
		size_t length = slice_utf8(domain);

		if (length == 0 || (length > 1 && is_unseen(code_point(domain.p, length))))
			return false;
		domain = slice_from(domain, length);
	}
	return true;
}

/* At "[": an address literal (RFC 5322 3.4.1). */
static bool read_literal(struct reader *reader, struct text *text)
{
	ptrdiff_t end = slice_find(reader->rest, ']');

	if (end < 0)
		return wrong(reader, "an address literal is not closed with ]");
	text_add(text, slice_head(reader->rest, (size_t)end + 1));
	skip(reader, (size_t)end + 1);
	return skip_blanks(reader);
}

/* After the @. Blanks and comments around the dots are obsolete syntax and accepted (RFC 5322 4.4). */
static bool read_domain(struct reader *reader, struct text *text)
{
	size_t start = text->n;

	if (!skip_blanks(reader))
		return false;
	if (peek(reader) == '[')
		return read_literal(reader, text);
	for (;;) {
		if (!is_atom(peek(reader)))
			return wrong(reader, "a domain is missing or incomplete");
		read_atom(reader, text);
		if (!skip_blanks(reader))
			return false;
		if (peek(reader) != '.')
			break;
		text_add_char(text, '.');
		skip(reader, 1);
		if (!skip_blanks(reader))
			return false;
	}
	if (!is_seen(slice_from(text_slice(text), start)))
		return wrong(reader, "a domain contains invisible characters");
	return true;
}

/* ---- mailboxes --------------------------------------------------------------------------------- */

static bool keep_domain(struct reader *reader, struct slice domain)
{
	struct authors *authors = reader->authors;

	for (size_t i = 0; i < authors->domain_count; i++)
		if (slice_equal(authors->domains[i], domain))
			return true;
	authors->domains[authors->domain_count++] = domain;
	return true;
}

static bool keep_mailbox(struct reader *reader, struct slice text)
{
	struct authors *authors = reader->authors;
	struct address address = address_parse_path(text, reader->arena);

	if (author_has_encoded_word(text, reader->arena))
		return wrong(reader, "an address contains an encoded word (RFC 2047)");
	if (!address.valid || address.domain.n == 0)
		return wrong(reader, "an address is not a usable sender address");
	if (authors->mailbox_count == AUTHORS_MAX)
		return wrong(reader, "it names too many authors");
	if (authors->mailbox_count == 0)
		authors->first = address;
	else if (authors->mailbox_count == 1)
		authors->mailboxes = arena_raw(reader->arena, AUTHORS_MAX * sizeof(address));
	if (authors->mailboxes) {
		authors->mailboxes[0] = authors->first;
		authors->mailboxes[authors->mailbox_count] = address;
	}
	authors->mailbox_count++;
	if (address.domain.p[0] != '[')
		return keep_domain(reader, address.domain);
	authors->literal = true;
	return true;
}

/* At the @ after a local part. */
static bool read_rest_of_address(struct reader *reader, struct words *local)
{
	if (local->count == 0 || local->apart)
		return wrong(reader, "an @ has no local part before it");
	text_add_char(&local->text, '@');
	skip(reader, 1);
	return read_domain(reader, &local->text);
}

/* "@a.example,@b.example:" - obsolete, must be skipped (RFC 5322 4.4). */
static bool skip_route(struct reader *reader)
{
	struct text hop;

	text_init(&hop, reader->arena, FROM_BYTES_MAX);
	while (peek(reader) == '@' || peek(reader) == ',') {
		bool at = peek(reader) == '@';

		skip(reader, 1);
		if (at ? !read_domain(reader, &hop) : !skip_blanks(reader))
			return false;
	}
	if (peek(reader) != ':')
		return wrong(reader, "a source route has no address after it");
	if (author_has_encoded_word(text_slice(&hop), reader->arena))
		return wrong(reader, "a source route contains an encoded word (RFC 2047)");
	skip(reader, 1);
	return true;
}

/* At "<". */
static bool read_angle(struct reader *reader)
{
	struct words local;

	skip(reader, 1);
	if (!skip_blanks(reader))
		return false;
	if ((peek(reader) == '@' || peek(reader) == ',') && !skip_route(reader))
		return false;
	if (!read_words(reader, &local))
		return false;
	if (peek(reader) != '@')
		return wrong(reader, "there is no address between < and >");
	if (!read_rest_of_address(reader, &local))
		return false;
	if (peek(reader) != '>')
		return wrong(reader, "the > after an address is missing");
	skip(reader, 1);
	return keep_mailbox(reader, text_slice(&local.text)) && skip_blanks(reader);
}

static void keep_name(struct reader *reader, struct slice written)
{
	reader->authors->phrase = header_unfold(written, reader->arena);
	reader->authors->name = author_name(written, reader->arena);
}

/* The mailboxes up to the end, or up to the ";" of a group (RFC 6854). Empty elements are obsolete and accepted. */
static bool read_list(struct reader *reader, bool group)
{
	while (skip_blanks(reader)) {
		struct slice name = reader->rest;
		struct words words;

		if (peek(reader) == ',') {
			skip(reader, 1);
			continue;
		}
		if (reader->rest.n == 0 || (group && peek(reader) == ';'))
			return true;
		if (!read_words(reader, &words))
			return false;
		if (peek(reader) == '<') {
			if (reader->authors->mailbox_count == 0)
				keep_name(reader, slice_head(name, name.n - reader->rest.n));
			if (!read_angle(reader))
				return false;
		} else if (peek(reader) == '@') {
			if (!read_rest_of_address(reader, &words) || !keep_mailbox(reader, text_slice(&words.text)))
				return false;
		} else if (peek(reader) == ':' && words.count > 0 && !group) {
			skip(reader, 1);
			if (!read_list(reader, true))
				return false;
			if (peek(reader) != ';')
				return wrong(reader, "a group is not closed with ;");
			skip(reader, 1);
			reader->authors->group = true;
			if (!skip_blanks(reader))
				return false;
		} else {
			return wrong(reader, "it contains text that is not an address");
		}
		if (reader->rest.n > 0 && peek(reader) != ',' && !(group && peek(reader) == ';'))
			return wrong(reader, "something other than a comma follows an address");
	}
	return false;
}

/* ---- the field ------------------------------------------------------------------------------------ */

void author_read(struct slice value, struct arena *arena, struct authors *authors_r)
{
	struct reader reader = {.rest = value, .arena = arena, .authors = authors_r};

	*authors_r = (struct authors){.domains = arena_raw(arena, AUTHORS_MAX * sizeof(struct slice))};
	if (value.n > FROM_BYTES_MAX)
		wrong(&reader, "it is too long");
	else if (!is_clean(value))
		wrong(&reader, "it contains control characters");
	else if (read_list(&reader, false) && authors_r->mailbox_count == 0 && !authors_r->group)
		wrong(&reader, "it contains no address");
	if (authors_r->literal && authors_r->domain_count > 0)
		wrong(&reader, "it mixes address literals and domains");
	authors_r->valid = !reader.why;
	authors_r->why = reader.why ? reader.why : "";
	if (!reader.why)
		return;
	if (value.n <= FROM_BYTES_MAX && is_clean(value))
		authors_r->shown = author_shown(value, arena);
	authors_r->mailbox_count = authors_r->domain_count = 0;
	authors_r->first = (struct address){.text = SLICE("")};
	authors_r->mailboxes = NULL;
	authors_r->name = authors_r->phrase = SLICE("");
}

/* Blanks before the colon are obsolete, but many readers accept such a From field (RFC 5322 4.5.2). */
bool author_is_field(struct slice name)
{
	return slice_equal_nocase(slice_trim(name), SLICE("From"));
}

void author_find(const struct headers *headers, struct arena *arena, struct authors *authors_r)
{
	const struct header_field *from = NULL;
	size_t count = 0;

	for (size_t i = 0; i < headers->count; i++) {
		if (!author_is_field(headers->fields[i].name))
			continue;
		from = &headers->fields[i];
		count++;
	}
	if (count == 1) {
		author_read(from->value, arena, authors_r);
		authors_r->field = header_unfold(from->value, arena);
		return;
	}
	*authors_r = (struct authors){.why = count ? "there are several From fields" : "there is no From field"};
	if (count)
		authors_r->field = header_unfold(from->value, arena);
}

struct slice author_domain(const struct headers *headers, struct arena *arena)
{
	struct authors authors;

	author_find(headers, arena, &authors);
	return authors.domain_count == 1 ? authors.domains[0] : SLICE("");
}
