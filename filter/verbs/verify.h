/*
 * verify.h - the parts of `sekisho verify`.
 */
#ifndef SEKISHO_VERIFY_H
#define SEKISHO_VERIFY_H

#include "lookup.h"

/* Prints how the body of a message differs from what it was. VERB_OK: a signature of c=simple holds; VERB_NO: it does
 * not. Needs of the lookup its arena and json. */
int verify_before(struct lookup *, const char *before, const char *after);

#endif
