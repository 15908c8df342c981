/*
 * sign_keys.h - the domains that are signed for while the settings are read, and
 * the loading of their keys.
 */
#ifndef SEKISHO_POLICY_SIGN_KEYS_H
#define SEKISHO_POLICY_SIGN_KEYS_H

#include "setting_reader.h"

#define SIGN_DOMAINS_MAX 100000 /* their keys are read at each start and reload: some seconds */

/* Copies it. -1: there are SIGN_DOMAINS_MAX. */
int sign_add(struct policy *, const struct sign_setting *);

/* One more selector and key; -1 when there are too many. */
int sign_add_key(struct sign_setting *, struct signing_key);

/* By domain. */
int sign_compare(const void *, const void *);
struct place sign_place(const struct compiler *,
			const struct sign_setting *); /* of its statement; errors there do not hide each other */

/* Puts the domains in order, each once and with each selector once (sign_join.c). What is wrong is reported. */
int sign_join(struct compiler *);

/* All settings are read: reads the keys and puts the domains in order. What is wrong is reported. */
int sign_finish(struct compiler *);

#endif
