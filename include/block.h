/*
 * block.h - who is kept out for a time: a login, an envelope sender, an address or a network.
 *
 * `sekisho block` puts them into the store; the facts `blocked` and `blocked.why` (check/blocked.c) look there each
 * time a rule reads them, so that a block holds at once, on open sessions too, and after a restart.
 *
 * Keys in the store: "block:name:alice@example.org", "block:net:203.0.113.0/24"; the value is why. "block:lengths:4"
 * and "block:lengths:6" hold the prefix lengths of networks that were ever blocked, so that only those are looked for.
 */
#ifndef SEKISHO_BLOCK_H
#define SEKISHO_BLOCK_H

#include "store.h"

#define BLOCK_WHAT_MAX 320  /* bytes; RFC 5321 4.5.3.1: an address */
#define BLOCK_WHY_MAX  400  /* of a reason: it fits a line of a reply */
#define BLOCK_LIST_MAX 1000 /* shown at once */

struct block {
	struct slice what; /* an IP address, a network, or else a name: a login, or an address that is a login or a
			      sender */
	struct slice why;
	int64_t life_us; /* 1 to STORE_LIFE_MAX_US */
};

/* Takes the place of an older block of the same. *what_r: as it is kept. 0 when it is on the disk; -1 and err. */
int block_add(struct store *, const struct block *, struct arena *, struct slice *what_r, struct error *err);
/* 1: it was blocked; 0: it was not; -1 and err. */
int block_remove(struct store *, struct slice what, struct arena *, struct error *err);
/* All of them, names first; at most BLOCK_LIST_MAX, *more_r says when there are more. -1 and err. */
int block_list(struct store *, struct arena *, struct block **blocks_r, size_t *count_r, bool *more_r,
	       struct error *err);

#endif
