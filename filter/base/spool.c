/*
 * spool.c - stores bytes for later outside of memory, in an unnamed file that vanishes with its last
 * descriptor, however the process ends. Bounded; the first error is kept, and all data after it is
 * dropped.
 */
#include "base.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define DIRECTORY "/var/tmp" /* always on disk (FHS 5.15); /tmp is often in memory */
#define CHUNK     (64 * 1024)

struct spool {
	struct arena *arena;
	int fd; /* -1: closed */
	size_t n, limit;
	int error; /* errno of the trouble */
	const char *trouble;
};

static void trouble(struct spool *spool, int error, const char *what)
{
	spool->error = error;
	spool->trouble = what;
}

void spool_close(struct spool *spool)
{
	if (!spool || spool->fd < 0)
		return;
	close(spool->fd);
	spool->fd = -1;
	trouble(spool, EBADF, "the stored body was already removed");
}

static void release(void *spool)
{
	spool_close(spool);
}

struct spool *spool_new(struct arena *arena)
{
	struct spool *spool = arena_alloc(arena, sizeof(*spool));

	spool->arena = arena;
	spool->limit = SPOOL_MAX;
	spool->fd = open(DIRECTORY, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (spool->fd < 0)
		spool->fd = memfd_create("sekisho", MFD_CLOEXEC);
	if (spool->fd < 0)
		trouble(spool, errno, "cannot create a file to store the body in");
	arena_own(arena, spool, release);
	return spool;
}

void spool_add(struct spool *spool, struct slice chunk)
{
	if (!spool->trouble && chunk.n > spool->limit - spool->n)
		trouble(spool, EFBIG,
			spool->limit == SPOOL_MAX ? "the body is larger than the limit of 32 MB"
						  : "the message is larger than the limit");
	while (!spool->trouble && chunk.n > 0) {
		ssize_t written = pwrite(spool->fd, chunk.p, chunk.n, (off_t)spool->n);

		if (written <= 0) {
			trouble(spool, written < 0 ? errno : ENOSPC,
				"the body cannot be stored: writing to " DIRECTORY " failed");
			return;
		}
		spool->n += (size_t)written;
		chunk = slice_from(chunk, (size_t)written);
	}
}

void spool_bound(struct spool *spool, size_t limit)
{
	spool->limit = limit;
}

int spool_errno(const struct spool *spool)
{
	return spool->error;
}

const char *spool_trouble(const struct spool *spool)
{
	return spool->trouble;
}

int spool_read(struct spool *spool, void (*take)(void *context, struct slice chunk), void *context)
{
	char *buffer = arena_raw(spool->arena, CHUNK);

	for (size_t at = 0; !spool->trouble && at < spool->n;) {
		ssize_t n = pread(spool->fd, buffer, CHUNK, (off_t)at);

		if (n <= 0) {
			trouble(spool, EIO, "the stored body cannot be read");
			break;
		}
		take(context, (struct slice){buffer, (size_t)n});
		at += (size_t)n;
	}
	return spool->trouble ? -1 : 0;
}

struct map {
	void *p;
	size_t n;
};

static void unmap(void *what)
{
	struct map *map = what;

	munmap(map->p, map->n);
}

int spool_map(struct spool *spool, struct slice *bytes_r)
{
	struct map *map;

	*bytes_r = SLICE("");
	if (spool->trouble)
		return -1;
	if (spool->n == 0)
		return 0;
	map = arena_alloc(spool->arena, sizeof(*map));
	map->n = spool->n;
	map->p = mmap(NULL, map->n, PROT_READ, MAP_SHARED, spool->fd, 0);
	if (map->p == MAP_FAILED) {
		trouble(spool, errno, "the stored body cannot be read");
		return -1;
	}
	arena_own(spool->arena, map, unmap);
	*bytes_r = (struct slice){map->p, map->n};
	return 0;
}
