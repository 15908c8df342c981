/*
 * days.c - which days and domains have rows, and how they are forgotten.
 */
#include "aggregate_private.h"

#include <stdio.h>

#define DAY_TEXT 12
#define DAYS_MAX 1000 /* that are looked at: three are kept */
#define PAGE     500

static bool day_read(struct slice text, unsigned *day_r)
{
	*day_r = 0;
	for (size_t i = 0; i < text.n && i < 7; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		*day_r = *day_r * 10 + (unsigned)(text.p[i] - '0');
	}
	return text.n > 0 && text.n < 7 && *day_r > 0;
}

int aggregate_next_day(struct aggregate *aggregate, unsigned after, struct arena *arena,
		       struct aggregate_total *total_r)
{
	struct store_page page;
	unsigned day;

	*total_r = (struct aggregate_total){0};
	if (store_sums(aggregate->store, KEY_DAYS, SLICE(""), DAYS_MAX, arena, &page) != STORE_OK)
		return -1;
	for (size_t i = 0; i < page.count; i++)
		if (day_read(page.items[i].key, &day) && day > after && (total_r->day == 0 || day < total_r->day))
			*total_r = (struct aggregate_total){.day = day, .messages = page.items[i].count};
	return total_r->day > 0;
}

/* What is not a domain is not ours, or damaged: it is passed over. */
int aggregate_next(struct aggregate *aggregate, unsigned day, struct slice after, struct arena *arena,
		   struct aggregate_total *total_r)
{
	char key[REPORT_KEY];
	struct store_page page = {.next = after};

	do {
		if (store_sums(aggregate->store, key_day(day, key), page.next, 1, arena, &page) != STORE_OK)
			return -1;
		if (page.count == 1 && domain_is_plain(page.items[0].key)) {
			*total_r = (struct aggregate_total){day, page.items[0].key, page.items[0].count};
			return 1;
		}
	} while (page.next.p);
	return 0;
}

/* The day itself, when this was its last domain. */
static enum store_answer forget_day(struct aggregate *aggregate, unsigned day, struct arena *arena)
{
	struct aggregate_total total;
	char text[DAY_TEXT];
	enum store_answer answer;

	if (aggregate_next(aggregate, day, SLICE(""), arena, &total) != 0)
		return STORE_OK;
	snprintf(text, sizeof(text), "%u", day);
	answer = store_forget(aggregate->store, KEY_DAYS, slice_of(text));
	return answer == STORE_UNAVAILABLE ? answer : STORE_OK;
}

static enum store_answer forget_page(struct aggregate *aggregate, struct slice key, const struct store_page *page)
{
	enum store_answer answer = STORE_OK;

	for (size_t i = 0; i < page->count && answer != STORE_UNAVAILABLE; i++)
		answer = store_forget(aggregate->store, key, page->items[i].key);
	return answer;
}

static enum store_answer forget_rows(struct aggregate *aggregate, struct slice key, struct arena *arena)
{
	enum store_answer answer;
	char after[STORE_KEY_MAX];
	struct store_page page;
	size_t n = 0;

	do {
		arena_reset(arena);
		answer = store_sums(aggregate->store, key, (struct slice){after, n}, PAGE, arena, &page);
		if (answer == STORE_OK)
			answer = forget_page(aggregate, key, &page);
		n = page.next.n < sizeof(after) ? page.next.n : 0;
		if (n > 0)
			memcpy(after, page.next.p, n);
	} while (answer != STORE_UNAVAILABLE && answer != STORE_INVALID && n > 0);
	return answer == STORE_UNAVAILABLE ? answer : STORE_OK;
}

enum store_answer aggregate_drop(struct aggregate *aggregate, unsigned day, struct slice domain)
{
	struct arena *arena = arena_new();
	char key[REPORT_KEY];
	enum store_answer answer = forget_rows(aggregate, key_domain(day, domain, key), arena);

	if (answer == STORE_OK)
		answer = store_forget(aggregate->store, key_day(day, key), domain);
	if (answer == STORE_OK)
		answer = forget_day(aggregate, day, arena);
	arena_free(arena);
	return answer == STORE_UNAVAILABLE ? answer : STORE_OK;
}
