/*
 * door.c - the milter door: libmilter over a socket that the daemon has opened.
 *
 * At SIGTERM libmilter would reset every connection, even with an open
 * message; therefore it gets no signals (sigwait.c). smfi_stop() is not called: it waits up to
 * five seconds for the poll of libmilter, during which nobody is served, and does
 * nothing that the end of the process does not do.
 */
#include "milter_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SILENCE_SECONDS 7210 /* how long an MTA may be silent in a session; the default of libmilter */

/* Never freed once libmilter has it: its threads use it until the process ends. */
static void *milter_open(struct door_host *host, int fd, struct error *err)
{
	struct milter *milter = xmalloc(sizeof(*milter));
	char connection[16];

	milter->host = host;
	pthread_mutex_init(&milter->lock, NULL);
	pthread_cond_init(&milter->progressed, NULL);
	pthread_rwlock_init(&milter->gateway, NULL);
	pthread_mutex_init(&milter->waits_lock, NULL);
	pthread_cond_init(&milter->waits_begin, NULL);
	milter->listener = fd;
	snprintf(connection, sizeof(connection), "fd:%d", fd);
	if (smfi_setconn(connection) == MI_SUCCESS && smfi_settimeout(SILENCE_SECONDS) == MI_SUCCESS &&
	    smfi_setbacklog(DOOR_BACKLOG) == MI_SUCCESS && /* it calls listen(2) again */
	    callbacks_register(milter) == 0)
		return milter;
	error_set(err, "libmilter does not accept the socket");
	return NULL;
}

static void *libmilter_run(void *context)
{
	struct milter *milter = context;

	smfi_main(); /* returns only when libmilter cannot go on */
	milter->host->failed(milter->host, "libmilter stopped unexpectedly; see the system log");
	return NULL;
}

static int milter_start(void *state, struct error *err)
{
	pthread_t thread;
	int result;

	if (spare_start(state, err) < 0)
		return -1;
	result = pthread_create(&thread, NULL, libmilter_run, state);
	if (result == 0)
		return pthread_detach(thread);
	error_set(err, "cannot start a thread for libmilter: %s", strerror(result));
	return -1;
}

static void milter_progress(void *state)
{
	conns_progress(state);
}

/* The gateway stays closed: libmilter's threads live until the process ends. */
static bool milter_stop(void *state, int64_t until_us)
{
	struct milter *milter = state;
	int64_t until = clock_wall_us() + until_us - clock_us();
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};

	return pthread_rwlock_timedwrlock(&milter->gateway, &at) == 0;
}

static void milter_close(void *state)
{
	conns_free(state);
}

const struct door milter_door = {
    .name = "milter",
    .engine = "libmilter",
    .open = milter_open,
    .start = milter_start,
    .progress = milter_progress,
    .stop = milter_stop,
    .close = milter_close,
};
