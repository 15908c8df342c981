/*
 * meter.c - the numbers that the metrics show. A rule gets its place in a table when it is met first, and keeps it:
 * readers need no lock, and a name is never freed while the daemon runs.
 */
#include "meter.h"
#include <stdatomic.h>
#include <stdlib.h>

#define PLACES (2 * METER_RULES) /* a power of two; half of them stay free, so that a search ends soon */
#define SHARDS 8

const int64_t meter_bounds_us[METER_BOUNDS] = {100,   250,    500,     1000,    2500,    10000,
					       50000, 250000, 1000000, 2500000, 5000000, 8000000};
const char *const meter_time_names[METER_TIMES + 1] = {
    [METER_MAIL] = "mail", [METER_RCPT] = "rcpt", [METER_BODY] = "body", [METER_END] = "message", [METER_DNS] = "dns"};

struct times {
	_Atomic uint64_t counts[METER_BOUNDS + 1], sum_us;
};

struct shard {
	_Alignas(64) struct times times[METER_TIMES];
};

struct place {
	char *_Atomic name; /* NULL: free */
	_Atomic uint64_t verdicts[KIND_COUNT][VERDICT_COUNT], would[KIND_COUNT];
};

struct meters {
	struct shard shards[SHARDS];
	_Atomic unsigned used;
	uint64_t seed;
	struct place places[PLACES], others;
};

struct meters *meters_new(void)
{
	struct meters *meters = aligned_alloc(64, sizeof(*meters));

	if (!meters)
		die("no memory for the metrics");
	memset(meters, 0, sizeof(*meters));
	meters->seed = random_seed();
	meters->others.name = xstrdup(METER_OTHERS);
	return meters;
}

void meters_free(struct meters *meters)
{
	if (!meters)
		return;
	for (size_t i = 0; i < PLACES; i++)
		free(meters->places[i].name);
	free(meters->others.name);
	free(meters);
}

/* ---- counting --------------------------------------------------------------------------------------- */

void meters_time(struct meters *meters, enum meter_time what, uintptr_t spread, int64_t us)
{
	struct times *times;
	size_t bound = 0;

	if (!meters)
		return;
	if (us < 0)
		us = 0;
	times = &meters->shards[(spread >> 6 ^ spread >> 12) % SHARDS].times[what];
	while (bound < METER_BOUNDS && us > meter_bounds_us[bound])
		bound++;
	atomic_fetch_add_explicit(&times->counts[bound], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&times->sum_us, (uint64_t)us, memory_order_relaxed);
}

static bool is_named(const char *name, struct slice rule)
{
	return slice_equal(slice_of(name), rule);
}

/* Puts the name into a free place. NULL: another thread was faster, or no more rules are told apart. */
static struct place *place_take(struct meters *meters, struct place *place, struct slice rule)
{
	char *nobody = NULL, *name;

	if (atomic_fetch_add_explicit(&meters->used, 1, memory_order_relaxed) >= METER_RULES) {
		atomic_fetch_sub_explicit(&meters->used, 1, memory_order_relaxed);
		return NULL;
	}
	name = xmalloc(rule.n + 1);
	if (rule.n)
		memcpy(name, rule.p, rule.n);
	if (atomic_compare_exchange_strong(&place->name, &nobody, name))
		return place;
	free(name);
	atomic_fetch_sub_explicit(&meters->used, 1, memory_order_relaxed);
	return is_named(nobody, rule) ? place : NULL;
}

static struct place *place_of(struct meters *meters, struct slice rule)
{
	size_t at = hash_slice(rule, meters->seed) % PLACES;

	for (size_t tries = 0; tries < PLACES; tries++, at = (at + 1) % PLACES) {
		struct place *place = &meters->places[at];
		const char *name = place->name;

		if (name && is_named(name, rule))
			return place;
		if (name)
			continue;
		place = place_take(meters, place, rule);
		if (place)
			return place;
		if (!meters->places[at].name)
			break;
	}
	return &meters->others;
}

void meters_verdict(struct meters *meters, struct slice rule, enum kind kind, enum verdict verdict)
{
	if (meters)
		atomic_fetch_add_explicit(&place_of(meters, rule)->verdicts[kind][verdict], 1, memory_order_relaxed);
}

void meters_would(struct meters *meters, struct slice rule, enum kind kind)
{
	if (meters)
		atomic_fetch_add_explicit(&place_of(meters, rule)->would[kind], 1, memory_order_relaxed);
}

/* ---- reading ------------------------------------------------------------------------------------------ */

void meters_times(const struct meters *meters, enum meter_time what, struct meter_times *times_r)
{
	uint64_t sum = 0;

	memset(times_r, 0, sizeof(*times_r));
	for (size_t s = 0; s < SHARDS; s++) {
		const struct times *times = &meters->shards[s].times[what];

		for (size_t i = 0; i <= METER_BOUNDS; i++)
			times_r->counts[i] += times->counts[i];
		sum += times->sum_us;
	}
	for (size_t i = 0; i <= METER_BOUNDS; i++)
		times_r->total += times_r->counts[i];
	times_r->sum_us = (int64_t)sum;
}

static void rule_take(const struct place *place, void (*take)(void *context, const struct meter_rule *), void *context)
{
	const char *name = place->name;
	struct meter_rule rule;

	if (!name)
		return;
	rule.name = slice_of(name);
	for (size_t kind = 0; kind < KIND_COUNT; kind++) {
		rule.would[kind] = place->would[kind];
		for (size_t verdict = 0; verdict < VERDICT_COUNT; verdict++)
			rule.verdicts[kind][verdict] = place->verdicts[kind][verdict];
	}
	take(context, &rule);
}

void meters_rules(const struct meters *meters, void (*take)(void *context, const struct meter_rule *), void *context)
{
	for (size_t i = 0; i < PLACES; i++)
		rule_take(&meters->places[i], take, context);
	rule_take(&meters->others, take, context);
}
