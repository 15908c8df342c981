/*
 * blocked.h - the keys of blocks, for adding and for looking up.
 */
#ifndef SEKISHO_CHECK_BLOCKED_H
#define SEKISHO_CHECK_BLOCKED_H

#include "base.h"

/* A login or an address as it is compared: without regard to case and to the form of the domain. */
struct slice block_fold(struct slice name, struct arena *);
struct slice block_name_key(struct slice name, struct arena *);
struct slice block_net_key(const struct ip_net *, struct arena *);
struct slice block_lengths_key(uint8_t family, struct arena *);

#endif
