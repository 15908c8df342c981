/*
 * blocks.h - the loops over every byte of a body, by blocks.
 */
#ifndef SEKISHO_DKIM_BLOCKS_H
#define SEKISHO_DKIM_BLOCKS_H

#include "dkim_private.h"

#define BLOCK 64
#define AHEAD 2 /* bytes behind a block decide what its blanks are; the one before it, what its first LF is */

/* Of a block: what each byte is in the canonical text, and what is written of it. */
#define STAYS 1
#define BARE  2 /* a CR is missing before it */
struct marks {
	char text[BLOCK];
	unsigned char what[BLOCK];
};

struct block_loops {
	size_t (*plain_length)(const char *p, size_t n); /* of the blocks at p in which every byte stands for itself */
	void (*mark)(const char *p, struct marks *restrict marks_r); /* of the block at p */
};

/* By canonicalisation. */
const struct block_loops *block_loops(bool avx2);
bool processor_has_avx2(void);

#endif
