/*
 * envelope_only.c - what doors ask that see no message: may the client relay, is the message discarded, is a key in a
 * list, what does SRS make of an address. Contract: engine.h.
 */
#include "gate_private.h"

bool gate_discards(const struct gate *gate)
{
	return gate->open && gate->ended_early && gate->outcome->verdict == VERDICT_DISCARD;
}

void gate_continue(struct gate *gate, const struct abilities *abilities)
{
	gate->abilities = *abilities;
	dns_budget_waiting(gate->budget, &gate->abilities.waiting);
}

bool gate_has_recipient(const struct gate *gate, struct slice argument)
{
	const struct message *message = &gate->message;

	argument = slice_trim(argument);
	for (size_t i = 0; i < message->recipient_count; i++)
		if (slice_equal_nocase(message->recipients[i].said, argument))
			return true;
	return false;
}

bool gate_permits(const struct gate *gate)
{
	return gate->open && !gate->ended_early && gate->rcpt_accepted && gate->view.kind == KIND_SUBMISSION &&
	       client_is_user(gate->view.settings, &gate->session, gate->store);
}

/* The message itself was not seen: nothing about it is decided, and nothing in it changed. */
void end_unseen(struct gate *gate)
{
	const struct decision *decision = &gate->decision;

	gate->decided = true;
	if (decision->edit_count > 0)
		decision_note(&gate->decision, NOTE_LOG,
			      arena_printf(gate->message.arena, "%zu edits were not made: this door sees no message",
					   decision->edit_count),
			      decision->edits[0].rule);
}

static struct list_key key_of(struct slice text, struct address *address, struct arena *arena)
{
	struct list_key key = {.kind = LIST_TEXT, .text = text, .address = address};

	if (ip_parse(text, &key.ip) == 0) {
		key.kind = LIST_IP;
	} else if (slice_find(text, '@') >= 0 || slice_equal(text, SLICE("<>"))) {
		*address = address_parse_path(text, arena);
		key.kind = LIST_ADDRESS;
	}
	return key;
}

enum listed engine_listed(struct engine *engine, struct slice name, struct slice text)
{
	struct arena *arena;
	struct address address;
	struct list_key key;
	enum truth found;
	struct list *list = policy_list_named(engine->policy, name);

	if (!list || list_is_owners(list))
		return LISTED_NOWHERE;
	if (text.n > LIST_ENTRY_MAX)
		return LISTED_NOT;
	arena = arena_new();
	key = key_of(text, &address, arena);
	found = list_has(list, engine->store, &key);
	arena_free(arena);
	if (found == TRUTH_UNKNOWN)
		return policy_list_defers(engine->policy, list) ? LISTED_UNKNOWN : LISTED_NOT;
	return found == TRUTH_TRUE ? LISTED : LISTED_NOT;
}

enum srs_result engine_srs(struct engine *engine, enum srs_direction direction, struct slice text, struct arena *arena,
			   struct slice *address_r)
{
	struct address address = address_parse_path(text, arena);

	return policy_srs(engine->policy, engine->store, direction, &address, clock_wall_us(), arena, address_r);
}
