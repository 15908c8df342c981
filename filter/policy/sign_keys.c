/*
 * sign_keys.c - private keys: who owns them, who may read them, and which domain
 * signs with which.
 *
 * A key that somebody else can read is nobody's signature. So a key file belongs to the
 * user the daemon runs as, and to nobody else in any way; else the file is refused. With `key-access group` it may
 * belong to root, and the daemon's group may read it.
 *
 * A reload takes over the keys whose files are what they were: to decode a key costs more than all else of a policy.
 */
#include "keys.h"
#include "sign_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX      (64 * 1024)
#define OTHERS_ACCESS     077
#define GROUP_READS       040
#define ACCOUNT_NAME_ROOM 64
#define FILE_TIME_US      1000000 /* how exact the times of files are, on the coarsest file system */

/* A key that several policies share. */
struct shared_key {
	_Atomic unsigned holders;
	struct dkim_private *key;
	struct stat file; /* as it was when the key was read, */
	int64_t read_at;  /* and when that was (clock_wall_us) */
};

/* A key file is read once, however many domains sign with it. */
struct key_file {
	const char *path;       /* NULL: this place is free */
	struct shared_key *key; /* NULL: it cannot be used */
};

/* Whose the keys may be. */
struct keeper {
	uid_t user; /* that the daemon runs as */
	gid_t group;
	bool daemon; /* we are it */
	bool shared; /* key-access group */
	bool any;    /* root looks at the file for a daemon that runs as it is told elsewhere: by systemd */
};

struct key_files {
	struct keeper keeper;
	struct key_file *files; /* open addressing */
	size_t room;            /* a power of two, at least twice what can be in use */
};

/* ---- key files --------------------------------------------------------------------------------- */

struct account_name {
	char text[ACCOUNT_NAME_ROOM];
};

static struct account_name user_name(uid_t uid)
{
	const struct passwd *account = getpwuid(uid);
	struct account_name name;

	if (account)
		snprintf(name.text, sizeof(name.text), "%s", account->pw_name);
	else
		snprintf(name.text, sizeof(name.text), "uid %u", (unsigned)uid);
	return name;
}

/* -1 and err when it belongs to somebody else. */
static int check_owner(const char *path, const struct stat *status, const struct keeper *keeper, struct error *err)
{
	struct account_name owner = user_name(status->st_uid), daemon = user_name(keeper->user);

	if (keeper->any || status->st_uid == keeper->user || (keeper->shared && status->st_uid == 0))
		return 0;
	if (keeper->user == 0)
		error_set(err, "key %s belongs to %s, and the daemon runs as root; set \"user %s\", or chown root %s",
			  path, owner.text, owner.text, path);
	else
		error_set(err, "key %s belongs to %s, and the daemon runs as %s; chown %s %s", path, owner.text,
			  daemon.text, daemon.text, path);
	return -1;
}

/* -1 and err when others can use it. */
static int check_access(const char *path, const struct stat *status, const struct keeper *keeper, struct error *err)
{
	unsigned mode = status->st_mode & 07777u, others = mode & OTHERS_ACCESS;
	bool of_daemon = keeper->any || status->st_gid == keeper->group || status->st_gid == 0;

	if (!others || (keeper->shared && others == GROUP_READS && of_daemon))
		return 0;
	if (keeper->shared && others == GROUP_READS)
		error_set(err, "key %s can be read by group %u, which is not the group of the daemon (%u); chgrp it",
			  path, (unsigned)status->st_gid, (unsigned)keeper->group);
	else
		error_set(err, "key %s can be used by others (mode %04o); chmod %s it%s", path, mode,
			  keeper->shared ? "640" : "600",
			  others == GROUP_READS ? ", or let its group read it with \"key-access group\"" : "");
	return -1;
}

/* As errno says. */
static void cannot_open(const char *path, const struct keeper *keeper, struct error *err)
{
	const char *why = strerror(errno);

	if (errno == EACCES && keeper->daemon)
		error_set(err, "cannot read key %s: %s; chown %s %s", path, why, user_name(keeper->user).text, path);
	else
		error_set(err, "cannot read key %s: %s%s", path, why,
			  errno == EACCES ? "; become root, or the user of the daemon" : "");
}

