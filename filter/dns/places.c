/*
 * places.c - seats, askers, and the turn among those who wait.
 *
 * An asker is remembered as long as it has a seat, so there are never more of them than questions.
 */
#include "places.h"

#include <stdlib.h>

struct asker {
	uint64_t whose;
	unsigned seats; /* in any state */
	unsigned used;  /* of them ready or taken */
	struct seat_list waiting;
	struct asker *in_bucket;
	struct asker *after, *before; /* in the ring; NULL: not in it */
};

void places_init(struct places *places, unsigned most, uint64_t seed)
{
	*places = (struct places){.most = most, .seed = seed};
}

static void list_add(struct seat_list *list, struct seat *seat)
{
	seat->next = NULL;
	seat->previous = list->last;
	*(list->last ? &list->last->next : &list->first) = seat;
	list->last = seat;
}

static void list_remove(struct seat_list *list, struct seat *seat)
{
	*(seat->previous ? &seat->previous->next : &list->first) = seat->next;
	*(seat->next ? &seat->next->previous : &list->last) = seat->previous;
	seat->next = seat->previous = NULL;
}

/* ---- askers ------------------------------------------------------------------------ */

static struct asker **bucket_of(struct places *places, uint64_t whose)
{
	uint64_t hash = hash_slice((struct slice){(const char *)&whose, sizeof(whose)}, places->seed);

	return &places->buckets[hash % ASKER_BUCKETS];
}

static struct asker *asker_find(struct places *places, uint64_t whose)
{
	struct asker *asker = *bucket_of(places, whose);

	while (asker && asker->whose != whose)
		asker = asker->in_bucket;
	return asker;
}

static struct asker *asker_get(struct places *places, uint64_t whose)
{
	struct asker *asker = asker_find(places, whose);
	struct asker **bucket = bucket_of(places, whose);

	if (asker)
		return asker;
	asker = xmalloc(sizeof(*asker));
	asker->whose = whose;
	asker->in_bucket = *bucket;
	*bucket = asker;
	return asker;
}

static void asker_drop_unused(struct places *places, struct asker *asker)
{
	struct asker **at = bucket_of(places, asker->whose);

	if (asker->seats > 0)
		return;
	while (*at != asker)
		at = &(*at)->in_bucket;
	*at = asker->in_bucket;
	free(asker);
}

/* Last in the ring: before the one whose turn it is. */
static void ring_add(struct places *places, struct asker *asker)
{
	struct asker *turn = places->turn;

	if (asker->after)
		return;
	asker->after = turn ? turn : asker;
	asker->before = turn ? turn->before : asker;
	asker->before->after = asker;
	asker->after->before = asker;
	if (!turn)
		places->turn = asker;
}

static void ring_remove(struct places *places, struct asker *asker)
{
	if (places->turn == asker)
		places->turn = asker->after != asker ? asker->after : NULL;
	asker->before->after = asker->after;
	asker->after->before = asker->before;
	asker->after = asker->before = NULL;
}

/* ---- seats -------------------------------------------------------------------------- */

static bool may_use(const struct places *places, unsigned held, bool hint)
{
	unsigned room = places->most - places->used;

	if (hint)
		return places->hints < PLACES_HINTS(places->most) && held < room / 2;
	return held < room;
}

static void seat_wait(struct places *places, struct seat *seat)
{
	seat->state = SEAT_WAITING;
	list_add(&seat->asker->waiting, seat);
	ring_add(places, seat->asker);
}

static void seat_wait_end(struct places *places, struct seat *seat)
{
	list_remove(&seat->asker->waiting, seat);
	if (!seat->asker->waiting.first)
		ring_remove(places, seat->asker);
}

static void seat_use(struct places *places, struct seat *seat)
{
	bool at_once = places->most == 0;

	seat->state = at_once ? SEAT_TAKEN : SEAT_READY;
	list_add(at_once ? &places->taken : &places->ready, seat);
	places->used++;
	places->hints += seat->hint;
	seat->asker->used++;
}

/* Goes round until nobody who waits may use what is free. */
static void places_grant(struct places *places)
{
	struct asker *first_refused = NULL;

	while (places->turn && places->turn != first_refused) {
		struct asker *asker = places->turn;
		struct seat *seat = asker->waiting.first;

		places->turn = asker->after;
		if (!may_use(places, asker->used, false)) {
			first_refused = first_refused ? first_refused : asker;
			continue;
		}
		first_refused = NULL;
		seat_wait_end(places, seat);
		seat_use(places, seat);
	}
}

static void seat_own(struct seat *seat, struct asker *asker)
{
	seat->asker = asker;
	asker->seats++;
}

static void seat_disown(struct places *places, struct seat *seat)
{
	seat->asker->seats--;
	asker_drop_unused(places, seat->asker);
	seat->asker = NULL;
}

bool places_enter(struct places *places, struct seat *seat, uint64_t whose, bool hint)
{
	const struct asker *known = asker_find(places, whose);
	bool at_once = places->most == 0 || may_use(places, known ? known->used : 0, hint);

	if (hint && !at_once)
		return false;
	*seat = (struct seat){.hint = hint};
	seat_own(seat, asker_get(places, whose));
	if (at_once)
		seat_use(places, seat);
	else
		seat_wait(places, seat);
	return true;
}

void places_want(struct places *places, struct seat *seat, uint64_t whose)
{
	if (seat->hint && seat->state != SEAT_NONE) {
		places->hints--;
		seat->hint = false;
	}
	if (seat->state != SEAT_WAITING || seat->asker->whose == whose)
		return;
	const struct asker *known = asker_find(places, whose);
	if (!may_use(places, known ? known->used : 0, false))
		return;
	seat_wait_end(places, seat);
	seat_disown(places, seat);
	seat_own(seat, asker_get(places, whose));
	seat_use(places, seat);
}

struct seat *places_take(struct places *places)
{
	struct seat *seat = places->ready.first;

	if (!seat)
		return NULL;
	list_remove(&places->ready, seat);
	list_add(&places->taken, seat);
	seat->state = SEAT_TAKEN;
	return seat;
}

void places_leave(struct places *places, struct seat *seat)
{
	if (seat->state == SEAT_NONE)
		return;
	if (seat->state == SEAT_WAITING) {
		seat_wait_end(places, seat);
	} else {
		list_remove(seat->state == SEAT_READY ? &places->ready : &places->taken, seat);
		places->used--;
		places->hints -= seat->hint;
		seat->asker->used--;
	}
	seat->state = SEAT_NONE;
	seat_disown(places, seat);
	if (places->most > 0)
		places_grant(places);
}
