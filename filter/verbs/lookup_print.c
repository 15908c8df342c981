/*
 * lookup_print.c - how the questions of `sekisho lookup` print: text from outside is
 * made safe for a terminal first.
 */
#include "lookup.h"
#include "verbs.h"

#include <stdio.h>

int lookup_usage(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "sekisho lookup: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "; see sekisho lookup --help\n");
	return VERB_USAGE;
}

struct slice lookup_safe(struct lookup *lookup, struct slice text)
{
	struct text out;

	text_init(&out, lookup->arena, 4 * text.n);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] >= ' ' && text.p[i] <= '~')
			text_add_char(&out, text.p[i]);
		else
			text_printf(&out, "\\%03u", (unsigned char)text.p[i]);
	}
	return text_slice(&out);
}

json_t *lookup_string(struct lookup *lookup, struct slice text)
{
	struct slice safe = lookup_safe(lookup, text);

	return json_stringn(safe.p, safe.n);
}

void lookup_print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}
