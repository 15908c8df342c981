/*
 * tally.c - counts by name, in a hash table that does not grow.
 */
#include "tally.h"
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX      65536
#define ROOM           (2 * NAMES_MAX)
#define NAME_MAX_BYTES 320

struct tally {
	struct arena *arena;
	uint64_t seed, others;
	size_t used;
	struct tallied places[ROOM]; /* name.p NULL: free */
};

struct tally *tally_new(void)
{
	struct tally *tally = xmalloc(sizeof(*tally));

	memset(tally, 0, sizeof(*tally));
	tally->arena = arena_new();
	tally->seed = random_seed();
	return tally;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	arena_free(tally->arena);
	free(tally);
}

void tally_add(struct tally *tally, struct slice said)
{
	struct slice name = slice_head(said, NAME_MAX_BYTES);
	size_t place = hash_slice(name, tally->seed) % ROOM;

	while (tally->places[place].name.p && !slice_equal(tally->places[place].name, name))
		place = (place + 1) % ROOM;
	if (!tally->places[place].name.p && tally->used == NAMES_MAX) {
		tally->others++;
		return;
	}
	if (!tally->places[place].name.p) {
		tally->used++;
		tally->places[place].name = arena_copy(tally->arena, name.n ? name : SLICE("-"));
	}
	tally->places[place].count++;
}

uint64_t tally_others(const struct tally *tally)
{
	return tally->others;
}

static int compare(const void *a, const void *b)
{
	const struct tallied *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int order;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	order = memcmp(x->name.p, y->name.p, n);
	return order ? order : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

struct tallied *tally_top(const struct tally *tally, size_t most, struct arena *arena, size_t *count_r)
{
	struct tallied *all = arena_alloc(arena, (tally->used + 1) * sizeof(*all));
	size_t count = 0;

	for (size_t i = 0; i < ROOM; i++)
		if (tally->places[i].name.p)
			all[count++] = tally->places[i];
	qsort(all, count, sizeof(*all), compare);
	*count_r = count < most ? count : most;
	return all;
}
