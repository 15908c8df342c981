/*
 * verify_before.c - `sekisho verify --before FILE AFTER`: who changed the body? What is different between a message as
 * it was sent and as it arrived, and which signatures of DKIM that breaks.
 */
#include "dkim.h"
#include "mime.h"
#include "verbs.h"
#include "verify.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX_BYTES (1024UL * 1024 * 1024)
#define SHOWN          70 /* bytes of a line */

struct seen_message {
	struct slice file, body, encoding;
	const struct dkim_digest *digests[2]; /* by canonicalisation */
};

static int read_message(const char *path, struct arena *arena, struct seen_message *message_r)
{
	struct slice name, value;
	struct dkim_body *body = dkim_body_new(arena);
	struct error err;

	*message_r = (struct seen_message){.encoding = SLICE("")};
	if (file_read(path, FILE_MAX_BYTES, &message_r->file, &err) < 0) {
		fprintf(stderr, "sekisho verify: %s\n", err.text);
		return VERB_NOINPUT;
	}
	message_r->body = message_r->file;
	while (message_next_field(&message_r->body, arena, &name, &value))
		if (slice_equal_nocase(slice_trim(name), SLICE("Content-Transfer-Encoding")))
			message_r->encoding = slice_trim(value);
	for (int kind = DKIM_SIMPLE; kind <= DKIM_RELAXED; kind++)
		message_r->digests[kind] = dkim_body_want(body, (enum dkim_canon)kind, DKIM_WHOLE);
	dkim_body_add(body, message_r->body);
	dkim_body_end(body);
	return VERB_OK;
}

static bool holds(const struct seen_message messages[2], enum dkim_canon kind)
{
	return memcmp(messages[0].digests[kind]->hash, messages[1].digests[kind]->hash, DKIM_SHA256_SIZE) == 0;
}

/* ---- output ------------------------------------------------------------------------------------ */

static const char *change_of(const struct body_difference *difference)
{
	if (difference->footer)
		return "footer";
	return difference->added ? "added" : difference->removed ? "removed" : "changed";
}

static void print_line(struct lookup *lookup, const char *when, struct slice line)
{
	struct slice shown = lookup_safe(lookup, slice_head(line, SHOWN));

	if (line.p)
		printf("        %-6s  %.*s%s\n", when, SLICE_ARGS(shown), line.n > SHOWN ? "..." : "");
	else
		printf("        %-6s  (the body ends)\n", when);
}

static void print_change(struct lookup *lookup, const struct body_difference *difference)
{
	if (difference->footer)
		printf("    a footer was added: %zu line%s from line %zu on\n", difference->added,
		       difference->added == 1 ? "" : "s", difference->line);
	else if (difference->added || difference->removed)
		printf("    %zu line%s %s, from line %zu on\n", difference->added + difference->removed,
		       difference->added + difference->removed == 1 ? " was" : "s were",
		       difference->added ? "added" : "removed", difference->line);
	else
		printf("    line %zu is the first that was changed\n", difference->line);
	print_line(lookup, "before:", difference->changed[0]);
	print_line(lookup, "after:", difference->changed[1]);
}

static void print_text(struct lookup *lookup, const char *file, const struct seen_message messages[2],
		       const struct body_difference *difference)
{
	struct slice encodings[2] = {lookup_safe(lookup, messages[0].encoding),
				     lookup_safe(lookup, messages[1].encoding)};

	printf("%s: the body %s\n", file, difference->same ? "is the same" : "was changed");
	if (difference->ends[0] != difference->ends[1])
		printf("    line ends: %s before, %s after\n", line_ends_names[difference->ends[0]],
		       line_ends_names[difference->ends[1]]);
	if (difference->seven_bits)
		printf("    8-bit text became 7-bit: Content-Transfer-Encoding was \"%.*s\" and is \"%.*s\"\n",
		       SLICE_ARGS(encodings[0]), SLICE_ARGS(encodings[1]));
	if (difference->decoded)
		printf("    the lines below are those of the decoded texts\n");
	if (difference->blank_line)
		printf("    blanks at the end of lines were changed, first in line %zu\n", difference->blank_line);
	if (difference->empty_lines[0] != difference->empty_lines[1])
		printf("    empty lines at the end: %zu before, %zu after\n", difference->empty_lines[0],
		       difference->empty_lines[1]);
	if (difference->line)
		print_change(lookup, difference);
	printf("    DKIM: the body hash of c=simple %s, of c=relaxed %s\n",
	       holds(messages, DKIM_SIMPLE) ? "holds" : "breaks", holds(messages, DKIM_RELAXED) ? "holds" : "breaks");
}

static json_t *json_line(struct lookup *lookup, struct slice line)
{
	return line.p ? lookup_string(lookup, slice_head(line, SHOWN)) : json_null();
}

static void print_json(struct lookup *lookup, const char *file, const struct seen_message messages[2],
		       const struct body_difference *difference)
{
	json_t *object = json_object();

	json_object_set_new(object, "file", lookup_string(lookup, slice_of(file)));
	json_object_set_new(object, "same", json_boolean(difference->same));
	json_object_set_new(object, "simple", json_boolean(holds(messages, DKIM_SIMPLE)));
	json_object_set_new(object, "relaxed", json_boolean(holds(messages, DKIM_RELAXED)));
	json_object_set_new(
	    object, "line-ends",
	    json_pack("[ss]", line_ends_names[difference->ends[0]], line_ends_names[difference->ends[1]]));
	json_object_set_new(object, "seven-bits", json_boolean(difference->seven_bits));
	json_object_set_new(object, "decoded", json_boolean(difference->decoded));
	json_object_set_new(object, "trailing-blanks",
			    difference->blank_line ? json_integer((json_int_t)difference->blank_line) : json_null());
	json_object_set_new(
	    object, "empty-lines",
	    json_pack("[II]", (json_int_t)difference->empty_lines[0], (json_int_t)difference->empty_lines[1]));
	if (difference->line) {
		json_object_set_new(object, "change", json_string(change_of(difference)));
		json_object_set_new(object, "line", json_integer((json_int_t)difference->line));
		json_object_set_new(object, "lines",
				    json_integer((json_int_t)(difference->added + difference->removed)));
		json_object_set_new(object, "before", json_line(lookup, difference->changed[0]));
		json_object_set_new(object, "after", json_line(lookup, difference->changed[1]));
	}
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

int verify_before(struct lookup *lookup, const char *before, const char *after)
{
	struct seen_message messages[2] = {{.encoding = SLICE("")}, {.encoding = SLICE("")}};
	int status = read_message(before, lookup->arena, &messages[0]);
	struct body_difference difference;

	if (status == VERB_OK)
		status = read_message(after, lookup->arena, &messages[1]);
	if (status == VERB_OK) {
		body_compare((struct slice[]){messages[0].body, messages[1].body},
			     (struct slice[]){messages[0].encoding, messages[1].encoding}, lookup->arena, &difference);
		(lookup->json ? print_json : print_text)(lookup, after, messages, &difference);
		status = holds(messages, DKIM_SIMPLE) ? VERB_OK : VERB_NO;
	}
	free((char *)messages[0].file.p);
	free((char *)messages[1].file.p);
	return status;
}
