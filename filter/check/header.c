/*
 * header.c - header fields by name.
 */
#include "check_private.h"

/* The first field of that name, unfolded. One that is there and empty is set. */
static struct value get_header(struct view *view, struct slice name)
{
	const struct headers *headers = &view->message->headers;

	for (size_t i = 0; i < headers->count; i++)
		if (header_is_named(&headers->fields[i], name))
			return (struct value){.state = VALUE_SET,
					      .type = TYPE_STRING,
					      .text = header_unfold(headers->fields[i].value, view->message->arena)};
	return value_absent(TYPE_STRING);
}

static struct value get_count(struct view *view, struct slice name)
{
	const struct headers *headers = &view->message->headers;
	unsigned count = 0;

	for (size_t i = 0; i < headers->count; i++)
		count += header_is_named(&headers->fields[i], name);
	return value_number(count);
}

static const struct fact facts[] = {
    {"header", TYPE_STRING, true, SCOPE_MESSAGE, STAGE_MESSAGE, NEED_HEADERS, NULL, get_header,
     "the first header field of that name"},
    {"header.count", TYPE_NUMBER, true, SCOPE_MESSAGE, STAGE_MESSAGE, NEED_HEADERS, NULL, get_count,
     "how many header fields of that name there are"},
};

const struct check check_header = {.number = CHECK_HEADER, .name = "header", FACTS(facts)};
