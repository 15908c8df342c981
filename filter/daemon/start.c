/*
 * start.c - the start of the daemon, up to the threads.
 *
 * Its order: read the file; find user and group; bind, as root if we are root;
 * become the user, and read the file again as the user who will reload it later; open log, store
 * and resolver. A failure is one line (or the errors of the policy file) on
 * stderr, and the exit code.
 */
#include "daemon_private.h"
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE_DEFAULT 0660 /* of a unix socket without `mode`: never open to everyone */

/* ---- errors ------------------------------------------------------------------------------ */

int start_failed(int code, const struct error *err)
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

/* The door that the policy names; every word of listen_doors has one. */
static const struct door *door_of(const struct daemon *daemon, const struct listen_setting *listen)
{
	for (size_t i = 0; daemon->doors[i]; i++)
		if (strcmp(daemon->doors[i]->name, listen_doors[listen->door]) == 0 &&
		    (!daemon->doors[i]->engine ||
		     strcmp(daemon->doors[i]->engine, listen_engines[listen->engine]) == 0))
			return daemon->doors[i];
	die("no door for listen %s", listen_doors[listen->door]);
}

static int start_listen(struct daemon *daemon, struct entrance *entrance, const struct listen_setting *listen,
			const struct identity *identity)
{
	int taken = takeover_socket(daemon, "", listen->text);
	gid_t gid = (gid_t)-1;
	struct error err;

	if (listen->group.n > 0 && group_find(listen->group, &gid, &err) != 0)
		return start_failed_at(listen->where, &err);
	if (listener_open(&listen->address, listen->mode < 0 ? MODE_DEFAULT : (mode_t)listen->mode,
			  identity->change ? identity->uid : (uid_t)-1, gid, taken, &entrance->listener, &err) != 0)
		return start_failed(EXIT_UNAVAILABLE, &err);
	return 0;
}

/* First the sockets that were passed to us: a descriptor of ours could have the number of one that was not passed. */
static int start_listens(struct daemon *daemon, const struct settings *settings, const struct identity *identity)
{
	int code = 0;

	daemon->entrance_count = settings->listen_count;
	for (size_t i = 0; i < settings->listen_count; i++)
		daemon->entrances[i] = (struct entrance){.door = door_of(daemon, &settings->listens[i]),
							 .listener.socket.fd = -1,
							 .text = settings->listens[i].text};
	for (int passed = 1; passed >= 0; passed--)
		for (size_t i = 0; code == 0 && i < settings->listen_count; i++)
			if ((settings->listens[i].address.family == LISTEN_FD) == passed)
				code = start_listen(daemon, &daemon->entrances[i], &settings->listens[i], identity);
	return code;
}

/* Creates a directory, and missing ones above it, if we may. The user gets it. */
static void directory_make(char *directory, mode_t mode, const struct identity *identity)
{
	bool made;

	for (char *end = strchr(directory + 1, '/'); end; end = strchr(end + 1, '/')) {
		*end = '\0';
		mkdir(directory, 0755);
		*end = '/';
	}
	made = mkdir(directory, mode) == 0;
	if (made && identity->change && lchown(directory, identity->uid, identity->gid) != 0)
		rmdir(directory); /* the code that needs it reports that it is missing */
}

static void control_directory(const char *path, const struct identity *identity)
{
	char *copy = xstrdup(path);

	directory_make(dirname(copy), 0755, identity);
	free(copy);
}

/* "" when there is none, or it is too long for a socket. */
static void control_path(const struct settings *settings, char path_r[UNIX_PATH_MAX])
{
	size_t n = settings->control.path.n < UNIX_PATH_MAX ? settings->control.path.n : 0;

	if (n > 0)
		memcpy(path_r, settings->control.path.p, n);
	path_r[n] = '\0';
}

/* The store is opened later, by a user who may not make a directory in /var/lib. */
static void store_directory_make(const struct policy *policy, const struct identity *identity)
{
	struct slice place = store_directory(policy_settings(policy)->store.url);
	struct arena *arena;

	if (!identity->change || !policy_needs_store(policy) || place.n == 0)
		return;
	arena = arena_new();
	directory_make(arena_cstring(arena, place), 0700, identity);
	arena_free(arena);
}

