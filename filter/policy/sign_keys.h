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

/* The text of a file that only the user of the daemon can read, as a key; free() it. 0, or -1 and err. */
int secret_read(const struct compiler *, const char *path, struct slice *text_r, struct error *err);

/* The block srs { }. All settings are read: reads its secrets. */
extern const struct setting_block srs_block;
int setting_keep_srs(struct setting_reader *, const void *block);
int srs_finish(struct compiler *);

#endif
