/*
 * replay_facts.c - the facts of a record, in the place of those of a message.
 */
#include "gate_private.h"

#include <stdlib.h>
#include <string.h>

struct fact_names {
	const struct fact *sorted[FACT_MAX];
	size_t count;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct fact *const *)a)->name, (*(const struct fact *const *)b)->name);
}

struct fact_names *fact_names_new(void)
{
	struct fact_names *names = xmalloc(sizeof(*names));
	const struct fact *fact;

	for (names->count = 0; (fact = fact_at((unsigned)names->count)) != NULL; names->count++)
		names->sorted[names->count] = fact;
	qsort(names->sorted, names->count, sizeof(names->sorted[0]), compare_names);
	return names;
}

void fact_names_free(struct fact_names *names)
{
	free(names);
}

static const struct fact *find_name(const struct fact_names *names, struct slice name)
{
	size_t low = 0, high = names->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *found = names->sorted[middle]->name;
		int order = strncmp(name.p, found, name.n);

		if (order == 0 && found[name.n] == '\0')
			return names->sorted[middle];
		if (order < 0 || (order == 0 && found[name.n]))
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* ---- values ------------------------------------------------------------------------------------------ */

static bool is_word(const struct fact *fact, struct slice text)
{
	for (const char *const *word = fact->words; word && *word; word++)
		if (slice_equal(text, slice_of(*word)))
			return true;
	return false;
}

/* False: the record does not have it in a form that this program reads. */
static bool read_value(const struct fact *fact, const struct record_fact *said, bool hidden, struct arena *arena,
		       struct value *value_r)
{
	bool text = said->form == RECORD_TEXT;

	*value_r = (struct value){.state = VALUE_SET, .type = fact->type};
	if (said->form == RECORD_NULL) {
		value_r->state = VALUE_ABSENT;
		return true;
	}
	value_r->number = said->number;
	value_r->text = said->text;
	switch (fact->type) {
	case TYPE_BOOL:
		value_r->boolean = said->number != 0;
		return said->form == RECORD_BOOL;
	case TYPE_NUMBER:
		return said->form == RECORD_NUMBER;
	case TYPE_RESULT:
		return text && is_word(fact, said->text);
	case TYPE_ADDRESS:
		value_r->address = address_parse_path(said->text, arena);
		return text && !hidden;
	case TYPE_IP:
		return text && ip_parse(said->text, &value_r->ip) == 0;
	default:
		return text && !(hidden && slice_equal(said->name, SLICE("auth.user")));
	}
}

/* header("Subject"): the name and the argument. */
static struct slice split_argument(struct slice name, struct slice *argument_r)
{
	ptrdiff_t open = slice_find(name, '(');

	*argument_r = SLICE("");
	if (open < 0 || name.n < (size_t)open + 4)
		return name;
	*argument_r = (struct slice){name.p + open + 2, name.n - (size_t)open - 4};
	return slice_head(name, (size_t)open);
}

static void keep_value(struct gate *gate, const struct fact *fact, struct slice argument, const struct value *value)
{
	struct fact_memo *memo = gate->view.message_memo;
	struct fact_list *list = &memo->with_argument;
	struct value *kept;

	if (fact->argument != ARGUMENT_NONE) {
		if (list->count < list->room)
			list->items[list->count++] = (struct known_fact){fact, {.text = argument}, *value};
		return;
	}
	kept = arena_raw(gate->message.arena, sizeof(*kept));
	*kept = *value;
	memo->values[fact_number(fact)] = kept;
}

/* Into the memo of the message, whatever their scope. */
void replay_facts(struct gate *gate)
{
	const struct record *record = gate->replay->record;
	struct fact_list *list = &gate->view.message_memo->with_argument;

	gate->view.recorded = gate->view.message_memo;
	gate->view.recorded_many = record->recipient_count > 1;
	list->items = arena_raw(gate->message.arena, (record->fact_count + 1) * sizeof(*list->items));
	list->room = (unsigned)record->fact_count;
	for (size_t i = 0; i < record->fact_count; i++) {
		struct slice argument, name = split_argument(record->facts[i].name, &argument);
		const struct fact *fact = find_name(gate->replay->names, name);
		struct value value;

		if (fact && !fact->apart &&
		    read_value(fact, &record->facts[i], record->hidden, gate->message.arena, &value))
			keep_value(gate, fact, argument, &value);
	}
}

enum kind replay_kind(const struct record *record)
{
	int kind = 0;

	while (kind_names[kind] && !slice_equal(record->kind, slice_of(kind_names[kind])))
		kind++;
	return kind_names[kind] ? (enum kind)kind : KIND_INBOUND;
}
