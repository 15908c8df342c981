/*
 * redis_reply.h - what a Redis server answers, in an arena, with all its sizes bounded.
 */
#ifndef SEKISHO_STORE_REDIS_REPLY_H
#define SEKISHO_STORE_REDIS_REPLY_H

#include "base.h"

#define REDIS_REPLY_ITEMS 65536 /* in all lists of one reply: a page of SCAN has a few thousand */

enum redis_type { REDIS_TEXT = 1, REDIS_ERROR, REDIS_NUMBER, REDIS_NONE, REDIS_LIST };

struct redis_reply {
	enum redis_type type;
	int64_t number;
	struct slice text;          /* REDIS_TEXT, and REDIS_ERROR: the whole line */
	struct redis_reply **items; /* REDIS_LIST; none is NULL */
	size_t count;
};

struct redis_reader;

/* For one reply of at most `limit` bytes, which lives as long as the arena does. */
struct redis_reader *redis_reader_new(struct arena *, size_t limit);
void redis_reader_free(struct redis_reader *); /* NULL is allowed */

/* 1: *reply_r is the reply; 0: more bytes are needed; -1 and err: this is not a reply, is too long, or is followed by
 * something that nobody asked for. After 1 and -1 the reader takes no more. */
int redis_reader_feed(struct redis_reader *, struct slice bytes, const struct redis_reply **reply_r, struct error *err);

/* The first word of an error: "NOSCRIPT". */
struct slice redis_error_word(const struct redis_reply *);
/* The number after "NAME:" in a line of an answer to INFO; 0: there is none. */
uint64_t redis_info_number(const struct redis_reply *, struct slice name);
/* A list of at least that many items, the first `numbers` of them numbers? */
bool redis_is_list(const struct redis_reply *, size_t count, size_t numbers);

#endif
