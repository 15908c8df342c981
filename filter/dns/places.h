/*
 * places.h - who may ask next, when there are more questions than places.
 *
 * A question that the backend holds costs memory and a socket until its servers have answered or the backend has given
 * up, whether or not anybody still wants the answer. So there is a fixed number of places, and a question takes a seat:
 * it waits for a place, has one and is to be handed over (ready), or is with the backend (taken).
 *
 * No asker can take what others need: an asker gets a place only while it holds fewer than are free. One alone gets
 * half of the places, two get a third each, and somebody who holds none always finds one until there are as many askers
 * as places. Those who wait are served in turn, an asker at a time. Hints, which nobody waits for, never wait: they
 * share a quarter of the places, an asker has them only while it holds less than half of what is free, and where there
 * is no place for a hint it is dropped.
 *
 * Nothing here locks: flight.c does.
 */
#ifndef SEKISHO_DNS_PLACES_H
#define SEKISHO_DNS_PLACES_H

#include "base.h"

#define PLACES_HINTS(places) ((places) / 4) /* of so many places, at most so many for hints */
#define ASKER_BUCKETS        256

enum seat_state { SEAT_NONE, SEAT_WAITING, SEAT_READY, SEAT_TAKEN };

struct asker;

struct seat {
	enum seat_state state;
	bool hint;           /* nobody waits for the answer */
	struct asker *asker; /* whose it is; NULL: SEAT_NONE */
	struct seat *next, *previous;
};

struct seat_list {
	struct seat *first, *last;
};

struct places {
	unsigned most;  /* 0: any number, and every seat is taken at once */
	unsigned used;  /* ready or taken */
	unsigned hints; /* of them */
	uint64_t seed;
	struct seat_list ready, taken;
	struct asker *turn; /* a ring of those who have seats that wait */
	struct asker *buckets[ASKER_BUCKETS];
};

void places_init(struct places *, unsigned most, uint64_t seed);

/* Gives the question of `whose` a seat. False: it is a hint, and there is no place for it. */
bool places_enter(struct places *, struct seat *, uint64_t whose, bool hint);

/* Somebody waits for the answer, perhaps another asker than the one who began: the seat is not a hint's any more, and
 * no longer waits when it would not have to as that asker's own. */
void places_want(struct places *, struct seat *, uint64_t whose);

/* The seat that has been ready for longest, now taken; NULL when none is ready. */
struct seat *places_take(struct places *);

/* The seat is given up; its place goes to those who wait. Nothing happens when it has none. */
void places_leave(struct places *, struct seat *);

#endif
