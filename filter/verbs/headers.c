/*
 * headers.c - `sekisho headers`: reads the header of a message for a person: the way it took, who says what about its
 * origin, and what does not fit together.
 */
#include "headers.h"
#include "option.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX (256u * 1024 * 1024)

static const char help[] =
    "usage: sekisho headers [--json] FILE\n"
    "\n"
    "Reads the header of a message (\"-\": standard input) for a person: each hop with its delay and encryption, who "
    "first\n"
    "took it, authentication results and by whom, and what is inconsistent. Nothing is looked up: a header says what "
    "its\n"
    "writers wanted it to say.\n"
    "\n"
    "  --json  one JSON object\n"
    "\n"
    "Exit code: 0 when nothing is inconsistent; 1 when something is, or the file has no header; 64 wrong usage;\n"
    "66 the file cannot be read.\n";

/* False: there is no header field at all. */
static bool read_fields(struct reading *reading, struct slice text)
{
	struct slice name, value;

	while (!reading->headers.too_large && message_next_field(&text, reading->lookup->arena, &name, &value))
		headers_add(&reading->headers, name, value);
	return reading->headers.count > 0;
}

/* The topmost Received field was written last: hops are in the order of time. */
static void read_hops(struct reading *reading)
{
	const struct headers *headers = &reading->headers;
	unsigned all = 0;

	for (size_t i = 0; i < headers->count; i++)
		all += header_is_named(&headers->fields[i], SLICE("Received"));
	reading->hops_left_out = all > HOPS_MAX ? all - HOPS_MAX : 0;
	reading->hop_count = all - reading->hops_left_out;
	for (size_t i = 0, n = 0; i < headers->count && n < reading->hop_count; i++)
		if (header_is_named(&headers->fields[i], SLICE("Received"))) {
			n++;
			hop_read(headers->fields[i].value, reading->lookup->arena,
				 &reading->hops[reading->hop_count - n]);
		}
}

static int show(struct lookup *lookup, struct slice text)
{
	struct reading *reading = arena_alloc(lookup->arena, sizeof(*reading));

	reading->lookup = lookup;
	headers_init(&reading->headers, lookup->arena);
	if (!read_fields(reading, text)) {
		fprintf(stderr, "sekisho headers: the file does not begin with a header field\n");
		return VERB_NO;
	}
	read_hops(reading);
	reading->sheet = sheet_new(lookup);
	reading->object = json_object();
	headers_show_message(reading);
	headers_show_hops(reading);
	headers_show_results(reading);
	headers_judge(reading);
	sheet_finish(reading->sheet, reading->object);
	return sheet_is_wrong(reading->sheet) ? VERB_NO : VERB_OK;
}

int verb_headers(int argc, char **argv)
{
	static const struct option known[] = {
	    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL}};
	struct lookup lookup = {.verb = "headers"};
	struct slice text;
	struct error err;
	int c, status;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return VERB_OK;
		}
		if (c != 'j')
			return option_usage(argc, argv, "h", known);
		lookup.json = true;
	}
	if (argc - optind != 1) {
		fprintf(stderr, "sekisho headers: one file is needed; see sekisho headers --help\n");
		return VERB_USAGE;
	}
	if (file_read(argv[optind], MESSAGE_MAX, &text, &err) < 0) {
		fprintf(stderr, "sekisho headers: %s\n", err.text);
		return VERB_NOINPUT;
	}
	lookup.arena = arena_new();
	status = show(&lookup, text);
	arena_free(lookup.arena);
	free((char *)text.p);
	return status;
}
