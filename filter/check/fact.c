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

static struct value get_with_argument(struct view *view, const struct fact *fact, struct slice argument)
{
	struct argument_memo *memo = view->argument_memo;
	struct value value;

	for (size_t i = 0; i < memo->count; i++)
		if (memo->values[i].fact == fact && slice_equal_nocase(memo->values[i].argument, argument))
			return memo->values[i].value;
	value = fact->get(view, argument);
	if (!memo->values)
		memo->values = arena_raw(view->message->arena, ARGUMENT_MAX * sizeof(*memo->values));
	if (memo->count < ARGUMENT_MAX)
		memo->values[memo->count++] = (struct argument_value){fact, argument, value};
	return value;
}

struct value fact_get(struct view *view, const struct fact *fact, struct slice argument)
{
	struct arena *arena = NULL;
	struct fact_memo *memo = memo_of(view, fact->scope, &arena);

	if (!memo || view->stage < fact->stage)
		return value_absent(fact->type);
	if (fact->argument)
		return get_with_argument(view, fact, argument);

	unsigned number = fact_number(fact);
	bool settled = memo->values[number] && !(memo->values[number]->provisional && view->stage == STAGE_MESSAGE);
	if (!settled) {
		struct value *value = arena_raw(arena, sizeof(*value));
		*value = fact->get(view, argument);
		memo->values[number] = value;
	}
	return *memo->values[number];
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
