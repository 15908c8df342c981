/*
 * lookup_near.h - TXT records that were meant to be DMARC or DKIM records but are not, and what is wrong
 * with them, for their owner.
 */
#ifndef SEKISHO_LOOKUP_NEAR_H
#define SEKISHO_LOOKUP_NEAR_H

#include "lookup.h"

/* An advice: its code is one of those in sekisho(8); the text any bytes. */
typedef void lookup_tell(void *context, const char *code, struct slice text);

/* Is the text near one that begins with "v=VERSION;", as in DMARC1? Hands what is wrong with its beginning to `tell`
 * (NULL is allowed). Also true for one with nothing wrong. `name` is where it was found. */
bool lookup_near(struct lookup *, struct slice name, struct slice text, const char *version, lookup_tell *tell,
		 void *context);

/* Asks for TXT records where they are put by mistake instead of at PREFIX.DOMAIN: at the domain, without the
 * underscores, with half of the prefix, and with the domain twice. Tells of those that are near. Returns how many. */
unsigned lookup_near_names(struct lookup *, struct slice prefix, struct slice domain, const char *version,
			   lookup_tell *tell, void *context);

#endif
