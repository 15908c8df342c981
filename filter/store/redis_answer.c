/*
 * redis_answer.c - what replies say. None is trusted: a reply of another form is not an answer.
 */
#include "redis.h"

static bool half(const struct redis_reply *reply, uint64_t *half_r)
{
	*half_r = (uint64_t)reply->number;
	return reply->number >= 0 && reply->number <= UINT32_MAX;
}

/* A count of two numbers. */
static bool halves(struct redis_reply *const *items, uint64_t *count_r)
{
	uint64_t high, low;

	if (!half(items[0], &high) || !half(items[1], &low))
		return false;
	*count_r = high << 32 | low;
	return true;
}

enum store_answer redis_read_answer(const struct redis_reply *reply)
{
	int64_t answer;

	if (!reply || !redis_is_list(reply, 1, 1))
		return STORE_UNAVAILABLE;
	answer = reply->items[0]->number;
	return answer >= STORE_OK && answer <= STORE_INVALID ? (enum store_answer)answer : STORE_UNAVAILABLE;
}

enum store_answer redis_read_usage(const struct redis_reply *reply, const struct store_limit *limits, size_t count,
				   struct store_usage *usage_r)
{
	enum store_answer answer = redis_read_answer(reply);

	if (answer != STORE_OK && answer != STORE_OVER)
		return answer == STORE_INVALID ? STORE_INVALID : STORE_UNAVAILABLE;
	if (!redis_is_list(reply, 2 + 3 * count, 2 + 3 * count) || reply->items[1]->number <= 0)
		return STORE_UNAVAILABLE;
	for (size_t i = 0; i < count; i++) {
		struct redis_reply *const *items = reply->items + 2 + 3 * i;

		if (!halves(items, &usage_r[i].count) || items[2]->number < 0)
			return STORE_UNAVAILABLE;
		usage_r[i].at_us = reply->items[1]->number;
		usage_r[i].wait_us = items[2]->number < limits[i].length_us ? items[2]->number : limits[i].length_us;
	}
	return answer;
}

enum store_answer redis_read_item(const struct redis_reply *reply, size_t at, struct slice key, struct arena *arena,
				  struct store_item *item_r)
{
	struct redis_reply *const *items;
	int64_t kind;

	if (!reply || !redis_is_list(reply, at + 5, 0))
		return STORE_UNAVAILABLE;
	items = reply->items + at;
	for (size_t j = 0; j < 4; j++)
		if (items[j]->type != REDIS_NUMBER)
			return STORE_UNAVAILABLE;
	kind = items[0]->number;
	if (kind < 0 || kind > STORE_SUM || items[4]->type != REDIS_TEXT || items[4]->text.n > STORE_VALUE_MAX)
		return STORE_UNAVAILABLE;
	*item_r = (struct store_item){.kind = (enum store_kind)kind, .life_us = items[1]->number};
	if (kind == 0 || item_r->life_us <= 0)
		return STORE_ABSENT;
	if (item_r->life_us > STORE_LIFE_MAX_US)
		item_r->life_us = STORE_LIFE_MAX_US;
	if (!halves(items + 2, &item_r->count))
		return STORE_UNAVAILABLE;
	item_r->key = arena_copy(arena, key);
	if (kind == STORE_VALUE)
		item_r->value = arena_copy(arena, items[4]->text);
	return STORE_OK;
}

static bool take_key(const struct redis_reply *item, struct slice prefix, struct slice *key_r)
{
	static const struct slice ours = SLICE(REDIS_PREFIX);

	if (item->type != REDIS_TEXT || item->text.n <= ours.n || item->text.n > ours.n + STORE_KEY_MAX ||
	    !slice_equal(slice_head(item->text, ours.n), ours))
		return false;
	*key_r = slice_from(item->text, ours.n);
	return slice_equal(slice_head(*key_r, prefix.n), prefix);
}

enum store_answer redis_read_page(const struct redis_reply *reply, struct slice prefix, struct slice *cursor_r,
				  struct slice *keys_r, size_t *count_r)
{
	const struct redis_reply *list;

	*count_r = 0;
	if (!reply || !redis_is_list(reply, 2, 0) || reply->items[0]->type != REDIS_TEXT ||
	    reply->items[0]->text.n == 0 || reply->items[0]->text.n > NUMBER_TEXT ||
	    reply->items[1]->type != REDIS_LIST)
		return STORE_UNAVAILABLE;
	*cursor_r = reply->items[0]->text;
	list = reply->items[1];
	for (size_t i = 0; i < list->count; i++)
		*count_r += take_key(list->items[i], prefix, &keys_r[*count_r]);
	return STORE_OK;
}
