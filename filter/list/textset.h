/*
 * textset.h - a set of short texts, each with a number: one hash and one
 * comparison per question, whatever its size.
 */
#ifndef SEKISHO_LIST_TEXTSET_H
#define SEKISHO_LIST_TEXTSET_H

#include "base.h"

struct textset {
	uint64_t seed;   /* a stranger cannot choose texts that collide */
	uint32_t *slots; /* where entries are; 0: free */
	size_t room;     /* slots, a power of two */
	size_t count;
	char *entries; /* number, length and text, one after the other */
	size_t used, reserved;
};

void textset_init(struct textset *, size_t expected);
void textset_free(struct textset *);

/* Adds the text, or leaves its number as it is when it is there. False in that case. Under 64 KB each, 2 GB in all. */
bool textset_add(struct textset *, struct slice text, uint32_t number);
/* The number of the text; false when it is not there. number_r may be NULL. */
bool textset_find(const struct textset *, struct slice text, uint32_t *number_r);
void textset_change(struct textset *, struct slice text, uint32_t number); /* it is there */

#endif
