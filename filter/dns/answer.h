/*
 * answer.h - answers as the DNS room keeps them: counted, immutable, one block.
 *
 * An answer is made from a draft, whose texts it copies, and belongs to whoever
 * holds it: the cache, a flight, budgets. The last one that lets go frees it,
 * with the parsed form that grew on it. Only its times are set afterwards, by
 * the one who made it and before anybody else sees it.
 */
#ifndef SEKISHO_DNS_ANSWER_H
#define SEKISHO_DNS_ANSWER_H

#include <stdatomic.h>

#include "name.h"

struct form; /* what a parser made of it */

struct answer {
	struct dns_answer given; /* first: what budgets hand out is this */
	atomic_uint owners;
	_Atomic(struct form *) form;
	int64_t fresh_until_us;
	int64_t stale_until_us; /* what is older is of no use at all */
	size_t bytes;           /* of the block */
	uint64_t hash;          /* of the question */
	enum dns_type type;
	size_t name_n;
	const uint8_t *name; /* of the question, lower case */
};

/* Copies the draft and all its texts; keeps DNS_RECORD_MAX records at most. Times are zero. */
struct answer *answer_new(const struct question *, const struct dns_answer *draft);
struct answer *answer_hold(struct answer *);
void answer_release(struct answer *); /* NULL is allowed */
bool answer_is_for(const struct answer *, const struct question *);

/* The form that `parser` made. NULL when another parser's form is there already. */
const void *answer_form(struct answer *, const struct dns_parser *);
void answer_form_free(struct answer *);

#endif
