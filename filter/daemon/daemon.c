/*
 * daemon.c - the daemon from its start to its end: threads, limits, and the
 * shutdown. The start itself is in start.c.
 *
 * Signals: SIGTERM and SIGINT drain; a second one ends at once. SIGUSR1 and SIGHUP reload, which reopens the log file.
 */
#include "config.h"
#include "daemon_private.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define STACK_BYTES     (1024 * 1024) /* of a thread; only address space: the engine uses under 64 KB of it */
#define DESCRIPTORS_MAX 65536         /* one for each session; the poll set of a door costs more with their number */
#define END_US          (1000 * 1000) /* for everything that still runs at the end */

/* glibc gives eight heaps to each processor, and each keeps what its threads once needed. As many threads work at the
 * same time as there are processors. */
static void heaps_bound(void)
{
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, get_nprocs());
#endif
}

/* A door may start a thread for each session that waits, with the default stack of the process: 8 MB of address
 * space each would be its limit. */
static void limits_set(void)
{
	struct rlimit files;
	pthread_attr_t attr;

	heaps_bound();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= DESCRIPTORS_MAX)
		return;
	files.rlim_cur = files.rlim_max < DESCRIPTORS_MAX ? files.rlim_max : DESCRIPTORS_MAX;
	setrlimit(RLIMIT_NOFILE, &files);
}

/* ---- doors --------------------------------------------------------------------------------- */

static int entrances_open(struct daemon *daemon, struct error *err)
{
	for (size_t i = 0; i < daemon->entrance_count; i++) {
		struct entrance *entrance = &daemon->entrances[i];

		entrance->state = entrance->door->open(&daemon->host, entrance->listener.socket.fd, err);
		if (!entrance->state)
			return -1;
	}
	return 0;
}

static void entrances_start(struct daemon *daemon)
{
	struct error err;

	for (size_t i = 0; i < daemon->entrance_count; i++)
		if (daemon->entrances[i].door->start(daemon->entrances[i].state, &err) != 0)
			daemon->host.failed(&daemon->host, err.text);
}

/* From now on no session calls the engine. False when a call did not return in time. */
static bool entrances_stop(struct daemon *daemon, int64_t until)
{
	bool stopped = true;

	for (size_t i = 0; i < daemon->entrance_count; i++)
		if (daemon->entrances[i].state)
			stopped &= daemon->entrances[i].door->stop(daemon->entrances[i].state, until);
	return stopped;
}

static void entrances_close(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->entrance_count; i++)
		if (daemon->entrances[i].state)
			daemon->entrances[i].door->close(daemon->entrances[i].state);
	parked_free(daemon->host.parked);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void sockets_remove(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->entrance_count; i++)
		unix_remove(&daemon->entrances[i].listener.socket);
	unix_remove(&daemon->control);
	unix_remove(&daemon->web_listener.socket);
}

static void daemon_release(struct daemon *daemon)
{
	daemon_web_close(daemon);
	takeover_free(daemon);
	engine_release(daemon->engine);
	policy_release(daemon->startup_policy);
	daemon_mailer_close(daemon, clock_us() + END_US);
	daemon_reports_close(daemon);
	daemon_store_close(daemon);
	report_close(daemon->host.report);
	history_close(daemon->history);
	meters_free(daemon->counters.meters);
	senders_free(daemon->counters.refused);
}

/* `quiet`: neither the keeper nor the tender nor the control thread runs any more. Returns the exit code, or ends the
 * process. */
static int daemon_end(struct daemon *daemon, bool quiet, int64_t until, int code)
{
	bool stopped;

	if (!daemon->handed_over)
		notify_say("STOPPING=1\nSTATUS=Ending");
	sockets_remove(daemon);
	report_line(daemon->host.report, "info", "ended; %u messages were still open",
		    (unsigned)daemon->host.messages_open);
	stopped = entrances_stop(daemon, until);
	if (stopped)
		entrances_close(daemon);
	if (stopped && quiet) {
		daemon_release(daemon);
		return code;
	}
	if (daemon->store)
		store_flush(daemon->store, clock_us() + END_US);
	report_close(daemon->host.report);
	history_close(daemon->history);
	_exit(code); /* a thread is in the engine or reads a file: nothing it uses can be freed */
}

