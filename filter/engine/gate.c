/*
 * gate.c - the life of a session: what is known about the connection, and the
 * beginning of each message. The stages are in stages.c.
 *
 * Two arenas: the one of the session holds what is known about the connection and is replaced
 * at each HELO; the one of the message is emptied at each MAIL. So a client that
 * repeats commands cannot use more memory.
 */
#include "gate_private.h"
#include <stdlib.h>
#include <string.h>

/* What a short message needs: allocated at MAIL, not before, because most open sessions are idle. */
#define MESSAGE_BYTES (40 * 1024)

static void view_init(struct gate *gate)
{
	gate->view = (struct view){
	    .settings = &gate->settings->check,
	    .stage = STAGE_CONNECT,
	    .session = &gate->session,
	    .message = &gate->message,
	    .budget = gate->budget,
	    .store = gate->store,
	    .connection_memo = gate->connection_memo,
	    .connection_slots = gate->connection_slots,
	};
}

/* An empty message in an empty arena; hints may already use its budget. */
static void message_clear(struct gate *gate)
{
	struct arena *arena = gate->message.arena;

	dns_budget_close(gate->budget);
	arena_reset(arena);
	gate->budget = dns_budget_open(gate->engine->resolver, arena, DNS_BUDGET_QUESTIONS);
	dns_budget_for(gate->budget, gate->session.client);
	dns_budget_waiting(gate->budget, &gate->abilities.waiting);
	gate->message = (struct message){.arena = arena};
	headers_init(&gate->message.headers, arena);
	decision_init(&gate->decision, arena);
	gate->decision.enforced = gate->enforced;
	gate->outcome = NULL;
	gate->record = NULL;
	gate->spool = NULL;
	gate->bounce = NULL;
	gate->rcpt_accepted = gate->accepted = gate->decided = gate->late = gate->unable = gate->unusable =
	    gate->ended_early = gate->open = gate->used = gate->recorded = gate->body_began = false;
	gate->rcpts = NULL;
	gate->rcpt_count = gate->rcpt_room = 0;
	gate->recipients_reply = NULL;
	gate->changes = NULL;
	gate->change_count = gate->change_room = 0;
	gate->pieces = NULL;
	gate->piece_count = 0;
	gate->new_body = NULL;
	gate->signer_count = 0;
	gate->footer = SLICE("");
	gate->spent_us = 0;
	gate->reply = NULL;
	view_init(gate);
}

struct gate *gate_open(struct engine *engine, const struct abilities *abilities)
{
	struct gate *gate = xmalloc(sizeof(*gate));

	gate->replay = NULL;
	gate->engine = engine_hold(engine);
	gate->abilities = *abilities;
	gate->store = store_view(engine->store, &abilities->waiting);
	gate->settings = policy_settings(engine->policy);
	gate->session.arena = arena_new();
	gate->message.arena = arena_new();
	message_clear(gate);
	engine->counters->sessions++;
	engine->counters->sessions_open++;
	return gate;
}

void gate_close(struct gate *gate)
{
	if (!gate)
		return;
	gate_abort(gate);
	gate->engine->counters->sessions_open--;
	dns_budget_close(gate->budget);
	arena_free(gate->message.arena);
	arena_free(gate->session.arena);
	store_view_close(gate->store);
	engine_release(gate->engine);
	free(gate);
}

void gate_time(struct gate *gate, int64_t wall_us)
{
	gate->time_us = wall_us;
}

void gate_trace(struct gate *gate, const struct tracer *tracer)
{
	gate->tracer = tracer;
}

/* The tenant and the kind of traffic, as far as they are known. */
static void view_aim(struct gate *gate)
{
	const struct policy *policy = gate->engine->policy;

	gate->view.tenant = policy_tenant(policy, gate->session.daemon_name);
	gate->view.settings = policy_check_settings(policy, gate->view.tenant);
	if (gate->replay) {
		gate->view.kind = replay_kind(gate->replay->record);
		return;
	}
	gate->view.kind = kind_of(gate->view.settings, &gate->session, gate->store);
}

/* Every check that the policy reads may ask the DNS early. Before MAIL the kind of traffic is
 * not known; inbound is assumed. */
static void hint(struct gate *gate, enum stage stage)
{
	gate->view.stage = stage;
	for (unsigned i = 0; checks[i] && !gate->replay; i++)
		if (checks[i]->hint &&
		    policy_uses_check(gate->engine->policy, gate->view.tenant, gate->view.kind, checks[i]))
			checks[i]->hint(
			    &gate->view, stage,
			    policy_asking(gate->engine->policy, gate->view.tenant, gate->view.kind, checks[i]));
}

void gate_connect(struct gate *gate, const struct connection *connection)
{
	struct session *session = &gate->session;

	session->client = connection->client;
	dns_budget_for(gate->budget, session->client);
	session->client_port = connection->client_port;
	session->client_name = arena_copy(session->arena, connection->client_name);
	session->daemon_name = arena_copy(session->arena, connection->daemon_name);
	session->daemon_port = connection->daemon_port;
	session->daemon_ip = connection->daemon_ip;
	session->local_program = connection->local_program;
	view_aim(gate);
	hint(gate, STAGE_CONNECT);
}

/* The same session in a new arena, without what depended on the old HELO name. */
static void session_renew(struct gate *gate)
{
	struct session *session = &gate->session;
	struct arena *old = session->arena, *arena = arena_new();
	struct slice *const texts[] = {&session->client_name, &session->daemon_name, &session->tls_version,
				       &session->tls_cipher,  &session->auth_user,   &session->auth_method};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = arena_copy(arena, *texts[i]);
	session->arena = arena;
	session->helo = SLICE("");
	gate->connection_memo = NULL;
	gate->connection_slots = NULL;
	arena_free(old);
}

