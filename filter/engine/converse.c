/*
 * converse.c - a complete SMTP conversation with one message, to drive the engine without an MTA.
 */
#include "gate_private.h"

struct store *engine_trial_store(const struct policy *policy)
{
	static const struct store_settings settings = {.url = SLICE("memory:")};
	struct store *store = NULL;
	struct error err;

	if (policy_needs_store(policy)) {
		store = store_open(&settings, &err);
		if (!store)
			die("%s", err.text);
	}
	return store;
}

static void tell_message(struct gate *gate, struct slice text)
{
	struct arena *arena = arena_new();
	struct slice name, value;

	while (message_next_field(&text, arena, &name, &value))
		gate_header(gate, name, value);
	gate_body(gate, text);
	arena_free(arena);
}

/* What comes before MAIL. */
static void tell_session(struct gate *gate, const struct conversation *said)
{
	gate_connect(gate, &said->connection);
	if (said->helo.n)
		gate_helo(gate, said->helo);
	if (said->tls)
		gate_tls(gate, SLICE("TLSv1.3"), SLICE("TLS_AES_256_GCM_SHA384"));
	if (said->auth_user.n)
		gate_auth(gate, said->auth_user, SLICE("PLAIN"));
}

enum stage gate_converse(struct gate *gate, const struct conversation *said)
{
	static const struct told told = {.how = TOLD_AS_DECIDED};

	tell_session(gate, said);
	if (gate_mail(gate, said->sender, MADE_UNKNOWN, false) == GATE_REFUSE) {
		gate_done(gate, &told);
		return STAGE_MAIL;
	}
	for (size_t i = 0; i < said->recipient_count; i++)
		gate_rcpt(gate, said->recipients[i], MADE_UNKNOWN);
	/* Without recipients, an MTA does not ask for the message. */
	if (said->recipient_count && gate_view(gate)->message->recipient_count == 0) {
		gate_abort(gate);
		return STAGE_RCPT;
	}
	tell_message(gate, said->message);
	gate_end(gate);
	gate_done(gate, &told);
	return STAGE_MESSAGE;
}
