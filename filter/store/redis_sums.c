/*
 * redis_sums.c - sums of members: each is a key, and an index has the members in order, so that a page is one question.
 */
#include "local.h"
#include "redis.h"
#include "selection.h"

#define BATCH    16 /* sums in one question */
#define PER_ITEM 6  /* elements of a reply */

/* The key of a member, or with "" that of the index, in the arena of the caller. */
static struct slice key_of(struct slice key, struct slice member, struct arena *arena)
{
	char buffer[STORE_KEY_MAX];

	return arena_copy(arena, sum_key(key, member, buffer));
}

static enum store_answer add_some(struct redis *redis, const struct store_sum *sums, size_t count, struct arena *arena)
{
	struct slice keys[2 * BATCH];
	struct redis_question question;

	for (size_t i = 0; i < count; i++) {
		keys[2 * i] = key_of(sums[i].key, sums[i].member, arena);
		keys[2 * i + 1] = key_of(sums[i].key, SLICE(""), arena);
	}
	question = redis_question_of(redis, keys, 2 * count);
	for (size_t i = 0; i < count; i++) {
		redis_question_number(&question, sums[i].life_us);
		redis_question_halves(&question, sums[i].amount);
		redis_add(&question.command, sums[i].member);
	}
	return redis_question_answer(&question, REDIS_ADD);
}

enum store_answer redis_add_sums(void *state, const struct store_sum *sums, size_t count, size_t *added_r)
{
	enum store_answer answer = STORE_OK;
	struct arena *arena = arena_new();

	for (*added_r = 0; *added_r < count && answer == STORE_OK;) {
		size_t some = count - *added_r < BATCH ? count - *added_r : BATCH;

		answer = add_some(state, sums + *added_r, some, arena);
		*added_r += answer == STORE_OK ? some : 0;
		arena_reset(arena);
	}
	arena_free(arena);
	return answer;
}

/* The members of a reply; `room` is how many were asked for. They must be in order and come after `after`: who reads
 * page after page would otherwise never end. */
static enum store_answer read_members(const struct redis_reply *reply, struct slice after, size_t room,
				      struct arena *arena, struct store_page *page)
{
	size_t count;

	if (!reply || !redis_is_list(reply, 1, 1) || (reply->count - 1) % PER_ITEM != 0 ||
	    (reply->count - 1) / PER_ITEM > room)
		return STORE_UNAVAILABLE;
	count = (reply->count - 1) / PER_ITEM;
	for (size_t i = 0; i < count; i++) {
		size_t at = 1 + PER_ITEM * i;
		const struct redis_reply *member = reply->items[at + 5];

		if (member->type != REDIS_TEXT || member->text.n == 0 || member->text.n > STORE_SUM_MAX ||
		    (after.n > 0 && key_order(member->text, after) <= 0))
			return STORE_UNAVAILABLE;
		after = member->text;
		page->count += redis_read_item(reply, at, member->text, arena, &page->items[page->count]) == STORE_OK;
		if (i + 1 == room)
			page->next = arena_copy(arena, member->text);
	}
	return STORE_OK;
}

enum store_answer redis_sums(void *state, struct slice key, struct slice after, size_t room, struct arena *arena,
			     struct store_page *page_r)
{
	struct slice index = key_of(key, SLICE(""), arena);
	struct redis_question question = redis_question_of(state, &index, 1);
	enum store_answer answer;

	redis_add(&question.command, after);
	redis_question_number(&question, (int64_t)room);
	answer = read_members(redis_question_ask(&question, REDIS_SUMS, REDIS_LARGE, redis_deadline(state)), after,
			      room, arena, page_r);
	redis_question_end(&question);
	return answer;
}

enum store_answer redis_forget(void *state, struct slice key, struct slice member)
{
	struct arena *arena = arena_new();
	struct slice keys[2] = {key_of(key, member, arena), key_of(key, SLICE(""), arena)};
	struct redis_question question = redis_question_of(state, keys, 2);
	enum store_answer answer;

	redis_add(&question.command, member);
	answer = redis_question_answer(&question, REDIS_FORGET);
	arena_free(arena);
	return answer;
}
