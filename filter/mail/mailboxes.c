/*
 * mailboxes.c - all mailboxes that fields of a message name, for rules that ask about every one of them.
 */
#include "mail.h"

#define PRINTED_MAX 4096 /* bytes of all addresses, where they are shown */

void mailboxes_init(struct mailboxes *mailboxes, struct arena *arena)
{
	*mailboxes = (struct mailboxes){.items = arena_raw(arena, (MAILBOXES_MAX + 1) * sizeof(struct address))};
}

static struct address nobody(struct slice field, struct arena *arena)
{
	return (struct address){.text = header_unfold(field, arena), .local = SLICE(""), .domain = SLICE("")};
}

/* The last place is for an address that is nobody's. */
void mailboxes_put(struct mailboxes *mailboxes, struct address address)
{
	if (mailboxes->count == MAILBOXES_MAX)
		address = (struct address){.text = address.text, .local = SLICE(""), .domain = SLICE("")};
	if (mailboxes->count <= MAILBOXES_MAX)
		mailboxes->items[mailboxes->count++] = address;
}

static void add_field(struct mailboxes *mailboxes, struct slice field, struct arena *arena)
{
	struct authors read;

	if (mailboxes->count > MAILBOXES_MAX)
		return;
	author_read(field, arena, &read);
	if (read.mailbox_count == 0) /* not valid, or an empty group */
		mailboxes_put(mailboxes, nobody(field, arena));
	for (size_t i = 0; i < read.mailbox_count; i++)
		mailboxes_put(mailboxes, read.mailboxes ? read.mailboxes[i] : read.first);
}

size_t mailboxes_add(struct mailboxes *mailboxes, const struct headers *headers, struct slice name, struct arena *arena)
{
	size_t fields = 0;

	for (size_t i = 0; i < headers->count; i++) {
		if (!header_is_named(&headers->fields[i], name))
			continue;
		add_field(mailboxes, headers->fields[i].value, arena);
		fields++;
	}
	return fields;
}

struct slice mailboxes_print(const struct mailboxes *mailboxes, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, PRINTED_MAX);
	for (size_t i = 0; i < mailboxes->count; i++) {
		text_add(&text, i > 0 ? SLICE(", ") : SLICE(""));
		text_add(&text, mailboxes->items[i].text);
	}
	return text_slice(&text);
}
