/*
 * redis.h - a store in a Redis server; private to the files redis*.c.
 */
#ifndef SEKISHO_STORE_REDIS_H
#define SEKISHO_STORE_REDIS_H

#include "redis_ask.h"
#include "redis_opener.h"
#include "store_private.h"
#include "ticker.h"

struct redis {
	struct redis_opener opener;
	struct ticker ticker;
	bool ticks;  /* a test gave a clock: it is used instead of that of the server */
	char *place; /* the URL, for a person */
	_Atomic uint64_t damaged;
	uint64_t told; /* openings of the breaker that were reported: one may be over before it is */
};

#define REDIS_TIMEOUT_US (50 * 1000)

/* The keys of one call, the first words of its command, then "now", then the rest. */
struct redis_question {
	struct redis *redis;
	struct arena *arena;
	size_t keys;
	struct redis_command command;
};

/* With a new arena; redis_question_end frees it. */
struct redis_question redis_question_of(struct redis *, const struct slice *keys, size_t count);
void redis_question_end(struct redis_question *);
void redis_question_number(struct redis_question *, int64_t number);
void redis_question_halves(struct redis_question *, uint64_t number);
const struct redis_reply *redis_question_ask(struct redis_question *, enum redis_script, size_t limit,
					     int64_t deadline_us);

/* What a reply says. They take any reply: one of another form is STORE_UNAVAILABLE. */
enum store_answer redis_read_answer(const struct redis_reply *);
enum store_answer redis_read_usage(const struct redis_reply *, const struct store_limit *, size_t count,
				   struct store_usage *usage_r);
/* The item that begins with the element number `at` of a reply to REDIS_GET or REDIS_SUMS, copied into the arena. */
enum store_answer redis_read_item(const struct redis_reply *, size_t at, struct slice key, struct arena *,
				  struct store_item *item_r);
/* A page of SCAN: the cursor of the next, "0" for the end, and its keys, without what is not a key of the store. */
enum store_answer redis_read_page(const struct redis_reply *, struct slice prefix, struct slice *cursor_r,
				  struct slice *keys_r, size_t *count_r); /* keys_r: room for REDIS_REPLY_ITEMS */

int64_t redis_deadline(const struct redis *); /* of a question that begins now */
/* Notes what concerns one key only: of another version, or of another program. */
void redis_note_foreign(struct redis *, struct slice key);
/* The answer of a script, when nothing else of its reply counts. Ends the question. */
enum store_answer redis_question_answer(struct redis_question *, enum redis_script);

/* redis_sums.c: of struct store_backend */
enum store_answer redis_add_sums(void *state, const struct store_sum *, size_t count, size_t *added_r);
enum store_answer redis_sums(void *state, struct slice key, struct slice after, size_t room, struct arena *,
			     struct store_page *page_r);
enum store_answer redis_forget(void *state, struct slice key, struct slice member);

/* redis_scan.c: of struct store_backend */
enum store_answer redis_scan(void *state, struct slice prefix, struct slice after, size_t room, struct arena *,
			     struct store_page *page_r);

#endif
