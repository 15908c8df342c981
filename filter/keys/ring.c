/*
 * ring.c - the keys of a domain for those who sign: who asks gets a set that does not change, and holds it.
 */
#include "keys_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_TIME_US 2000000 /* how exact the times of directories are, on the coarsest file system */

struct key_ring {
	_Atomic unsigned holders;
	pthread_mutex_t lock; /* of the pointer */
	struct key_set *set;
	int64_t due_s;
};

struct key_ring *key_ring_open(const char *directory, struct slice domain, struct error *err)
{
	struct key_set *set = key_set_read(directory, domain, err);
	struct key_ring *ring;

	if (!set)
		return NULL;
	ring = xmalloc(sizeof(*ring));
	ring->holders = 1;
	pthread_mutex_init(&ring->lock, NULL);
	ring->set = set;
	return ring;
}

struct key_ring *key_ring_hold(struct key_ring *ring)
{
	ring->holders++;
	return ring;
}

void key_ring_release(void *held)
{
	struct key_ring *ring = held;

	if (!ring || --ring->holders > 0)
		return;
	key_set_release(ring->set);
	pthread_mutex_destroy(&ring->lock);
	free(ring);
}

struct key_set *key_ring_set(struct key_ring *ring)
{
	struct key_set *set;

	pthread_mutex_lock(&ring->lock);
	set = ring->set;
	set->holders++;
	pthread_mutex_unlock(&ring->lock);
	return set;
}

void key_ring_change(struct key_ring *ring, struct key_set *set)
{
	struct key_set *old;

	pthread_mutex_lock(&ring->lock);
	old = ring->set;
	ring->set = set;
	pthread_mutex_unlock(&ring->lock);
	key_set_release(old);
}

bool key_ring_is_of(const struct key_ring *ring, const char *directory)
{
	return strcmp(ring->set->directory, directory) == 0; /* the same in every set of the ring */
}

int64_t *key_ring_due(struct key_ring *ring)
{
	return &ring->due_s;
}

/* What was read just after a change may have been changed once more at the same time. */
static bool has_changed(const struct key_set *set)
{
	int fd = keys_open_directory(set->directory, set->domain);
	struct stat status;
	bool changed = true;

	if (fd < 0)
		return !set->missing;
	if (fstat(fd, &status) == 0)
		changed = set->missing || set->read_us - set->changed_us < FILE_TIME_US ||
			  set->changed_us != (int64_t)status.st_mtim.tv_sec * 1000000 + status.st_mtim.tv_nsec / 1000;
	close(fd);
	return changed;
}

int key_ring_refresh(struct key_ring *ring, struct error *err)
{
	struct key_set *set = key_ring_set(ring), *now = NULL;
	bool changed = has_changed(set);

	if (changed)
		now = key_set_read(set->directory, set->domain, err);
	key_set_release(set);
	if (!changed)
		return 0;
	if (!now)
		return -1;
	key_ring_change(ring, now);
	return 1;
}
