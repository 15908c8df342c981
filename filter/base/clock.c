/*
 * clock.c - time, and chance: the two things that come from the system and that
 * no test can foretell. Whoever needs them takes them as an argument.
 */
#include "base.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>

#define MICRO 1000000

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) < 0)
		die("cannot read the clock: %s", strerror(errno));
	return (int64_t)now.tv_sec * MICRO + now.tv_nsec / 1000;
}

int64_t clock_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

struct slice clock_print(int64_t wall_us, struct arena *arena)
{
	int64_t part = (wall_us % MICRO + MICRO) % MICRO; /* also before 1970 */
	time_t seconds = (time_t)((wall_us - part) / MICRO);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm))
		return SLICE("");
	return arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
			    tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(part / 1000));
}

uint64_t hash_slice(struct slice text, uint64_t seed)
{
	return XXH3_64bits_withSeed(text.n > 0 ? text.p : "", text.n, seed);
}

uint64_t random_seed(void)
{
	uint64_t seed;
	ssize_t n;

	do
		n = getrandom(&seed, sizeof(seed), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(seed))
		die("the system gives no random bytes: %s", strerror(errno));
	return seed;
}
