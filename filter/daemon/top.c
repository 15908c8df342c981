/*
 * top.c - what `sekisho top` shows: counters of messages, rules, DNS, and the senders that are refused most. Addresses
 * are in it, so that only root and the user of the daemon may ask for it.
 */
#include "config.h"
#include "daemon_private.h"
#include <unistd.h>

#define TOP_SENDERS 32

/* All counts are since the start; "clock" is for rates. */
json_t *daemon_messages_status(const struct counters *c)
{
	json_t *verdicts = json_object();

	for (size_t i = VERDICT_ACCEPT; verdict_names[i]; i++)
		json_object_set_new(verdicts, verdict_names[i], json_integer((json_int_t)c->verdicts[i]));
	json_object_set_new(verdicts, "aborted", json_integer((json_int_t)c->verdicts[VERDICT_NONE]));
	return json_pack("{s:I, s:I, s:I, s:o}", "open", (json_int_t)c->messages_open, "total", (json_int_t)c->messages,
			 "recipients-refused", (json_int_t)c->recipients_refused, "verdicts", verdicts);
}

static json_t *top_dns(const struct counters *counters, const struct resolver *resolver)
{
	struct resolver_counters c;
	struct meter_times times = {.total = 0};

	resolver_counters(resolver, &c);
	if (counters->meters)
		meters_times(counters->meters, METER_DNS, &times);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "wait-us", (json_int_t)times.sum_us, "messages",
			 (json_int_t)times.total, "questions", (json_int_t)c.questions, "cache-hits",
			 (json_int_t)c.cache_hits, "temporary-failures", (json_int_t)c.tempfails, "timeouts",
			 (json_int_t)c.timeouts, "stale", (json_int_t)c.stale);
}

/* A rule with how often it decided, by verdict, and how often it would have. */
static void take_rule(void *array, const struct meter_rule *rule)
{
	json_int_t would = 0, decided = 0;

	if (rule->name.n == 0) /* no rule decided */
		return;
	for (size_t kind = 0; kind < KIND_COUNT; kind++) {
		would += (json_int_t)rule->would[kind];
		for (size_t verdict = 0; verdict < VERDICT_COUNT; verdict++)
			decided += (json_int_t)rule->verdicts[kind][verdict];
	}
	json_array_append_new(
	    array, json_pack("{s:o, s:I, s:I}", "rule", json_text(rule->name), "decided", decided, "would", would));
}

static json_t *top_rules(const struct counters *counters)
{
	json_t *array = json_array();

	if (counters->meters)
		meters_rules(counters->meters, take_rule, array);
	return array;
}

static json_t *top_senders(const struct counters *counters)
{
	struct sender_count senders[TOP_SENDERS];
	struct arena *arena = arena_new();
	json_t *array = json_array();
	size_t count = counters->refused ? senders_top(counters->refused, clock_us(), arena, senders, TOP_SENDERS) : 0;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_pack("{s:o, s:I}", "sender", json_text(senders[i].name), "count",
						       (json_int_t)senders[i].count));
	arena_free(arena);
	return array;
}

json_t *control_top(struct daemon *daemon, const json_t *request)
{
	struct engine *engine = daemon_engine(daemon);
	const struct counters *c = &daemon->counters;
	const struct policy *policy = engine_policy(engine);
	json_t *object;

	(void)request;
	object = json_pack(
	    "{s:b, s:s, s:I, s:I, s:I, s:o, s:s, s:{s:I, s:I}, s:o, s:o, s:o, s:o}", "ok", 1, "version",
	    PACKAGE_VERSION, "pid", (json_int_t)getpid(), "clock", (json_int_t)clock_us(), "uptime",
	    (json_int_t)(clock_us() - daemon->started_us) / 1000000, "policy", json_text(slice_of(policy_file(policy))),
	    "mode", policy_settings(policy)->report_mode ? "report" : "enforce", "sessions", "open",
	    (json_int_t)c->sessions_open, "total", (json_int_t)c->sessions, "messages", daemon_messages_status(c),
	    "dns", top_dns(c, engine_resolver(engine)), "rules", top_rules(c), "senders", top_senders(c));
	engine_release(engine);
	return object;
}
