/*
 * engine.c - what new sessions share: one compiled policy, one
 * resolver, one report. A reload makes a new one; sessions keep theirs.
 */
#include "gate_private.h"
#include <stdlib.h>

#define WAIT_US (8 * 1000 * 1000)

const struct abilities abilities_all = {
    .wait_us = WAIT_US,
    .end_us = WAIT_US,
    .reply_mail = true,
    .reply_rcpt = true,
    .changes = ~0u,
    .quarantine = true,
};

struct engine *engine_new(struct policy *policy, struct resolver *resolver, struct report *report,
			  struct counters *counters)
{
	struct engine *engine = xmalloc(sizeof(*engine));

	engine->owners = 1;
	engine->policy = policy_hold(policy);
	engine->resolver = resolver_hold(resolver);
	engine->store = NULL;
	engine->mailer = NULL;
	engine->aggregate = NULL;
	engine->report = report;
	engine->counters = counters;
	return engine;
}

void engine_lend_store(struct engine *engine, struct store *store)
{
	engine->store = store;
}

void engine_lend_mailer(struct engine *engine, struct mailer *mailer)
{
	engine->mailer = mailer;
}

void engine_lend_aggregate(struct engine *engine, struct aggregate *aggregate)
{
	engine->aggregate = aggregate;
}

struct engine *engine_hold(struct engine *engine)
{
	engine->owners++;
	return engine;
}

void engine_release(struct engine *engine)
{
	if (!engine || --engine->owners > 0)
		return;
	policy_release(engine->policy);
	resolver_release(engine->resolver);
	free(engine);
}

struct policy *engine_policy(const struct engine *engine)
{
	return engine->policy;
}

struct resolver *engine_resolver(const struct engine *engine)
{
	return engine->resolver;
}
