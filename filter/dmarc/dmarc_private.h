/*
 * dmarc_private.h - what the files of the DMARC room share.
 */
#ifndef SEKISHO_DMARC_PRIVATE_H
#define SEKISHO_DMARC_PRIVATE_H

#include "dmarc.h"

/* The domain without its first label; "" for the last one. */
struct slice domain_parent(struct slice domain);

#endif
