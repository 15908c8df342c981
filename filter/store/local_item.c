/*
 * local_item.c - what the value of an entry says, and the members of sums as keys.
 */
#include "limit.h"
#include "local.h"

uint64_t sum_read(struct slice value)
{
	uint64_t sum = 0;

	if (value.n == sizeof(sum))
		memcpy(&sum, value.p, sizeof(sum));
	return sum;
}

bool local_item(enum store_kind kind, struct slice key, struct slice value, int64_t expires, int64_t now,
		struct arena *arena, struct store_item *item_r)
{
	struct window window = {.sum = 1};
	bool is_there;

	if (kind == STORE_SUM)
		window.sum = sum_read(value);
	if (kind == STORE_WINDOW)
		window_read(value, 0, now, &window);
	if (kind == STORE_DISTINCT)
		members_read(value, 0, 0, now, &window, &is_there);
	*item_r = (struct store_item){.kind = kind, .life_us = expires - now};
	if (expires <= now || window.sum == 0)
		return false;
	item_r->key = arena_copy(arena, key);
	if (kind == STORE_VALUE)
		item_r->value = arena_copy(arena, value);
	else
		item_r->count = window.sum;
	return true;
}

struct slice sum_key(struct slice key, struct slice member, char buffer[STORE_KEY_MAX])
{
	memcpy(buffer, key.p, key.n);
	buffer[key.n] = ' ';
	if (member.n > 0)
		memcpy(buffer + key.n + 1, member.p, member.n);
	return (struct slice){buffer, key.n + 1 + member.n};
}

void sum_page(struct slice key, struct store_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		page->items[i].key = slice_from(page->items[i].key, key.n + 1);
	if (page->next.p)
		page->next = slice_from(page->next, key.n + 1);
}
