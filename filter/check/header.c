/*
 * header.c - header fields by name, and what is in them: addresses, identifiers.
 */
#include "check_private.h"

#define LIST_ID_MAX 1000 /* bytes of a List-Id field that is read; RFC 2919 2 allows 255 for the identifier */

/* The first (topmost) field of that name; NULL: none. */
static const struct header_field *find_first(const struct view *view, struct slice name)
{
	const struct headers *headers = &view->message->headers;

	for (size_t i = 0; i < headers->count; i++)
		if (header_is_named(&headers->fields[i], name))
			return &headers->fields[i];
	return NULL;
}

/* Unfolded. An empty field counts as set. */
static struct value get_header(struct view *view, struct argument name)
{
	const struct header_field *field = find_first(view, name.text);

	if (!field)
		return value_absent(TYPE_STRING);
	return (struct value){
	    .state = VALUE_SET, .type = TYPE_STRING, .text = header_unfold(field->value, view->message->arena)};
}

static struct value get_count(struct view *view, struct argument name)
{
	const struct headers *headers = &view->message->headers;
	unsigned count = 0;

	for (size_t i = 0; i < headers->count; i++)
		count += header_is_named(&headers->fields[i], name.text);
	return value_number(count);
}

/* Every mailbox of all fields of that name; NULL: the first one is all. */
static const struct mailboxes *all_mailboxes(struct view *view, struct slice name, const struct authors *first)
{
	struct arena *arena = view->message->arena;
	struct mailboxes *all;

	if (first->mailbox_count == 1 && get_count(view, (struct argument){.text = name}).number == 1)
		return NULL;
	all = arena_alloc(arena, sizeof(*all));
	mailboxes_init(all, arena);
	mailboxes_add(all, &view->message->headers, name, arena);
	return all;
}

/* The first mailbox. For a field that is not a list of addresses it is an address that matches nobody, as for From: no
 * rule trusts what readers may show differently. */
static struct value get_address(struct view *view, struct argument name)
{
	const struct header_field *field = find_first(view, name.text);
	struct value value = {.state = VALUE_SET, .type = TYPE_ADDRESS};
	struct authors mailboxes;
	struct slice text;

	text = field ? header_unfold(field->value, view->message->arena) : SLICE("");
	if (!text.n)
		return value_absent(TYPE_ADDRESS);
	author_read(field->value, view->message->arena, &mailboxes);
	if (mailboxes.mailbox_count > 0)
		value.address = mailboxes.first;
	else
		value.address = (struct address){.text = text, .local = SLICE(""), .domain = SLICE("")};
	value.mailboxes = all_mailboxes(view, name.text, &mailboxes);
	return value;
}

static struct value get_domain(struct view *view, struct argument name)
{
	struct value value = fact_get(view, fact_find(SLICE("header.address")), name);

	return value.state == VALUE_SET ? value_text(TYPE_DOMAIN, value.address.domain) : value_absent(TYPE_DOMAIN);
}

static struct value get_message_id(struct view *view)
{
	const struct header_field *field = find_first(view, SLICE("Message-ID"));

	return value_text(TYPE_STRING, field ? header_unfold(field->value, view->message->arena) : SLICE(""));
}

/* RFC 2919 2: what is in angle brackets at the end; all of it where there are none. */
static struct value get_list_id(struct view *view)
{
	const struct header_field *field = find_first(view, SLICE("List-Id"));
	struct slice text = field ? slice_trim(field->value) : SLICE("");
	ptrdiff_t open = slice_find_last(text, '<');
	bool valid;

	if (text.n == 0 || text.n > LIST_ID_MAX)
		return value_absent(TYPE_DOMAIN);
	if (open >= 0 && text.p[text.n - 1] == '>')
		text = slice_head(slice_from(text, (size_t)open + 1), text.n - (size_t)open - 2);
	return value_text(TYPE_DOMAIN, domain_normalise(slice_trim(text), view->message->arena, &valid));
}

static const struct fact facts[] = {
    FACT("header", STRING, MESSAGE, NULL, "the first header field of that name", .argument = ARGUMENT_HEADER,
	 .get_of = get_header, .needs = NEED_HEADERS),
    FACT("header.count", NUMBER, MESSAGE, NULL, "how many header fields of that name there are",
	 .argument = ARGUMENT_HEADER, .get_of = get_count, .needs = NEED_HEADERS),
    FACT("header.address", ADDRESS, MESSAGE, NULL, "the first address in that field", .argument = ARGUMENT_HEADER,
	 .get_of = get_address, .needs = NEED_HEADERS),
    FACT("header.domain", DOMAIN, MESSAGE, NULL, "its domain", .argument = ARGUMENT_HEADER, .get_of = get_domain,
	 .needs = NEED_HEADERS),
    FACT("message-id", STRING, MESSAGE, get_message_id, "the Message-ID field", .needs = NEED_HEADERS,
	 .recorded = true),
    FACT("list-id", DOMAIN, MESSAGE, get_list_id, "the identifier in the List-Id field", .needs = NEED_HEADERS),
};

const struct check check_header = {CHECK_NAMED(header), FACTS(facts)};
