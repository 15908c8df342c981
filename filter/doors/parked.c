/*
 * parked.c - gates of messages whose envelope one door has seen and whose content another one will see, by the queue id
 * of the mail server. Contract: door.h.
 */
#include "door.h"
#include <pthread.h>
#include <stdlib.h>

struct place {
	struct place *next;
	struct gate *gate;
	int64_t since_us;
	size_t n;
	char queue_id[];
};

struct parked {
	pthread_mutex_t lock;
	struct place *first; /* parked last */
	size_t count;
};

struct parked *parked_new(void)
{
	struct parked *parked = xmalloc(sizeof(*parked));

	pthread_mutex_init(&parked->lock, NULL);
	return parked;
}

/* Its message ends without an answer. */
static void place_end(struct place *place)
{
	gate_close(place->gate);
	free(place);
}

static struct place *take_out(struct parked *parked, struct place **link)
{
	struct place *place = *link;

	*link = place->next;
	parked->count--;
	return place;
}

/* The lock is held. NULL: there is none. */
static struct place *take_named(struct parked *parked, struct slice queue_id)
{
	for (struct place **link = &parked->first; *link; link = &(*link)->next)
		if (slice_equal((struct slice){(*link)->queue_id, (*link)->n}, queue_id))
			return take_out(parked, link);
	return NULL;
}

/* The lock is held. The one parked first, if it was parked before that time; NULL: there is none. */
static struct place *take_oldest(struct parked *parked, int64_t before_us)
{
	struct place **link = &parked->first;

	while (*link && (*link)->next)
		link = &(*link)->next;
	return *link && (*link)->since_us < before_us ? take_out(parked, link) : NULL;
}

bool parked_put(struct parked *parked, struct slice queue_id, struct gate *gate)
{
	struct place *place, *replaced, *oldest;

	if (!parked || queue_id.n == 0 || queue_id.n > PARKED_ID_MAX)
		return false;
	place = xmalloc(sizeof(*place) + queue_id.n);
	place->gate = gate;
	place->since_us = clock_us();
	place->n = queue_id.n;
	memcpy(place->queue_id, queue_id.p, queue_id.n);
	pthread_mutex_lock(&parked->lock);
	replaced = take_named(parked, queue_id);
	oldest = parked->count >= PARKED_MAX ? take_oldest(parked, INT64_MAX) : NULL;
	place->next = parked->first;
	parked->first = place;
	parked->count++;
	pthread_mutex_unlock(&parked->lock);
	if (replaced)
		place_end(replaced);
	if (oldest)
		place_end(oldest);
	return true;
}

struct gate *parked_take(struct parked *parked, struct slice queue_id)
{
	struct place *place;
	struct gate *gate;

	if (!parked)
		return NULL;
	pthread_mutex_lock(&parked->lock);
	place = take_named(parked, queue_id);
	pthread_mutex_unlock(&parked->lock);
	gate = place ? place->gate : NULL;
	free(place);
	return gate;
}

void parked_expire(struct parked *parked, int64_t before_us)
{
	struct place *place = NULL;

	do {
		if (place)
			place_end(place);
		pthread_mutex_lock(&parked->lock);
		place = take_oldest(parked, before_us);
		pthread_mutex_unlock(&parked->lock);
	} while (place);
}

void parked_free(struct parked *parked)
{
	if (!parked)
		return;
	parked_expire(parked, INT64_MAX);
	pthread_mutex_destroy(&parked->lock);
	free(parked);
}
