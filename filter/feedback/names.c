/*
 * names.c - a bounded set of texts: a hash table of the numbers of texts.
 */
#include "sums_private.h"
#include <stdlib.h>

#define ROOM_FIRST 64

void names_open(struct names *names, size_t most)
{
	*names = (struct names){.arena = arena_new(), .room = ROOM_FIRST, .most = most, .seed = random_seed()};
	names->items = xmalloc(names->room * sizeof(*names->items));
	names->places = xmalloc(2 * names->room * sizeof(*names->places));
	names->items[0] = SLICE("");
}

void names_close(struct names *names)
{
	arena_free(names->arena);
	free(names->items);
	free(names->places);
}

/* The place of a text, or the free one where it belongs. */
static uint32_t *place_of(const struct names *names, struct slice text)
{
	size_t mask = 2 * names->room - 1, i = hash_slice(text, names->seed) & mask;

	while (names->places[i] && !slice_equal(names->items[names->places[i]], text))
		i = (i + 1) & mask;
	return &names->places[i];
}

static void grow(struct names *names)
{
	names->room *= 2;
	names->items = xrealloc(names->items, names->room * sizeof(*names->items));
	free(names->places);
	names->places = xmalloc(2 * names->room * sizeof(*names->places));
	for (size_t i = 1; i <= names->count; i++)
		*place_of(names, names->items[i]) = (uint32_t)i;
}

unsigned names_add(struct names *names, struct slice text)
{
	uint32_t *place;

	if (text.n == 0)
		return 0;
	place = place_of(names, text);
	if (*place)
		return *place;
	if (names->count == names->most || arena_used(names->arena) + text.n > FEEDBACK_NAMES_BYTES)
		return 0;
	if (names->count + 1 == names->room) {
		grow(names);
		place = place_of(names, text);
	}
	*place = (uint32_t)++names->count;
	names->items[names->count] = arena_copy(names->arena, text);
	return *place;
}

struct slice names_get(const struct names *names, unsigned number)
{
	return number <= names->count ? names->items[number] : SLICE("");
}
