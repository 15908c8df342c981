/*
 * file.c - reading a whole file into memory, up to a limit.
 *
 * Also reads what has no size to ask for: a pipe, standard input.
 */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_FIRST 4096

/* Reads until the end, or one byte more than `limit`; -1 and errno. */
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

int file_read(const char *path, size_t limit, struct slice *text_r, struct error *err)
{
	bool standard_input = strcmp(path, "-") == 0;
	int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	const char *name = standard_input ? "standard input" : path;
	char *p;
	size_t n;
	int result, why;

	if (fd < 0) {
		error_set(err, "cannot open %s: %s", name, strerror(errno));
		return -1;
	}
	result = read_all(fd, limit, &p, &n);
	why = errno;
	if (!standard_input)
		close(fd);
	if (result < 0) {
		error_set(err, "cannot read %s: %s", name, strerror(why));
		return -1;
	}
	if (n > limit) {
		error_set(err, "%s is larger than %zu bytes, the most that is read of it", name, limit);
		free(p);
		return -1;
	}
	*text_r = (struct slice){p, n};
	return 0;
}
