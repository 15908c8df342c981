/*
 * reload.c - reads the policy file again while sessions run.
 *
 * New sessions use a new engine; open sessions keep theirs. The resolver and its cache
 * stay as long as its settings do. What was bound or opened at the start cannot change; the
 * answer says which settings need a restart. The log file is reopened even when the
 * policy has errors: it may have been rotated.
 */
#include "daemon_private.h"
#include "dnsbl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARNINGS_MAX   2048
#define TESTS_TEXT_MAX (64 * 1024) /* only the end is returned; an answer is bounded */
#define READ_TRIES     3           /* of a file that changes while it is read */

static bool paths_equal(const char *a, const char *b)
{
	return slice_equal(slice_of(a), slice_of(b));
}

static bool resolver_settings_equal(const struct resolver_settings *a, const struct resolver_settings *b)
{
	if (a->source == DNS_ZONE || b->source == DNS_ZONE) /* its file is read again */
		return false;
	if (a->source != b->source || a->dnssec != b->dnssec || a->timeout_us != b->timeout_us ||
	    a->cache_entries != b->cache_entries || a->hints_off != b->hints_off ||
	    a->forward_count != b->forward_count || !paths_equal(a->root_hints, b->root_hints) ||
	    !paths_equal(a->trust_anchor, b->trust_anchor))
		return false;
	for (size_t i = 0; i < a->forward_count; i++)
		if (strcmp(a->forward[i], b->forward[i]) != 0)
			return false;
	return true;
}

/* NULL and err when a resolver with the new settings cannot be opened. */
static struct resolver *reload_resolver(const struct engine *old, const struct settings *settings, struct error *err)
{
	const struct settings *before = policy_settings(engine_policy(old));

	if (resolver_settings_equal(&before->resolver, &settings->resolver))
		return resolver_hold(engine_resolver(old));
	return resolver_open(&settings->resolver, err);
}

/* ---- what needs a restart ------------------------------------------------------------ */

static bool listen_users_changed(const struct listen_setting *a, const struct listen_setting *b)
{
	bool changed = a->users.count != b->users.count;

	for (size_t i = 0; !changed && i < a->users.count; i++)
		changed = !slice_equal(a->users.items[i], b->users.items[i]);
	return changed;
}

static bool listens_differ(const struct listen_setting *a, const struct listen_setting *b)
{
	return a->door != b->door || a->engine != b->engine || !slice_equal(a->text, b->text) || a->mode != b->mode ||
	       !slice_equal(a->group, b->group) || listen_users_changed(a, b);
}

static bool listen_changed(const struct settings *a, const struct settings *b)
{
	bool changed = a->listen_count != b->listen_count;

	for (size_t i = 0; !changed && i < a->listen_count; i++)
		changed = listens_differ(&a->listens[i], &b->listens[i]);
	return changed;
}

static bool user_changed(const struct settings *a, const struct settings *b)
{
	return !slice_equal(a->user, b->user) || !slice_equal(a->group, b->group);
}

static bool control_changed(const struct settings *a, const struct settings *b)
{
	return !slice_equal(a->control.path, b->control.path);
}

static bool log_changed(const struct settings *a, const struct settings *b)
{
	return a->log != b->log || !slice_equal(a->log_file, b->log_file);
}

static bool path_changed(const char *a, const char *b)
{
	return !a != !b || (a && strcmp(a, b) != 0);
}

/* Only for an open store, which is kept even when nothing needs it any more. */
static bool store_changed(const struct settings *a, const struct settings *b)
{
	const struct store_setting *x = &a->store, *y = &b->store;

	return x->url.n > 0 &&
	       (!slice_equal(x->url, y->url) || x->at_most != y->at_most || x->timeout_us != y->timeout_us ||
		path_changed(x->password_file, y->password_file) || path_changed(x->ca_file, y->ca_file));
}

static bool history_changed(const struct settings *a, const struct settings *b)
{
	const struct history_setting *x = &a->history, *y = &b->history;

	if (!x->path || !y->path)
		return x->path != y->path;
	return strcmp(x->path, y->path) != 0 || x->keep_us != y->keep_us || x->at_most != y->at_most ||
	       x->addresses != y->addresses;
}

/* Likewise. Its `from` is that of the new file at once. */
static bool mailer_changed(const struct settings *a, const struct settings *b)
{
	return a->mailer.text.n > 0 && !slice_equal(a->mailer.text, b->mailer.text);
}

static bool web_changed(const struct settings *a, const struct settings *b)
{
	const struct web_setting *x = &a->web, *y = &b->web;
	bool changed = !slice_equal(x->text, y->text) || x->mode != y->mode || !slice_equal(x->group, y->group) ||
		       x->hosts.count != y->hosts.count || path_changed(x->password_file, y->password_file);

	for (size_t i = 0; !changed && i < x->hosts.count; i++)
		changed = !slice_equal(x->hosts.items[i], y->hosts.items[i]);
	return changed;
}

static const struct {
	const char *name;
	bool (*changed)(const struct settings *, const struct settings *);
} restarts[] = {
    {"listen", listen_changed}, {"user and group", user_changed}, {"control", control_changed}, {"log", log_changed},
    {"store", store_changed},   {"history", history_changed},     {"mailer", mailer_changed},   {"web", web_changed},
};

/* `found`: errors and warnings of the compiler; `log`: why the log file was not reopened, or "". NULL when there
 * is nothing to say. */