/* The text of a file that is fit to be a secret, and what it was then; -1 and err. */
static int read_secret(const char *path, const struct keeper *keeper, struct slice *text_r, struct stat *status_r,
		       struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = -1;

	if (fd < 0) {
		cannot_open(path, keeper, err);
		return -1;
	}
	if (fstat(fd, status_r) || !S_ISREG(status_r->st_mode))
		error_set(err, "key %s is not a file", path);
	else if (check_owner(path, status_r, keeper, err) == 0 && check_access(path, status_r, keeper, err) == 0)
		result = file_read_plain(path, KEY_FILE_MAX, text_r, err);
	close(fd);
	return result;
}

static void release_key(void *held)
{
	struct shared_key *key = held;

	if (--key->holders > 0)
		return;
	dkim_private_free(key->key);
	free(key);
}

static struct shared_key *key_read(const char *path, const struct keeper *keeper, struct error *err)
{
	struct shared_key *key = xmalloc(sizeof(*key));
	struct slice text;
	struct error why;

	key->holders = 1;
	key->read_at = clock_wall_us();
	if (read_secret(path, keeper, &text, &key->file, err)) {
		free(key);
		return NULL;
	}
	key->key = dkim_private_read(text, &why);
	explicit_bzero((char *)text.p, text.n);
	free((char *)text.p);
	if (key->key)
		return key;
	error_set(err, "key %s: %s", path, why.text);
	free(key);
	return NULL;
}

/* The place of a file in the table: its own, or a free one. */
static struct key_file *find_file(const struct key_files *files, const char *path)
{
	size_t at = hash_slice(slice_of(path), 0) & (files->room - 1);

	while (files->files[at].path && strcmp(files->files[at].path, path) != 0)
		at = (at + 1) & (files->room - 1);
	return &files->files[at];
}

/* What was read just after it was written may have been written once more with the same time. */
static bool is_settled(const struct shared_key *key)
{
	return key->read_at - ((int64_t)key->file.st_ctim.tv_sec * 1000000 + key->file.st_ctim.tv_nsec / 1000) >
	       FILE_TIME_US;
}

static bool is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The key of the policy that is replaced, when its file is what it was and may still be used; NULL: read it. */
static struct shared_key *key_before(const struct policy *old, const char *path, const struct keeper *keeper)
{
	struct shared_key *key = old && old->key_files ? find_file(old->key_files, path)->key : NULL;
	struct stat now;
	struct error ignored;

	if (!key || !is_settled(key) || stat(path, &now) || !is_unchanged(&now, &key->file) ||
	    check_owner(path, &now, keeper, &ignored) || check_access(path, &now, keeper, &ignored))
		return NULL;
	key->holders++;
	return key;
}

static const struct dkim_private *key_of(struct compiler *compiler, struct key_files *files, const char *path,
					 struct error *err)
{
	struct key_file *file = find_file(files, path);

	if (!file->path) {
		file->path = path;
		file->key = key_before(compiler->old, path, &files->keeper);
		if (!file->key)
			file->key = key_read(path, &files->keeper, err);
		if (file->key)
			arena_own(compiler->policy->arena, file->key, release_key);
	}
	return file->key ? file->key->key : NULL;
}

/* ---- all of them ------------------------------------------------------------------------------------ */

/* The user that `user` names, else who we are. */
static struct keeper keeper_of(const struct compiler *compiler)
{
	const struct settings *settings = &compiler->policy->settings;
	struct arena *arena = compiler->policy->arena;
	struct passwd *account = settings->user.n ? getpwnam(arena_cstring(arena, settings->user)) : NULL;
	struct keeper keeper = {
	    .user = geteuid(), .group = getegid(), .shared = settings->key_access == KEY_ACCESS_GROUP};
	struct group *group = settings->group.n ? getgrnam(arena_cstring(arena, settings->group)) : NULL;

