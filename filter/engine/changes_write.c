/*
 * changes_write.c - writes the plan of the header in the order in which an MTA must make the changes.
 */
#include "plan.h"

#include <string.h>

const char *const change_names[CHANGE_COUNT + 1] = {
    [CHANGE_DELETE] = "delete",
    [CHANGE_REPLACE] = "replace",
    [CHANGE_INSERT] = "insert",
    [CHANGE_APPEND] = "append",
    [CHANGE_SENDER] = "sender",
    [CHANGE_DELETE_RECIPIENT] = "delete-recipient",
    [CHANGE_ADD_RECIPIENT] = "add-recipient",
    [CHANGE_BODY] = "body",
};

void change_add(struct gate *gate, const struct change *change)
{
	if (gate->change_count == gate->change_room) {
		size_t room = gate->change_room ? 2 * gate->change_room : 16;
		struct change *changes = arena_raw(gate->message.arena, room * sizeof(*changes));

		if (gate->change_count)
			memcpy(changes, gate->changes, gate->change_count * sizeof(*changes));
		gate->changes = changes;
		gate->change_room = room;
	}
	gate->changes[gate->change_count++] = *change;
}

static void write_fields(struct gate *gate, const struct plan *plan)
{
	for (size_t i = plan->headers->count; i-- > 0;) {
		const struct header_field *field = &plan->headers->fields[i];
		const struct plan_field *planned = &plan->fields[i];

		if (planned->deleted)
			change_add(gate, &(struct change){CHANGE_DELETE, field->name, field->index, SLICE("")});
		else if (planned->replaced)
			change_add(gate, &(struct change){CHANGE_REPLACE, field->name, field->index, planned->value});
	}
}

static void write_supplied(struct gate *gate, const struct plan *plan)
{
	for (size_t i = 0; i < plan->new_count; i++)
		if (!plan->added[i].deleted && plan->added[i].supplied)
			change_add(gate,
				   &(struct change){CHANGE_REPLACE, plan->added[i].name, 1, plan->added[i].value});
}

/* Written backwards, the first rule's field ends up above the second's. */
static void write_added(struct gate *gate, const struct plan_new *fields, size_t count)
{
	for (size_t i = count; i-- > 0;)
		if (!fields[i].deleted && !fields[i].supplied && !fields[i].bottom)
			change_add(gate, &(struct change){CHANGE_INSERT, fields[i].name, 0, fields[i].value});
}

static void write_bottom(struct gate *gate, const struct plan *plan)
{
	for (size_t i = 0; i < plan->new_count; i++)
		if (!plan->added[i].deleted && plan->added[i].bottom)
			change_add(gate, &(struct change){CHANGE_APPEND, plan->added[i].name, 0, plan->added[i].value});
}

void plan_write(struct gate *gate, const struct plan *plan)
{
	write_fields(gate, plan);
	write_supplied(gate, plan);
	write_added(gate, plan->added, plan->new_count);
	write_added(gate, plan->stamps, plan->stamp_count);
	write_added(gate, plan->seal, plan->seal_count);
	write_bottom(gate, plan);
}
