/*
 * file.c - reading a whole file into memory, up to a limit.
 *
 * Also reads files without a known size: a pipe, standard input.
 */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_FIRST 4096

/* Reads to the end, but at most one byte more than `limit`; -1 and errno. */
static int read_all(int fd, size_t limit, char **p_r, size_t *n_r)
{
	size_t room = 0, n = 0;
	char *p = NULL;

	for (;;) {
		ssize_t got;

		if (n + 1 >= room) {
			room = room > 0 ? room * 2 : FILE_FIRST;
			room = room - 2 > limit ? limit + 2 : room;
			p = xrealloc(p, room);
		}
		got = read(fd, p + n, room - n - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(p);
			return -1;
		}
		n += (size_t)got;
		if (got == 0 || n > limit)
			break;
	}
	p[n] = '\0';
	*p_r = p;
	*n_r = n;
	return 0;
}

static int read_open(int fd, const char *name, size_t limit, struct slice *text_r, struct error *err)
{
	char *p;
	size_t n;

	if (read_all(fd, limit, &p, &n) < 0) {
		error_set(err, "cannot read %s: %s", name, strerror(errno));
		return -1;
	}
	if (n > limit) {
		error_set(err, "%s is larger than the limit of %zu bytes", name, limit);
		free(p);
		return -1;
	}
	*text_r = (struct slice){p, n};
	return 0;
}

static int read_and_close(int fd, const char *path, size_t limit, struct slice *text_r, struct error *err)
{
	int result = read_open(fd, path, limit, text_r, err);

	close(fd);
	return result;
}

static bool is_standard_input(const char *path)
{
	return strcmp(path, "-") == 0;
}

int file_read(const char *path, size_t limit, struct slice *text_r, struct error *err)
{
	int fd;

	if (is_standard_input(path))
		return read_open(STDIN_FILENO, "standard input", limit, text_r, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return read_and_close(fd, path, limit, text_r, err);
	error_set(err, "cannot open %s: %s", path, strerror(errno));
	return -1;
}

/* Opens without blocking: a named pipe would block until there is a writer. */
static int open_plain(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0) {
		error_set(err, "cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	error_set(err, "%s is %s, not a plain file", path,
		  S_ISDIR(status.st_mode)    ? "a directory"
		  : S_ISFIFO(status.st_mode) ? "a named pipe"
					     : "a device");
	close(fd);
	return -1;
}

int file_read_plain(const char *path, size_t limit, struct slice *text_r, struct error *err)
{
	int fd;

	if (is_standard_input(path))
		return file_read(path, limit, text_r, err);
	fd = open_plain(path, err);
	return fd < 0 ? -1 : read_and_close(fd, path, limit, text_r, err);
}
