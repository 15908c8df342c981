/*
 * measure.h - what two ways to do a thing cost, side by side: they take turns, and of
 * each the fastest round counts, since another process may have had the processor.
 */
#ifndef SEKISHO_MEASURE_H
#define SEKISHO_MEASURE_H

#include <stdio.h>
#include <time.h>

#define MEASURE_ROUNDS 9

/* One comparison. `ours` and `other` do the same piece of work once. */
struct measure {
	const char *what, *against;
	void (*ours)(void *);
	void (*other)(void *);
	void *with;
	unsigned times; /* in one round */
};

static inline double measure_us(void (*work)(void *), void *with, unsigned times)
{
	struct timespec from, to;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (unsigned i = 0; i < times; i++)
		work(with);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return (1e6 * (double)(to.tv_sec - from.tv_sec) + 1e-3 * (double)(to.tv_nsec - from.tv_nsec)) / times;
}

/* A line: the ratio, the difference, what, and microseconds of processor time of both. */
static inline void measure(const struct measure *it)
{
	double ours = 1e18, other = 1e18;

	for (int round = 0; round <= MEASURE_ROUNDS; round++) {
		double a = measure_us(it->ours, it->with, it->times), b = measure_us(it->other, it->with, it->times);

		if (round == 0)
			continue; /* what happens once */
		ours = a < ours ? a : ours;
		other = b < other ? b : other;
	}
	printf("%7.2f times  %+10.2f us  %-48s %10.2f us; %s: %.2f us\n", ours / other, ours - other, it->what, ours,
	       it->against, other);
}

#endif
