/*
 * redis_scan.c - pages of keys. A server lists its keys in no order, so each page looks at all keys, and keeps those
 * that come first.
 */
#include "redis.h"
#include "selection.h"

#define SCAN_US     (10 * 1000 * 1000) /* for a page, or as long as a question */
#define SCAN_ASK_US (1000 * 1000)      /* for a question of it, or as long as any may take */
#define SCAN_BATCH  50                 /* values in one answer: less than half a megabyte */

static int64_t question_deadline(const struct redis *redis, int64_t deadline_us)
{
	int64_t until_us =
	    clock_us() + (redis->opener.timeout_us > SCAN_ASK_US ? redis->opener.timeout_us : SCAN_ASK_US);

	return until_us < deadline_us ? until_us : deadline_us;
}

/* The pattern of all keys with the prefix. */
static struct slice pattern_of(struct slice prefix, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, sizeof(REDIS_PREFIX) + 2 * prefix.n + 1);
	text_add(&text, SLICE(REDIS_PREFIX));
	for (size_t i = 0; i < prefix.n; i++) {
		if (prefix.p[i] && strchr("*?[]\\^-", prefix.p[i]))
			text_add_char(&text, '\\');
		text_add_char(&text, prefix.p[i]);
	}
	text_add_char(&text, '*');
	return text_slice(&text);
}

/* One trip; the cursor is in the arena of the caller, `scratch` is only for the answer. */
static enum store_answer select_some(struct redis *redis, struct slice pattern, struct selection *selection,
				     struct slice *cursor, int64_t deadline_us, struct arena *scratch)
{
	struct redis_command command = {
	    {SLICE("SCAN"), *cursor, SLICE("MATCH"), pattern, SLICE("COUNT"), SLICE("1000")}, 6};
	struct slice *keys = arena_raw(scratch, REDIS_REPLY_ITEMS * sizeof(*keys)), next;
	size_t count;
	const struct redis_reply *reply =
	    redis_ask(&redis->opener.pool, &command, REDIS_LARGE, question_deadline(redis, deadline_us), scratch);

	if (redis_read_page(reply, selection->prefix, &next, keys, &count) != STORE_OK)
		return STORE_UNAVAILABLE;
	for (size_t i = 0; i < count; i++)
		selection_add(selection, keys[i]);
	*cursor = arena_copy(selection->arena, next);
	return STORE_OK;
}

static enum store_answer select_all(struct redis *redis, struct selection *selection, int64_t deadline_us)
{
	struct slice pattern = pattern_of(selection->prefix, selection->arena), cursor = SLICE("0");
	struct arena *scratch = arena_new();
	enum store_answer answer;

	do {
		answer = select_some(redis, pattern, selection, &cursor, deadline_us, scratch);
		if (clock_us() >= deadline_us)
			answer = STORE_UNAVAILABLE;
		arena_reset(scratch);
	} while (answer == STORE_OK && !slice_equal(cursor, SLICE("0")));
	arena_free(scratch);
	return answer;
}

/* The items of these keys; those that expired meanwhile, or are not ours, are left out. */
static enum store_answer read_some(struct redis *redis, const struct slice *keys, size_t count, int64_t deadline_us,
				   struct arena *arena, struct store_page *page)
{
	struct redis_question question = redis_question_of(redis, keys, count);
	const struct redis_reply *reply =
	    redis_question_ask(&question, REDIS_GET, REDIS_LARGE, question_deadline(redis, deadline_us));
	bool is_whole = reply && redis_is_list(reply, 5 * count, 0);

	for (size_t i = 0; i < count && is_whole; i++)
		page->count += redis_read_item(reply, 5 * i, keys[i], arena, &page->items[page->count]) == STORE_OK;
	redis_question_end(&question);
	return is_whole ? STORE_OK : STORE_UNAVAILABLE;
}

enum store_answer redis_scan(void *state, struct slice prefix, struct slice after, size_t room, struct arena *arena,
			     struct store_page *page_r)
{
	struct selection selection = selection_of(prefix, after, room, arena);
	const struct redis *redis = state;
	int64_t deadline_us = clock_us() + (redis->opener.timeout_us > SCAN_US ? redis->opener.timeout_us : SCAN_US);
	enum store_answer answer = select_all(state, &selection, deadline_us);

	for (size_t i = 0; i < selection.count && answer == STORE_OK; i += SCAN_BATCH)
		answer = read_some(state, selection.keys + i,
				   selection.count - i < SCAN_BATCH ? selection.count - i : SCAN_BATCH, deadline_us,
				   arena, page_r);
	if (selection.count == room)
		page_r->next = selection.keys[room - 1];
	return answer;
}
