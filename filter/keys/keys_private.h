/*
 * keys_private.h - what the files of this room share.
 */
#ifndef SEKISHO_KEYS_PRIVATE_H
#define SEKISHO_KEYS_PRIVATE_H

#include "keys.h"

#define STATE_FILE  "state"
#define STATE_FIRST "sekisho keys 1"
#define KEY_SUFFIX  ".pem"
#define TEMPORARY   ".new-" /* of a file that is being written */
#define FILE_MAX    (64 * 1024)

/* Is it a selector that can be a file name? */
bool selector_valid(struct slice selector);

/* Of the lines of the file; keys that it does not name keep what they have. -1 and err: damaged. */
int state_parse(struct key_set *, struct slice text, struct error *err);
struct slice state_print(const struct key_set *, struct arena *);

#define KEYS_PATH 4096
int keys_path(const char *directory, struct slice domain, char path_r[KEYS_PATH]); /* 0, or -1 and errno */

/* The directory of a domain, locked. */
struct key_lock {
	int fd;
};
int keys_lock(const char *directory, struct slice domain, bool make, struct key_lock *lock_r, struct error *err);
void keys_unlock(struct key_lock *);
int keys_open_directory(const char *directory, struct slice domain); /* a descriptor, or -1 and errno */

/* These need the lock. */
/* `time_s` is that of the file. */
int keys_write(const struct key_lock *, struct slice name, struct slice text, int64_t time_s, struct error *err);
int keys_save(const struct key_lock *, const struct key_set *, int64_t now_s, struct error *err);
int keys_remove(const struct key_lock *, const struct managed_key *, struct error *err);

/* Is the record in the DNS long enough? */
bool key_is_ready(const struct managed_key *, int64_t now_s);
/* The newest of an algorithm that has not vanished; NULL: there is none. */
const struct managed_key *key_newest(const struct key_set *, enum dkim_algorithm);
/* The one of an algorithm that signs; NULL: none. */
const struct managed_key *key_signer(const struct key_set *, enum dkim_algorithm, int64_t now_s);

#endif
