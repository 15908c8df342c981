/*
 * login.h - what each login sends: counted by the check `login` (check/login.c), listed by `sekisho logins`.
 *
 * It is counted for each message of a client that has authenticated, once the message is over, whether or not a rule
 * reads it, as long as a store is open.
 *
 * Keys in the store, LOGIN in lower case (an address as address_fold writes it):
 *
 *	login:recent:LOGIN         recipients of accepted messages, a window of 5 minutes
 *	login:recipients:LOGIN     the same, a window of a day
 *	login:refused:LOGIN        recipients and messages that were refused or deferred, a window of a day
 *	login:networks:LOGIN       networks of clients that sent a message, accepted or not: distinct, a day
 *	login:known:LOGIN          it has sent an accepted message in the last LOGIN_NETWORK_DAYS days
 *	login:network:LOGIN:NET    so it has from this network
 *	login:peak:LOGIN           "DAY N N ...": the day since 1970 of the latest change; the most recipients of any 5
 *	                           minutes of that day, of the day before, and so on
 */
#ifndef SEKISHO_LOGIN_H
#define SEKISHO_LOGIN_H

#include "store.h"

#define LOGIN_RECENT_US    (INT64_C(300) * 1000 * 1000)
#define LOGIN_NETWORK_DAYS 60   /* a network is forgotten after it */
#define LOGIN_PEAK_DAYS    14   /* before today, which a burst is compared with */
#define LOGIN_PEAK_LEAST   10   /* recipients in 5 minutes that are usual for everybody */
#define LOGIN_LIST_MAX     1000 /* shown at once */

struct login {
	struct slice name; /* as in the key */
	uint64_t recent, recipients, refused, networks;
};

/* The logins with the most recipients in the last 5 minutes, or in a day; the busiest first; at most `most`.
 * *more_r: there are more. 0, or -1 when the store does not work. It reads many keys: not for a message. */
int login_list(struct store *, bool day, size_t most, struct arena *, struct login **logins_r, size_t *count_r,
	       bool *more_r);

#endif
