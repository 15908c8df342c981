/*
 * door.c - the milter door: libmilter over a socket that the daemon has opened.
 *
 * What libmilter does by itself at SIGTERM resets every connection, open message or
 * not; therefore it gets no signals (sigwait.c). smfi_stop() is not called: it waits up to
 * five seconds for libmilter's own poll, in which nobody would be served, and does
 * nothing that the end of the process does not.
 */
#include "milter_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SILENCE_SECONDS 7210 /* an MTA may be silent that long in a session; libmilter's own default */

/* Never freed once libmilter has it: its threads look at it until the process ends. */
static void *milter_open(struct door_host *host, int fd, struct error *err)
{
	struct milter *milter = xmalloc(sizeof(*milter));
	char connection[16];

	milter->host = host;
	pthread_mutex_init(&milter->lock, NULL);
	pthread_cond_init(&milter->progressed, NULL);
	pthread_rwlock_init(&milter->gateway, NULL);
	snprintf(connection, sizeof(connection), "fd:%d", fd);
	if (smfi_setconn(connection) == MI_SUCCESS && smfi_settimeout(SILENCE_SECONDS) == MI_SUCCESS &&
	    smfi_setbacklog(DOOR_BACKLOG) == MI_SUCCESS && /* it calls listen(2) again */
	    callbacks_register(milter) == 0)
		return milter;
	error_set(err, "libmilter does not take the socket");
	return NULL;
}

static void *libmilter_run(void *context)
{
	struct milter *milter = context;

	smfi_main(); /* returns only when libmilter cannot go on */
	milter->host->failed(milter->host, "libmilter ended by itself; see the system log");
	return NULL;
}

static int milter_start(void *state, struct error *err)
{
	pthread_t thread;
	int result = pthread_create(&thread, NULL, libmilter_run, state);

	if (result == 0)
		return pthread_detach(thread);
	error_set(err, "cannot start a thread for libmilter: %s", strerror(result));
	return -1;
}

static void milter_progress(void *state)
{
	conns_progress(state);
}

/* The gateway stays closed for good: libmilter's threads live until the process ends. */
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
    .open = milter_open,
    .start = milter_start,
    .progress = milter_progress,
    .stop = milter_stop,
    .close = milter_close,
};
