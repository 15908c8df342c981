/*
 * fact.c - reading a fact: at most once per scope, never before its stage.
 *
 * A value is remembered in the memo of its scope and lives in that scope's arena.
 */
#include "check_private.h"
#include <string.h>

struct value value_absent(enum type type)
{
	return (struct value){.state = VALUE_ABSENT, .type = type};
}

struct value value_unknown(enum type type, const char *why)
{
	return (struct value){.state = VALUE_UNKNOWN, .type = type, .why = why};
}

struct value value_unstored(enum type type)
{
	return (struct value){
	    .state = VALUE_UNKNOWN, .type = type, .why = "the store does not answer", .unstored = true};
}

struct value value_text(enum type type, struct slice text)
{
	return (struct value){.state = text.n ? VALUE_SET : VALUE_ABSENT, .type = type, .text = text};
}

struct value value_word(const char *word)
{
	return (struct value){.state = VALUE_SET, .type = TYPE_RESULT, .text = slice_of(word)};
}

struct value value_number(int64_t number)
{
	return (struct value){.state = VALUE_SET, .type = TYPE_NUMBER, .number = number};
}

struct value value_bool(bool boolean)
{
	return (struct value){.state = VALUE_SET, .type = TYPE_BOOL, .boolean = boolean};
}

/* ---- before it is read -------------------------------------------------------------------------- */

struct traits fact_traits(const struct fact *fact, struct argument argument)
{
	struct traits traits = {.scope = fact->scope, .stage = fact->stage, .needs = fact->needs};

	if (fact->depends)
		fact->depends(argument.thing, &traits);
	return traits;
}

void traits_add(struct traits *traits, const struct fact *fact)
{
	if (traits->read_count == TRAIT_READS_MAX)
		die("a fact that is made of more than %d others", TRAIT_READS_MAX);
	traits->reads[traits->read_count++] = fact;
	traits->needs |= fact->needs;
	if (fact->stage > traits->stage)
		traits->stage = fact->stage;
	if (fact->scope == SCOPE_RECIPIENT || traits->scope == SCOPE_CONNECTION)
		traits->scope = fact->scope;
}

/* ---- reading it ------------------------------------------------------------------------------------- */

static bool is_settled(const struct view *view, const struct value *value)
{
	return !(value->provisional && view->stage == STAGE_MESSAGE);
}

static bool is_same(struct argument a, struct argument b)
{
	return a.thing == b.thing && (a.thing || slice_equal_nocase(a.text, b.text));
}

/* The number of the remembered value; the count when there is none. */
static unsigned find_known(const struct fact_list *list, const struct fact *fact, struct argument argument)
{
	unsigned i = 0;

	while (i < list->count && !(list->items[i].fact == fact && is_same(list->items[i].argument, argument)))
		i++;
	return i;
}

static void keep_known(struct fact_list *list, struct arena *arena, struct known_fact kept)
{
	unsigned at = find_known(list, kept.fact, kept.argument), room = list->room ? 2 * list->room : 2;
	struct known_fact *items;

	if (at == KNOWN_MAX)
		return;
	if (at == list->room) {
		items = arena_raw(arena, room * sizeof(*items));
		if (at)
			memcpy(items, list->items, at * sizeof(*items));
		list->items = items;
		list->room = room;
	}
	if (at == list->count)
		list->count++;
	list->items[at] = kept;
}

static struct value get_from_list(struct view *view, const struct fact *fact, struct argument argument,
				  struct fact_list *list, struct arena *arena)
{
	unsigned at = fact->changes ? list->count : find_known(list, fact, argument);
	struct value value;

	if (at < list->count && is_settled(view, &list->items[at].value))
		return list->items[at].value;
	/* It may read other facts, so the list grows. */
	value = fact->argument == ARGUMENT_NONE ? fact->get(view) : fact->get_of(view, argument);
	keep_known(list, arena, (struct known_fact){fact, argument, value});
	return value;
}

static struct value get_of_recipient(struct view *view, const struct fact *fact, struct argument argument)
{
	struct arena *arena = view->message->arena;

	if (!view->recipient)
		return value_absent(fact->type);
	if (!view->recipient->known)
		view->recipient->known = arena_alloc(arena, sizeof(struct fact_list));
	return get_from_list(view, fact, argument, view->recipient->known, arena);
}

static struct value get_from_memo(struct view *view, const struct fact *fact, struct fact_memo *memo,
				  struct arena *arena)
{
	unsigned number = fact_number(fact);
	struct value *value = (struct value *)memo->values[number];

	if (value && !fact->changes && is_settled(view, value))
		return *value;
	if (!value)
		value = arena_raw(arena, sizeof(*value));
	*value = fact->get(view);
	memo->values[number] = value;
	return *value;
}

/* A fact of a record. */
static struct value get_recorded(struct view *view, const struct fact *fact, struct argument argument)
{
	const struct fact_list *list = &view->recorded->with_argument;
	const struct value *value = view->recorded->values[fact_number(fact)];

	bool last_only = fact->counts_recipients && view->recorded_many && view->stage == STAGE_RCPT;

	for (unsigned i = 0; !last_only && fact->argument != ARGUMENT_NONE && i < list->count; i++)
		if (list->items[i].fact == fact && slice_equal_nocase(list->items[i].argument.text, argument.text))
			return list->items[i].value;
	if (!last_only && fact->argument == ARGUMENT_NONE && value)
		return *value;
	if (!view->missing)
		view->missing = fact;
	return value_unknown(fact->type, "the record does not have it");
}

struct value fact_get(struct view *view, const struct fact *fact, struct argument argument)
{
	struct traits traits = {.scope = fact->scope, .stage = fact->stage};
	struct fact_memo *memo = view->message_memo;
	struct arena *arena = view->message->arena;

	if (fact->depends)
		traits = fact_traits(fact, argument);
	if (view->stage < traits.stage)
		return value_absent(fact->type);
	if (view->recorded && !fact->apart && !fact->replays)
		return get_recorded(view, fact, argument);
	if (traits.scope == SCOPE_RECIPIENT)
		return get_of_recipient(view, fact, argument);
	if (traits.scope == SCOPE_CONNECTION) {
		memo = view->connection_memo;
		arena = view->session->arena;
	}
	if (!memo) /* a hint of connect or helo */
		return value_absent(fact->type);
	if (fact->argument != ARGUMENT_NONE)
		return get_from_list(view, fact, argument, &memo->with_argument, arena);
	return get_from_memo(view, fact, memo, arena);
}

struct slice value_print(const struct value *value, struct arena *arena)
{
	char ip[IP_TEXT], number[NUMBER_TEXT];

	if (value->state != VALUE_SET)
		return SLICE("");
	switch (value->type) {
	case TYPE_BOOL:
		return value->boolean ? SLICE("yes") : SLICE("no");
	case TYPE_NUMBER:
		return arena_copy(arena, number_print(value->number, number));
	case TYPE_ADDRESS:
		return value->address.text;
	case TYPE_IP:
		return arena_copy(arena, ip_print(value->ip, ip));
	case TYPE_STRING:
	case TYPE_DOMAIN:
	case TYPE_RESULT:
		break;
	}
	return value->text;
}
