/*
 * flight.c - the table of questions on their way. One lock for all: whoever
 * comes here waits for the network anyway, and what the cache answers never does.
 */
#include "flight.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define LONG_US (INT64_C(3600) * 1000000) /* no flight takes so long; "never" would not fit a timespec */

struct flights {
	pthread_mutex_t lock;
	pthread_condattr_t monotonic;
	pthread_cond_t ready; /* a seat is, or the end is */
	bool stopping;
	int64_t patience_us;
	size_t count;
	struct flight *oldest, *youngest; /* in the order in which they become overdue */
	struct places places;
	struct flight *buckets[FLIGHT_BUCKETS];
};

struct flights *flights_new(unsigned places, int64_t patience_us)
{
	struct flights *flights = xmalloc(sizeof(*flights));

	pthread_mutex_init(&flights->lock, NULL);
	pthread_cond_init(&flights->ready, NULL);
	pthread_condattr_init(&flights->monotonic);
	if (pthread_condattr_setclock(&flights->monotonic, CLOCK_MONOTONIC) != 0)
		die("this system cannot wait by the monotonic clock");
	flights->patience_us = patience_us;
	places_init(&flights->places, places, random_seed());
	return flights;
}

static struct flight *flight_of(struct seat *seat)
{
	return (struct flight *)((char *)seat - offsetof(struct flight, seat));
}

void flights_free(struct flights *flights)
{
	struct seat *held;

	if (!flights)
		return;
	while ((held = flights->places.taken.first))
		flight_return(flights, flight_of(held));
	pthread_condattr_destroy(&flights->monotonic);
	pthread_cond_destroy(&flights->ready);
	pthread_mutex_destroy(&flights->lock);
	free(flights);
}

/* ---- the table ------------------------------------------------------------------------- */

static struct flight **bucket_of(struct flights *flights, const struct question *question)
{
	return &flights->buckets[question->hash % FLIGHT_BUCKETS];
}

static void queue_add(struct flights *flights, struct flight *flight)
{
	flight->overdue_us = clock_us() + flights->patience_us;
	flight->younger = NULL;
	flight->older = flights->youngest;
	*(flights->youngest ? &flights->youngest->younger : &flights->oldest) = flight;
	flights->youngest = flight;
}

static void queue_remove(struct flights *flights, struct flight *flight)
{
	*(flight->older ? &flight->older->younger : &flights->oldest) = flight->younger;
	*(flight->younger ? &flight->younger->older : &flights->youngest) = flight->older;
}

static void flight_unlink(struct flights *flights, struct flight *flight)
{
	struct flight **at = bucket_of(flights, &flight->question);

	while (*at != flight)
		at = &(*at)->in_bucket;
	*at = flight->in_bucket;
	queue_remove(flights, flight);
	flights->count--;
}

/* The seat may have given its place to another, or have one itself now. */
static void seats_moved(struct flights *flights)
{
	if (flights->places.ready.first)
		pthread_cond_signal(&flights->ready);
}

/* Without a seat it is freed again: NULL. */
static struct flight *flight_new(struct flights *flights, const struct question *question, struct intent intent)
{
	struct flight *flight = xmalloc(sizeof(*flight));
	struct flight **bucket = bucket_of(flights, question);

	if (!places_enter(&flights->places, &flight->seat, intent.whose, intent.hint)) {
		free(flight);
		return NULL;
	}
	flight->question = *question;
	flight->owners = flight->seat.state == SEAT_TAKEN;
	pthread_cond_init(&flight->landed, &flights->monotonic);
	flight->in_bucket = *bucket;
	*bucket = flight;
	queue_add(flights, flight);
	flights->count++;
	seats_moved(flights);
	return flight;
}

static void flight_want(struct flights *flights, struct flight *flight, uint64_t whose)
{
	places_want(&flights->places, &flight->seat, whose);
	seats_moved(flights);
}

struct flight *flight_join(struct flights *flights, const struct question *question, struct intent intent,
			   bool *first_r)
{
	*first_r = false;
	pthread_mutex_lock(&flights->lock);
	struct flight *flight = *bucket_of(flights, question);
	while (flight && !question_equal(&flight->question, question))
		flight = flight->in_bucket;
	if (flight && !intent.hint)
		flight_want(flights, flight, intent.whose);
	if (!flight && flights->count < FLIGHT_MAX) {
		flight = flight_new(flights, question, intent);
		*first_r = flight != NULL;
	}
	if (flight)
		flight->owners++;
	pthread_mutex_unlock(&flights->lock);
	return flight;
}

