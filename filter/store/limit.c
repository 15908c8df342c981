/*
 * limit.c - reservations in values.
 */
#include "limit.h"

#include <stdlib.h>

enum store_kind limit_kind(const struct store_limit *limit)
{
	return limit->member.p ? STORE_DISTINCT : STORE_WINDOW;
}

/* A full set takes no more members; with a hard limit that is an excess. */
static void look_at_members(const struct store_limit *limit, struct slice value, uint64_t seed, int64_t now,
			    struct limit_view *view)
{
	bool is_there;

	members_read(value, hash_slice(limit->member, seed), window_slot_us(limit->length_us), now, &view->window,
		     &is_there);
	view->amount = !is_there;
	if (view->window.sum >= STORE_DISTINCT_MAX && !is_there) {
		view->amount = 0;
		view->fits = limit->hard == STORE_NO_LIMIT;
	}
}

void limit_look(const struct store_limit *limit, struct slice value, uint64_t seed, int64_t now,
		struct limit_view *view_r)
{
	view_r->fits = true;
	view_r->amount = limit->amount;
	if (limit->member.p)
		look_at_members(limit, value, seed, now, view_r);
	else
		window_read(value, window_slot_us(limit->length_us), now, &view_r->window);
	if (view_r->amount > 0)
		view_r->fits = view_r->amount <= limit->hard && view_r->window.sum <= limit->hard - view_r->amount;
}

void limit_usage(const struct store_limit *limit, const struct limit_view *view, int64_t now,
		 struct store_usage *usage_r)
{
	uint64_t amount = view->amount > 0 ? view->amount : 1; /* 1: the set is full */

	*usage_r = (struct store_usage){.count = view->window.sum, .at_us = now};
	if (!view->fits)
		usage_r->wait_us = window_wait(&view->window, amount, limit->hard, now);
	if (!view->fits && usage_r->wait_us <= 0)
		usage_r->wait_us = view->window.slot_us;
}

static struct limit_value of_window(const struct window *window)
{
	char bytes[WINDOW_BYTES];
	size_t n = window_write(window, bytes);

	if (n == 0)
		return (struct limit_value){NULL, 0, 0};
	return (struct limit_value){memcpy(xrealloc(NULL, n), bytes, n), n, window_expires(window)};
}

/* The set may have become much smaller. */
static struct limit_value of_members(char *p, size_t n, int64_t now)
{
	struct window window;
	bool is_there;

	members_read((struct slice){p, n}, 0, 0, now, &window, &is_there);
	if (n == 0 || window.sum == 0) {
		free(p);
		return (struct limit_value){NULL, 0, 0};
	}
	return (struct limit_value){xrealloc(p, n), n, window_expires(&window)};
}

struct limit_value limit_take(const struct store_limit *limit, struct slice value, uint64_t seed, int64_t now,
			      struct limit_view *view)
{
	int64_t slot_us = window_slot_us(limit->length_us);
	char *p;

	if (!limit->member.p) {
		window_add(&view->window, view->window.newest, slot_us, view->amount);
		return of_window(&view->window);
	}
	view->window.sum += view->amount;
	p = xrealloc(NULL, value.n + 2 * (size_t)MEMBERS_HEAD + 16);
	return of_members(p, members_add(value, hash_slice(limit->member, seed), slot_us, now, p), now);
}

struct limit_value limit_return(const struct store_limit *limit, struct slice value, uint64_t seed, int64_t now,
				int64_t at_us)
{
	struct window window;
	uint64_t *count;
	int64_t age;
	char *p;

	if (limit->member.p) {
		p = xrealloc(NULL, value.n + MEMBERS_HEAD);
		return of_members(p, members_remove(value, hash_slice(limit->member, seed), now, p), now);
	}
	window_read(value, 0, now, &window);
	age = window.newest - at_us / window.slot_us;
	if (age < 0 || age >= STORE_SLOTS)
		return of_window(&window);
	count = &window.counts[age];
	window.sum -= *count < limit->amount ? *count : limit->amount;
	*count -= *count < limit->amount ? *count : limit->amount;
	return of_window(&window);
}
