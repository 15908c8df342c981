/*
 * set.c - reads what the directory has about a domain.
 *
 * No lock is needed: every file is complete from the moment it has its name. A key that others could use is refused.
 */
#include "keys_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS_ACCESS 077
#define OTHERS_WRITE  022
#define DOMAIN_MAX    253

/* A directory that is being read. */
struct reading {
	struct key_set *set;
	int fd;
	struct stat status; /* of the directory */
	struct error *err;
};

static bool name_valid(struct slice text, size_t most)
{
	if (text.n == 0 || text.n > most || text.p[0] == '.')
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (!((text.p[i] >= 'a' && text.p[i] <= 'z') || is_digit(text.p[i]) || strchr("-_.", text.p[i])))
			return false;
	return true;
}

bool selector_valid(struct slice selector)
{
	return name_valid(selector, KEYS_SELECTOR_MAX);
}

/* A domain is the name of a directory: nothing that leads elsewhere. */
int keys_path(const char *directory, struct slice domain, char path_r[KEYS_PATH])
{
	int n = snprintf(path_r, KEYS_PATH, "%s/%.*s", directory, SLICE_ARGS(domain));

	if (name_valid(domain, DOMAIN_MAX) && n > 0 && n < KEYS_PATH)
		return 0;
	errno = EINVAL;
	return -1;
}

void key_set_release(void *held)
{
	struct key_set *set = held;

	if (!set || --set->holders > 0)
		return;
	for (size_t i = 0; i < set->count; i++)
		dkim_private_free(set->keys[i].private);
	arena_free(set->arena);
	free(set);
}

