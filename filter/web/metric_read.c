/*
 * metric_read.c - where each metric of the table comes from.
 */
#include "config.h"
#include "web_private.h"

#define READER(name)                                                                                                   \
	void read_##name(struct metric_samples *samples, const struct web_state *state, const struct engine *engine)
#define LABEL(name, value) (&(struct label){name, value}), 1
#define NO_LABEL           NULL, 0

/* ---- the daemon --------------------------------------------------------------------------------------- */

READER(build)
{
	(void)state, (void)engine;
	sample_add(samples, 1, LABEL("version", SLICE(PACKAGE_VERSION)));
}

READER(doors)
{
	(void)engine;
	for (size_t i = 0; i < state->door_count; i++)
		sample_add(samples, 1,
			   (const struct label[]){{"door", slice_of(state->doors[i].door)},
						  {"engine", slice_of(state->doors[i].engine)},
						  {"address", state->doors[i].address}},
			   3);
}

/* A number without labels. */
#define PLAIN(name, value)                                                                                             \
	READER(name)                                                                                                   \
	{                                                                                                              \
		(void)state, (void)engine;                                                                             \
		sample_add(samples, (double)(value), NO_LABEL);                                                        \
	}

PLAIN(uptime, (double)state->uptime_us / 1e6)
PLAIN(policy_read, (double)policy_read_at(engine_policy(engine)) / 1e6)
PLAIN(reloads, state->reloads)
PLAIN(reloads_failed, state->reloads_failed)
PLAIN(rules, policy_rules(engine_policy(engine)))
PLAIN(log_lost, report_lost(state->report))
PLAIN(sessions, state->counters->sessions)
PLAIN(sessions_open, state->counters->sessions_open)
PLAIN(messages, state->counters->messages)
PLAIN(messages_open, state->counters->messages_open)
PLAIN(recipients_refused, state->counters->recipients_refused)

/* ---- messages ------------------------------------------------------------------------------------------- */

static void take_verdicts(void *context, const struct meter_rule *rule)
{
	for (size_t kind = 0; kind < KIND_COUNT; kind++)
		for (size_t verdict = 0; verdict < VERDICT_COUNT; verdict++) {
			const char *name = verdict == VERDICT_NONE ? "aborted" : verdict_names[verdict];

			if (rule->verdicts[kind][verdict])
				sample_add(context, (double)rule->verdicts[kind][verdict],
					   (const struct label[]){{"kind", slice_of(kind_names[kind])},
								  {"verdict", slice_of(name)},
								  {"rule", rule->name}},
					   3);
		}
}

READER(verdicts)
{
	(void)engine;
	meters_rules(state->counters->meters, take_verdicts, samples);
}

static void take_would(void *context, const struct meter_rule *rule)
{
	for (size_t kind = 0; kind < KIND_COUNT; kind++)
		if (rule->would[kind])
			sample_add(context, (double)rule->would[kind],
				   (const struct label[]){{"kind", slice_of(kind_names[kind])}, {"rule", rule->name}},
				   2);
}

READER(would)
{
	(void)engine;
	meters_rules(state->counters->meters, take_would, samples);
}

READER(unchecked)
{
	(void)engine;
	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->unchecked)
			sample_add(samples, (double)state->counters->unchecked[i],
				   LABEL("check", slice_of(checks[i]->name)));
}

READER(disagreements)
{
	(void)engine;
	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->disagrees)
			sample_add(samples, (double)state->counters->disagreements[i],
				   LABEL("check", slice_of(checks[i]->name)));
}

READER(callbacks)
{
	struct meter_times times;

	(void)engine;
	for (enum meter_time which = 0; which < METER_CALLBACKS; which++) {
		meters_times(state->counters->meters, which, &times);
		sample_histogram(samples, &times, LABEL("stage", slice_of(meter_time_names[which])));
	}
}

READER(dns_wait)
{
	struct meter_times times;

	(void)engine;
	meters_times(state->counters->meters, METER_DNS, &times);
	sample_histogram(samples, &times, NO_LABEL);
}

/* ---- the DNS ----------------------------------------------------------------------------------------------- */

static struct resolver_counters resolver_now(const struct engine *engine)
{
	struct resolver_counters counters;

