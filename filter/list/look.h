/*
 * look.h - the keys under which an address, a text or a client may be listed, tried one after the other, for any
 * backend that can find one key.
 */
#ifndef SEKISHO_LIST_LOOK_H
#define SEKISHO_LIST_LOOK_H

#include "entry.h"

struct look {
	enum truth (*has)(void *context, const struct key *); /* key->n > 0 */
	void *context;
};

/* TRUTH_UNKNOWN when some key could not be looked up and none before it was found. */
enum truth look_text(const struct look *, struct slice text);
enum truth look_address(const struct look *, const struct address *);
/* prefixes[n]: the list has a network with that prefix length, of the family of the address. */
enum truth look_ip(const struct look *, const bool *prefixes, struct ip ip);

#endif
