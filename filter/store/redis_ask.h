/*
 * redis_ask.h - a command and its answer, over one connection or over one of the pool.
 */
#ifndef SEKISHO_STORE_REDIS_ASK_H
#define SEKISHO_STORE_REDIS_ASK_H

#include "redis_pool.h"
#include "redis_reply.h"
#include "redis_script.h"

#define REDIS_ARGUMENTS 128               /* of a command: of 16 limits, and their keys */
#define REDIS_SMALL     (64 * 1024)       /* bytes of an answer about single keys */
#define REDIS_LARGE     (8 * 1024 * 1024) /* of a page */

struct redis_command {
	struct slice words[REDIS_ARGUMENTS];
	size_t count;
};

/* What an error of the server means. */
enum redis_fault {
	FAULT_NONE,
	FAULT_SCRIPT, /* it does not know the script; nothing was done */
	FAULT_ODD,    /* this question only: no memory, no permission to write to its disk, another type */
	FAULT_DOWN,   /* no question can be answered now */
	FAULT_OTHER   /* not known: counts as a failure */
};
enum redis_fault redis_fault_of(const struct redis_reply *); /* FAULT_NONE: it is not an error */
/* The same as a sentence: what the server said, and what to do. */
void redis_fault_explain(const struct redis_reply *, struct error *err);

void redis_add(struct redis_command *, struct slice word);

/* One round trip. WIRE_CLOSED also when the answer is not one; err says why. */
enum redis_wire redis_ask_link(struct redis_link *, const struct redis_command *, size_t limit, int64_t deadline_us,
			       struct arena *, const struct redis_reply **reply_r, struct error *err);

/* A question of the pool: the reply, which is not an error; NULL: unavailable. */
const struct redis_reply *redis_ask(struct redis_pool *, const struct redis_command *, size_t limit,
				    int64_t deadline_us, struct arena *);
/* A script with `keys` keys, of which the words of the command are the first, without REDIS_PREFIX. */
const struct redis_reply *redis_ask_script(struct redis_pool *, enum redis_script, const struct redis_command *,
					   size_t keys, size_t limit, int64_t deadline_us, struct arena *);

#endif
