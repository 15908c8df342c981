/*
 * state.c - what the threads of the daemon share: the engine for new
 * sessions, the events for the keeper, and the signal to end.
 */
#include "daemon_private.h"
#include <time.h>

struct engine *daemon_engine(struct daemon *daemon)
{
	struct engine *engine;

	pthread_mutex_lock(&daemon->lock);
	engine = engine_hold(daemon->engine);
	pthread_mutex_unlock(&daemon->lock);
	return engine;
}

void daemon_engine_set(struct daemon *daemon, struct engine *engine)
{
	struct engine *old;

	pthread_mutex_lock(&daemon->lock);
	old = daemon->engine;
	daemon->engine = engine;
	pthread_mutex_unlock(&daemon->lock);
	engine_release(old);
}

void daemon_post(struct daemon *daemon, unsigned events)
{
	pthread_mutex_lock(&daemon->lock);
	daemon->events |= events;
	pthread_cond_signal(&daemon->wake);
	pthread_mutex_unlock(&daemon->lock);
}

unsigned daemon_events(struct daemon *daemon, int64_t for_us)
{
	int64_t until = clock_us() + for_us;
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
	unsigned events;
	int result = 0;

	pthread_mutex_lock(&daemon->lock);
	while (!daemon->events && result == 0)
		result = pthread_cond_timedwait(&daemon->wake, &daemon->lock, &at);
	events = daemon->events;
	daemon->events = 0;
	pthread_mutex_unlock(&daemon->lock);
	return events;
}

void daemon_finish(struct daemon *daemon)
{
	daemon->finished = true;
	pthread_kill(daemon->main_thread, SIGTERM);
}

bool thread_join_until(pthread_t thread, int64_t until_us)
{
	int64_t until = clock_wall_us() + until_us - clock_us();
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};

	if (pthread_timedjoin_np(thread, NULL, &at) == 0)
		return true;
	pthread_detach(thread);
	return false;
}

/* ---- for the doors --------------------------------------------------------------- */

static struct engine *host_engine(struct door_host *host)
{
	return daemon_engine((struct daemon *)host);
}

static bool host_admits(struct door_host *host, int listener, int fd)
{
	return daemon_admits((struct daemon *)host, listener, fd);
}

static void host_failed(struct door_host *host, const char *why)
{
	struct daemon *daemon = (struct daemon *)host;

	report_line(host->report, "error", "%s", why);
	daemon->failed = true;
	daemon_finish(daemon);
}

/* ---- the beginning ---------------------------------------------------------------- */

void daemon_init(struct daemon *daemon, const char *config_file)
{
	pthread_condattr_t monotonic;

	memset(daemon, 0, sizeof(*daemon));
	daemon->host.engine = host_engine;
	daemon->host.failed = host_failed;
	daemon->host.admits = host_admits;
	daemon->host.parked = parked_new();
	daemon->config_file = config_file;
	daemon->started_us = clock_us();
	daemon->control.fd = -1;
	daemon->web_listener.socket.fd = -1;
	daemon->main_thread = pthread_self();
	pthread_mutex_init(&daemon->lock, NULL);
	pthread_mutex_init(&daemon->reloading, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&daemon->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
}
