/*
 * bare.h - libopendkim alone, without our guards, to compare with.
 */
#ifndef SEKISHO_BARE_H
#define SEKISHO_BARE_H

#include "base.h"

struct bare;
struct bare *bare_open(struct slice key_record); /* of every key that is asked for. NULL: built without libopendkim */
void bare_close(struct bare *);                  /* NULL is allowed */
/* Fields as they are sent, without their last CRLF; the body with CRLF. Does a signature pass? */
bool bare_verify(struct bare *, const struct slice *fields, size_t count, struct slice body);

#endif
