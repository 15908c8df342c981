/*
 * second.h - the second engine: libopendkim's opinion of the signatures of a message.
 *
 * It is asked only what remains after our own reading: does the signature match
 * the header, and does bh= match the body? It never sees a signature that we refused, more of them than
 * are verified, a field that it cannot handle, or a key record as published: keys are printed
 * again from what we read.
 *
 * It can also sign, from a body that was kept, because it needs the header first.
 */
#ifndef SEKISHO_DKIM_SECOND_H
#define SEKISHO_DKIM_SECOND_H

#include "dkim_private.h"

enum second_word { SECOND_PASS, SECOND_FAIL_BODY, SECOND_FAIL_HEADER, SECOND_UNABLE };

struct second;

/* `signatures` are all of the message; those with a digest are checked. Lives in the arena. */
struct second *second_begin(struct dkim_library *, const struct headers *, const struct signature *signatures,
			    size_t count, struct arena *);
void second_body(struct second *, struct slice chunk); /* as for dkim_body_add */
/* `keys` has one for each signature; NULL where none is needed. Fills words_r likewise. */
void second_end(struct second *, const struct key *const *keys, enum second_word *words_r);

/* A signature made by it, over the body that signing->spool kept: the value of the field with its leading space, or ""
 * and err. It gets only the fields that are signed. The signature is not verified yet. For RSA keys only: others leak.
 */
struct slice second_sign(const struct dkim_signing *, struct dkim_fields *, struct arena *, struct error *err);

#endif
