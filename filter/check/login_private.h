/*
 * login_private.h - the keys of what is counted for a login.
 */
#ifndef SEKISHO_CHECK_LOGIN_PRIVATE_H
#define SEKISHO_CHECK_LOGIN_PRIVATE_H

#include "login.h"

/* "login:WHAT:NAME" */
#define LOGIN_KEY(arena, what, name) store_key((arena), SLICE("login"), SLICE(what), (name))

/* The busiest 5 minutes of each day: counts[0] is that of `day`. */
struct login_peak {
	int64_t day; /* since 1970 */
	uint64_t counts[LOGIN_PEAK_DAYS + 1];
};

/* What is malformed counts as nothing. `today`: a day that is later than that of the text moves the counts. */
void login_peak_read(struct slice text, int64_t today, struct login_peak *peak_r);
struct slice login_peak_print(const struct login_peak *, struct arena *);
uint64_t login_peak_usual(const struct login_peak *); /* of the days before; at least LOGIN_PEAK_LEAST */

#endif
