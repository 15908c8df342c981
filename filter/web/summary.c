/*
 * summary.c - the counts of a history, which it keeps for every five minutes, summed for the page.
 */
#include "html.h"
#include <stdlib.h>

#define MINUTE_US  (INT64_C(60) * 1000 * 1000)
#define REFUSED_US (24 * 60 * MINUTE_US)
#define NAMES_MOST 65536 /* of one kind; later ones are left out */
#define ROOM_FIRST 256

const struct range_kind ranges[RANGES] = {{"hour", "Last hour", 5 * MINUTE_US, 12},
					  {"day", "Last day", 15 * MINUTE_US, 96},
					  {"week", "Last week", 120 * MINUTE_US, 84}};

struct names {
	struct named *places; /* a hash table; name.p NULL: free */
	size_t room, used;
};

struct summing {
	struct summary *summary;
	struct arena *arena;
	uint64_t seed;
	struct names names[HISTORY_COUNT_KINDS];
};

/* ---- names -------------------------------------------------------------------------------------------------- */

static struct named *place_of(const struct summing *summing, const struct names *names, struct slice name)
{
	size_t at = hash_slice(name, summing->seed) & (names->room - 1);

	while (names->places[at].name.p && !slice_equal(names->places[at].name, name))
		at = (at + 1) & (names->room - 1);
	return &names->places[at];
}

static void names_grow(const struct summing *summing, struct names *names)
{
	struct names larger = {.room = names->room ? 2 * names->room : ROOM_FIRST, .used = names->used};

	larger.places = xmalloc(larger.room * sizeof(*larger.places));
	for (size_t i = 0; i < names->room; i++)
		if (names->places[i].name.p)
			*place_of(summing, &larger, names->places[i].name) = names->places[i];
	free(names->places);
	*names = larger;
}

static void name_count(struct summing *summing, struct names *names, struct slice name, uint64_t count)
{
	struct named *place;

	if (2 * names->used >= names->room)
		names_grow(summing, names);
	place = place_of(summing, names, name);
	if (!place->name.p) {
		if (names->used == NAMES_MOST)
			return;
		place->name = arena_copy(summing->arena, name);
		names->used++;
	}
	place->count += count;
}

static void top_find(const struct names *names, struct named *top, size_t *count_r)
{
	size_t count = 0;

	for (size_t i = 0; i < names->room; i++) {
		struct named one = names->places[i];
		size_t at = count;

		if (!one.name.p || (count == TOP && one.count <= top[TOP - 1].count))
			continue;
		if (count < TOP)
			count++;
		else
			at = TOP - 1;
		for (; at > 0 && top[at - 1].count < one.count; at--)
			top[at] = top[at - 1];
		top[at] = one;
	}
	*count_r = count;
}

/* ---- the counts ------------------------------------------------------------------------------------------------ */

static enum verdict verdict_of(struct slice name)
{
	for (enum verdict verdict = VERDICT_ACCEPT; verdict < VERDICT_COUNT; verdict++)
		if (slice_equal(name, slice_of(verdict_names[verdict])))
			return verdict;
	return VERDICT_NONE;
}

static void take_count(void *context, int64_t step_us, enum history_count kind, struct slice name, uint64_t count)
{
	struct summing *summing = context;
	struct summary *summary = summing->summary;
	enum verdict verdict = verdict_of(name);
	size_t slot = (size_t)((step_us - summary->since_us) / summary->range->slot_us);

	if (step_us < summary->since_us)
		return;
	if (kind != HISTORY_COUNT_VERDICT) {
		if (name.n > 0)
			name_count(summing, &summing->names[kind], name, count);
		return;
	}
	if (slot >= summary->range->slots) /* a clock that was wrong */
		slot = summary->range->slots - 1;
	summary->verdicts[verdict][slot] += count;
	summary->totals[verdict] += count;
	summary->total += count;
}

/* Senders are many: of a week, those of its last day are read. */
static int read_counts(struct history_reader *reader, struct summing *summing, int64_t now_us, struct error *err)
{
	static const unsigned few = 1u << HISTORY_COUNT_VERDICT | 1u << HISTORY_COUNT_RULE | 1u << HISTORY_COUNT_WOULD;
	int64_t since = summing->summary->since_us, day = now_us - REFUSED_US;

	if (history_counts(reader, few, since, now_us, take_count, summing, err) != 0)
		return -1;
	return history_counts(reader, 1u << HISTORY_COUNT_REFUSED, since > day ? since : day, now_us, take_count,
			      summing, err);
}

int summary_read(const char *path, enum range range, int64_t now_us, struct arena *arena, struct summary *summary_r,
		 struct error *err)
{
	const struct range_kind *kind = &ranges[range];
	struct summing summing = {.summary = summary_r, .arena = arena, .seed = random_seed()};
	struct history_reader *reader = history_reader_open(path, err);
	int result;

	if (!reader)
		return -1;
	memset(summary_r, 0, sizeof(*summary_r));
	summary_r->range = kind;
	summary_r->since_us = (now_us / kind->slot_us + 1 - (int64_t)kind->slots) * kind->slot_us;
	result = read_counts(reader, &summing, now_us, err);
	for (size_t i = 0; i < HISTORY_COUNT_KINDS; i++) {
		top_find(&summing.names[i], summary_r->top[i], &summary_r->top_count[i]);
		free(summing.names[i].places);
	}
	history_reader_close(reader);
	return result;
}
