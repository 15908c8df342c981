/*
 * lookup_dkim.h - advice about a published key.
 */
#ifndef SEKISHO_LOOKUP_DKIM_H
#define SEKISHO_LOOKUP_DKIM_H

#include "dkim.h"
#include "lookup_near.h"

void lookup_dkim_advise(struct lookup *, const struct dkim_published *, struct slice selector, struct slice domain,
			lookup_tell *tell, void *context);

#endif
