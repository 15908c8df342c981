/*
 * sign_keys.c - private keys: who owns them, who may read them, and which domain
 * signs with which.
 *
 * A key that somebody else can read is nobody's signature. So a key file belongs to the
 * user the daemon runs as, and to nobody else in any way; else the file is refused.
 */
#include "sign_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX  (64 * 1024)
#define OTHERS_ACCESS 077

/* A key file is read once, however many domains sign with it. */
struct key_file {
	const char *path; /* NULL: this place is free */
	const struct dkim_private *key;
};

struct key_files {
	struct arena *arena;
	uid_t owner;
	struct key_file *files; /* open addressing */
	size_t room;            /* a power of two, at least twice what can be in use */
};

int sign_add(struct policy *policy, const struct sign_setting *sign)
{
	if (policy->sign_count == SIGN_DOMAINS_MAX)
		return -1;
	if (policy->sign_count == policy->sign_room) {
		policy->sign_room = policy->sign_room ? 2 * policy->sign_room : 8;
		policy->signs = xrealloc(policy->signs, policy->sign_room * sizeof(*policy->signs));
	}
	policy->signs[policy->sign_count++] = *sign;
	return 0;
}

/* ---- key files --------------------------------------------------------------------------------- */

/* The text of a file that is fit to be a secret; -1 and err. */
static int read_secret(const char *path, uid_t owner, struct slice *text_r, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = -1;
	struct stat status;

	if (fd < 0) {
		error_set(err, "cannot read key %s: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		error_set(err, "key %s is no file", path);
	else if (status.st_uid != owner)
		error_set(err, "key %s belongs to uid %u and the daemon runs as uid %u; chown it", path,
			  (unsigned)status.st_uid, (unsigned)owner);
	else if (status.st_mode & OTHERS_ACCESS)
		error_set(err, "key %s can be used by others (mode %04o); chmod 600 it", path,
			  (unsigned)status.st_mode & 07777u);
	else
		result = file_read_plain(path, KEY_FILE_MAX, text_r, err);
	close(fd);
	return result;
}

static void release_key(void *key)
{
	dkim_private_free(key);
}

static const struct dkim_private *key_load(struct key_files *files, const char *path, struct error *err)
{
	struct dkim_private *key;
	struct slice text;
	struct error why;

	if (read_secret(path, files->owner, &text, err))
		return NULL;
	key = dkim_private_read(text, &why);
	explicit_bzero((char *)text.p, text.n);
	free((char *)text.p);
	if (key)
		arena_own(files->arena, key, release_key);
	else
		error_set(err, "key %s: %s", path, why.text);
	return key;
}

static const struct dkim_private *key_of(struct key_files *files, const char *path, struct error *err)
{
	size_t at = hash_slice(slice_of(path), 0) & (files->room - 1);
	struct key_file *file;

	while (files->files[at].path && strcmp(files->files[at].path, path) != 0)
		at = (at + 1) & (files->room - 1);
	file = &files->files[at];
	if (!file->path)
		*file = (struct key_file){path, key_load(files, path, err)};
	return file->key;
}

/* ---- all of them ------------------------------------------------------------------------------------ */

/* Who must own the keys: the user that `user` names, else who we are. */
static uid_t owner_of_keys(const struct settings *settings, struct arena *arena)
{
	struct passwd *account = settings->user.n ? getpwnam(arena_cstring(arena, settings->user)) : NULL;

	return account ? account->pw_uid : geteuid();
}

static int compare(const void *a, const void *b)
{
	const struct sign_setting *first = a, *second = b;
	size_t n = first->domain.n < second->domain.n ? first->domain.n : second->domain.n;
	int order = memcmp(first->domain.p, second->domain.p, n);

	return order ? order : (first->domain.n > second->domain.n) - (first->domain.n < second->domain.n);
}

static struct place place_of(const struct sign_setting *sign)
{
	return (struct place){sign->where.line, sign->where.column, 0};
}

static int load_keys(struct compiler *compiler, struct key_files *files, struct sign_setting *sign)
{
	struct error err = {"it is wrong as said above"};

	for (size_t i = 0; i < sign->key_count; i++) {
		sign->keys[i].key = key_of(files, sign->keys[i].file, &err);
		if (sign->keys[i].key)
			continue;
		diagnostics_error(compiler->diagnostics, place_of(sign), "sign %.*s: %s", SLICE_ARGS(sign->domain),
				  err.text);
		return -1;
	}
	return 0;
}

int sign_finish(struct compiler *compiler)
{
	struct policy *policy = compiler->policy;
	struct key_files files = {.arena = policy->arena, .room = 16};
	int result = 0;

	while (files.room < 2 * SIGN_KEYS_MAX * policy->sign_count)
		files.room *= 2;
	files.files = xmalloc(files.room * sizeof(*files.files));
	files.owner = owner_of_keys(&policy->settings, policy->arena);
	for (size_t i = 0; i < policy->sign_count && !diagnostics_full(compiler->diagnostics); i++)
		result |= load_keys(compiler, &files, &policy->signs[i]);
	free(files.files);
	if (policy->sign_count > 0)
		qsort(policy->signs, policy->sign_count, sizeof(*policy->signs), compare);
	for (size_t i = 1; i < policy->sign_count; i++)
		if (compare(&policy->signs[i - 1], &policy->signs[i]) == 0) {
			diagnostics_error(compiler->diagnostics, place_of(&policy->signs[i]),
					  "sign %.*s is said twice; put its keys in one place",
					  SLICE_ARGS(policy->signs[i].domain));
			result = -1;
		}
	return result;
}

/* ---- asking -------------------------------------------------------------------------------------------- */

const struct sign_setting *policy_sign(const struct policy *policy, struct slice domain)
{
	struct sign_setting wanted = {.domain = domain};
	const struct sign_setting *found;
	ptrdiff_t dot;

	/* Its own keys, then those of the nearest parent that signs for its subdomains. */
	while (policy->sign_count > 0 && wanted.domain.n > 0) {
		found = bsearch(&wanted, policy->signs, policy->sign_count, sizeof(*policy->signs), compare);
		if (found && (found->subdomains || wanted.domain.n == domain.n))
			return found;
		dot = slice_find(wanted.domain, '.');
		wanted.domain = slice_from(wanted.domain, dot < 0 ? wanted.domain.n : (size_t)dot + 1);
	}
	return NULL;
}
