/*
 * json_writer.c - JSON as a stream. A string is measured before it is written, so
 * that it is written completely or not at all, and an ordinary one with one copy.
 *
 * The line of a record is made for every message. As a tree printed by
 * jansson it took a sixth of the time of a small message without its signature.
 */
#include "json_writer.h"
#include <string.h>

#define LINE_FIRST 1024 /* most records take less */

/* How a control character is written (RFC 8259 7): \b, \u0001; a NUL as \x00. */
static const char letters[0x20] = "xuuuuuuubtnufruuuuuuuuuuuuuuuuuu";

/* A string that is to be written. */
struct string {
	struct slice text;
	bool shown;
	size_t length; /* between the quotes */
};

void writer_begin(struct json_writer *writer, struct arena *arena, size_t limit)
{
	*writer = (struct json_writer){0};
	text_init(&writer->text, arena, limit);
	text_reserve(&writer->text, LINE_FIRST);
}

void writer_rewind(struct json_writer *writer, size_t n)
{
	writer->text.n = n;
	writer->full = false;
}

static bool is_utf8(struct slice text)
{
	for (size_t n; text.n > 0; text = slice_from(text, n))
		if ((n = slice_utf8(text)) == 0)
			return false;
	return true;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Do all eight bytes stay as they are? Exact for bytes of ASCII, and others do not stay. */
static bool is_plain(const char *p)
{
	uint64_t bytes, quotes, slashes, controls;

	memcpy(&bytes, p, sizeof(bytes));
	quotes = bytes ^ EACH('"');
	slashes = bytes ^ EACH('\\');
	controls = bytes - EACH(0x20);
	return ((bytes | (quotes - EACH(1)) | (slashes - EACH(1)) | controls) & EACH(0x80)) == 0;
}

/* How many of the first bytes stay as they are, or fewer. */
static size_t plain_start(struct slice text)
{
	size_t n = 0;

	while (text.n - n >= sizeof(uint64_t) && is_plain(text.p + n))
		n += sizeof(uint64_t);
	/* the last eight, some of them again */
	if (n > 0 && text.n - n < sizeof(uint64_t) && is_plain(text.p + text.n - sizeof(uint64_t)))
		return text.n;
	return n;
}

static struct string string_of(struct slice text)
{
	struct string string = {text, false, text.n};
	size_t beyond_ascii = 0;

	for (size_t i = plain_start(text); i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c >= 0x80)
			beyond_ascii++;
		else if (c == '"' || c == '\\')
			string.length += 1;
		else if (c < 0x20)
			string.length += letters[c] == 'u' ? 5 : letters[c] == 'x' ? 4 : 1;
		if (c == '\0')
			string.shown = true;
	}
	if (beyond_ascii > 0 && !string.shown)
		string.shown = !is_utf8(text);
	if (string.shown)
		string.length += 4 * beyond_ascii;
	return string;
}

static char *put(char *p, const char *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

static char *put_byte(char *p, unsigned char c, bool shown)
{
	static const char small[] = "0123456789abcdef", capital[] = "0123456789ABCDEF";

	if (c == '"' || c == '\\')
		return put(p, (char[]){'\\', (char)c}, 2);
	if (c == '\0' || (c >= 0x80 && shown))
		return put(p, (char[]){'\\', '\\', 'x', small[c >> 4], small[c & 15]}, 5);
	if (c >= 0x20)
		return put(p, (char[]){(char)c}, 1);
	if (letters[c] == 'u')
		return put(p, (char[]){'\\', 'u', '0', '0', capital[c >> 4], capital[c & 15]}, 6);
	return put(p, (char[]){'\\', letters[c]}, 2);
}

static char *put_string(char *p, const struct string *string)
{
	*p++ = '"';
	if (string->length == string->text.n && string->length > 0)
		p = put(p, string->text.p, string->text.n);
	else
		for (size_t i = 0; i < string->text.n; i++)
			p = put_byte(p, (unsigned char)string->text.p[i], string->shown);
	*p++ = '"';
	return p;
}

/* Makes room for n bytes; where they go, or NULL. */
static char *take(struct json_writer *writer, size_t n)
{
	struct text *text = &writer->text;

	if (writer->full || n > text->limit - text->n) {
		writer->full = true;
		return NULL;
	}
	text_reserve(text, n);
	text->n += n;
	return text->p + text->n - n;
}

/* Writes a comma where one is due, and the name; makes room for a value of n bytes, and tells where it goes. */
static char *member(struct json_writer *writer, struct slice name, size_t n)
{
	const struct text *text = &writer->text;
	bool first = text->n == 0 || text->p[text->n - 1] == '{' || text->p[text->n - 1] == '[';
	struct string string = string_of(name);
	char *p = take(writer, (first ? 0 : 1) + (name.n > 0 ? string.length + 3 : 0) + n);

	if (!p)
		return NULL;
	if (!first)
		*p++ = ',';
	if (name.n == 0)
		return p;
	p = put_string(p, &string);
	*p++ = ':';
	return p;
}

void writer_word(struct json_writer *writer, struct slice name, struct slice word)
{
	char *p = member(writer, name, word.n);

	if (p)
		put(p, word.p, word.n);
}

void writer_open(struct json_writer *writer, struct slice name, char bracket)
{
	writer_word(writer, name, (struct slice){&bracket, 1});
}

void writer_close(struct json_writer *writer, char bracket)
{
	char *p = take(writer, 1);

	if (p)
		*p = bracket;
}

void writer_number(struct json_writer *writer, struct slice name, int64_t number)
{
	char buffer[NUMBER_TEXT];

	writer_word(writer, name, number_print(number, buffer));
}

void writer_text(struct json_writer *writer, struct slice name, struct slice text)
{
	struct string string = string_of(text);
	char *p = member(writer, name, string.length + 2);

	if (p)
		put_string(p, &string);
}
