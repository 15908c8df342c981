/*
 * senders.c - the table of the senders that are refused most: 64 comparisons of a number for each refusal.
 */
#include "senders.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	uint64_t hash, count;
	uint64_t over; /* of the names that had this place before: the count may be too high by it */
	uint8_t n;
	char name[SENDERS_NAME_MAX];
};

struct window {
	int64_t began_us;
	size_t used;
	struct slot slots[SENDERS_MAX];
};

struct senders {
	pthread_mutex_t lock; /* of the windows */
	struct window now, before;
	uint64_t seed;
};

struct senders *senders_new(void)
{
	struct senders *senders = xmalloc(sizeof(*senders));

	pthread_mutex_init(&senders->lock, NULL);
	senders->seed = random_seed();
	return senders;
}

void senders_free(struct senders *senders)
{
	if (!senders)
		return;
	pthread_mutex_destroy(&senders->lock);
	free(senders);
}

/* A window that has been filled for long enough becomes the one before. */
static void turn(struct senders *senders, int64_t now_us)
{
	if (senders->now.began_us == 0)
		senders->now.began_us = now_us;
	if (now_us - senders->now.began_us < SENDERS_US)
		return;
	senders->before = senders->now;
	if (now_us - senders->now.began_us >= 2 * SENDERS_US)
		senders->before.used = 0;
	senders->now.used = 0;
	senders->now.began_us = now_us;
}

static bool is_slot_of(const struct slot *slot, uint64_t hash, struct slice name)
{
	return slot->hash == hash && slice_equal((struct slice){slot->name, slot->n}, name);
}

/* Its place; NULL: it has none. */
static struct slot *find(struct window *window, uint64_t hash, struct slice name)
{
	for (size_t i = 0; i < window->used; i++)
		if (is_slot_of(&window->slots[i], hash, name))
			return &window->slots[i];
	return NULL;
}

/* A free place, or that of the name that was counted least. */
static struct slot *take(struct window *window, uint64_t hash, struct slice name)
{
	struct slot *slot = &window->slots[0];

	if (window->used < SENDERS_MAX) {
		slot = &window->slots[window->used++];
		slot->count = 0;
	} else {
		for (size_t i = 1; i < SENDERS_MAX; i++)
			if (window->slots[i].count < slot->count)
				slot = &window->slots[i];
	}
	slot->over = slot->count;
	slot->hash = hash;
	slot->n = (uint8_t)name.n;
	if (name.n)
		memcpy(slot->name, name.p, name.n);
	return slot;
}

void senders_add(struct senders *senders, struct slice name, int64_t now_us)
{
	struct slot *slot;
	uint64_t hash;

	if (!senders)
		return;
	name = slice_head(name, SENDERS_NAME_MAX);
	hash = hash_slice(name, senders->seed);
	pthread_mutex_lock(&senders->lock);
	turn(senders, now_us);
	slot = find(&senders->now, hash, name);
	if (!slot)
		slot = take(&senders->now, hash, name);
	slot->count++;
	pthread_mutex_unlock(&senders->lock);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct sender_count *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

static size_t gather(struct senders *senders, struct arena *arena, struct sender_count *counts)
{
	size_t count = 0;

	for (size_t i = 0; i < senders->now.used; i++) {
		const struct slot *slot = &senders->now.slots[i];
		const struct slot *old = find(&senders->before, slot->hash, (struct slice){slot->name, slot->n});

		counts[count++] = (struct sender_count){arena_copy(arena, (struct slice){slot->name, slot->n}),
							slot->count - slot->over + (old ? old->count - old->over : 0)};
	}
	for (size_t i = 0; i < senders->before.used; i++) {
		const struct slot *slot = &senders->before.slots[i];

		if (!find(&senders->now, slot->hash, (struct slice){slot->name, slot->n}))
			counts[count++] = (struct sender_count){arena_copy(arena, (struct slice){slot->name, slot->n}),
								slot->count - slot->over};
	}
	return count;
}

size_t senders_top(struct senders *senders, int64_t now_us, struct arena *arena, struct sender_count *counts_r,
		   size_t room)
{
	struct sender_count all[2 * SENDERS_MAX];
	size_t count;

	pthread_mutex_lock(&senders->lock);
	turn(senders, now_us);
	count = gather(senders, arena, all);
	pthread_mutex_unlock(&senders->lock);
	qsort(all, count, sizeof(all[0]), compare);
	if (count > room)
		count = room;
	memcpy(counts_r, all, count * sizeof(all[0]));
	return count;
}
