/*
 * explain.h - the two halves of `sekisho explain`: explain.c reads the
 * arguments and runs the message, explain_show.c shows what happened.
 */
#ifndef SEKISHO_EXPLAIN_H
#define SEKISHO_EXPLAIN_H

#include "engine.h"
#include "json.h"

#define EXPLAIN_RECIPIENTS_MAX 1000

struct explain {
	const char *config, *zone, *client_name, *helo, *sender, *auth_user, *daemon_name, *message;
	const char *recipients[EXPLAIN_RECIPIENTS_MAX];
	size_t recipient_count;
	const char *taken_client, *taken_helo, *taken_sender; /* of the message, because they were not given; or NULL */
	struct ip client;
	bool client_given, local_program, tls, json;
	unsigned port;
	enum stage reached; /* the last stage whose facts are known: a refusal at MAIL ends the conversation */

	struct arena *arena;
	struct trace trace;
};

void explain_show_text(struct explain *, struct gate *);
void explain_show_json(struct explain *, struct gate *);

#endif
