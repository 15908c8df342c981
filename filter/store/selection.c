/*
 * selection.c - the smallest keys of many.
 */
#include "selection.h"

struct selection selection_of(struct slice prefix, struct slice after, size_t room, struct arena *arena)
{
	return (struct selection){arena, prefix, after, arena_alloc(arena, room * sizeof(struct slice)), 0, room};
}

int key_order(struct slice a, struct slice b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static bool is_wanted(const struct selection *selection, struct slice key)
{
	return key.n > 0 && key.n <= STORE_KEY_MAX && key.n >= selection->prefix.n &&
	       slice_equal(slice_head(key, selection->prefix.n), selection->prefix) &&
	       (selection->after.n == 0 || key_order(key, selection->after) > 0) &&
	       (selection->count < selection->room || key_order(key, selection->keys[selection->count - 1]) < 0);
}

/* Memory for one more key: that of the last one when there is no room. */
static char *memory_for_key(struct selection *selection)
{
	if (selection->count == selection->room)
		return (char *)selection->keys[selection->count - 1].p;
	selection->count++;
	return arena_raw(selection->arena, STORE_KEY_MAX);
}

void selection_add(struct selection *selection, struct slice key)
{
	size_t low = 0, high = selection->count;
	char *memory;

	if (!is_wanted(selection, key))
		return;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (key_order(selection->keys[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < selection->count && slice_equal(selection->keys[low], key))
		return;
	memory = memory_for_key(selection);
	memmove(&selection->keys[low + 1], &selection->keys[low],
		(selection->count - 1 - low) * sizeof(selection->keys[0]));
	selection->keys[low] = (struct slice){memcpy(memory, key.p, key.n), key.n};
}
