/*
 * author_private.h - what the readers of a From field share.
 */
#ifndef SEKISHO_AUTHOR_PRIVATE_H
#define SEKISHO_AUTHOR_PRIVATE_H

#include "mail.h"

/* RFC 2047 5 (3): an address must not have an encoded word in it. There are readers who decode it even there, and then
 * show another author than the one that is judged. */
bool author_has_encoded_word(struct slice address, struct arena *);

/* The name before an address, as a reader shows it: without quotes, escapes and comments, blanks as one,
 * encoded words decoded. */
struct slice author_name(struct slice written, struct arena *);

/* Of the value of a field that is not valid: the domain of the only address in it, in angle brackets, when no other
 * domain is named beside it; else "". */
struct slice author_shown(struct slice value, struct arena *);

#endif
