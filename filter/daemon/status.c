/*
 * status.c - the state of the daemon as one JSON object: the answer to `sekisho status`.
 */
#include "config.h"
#include "daemon_private.h"
#include "dnsbl.h"
#include <unistd.h>

static json_t *status_policy(const struct policy *policy)
{
	struct arena *arena = arena_new();
	json_t *object = json_pack("{s:o, s:o}", "file", json_text(slice_of(policy_file(policy))), "read",
				   json_text(clock_print(policy_read_at(policy), arena)));

	arena_free(arena);
	return object;
}

static json_t *status_verdicts(const struct counters *counters)
{
	json_t *object = json_object();

	for (size_t i = VERDICT_ACCEPT; verdict_names[i]; i++)
		json_object_set_new(object, verdict_names[i], json_integer((json_int_t)counters->verdicts[i]));
	json_object_set_new(object, "aborted", json_integer((json_int_t)counters->verdicts[VERDICT_NONE]));
	return object;
}

static json_t *status_resolver(const struct resolver *resolver)
{
	const char *warning = resolver_warning(resolver);
	struct resolver_counters c;
	json_t *object;

	resolver_counters(resolver, &c);
	object = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name", resolver_name(resolver),
			   "questions", (json_int_t)c.questions, "cache-hits", (json_int_t)c.cache_hits, "joined",
			   (json_int_t)c.joined, "asked", (json_int_t)c.asked, "temporary-failures",
			   (json_int_t)c.tempfails, "timeouts", (json_int_t)c.timeouts, "stale", (json_int_t)c.stale,
			   "cache-entries", (json_int_t)c.cache_entries);
	if (warning)
		json_object_set_new(object, "warning", json_string(warning));
	return object;
}

/* "spf": {"disagreements": 0} for each check that has two engines. */
static void status_disagreements(json_t *object, const struct counters *counters)
{
	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->disagrees)
			json_object_set_new(
			    object, checks[i]->name,
			    json_pack("{s:I}", "disagreements", (json_int_t)counters->disagreements[i]));
}

/* "unchecked": {"spf": 0}: messages that a check could not judge. */
static json_t *status_unchecked(const struct counters *counters)
{
	json_t *object = json_object();

	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->unchecked)
			json_object_set_new(object, checks[i]->name, json_integer((json_int_t)counters->unchecked[i]));
	return object;
}

/* "dnsbl": {"zen": {"state": "used", ...}}: by the names of the file, since that of a zone may contain a key. */
static json_t *status_dnsbl(const struct check_settings *settings)
{
	json_t *object = json_object();
	struct arena *arena = arena_new();

	for (size_t i = 0; i < dnsbl_count(settings); i++) {
		struct dnsbl_status status;
		json_t *list;

		dnsbl_status(settings, i, &status);
		list = json_pack("{s:s, s:I, s:I, s:I}", "state", dnsbl_state_names[status.state], "asked",
				 (json_int_t)status.asked, "listed", (json_int_t)status.listed, "temperror",
				 (json_int_t)status.failed);
		if (status.since_us)
			json_object_set_new(list, "since", json_text(clock_print(status.since_us, arena)));
		if (status.incomplete)
			json_object_set_new(list, "incomplete", json_true());
		json_object_set_new(object, arena_cstring(arena, status.name), list);
	}
	arena_free(arena);
	return object;
}

static json_t *status_messages(const struct counters *c)
{
	return json_pack("{s:I, s:I, s:o, s:I}", "open", (json_int_t)c->messages_open, "total", (json_int_t)c->messages,
			 "verdicts", status_verdicts(c), "recipients-refused", (json_int_t)c->recipients_refused);
}

static json_t *status_doors(const struct daemon *daemon)
{
	json_t *array = json_array();

	for (size_t i = 0; i < daemon->entrance_count; i++) {
		const struct door *door = daemon->entrances[i].door;

		json_array_append_new(array, json_pack("{s:s, s:s*, s:o}", "door", door->name, "engine", door->engine,
						       "listen", json_text(daemon->entrances[i].text)));
	}
	return array;
}

json_t *daemon_status(struct daemon *daemon)
{
	struct engine *engine = daemon_engine(daemon);
	const struct counters *c = &daemon->counters;
	json_int_t uptime = (clock_us() - daemon->started_us) / 1000000;
	json_t *object =
	    json_pack("{s:b, s:s, s:I, s:I, s:o, s:o}", "ok", 1, "version", PACKAGE_VERSION, "pid",
		      (json_int_t)getpid(), "uptime", uptime, "listen", json_text(daemon->entrances[0].text), "policy",
		      status_policy(engine_policy(engine)));

	json_object_set_new(object, "doors", status_doors(daemon));
	json_object_set_new(
	    object, "sessions",
	    json_pack("{s:I, s:I}", "open", (json_int_t)c->sessions_open, "total", (json_int_t)c->sessions));
	json_object_set_new(object, "messages", status_messages(c));
	status_disagreements(object, c);
	json_object_set_new(object, "unchecked", status_unchecked(c));
	json_object_set_new(object, "log", json_pack("{s:I}", "lost", (json_int_t)report_lost(daemon->host.report)));
	if (daemon->store)
		json_object_set_new(object, "store", daemon_store_status(daemon));
	if (daemon->history)
		json_object_set_new(object, "history", daemon_history_status(daemon));
	if (daemon->mailer)
		json_object_set_new(object, "mailer", daemon_mailer_status(daemon));
	json_object_set_new(object, "resolver", status_resolver(engine_resolver(engine)));
	if (dnsbl_count(&policy_settings(engine_policy(engine))->check))
		json_object_set_new(object, "dnsbl", status_dnsbl(&policy_settings(engine_policy(engine))->check));
	engine_release(engine);
	return object;
}
