/*
 * list.c - the file of a list: read at the start, read anew when it changes.
 *
 * Contract: list.h. Whoever looks something up takes a share of the content and asks
 * without a lock; a new content takes its place meanwhile.
 */
#include "list.h"
#include "list_content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct list *list_new(struct slice name, const char *path, bool owners, bool skip)
{
	struct list *list = xmalloc(sizeof(*list));

	list->name = xmalloc(name.n + 1);
	memcpy(list->name, name.p, name.n);
	list->path = xstrdup(path);
	list->owners = owners;
	list->skip = skip;
	pthread_rwlock_init(&list->lock, NULL);
	return list;
}

void list_free(struct list *list)
{
	if (!list)
		return;
	list_content_release(list->content);
	pthread_rwlock_destroy(&list->lock);
	free(list->name);
	free(list->path);
	free(list);
}

static struct list_content *content_take(struct list *list)
{
	struct list_content *content;

	pthread_rwlock_rdlock(&list->lock);
	content = list_content_hold(list->content);
	pthread_rwlock_unlock(&list->lock);
	return content;
}

static void content_put(struct list *list, struct list_content *content)
{
	struct list_content *old;

	pthread_rwlock_wrlock(&list->lock);
	old = list->content;
	list->content = content;
	pthread_rwlock_unlock(&list->lock);
	list_content_release(old);
}

/* ---- the file --------------------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int look(const char *path, struct stat *seen_r, struct error *err)
{
	if (stat(path, seen_r)) {
		error_set(err, "%s: %s; create the file, or let us read it", path, strerror(errno));
		*seen_r = (struct stat){0};
		return -1;
	}
	if (S_ISREG(seen_r->st_mode))
		return 0;
	error_set(err, "%s is no plain file; name a file with one entry per line", path);
	return -1;
}

/* The last byte ends a line. A file that cannot be opened will be complained of when it is read. */
static bool ends_a_line(const char *path, off_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char last = '\n';

	if (fd < 0)
		return true;
	if (pread(fd, &last, 1, size - 1) != 1)
		last = '\n';
	close(fd);
	return last == '\n';
}

/* Somebody writes a new content in place of the one we have: a moment ago the file was opened and has nothing in it,
 * or breaks off in the middle of a line. */
static bool is_being_written(const struct list *list, const struct stat *now)
{
	int64_t changed = (int64_t)now->st_mtim.tv_sec * 1000000 + now->st_mtim.tv_nsec / 1000;

	if (!list->content || clock_wall_us() - changed >= LIST_SETTLE_US)
		return false;
	return now->st_size == 0 || !ends_a_line(list->path, now->st_size);
}

/* Reads the file that look() has seen; what was written meanwhile is no list. */
static struct list_content *read_content(const struct list *list, const struct stat *seen, struct error *err)
{
	struct list_content *content;
	struct slice text;
	struct stat after;

	if (file_read(list->path, LIST_BYTES_MAX, &text, err))
		return NULL;
	content = list_content_parse(text, list->path, list->owners, err);
	free((char *)text.p);
	if (!content || (look(list->path, &after, err) == 0 && same_file(seen, &after)))
		return content;
	error_set(err, "%s changed while it was read; write a new file and rename it", list->path);
	list_content_release(content);
	return NULL;
}

static int read_anew(struct list *list, struct error *err)
{
	struct list_content *content = NULL;

	if (look(list->path, &list->seen, err) == 0)
		content = read_content(list, &list->seen, err);
	if (!content)
		return -1;
	content_put(list, content);
	return 0;
}

int list_load(struct list *list, struct list *old, struct error *err)
{
	struct stat now;

	if (old && old->owners == list->owners)
		content_put(list, content_take(old));
	if (look(list->path, &now, err) == 0 && is_being_written(list, &now))
		return 0; /* list_refresh() comes back to it */
	if (read_anew(list, err) == 0)
		return 0;
	list->failing = true;
	list->failure = *err;
	list->reported_at = clock_us();
	return -1;
}

/* Has the file changed since it was tried? One that cannot be seen at all counts as changed when it could before. */
static bool is_changed(const struct list *list)
{
	struct error ignored;
	struct stat now;

	if (look(list->path, &now, &ignored))
		return true;
	return !same_file(&now, &list->seen) && !is_being_written(list, &now);
}

int list_refresh(struct list *list)
{
	struct error err;
	int result = 0;

	if (is_changed(list)) {
		result = read_anew(list, &err) ? -1 : 1;
		list->failing = result < 0;
		if (list->failing)
			list->failure = err;
	} else if (list->failing) {
		result = -1;
	}
	return result;
}

const char *list_report(struct list *list, int64_t now_us)
{
	if (!list->failing || (list->reported_at && now_us - list->reported_at < LIST_REPORT_US))
		return NULL;
	list->reported_at = now_us;
	return list->failure.text;
}

/* ---- looking up --------------------------------------------------------------------- */

enum truth list_has(struct list *list, const struct value *value)
{
	struct list_content *content = content_take(list);
	bool found;

	if (!content)
		return TRUTH_UNKNOWN;
	found = list_content_has(content, value);
	list_content_release(content);
	return found ? TRUTH_TRUE : TRUTH_FALSE;
}

enum truth list_owns(struct list *list, struct slice login, const struct address *address)
{
	struct list_content *content = content_take(list);
	bool found;

	if (!content)
		return TRUTH_UNKNOWN;
	found = list_content_owns(content, login, address);
	list_content_release(content);
	return found ? TRUTH_TRUE : TRUTH_FALSE;
}
