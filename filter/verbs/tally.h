/*
 * tally.h - how often each of many names occurred: bounded, for names that strangers choose.
 */
#ifndef SEKISHO_TALLY_H
#define SEKISHO_TALLY_H

#include "base.h"

struct tally;
struct tally *tally_new(void);
void tally_free(struct tally *);
/* At most 65536 names are told apart; the others are left out, and tally_others counts them. */
void tally_add(struct tally *, struct slice name);
uint64_t tally_others(const struct tally *);

struct tallied {
	struct slice name;
	uint64_t count;
};
/* The most frequent ones, at most `most`, in the arena. */
struct tallied *tally_top(const struct tally *, size_t most, struct arena *, size_t *count_r);

#endif
