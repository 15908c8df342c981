/*
 * door.c - the policy door: Postfix's policy delegation protocol (check_policy_service), which Exim speaks with
 * ${readsocket}. One request, one action.
 *
 * Actions: DUNNO, a reply ("550 5.7.1 text"), DISCARD, HOLD for quarantine, and OK. OK lifts the other restrictions of
 * the list, relay restrictions too; so only a user that a rule has accepted gets it (gate_permits).
 */
#include "policy_private.h"
#include <stdlib.h>

struct policy_service {
	struct door_host *host;
	struct server *server;
	struct sessions *sessions;
};

static bool policy_answer(void *door, struct server_peer *peer, struct slice text, struct text *answer)
{
	struct policy_request request;
	uintptr_t last = (uintptr_t)peer->state;

	if (request_parse(text, &request) != 0)
		return false; /* Postfix tries again, then answers 451 */
	text_add(answer, SLICE("action="));
	sessions_answer(((struct policy_service *)door)->sessions, &request, &last, answer);
	for (size_t i = 0; i < answer->n; i++) /* for Postfix, a second line would be another attribute */
		if (is_control(answer->p[i]) && (answer->p[i] != '\n' || !request_message_follows(&request)))
			answer->p[i] = '?';
	text_add(answer, SLICE("\n\n"));
	peer->state = (void *)last;
	return true;
}

static const struct server_protocol protocol = {
    .name = "policy", .request_max = REQUEST_MAX, .frame = request_frame, .answer = policy_answer};

static void *policy_open(struct door_host *host, int fd, struct error *err)
{
	struct policy_service *policy = xmalloc(sizeof(*policy));

	policy->host = host;
	policy->server = server_open(host, fd, &protocol, policy, err);
	if (!policy->server) {
		free(policy);
		return NULL;
	}
	policy->sessions = sessions_new(host);
	return policy;
}

static int policy_start(void *state, struct error *err)
{
	return server_start(((struct policy_service *)state)->server, err);
}

static void policy_progress(void *state)
{
	struct policy_service *policy = state;

	server_relieve(policy->server);
	sessions_expire(policy->sessions);
	if (policy->host->parked)
		parked_expire(policy->host->parked, clock_us() - PARKED_US);
}

static bool policy_stop(void *state, int64_t until_us)
{
	return server_stop(((struct policy_service *)state)->server, until_us);
}

static void policy_close(void *state)
{
	struct policy_service *policy = state;

	server_close(policy->server);
	sessions_free(policy->sessions);
	free(policy);
}

const struct door policy_door = {
    .name = "policy",
    .open = policy_open,
    .start = policy_start,
    .progress = policy_progress,
    .stop = policy_stop,
    .close = policy_close,
};
