/*
 * authres_private.h - shared by the parser of Authentication-Results
 * (authres_parse.c) and the search for forged fields (forged.c).
 */
#ifndef SEKISHO_AUTHRES_PRIVATE_H
#define SEKISHO_AUTHRES_PRIVATE_H

#include "mail.h"

/* The authserv-id as written (without quotes; an unquoted id points into the value), the version (1 when none is
 * written) and the text after them: empty, or a semicolon and the rest. False when there is no id, or other text
 * follows it. Bytes over 127 and control bytes in quotes are not checked; the caller must do it. */
bool authres_read_id(struct slice value, struct arena *, struct slice *id_r, uint64_t *version_r, struct slice *rest_r);

#endif
