/*
 * dnsbl_text.c - the text of an entry of a DNS list, made safe.
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

struct slice dnsbl_text(const struct dnsbl *list, const struct dns_answer *txt, struct arena *arena)
{
	struct slice from;
	struct text text;

	if (txt->status != DNS_OK || txt->count == 0)
		return SLICE("");
	text_init(&text, arena, DNSBL_TEXT_MAX);
	from = txt->records[0].text;
	while (from.n > 0 && !text.cut) {
		size_t secret = secret_at(list->zone, from);

		if (secret)
			text_add(&text, list->name);
		else
			add_printable(&text, from.p[0]);
		from = slice_from(from, secret ? secret : 1);
	}
	return slice_trim(text_slice(&text));
}
