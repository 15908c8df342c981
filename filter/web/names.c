/*
 * names.c - counts by name, in a hash table: strangers choose many of the names.
 */
#include "html.h"
#include <stdlib.h>

#define NAMES_MOST 65536 /* later ones are left out */
#define ROOM_FIRST 256

void names_init(struct names *names, struct arena *arena)
{
	*names = (struct names){.arena = arena, .seed = random_seed()};
}

void names_free(struct names *names)
{
	free(names->places);
}

static struct named *place_of(const struct names *names, struct slice name)
{
	size_t at = hash_slice(name, names->seed) & (names->room - 1);

	while (names->places[at].name.p && !slice_equal(names->places[at].name, name))
		at = (at + 1) & (names->room - 1);
	return &names->places[at];
}

static void names_grow(struct names *names)
{
	struct names larger = *names;

	larger.room = names->room ? 2 * names->room : ROOM_FIRST;
	larger.places = xmalloc(larger.room * sizeof(*larger.places));
	for (size_t i = 0; i < names->room; i++)
		if (names->places[i].name.p)
			*place_of(&larger, names->places[i].name) = names->places[i];
	free(names->places);
	*names = larger;
}

void names_count(struct names *names, struct slice name, uint64_t count)
{
	struct named *place;

	if (2 * names->used >= names->room)
		names_grow(names);
	place = place_of(names, name);
	if (!place->name.p) {
		if (names->used == NAMES_MOST)
			return;
		place->name = arena_copy(names->arena, name);
		names->used++;
	}
	place->count += count;
}

size_t names_top(const struct names *names, struct named *top, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < names->room; i++) {
		struct named one = names->places[i];
		size_t at = count;

		if (!one.name.p || (count == room && one.count <= top[room - 1].count))
			continue;
		if (count < room)
			count++;
		else
			at = room - 1;
		for (; at > 0 && top[at - 1].count < one.count; at--)
			top[at] = top[at - 1];
		top[at] = one;
	}
	return count;
}
