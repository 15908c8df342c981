/*
 * authres_private.h - what the readers of Authentication-Results share: the parser
 * (authres_parse.c) and the one who looks for forgeries (forged.c).
 */
#ifndef SEKISHO_AUTHRES_PRIVATE_H
#define SEKISHO_AUTHRES_PRIVATE_H

#include "mail.h"

/* The authserv-id as written (quotes taken off; without quotes it points into the value), the version (1 when none is
 * written) and what stands behind them: nothing, or a semicolon and the rest. False when there is no id, or something
 * else behind it. Bytes over 127 and control bytes in quotes are not looked at: that is the caller's. */
bool authres_read_id(struct slice value, struct arena *, struct slice *id_r, uint64_t *version_r, struct slice *rest_r);

#endif