	resolver_counters(engine_resolver(engine), &counters);
	return counters;
}

PLAIN(dns_questions, resolver_now(engine).questions)
PLAIN(dns_cache_hits, resolver_now(engine).cache_hits)
PLAIN(dns_joined, resolver_now(engine).joined)
PLAIN(dns_asked, resolver_now(engine).asked)
PLAIN(dns_stale, resolver_now(engine).stale)
PLAIN(dns_cache_entries, resolver_now(engine).cache_entries)

READER(dns_failures)
{
	struct resolver_counters counters = resolver_now(engine);

	(void)state;
	for (int i = DNS_NO_REASON + 1; i < DNS_REASONS; i++)
		sample_add(samples, (double)counters.failures[i], LABEL("reason", slice_of(dns_reason_texts[i])));
}

/* ---- lists -------------------------------------------------------------------------------------------------- */

static void read_lists(struct metric_samples *samples, const struct engine *engine,
		       bool (*value)(const struct list_state *, double *value_r))
{
	struct policy *policy = engine_policy(engine);

	for (size_t i = 0; i < policy_lists(policy); i++) {
		const struct list *list = policy_list_at(policy, i);
		struct list_state now;
		double number;

		list_state(list, &now);
		if (!list_is_dynamic(list) && value(&now, &number))
			sample_add(samples, number, LABEL("list", slice_of(list_name(list))));
	}
}

#define OF_LIST(name, number, known)                                                                                   \
	static bool name##_of(const struct list_state *now, double *value_r)                                           \
	{                                                                                                              \
		*value_r = (double)(number);                                                                           \
		return known;                                                                                          \
	}                                                                                                              \
	READER(name)                                                                                                   \
	{                                                                                                              \
		(void)state;                                                                                           \
		read_lists(samples, engine, name##_of);                                                                \
	}

OF_LIST(list_ready, now->ready, true)
OF_LIST(list_failing, now->failing, true)
OF_LIST(list_read, (double)now->read_us / 1e6, now->read_us > 0)
OF_LIST(list_entries, now->entries, now->ready)

/* ---- the store and the history -------------------------------------------------------------------------------- */

/* A number of what may not be there. */
#define OF_STORE(name, member)                                                                                         \
	READER(name)                                                                                                   \
	{                                                                                                              \
		struct store_counters now;                                                                             \
                                                                                                                       \
		(void)engine;                                                                                          \
		if (!state->store)                                                                                     \
			return;                                                                                        \
		store_counters(state->store, &now);                                                                    \
		sample_add(samples, (double)now.member, NO_LABEL);                                                     \
	}

OF_STORE(store_requests, asked)
OF_STORE(store_unanswered, unanswered)
OF_STORE(store_failures, failures)
OF_STORE(store_keys, keys)
OF_STORE(store_bytes, bytes)
OF_STORE(store_limit, at_most)
OF_STORE(store_damaged, damaged)

#define OF_HISTORY(name, member)                                                                                       \
	READER(name)                                                                                                   \
	{                                                                                                              \
		struct history_counters now;                                                                           \
                                                                                                                       \
		(void)engine;                                                                                          \
		if (!state->history)                                                                                   \
			return;                                                                                        \
		history_counters(state->history, &now);                                                                \
		sample_add(samples, (double)now.member, NO_LABEL);                                                     \
	}

OF_HISTORY(history_written, written)
OF_HISTORY(history_lost, lost)
OF_HISTORY(history_failures, failures)
OF_HISTORY(history_bytes, bytes)
OF_HISTORY(history_limit, at_most)

#define OF_REPORTS(name, member)                                                                                       \
	READER(name)                                                                                                   \
	{                                                                                                              \
		(void)engine;                                                                                          \
		if (state->reports)                                                                                    \
			sample_add(samples, (double)state->reports->member, NO_LABEL);                                 \
	}

OF_REPORTS(reports_sent, sent)
OF_REPORTS(reports_refused, refused)
OF_REPORTS(reports_suppressed, suppressed)
OF_REPORTS(reports_failures, failures)
OF_REPORTS(reports_dropped, dropped)
OF_REPORTS(reports_waiting, waiting)
