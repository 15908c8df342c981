/*
 * textset.c - a hash set of texts with open addressing.
 *
 * At most half of the slots are used, so that a search ends after about two
 * probes, of which few read an entry. Texts lie in one block: a set of 300,000 addresses costs some 15 MB and
 * two allocations.
 */
#include "textset.h"

#include <stdlib.h>
#include <string.h>

#define TEXTSET_FIRST 16

struct entry {
	uint32_t number;
	uint16_t length;
	char text[];
};

void textset_init(struct textset *set, size_t expected)
{
	*set = (struct textset){.seed = random_seed(), .room = TEXTSET_FIRST};
	while (set->room < 2 * expected)
		set->room *= 2;
	set->slots = xmalloc(set->room * sizeof(*set->slots));
}

void textset_free(struct textset *set)
{
	free(set->slots);
	free(set->entries);
}

/* A slot: where the entry is, in units of its alignment and plus 1, and above it some bits of its hash. Most entries
 * that are not the wanted one differ there, and need not be read: each would be a cache miss. */
#define PLACE_BITS 29
#define PLACE_MASK ((UINT32_C(1) << PLACE_BITS) - 1)
#define UNIT       _Alignof(struct entry)

static uint32_t slot_make(size_t offset, uint64_t hash)
{
	return (uint32_t)(offset / UNIT + 1) | (uint32_t)(hash >> 61) << PLACE_BITS;
}

static struct entry *entry_at(const struct textset *set, size_t slot)
{
	size_t place = set->slots[slot] & PLACE_MASK;

	return (struct entry *)(void *)(set->entries + (place - 1) * UNIT);
}

/* The slot of the text, or the free one where it would go. */
static size_t slot_of(const struct textset *set, struct slice text, uint64_t hash)
{
	size_t slot = hash & (set->room - 1);

	while (set->slots[slot]) {
		const struct entry *entry = entry_at(set, slot);

		if (set->slots[slot] >> PLACE_BITS == hash >> 61 && entry->length == text.n &&
		    memcmp(entry->text, text.p, text.n) == 0)
			break;
		slot = (slot + 1) & (set->room - 1);
	}
	return slot;
}

static void grow_slots(struct textset *set)
{
	uint32_t *old = set->slots;
	size_t old_room = set->room;

	set->room *= 2;
	set->slots = xmalloc(set->room * sizeof(*set->slots));
	for (size_t i = 0; i < old_room; i++) {
		const struct entry *entry;
		uint64_t hash;
		size_t slot;

		if (!old[i])
			continue;
		entry = (const void *)(set->entries + ((old[i] & PLACE_MASK) - 1) * UNIT);
		hash = hash_slice((struct slice){entry->text, entry->length}, set->seed);
		for (slot = hash & (set->room - 1); set->slots[slot];)
			slot = (slot + 1) & (set->room - 1);
		set->slots[slot] = old[i];
	}
	free(old);
}

static size_t entry_size(size_t n)
{
	size_t size = offsetof(struct entry, text) + n;

	return (size + UNIT - 1) & ~(UNIT - 1);
}

bool textset_add(struct textset *set, struct slice text, uint32_t number)
{
	uint64_t hash = hash_slice(text, set->seed);
	size_t slot, size = entry_size(text.n);
	struct entry *entry;

	if (2 * (set->count + 1) > set->room)
		grow_slots(set);
	slot = slot_of(set, text, hash);
	if (set->slots[slot])
		return false;
	if (set->used + size > (size_t)PLACE_MASK * UNIT)
		die("a list of more than 2 GB");
	if (set->used + size > set->reserved) {
		set->reserved = 2 * (set->used + size);
		set->entries = xrealloc(set->entries, set->reserved);
	}
	set->slots[slot] = slot_make(set->used, hash);
	entry = entry_at(set, slot);
	entry->number = number;
	entry->length = (uint16_t)text.n;
	memcpy(entry->text, text.p, text.n);
	set->used += size;
	set->count++;
	return true;
}

bool textset_find(const struct textset *set, struct slice text, uint32_t *number_r)
{
	size_t slot;

	if (text.n == 0)
		return false;
	slot = slot_of(set, text, hash_slice(text, set->seed));
	if (!set->slots[slot])
		return false;
	if (number_r)
		*number_r = entry_at(set, slot)->number;
	return true;
}

void textset_change(struct textset *set, struct slice text, uint32_t number)
{
	entry_at(set, slot_of(set, text, hash_slice(text, set->seed)))->number = number;
}