/* A daemon that did not start; no thread has seen it. */
static int daemon_give_up(struct daemon *daemon, int code)
{
	sockets_remove(daemon);
	daemon_release(daemon);
	free(daemon);
	return code;
}

/* ---- running ------------------------------------------------------------------------------------- */

static void daemon_say_started(struct daemon *daemon)
{
	struct arena *arena = arena_new();
	struct text sockets;

	text_init(&sockets, arena, LISTEN_MAX * (UNIX_PATH_MAX + 256));
	for (size_t i = 0; i < daemon->entrance_count; i++)
		text_printf(&sockets, "%s%.*s", i ? " and " : "", SLICE_ARGS(daemon->entrances[i].text));
	report_line(daemon->host.report, "info", "sekisho %s started, policy %s, listening on %.*s", PACKAGE_VERSION,
		    daemon->config_file, SLICE_ARGS(text_slice(&sockets)));
	arena_free(arena);
	if (geteuid() == 0)
		report_line(daemon->host.report, "warning", "running as root; set `user` in %s", daemon->config_file);
}

/* 0 when the keeper runs and the doors are ready. */
static int daemon_prepare(struct daemon *daemon, pthread_t *keeper_r, struct key_watch **watch_r)
{
	struct error err;
	int result;

	if (entrances_open(daemon, &err) != 0)
		return start_failed(EXIT_UNAVAILABLE, &err);
	*watch_r = key_watch_start(daemon, &err);
	if (!*watch_r)
		return start_failed(EXIT_UNAVAILABLE, &err);
	result = pthread_create(keeper_r, NULL, keeper_run, daemon);
	if (result == 0)
		return 0;
	error_set(&err, "cannot start a thread: %s", strerror(result));
	return start_failed(EXIT_UNAVAILABLE, &err);
}

/* The control thread and the keeper may hang (for example in a file system), the tender and the watch of keys wait for
 * the DNS: we wait for them no longer than this. True when all have ended. */
static bool threads_end(struct daemon *daemon, struct control *control, struct tender *tender, struct key_watch *watch,
			pthread_t keeper, int64_t until)
{
	bool stopped = control_stop(control, until);

	daemon_post(daemon, EVENT_END);
	stopped &= thread_join_until(keeper, until);
	stopped &= tender_stop(tender, until);
	stopped &= report_thread_stop(daemon->report_thread, until);
	return key_watch_stop(watch, until) && stopped;
}

static int daemon_serve(struct daemon *daemon)
{
	struct key_watch *watch = NULL;
	struct control *control = NULL;
	struct tender *tender;
	struct error err;
	pthread_t keeper;
	int code = daemon_prepare(daemon, &keeper, &watch);
	int64_t until;
	bool quiet;

	if (code != 0)
		return daemon_end(daemon, key_watch_stop(watch, clock_us() + END_US), clock_us() + END_US, code);
	daemon_say_started(daemon);
	tender = tender_start(daemon, &err);
	if (tender)
		daemon->report_thread = report_thread_start(daemon, &err);
	if (!daemon->report_thread)
		daemon->host.failed(&daemon->host, err.text);
	entrances_start(daemon);
	takeover_finish(daemon); /* before the control socket, which it asks over, is ours */
	if (daemon->control.fd >= 0)
		control = control_start(daemon);
	if (!daemon->failed)
		notify_say("READY=1\nSTATUS=Serving");
	daemon_web_start(daemon);
	daemon_wait(daemon);
	until = clock_us() + END_US;
	quiet = threads_end(daemon, control, tender, watch, keeper, until);
	quiet &= daemon_web_stop(daemon, until);
	return daemon_end(daemon, quiet, until, daemon->failed ? EXIT_UNAVAILABLE : EXIT_SUCCESS);
}

int daemon_run(const char *config_file, const struct door *const *doors, bool takes_over)
{
	/* never freed once a door is open: a door's threads may look at its host until the process ends */
	struct daemon *daemon = xmalloc(sizeof(*daemon));
	int code;

	daemon_init(daemon, config_file);
	daemon->doors = doors;
	daemon->takes_over = takes_over;
	signals_block();
	limits_set();
	code = daemon_start(daemon);
	if (code != 0)
		return daemon_give_up(daemon, code);
	if (!daemon->counters.meters)
		daemon->counters.meters = meters_new();
	daemon->counters.refused = senders_new();
	return daemon_serve(daemon);
}
