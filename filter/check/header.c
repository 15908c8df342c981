/*
 * header.c - header fields by name.
 */
#include "check_private.h"

/* The first field of that name, unfolded. One that is there and empty is set. */
static struct value get_header(struct view *view, struct argument name)
{
	const struct headers *headers = &view->message->headers;

	for (size_t i = 0; i < headers->count; i++)
		if (header_is_named(&headers->fields[i], name.text))
			return (struct value){.state = VALUE_SET,
					      .type = TYPE_STRING,
					      .text = header_unfold(headers->fields[i].value, view->message->arena)};
	return value_absent(TYPE_STRING);
}

static struct value get_count(struct view *view, struct argument name)
{
	const struct headers *headers = &view->message->headers;
	unsigned count = 0;

	for (size_t i = 0; i < headers->count; i++)
		count += header_is_named(&headers->fields[i], name.text);
	return value_number(count);
}

static const struct fact facts[] = {
    FACT("header", STRING, MESSAGE, NULL, "the first header field of that name", .argument = ARGUMENT_HEADER,
	 .get_of = get_header, .needs = NEED_HEADERS),
    FACT("header.count", NUMBER, MESSAGE, NULL, "how many header fields of that name there are",
	 .argument = ARGUMENT_HEADER, .get_of = get_count, .needs = NEED_HEADERS),
};

const struct check check_header = {CHECK_NAMED(header), FACTS(facts)};
