/*
 * secret.c - hashes of addresses for the store, with a secret that is made once and is kept there, so that all who use
 * the store compute the same. Who has the hashes alone learns no address; who has all of the store can only try
 * addresses one by one.
 */
#include "check_private.h"

#define SECRET_WORDS 4 /* of 64 bits: as long as the hash (RFC 2104 3) */
#define SECRET_KEY   SLICE("secret:hash")

static enum store_answer make(struct view *view, struct store_item *item_r)
{
	struct arena *arena = view->message->arena;
	uint64_t words[SECRET_WORDS];
	struct slice text;
	enum store_answer answer;

	for (size_t i = 0; i < SECRET_WORDS; i++)
		words[i] = random_seed();
	text = base64_encode((struct slice){(const char *)words, sizeof(words)}, arena);
	answer = store_put_absent(view->store, SECRET_KEY, text, STORE_LIFE_MAX_US);
	if (answer != STORE_OK && answer != STORE_EXISTS)
		return answer;
	return store_get(view->store, SECRET_KEY, arena, item_r);
}

/* Read once for a message, kept where the check `correspondent` keeps nothing else. NULL: the store does not answer. */
static const struct slice *secret_of(struct view *view)
{
	void **slot = &view->message_slots[CHECK_NUMBER_correspondent];
	struct arena *arena = view->message->arena;
	struct store_item item;
	enum store_answer answer;

	if (*slot || !view->store)
		return *slot;
	answer = store_get(view->store, SECRET_KEY, arena, &item);
	if (answer == STORE_ABSENT)
		answer = make(view, &item);
	if (answer != STORE_OK)
		return NULL;
	*slot = memcpy(arena_alloc(arena, sizeof(item.value)), &item.value, sizeof(item.value));
	return *slot;
}

bool check_hash(struct view *view, struct slice text, size_t length, struct slice *hash_r)
{
	const struct slice *secret = secret_of(view);
	unsigned char hash[HASH_KEYED_SIZE];

	if (!secret)
		return false;
	hash_keyed(*secret, text, hash);
	*hash_r =
	    slice_head(base64_encode((struct slice){(const char *)hash, sizeof(hash)}, view->message->arena), length);
	return true;
}
