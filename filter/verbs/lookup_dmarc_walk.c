/*
 * lookup_dmarc_walk.c - the walk of RFC 9989 question by question.
 */
#include "lookup_dmarc.h"

#include <stdio.h>

json_t *lookup_string_or_null(struct lookup *lookup, struct slice text)
{
	return text.n ? lookup_string(lookup, text) : json_null();
}

/* "no record", "2 records: none of them counts", "no such name", ... */
static const char *step_trouble(const struct dmarc_step *step)
{
	static const char *const statuses[] = {
	    [DNS_OK] = "other TXT records only",
	    [DNS_NODATA] = "no TXT record",
	    [DNS_NXDOMAIN] = "no such name",
	    [DNS_TEMPFAIL] = "no answer: a temporary DNS failure",
	};

	return step->records > 1 ? "several DMARC records: none of them counts" : statuses[step->status];
}

#define TEXTS_SHOWN 10 /* TXT records of a name; honest ones have one */

static json_t *json_texts(struct lookup *lookup, const struct dns_answer *answer)
{
	json_t *array = json_array();

	for (size_t i = 0; i < answer->count && i < TEXTS_SHOWN; i++)
		json_array_append_new(array, lookup_string(lookup, answer->records[i].text));
	return array;
}

/* What is there instead of a record. */
static void print_texts(struct lookup *lookup, const struct dmarc_step *step)
{
	for (size_t i = 0; step->answer && i < step->answer->count && i < TEXTS_SHOWN; i++) {
		struct slice text = lookup_safe(lookup, step->answer->records[i].text);

		printf("    \"%.*s\"\n", SLICE_ARGS(text));
	}
}

json_t *lookup_dmarc_walk(struct lookup *lookup, const struct dmarc_walk *walk)
{
	json_t *array = json_array();

	for (size_t i = 0; i < walk->count; i++) {
		const struct dmarc_step *step = &walk->steps[i];
		json_t *object = json_object();
		struct slice name = arena_printf(lookup->arena, "_dmarc.%.*s", SLICE_ARGS(step->name));

		json_object_set_new(object, "name", lookup_string(lookup, name));
		json_object_set_new(object, "status", json_string(dns_status_names[step->status]));
		json_object_set_new(object, "records", json_integer((json_int_t)step->records));
		json_object_set_new(object, "record",
				    step->record ? lookup_string(lookup, step->record->text) : json_null());
		if (!step->record && step->answer && step->answer->count > 0)
			json_object_set_new(object, "texts", json_texts(lookup, step->answer));
		json_array_append_new(array, object);
	}
	return array;
}

void lookup_dmarc_print_walk(struct lookup *lookup, const struct dmarc_walk *walk)
{
	for (size_t i = 0; i < walk->count; i++) {
		const struct dmarc_step *step = &walk->steps[i];
		struct slice text = step->record ? lookup_safe(lookup, step->record->text) : SLICE("");

		printf("_dmarc.%.*s: %.*s%s\n", SLICE_ARGS(step->name), SLICE_ARGS(text),
		       step->record ? "" : step_trouble(step));
		if (!step->record)
			print_texts(lookup, step);
	}
}