	if (account) {
		keeper.user = account->pw_uid;
		keeper.group = account->pw_gid;
	}
	if (group)
		keeper.group = group->gr_gid;
	keeper.daemon = compiler->reader == POLICY_DAEMON;
	keeper.any = compiler->reader != POLICY_DAEMON && geteuid() == 0 && !settings->user.n;
	return keeper;
}

/* The ring of the policy that is replaced knows what the DNS has. NULL: there is none for this directory. */
static struct key_ring *ring_before(const struct compiler *compiler, const struct sign_setting *sign)
{
	const struct sign_setting *old = compiler->old ? policy_sign(compiler->old, sign->domain) : NULL;

	if (!old || !old->ring || !slice_equal(old->domain, sign->domain) ||
	    !key_ring_is_of(old->ring, sign->directory))
		return NULL;
	return key_ring_hold(old->ring);
}

static int load_ring(struct compiler *compiler, struct sign_setting *sign)
{
	struct error err;

	sign->ring = ring_before(compiler, sign);
	if (!sign->ring)
		sign->ring = key_ring_open(sign->directory, sign->domain, &err);
	else if (key_ring_refresh(sign->ring, &err) < 0) {
		key_ring_release(sign->ring);
		sign->ring = NULL;
	}
	if (!sign->ring) {
		diagnostics_error(compiler->diagnostics, sign_place(compiler, sign), "sign %.*s: %s",
				  SLICE_ARGS(sign->domain), err.text);
		return -1;
	}
	arena_own(compiler->policy->arena, sign->ring, key_ring_release);
	return 0;
}

/* One line, be there one domain or thousands. */
static void advise_keys(struct compiler *compiler)
{
	const struct sign_setting *first = NULL;
	size_t count = 0;

	for (size_t i = 0; i < compiler->policy->sign_count; i++) {
		const struct sign_setting *sign = &compiler->policy->signs[i];
		struct key_set *set = sign->ring ? key_ring_set(sign->ring) : NULL;

		if (set && set->count == 0) {
			first = first ? first : sign;
			count++;
		}
		key_set_release(set);
	}
	if (!first)
		return;
	diagnostics_advice(compiler->diagnostics, sign_place(compiler, first),
			   "%.*s%s has no key in %s yet, so it is not signed; make one: sekisho keys rotate %.*s",
			   SLICE_ARGS(first->domain), count > 1 ? ", as other domains," : "", first->directory,
			   SLICE_ARGS(first->domain));
}

static int load_keys(struct compiler *compiler, struct key_files *files, struct sign_setting *sign)
{
	struct error err = {"it is wrong as said above"};

	if (sign->directory)
		return load_ring(compiler, sign);
	for (size_t i = 0; i < sign->key_count; i++) {
		sign->keys[i].key = key_of(compiler, files, sign->keys[i].file, &err);
		if (sign->keys[i].key)
			continue;
		diagnostics_error(compiler->diagnostics, sign_place(compiler, sign), "sign %.*s: %s",
				  SLICE_ARGS(sign->domain), err.text);
		return -1;
	}
	return 0;
}

int secret_read(const struct compiler *compiler, const char *path, struct slice *text_r, struct error *err)
{
	struct keeper keeper = keeper_of(compiler);
	struct stat status;

	return read_secret(path, &keeper, text_r, &status, err);
}

int sign_finish(struct compiler *compiler)
{
	struct policy *policy = compiler->policy;
	struct key_files *files = arena_alloc(policy->arena, sizeof(*files));
	int result = sign_join(compiler);
	size_t keys = 0;

	for (size_t i = 0; i < policy->sign_count; i++)
		keys += policy->signs[i].key_count;
	for (files->room = 16; files->room < 2 * keys;)
		files->room *= 2;
	files->files = arena_alloc(policy->arena, files->room * sizeof(*files->files));
	files->keeper = keeper_of(compiler);
	for (size_t i = 0; i < policy->sign_count && !diagnostics_full(compiler->diagnostics); i++)
		result |= load_keys(compiler, files, &policy->signs[i]);
	policy->key_files = files;
	advise_keys(compiler);
	return result;
}
