/*
 * record.c - the record of a message as one JSON object and as one line.
 *
 * Everything in it may come from a stranger: texts are cut, bytes that are not
 * UTF-8 are written as \xNN, and a line never passes its limit. What is left out
 * first is what is worth least: facts, notes, recipients, the tails of texts.
 */
#include "report.h"
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX       512 /* of one text in a record; a Subject may be a megabyte */
#define RECIPIENTS_MAX 100 /* listed by name; all are counted */

/* How much of a record is shown. */
struct amount {
	bool facts, notes;
	size_t recipients, text;
};

/* From all to what fits under any limit: eight texts of 16 bytes, six characters each at worst. */
static const struct amount amounts[] = {
    {true, true, RECIPIENTS_MAX, TEXT_MAX},
    {false, true, RECIPIENTS_MAX, TEXT_MAX},
    {false, false, RECIPIENTS_MAX, TEXT_MAX},
    {false, false, 5, TEXT_MAX},
    {false, false, 1, 64},
    {false, false, 0, 16},
};

/* NUL and each byte that is not ASCII become \xNN: four characters at most for one. */
static json_t *json_escaped(struct slice text)
{
	char *out = xmalloc(text.n * 4 + 1);
	size_t n = 0;
	json_t *json;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (c != 0 && c < 0x80) {
			out[n++] = (char)c;
		} else {
			static const char digits[] = "0123456789abcdef";
			memcpy(out + n, (char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4);
			n += 4;
		}
	}
	json = json_stringn(out, n);
	free(out);
	return json;
}

json_t *json_text(struct slice text)
{
	/* A NUL is legal JSON, and breaks most of what reads logs. */
	bool plain = !text.n || !memchr(text.p, '\0', text.n);
	json_t *json = plain ? json_stringn(text.p ? text.p : "", text.n) : NULL;

	return json ? json : json_escaped(text);
}

/* Cut before a character, not inside one. */
static json_t *json_cut(struct slice text, size_t limit)
{
	if (text.n <= limit)
		return json_text(text);
	while (limit > 0 && ((unsigned char)text.p[limit] & 0xc0) == 0x80)
		limit--;
	return json_text(slice_head(text, limit));
}

static void set_text(json_t *object, const char *name, struct slice text, size_t limit)
{
	json_object_set_new(object, name, json_cut(text, limit));
}

/* As set_text; an empty text is null. */
static void set_or_null(json_t *object, const char *name, struct slice text, size_t limit)
{
	json_object_set_new(object, name, text.n ? json_cut(text, limit) : json_null());
}

static json_t *fact_json(const struct record_fact *fact, size_t limit)
{
	switch (fact->form) {
	case RECORD_NUMBER:
		return json_integer(fact->number);
	case RECORD_BOOL:
		return json_boolean(fact->number != 0);
	case RECORD_NULL:
		return json_null();
	case RECORD_TEXT:
		break;
	}
	return json_cut(fact->text, limit);
}

json_t *record_facts_json(const struct record *record)
{
	json_t *facts = json_object();

	for (size_t i = 0; i < record->fact_count; i++) {
		char name[128];
		const struct record_fact *fact = &record->facts[i];

		snprintf(name, sizeof(name), "%.*s", SLICE_ARGS(fact->name));
		json_object_set_new(facts, name, fact_json(fact, TEXT_MAX));
	}
	return facts;
}

static json_t *notes_json(const struct record *record, size_t limit)
{
	json_t *notes = json_array();

	for (size_t i = 0; i < record->note_count; i++) {
		json_t *note = json_object();
		set_text(note, "kind", record->notes[i].kind, limit);
		set_text(note, "rule", record->notes[i].rule, limit);
		set_text(note, "text", record->notes[i].text, limit);
		json_array_append_new(notes, note);
	}
	return notes;
}

static void add_recipients(json_t *object, const struct record *record, const struct amount *amount)
{
	json_t *all = json_array(), *refused = json_array();

	for (size_t i = 0; i < record->recipient_count && i < amount->recipients; i++) {
		const struct record_recipient *recipient = &record->recipients[i];

		json_array_append_new(all, json_cut(recipient->address, amount->text));
		if (!recipient->reply.n)
			continue;
		json_t *one = json_object();
		set_text(one, "recipient", recipient->address, amount->text);
		set_text(one, "verdict", recipient->verdict, amount->text);
		set_text(one, "reply", recipient->reply, amount->text);
		set_text(one, "rule", recipient->rule, amount->text);
		json_array_append_new(refused, one);
	}
	json_object_set_new(object, "recipients", all);
	if (json_array_size(refused))
		json_object_set(object, "refused", refused);
	json_decref(refused);
	if (record->recipient_count > amount->recipients)
		json_object_set_new(object, "recipient-count", json_integer((json_int_t)record->recipient_count));
}

static json_t *build(const struct record *record, const struct amount *amount)
{
	json_t *object = json_object();
	struct arena *arena = arena_new();

	json_object_set_new(object, "v", json_integer(RECORD_VERSION));
	set_text(object, "time", clock_print(record->time_us, arena), TEXT_MAX);
	set_text(object, "verdict", record->verdict, amount->text);
	set_or_null(object, "rule", record->rule, amount->text);
	set_or_null(object, "reply", record->reply, amount->text);
	set_or_null(object, "stage", record->stage, amount->text);
	if (record->quarantine.n)
		set_text(object, "quarantine", record->quarantine, amount->text);
	set_text(object, "kind", record->kind, amount->text);
	set_or_null(object, "queue-id", record->queue_id, amount->text);
	set_or_null(object, "client", record->client, amount->text);
	set_or_null(object, "client.name", record->client_name, amount->text);
	set_or_null(object, "helo", record->helo, amount->text);
	set_text(object, "sender", record->sender, amount->text);
	add_recipients(object, record, amount);
	if (amount->facts)
		json_object_set_new(object, "facts", record_facts_json(record));
	if (amount->notes && record->note_count)
		json_object_set_new(object, "notes", notes_json(record, amount->text));
	json_object_set_new(object, "dns-us", json_integer(record->dns_us));
	json_object_set_new(object, "dns-questions", json_integer(record->dns_questions));
	if (record->dns_stale)
		json_object_set_new(object, "dns-stale", json_integer(record->dns_stale));
	json_object_set_new(object, "total-us", json_integer(record->total_us));
	arena_free(arena);
	return object;
}

json_t *record_json(const struct record *record)
{
	return build(record, &amounts[0]);
}

char *record_line(const struct record *record, size_t limit)
{
	const size_t count = sizeof(amounts) / sizeof(amounts[0]);

	for (size_t i = 0; i < count; i++) {
		json_t *object = build(record, &amounts[i]);
		if (i > 0)
			json_object_set_new(object, "truncated", json_true());
		char *line = json_dumps(object, JSON_COMPACT);
		json_decref(object);
		if (!line)
			die("no memory for a record");
		if (strlen(line) <= limit || i + 1 == count)
			return line;
		free(line);
	}
	return NULL; /* not reached: the last amount is always returned */
}
