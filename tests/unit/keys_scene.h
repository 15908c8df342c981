/*
 * keys_scene.h - a directory of keys and one for the DNS, in a fresh working directory; times are numbers.
 */
#ifndef SEKISHO_TEST_KEYS_SCENE_H
#define SEKISHO_TEST_KEYS_SCENE_H

#include "assert_slice.h"
#include "keys.h"
#include "policy_text.h"

#define START    1795800000ll
#define DAY      (24 * 3600ll)
#define DOMAIN   SLICE("example.org")
#define KEYS_DIR "keys"
#define DNS_DIR  "dns"

static const struct key_rules rules = {
    .rotate_s = 90 * DAY, .keep_s = 7 * DAY, .check_s = 300, .types = 1u << DKIM_ED25519};

static inline void clean(void)
{
	assert_int_equal(system("rm -rf " KEYS_DIR " " DNS_DIR), 0);
	assert_int_equal(mkdir(KEYS_DIR, 0700), 0);
	assert_int_equal(mkdir(DNS_DIR, 0700), 0);
}

static inline struct key_set *rotated(int64_t now_s)
{
	struct key_set *set;
	struct error err;

	assert_int_equal(keys_rotate(KEYS_DIR, DOMAIN, &rules, false, now_s, &set, &err), 0);
	return set;
}

static char keys_directory[] = "/tmp/sekisho-keys.XXXXXX";

static inline int open_directory(void **state)
{
	(void)state;
	return mkdtemp(keys_directory) && chdir(keys_directory) == 0 ? 0 : -1;
}

static inline int close_directory(void **state)
{
	(void)state;
	return system("rm -rf " KEYS_DIR " " DNS_DIR) == 0 && chdir("/") == 0 ? rmdir(keys_directory) : -1;
}

#endif
