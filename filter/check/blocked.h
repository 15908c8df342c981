/*
 * blocked.h - the keys of blocks, for those who add and those who look.
 */
#ifndef SEKISHO_CHECK_BLOCKED_H
#define SEKISHO_CHECK_BLOCKED_H

#include "base.h"

/* A login or an address as it is compared: case and the form of the domain make no difference. */
struct slice block_fold(struct slice name, struct arena *);
struct slice block_name_key(struct slice name, struct arena *);
struct slice block_net_key(const struct ip_net *, struct arena *);
struct slice block_lengths_key(uint8_t family, struct arena *);

#endif
