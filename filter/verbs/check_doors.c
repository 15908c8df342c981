/*
 * check_doors.c - warns of rules that do not act, or do something else, for mail of some `listen`. What a milter
 * session can do depends on the mail server, and is negotiated.
 */
#include "check_doors.h"
#include "check.h"
#include "door.h"
#include "verbs.h"

#include <string.h>

struct door_check {
	const struct policy *policy;
	const struct listen_setting *listen;
	const struct abilities *abilities;
	struct diagnostics *diagnostics;
	bool told; /* once is enough */
};

static const struct listen_setting *find_listen(const struct policy *policy, enum listen_door door)
{
	const struct settings *settings = policy_settings(policy);

	for (size_t i = 0; i < settings->listen_count; i++)
		if (settings->listens[i].door == door)
			return &settings->listens[i];
	return NULL;
}

/* ---- what a door that sees messages cannot do -------------------------------------------------------- */

static const struct {
	unsigned need;
	enum change_kind change;
	const char *what;
} tasks[] = {
    {NEED_SENDER, CHANGE_SENDER, "change the envelope sender"},
    {NEED_ADD_RECIPIENT, CHANGE_ADD_RECIPIENT, "add recipients"},
    {NEED_DELETE_RECIPIENT, CHANGE_DELETE_RECIPIENT, "delete recipients"},
    {NEED_NEW_BODY, CHANGE_BODY, "change the body"},
};

/* The first thing that the door cannot do of what a rule asks for; NULL: it can do all of it. */
static const char *beyond(const struct abilities *abilities, const struct rule_demand *demand)
{
	if (demand->quarantine && !abilities->quarantine)
		return "hold a message";
	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		if ((demand->needs & tasks[i].need) && !(abilities->changes & 1u << tasks[i].change))
			return tasks[i].what;
	return NULL;
}

static void check_demand(void *context, const struct rule_demand *demand)
{
	const struct door_check *check = context;
	const char *what = beyond(check->abilities, demand);
	struct error text;

	if (!what)
		return;
	error_set(
	    &text,
	    "listen %s in line %u cannot %s: a message that comes there is deferred when %s would act; use another "
	    "action for such mail",
	    listen_doors[check->listen->door], check->listen->where.line, what, demand->action);
	diagnostics_advise(check->diagnostics, demand->where, text.text);
}

static void check_messages(struct door_check *check)
{
	for (size_t i = 0; doors[i]; i++) {
		check->abilities = doors[i]->abilities;
		if (check->abilities && strcmp(doors[i]->name, listen_doors[check->listen->door]) == 0)
			policy_demands(check->policy, check_demand, check);
	}
}

/* ---- listen policy alone ------------------------------------------------------------------------------ */

static void check_unseen(void *context, const struct rule_demand *demand)
{
	struct door_check *check = context;
	struct error text;

	if (demand->stage != STAGE_MESSAGE || check->told)
		return;
	error_set(&text,
		  "rules of on message never run, because messages come nowhere: listen policy in line %u sees the "
		  "session up to "
		  "the recipients; add listen milter, or listen rspamc for Exim",
		  check->listen->where.line);
	diagnostics_advise(check->diagnostics, demand->where, text.text);
	check->told = true;
}

static void check_unedited(void *context, const struct rule_demand *demand)
{
	struct door_check *check = context;
	struct error text;

	if (demand->stage == STAGE_MESSAGE || !demand->edits || check->told)
		return;
	error_set(
	    &text,
	    "%s changes nothing, because messages come nowhere: listen policy in line %u only refuses; add listen "
	    "milter, or listen rspamc for Exim",
	    demand->action, check->listen->where.line);
	diagnostics_advise(check->diagnostics, demand->where, text.text);
	check->told = true;
}

/* ---- listen rspamc alone ------------------------------------------------------------------------------ */

static void check_each(void *context, const struct rule_demand *demand)
{
	struct door_check *check = context;
	struct error text;

	if (demand->stage != STAGE_RCPT || !demand->refuses || check->told)
		return;
	error_set(
	    &text,
	    "what comes to listen rspamc in line %u alone is refused for all recipients when %s acts for one; add "
	    "listen policy, which Exim asks at RCPT (exim.conf)",
	    check->listen->where.line, demand->action);
	diagnostics_advise(check->diagnostics, demand->where, text.text);
	check->told = true;
}

static const char *const unknown_facts[] = {"tls", "tls.version", "tls.cipher", "auth.method", "port", "client.port"};

static void check_facts(const struct door_check *check)
{
	struct error text;

	for (size_t i = 0; i < sizeof(unknown_facts) / sizeof(unknown_facts[0]); i++) {
		const struct fact *fact = fact_find(slice_of(unknown_facts[i]));

		if (!fact || !policy_reads(check->policy, fact))
			continue;
		error_set(&text,
			  "listen rspamc alone is not told %s, which a rule reads; add listen policy, which Exim tells "
			  "it (exim.conf)",
			  unknown_facts[i]);
		diagnostics_advise(check->diagnostics, check->listen->where, text.text);
	}
}

void check_doors(const struct policy *policy, struct diagnostics *diagnostics)
{
	const struct listen_setting *envelope = find_listen(policy, LISTEN_POLICY);
	const struct listen_setting *rspamc = find_listen(policy, LISTEN_RSPAMC);
	struct door_check check = {.policy = policy, .diagnostics = diagnostics};

	for (size_t i = 0; i < policy_settings(policy)->listen_count; i++) {
		check.listen = &policy_settings(policy)->listens[i];
		check_messages(&check);
	}
	if (envelope && !rspamc && !find_listen(policy, LISTEN_MILTER)) {
		check.listen = envelope;
		policy_demands(policy, check_unseen, &check);
		check.told = false;
		policy_demands(policy, check_unedited, &check);
	}
	if (rspamc && !envelope) {
		check.listen = rspamc;
		policy_demands(policy, check_each, &check);
		check_facts(&check);
	}
}
