/*
 * block.h - temporary blocks of a login, an envelope sender, an address or a network.
 *
 * `sekisho block` writes them to the store. The facts `blocked` and `blocked.why` (check/blocked.c) read the store each
 * time a rule reads them, so a block takes effect at once, also on open sessions, and survives a restart.
 *
 * Keys in the store: "block:name:alice@example.org", "block:net:203.0.113.0/24"; the value is the reason.
 * "block:lengths:4" and "block:lengths:6" hold all prefix lengths of networks that were ever blocked, so only these are
 * looked up.
 */
#ifndef SEKISHO_BLOCK_H
#define SEKISHO_BLOCK_H

#include "store.h"

#define BLOCK_WHAT_MAX 320  /* bytes; RFC 5321 4.5.3.1: an address */
#define BLOCK_WHY_MAX  400  /* bytes of a reason: it fits a line of a reply */
#define BLOCK_LIST_MAX 1000 /* shown at once */

struct block {
	struct slice what; /* an IP address, a network, or else a name: a login, or an address that is a login or a
			      sender */
	struct slice why;
	int64_t life_us; /* 1 to STORE_LIFE_MAX_US */
};

/* Replaces an older block of the same. *what_r: as stored. 0 when it is on the disk; -1 and err. */
int block_add(struct store *, const struct block *, struct arena *, struct slice *what_r, struct error *err);
/* 1: it was blocked; 0: it was not; -1 and err. */
int block_remove(struct store *, struct slice what, struct arena *, struct error *err);
/* All blocks, names first; at most BLOCK_LIST_MAX, *more_r is true when there are more. -1 and err. */
int block_list(struct store *, struct arena *, struct block **blocks_r, size_t *count_r, bool *more_r,
	       struct error *err);

#endif
