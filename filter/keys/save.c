/*
 * save.c - changes in the directory of a domain: one rename or one removal at a time, under a lock.
 *
 * What a process that ended too early left unfinished has a name that nobody reads; the next one who locks removes it.
 */
#include "keys_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES 100
#define LOCK_NAP   (50 * 1000 * 1000) /* nanoseconds */

static int wrong(struct error *err, const char *directory, struct slice domain, const char *what)
{
	error_set(err, "%s/%.*s: %s", directory, SLICE_ARGS(domain), what);
	return -1;
}

/* Only files that nobody finished have such names, and we have the lock. */
static void remove_unfinished(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *entries = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!entries) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((entry = readdir(entries)))
		if (strncmp(entry->d_name, TEMPORARY, sizeof(TEMPORARY) - 1) == 0)
			unlinkat(fd, entry->d_name, 0);
	closedir(entries);
}

static int make_directory(const char *directory, struct slice domain)
{
	char path[KEYS_PATH];

	if (keys_path(directory, domain, path))
		return -1;
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

int keys_lock(const char *directory, struct slice domain, bool make, struct key_lock *lock_r, struct error *err)
{
	const struct timespec nap = {.tv_nsec = LOCK_NAP};

	if (make && make_directory(directory, domain))
		return wrong(err, directory, domain, strerror(errno));
	lock_r->fd = keys_open_directory(directory, domain);
	if (lock_r->fd < 0)
		return wrong(err, directory, domain, strerror(errno));
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(lock_r->fd, LOCK_EX | LOCK_NB) == 0) {
			remove_unfinished(lock_r->fd);
			return 0;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		nanosleep(&nap, NULL);
	}
	wrong(err, directory, domain, errno == EWOULDBLOCK ? "another process is changing its keys" : strerror(errno));
	close(lock_r->fd);
	return -1;
}

void keys_unlock(struct key_lock *lock)
{
	close(lock->fd);
	lock->fd = -1;
}

static int write_all(int fd, struct slice text, int64_t time_s)
{
	const struct timespec times[2] = {{.tv_sec = time_s}, {.tv_sec = time_s}};

	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text = slice_from(text, (size_t)n);
	}
	return futimens(fd, times) || fsync(fd) ? -1 : 0;
}

/* The name of the file while it is written. */
static void temporary_name(struct slice name, char buffer[KEYS_PATH])
{
	snprintf(buffer, KEYS_PATH, TEMPORARY "%.*s", SLICE_ARGS(name));
}

int keys_write(const struct key_lock *lock, struct slice name, struct slice text, int64_t time_s, struct error *err)
{
	char temporary[KEYS_PATH], final[KEYS_PATH];
	int fd, failed;

	temporary_name(name, temporary);
	snprintf(final, sizeof(final), "%.*s", SLICE_ARGS(name));
	fd = openat(lock->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	failed = fd < 0 || write_all(fd, text, time_s);
	if (fd >= 0)
		failed |= close(fd);
	if (!failed && renameat(lock->fd, temporary, lock->fd, final) == 0 && fsync(lock->fd) == 0)
		return 0;
	error_set(err, "cannot write %s: %s", final, strerror(errno));
	unlinkat(lock->fd, temporary, 0);
	return -1;
}

int keys_save(const struct key_lock *lock, const struct key_set *set, int64_t now_s, struct error *err)
{
	struct arena *arena = arena_new();
	int result = keys_write(lock, SLICE(STATE_FILE), state_print(set, arena), now_s, err);

	arena_free(arena);
	return result;
}

int keys_remove(const struct key_lock *lock, const struct managed_key *key, struct error *err)
{
	char name[KEYS_PATH];

	snprintf(name, sizeof(name), "%.*s" KEY_SUFFIX, SLICE_ARGS(key->selector));
	if ((unlinkat(lock->fd, name, 0) && errno != ENOENT) || fsync(lock->fd)) {
		error_set(err, "cannot remove %s: %s", name, strerror(errno));
		return -1;
	}
	return 0;
}

/* The time of the directory itself says it: a file comes and goes there. */
void keys_announce(const char *directory)
{
	char path[KEYS_PATH];
	int fd;

	if (snprintf(path, sizeof(path), "%s/.changed", directory) >= (int)sizeof(path))
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	unlink(path);
}
