/*
 * reply.c - a reply of the policy in the form for libmilter and both MTAs.
 *
 * The MTAs read the text as a format: a bare `%` costs Sendmail the whole text
 * and Postfix the character, so it is doubled. What is not printable ASCII never
 * reaches an SMTP reply (RFC 5321 4.2).
 */
#include "milter_private.h"
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

/* smfi_setmlreply() takes one argument per line; the one after the last is NULL and ends the list. */
static int reply_set_lines(SMFICTX *ctx, struct reply_text *text, const char *enhanced)
{
	char **l = text->lines;

	return smfi_setmlreply(ctx, text->code, enhanced, l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7], l[8], l[9],
			       l[10], l[11], l[12], l[13], l[14], l[15], l[16], l[17], l[18], l[19], l[20], l[21],
			       l[22], l[23], l[24], l[25], l[26], l[27], l[28], l[29], l[30], l[31], NULL);
}

sfsistat reply_send(SMFICTX *ctx, const struct reply *reply)
{
	struct arena *arena = arena_new();
	struct reply_text text;
	sfsistat status;
	char *enhanced;

	reply_write(reply, arena, &text);
	enhanced = text.enhanced[0] ? text.enhanced : NULL;
	status = text.code[0] == '5' ? SMFIS_REJECT : SMFIS_TEMPFAIL;
	/* When libmilter refuses the text, its default text is sent: the verdict stays the same. */
	if (text.count == 1)
		smfi_setreply(ctx, text.code, enhanced, text.lines[0]);
	else
		reply_set_lines(ctx, &text, enhanced);
	arena_free(arena);
	return status;
}
