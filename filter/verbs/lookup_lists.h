/*
 * lookup_lists.h - an address or a domain on DNS lists (RFC 5782).
 */
#ifndef SEKISHO_LOOKUP_LISTS_H
#define SEKISHO_LOOKUP_LISTS_H

#include "lookup_sheet.h"

enum listing {
	LISTING_CLEAN,
	LISTING_LISTED,
	LISTING_ERROR,    /* the list says that it does not answer us, and lists nothing */
	LISTING_BROKEN,   /* it lists what no list may list, or answers outside 127.0.0.0/8 */
	LISTING_TEMPERROR /* no answer now */
};

/* Starts the queries for all lists. */
void lookup_lists_hint(struct lookup *, struct ip, struct slice domain);

/* Asks all lists of --dnsbl for the address, or for the domain when the address has no family; adds a line for each.
 * What they say is an array of objects: "list", "result", "codes", "text". *worst_r: LISTED if any; else TEMPERROR when
 * no list has answered. */
json_t *lookup_lists_ask(struct lookup *, struct sheet *, struct ip, struct slice domain, enum listing *worst_r);

#endif