static char *reload_text(const struct daemon *daemon, const struct settings *settings, const char *found,
			 const char *log)
{
	struct arena *arena = arena_new();
	struct text text;
	char *copy = NULL;

	text_init(&text, arena, strlen(found) + WARNINGS_MAX + sizeof(struct error));
	text_add(&text, slice_of(found));
	if (*log)
		text_printf(&text, "%s; records still go to the old file\n", log);
	for (size_t i = 0; settings && i < sizeof(restarts) / sizeof(restarts[0]); i++)
		if (restarts[i].changed(&daemon->startup, settings))
			text_printf(&text,
				    "%s: `%s` has changed; the new value takes effect when the daemon restarts\n",
				    daemon->config_file, restarts[i].name);
	if (text_slice(&text).n > 0)
		copy = xstrdup(arena_cstring(arena, text_slice(&text)));
	arena_free(arena);
	return copy;
}

/* ---- the swap --------------------------------------------------------------------------- */

/* Readers of the status and writers of a list must be able to connect. */
static void reload_control(struct daemon *daemon, const struct policy *policy)
{
	struct error err;

	if (daemon->control.fd >= 0 && unix_mode(&daemon->control, control_mode(policy), &err) != 0)
		report_line(daemon->host.report, "warning", "%s", err.text);
}

static int reload_take(struct daemon *daemon, struct engine *old, struct policy *policy, char **text_r)
{
	struct resolver *resolver = NULL;
	struct engine *engine;
	struct error err;

	if (daemon_libraries(policy, &err) == 0 && daemon_store_open(daemon, policy, &err) == 0 &&
	    daemon_mailer_open(daemon, policy, &err) == 0 && daemon_reports_open(daemon, policy, &err) == 0)
		resolver = reload_resolver(old, policy_settings(policy), &err);
	if (!resolver) {
		free(*text_r);
		*text_r = xstrdup(err.text);
		return -1;
	}
	dnsbl_adopt(&policy_settings(policy)->check, &policy_settings(engine_policy(old))->check);
	engine = engine_new(policy, resolver, daemon->host.report, &daemon->counters);
	engine_lend_store(engine, daemon->store);
	engine_lend_mailer(engine, daemon->mailer);
	engine_lend_aggregate(engine, daemon->aggregate);
	daemon_engine_set(daemon, engine);
	reload_control(daemon, policy);
	resolver_release(resolver);
	return 0;
}

static void reload_log(struct daemon *daemon, bool done, const char *text)
{
	report_line(daemon->host.report, done ? "info" : "error", "%s %s%s%s",
		    done ? "reloaded" : "not reloaded; the old policy stays in effect:", daemon->config_file,
		    text ? "\n" : "", text ? text : "");
}

/* ---- reading ------------------------------------------------------------------------------ */

struct reading {
	struct policy *policy; /* NULL: it has errors */
	struct diagnostics *found;
};

/* A file (also an included one) that is written while we read it may be half of a policy without an error: read it
 * again. */
static struct reading policy_read_whole(const char *file, const struct policy *old)
{
	struct reading reading = {NULL};

	for (unsigned tries = 0; tries < READ_TRIES; tries++) {
		policy_release(reading.policy);
		diagnostics_free(reading.found);
		reading.found = diagnostics_new();
		reading.policy = policy_load(file, old, reading.found);
		if (!diagnostics_stale(reading.found))
			break;
	}
	return reading;
}

/* check-tests yes: -1 when a test of the file fails; the output of the tests is added to the text. */
static int reload_test(struct policy *policy, char **text_r)
{
	char *said = NULL, *joined = NULL;
	size_t n = 0, count, failed;
	FILE *out = open_memstream(&said, &n);

	if (!out)
		die("no memory for the tests of %s", policy_file(policy));
	failed = engine_test(policy, out, &count);
	if (failed)
		fprintf(out, "%s: %zu of %zu tests failed; correct the rules or what the tests expect\n",
			policy_file(policy), failed, count);
	if (fclose(out))
		die("no memory for the tests of %s", policy_file(policy));
	if (failed) {
		size_t most = n < TESTS_TEXT_MAX ? n : TESTS_TEXT_MAX;

		if (asprintf(&joined, "%s%s%s", *text_r ? *text_r : "", most < n ? "...\n" : "", said + n - most) < 0)
			die("no memory for the tests of %s", policy_file(policy));
		free(*text_r);
		*text_r = joined;
	}
	free(said);
	return failed ? -1 : 0;
}

static int reload_decide(struct daemon *daemon, struct engine *old, const struct reading *reading, const char *log,
			 char **text_r)
{
	char *printed = diagnostics_print(reading->found);

	*text_r = reload_text(daemon, reading->policy ? policy_settings(reading->policy) : NULL, printed, log);
	free(printed);
	if (!reading->policy)
		return -1;
	if (policy_settings(reading->policy)->check_tests && reload_test(reading->policy, text_r))
		return -1;
	return reload_take(daemon, old, reading->policy, text_r);
}

int daemon_reload(struct daemon *daemon, char **text_r)
{
	struct error log = {""};
	struct reading reading;
	struct engine *old;
	int result;

	pthread_mutex_lock(&daemon->reloading);
	notify_reloading();
	if (report_reopen(daemon->host.report, &log) == 0) /* first: messages of the reload go to the new file */
		log.text[0] = '\0';
	old = daemon_engine(daemon);
	reading = policy_read_whole(daemon->config_file, engine_policy(old));
	result = reload_decide(daemon, old, &reading, log.text, text_r);
	if (result == 0)
		daemon->reloads++;
	else
		daemon->reloads_failed++;
	reload_log(daemon, result == 0, *text_r);
	policy_release(reading.policy);
	diagnostics_free(reading.found);
	engine_release(old);
	notify_say("READY=1\nSTATUS=Serving");
	pthread_mutex_unlock(&daemon->reloading);
	return result;
}
