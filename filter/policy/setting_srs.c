/*
 * setting_srs.c - srs { domain NAME  secret-file PATH  lifetime 21d }: how senders of forwarded mail are rewritten.
 *
 * A secret file has a secret on each line, as that of postsrsd: the first signs, all verify. It is a key like those of
 * DKIM: nobody else may be able to read it.
 */
#include "sign_keys.h"

#include <stdlib.h>
#include <string.h>

#define SECRET_MAX 1024 /* bytes of a line */
#define DAY_US     (86400 * INT64_C(1000000))

#define SRS(member) .offset = offsetof(struct srs_setting, member)

static const struct setting_key keys[] = {
    {.name = "domain",
     .type = SETTING_DOMAIN,
     .count = SETTING_MANY,
     SRS(domains),
     .required = true,
     .example = "srs { domain srs.example.org  secret-file /etc/sekisho/srs.secret }"},
    {.name = "secret-file",
     .type = SETTING_PATH,
     SRS(file),
     .required = true,
     .example = "srs { domain srs.example.org  secret-file /etc/sekisho/srs.secret }"},
    {.name = "lifetime",
     .type = SETTING_DURATION,
     SRS(lifetime_us),
     .least = DAY_US,
     .most = SRS_DAYS_MAX * DAY_US,
     .preset = "21d",
     .example = "srs { domain srs.example.org  secret-file /etc/sekisho/srs.secret  lifetime 21d }"},
    {.name = "never-rewrite",
     .type = SETTING_LIST,
     SRS(own),
     .usage = "the list of your own domains",
     .example = "srs { domain srs.example.org  secret-file /etc/sekisho/srs.secret  never-rewrite friends }"},
    {.name = "hash-length",
     .type = SETTING_NUMBER,
     SRS(srs.hash_length),
     .least = SRS_HASH_MIN,
     .most = SRS_HASH_MAX,
     .preset = "4",
     .example = "srs { domain srs.example.org  secret-file /etc/sekisho/srs.secret  hash-length 4 }"},
    {.name = "hash-minimum",
     .type = SETTING_NUMBER,
     SRS(srs.hash_least),
     .least = SRS_HASH_MIN,
     .most = SRS_HASH_MAX,
     .preset = "4",
     .example = "srs { domain srs.example.org  secret-file /etc/sekisho/srs.secret  hash-minimum 4 }"},
    {.name = "longest-local-part",
     .type = SETTING_NUMBER,
     SRS(srs.local_most),
     .least = SRS_LOCAL_PART,
     .most = SRS_LOCAL_MAX,
     .preset = "64",
     .example = "srs { domain srs.example.org  secret-file /etc/sekisho/srs.secret  longest-local-part 64 }"},
};

static int finish(void *block, struct setting_told *told, struct error *err)
{
	struct srs_setting *setting = block;

	setting->srs.domains = setting->domains.items;
	setting->srs.domain_count = setting->domains.count;
	setting->srs.days = (unsigned)(setting->lifetime_us / DAY_US);
	if (setting->srs.hash_least <= setting->srs.hash_length)
		return 0;
	told->key = "hash-minimum";
	error_set(err, "it is more than hash-length, so that no address would be accepted; lower it");
	return -1;
}

const struct setting_block srs_block = {
    .name = "srs", .size = sizeof(struct srs_setting), SETTING_KEYS(keys), .finish = finish};

int setting_keep_srs(struct setting_reader *reader, const void *block)
{
	struct srs_setting *setting = &reader->settings->srs;

	*setting = *(const struct srs_setting *)block;
	setting->said = true;
	setting->where = position_of(reader->compiler, reader->said->name.place);
	return 0;
}

/* ---- the secrets -------------------------------------------------------------------------------------- */

/* Lines of the file; empty ones do not count. */
static int take_secrets(struct srs_setting *setting, struct slice text, struct arena *arena, struct error *err)
{
	struct slice *secrets = arena_alloc(arena, SRS_SECRETS_MAX * sizeof(*secrets)), line;
	size_t count = 0;

	while (slice_cut(&text, '\n', &line)) {
		while (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			continue;
		if (count == SRS_SECRETS_MAX || line.n > SECRET_MAX) {
			error_set(err, "secret file %s has a line of more than %d bytes, or more than %d lines",
				  setting->file, SECRET_MAX, SRS_SECRETS_MAX);
			return -1;
		}
		secrets[count++] = arena_copy(arena, line);
	}
	setting->srs.secrets = secrets;
	setting->srs.secret_count = count;
	if (count > 0)
		return 0;
	error_set(err, "secret file %s is empty; write a long random text in it, one secret on each line",
		  setting->file);
	return -1;
}

/* Doors that only rewrite need it. */
static int check_doors(struct compiler *compiler)
{
	const struct settings *settings = &compiler->policy->settings;

	for (size_t i = 0; i < settings->listen_count; i++) {
		enum listen_door door = settings->listens[i].door;

		if (settings->srs.said || (door != LISTEN_SRS_FORWARD && door != LISTEN_SRS_REVERSE))
			continue;
		diagnostics_error(compiler->diagnostics, place_of(compiler, settings->listens[i].where),
				  "listen %s needs to know the domain and the secrets; write srs { domain NAME  "
				  "secret-file /path }",
				  listen_doors[door]);
		return -1;
	}
	return 0;
}

int srs_finish(struct compiler *compiler)
{
	struct srs_setting *setting = &compiler->policy->settings.srs;
	struct slice text;
	struct error err;
	int result;

	if (!setting->said)
		return check_doors(compiler);
	result = secret_read(compiler, setting->file, &text, &err);
	if (result == 0) {
		result = take_secrets(setting, text, compiler->policy->arena, &err);
		explicit_bzero((char *)text.p, text.n);
		free((char *)text.p);
	}
	if (result)
		diagnostics_error(compiler->diagnostics, place_of(compiler, setting->where), "srs: %s", err.text);
	return result;
}
