/*
 * dnsbl_text.c - the text of an entry of a DNS list, made safe, and what is kept of the questions to it.
 *
 * Whoever runs the list, or answers in its place, chooses the text: up to 64 KB of any bytes.
 */
#include "dnsbl_private.h"

#define KEY_LABEL_MIN 16 /* keys in the names of zones are random and longer; "spamhaus" is shorter */

/* How much of the text begins with the name of the zone or with a label of it that can be a key; 0: nothing. */
static size_t secret_at(struct slice zone, struct slice text)
{
	struct slice rest = zone, label;

	if (slice_starts_nocase(text, zone))
		return zone.n;
	while (slice_cut(&rest, '.', &label))
		if (label.n >= KEY_LABEL_MIN && slice_starts_nocase(text, label))
			return label.n;
	return 0;
}

static void add_printable(struct text *text, char c)
{
	bool blank = is_space(c) || is_control(c);

	if (!blank)
		text_add_char(text, (unsigned char)c < 0x80 ? c : '?');
	else if (text->n > 0 && text->p[text->n - 1] != ' ')
		text_add_char(text, ' ');
}

/* Printable, and with the name of the list in the place of what may be a key. */
static void add_safe(const struct dnsbl *list, struct text *text, struct slice from)
{
	while (from.n > 0 && !text->cut) {
		size_t secret = secret_at(list->zone, from);

		if (secret)
			text_add(text, list->name);
		else
			add_printable(text, from.p[0]);
		from = slice_from(from, secret ? secret : 1);
	}
}

struct slice dnsbl_text(const struct dnsbl *list, struct slice from, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, DNSBL_TEXT_MAX);
	add_safe(list, &text, from);
	return slice_trim(text_slice(&text));
}

static bool is_in_zone(struct slice name, struct slice zone)
{
	return name.n > zone.n && name.p[name.n - zone.n - 1] == '.' &&
	       slice_equal_nocase(slice_from(name, name.n - zone.n), zone);
}

void dnsbl_shown(const struct check_settings *settings, struct slice *name, struct slice *answer, struct arena *arena)
{
	const struct check_block *block = &settings->blocks[CHECK_NUMBER_dnsbl];
	const struct dnsbl *lists = block->first;
	struct text text;

	for (size_t i = 0; i < block->count; i++) {
		if (!is_in_zone(*name, lists[i].zone))
			continue;
		*name = arena_join(arena, slice_head(*name, name->n - lists[i].zone.n), lists[i].name);
		text_init(&text, arena, answer->n + lists[i].name.n + DNSBL_TEXT_MAX);
		add_safe(&lists[i], &text, *answer);
		*answer = text_slice(&text);
		return;
	}
}
