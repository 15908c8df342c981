/*
 * gate_scene.h - an engine with the policy of a text, and a session of it, for tests.
 */
#ifndef SEKISHO_TEST_GATE_SCENE_H
#define SEKISHO_TEST_GATE_SCENE_H

#include "engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct counters counters;

static inline struct engine *make_engine(const char *config)
{
	char path[] = "/tmp/sekisho-test-engine.XXXXXX";
	int fd = mkstemp(path);
	struct diagnostics *diagnostics = diagnostics_new();
	struct error err;
	struct policy *policy;
	struct resolver *resolver = resolver_open_zone(SLICE("example.net TXT \"v=spf1 -all\"\n"), "zone", &err);

	assert_true(write(fd, config, strlen(config)) == (ssize_t)strlen(config));
	close(fd);
	policy = policy_load(path, NULL, diagnostics);
	if (!policy)
		fail_msg("%s", diagnostics_print(diagnostics));
	diagnostics_free(diagnostics);
	unlink(path);
	memset(&counters, 0, sizeof(counters));
	struct engine *engine = engine_new(policy, resolver, NULL, &counters);
	policy_release(policy);
	resolver_release(resolver);
	return engine;
}

static inline struct gate *begin(struct engine *engine)
{
	struct gate *gate = gate_open(engine, &abilities_all);
	struct ip ip;

	ip_parse(SLICE("203.0.113.9"), &ip);
	gate_connect(gate, &(struct connection){ip, 1234, SLICE("mail.example.net"), SLICE("mx"), 25, false});
	gate_helo(gate, SLICE("mail.example.net"));
	return gate;
}

static inline enum gate_answer end(struct gate *gate)
{
	enum gate_answer answer = gate_end(gate);

	gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
	return answer;
}

static const char mild[] = "authserv-id mx.example.org\n"
			   "policy inbound { on message { add-header X-Size \"%{size}\" if size > 0 } }\n";

#endif
