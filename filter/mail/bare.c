/*
 * bare.c - addresses without the quotes of their local part, as Postfix's policy protocol and qmail pass them, and as
 * paths. Contract: mail.h.
 */
#include "mail.h"

/* RFC 5321 4.1.2: a dot-string; UTF-8 as RFC 6531 allows. */
static bool is_dot_string(struct slice local)
{
	char before = '.';

	for (size_t i = 0; i < local.n; i++) {
		char c = local.p[i];

		if (c == '.' ? before == '.'
			     : !is_letter(c) && !is_digit(c) && (unsigned char)c < 0x80 &&
				   !memchr("!#$%&'*+-/=?^_`{|}~", c, 19))
			return false;
		before = c;
	}
	return before != '.';
}

static bool is_quoted(struct slice local)
{
	return local.n >= 2 && local.p[0] == '"' && local.p[local.n - 1] == '"';
}

struct slice address_path(struct slice bare, struct arena *arena)
{
	ptrdiff_t at = slice_find_last(bare, '@');
	struct slice local = at < 0 ? bare : slice_head(bare, (size_t)at);
	struct text text;

	text_init(&text, arena, 2 * bare.n + 8);
	text_add_char(&text, '<');
	if (local.n == 0 || is_quoted(local) || is_dot_string(local)) {
		text_add(&text, local);
	} else {
		text_add_char(&text, '"');
		for (size_t i = 0; i < local.n; i++) {
			if (local.p[i] == '"' || local.p[i] == '\\')
				text_add_char(&text, '\\');
			text_add_char(&text, local.p[i]);
		}
		text_add_char(&text, '"');
	}
	text_add(&text, slice_from(bare, local.n));
	text_add_char(&text, '>');
	return text_slice(&text);
}

struct slice address_bare(struct slice path, struct arena *arena)
{
	ptrdiff_t at;
	struct text text;

	path = slice_trim(path);
	if (path.n >= 2 && path.p[0] == '<' && path.p[path.n - 1] == '>')
		path = slice_head(slice_from(path, 1), path.n - 2);
	at = slice_find_last(path, '@');
	if (at < 0 || !is_quoted(slice_head(path, (size_t)at)))
		return path;
	text_init(&text, arena, path.n);
	for (size_t i = 1; i + 1 < (size_t)at; i++) {
		i += path.p[i] == '\\' && i + 2 < (size_t)at;
		text_add_char(&text, path.p[i]);
	}
	text_add(&text, slice_from(path, (size_t)at));
	return text_slice(&text);
}
