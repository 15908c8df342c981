/*
 * counts.c - the names that were counted in the current step: a sender can invent any number of them.
 */
#include "history_private.h"
#include <stdlib.h>
#include <string.h>

#define ROOM 512 /* of one kind; a power of two above HISTORY_NAMES_MAX */

struct counts {
	int64_t step_us;
	size_t used[HISTORY_COUNT_KINDS];
	uint64_t seen[HISTORY_COUNT_KINDS][ROOM]; /* hashes; 0: free */
};

struct counts *counts_new(void)
{
	struct counts *counts = xmalloc(sizeof(*counts));

	memset(counts, 0, sizeof(*counts));
	return counts;
}

void counts_free(struct counts *counts)
{
	free(counts);
}

struct slice counts_name(struct counts *counts, int64_t step_us, enum history_count kind, struct slice name)
{
	uint64_t hash = hash_slice(name, 1) | 1;
	size_t place = hash >> 8 & (ROOM - 1);

	if (step_us != counts->step_us) {
		memset(counts, 0, sizeof(*counts));
		counts->step_us = step_us;
	}
	while (counts->seen[kind][place] && counts->seen[kind][place] != hash)
		place = (place + 1) & (ROOM - 1);
	if (counts->seen[kind][place])
		return name;
	if (counts->used[kind] == HISTORY_NAMES_MAX)
		return SLICE("");
	counts->used[kind]++;
	counts->seen[kind][place] = hash;
	return name;
}
