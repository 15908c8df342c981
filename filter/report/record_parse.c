/*
 * record_parse.c - a record as it was before it was a line.
 *
 * A line that is not ours, or in parts not what it should be, gives a record that lacks those parts.
 */
#include "json.h"
#include "report.h"

#include <string.h>

static struct slice text_in(const json_t *value)
{
	return json_is_string(value) ? (struct slice){json_string_value(value), json_string_length(value)} : SLICE("");
}

static struct slice text_of(const json_t *object, const char *name)
{
	return text_in(json_object_get(object, name));
}

static int64_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static const struct record_fact *read_facts(const json_t *object, struct arena *arena, size_t *count_r)
{
	struct record_fact *facts = arena_alloc(arena, (json_object_size(object) + 1) * sizeof(*facts));
	const char *name;
	json_t *value;

	*count_r = 0;
	json_object_foreach((json_t *)object, name, value)
	{
		struct record_fact *fact = &facts[(*count_r)++];

		fact->name = slice_of(name);
		fact->form = json_is_string(value)    ? RECORD_TEXT
			     : json_is_integer(value) ? RECORD_NUMBER
			     : json_is_boolean(value) ? RECORD_BOOL
						      : RECORD_NULL;
		fact->text = text_in(value);
		fact->number = json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);
	}
	return facts;
}

static void read_recipients(const json_t *object, struct arena *arena, struct record *record)
{
	const json_t *all = json_object_get(object, "recipients"), *refused = json_object_get(object, "refused");
	struct record_recipient *recipients = arena_alloc(arena, (json_array_size(all) + 1) * sizeof(*recipients));

	record->recipients = recipients;
	record->recipient_count = json_array_size(all);
	for (size_t i = 0; i < record->recipient_count; i++)
		recipients[i].address = text_in(json_array_get(all, i));
	for (size_t i = 0; i < json_array_size(refused); i++) {
		const json_t *one = json_array_get(refused, i);
		struct slice address = text_of(one, "recipient");

		for (size_t k = 0; k < record->recipient_count; k++) {
			if (!slice_equal(recipients[k].address, address) || recipients[k].reply.n)
				continue;
			recipients[k].verdict = text_of(one, "verdict");
			recipients[k].reply = text_of(one, "reply");
			recipients[k].rule = text_of(one, "rule");
			break;
		}
	}
}

static const struct slice *read_texts(const json_t *array, struct arena *arena, size_t *count_r)
{
	struct slice *texts = arena_alloc(arena, (json_array_size(array) + 1) * sizeof(*texts));

	*count_r = json_array_size(array);
	for (size_t i = 0; i < *count_r; i++)
		texts[i] = text_in(json_array_get(array, i));
	return texts;
}

static void read_notes(const json_t *object, struct arena *arena, struct record *record)
{
	const json_t *notes = json_object_get(object, "notes"), *scores = json_object_get(object, "scores");
	struct record_note *note = arena_alloc(arena, (json_array_size(notes) + 1) * sizeof(*note));
	struct record_score *score = arena_alloc(arena, (json_array_size(scores) + 1) * sizeof(*score));

	record->notes = note;
	record->note_count = json_array_size(notes);
	for (size_t i = 0; i < record->note_count; i++) {
		const json_t *one = json_array_get(notes, i);

		note[i] = (struct record_note){text_of(one, "kind"), text_of(one, "rule"), text_of(one, "text")};
	}
	record->scores = score;
	record->score_count = json_array_size(scores);
	for (size_t i = 0; i < record->score_count; i++) {
		const json_t *one = json_array_get(scores, i);

		score[i] = (struct record_score){number_of(one, "points"), text_of(one, "rule"), text_of(one, "why")};
	}
}

static void read_questions(const json_t *array, struct arena *arena, struct record *record)
{
	struct record_question *questions = arena_alloc(arena, (json_array_size(array) + 1) * sizeof(*questions));

	record->questions = questions;
	record->question_count = json_array_size(array);
	for (size_t i = 0; i < record->question_count; i++) {
		const json_t *one = json_array_get(array, i);

		questions[i] = (struct record_question){
		    .name = text_of(one, "name"),
		    .answer = text_of(one, "answer"),
		    .type = json_is_string(json_object_get(one, "type"))
				? json_string_value(json_object_get(one, "type"))
				: "",
		};
	}
}

static void read_head(const json_t *object, struct record *record)
{
	record->case_id = text_of(object, "case");
	record->queue_id = text_of(object, "queue-id");
	record->client = text_of(object, "client");
	record->client_name = text_of(object, "client.name");
	record->helo = text_of(object, "helo");
	record->kind = text_of(object, "kind");
	record->sender = text_of(object, "sender");
	record->tenant = text_of(object, "tenant");
	record->verdict = text_of(object, "verdict");
	record->told = text_of(object, "told");
	record->stage = text_of(object, "stage");
	record->rule = text_of(object, "rule");
	record->reply = text_of(object, "reply");
	record->quarantine = text_of(object, "quarantine");
	record->footer = text_of(object, "footer");
	record->hidden = json_is_true(json_object_get(object, "hidden"));
	if (json_object_get(object, "new-sender"))
		record->new_sender = text_of(object, "new-sender");
	record->score = number_of(object, "score");
	record->dns_us = number_of(object, "dns-us");
	record->total_us = number_of(object, "total-us");
	record->dns_questions = (unsigned)number_of(object, "dns-questions");
	record->dns_stale = (unsigned)number_of(object, "dns-stale");
}

json_t *record_parse(struct slice line, struct arena *arena, struct record *record_r)
{
	json_t *object = json_loadb(line.p, line.n, 0, NULL);

	memset(record_r, 0, sizeof(*record_r));
	if (!json_is_object(object) || !json_object_get(object, "verdict")) {
		json_decref(object);
		return NULL;
	}
	read_head(object, record_r);
	read_recipients(object, arena, record_r);
	record_r->facts = read_facts(json_object_get(object, "facts"), arena, &record_r->fact_count);
	record_r->vars = read_facts(json_object_get(object, "vars"), arena, &record_r->var_count);
	record_r->added = read_texts(json_object_get(object, "added"), arena, &record_r->added_count);
	record_r->removed = read_texts(json_object_get(object, "removed"), arena, &record_r->removed_count);
	read_notes(object, arena, record_r);
	read_questions(json_object_get(object, "dns"), arena, record_r);
	return object;
}
