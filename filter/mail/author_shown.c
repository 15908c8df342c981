/*
 * author_shown.c - the author that mail readers show for an invalid From field.
 *
 * Honest senders forget the quotes around a name: "[Shop] Alice <a@x.example>", "a@x.example <a@x.example>",
 * "Foo, Bar <a@x.example>". Every reader shows the same author for these: there is one address in angle brackets, and
 * no other domain that a reader could take for the author's. Any other invalid field has no such author.
 */
#include "author_private.h"

#include <string.h>

/* ---- encoded words (RFC 2047 2) ------------------------------------------------------- */

/* Quotes and the backslash of a quoted pair: some readers remove them before they decode. */
static struct slice without_quotes(struct slice text, struct arena *arena)
{
	struct text out;

	text_init(&out, arena, text.n);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '"' && text.p[i] != '\\')
			text_add_char(&out, text.p[i]);
	return text_slice(&out);
}

/* After "=?": a charset, then ?q? or ?b?. A missing "?=" at the end is ignored, as some readers do. */
static bool is_encoded_word(struct slice text)
{
	ptrdiff_t mark = slice_find(text, '?');

	if (mark < 0 || text.n - (size_t)mark < 3 || text.p[mark + 2] != '?')
		return false;
	return strchr("qQbB", text.p[mark + 1]) && text.p[mark + 1];
}

bool author_has_encoded_word(struct slice address, struct arena *arena)
{
	if (slice_find(address, '=') < 0)
		return false;
	address = without_quotes(address, arena);
	for (size_t i = 0; i + 1 < address.n; i++)
		if (address.p[i] == '=' && address.p[i + 1] == '?' && is_encoded_word(slice_from(address, i + 2)))
			return true;
	return false;
}

/* ---- the only address ------------------------------------------------------------------- */

/* The text before "<", between the brackets, and after ">"; false unless each bracket occurs once. */
static bool split(struct slice value, struct slice *before_r, struct slice *inside_r, struct slice *after_r)
{
	ptrdiff_t open = slice_find(value, '<'), close = slice_find(value, '>');

	if (open < 0 || close < open || slice_find_last(value, '<') != open || slice_find_last(value, '>') != close)
		return false;
	*before_r = slice_head(value, (size_t)open);
	*inside_r = slice_from(slice_head(value, (size_t)close), (size_t)open + 1);
	*after_r = slice_from(value, (size_t)close + 1);
	return true;
}

/* Other characters that look like an @: U+FE6B and U+FF20. */
static bool has_other_at(struct slice text)
{
	return memmem(text.p, text.n, "\xef\xb9\xab", 3) || memmem(text.p, text.n, "\xef\xbc\xa0", 3);
}

static struct slice word_at(struct slice text, size_t from)
{
	size_t n = from;

	while (n < text.n && (unsigned char)text.p[n] > ' ' && !strchr("()<>[]:;@\\,\"'", text.p[n]))
		n++;
	return slice_from(slice_head(text, n), from);
}

/* "example.org", but not "J.R." */
static bool looks_like_domain(struct slice word)
{
	ptrdiff_t dot = slice_find_last(word, '.');
	struct slice top = slice_from(word, (size_t)(dot + 1));

	if (dot < 1 || top.n < 2)
		return false;
	for (size_t i = 0; i < top.n; i++)
		if (!is_letter(top.p[i]) && (unsigned char)top.p[i] < 0x80)
			return false;
	return true;
}

static bool is_domain(struct slice word, struct slice domain, struct arena *arena)
{
	bool valid;

	word = domain_normalise(word, arena, &valid);
	return valid && slice_equal(word, domain);
}

/* The text contains no other domain, neither after an @ nor on its own. */
static bool names_only(struct slice text, struct slice domain, struct arena *arena)
{
	if (text.n == 0)
		return true;
	if (has_other_at(text) || author_has_encoded_word(text, arena))
		return false;
	for (size_t i = 0; i < text.n;) {
		bool at = text.p[i] == '@';
		struct slice word = word_at(text, i + at);
		bool local = !at && i + word.n < text.n && text.p[i + word.n] == '@';

		if ((at || (!local && looks_like_domain(word))) && !is_domain(word, domain, arena))
			return false;
		i += word.n > 0 ? word.n + at : 1;
	}
	return true;
}

struct slice author_shown(struct slice value, struct arena *arena)
{
	struct slice before, inside, after;
	struct address address;

	if (!split(value, &before, &inside, &after))
		return SLICE("");
	inside = slice_trim(inside);
	address = address_parse_path(inside, arena);
	if (!address.valid || address.domain.n == 0 || address.domain.p[0] == '[' || inside.p[0] == '@' ||
	    slice_find(inside, '@') != slice_find_last(inside, '@') || author_has_encoded_word(inside, arena))
		return SLICE("");
	if (!names_only(before, address.domain, arena) || !names_only(after, address.domain, arena))
		return SLICE("");
	return address.domain;
}
