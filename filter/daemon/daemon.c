/*
 * daemon.c - the daemon from its start to its end.
 *
 * The order of the start: read the file; find user and group; bind, as root if we
 * are root; become the user, and read the file again, as whoever will reload it
 * later; open log and resolver; start the threads. What goes wrong before the
 * threads run is one line (or the errors of the policy file) on stderr, and the exit code.
 *
 * Signals: SIGTERM and SIGINT drain, a second one ends at once. SIGUSR1 reloads.
 * SIGHUP reloads and opens the log file anew.
 */
#include "config.h"
#include "../doors/milter/milter_private.h"
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES     (1024 * 1024) /* of a thread, address space only: callbacks use under 64 KB of it */
#define DESCRIPTORS_MAX 65536         /* one for each session; libmilter's poll set costs with their number */
#define MILTER_SECONDS  7210          /* an MTA may be silent that long in a session; libmilter's own default */
#define END_US          (1000 * 1000) /* for callbacks that still run when the end has come */
#define MODE_DEFAULT    0660          /* of a unix socket without `mode`: never open for everybody */

/* ---- errors of the start ---------------------------------------------------------------- */

static int start_failed(int code, const struct error *err)
{
	fprintf(stderr, "sekisho: %s\n", err->text);
	return code;
}

/* Errors and warnings of the file; NULL when there are errors. */
static struct policy *policy_read(const char *file, bool quiet)
{
	struct diagnostics *found = diagnostics_new();
	struct policy *policy = policy_load(file, NULL, found);
	char *text = diagnostics_print(found);

	if (!policy || !quiet)
		fputs(text, stderr);
	free(text);
	diagnostics_free(found);
	return policy;
}

/* ---- sockets and privileges ---------------------------------------------------------------- */

/* An error of a setting, with its place in the file. */
static int start_failed_at(struct position where, const struct error *err)
{
	struct error placed;

	error_set(&placed, "%s:%u: %s", where.file ? where.file : "", where.line, err->text);
	return start_failed(EXIT_CONFIG, where.line ? &placed : err);
}

static int start_listen(struct daemon *daemon, const struct settings *settings, const struct identity *identity)
{
	const struct listen_setting *listen = &settings->listen;
	struct listen_address address;
	gid_t gid = (gid_t)-1;
	struct error err;

	if (listen_parse(listen->address, &address, &err) != 0)
		return start_failed_at(listen->where, &err);
	if (listen->group.n > 0 && group_find(listen->group, &gid, &err) != 0)
		return start_failed_at(listen->where, &err);
	if (listener_open(&address, listen->mode < 0 ? MODE_DEFAULT : (mode_t)listen->mode,
			  identity->change ? identity->uid : (uid_t)-1, gid, &daemon->listener, &err) != 0)
		return start_failed(EXIT_UNAVAILABLE, &err);
	return 0;
}

/* The directory of the control socket, and those above it, as far as they are missing and we may make them. The
 * last one is the user's. */
static void control_directory(const char *path, const struct identity *identity)
{
	char *copy = xstrdup(path), *directory = dirname(copy);
	bool made;

	for (char *end = strchr(directory + 1, '/'); end; end = strchr(end + 1, '/')) {
		*end = '\0';
		mkdir(directory, 0755);
		*end = '/';
	}
	made = mkdir(directory, 0755) == 0;
	if (made && identity->change && lchown(directory, identity->uid, identity->gid) != 0)
		rmdir(directory); /* binding says that it is missing */
	free(copy);
}

