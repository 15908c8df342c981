/*
 * author_name.c - the name before an address (RFC 5322 3.4, display-name), as a mail reader shows it. The decoded
 * text is only shown, never parsed as an address.
 */
#include "author_private.h"
#include "mime.h"

#define NAME_BYTES_MAX 1000 /* longest name that is shown; real names are far shorter */

struct reader {
	struct slice rest;
	struct text name;
	bool blank; /* a blank is due before the next character */
};

static char take(struct reader *reader)
{
	char c = reader->rest.p[0];

	reader->rest = slice_from(reader->rest, 1);
	return c;
}

static void add(struct reader *reader, char c)
{
	if (is_space(c)) {
		reader->blank = true;
		return;
	}
	if (reader->blank && reader->name.n)
		text_add_char(&reader->name, ' ');
	reader->blank = false;
	text_add_char(&reader->name, c);
}

static void read_quoted(struct reader *reader)
{
	while (reader->rest.n) {
		char c = take(reader);

		if (c == '"')
			return;
		if (c == '\\' && reader->rest.n)
			c = take(reader);
		add(reader, c);
	}
}

static void skip_comment(struct reader *reader)
{
	size_t depth = 1;

	while (reader->rest.n && depth) {
		char c = take(reader);

		if (c == '\\' && reader->rest.n)
			take(reader);
		else if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
	}
	reader->blank = true;
}

struct slice author_name(struct slice written, struct arena *arena)
{
	struct reader reader = {.rest = written};

	text_init(&reader.name, arena, NAME_BYTES_MAX);
	while (reader.rest.n && !reader.name.cut) {
		char c = take(&reader);

		if (c == '"')
			read_quoted(&reader);
		else if (c == '(')
			skip_comment(&reader);
		else
			add(&reader, c);
	}
	return header_decode(text_slice(&reader.name), arena);
}
