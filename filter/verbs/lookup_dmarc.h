/*
 * lookup_dmarc.h - `sekisho lookup dmarc` in parts: a domain with its record and
 * advice about it, and a hypothetical message.
 */
#ifndef SEKISHO_LOOKUP_DMARC_H
#define SEKISHO_LOOKUP_DMARC_H

#include "dmarc.h"
#include "lookup_near.h"

int lookup_dmarc_message(struct lookup *); /* with --from */

json_t *lookup_dmarc_walk(struct lookup *, const struct dmarc_walk *);
void lookup_dmarc_print_walk(struct lookup *, const struct dmarc_walk *);
json_t *lookup_string_or_null(struct lookup *, struct slice text);

/* What can be done better about a domain; each advice is passed to `tell`. */
void lookup_dmarc_advise(struct lookup *, const struct dmarc_outcome *, lookup_tell *tell, void *context);

#endif
