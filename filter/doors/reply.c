/*
 * reply.c - a reply of the policy in the form for both MTAs.
 *
 * The MTAs read the text as a format: a bare `%` costs Sendmail the whole text
 * and Postfix the character, so it is doubled. What is not printable ASCII never
 * reaches an SMTP reply (RFC 5321 4.2).
 */
#include "milter.h"
#include <stdio.h>
#include <string.h>

/* Room for a line whose every byte is a `%`. libmilter takes 980 bytes. */
#define LINE_ESCAPED_MAX (2 * REPLY_LINE_MAX)
_Static_assert(LINE_ESCAPED_MAX <= 980, "libmilter refuses longer lines");

static char *reply_line(struct slice line, struct arena *arena)
{
	struct text text;

	line = slice_head(line, REPLY_LINE_MAX);
	text_init(&text, arena, LINE_ESCAPED_MAX);
	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		if (c == '%')
			text_add_char(&text, c);
		text_add_char(&text, c >= ' ' && c <= '~' ? c : '?');
	}
	return arena_cstring(arena, text_slice(&text));
}

void reply_write(const struct reply *reply, struct arena *arena, struct reply_text *text_r)
{
	unsigned code = reply->code;

	memset(text_r, 0, sizeof(*text_r));
	if (code < 400 || code > 599)
		code = 451; /* no other code is possible; the message must not be let through */
	snprintf(text_r->code, sizeof(text_r->code), "%u", code);
	if (reply->enhanced.n < sizeof(text_r->enhanced))
		snprintf(text_r->enhanced, sizeof(text_r->enhanced), "%.*s", SLICE_ARGS(reply->enhanced));
	for (size_t i = 0; i < reply->line_count && i < REPLY_LINES_MAX; i++)
		text_r->lines[text_r->count++] = reply_line(reply->lines[i], arena);
	if (text_r->count == 0)
		text_r->lines[text_r->count++] = arena_cstring(arena, SLICE("Refused"));
}
