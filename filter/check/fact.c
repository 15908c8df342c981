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

/* ---- reading it ------------------------------------------------------------------------------------ */

/* The memo and the arena of a scope; NULL memo when the view has no such scope now. */
static struct fact_memo *memo_of(struct view *view, enum scope scope, struct arena **arena_r)
{
	if (scope == SCOPE_CONNECTION) {
		*arena_r = view->session->arena;
		return view->connection_memo;
	}
	*arena_r = view->message->arena;
	if (scope == SCOPE_MESSAGE)
		return view->message_memo;
	return view->recipient ? view->recipient_memo : NULL;
}

void fact_memo_clear(struct fact_memo *memo)
{
	memset(memo->values, 0, sizeof(memo->values));
	memo->argument_count = 0;
}

static bool is_settled(const struct view *view, const struct value *value)
{
	return !(value->provisional && view->stage == STAGE_MESSAGE);
}

static bool is_same(struct argument a, struct argument b)
{
	return a.thing == b.thing && slice_equal_nocase(a.text, b.text);
}

/* The number of the remembered value; the count when there is none. */
static unsigned find_value(const struct fact_memo *memo, const struct fact *fact, struct argument argument)
{
	unsigned i = 0;

	while (i < memo->argument_count &&
	       !(memo->with_argument[i].fact == fact && is_same(memo->with_argument[i].argument, argument)))
		i++;
	return i;
}

static void keep_value(struct fact_memo *memo, struct arena *arena, struct argument_value kept)
{
	unsigned at = find_value(memo, kept.fact, kept.argument),
		 room = memo->argument_room ? 2 * memo->argument_room : 4;
	struct argument_value *values;

	if (at == ARGUMENT_MAX)
		return;
	if (at == memo->argument_room) {
		values = arena_raw(arena, room * sizeof(*values));
		if (at)
			memcpy(values, memo->with_argument, at * sizeof(*values));
		memo->with_argument = values;
		memo->argument_room = room;
	}
	if (at == memo->argument_count)
		memo->argument_count++;
	memo->with_argument[at] = kept;
}

static struct value get_with_argument(struct view *view, const struct fact *fact, struct argument argument,
				      struct fact_memo *memo, struct arena *arena)
{
	unsigned at = fact->changes ? memo->argument_count : find_value(memo, fact, argument);
	struct value value;

	if (at < memo->argument_count && is_settled(view, &memo->with_argument[at].value))
		return memo->with_argument[at].value;
	value = fact->get_of(view, argument); /* which may read others, so that the memo grows */
	keep_value(memo, arena, (struct argument_value){fact, argument, value});
	return value;
}

struct value fact_get(struct view *view, const struct fact *fact, struct argument argument)
{
	struct traits traits = {.scope = fact->scope, .stage = fact->stage};
	struct arena *arena = NULL;
	struct fact_memo *memo;
	struct value *value;

	if (fact->depends)
		traits = fact_traits(fact, argument);
	memo = memo_of(view, traits.scope, &arena);
	if (!memo || view->stage < traits.stage)
		return value_absent(fact->type);
	if (fact->argument != ARGUMENT_NONE)
		return get_with_argument(view, fact, argument, memo, arena);

	unsigned number = fact_number(fact);
	if (memo->values[number] && !fact->changes && is_settled(view, memo->values[number]))
		return *memo->values[number];
	value = (struct value *)memo->values[number];
	if (!value)
		value = arena_raw(arena, sizeof(*value));
	*value = fact->get(view);
	memo->values[number] = value;
	return *value;
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
