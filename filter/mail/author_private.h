/*
 * author_private.h - shared by the parsers of a From field.
 */
#ifndef SEKISHO_AUTHOR_PRIVATE_H
#define SEKISHO_AUTHOR_PRIVATE_H

#include "mail.h"

/* RFC 2047 5 (3): an address must not contain an encoded word. Some readers decode it even there, and then show
 * another author than the one that is checked. */
bool author_has_encoded_word(struct slice address, struct arena *);

/* The name before an address, as a mail reader shows it: without quotes, escapes and comments, blanks
 * collapsed, encoded words decoded. */
struct slice author_name(struct slice written, struct arena *);

/* For the value of an invalid field: the domain of the only address in angle brackets, when the field contains no other
 * domain; else "". */
struct slice author_shown(struct slice value, struct arena *);

#endif
