/*
 * second.h - the second engine: libopendkim's opinion of the signatures of a message.
 *
 * It is asked only what is left when our own reading is done: does the signature match
 * the header, does bh= match the body? It never sees a signature that we refused, more of them than
 * are verified, a field that it cannot take, or a key record that a stranger wrote: keys are printed
 * anew from what we read.
 *
 * And it can sign, from a body that was kept, since it wants the header first.
 */
#ifndef SEKISHO_DKIM_SECOND_H
#define SEKISHO_DKIM_SECOND_H

#include "dkim_private.h"

enum second_word { SECOND_PASS, SECOND_FAIL_BODY, SECOND_FAIL_HEADER, SECOND_UNABLE };

struct second;

/* `signatures` are all of the message; those with a digest are asked about. Lives in the arena. */
struct second *second_begin(struct dkim_library *, const struct headers *, const struct signature *signatures,
			    size_t count, struct arena *);
void second_body(struct second *, struct slice chunk); /* as dkim_body_add takes it */
/* `keys` has one for each signature; NULL where none is wanted. Fills words_r likewise. */
void second_end(struct second *, const struct key *const *keys, enum second_word *words_r);

/* A signature made by it, over the body that signing->spool kept: the value of the field with its leading space, or ""
 * and err. It gets the fields that are signed and no other. Nobody has verified it. For RSA keys alone: others leak. */
struct slice second_sign(const struct dkim_signing *, struct dkim_fields *, struct arena *, struct error *err);

#endif
