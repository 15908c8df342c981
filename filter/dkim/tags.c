/*
 * tags.c - tag lists (RFC 6376 3.2), the form of signatures and of key records,
 * and the colon-separated lists in their values.
 *
 * Strict where an attacker could make two readers see different things: a tag that stands
 * twice, or a byte that no value may have, spoils the whole list.
 */
#include "dkim_private.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ALPHA *( ALPHA / DIGIT / "_" ) */
static bool is_tag_name(struct slice name)
{
	if (name.n == 0 || !is_letter(name.p[0]))
		return false;
	for (size_t i = 1; i < name.n; i++)
		if (!is_letter(name.p[i]) && name.p[i] != '_' && (name.p[i] < '0' || name.p[i] > '9'))
			return false;
	return true;
}

/* RFC 6376 3.2 tag-value; RFC 8616 3 lets UTF-8 in. */
static bool is_tag_value(struct slice value)
{
	for (size_t i = 0; i < value.n; i++)
		if (((unsigned char)value.p[i] < ' ' && !is_blank(value.p[i])) || value.p[i] == 0x7f)
			return false;
	return true;
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
		return "a tag has no proper name";
	if (!is_tag_value(tag->value))
		return "a tag has control characters";
	for (size_t i = 0; i < tags->count; i++)
		if (slice_equal(tags->list[i].name, tag->name))
			return "a tag stands twice";
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
	for (size_t i = 0; i < tags->count; i++)
		if (slice_equal(tags->list[i].name, slice_of(name)))
			return &tags->list[i];
	return NULL;
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
		if (slice_equal(item, word))
			return true;
	return false;
}
