/*
 * clock.c - time and random numbers: both come from the system, and tests cannot
 * predict them. Code that needs them takes them as an argument.
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

/* Every record has one. Printing number by number costs a tenth of a printf with six numbers. */
struct slice clock_print(int64_t wall_us, struct arena *arena)
{
	int64_t part = (wall_us % MICRO + MICRO) % MICRO; /* works before 1970, too */
	time_t seconds = (time_t)(wall_us / MICRO - (wall_us % MICRO < 0));
	struct text text;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) /* RFC 3339 has four digits */
		return SLICE("");
	text_init(&text, arena, sizeof("2026-11-21T17:19:40.123Z"));
	text_add_number(&text, (uint64_t)tm.tm_year + 1900, 4);
	text_add_char(&text, '-');
	text_add_number(&text, (uint64_t)tm.tm_mon + 1, 2);
	text_add_char(&text, '-');
	text_add_number(&text, (uint64_t)tm.tm_mday, 2);
	text_add_char(&text, 'T');
	text_add_number(&text, (uint64_t)tm.tm_hour, 2);
	text_add_char(&text, ':');
	text_add_number(&text, (uint64_t)tm.tm_min, 2);
	text_add_char(&text, ':');
	text_add_number(&text, (uint64_t)tm.tm_sec, 2);
	text_add_char(&text, '.');
	text_add_number(&text, (uint64_t)part / 1000, 3);
	text_add_char(&text, 'Z');
	return text_slice(&text);
}

uint64_t hash_slice(struct slice text, uint64_t seed)
{
	return XXH3_64bits_withSeed(text.n > 0 ? text.p : "", text.n, seed);
}

struct slice case_id_new(struct arena *arena)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	char *text = arena_raw(arena, CASE_ID_LENGTH);
	uint64_t bits = random_seed();

	for (size_t i = 0; i < CASE_ID_LENGTH; i++, bits >>= 5)
		text[i] = digits[bits & 31];
	return (struct slice){text, CASE_ID_LENGTH};
}

uint64_t random_seed(void)
{
	uint64_t seed;
	ssize_t n;

	do
		n = getrandom(&seed, sizeof(seed), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(seed))
		die("cannot get random bytes from the system: %s", strerror(errno));
	return seed;
}