static int start_control(struct daemon *daemon, const struct settings *settings, const struct identity *identity)
{
	char path[UNIX_PATH_MAX];
	struct error err;

	daemon->control.fd = -1;
	if (settings->control.n == 0)
		return 0;
	if (settings->control.n >= sizeof(path)) {
		error_set(&err, "control %.*s: a socket path has at most %zu bytes", SLICE_ARGS(settings->control),
			  sizeof(path) - 1);
		return start_failed(EXIT_CONFIG, &err);
	}
	memcpy(path, settings->control.p, settings->control.n);
	path[settings->control.n] = '\0';
	control_directory(path, identity);
	if (unix_listen(path, 0600, identity->change ? identity->uid : (uid_t)-1, (gid_t)-1, &daemon->control, &err) !=
	    0)
		return start_failed(EXIT_UNAVAILABLE, &err);
	return 0;
}

static int start_sockets(struct daemon *daemon, const struct settings *settings, struct identity *identity_r)
{
	struct error err;
	int code;

	if (identity_find(settings->user, settings->group, identity_r, &err) != 0)
		return start_failed(EXIT_CONFIG, &err);
	code = start_listen(daemon, settings, identity_r);
	if (code == 0)
		code = start_control(daemon, settings, identity_r);
	if (code == 0 && identity_take(identity_r, &err) != 0)
		code = start_failed(EXIT_UNAVAILABLE, &err);
	return code;
}

/* ---- the engine -------------------------------------------------------------------------------- */

static const enum report_target targets[] = {
    [LOG_SYSLOG] = REPORT_SYSLOG, [LOG_STDERR] = REPORT_STDERR, [LOG_FILE] = REPORT_FILE, [LOG_OFF] = REPORT_OFF};

static int start_engine(struct daemon *daemon, struct policy *policy)
{
	const struct settings *settings = policy_settings(policy);
	struct arena *arena = arena_new();
	struct resolver *resolver = NULL;
	struct error err;

	daemon->report = report_open(targets[settings->log], arena_cstring(arena, settings->log_file), &err);
	arena_free(arena);
	if (daemon->report)
		resolver = resolver_open(&settings->resolver, &err);
	if (!resolver)
		return start_failed(EXIT_UNAVAILABLE, &err);
	daemon->engine = engine_new(policy, resolver, daemon->report, &daemon->counters);
	resolver_release(resolver);
	return 0;
}

/* Once more, as the user who will reload it: what only root can read is no policy for long. */
static struct policy *policy_read_again(const char *file)
{
	struct policy *policy = policy_read(file, true);

	if (!policy)
		fprintf(stderr, "sekisho: the user of the daemon cannot use %s, and could not reload it\n", file);
	return policy;
}

static int start(struct daemon *daemon)
{
	struct identity identity;
	struct policy *policy;
	int code;

	daemon->startup_policy = policy_read(daemon->config_file, false);
	if (!daemon->startup_policy)
		return EXIT_CONFIG;
	daemon->startup = *policy_settings(daemon->startup_policy);
	code = start_sockets(daemon, &daemon->startup, &identity);
	if (code != 0)
		return code;
	policy = identity.change ? policy_read_again(daemon->config_file) : policy_hold(daemon->startup_policy);
	code = policy ? start_engine(daemon, policy) : EXIT_CONFIG;
	policy_release(policy);
	return code;
}

/* ---- threads --------------------------------------------------------------------------------------- */

static void *listener_run(void *context)
{
	struct daemon *daemon = context;

	smfi_main(); /* returns only when libmilter cannot go on */
	daemon->failed = true;
	daemon_finish(daemon);
	return NULL;
}

/* libmilter starts a thread for each callback that waits, with the default stack of
 * the process: 8 MB of address space each would be its limit. */
static void limits_set(void)
{
	struct rlimit files;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= DESCRIPTORS_MAX)
		return;
	files.rlim_cur = files.rlim_max < DESCRIPTORS_MAX ? files.rlim_max : DESCRIPTORS_MAX;
	setrlimit(RLIMIT_NOFILE, &files);
}

static int libmilter_prepare(struct daemon *daemon)
{
	char connection[16];

	snprintf(connection, sizeof(connection), "fd:%d", daemon->listener.socket.fd);
	if (smfi_setconn(connection) != MI_SUCCESS || smfi_settimeout(MILTER_SECONDS) != MI_SUCCESS ||
	    smfi_setbacklog(LISTEN_BACKLOG) != MI_SUCCESS) /* it calls listen(2) again */
		return -1;
	return callbacks_register(daemon);
}

