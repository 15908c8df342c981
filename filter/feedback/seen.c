/*
 * seen.c - which reports were counted already. 16 bytes for each, whatever its id: strangers choose ids, but do not
 * know the seeds, so they cannot make two of them look like one.
 */
#include "sums_private.h"
#include <stdlib.h>

#define ROOM_FIRST 256

void seen_open(struct seen *seen)
{
	*seen = (struct seen){.room = ROOM_FIRST, .seeds = {random_seed(), random_seed()}};
	seen->places = xmalloc(seen->room * sizeof(*seen->places));
}

void seen_close(struct seen *seen)
{
	free(seen->places);
}

/* The place of a hash, or the free one where it belongs. */
static uint64_t *place_of(const struct seen *seen, const uint64_t hash[2])
{
	size_t i = hash[0] & (seen->room - 1);

	while (seen->places[i][0] && (seen->places[i][0] != hash[0] || seen->places[i][1] != hash[1]))
		i = (i + 1) & (seen->room - 1);
	return seen->places[i];
}

static void grow(struct seen *seen)
{
	uint64_t(*old)[2] = seen->places;
	size_t room = seen->room;

	seen->room *= 2;
	seen->places = xmalloc(seen->room * sizeof(*seen->places));
	for (size_t i = 0; i < room; i++)
		if (old[i][0])
			memcpy(place_of(seen, old[i]), old[i], sizeof(old[i]));
	free(old);
}

enum seen_result seen_add(struct seen *seen, struct slice key)
{
	uint64_t hash[2] = {hash_slice(key, seen->seeds[0]) | 1, hash_slice(key, seen->seeds[1])};
	uint64_t *place = place_of(seen, hash);

	if (place[0])
		return SEEN_BEFORE;
	if (seen->count == FEEDBACK_REPORTS_MAX)
		return SEEN_FULL;
	memcpy(place, hash, sizeof(hash));
	if (++seen->count * 4 > seen->room * 3)
		grow(seen);
	return SEEN_NEW;
}
