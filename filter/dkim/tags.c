/*
 * tags.c - tag lists (RFC 6376 3.2), the form of signatures and of key records,
 * and the colon-separated lists in their values.
 *
 * Strict where an attacker could make two readers see different things: a tag that appears
 * twice, or a byte that no value may have, makes the list invalid.
 */
#include "dkim_private.h"

#define VECTOR 16 /* bytes that compilers look at at once */

/* ALPHA *( ALPHA / DIGIT / "_" ) */
static bool is_tag_name(struct slice name)
{
	if (name.n == 0 || !is_letter(name.p[0]))
		return false;
	for (size_t i = 1; i < name.n; i++)
		if (!is_letter(name.p[i]) && name.p[i] != '_' && !is_digit(name.p[i]))
			return false;
	return true;
}

static unsigned char is_odd(char c)
{
	return (unsigned char)((((unsigned char)c < ' ') & (c != '\t') & (c != '\n') & (c != '\r')) | (c == 0x7f));
}

/* RFC 6376 3.2 tag-value; RFC 8616 3 lets UTF-8 in. Without a branch for each byte: b= and bh= are long. */
static bool is_tag_value(struct slice value)
{
	unsigned char odd = 0;
	size_t at = 0;

	for (; value.n - at >= VECTOR; at += VECTOR)
		for (size_t i = 0; i < VECTOR; i++)
			odd |= is_odd(value.p[at + i]);
	for (; at < value.n; at++)
		odd |= is_odd(value.p[at]);
	return odd == 0;
}

static bool is_same(struct slice a, struct slice b)
{
	return a.n == b.n && a.p[0] == b.p[0] && slice_equal(a, b);
}

static const char *tag_add(struct tags *tags, struct slice spec)
{
	ptrdiff_t equals = slice_find(spec, '=');
	struct tag *tag = &tags->list[tags->count];

	if (equals < 0)
		return "a tag without =";
	tag->name = slice_trim(slice_head(spec, (size_t)equals));
	tag->raw = slice_from(spec, (size_t)equals + 1);
	tag->value = slice_trim(tag->raw);
	if (!is_tag_name(tag->name))
		return "the name of a tag is malformed";
	if (!is_tag_value(tag->value))
		return "a tag has control characters";
	for (size_t i = 0; i < tags->count; i++)
		if (is_same(tags->list[i].name, tag->name))
			return "a tag appears twice";
	tags->count++;
	return NULL;
}

const char *tags_parse(struct slice text, struct tags *tags_r)
{
	struct slice rest = text, spec;
	const char *wrong;

	tags_r->count = 0;
	while (slice_cut(&rest, ';', &spec)) {
		if (rest.p == NULL && slice_trim(spec).n == 0 && tags_r->count > 0)
			return NULL; /* one semicolon may end the list */
		if (tags_r->count == TAGS_MAX)
			return "too many tags";
		wrong = tag_add(tags_r, spec);
		if (wrong)
			return wrong;
	}
	return tags_r->count > 0 ? NULL : "no tags";
}

const struct tag *tags_find(const struct tags *tags, const char *name)
{
	const struct slice wanted = slice_of(name);

	for (size_t i = 0; i < tags->count; i++)
		if (is_same(tags->list[i].name, wanted))
			return &tags->list[i];
	return NULL;
}

struct slice tags_glance(struct slice text, char name)
{
	struct slice spec;

	for (int i = 0; i < TAGS_MAX && slice_cut(&text, ';', &spec); i++) {
		spec = slice_trim(spec);
		if (spec.n < 2 || spec.p[0] != name)
			continue;
		spec = slice_trim(slice_from(spec, 1));
		if (spec.n > 0 && spec.p[0] == '=')
			return slice_trim(slice_from(spec, 1));
	}
	return SLICE("");
}

bool items_next(struct slice *rest, struct slice *item_r)
{
	if (!slice_cut(rest, ':', item_r))
		return false;
	*item_r = slice_trim(*item_r);
	return true;
}

bool items_have(struct slice list, struct slice word)
{
	struct slice item;

	while (items_next(&list, &item))
		if (slice_equal_nocase(item, word))
			return true;
	return false;
}
