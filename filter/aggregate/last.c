/*
 * last.c - what became of the latest report about each domain to each address, for `sekisho report list`.
 *
 * A value is the lines DAY, TIME, MESSAGES, FATE, DOMAIN, ADDRESS and TEXT: the key may be cut.
 */
#include "send.h"

#include <string.h>

#define PREFIX  SLICE("rua:last:")
#define LIFE_US (8 * STORE_DAY_US)
#define PAGE    200

const char *const report_fate_names[11] = {"sent",       "sent-before", "refused",    "later",
					   "suppressed", "no-consent",  "no-address", "excluded",
					   "dropped",    "too-many",    NULL};

void report_last_put(struct store *store, const struct report_told *told, int64_t now_us)
{
	struct arena *arena = arena_new();
	struct slice key =
	    store_key(arena, SLICE("rua"), SLICE("last"), told->domain, arena_lower(arena, told->address));
	struct slice value =
	    arena_printf(arena, "%u\n%lld\n%llu\n%s\n%.*s\n%.*s\n%.*s", told->day, (long long)(now_us / 1000000),
			 (unsigned long long)told->messages, report_fate_names[told->fate], SLICE_ARGS(told->domain),
			 SLICE_ARGS(told->address), SLICE_ARGS(slice_head(told->text, REPORT_LAST_TEXT)));

	store_put(store, key, slice_head(value, STORE_VALUE_MAX), LIFE_US);
	arena_free(arena);
}

static bool take_number(struct slice *rest, uint64_t most, uint64_t *number_r)
{
	struct slice line;

	return slice_cut(rest, '\n', &line) && slice_number(line, most, number_r) == 0;
}

static bool take_fate(struct slice *rest, enum report_fate *fate_r)
{
	struct slice line;

	if (!slice_cut(rest, '\n', &line))
		return false;
	for (size_t i = 0; report_fate_names[i]; i++)
		if (slice_equal(line, slice_of(report_fate_names[i]))) {
			*fate_r = (enum report_fate)i;
			return true;
		}
	return false;
}

/* False: it is not one of ours. */
static bool parse(struct slice value, struct report_last *last_r)
{
	uint64_t day, at;

	if (!take_number(&value, 1000000, &day) || !take_number(&value, INT64_MAX, &at) ||
	    !take_number(&value, INT64_MAX, &last_r->told.messages) || !take_fate(&value, &last_r->told.fate) ||
	    !slice_cut(&value, '\n', &last_r->told.domain) || !slice_cut(&value, '\n', &last_r->told.address))
		return false;
	last_r->told.day = (unsigned)day;
	last_r->at_s = (int64_t)at;
	last_r->told.text = value;
	return true;
}

enum store_answer report_last_list(struct store *store, struct slice after, struct arena *arena,
				   struct report_last **last_r, size_t *count_r, struct slice *next_r)
{
	struct store_page page;
	enum store_answer answer = store_scan(store, PREFIX, after, PAGE, arena, &page);

	*count_r = 0;
	*next_r = (struct slice){NULL, 0};
	if (answer != STORE_OK)
		return answer;
	*last_r = arena_alloc(arena, (page.count + 1) * sizeof(**last_r));
	for (size_t i = 0; i < page.count; i++)
		*count_r += page.items[i].kind == STORE_VALUE && parse(page.items[i].value, &(*last_r)[*count_r]);
	*next_r = page.next;
	return STORE_OK;
}
