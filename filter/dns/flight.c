/*
 * flight.c - the table of questions on their way. One lock for all: whoever
 * comes here waits for the network anyway, and what the cache answers never does.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "flight.h"

struct flights {
	pthread_mutex_t lock;
	pthread_condattr_t monotonic;
	size_t count;
	struct flight *oldest, *youngest;
	struct flight *buckets[FLIGHT_BUCKETS];
};

struct flights *flights_new(void)
{
	struct flights *flights = xmalloc(sizeof(*flights));

	pthread_mutex_init(&flights->lock, NULL);
	pthread_condattr_init(&flights->monotonic);
	if (pthread_condattr_setclock(&flights->monotonic, CLOCK_MONOTONIC) != 0)
		die("this system cannot wait by the monotonic clock");
	return flights;
}

void flights_free(struct flights *flights)
{
	if (!flights)
		return;
	pthread_condattr_destroy(&flights->monotonic);
	pthread_mutex_destroy(&flights->lock);
	free(flights);
}

static struct flight **bucket_of(struct flights *flights, const struct question *question)
{
	return &flights->buckets[question->hash % FLIGHT_BUCKETS];
}

static struct flight *flight_new(struct flights *flights, const struct question *question, int64_t overdue_us)
{
	struct flight *flight = xmalloc(sizeof(*flight));
	struct flight **bucket = bucket_of(flights, question);

	flight->question = *question;
	flight->overdue_us = overdue_us;
	pthread_cond_init(&flight->landed, &flights->monotonic);
	flight->in_bucket = *bucket;
	*bucket = flight;
	flight->older = flights->youngest;
	if (flights->youngest)
		flights->youngest->younger = flight;
	else
		flights->oldest = flight;
	flights->youngest = flight;
	flights->count++;
	return flight;
}

static void flight_unlink(struct flights *flights, struct flight *flight)
{
	struct flight **at = bucket_of(flights, &flight->question);

	while (*at != flight)
		at = &(*at)->in_bucket;
	*at = flight->in_bucket;
	*(flight->older ? &flight->older->younger : &flights->oldest) = flight->younger;
	*(flight->younger ? &flight->younger->older : &flights->youngest) = flight->older;
	flights->count--;
}

struct flight *flight_join(struct flights *flights, const struct question *question, int64_t overdue_us, bool *first_r)
{
	*first_r = false;
	pthread_mutex_lock(&flights->lock);
	struct flight *flight = *bucket_of(flights, question);
	while (flight && !question_equal(&flight->question, question))
		flight = flight->in_bucket;
	if (!flight && flights->count < FLIGHT_MAX) {
		flight = flight_new(flights, question, overdue_us);
		*first_r = true;
	}
	if (flight)
		flight->owners++;
	pthread_mutex_unlock(&flights->lock);
	return flight;
}

struct flight *flight_hold(struct flights *flights, struct flight *flight)
{
	pthread_mutex_lock(&flights->lock);
	flight->owners++;
	pthread_mutex_unlock(&flights->lock);
	return flight;
}

void flight_leave(struct flights *flights, struct flight *flight)
{
	pthread_mutex_lock(&flights->lock);
	bool last = --flight->owners == 0;
	if (last && !flight->answer)
		flight_unlink(flights, flight);
	pthread_mutex_unlock(&flights->lock);
	if (!last)
		return;
	answer_release(flight->answer);
	pthread_cond_destroy(&flight->landed);
	free(flight);
}

struct answer *flight_wait(struct flights *flights, struct flight *flight, int64_t until_us)
{
	struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
	struct answer *answer = NULL;

	if (until_us < 0)
		until = (struct timespec){0, 0};
	pthread_mutex_lock(&flights->lock);
	while (!flight->answer)
		if (pthread_cond_timedwait(&flight->landed, &flights->lock, &until) == ETIMEDOUT)
			break;
	if (flight->answer)
		answer = answer_hold(flight->answer);
	pthread_mutex_unlock(&flights->lock);
	return answer;
}

void flight_land(struct flights *flights, struct flight *flight, struct answer *answer)
{
	pthread_mutex_lock(&flights->lock);
	if (!flight->answer) {
		flight->answer = answer_hold(answer);
		flight_unlink(flights, flight);
		pthread_cond_broadcast(&flight->landed);
	}
	pthread_mutex_unlock(&flights->lock);
}

bool flight_give_up(struct flights *flights, struct flight *flight)
{
	pthread_mutex_lock(&flights->lock);
	bool first = !flight->answer && !flight->given_up;
	flight->given_up = true;
	pthread_mutex_unlock(&flights->lock);
	return first;
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
