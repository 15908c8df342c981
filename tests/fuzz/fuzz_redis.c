/*
 * fuzz_redis.c - any bytes as the answer of a Redis server, in one piece or byte by byte, to each question that the
 * store asks.
 */
#include "../../filter/store/redis.h"
#include "fuzz.h"

#define LIMIT 4096 /* bytes of an answer here */

/* NULL: it is not an answer, or not whole. */
static const struct redis_reply *read_reply(struct slice bytes, size_t piece, struct arena *arena)
{
	struct redis_reader *reader = redis_reader_new(arena, LIMIT);
	const struct redis_reply *reply = NULL;
	struct error err = {""};
	int whole = 0;

	for (size_t at = 0; at < bytes.n && whole == 0; at += piece)
		whole = redis_reader_feed(reader, slice_head(slice_from(bytes, at), piece), &reply, &err);
	must(whole >= 0 || err.text[0]);
	must((whole == 1) == (reply != NULL));
	redis_reader_free(reader);
	return reply;
}

static size_t size_of(const struct redis_reply *reply)
{
	size_t n = reply->text.n + 1;

	must(reply->type >= REDIS_TEXT && reply->type <= REDIS_LIST);
	for (size_t i = 0; i < reply->count; i++)
		n += size_of(reply->items[i]);
	return n;
}

static void read_as_usage(const struct redis_reply *reply)
{
	struct store_limit limits[STORE_LIMITS_MAX];
	struct store_usage usage[STORE_LIMITS_MAX];

	for (size_t i = 0; i < STORE_LIMITS_MAX; i++)
		limits[i] = (struct store_limit){.length_us = 3600 * INT64_C(1000000)};
	for (size_t count = 1; count <= STORE_LIMITS_MAX; count++) {
		enum store_answer answer = redis_read_usage(reply, limits, count, usage);

		for (size_t i = 0; i < count && (answer == STORE_OK || answer == STORE_OVER); i++)
			must(usage[i].wait_us >= 0 && usage[i].wait_us <= limits[i].length_us && usage[i].at_us > 0);
	}
}

static void read_as_items(const struct redis_reply *reply, struct arena *arena)
{
	static struct slice keys[REDIS_REPLY_ITEMS];
	struct store_item item;
	struct slice cursor;
	size_t count;

	for (size_t i = 0; i < 12; i++) {
		if (redis_read_item(reply, i, SLICE("k"), arena, &item) != STORE_OK)
			continue;
		must(item.life_us >= 1 && item.life_us <= STORE_LIFE_MAX_US && item.value.n <= STORE_VALUE_MAX);
		must(item.kind >= STORE_VALUE && item.kind <= STORE_SUM);
	}
	if (redis_read_page(reply, SLICE("l"), &cursor, keys, &count) == STORE_OK)
		for (size_t i = 0; i < count; i++)
			must(keys[i].n > 0 && keys[i].n <= STORE_KEY_MAX && keys[i].p[0] == 'l');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = {(const char *)data, size};
	struct arena *arena = arena_new();
	const struct redis_reply *reply = read_reply(bytes, size ? size : 1, arena),
				 *slowly = read_reply(bytes, 1, arena);
	struct error why;

	if (reply && slowly)
		must(size_of(reply) == size_of(slowly) && size_of(reply) <= REDIS_REPLY_ITEMS + LIMIT + 1);
	if (slowly) {
		must(redis_read_answer(slowly) <= STORE_INVALID);
		read_as_usage(slowly);
		read_as_items(slowly, arena);
		redis_fault_explain(slowly, &why);
		must(redis_fault_of(slowly) == FAULT_NONE || slowly->type == REDIS_ERROR);
	}
	arena_free(arena);
	return 0;
}
