/*
 * header_changes.c - the changes of the header for MTAs that cannot number fields. Contract: engine.h.
 *
 * What is signed stays valid: fields of one name keep their order, which is all that a DKIM signature covers
 * (RFC 6376 5.4.2).
 */
#include "gate_private.h"

struct list {
	struct header_field *fields;
	size_t count;
};

static void put(struct list *list, struct slice name, struct slice value)
{
	list->fields[list->count++] = (struct header_field){.name = slice_trim(name), .value = value};
}

static bool is_removed(const struct slice *removed, size_t count, struct slice name)
{
	name = slice_trim(name);
	for (size_t i = 0; i < count; i++)
		if (slice_equal_nocase(removed[i], name))
			return true;
	return false;
}

/* Which change each field of the message has, NULL: none; and the names that are removed. */
static const struct change **changes_by_field(const struct gate *gate, struct slice *removed, size_t *count)
{
	const struct headers *headers = &gate->message.headers;
	const struct change **made = arena_alloc(gate->message.arena, (headers->count + 1) * sizeof(*made));

	for (size_t i = 0; i < gate->change_count; i++) {
		const struct change *change = &gate->changes[i];
		const struct header_field *field;

		if (change->kind != CHANGE_DELETE && change->kind != CHANGE_REPLACE)
			continue;
		field = headers_find(headers, change->name, change->index);
		if (!field)
			continue;
		made[field - headers->fields] = change;
		if (!is_removed(removed, *count, change->name))
			removed[(*count)++] = slice_trim(change->name);
	}
	return made;
}

/* Those of a removed name that stay, from the last one to the first. */
static void put_kept(const struct gate *gate, const struct change **made, const struct header_changes *changes,
		     struct list *list)
{
	const struct headers *headers = &gate->message.headers;

	for (size_t i = headers->count; i-- > 0;) {
		const struct header_field *field = &headers->fields[i];

		if (made[i] && made[i]->kind == CHANGE_REPLACE)
			put(list, field->name, made[i]->value);
		else if (!made[i] && is_removed(changes->removed, changes->removed_count, field->name))
			put(list, field->name, field->value);
	}
}

/* A field that replaces one of the MTA is added: there is none. */
static bool is_new(const struct gate *gate, const struct change *change)
{
	return change->kind == CHANGE_INSERT ||
	       (change->kind == CHANGE_REPLACE && !headers_find(&gate->message.headers, change->name, change->index));
}

void gate_header_changes(const struct gate *gate, struct slice received, struct header_changes *changes_r)
{
	struct arena *arena = gate->message.arena;
	size_t most = gate->change_count + gate->message.headers.count + 1, removed_count = 0;
	struct slice *removed = arena_raw(arena, (gate->change_count + 1) * sizeof(*removed));
	struct list inserted = {arena_raw(arena, most * sizeof(struct header_field)), 0};
	struct list appended = {arena_raw(arena, (gate->change_count + 1) * sizeof(struct header_field)), 0};
	const struct change **made = changes_by_field(gate, removed, &removed_count);

	*changes_r = (struct header_changes){.removed = removed, .removed_count = removed_count};
	if (removed_count > 0)
		put_kept(gate, made, changes_r, &inserted);
	if (received.p && is_removed(removed, removed_count, SLICE("Received")))
		put(&inserted, SLICE("Received"), received);
	for (size_t i = 0; i < gate->change_count; i++) {
		if (is_new(gate, &gate->changes[i]))
			put(&inserted, gate->changes[i].name, gate->changes[i].value);
		if (gate->changes[i].kind == CHANGE_APPEND)
			put(&appended, gate->changes[i].name, gate->changes[i].value);
	}
	changes_r->inserted = inserted.fields;
	changes_r->inserted_count = inserted.count;
	changes_r->appended = appended.fields;
	changes_r->appended_count = appended.count;
}