static void daemon_init(struct daemon *daemon, const char *config_file)
{
	pthread_condattr_t monotonic;

	memset(daemon, 0, sizeof(*daemon));
	daemon->config_file = config_file;
	daemon->started_us = clock_us();
	daemon->listener.socket.fd = daemon->control.fd = -1;
	daemon->main_thread = pthread_self();
	pthread_mutex_init(&daemon->lock, NULL);
	pthread_mutex_init(&daemon->reloading, NULL);
	pthread_rwlock_init(&daemon->door, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&daemon->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/* ---- running, and the end ------------------------------------------------------------------------------ */

/* From now on no callback runs. False when some did not come back in time. */
static bool door_close(struct daemon *daemon)
{
	int64_t until = clock_wall_us() + END_US;
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};

	return pthread_rwlock_timedwrlock(&daemon->door, &at) == 0;
}

/* The door stays closed for good: libmilter's threads live until the process ends. */
static void daemon_end(struct daemon *daemon)
{
	unix_remove(&daemon->listener.socket);
	unix_remove(&daemon->control);
	report_line(daemon->report, "info", "ended, %u messages were still open", (unsigned)daemon->open);
	if (!door_close(daemon))
		_exit(EXIT_SUCCESS); /* a callback is in the engine: nothing can be taken down around it */
	conns_free(daemon);
	engine_release(daemon->engine);
	policy_release(daemon->startup_policy);
	report_close(daemon->report);
}

/* A daemon that did not come up; no thread of ours or of libmilter has seen it. */
static void daemon_free(struct daemon *daemon)
{
	unix_remove(&daemon->listener.socket);
	unix_remove(&daemon->control);
	engine_release(daemon->engine);
	policy_release(daemon->startup_policy);
	report_close(daemon->report);
	free(daemon);
}

static int daemon_run(struct daemon *daemon)
{
	struct control *control = NULL;
	pthread_t keeper, listener;
	struct error err;
	int result;

	if (libmilter_prepare(daemon) != 0) {
		error_set(&err, "libmilter does not take the socket");
		return start_failed(EXIT_UNAVAILABLE, &err);
	}
	result = pthread_create(&keeper, NULL, keeper_run, daemon);
	if (result != 0) {
		error_set(&err, "cannot start a thread: %s", strerror(result));
		return start_failed(EXIT_UNAVAILABLE, &err);
	}
	if (daemon->control.fd >= 0)
		control = control_start(daemon);
	report_line(daemon->report, "info", "sekisho %s started, policy %s, listening on %.*s", PACKAGE_VERSION,
		    daemon->config_file, SLICE_ARGS(daemon->startup.listen.address));
	if (geteuid() == 0)
		report_line(daemon->report, "warning", "running as root: name a user in %s", daemon->config_file);
	if (pthread_create(&listener, NULL, listener_run, daemon) == 0) {
		pthread_detach(listener);
		daemon_wait(daemon);
	} else {
		daemon->failed = true;
	}
	control_stop(control);
	daemon_post(daemon, EVENT_END);
	pthread_join(keeper, NULL);
	if (!daemon->failed)
		return EXIT_SUCCESS;
	report_line(daemon->report, "error", "libmilter ended by itself; see the system log");
	return EXIT_UNAVAILABLE;
}

int milter_daemon(const char *config_file)
{
	/* never freed: libmilter's threads look at its door until the process ends */
	struct daemon *daemon = xmalloc(sizeof(*daemon));
	int code;

	daemon_init(daemon, config_file);
	signals_block();
	limits_set();
	code = start(daemon);
	if (code != 0) {
		daemon_free(daemon);
		return code;
	}
	code = daemon_run(daemon);
	daemon_end(daemon);
	return code;
}
