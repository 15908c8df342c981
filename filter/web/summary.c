/*
 * summary.c - the counts of a history, which it keeps for every five minutes, summed for the page.
 */
#include "html.h"

#define MINUTE_US  (INT64_C(60) * 1000 * 1000)
#define REFUSED_US (24 * 60 * MINUTE_US)

const struct range_kind ranges[RANGES] = {{"hour", "Last hour", 5 * MINUTE_US, 12},
					  {"day", "Last day", 15 * MINUTE_US, 96},
					  {"week", "Last week", 120 * MINUTE_US, 84},
					  {"month", "Last 30 days", 480 * MINUTE_US, 90}};

int64_t range_start(const struct range_kind *range, int64_t now_us)
{
	return (now_us / range->slot_us + 1 - (int64_t)range->slots) * range->slot_us;
}

size_t range_slot(const struct range_kind *range, int64_t since_us, int64_t step_us)
{
	size_t slot = (size_t)((step_us - since_us) / range->slot_us);

	return slot < range->slots ? slot : range->slots - 1;
}

struct summing {
	struct summary *summary;
	struct names names[HISTORY_COUNT_KINDS];
};

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
	size_t slot;

	if (step_us < summary->since_us)
		return;
	if (kind != HISTORY_COUNT_VERDICT) {
		if (name.n > 0)
			names_count(&summing->names[kind], name, count);
		return;
	}
	slot = range_slot(summary->range, summary->since_us, step_us);
	summary->verdicts[verdict][slot] += count;
}

/* Senders are many: of a longer time, those of its last day are read. */
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
	struct summing summing = {.summary = summary_r};
	struct history_reader *reader = history_reader_open(path, err);
	int result;

	if (!reader)
		return -1;
	memset(summary_r, 0, sizeof(*summary_r));
	summary_r->range = kind;
	summary_r->since_us = range_start(kind, now_us);
	for (size_t i = 0; i < HISTORY_COUNT_KINDS; i++)
		names_init(&summing.names[i], arena);
	result = read_counts(reader, &summing, now_us, err);
	for (size_t i = 0; i < HISTORY_COUNT_KINDS; i++) {
		summary_r->top_count[i] = names_top(&summing.names[i], summary_r->top[i], TOP);
		names_free(&summing.names[i]);
	}
	history_reader_close(reader);
	return result;
}
