/*
 * status.c - the state of the daemon as one JSON object: the answer to `sekisho status`.
 */
#include "config.h"
#include "daemon_private.h"
#include "dnsbl.h"
#include <unistd.h>

/* The generation is 1 at the start and counts reloads that took effect. */
static json_t *status_policy(const struct daemon *daemon, const struct policy *policy)
{
	struct arena *arena = arena_new();
	json_t *object =
	    json_pack("{s:o, s:o, s:s, s:I, s:I}", "file", json_text(slice_of(policy_file(policy))), "read",
		      json_text(clock_print(policy_read_at(policy), arena)), "mode",
		      policy_settings(policy)->report_mode ? "report" : "enforce", "generation",
		      (json_int_t)daemon->reloads + 1, "reloads-failed", (json_int_t)daemon->reloads_failed);

	arena_free(arena);
	return object;
}

/* "entries" are known of files alone; "read" and "age" of what was read. */
static json_t *status_list(struct list *list, struct arena *arena)
{
	struct list_state state;
	struct error failure;
	json_t *object;

	list_state(list, &state);
	list_failure(list, &failure);
	object = json_pack("{s:s, s:o, s:b}", "list", list_name(list), "place", json_text(slice_of(list_place(list))),
			   "ready", state.ready);
	if (state.read_us) {
		json_object_set_new(object, "entries", json_integer((json_int_t)state.entries));
		json_object_set_new(object, "read", json_text(clock_print(state.read_us, arena)));
		json_object_set_new(object, "age",
				    json_integer((json_int_t)(clock_wall_us() - state.read_us) / 1000000));
	}
	if (failure.text[0])
		json_object_set_new(object, "error", json_text(slice_of(failure.text)));
	return object;
}

static json_t *status_lists(const struct policy *policy)
{
	struct arena *arena = arena_new();
	json_t *array = json_array();

	for (size_t i = 0; i < policy_lists(policy); i++)
		json_array_append_new(array, status_list(policy_list_at(policy, i), arena));
	arena_free(arena);
	return array;
}

static void take_would(void *array, const struct meter_rule *rule)
{
	for (size_t kind = 0; kind < KIND_COUNT; kind++)
		if (rule->would[kind])
			json_array_append_new(array,
					      json_pack("{s:o, s:s, s:I}", "rule", json_text(rule->name), "kind",
							kind_names[kind], "count", (json_int_t)rule->would[kind]));
}

/* What rules under "try" and in mode report would have done. At most METER_RULES of them. */
static json_t *status_would(const struct counters *counters)
{
	json_t *array = json_array();

	if (counters->meters)
		meters_rules(counters->meters, take_would, array);
	return array;
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
		      status_policy(daemon, engine_policy(engine)));

	json_object_set_new(object, "doors", status_doors(daemon));
	json_object_set_new(
	    object, "sessions",
	    json_pack("{s:I, s:I}", "open", (json_int_t)c->sessions_open, "total", (json_int_t)c->sessions));
	json_object_set_new(object, "messages", daemon_messages_status(c));
	json_object_set_new(object, "would", status_would(c));
	json_object_set_new(object, "lists", status_lists(engine_policy(engine)));
	status_disagreements(object, c);
	json_object_set_new(object, "unchecked", status_unchecked(c));
	json_object_set_new(object, "log", json_pack("{s:I}", "lost", (json_int_t)report_lost(daemon->host.report)));
	if (daemon->store)
		json_object_set_new(object, "store", daemon_store_status(daemon));
	if (daemon->history)
		json_object_set_new(object, "history", daemon_history_status(daemon));
	if (daemon->mailer)
		json_object_set_new(object, "mailer", daemon_mailer_status(daemon));
	if (daemon->aggregate)
		json_object_set_new(object, "reports", daemon_reports_status(daemon));
	json_object_set_new(object, "resolver", status_resolver(engine_resolver(engine)));
	if (dnsbl_count(&policy_settings(engine_policy(engine))->check))
		json_object_set_new(object, "dnsbl", status_dnsbl(&policy_settings(engine_policy(engine))->check));
	engine_release(engine);
	return object;
}
