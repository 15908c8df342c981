/*
 * door.c - the door that speaks the milter protocol by itself: opened, started and stopped by the daemon.
 */
#include "native_private.h"
#include <stdlib.h>
#include <sys/epoll.h>

static void *native_open(struct door_host *host, int fd, struct error *err)
{
	struct native *native = xmalloc(sizeof(*native));

	native->host = host;
	native->listener = native->number = fd;
	if (loop_open(native, err) == 0)
		return native;
	free(native);
	return NULL;
}

static int native_start(void *state, struct error *err)
{
	struct native *native = state;

	if (crew_start(&native->crew, loop_turn, native, err) != 0)
		return -1;
	return loop_accept(native, err);
}

static void native_drain(void *state)
{
	loop_drain(state);
}

static void native_progress(void *state)
{
	struct native *native = state;

	crew_progress(&native->crew);
	crew_relieve(&native->crew);
	loop_sweep(native);
}

static bool native_stop(void *state, int64_t until_us)
{
	struct native *native = state;

	loop_stop(native);
	return crew_stop(&native->crew, until_us);
}

static void native_close(void *state)
{
	loop_close(state);
}

const struct door native_door = {
    .name = "milter",
    .engine = "native",
    .open = native_open,
    .start = native_start,
    .drain = native_drain,
    .progress = native_progress,
    .stop = native_stop,
    .close = native_close,
};
