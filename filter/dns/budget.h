/*
 * budget.h - what a budget holds; for budget.c and told.c.
 */
#ifndef SEKISHO_DNS_BUDGET_H
#define SEKISHO_DNS_BUDGET_H

#include "resolver.h"

#define BUCKETS 32 /* a message asks some ten questions, the worst DNS_BUDGET_QUESTIONS */

struct asked {
	struct asked *in_bucket; /* the next of its bucket */
	struct asked *before;    /* the one asked before it, of all */
	uint64_t hash;
	struct question *question;      /* NULL: the answer knows it */
	const struct dns_answer *given; /* NULL: on its way */
	struct answer *held;            /* what was given, when it came from the resolver */
	struct flight *flight;          /* of a hint */
};

/* A parsed form that could not stay with its answer, because another parser's is there or it is everybody's. */
struct spare {
	struct spare *next;
	const struct dns_answer *answer;
	const struct dns_parser *parser;
	void *made;
};

struct dns_budget {
	struct resolver *resolver;
	struct arena *arena;
	uint64_t whose; /* the client's place among those who ask (places.h) */
	unsigned stripe;
	unsigned questions, asked, stale;
	int64_t until_us, waited_us;
	const struct wait_hook *waiting; /* NULL: nobody wants to know */
	struct spare *spares;
	struct asked *latest;
	struct asked *buckets[BUCKETS];
};

#endif
