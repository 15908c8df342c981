/*
 * blocks.h - the loops over every byte of a body, by blocks.
 */
#ifndef SEKISHO_DKIM_BLOCKS_H
#define SEKISHO_DKIM_BLOCKS_H

#include "dkim_private.h"

#define BLOCK 64
#define AHEAD 2 /* bytes after a block decide about its blanks; the byte before it decides about its first LF */

#define ODD_MAX (2 * BLOCK) /* bytes that are written for a block: all may be LF without CR */

struct block_loops {
	size_t (*plain_length)(const char *p, size_t n); /* of the blocks at p in which every byte stays as it is */
	/* Writes what the block at p is in the canonical text; returns its end. ODD_MAX bytes may be overwritten. */
	char *(*odd)(const char *p, char *out);
};

/* By canonicalisation. */
const struct block_loops *block_loops(bool avx2);
bool processor_has_avx2(void);

#endif
