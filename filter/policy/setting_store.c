/*
 * setting_store.c - store URL [at-most SIZE] [on-failure skip|defer] [password-file PATH] [ca-file PATH] [timeout
 * TIME]: where limits, blocks and the like are kept.
 */
#include "setting_reader.h"

#define STORE_DEFAULT      "lmdb:/var/lib/sekisho"
#define STORE_AT_MOST_MOST (INT64_C(1) << 40) /* a mistake in a unit is noticed */
#define STORE(member)      .offset = offsetof(struct store_setting, member)

static int read_url(struct setting_told *told, void *item, struct error *err)
{
	struct store_setting *store = item;

	(void)err;
	store->url = told->words[0];
	store->said = true;
	return 0;
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	struct store_setting *store = block;

	(void)told;
	if (!store->said)
		store->url = SLICE(STORE_DEFAULT);
	return store_check(&(struct store_settings){.url = store->url,
						    .at_most = (uint64_t)store->at_most,
						    .password_file = store->password_file,
						    .ca_file = store->ca_file,
						    .timeout_us = store->timeout_us},
			   err);
}

static const struct setting_key url = {.name = "store",
				       .type = SETTING_OWN,
				       .read = read_url,
				       .usage = STORE_DEFAULT
				       ", redis://HOST:PORT/DATABASE, rediss://..., redis+unix://... or memory:",
				       .example = "store memory:"};

static const struct setting_key keys[] = {
    {.name = "at-most",
     .type = SETTING_SIZE,
     STORE(at_most),
     .least = STORE_AT_MOST_MIN,
     .most = STORE_AT_MOST_MOST,
     .example = "store memory: at-most 64M"},
    {.name = "on-failure",
     .type = SETTING_BOOL,
     STORE(defers),
     .words = (const char *const[]){"skip", "defer", NULL},
     .preset = "skip",
     .example = "store memory: on-failure defer"},
    {.name = "password-file",
     .type = SETTING_PATH,
     STORE(password_file),
     .example = "store redis://127.0.0.1:6379/0 password-file /etc/sekisho/redis-password"},
    {.name = "ca-file",
     .type = SETTING_PATH,
     STORE(ca_file),
     .example = "store rediss://redis.example.org:6379/0 ca-file /etc/sekisho/redis-ca.pem"},
    {.name = "timeout",
     .type = SETTING_DURATION,
     STORE(timeout_us),
     .least = STORE_TIMEOUT_MIN_US,
     .most = STORE_TIMEOUT_MAX_US,
     .example = "store redis://127.0.0.1:6379/0 timeout 100ms"},
};

const struct setting_block store_block = {.name = "store",
					  .size = sizeof(struct store_setting),
					  .value = &url,
					  SETTING_KEYS(keys),
					  .line = true,
					  .finish = finish};