/* What nobody has handed over yet need not be any more. */
static void seat_withdraw(struct flights *flights, struct flight *flight)
{
	if (flight->seat.state == SEAT_TAKEN)
		return;
	places_leave(&flights->places, &flight->seat);
	seats_moved(flights);
}

/* With the lock, which it lets go of. */
static void owner_leave(struct flights *flights, struct flight *flight)
{
	bool last = --flight->owners == 0;

	if (last) {
		seat_withdraw(flights, flight);
		if (!flight->answer)
			flight_unlink(flights, flight);
	}
	pthread_mutex_unlock(&flights->lock);
	if (!last)
		return;
	answer_release(flight->answer);
	pthread_cond_destroy(&flight->landed);
	free(flight);
}

void flight_leave(struct flights *flights, struct flight *flight)
{
	pthread_mutex_lock(&flights->lock);
	owner_leave(flights, flight);
}

/* ---- waiting and landing --------------------------------------------------------------- */

/* Where somebody ends it already, it lands in a moment. */
static int64_t wait_end(const struct flight *flight, int64_t until_us)
{
	int64_t end = flight->given_up ? clock_us() + LONG_US : flight->overdue_us;

	return until_us < end ? until_us : end;
}

struct answer *flight_wait(struct flights *flights, struct flight *flight, uint64_t whose, int64_t until_us)
{
	struct answer *answer = NULL;

	pthread_mutex_lock(&flights->lock);
	flight_want(flights, flight, whose);
	while (!flight->answer) {
		int64_t end = wait_end(flight, until_us); /* it may move while we wait */
		if (end <= clock_us())
			break;
		struct timespec at = {end / 1000000, end % 1000000 * 1000};
		pthread_cond_timedwait(&flight->landed, &flights->lock, &at);
	}
	if (flight->answer)
		answer = answer_hold(flight->answer);
	pthread_mutex_unlock(&flights->lock);
	return answer;
}

bool flight_has_landed(struct flights *flights, struct flight *flight)
{
	bool landed;

	pthread_mutex_lock(&flights->lock);
	landed = flight->answer != NULL;
	pthread_mutex_unlock(&flights->lock);
	return landed;
}

void flight_land(struct flights *flights, struct flight *flight, struct answer *answer)
{
	pthread_mutex_lock(&flights->lock);
	if (!flight->answer) {
		flight->answer = answer_hold(answer);
		flight_unlink(flights, flight);
		seat_withdraw(flights, flight);
		pthread_cond_broadcast(&flight->landed);
	}
	pthread_mutex_unlock(&flights->lock);
}

enum dns_reason flight_give_up(struct flights *flights, struct flight *flight, int64_t now_us)
{
	enum dns_reason reason = DNS_NO_REASON;

	pthread_mutex_lock(&flights->lock);
	if (!flight->answer && !flight->given_up && flight->overdue_us <= now_us) {
		flight->given_up = true;
		reason = flight->seat.state == SEAT_TAKEN ? DNS_TIMEOUT : DNS_CROWDED;
		pthread_cond_broadcast(&flight->landed); /* whoever waits, waits for the landing now */
	}
	pthread_mutex_unlock(&flights->lock);
	return reason;
}

struct flight *flight_overdue(struct flights *flights, int64_t now_us)
{
	pthread_mutex_lock(&flights->lock);
	struct flight *flight = flights->oldest;
	if (flight && flight->overdue_us > now_us)
		flight = NULL;
	if (flight)
		flight->owners++;
	pthread_mutex_unlock(&flights->lock);
	return flight;
}

/* ---- the backend's side ------------------------------------------------------------------- */

struct flight *flight_take(struct flights *flights)
{
	struct flight *flight = NULL;

	pthread_mutex_lock(&flights->lock);
	while (!flights->stopping && !flights->places.ready.first)
		pthread_cond_wait(&flights->ready, &flights->lock);
	if (!flights->stopping) {
		flight = flight_of(places_take(&flights->places));
		flight->owners++;
		queue_remove(flights, flight);
		queue_add(flights, flight);
	}
	pthread_mutex_unlock(&flights->lock);
	return flight;
}

void flight_return(struct flights *flights, struct flight *flight)
{
	pthread_mutex_lock(&flights->lock);
	places_leave(&flights->places, &flight->seat);
	seats_moved(flights);
	owner_leave(flights, flight);
}

void flights_stop(struct flights *flights)
{
	pthread_mutex_lock(&flights->lock);
	flights->stopping = true;
	pthread_cond_signal(&flights->ready);
	pthread_mutex_unlock(&flights->lock);
}
