/*
 * unbound.h - a libunbound context, set up and not yet asked.
 */
#ifndef SEKISHO_DNS_UNBOUND_H
#define SEKISHO_DNS_UNBOUND_H

#include <unbound.h>

#include "dns.h"

/* NULL and err. */
struct ub_ctx *unbound_context(const struct resolver_settings *, struct error *err);

#endif
