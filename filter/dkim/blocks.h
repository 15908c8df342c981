/*
 * blocks.h - the loops over every byte of a body, by blocks.
 */
#ifndef SEKISHO_DKIM_BLOCKS_H
#define SEKISHO_DKIM_BLOCKS_H

#include "dkim_private.h"

#define BLOCK 64
#define AHEAD 2 /* bytes after a block decide about its blanks; the byte before it decides about its first LF */

/* For each byte of a block: what it is in the canonical text, and what is written for it. */
#define STAYS 1
#define BARE  2 /* a CR is missing before it */
struct marks {
	char text[BLOCK];
	unsigned char what[BLOCK];
};

struct block_loops {
	size_t (*plain_length)(const char *p, size_t n); /* of the blocks at p in which every byte stays as it is */
	void (*mark)(const char *p, struct marks *restrict marks_r); /* of the block at p */
};

/* By canonicalisation. */
const struct block_loops *block_loops(bool avx2);
bool processor_has_avx2(void);

#endif