static int start_control(struct daemon *daemon, const struct settings *settings, const struct identity *identity)
{
	char path[UNIX_PATH_MAX];
	struct error err;
	int taken;

	if (settings->control.path.n == 0)
		return 0;
	control_path(settings, path);
	if (!path[0]) {
		error_set(&err, "control %.*s: a socket path can have at most %zu bytes",
			  SLICE_ARGS(settings->control.path), sizeof(path) - 1);
		return start_failed(EXIT_CONFIG, &err);
	}
	taken = takeover_socket(daemon, "control", SLICE(""));
	if (taken >= 0 && unix_adopt(path, taken, &daemon->control)) {
		unix_mode(&daemon->control, control_mode(daemon->startup_policy), &err); /* a reload tries again */
		return 0;
	}
	if (unix_listen(path, control_mode(daemon->startup_policy), identity->change ? identity->uid : (uid_t)-1,
			(gid_t)-1, &daemon->control, &err) != 0)
		return start_failed(EXIT_UNAVAILABLE, &err);
	return 0;
}

static int start_sockets(struct daemon *daemon, const struct settings *settings, struct identity *identity_r)
{
	char path[UNIX_PATH_MAX];
	struct error err;
	int code;

	if (identity_find(settings->user, settings->group, identity_r, &err) != 0)
		return start_failed(EXIT_CONFIG, &err);
	control_path(settings, path);
	if (path[0])
		control_directory(path, identity_r); /* the socket of the default `listen` is also in it */
	if (daemon->takes_over && takeover_ask(daemon, path, identity_r, &err) != 0)
		return start_failed(EXIT_UNAVAILABLE, &err);
	code = start_listens(daemon, settings, identity_r);
	if (code == 0)
		code = start_control(daemon, settings, identity_r);
	if (code == 0 && daemon_web_listen(daemon, identity_r, &err) != 0)
		code = start_failed(EXIT_UNAVAILABLE, &err);
	if (code == 0)
		store_directory_make(daemon->startup_policy, identity_r);
	if (code == 0 && identity_take(identity_r, &err) != 0)
		code = start_failed(EXIT_UNAVAILABLE, &err);
	for (size_t i = 0; code == 0 && i < settings->listen_count; i++)
		admit_users(&daemon->entrances[i], &settings->listens[i]);
	return code;
}

/* ---- the engine -------------------------------------------------------------------------------- */

static const enum report_target targets[] = {[LOG_TO_SYSLOG] = REPORT_SYSLOG,
					     [LOG_TO_STDERR] = REPORT_STDERR,
					     [LOG_TO_FILE] = REPORT_FILE,
					     [LOG_TO_NOWHERE] = REPORT_OFF};

static int start_engine(struct daemon *daemon, struct policy *policy)
{
	const struct settings *settings = policy_settings(policy);
	struct arena *arena = arena_new();
	struct resolver *resolver = NULL;
	struct error err;

	daemon->host.report = report_open(targets[settings->log], arena_cstring(arena, settings->log_file), &err);
	arena_free(arena);
	if (daemon->host.report && daemon_store_open(daemon, policy, &err) == 0 &&
	    daemon_history_open(daemon, policy, &err) == 0 && daemon_mailer_open(daemon, policy, &err) == 0 &&
	    daemon_reports_open(daemon, policy, &err) == 0 && daemon_web_open(daemon, &err) == 0)
		resolver = resolver_open(&settings->resolver, &err);
	if (!resolver)
		return start_failed(EXIT_UNAVAILABLE, &err);
	daemon->engine = engine_new(policy, resolver, daemon->host.report, &daemon->counters);
	engine_lend_store(daemon->engine, daemon->store);
	engine_lend_mailer(daemon->engine, daemon->mailer);
	engine_lend_aggregate(daemon->engine, daemon->aggregate);
	resolver_release(resolver);
	return 0;
}

/* Again, as the user who will reload it: a file that only root can read could not be reloaded. */
static struct policy *policy_read_again(const char *file)
{
	struct policy *policy = policy_read(file, true);

	if (!policy)
		fprintf(stderr, "sekisho: the user of the daemon cannot use %s, so a reload would fail\n", file);
	return policy;
}

int daemon_start(struct daemon *daemon)
{
	struct identity identity;
	struct policy *policy;
	struct error err;
	int code;

	daemon->startup_policy = policy_read(daemon->config_file, false);
	if (!daemon->startup_policy)
		return EXIT_CONFIG;
	daemon->startup = *policy_settings(daemon->startup_policy);
	if (daemon_libraries(daemon->startup_policy, &err) != 0) /* before a daemon that serves is told to hand over */
		return start_failed(EXIT_UNAVAILABLE, &err);
	code = start_sockets(daemon, &daemon->startup, &identity);
	if (code != 0)
		return code;
	policy = identity.change ? policy_read_again(daemon->config_file) : policy_hold(daemon->startup_policy);
	code = policy ? 0 : EXIT_CONFIG;
	if (code == 0 && takeover_wait(daemon, policy, &err) != 0)
		code = start_failed(EXIT_UNAVAILABLE, &err);
	if (code == 0)
		code = start_engine(daemon, policy);
	policy_release(policy);
	return code;
}