int keys_open_directory(const char *directory, struct slice domain)
{
	char path[KEYS_PATH];

	if (keys_path(directory, domain, path))
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- files --------------------------------------------------------------------------------------- */

static int wrong_file(const struct reading *reading, const char *name, const char *what)
{
	error_set(reading->err, "%s/%.*s/%s: %s", reading->set->directory, SLICE_ARGS(reading->set->domain), name,
		  what);
	return -1;
}

/* Is it a secret of the owner of the directory? */
static const char *why_not(const struct reading *reading, const struct stat *file)
{
	if (!S_ISREG(file->st_mode))
		return "it is not a file";
	if (file->st_uid != reading->status.st_uid)
		return "it does not belong to the owner of its directory; chown it";
	if (file->st_mode & OTHERS_ACCESS)
		return "others can use it; chmod it 600";
	return file->st_size > FILE_MAX ? "it is too long" : NULL;
}

static int read_all(int fd, struct slice *text_r, struct arena *arena, size_t size)
{
	char *text = arena_raw(arena, size + 1);
	size_t n = 0;
	ssize_t got;

	while (n < size && (got = read(fd, text + n, size - n)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		n += (size_t)got;
	}
	text[n] = '\0';
	*text_r = (struct slice){text, n};
	return 0;
}

/* 0; 1: there is no such file; -1 and err. */
static int read_file(const struct reading *reading, const char *name, struct arena *arena, struct slice *text_r,
		     struct stat *status_r)
{
	int fd = openat(reading->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), result = -1;
	const char *why;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return wrong_file(reading, name, strerror(errno));
	why = fstat(fd, status_r) ? strerror(errno) : why_not(reading, status_r);
	if (why)
		wrong_file(reading, name, why);
	else if (read_all(fd, text_r, arena, (size_t)status_r->st_size))
		wrong_file(reading, name, strerror(errno));
	else
		result = 0;
	close(fd);
	return result;
}

static int read_key(const struct reading *reading, const char *name, struct slice selector)
{
	struct key_set *set = reading->set;
	struct managed_key key = {.selector = arena_copy(set->arena, selector)};
	struct arena *arena;
	struct slice text;
	struct stat status;
	struct error why;
	int result;

	if (set->count == KEYS_MAX)
		return wrong_file(reading, name, "there are too many keys; remove those that may go");
	arena = arena_new();
	result = read_file(reading, name, arena, &text, &status);
	if (result == 0) {
		key.private = dkim_private_read(text, &why);
		explicit_bzero((char *)text.p, text.n);
		if (!key.private)
			result = wrong_file(reading, name, why.text);
	}
	arena_free(arena);
	if (result)
		return result < 0 ? -1 : 0;
	key.algorithm = dkim_private_algorithm(key.private);
	key.made_s = status.st_mtim.tv_sec;
	set->keys[set->count++] = key;
	return 0;
}

/* What is not named as ours is not ours. */
static int read_entry(const struct reading *reading, const char *name)
{
	struct slice text = slice_of(name), suffix = SLICE(KEY_SUFFIX), selector;

	if (text.n <= suffix.n || !slice_equal(slice_from(text, text.n - suffix.n), suffix))
		return 0;
	selector = slice_head(text, text.n - suffix.n);
	return selector_valid(selector) ? read_key(reading, name, selector) : 0;
}

static int read_entries(const struct reading *reading)
{
	int copy = fcntl(reading->fd, F_DUPFD_CLOEXEC, 0), result = 0;
	DIR *entries = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!entries) {
		wrong_file(reading, "", strerror(errno));
		if (copy >= 0)
			close(copy);
		return -1;
	}
	while (result == 0 && (entry = readdir(entries)))
		result = read_entry(reading, entry->d_name);
	closedir(entries);
	return result;
}

static int read_state(const struct reading *reading)
{
	struct slice text;
	struct stat status;
	int result = read_file(reading, STATE_FILE, reading->set->arena, &text, &status);

	if (result)
		return result < 0 ? -1 : 0;
	return state_parse(reading->set, text, reading->err);
}

/* By age, then by name: the order never changes. */
static int compare_keys(const void *a, const void *b)
{
	const struct managed_key *first = a, *second = b;
	size_t n = first->selector.n < second->selector.n ? first->selector.n : second->selector.n;
	int order = (first->made_s > second->made_s) - (first->made_s < second->made_s);

	if (!order)
		order = memcmp(first->selector.p, second->selector.p, n);
	return order ? order : (first->selector.n > second->selector.n) - (first->selector.n < second->selector.n);
}

static int read_directory(struct reading *reading)
{
	struct key_set *set = reading->set;

	if (fstat(reading->fd, &reading->status))
		return wrong_file(reading, "", strerror(errno));
	if (geteuid() != 0 && reading->status.st_uid != geteuid())
		return wrong_file(reading, "", "the directory belongs to another user; chown it to that of the daemon");
	if (reading->status.st_mode & OTHERS_WRITE)
		return wrong_file(reading, "", "others can write to the directory; chmod it 700");
	set->changed_us = (int64_t)reading->status.st_mtim.tv_sec * 1000000 + reading->status.st_mtim.tv_nsec / 1000;
	if (read_entries(reading) || read_state(reading))
		return -1;
	qsort(set->keys, set->count, sizeof(*set->keys), compare_keys);
	return 0;
}

struct key_set *key_set_read(const char *directory, struct slice domain, struct error *err)
{
	struct key_set *set = xmalloc(sizeof(*set));
	struct reading reading = {.set = set, .err = err};
	int result;

	set->holders = 1;
	set->arena = arena_new();
	set->directory = arena_cstring(set->arena, slice_of(directory));
	set->domain = arena_copy(set->arena, domain);
	set->read_us = clock_wall_us();
	reading.fd = keys_open_directory(directory, domain);
	if (reading.fd < 0 && errno == ENOENT) {
		set->missing = true;
		return set;
	}
	result = reading.fd < 0 ? wrong_file(&reading, "", strerror(errno)) : read_directory(&reading);
	if (reading.fd >= 0)
		close(reading.fd);
	if (result == 0)
		return set;
	key_set_release(set);
	return NULL;
}
