/*
 * file.c - a list in a file (`file:/path`): read at the start and again when it changes.
 *
 * The content is immutable and counted. A lookup takes a reference to it
 * and works without a lock; new content can replace it meanwhile.
 */
#include "backend.h"
#include "list_content.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	char *path;
	enum list_kind kind;
	pthread_rwlock_t lock;        /* of content */
	struct list_content *content; /* NULL: never read */
	struct stat seen;             /* of the file when it was tried last */
};

/* ---- the content --------------------------------------------------------------- */

static struct list_content *content_take(struct file *file)
{
	struct list_content *content;

	pthread_rwlock_rdlock(&file->lock);
	content = list_content_hold(file->content);
	pthread_rwlock_unlock(&file->lock);
	return content;
}

static void content_put(struct file *file, struct list_content *content)
{
	struct list_content *old;

	pthread_rwlock_wrlock(&file->lock);
	old = file->content;
	file->content = content;
	pthread_rwlock_unlock(&file->lock);
	list_content_release(old);
}

static void *file_open(const struct list_setting *setting, struct slice where, void *before)
{
	struct file *file = xmalloc(sizeof(*file));

	file->path = xmalloc(where.n + 1);
	memcpy(file->path, where.p, where.n);
	file->kind = setting->owners ? LIST_OWNERS : setting->canonical ? LIST_CANONICAL : LIST_ENTRIES;
	file->content = before ? content_take(before) : NULL;
	pthread_rwlock_init(&file->lock, NULL);
	return file;
}

static void file_close(void *state)
{
	struct file *file = state;

	list_content_release(file->content);
	pthread_rwlock_destroy(&file->lock);
	free(file->path);
	free(file);
}

/* ---- the file ------------------------------------------------------------------ */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int look(const char *path, struct stat *seen_r, struct error *err)
{
	if (stat(path, seen_r)) {
		error_set(err, "%s: %s; create the file, or let the user of sekisho read it", path, strerror(errno));
		*seen_r = (struct stat){0};
		return -1;
	}
	if (S_ISREG(seen_r->st_mode))
		return 0;
	error_set(err, "%s is not a regular file; name a file with one entry per line", path);
	return -1;
}

/* Is the last byte a line end? A file that cannot be opened is reported when it is read. */
static bool ends_a_line(const char *path, off_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char last = '\n';

	if (fd < 0)
		return true;
	if (pread(fd, &last, 1, size - 1) != 1)
		last = '\n';
	close(fd);
	return last == '\n';
}

/* Is the file being rewritten in place? It changed a moment ago and is empty, or ends in the middle of a line. */
static bool is_being_written(const struct file *file, const struct stat *now)
{
	int64_t changed = (int64_t)now->st_mtim.tv_sec * 1000000 + now->st_mtim.tv_nsec / 1000;

	if (!file->content || clock_wall_us() - changed >= LIST_SETTLE_US)
		return false;
	return now->st_size == 0 || !ends_a_line(file->path, now->st_size);
}

/* Reads the file that look() has seen; if it was written meanwhile, it is not used. */
static struct list_content *read_content(const struct file *file, struct list_faults *faults, struct error *err)
{
	struct list_content *content;
	struct slice text;
	struct stat after;

	if (file_read_plain(file->path, LIST_BYTES_MAX, &text, err))
		return NULL;
	content = list_content_parse(text, file->path, file->kind, faults);
	free((char *)text.p);
	if (!content || (look(file->path, &after, err) == 0 && same_file(&file->seen, &after)))
		return content;
	error_set(err, "%s changed while it was read; write a new file and rename it", file->path);
	list_content_release(content);
	return NULL;
}

static int read_anew(struct file *file, struct list_faults *faults)
{
	struct list_content *content = NULL;
	struct error err;

	if (look(file->path, &file->seen, &err) == 0)
		content = read_content(file, faults, &err);
	if (content) {
		content_put(file, content);
		return 1;
	}
	if (faults->count == 0)
		list_fault(faults, "%s", err.text);
	return -1;
}

/* Has the file changed since it was tried? One that cannot be examined counts as changed. */
static bool is_changed(const struct file *file)
{
	struct error ignored;
	struct stat now;

	if (look(file->path, &now, &ignored))
		return true;
	return !same_file(&now, &file->seen) && !is_being_written(file, &now);
}

static int file_refresh(void *state, struct list_faults *faults)
{
	struct file *file = state;

	return is_changed(file) ? read_anew(file, faults) : 0;
}

static uint64_t file_entries(void *state)
{
	struct list_content *content = content_take(state);
	uint64_t count = content ? list_content_entries(content) : 0;

	list_content_release(content);
	return count;
}

/* ---- looking up ---------------------------------------------------------------- */

static enum truth file_has(void *state, struct store *store, const struct list_key *key)
{
	struct list_content *content = content_take(state);
	bool found;

	(void)store;
	if (!content)
		return TRUTH_UNKNOWN;
	found = list_content_has(content, key);
	list_content_release(content);
	return found ? TRUTH_TRUE : TRUTH_FALSE;
}

static enum truth file_owns(void *state, struct slice login, const struct address *address)
{
	struct list_content *content = content_take(state);
	bool found;

	if (!content)
		return TRUTH_UNKNOWN;
	found = list_content_owns(content, login, address);
	list_content_release(content);
	return found ? TRUTH_TRUE : TRUTH_FALSE;
}

static enum truth file_value(void *state, struct slice login, struct arena *arena, struct slice *value_r)
{
	struct list_content *content = content_take(state);
	bool found;

	if (!content)
		return TRUTH_UNKNOWN;
	found = list_content_value(content, login, value_r);
	if (found)
		*value_r = arena_copy(arena, *value_r);
	list_content_release(content);
	return found ? TRUTH_TRUE : TRUTH_FALSE;
}

const struct list_backend list_file = {
    .name = "file",
    .unknown = "its file could not be read",
    .open = file_open,
    .has = file_has,
    .owns = file_owns,
    .value = file_value,
    .refresh = file_refresh,
    .entries = file_entries,
    .close = file_close,
};
