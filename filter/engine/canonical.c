/*
 * canonical.c - the From field of a login that may use one address alone (RFC 6409 8.7).
 */
#include "plan.h"

/* The first From field as planned; how many there are. */
static size_t find_from(const struct plan *plan, struct slice *value_r)
{
	size_t count = 0;

	*value_r = SLICE("");
	for (size_t i = 0; i < plan->headers->count; i++)
		if (!plan->fields[i].deleted && author_is_field(plan->headers->fields[i].name) && count++ == 0)
			*value_r = plan->fields[i].replaced ? plan->fields[i].value : plan->headers->fields[i].value;
	for (size_t i = 0; i < plan->new_count; i++)
		if (!plan->added[i].deleted && author_is_field(plan->added[i].name) && count++ == 0)
			*value_r = plan->added[i].value;
	return count;
}

bool canonical_from(const struct plan *plan, struct slice address, struct slice *value_r)
{
	struct arena *arena = plan->arena;
	struct address only = address_parse_path(address, arena);
	struct authors authors;
	struct slice from;
	size_t count = find_from(plan, &from);

	author_read(from, arena, &authors);
	if (count == 1 && authors.mailbox_count == 1 && !authors.group && address_equal(&authors.first, &only))
		return false;
	*value_r = address;
	if (authors.phrase.n)
		*value_r = arena_join(arena, authors.phrase, SLICE(" <"), address, SLICE(">"));
	return true;
}
