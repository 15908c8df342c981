/*
 * greylist.h - greylisting in the store: who came, who came back, and whose networks are proven.
 *
 * The facts are in check/greylist.c. `sekisho greylist` reads and deletes the keys through the requests that the daemon
 * has for the store, so what they mean is said here:
 *
 *	grey:dDOMAIN        a domain for which SPF passed
 *	grey:4NET:SENDER    an IPv4 /24 (six hexadecimal digits) and a sender, hashed
 *	grey:6NET:SENDER    an IPv6 /64 (sixteen digits), likewise
 *	grey:pNET           the senders of a network that came back and were accepted (a set); NET with its 4 or 6
 *	grey:kNET           the network is proven
 *
 * Values: "w" and the window in seconds, counted from the first attempt, unless it is GREYLIST_WINDOW: it waits; "p":
 * it has passed; "k": proven. Keys are short because a large site has millions.
 */
#ifndef SEKISHO_GREYLIST_H
#define SEKISHO_GREYLIST_H

#include "base.h"

#define GREYLIST_PREFIX  "grey:"
#define GREYLIST_IPV4    24 /* prefix lengths of a network: providers send again from a neighbouring address */
#define GREYLIST_IPV6    64
#define GREYLIST_KEYS    3      /* prefixes of one identity */
#define GREYLIST_WINDOW  172800 /* seconds: the preset */
#define GREYLIST_WAITING 'w'
#define GREYLIST_PASSED  'p'
#define GREYLIST_PROVEN  'k'

/* "4cb0071" for 203.0.113.9; "" without an address. */
struct slice greylist_network(struct ip, struct arena *);

/* A network as it is printed: 203.0.113.0/24; the domain itself; "" when the key is not one of greylisting. */
struct slice greylist_shown(struct slice key, struct arena *);
/* What an entry says: "waiting", "passed", "proven", "counted" for the set of a network; `value` is "" for a set. */
const char *greylist_state(struct slice key, struct slice value);

/* The keys, or their first parts, of a domain, an address or its network. How many; 0: it is none of these, and err. */
size_t greylist_keys(struct slice what, struct arena *, struct slice keys_r[GREYLIST_KEYS], struct error *err);

#endif