void gate_helo(struct gate *gate, struct slice helo)
{
	gate_abort(gate);
	if (gate->session.helo.n || gate->used) { /* a MAIL before any HELO has also read the name */
		session_renew(gate);
		message_clear(gate);
	}
	gate->session.helo = arena_copy(gate->session.arena, slice_head(helo, MAIL_PATH_MAX));
	view_aim(gate);
	hint(gate, STAGE_HELO);
}

/* MTAs send the same values at every MAIL; only new ones are copied. */
static void remember(struct gate *gate, struct slice *known, struct slice value)
{
	if (!slice_equal(*known, value))
		*known = arena_copy(gate->session.arena, value);
}

void gate_tls(struct gate *gate, struct slice version, struct slice cipher)
{
	remember(gate, &gate->session.tls_version, version);
	remember(gate, &gate->session.tls_cipher, cipher);
}

void gate_auth(struct gate *gate, struct slice user, struct slice method)
{
	remember(gate, &gate->session.auth_user, user);
	remember(gate, &gate->session.auth_method, method);
}

/* Nothing is decided and no fact is read before MAIL, so an idle session has no memory for any. */
static void memos_make(struct gate *gate)
{
	struct arena *session = gate->session.arena, *message = gate->message.arena;

	if (!gate->connection_memo) {
		gate->connection_memo = arena_alloc(session, sizeof(*gate->connection_memo));
		gate->connection_slots = arena_alloc(session, CHECK_MAX * sizeof(*gate->connection_slots));
	}
	gate->outcome = arena_alloc(message, sizeof(*gate->outcome));
	gate->record = arena_alloc(message, sizeof(*gate->record));
	gate->view.connection_memo = gate->connection_memo;
	gate->view.connection_slots = gate->connection_slots;
	gate->view.message_memo = arena_alloc(message, sizeof(*gate->view.message_memo));
	gate->view.message_slots = arena_alloc(message, CHECK_MAX * sizeof(*gate->view.message_slots));
	if (gate->replay)
		replay_facts(gate);
}

struct path message_begin(struct gate *gate, struct slice argument, struct slice made, bool smtputf8)
{
	struct path sender;

	gate_abort(gate);
	if (gate->used)
		message_clear(gate);
	arena_expect(gate->message.arena, MESSAGE_BYTES);
	memos_make(gate);
	gate->used = gate->open = true;
	gate->began_wall_us = gate->view.now_us = gate->time_us ? gate->time_us : clock_wall_us();
	gate->message.case_id = gate->replay ? gate->replay->record->case_id : case_id_new(gate->message.arena);
	sender = path_read(argument, made, false, gate->message.arena);
	gate->message.sender = sender.address;
	path_note(gate, &sender, "sender");
	gate->message.smtputf8 = smtputf8;
	view_aim(gate);
	gate->engine->counters->messages++;
	gate->engine->counters->messages_open++;
	hint(gate, STAGE_MAIL);
	return sender;
}

/* When no recipient is left, the refusal of the first one is the reason. NULL: some are left. */
static const struct outcome *refusal_of_all(const struct gate *gate)
{
	for (size_t i = 0; i < gate->rcpt_count && gate->message.recipient_count == 0; i++)
		if (gate->rcpts[i].outcome.verdict != VERDICT_NONE)
			return &gate->rcpts[i].outcome;
	return NULL;
}

void gate_abort(struct gate *gate)
{
	struct told told = {.how = TOLD_NOBODY};
	const struct outcome *refusal;

	if (!gate->open)
		return;
	refusal = gate->decided ? NULL : refusal_of_all(gate);
	if (refusal) {
		*gate->outcome = *refusal;
		gate->decided_at = STAGE_RCPT;
		told = (struct told){.how = TOLD_AS_DECIDED, .verdict = refusal->verdict};
	}
	message_finish(gate, &told);
}

/* What the client was told about a message by the answer of the engine. */
static struct told told_of(const struct gate *gate, enum told_how how)
{
	enum verdict verdict = gate->outcome->verdict;

	if (how == TOLD_AS_DECIDED && gate->unable)
		how = TOLD_EDITS_FAILED;
	if (how == TOLD_NOBODY)
		return (struct told){.how = how, .verdict = VERDICT_NONE};
	if (how == TOLD_EDITS_FAILED)
		return (struct told){.how = how, .verdict = VERDICT_DEFER};
	if (verdict == VERDICT_NONE || verdict == VERDICT_ACCEPT)
		verdict = gate->decision.quarantined ? VERDICT_QUARANTINE : VERDICT_ACCEPT;
	return (struct told){.how = gate->late ? TOLD_LATE : how, .verdict = verdict};
}

void gate_done(struct gate *gate, const struct told *said)
{
	struct told told;

	if (!gate->open || !gate->decided)
		return;
	told = told_of(gate, said->how);
	message_finish(gate, &told);
}

const struct reply *gate_reply(const struct gate *gate)
{
	return gate->reply;
}

const struct change *gate_changes(const struct gate *gate, size_t *count_r)
{
	*count_r = gate->change_count;
	return gate->changes;
}

const struct slice *gate_quarantine(const struct gate *gate)
{
	return gate->decision.quarantined ? &gate->decision.quarantine_reason : NULL;
}

const struct record *gate_record(const struct gate *gate)
{
	return gate->recorded ? gate->record : NULL;
}

struct view *gate_view(struct gate *gate)
{
	return &gate->view;
}
