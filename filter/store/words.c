/*
 * words.c - a value that is a few words. Several nodes may add at the same time, so who adds has a lease meanwhile.
 */
#include "store.h"

#include <unistd.h>

#define LEASE_US (5 * 1000 * 1000)
#define WAIT_US  (5 * 1000 * 1000) /* for the lease of another, who has it for two questions */
#define AGAIN_US (5 * 1000)

static bool has_word(struct slice words, struct slice word)
{
	struct slice one;

	while (slice_word(&words, &one))
		if (slice_equal(one, word))
			return true;
	return false;
}

static enum store_answer add(struct store *store, struct slice key, struct slice word, struct arena *arena)
{
	struct store_item item = {.value = SLICE("")};
	enum store_answer answer = store_get(store, key, arena, &item);

	if (answer != STORE_OK && answer != STORE_ABSENT)
		return answer;
	if (answer == STORE_ABSENT)
		item.value = SLICE("");
	if (!has_word(item.value, word))
		item.value = arena_join(arena, item.value, item.value.n ? SLICE(" ") : SLICE(""), word);
	return store_put(store, key, item.value, STORE_LIFE_MAX_US);
}

enum store_answer store_add_word(struct store *store, struct slice key, struct slice word, struct arena *arena)
{
	struct slice lease = store_key(arena, SLICE("lease"), key), holder = case_id_new(arena);
	int64_t until_us = clock_us() + WAIT_US;
	enum store_answer answer = store_lease_take(store, lease, holder, LEASE_US);

	while (answer == STORE_EXISTS && clock_us() < until_us) {
		usleep(AGAIN_US);
		answer = store_lease_take(store, lease, holder, LEASE_US);
	}
	if (answer != STORE_OK)
		return answer == STORE_EXISTS ? STORE_UNAVAILABLE : answer;
	answer = add(store, key, word, arena);
	store_lease_release(store, lease, holder);
	return answer;
}
