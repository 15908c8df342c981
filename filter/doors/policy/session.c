/*
 * session.c - the requests about one message, tied by their `instance`.
 *
 * Rules of connect, helo and mail run with the first request that has a sender, those of rcpt with each recipient. The
 * same recipient asked about again (several restrictions of Postfix ask) gets the same answer and counts once. The
 * message stage is not seen: with DATA, or the end of the message, the message counts as let through. A mail server
 * that never asks at DATA gets no such end; there the next message of the connection ends it, or time.
 *
 * Exim can say that the message follows by the rspamc door. Then what cannot be said before it (discard, quarantine)
 * waits for that door, and DATA parks the gate.
 */
#include "policy_private.h"
#include <stdlib.h>

static const struct abilities abilities = {.wait_us = 8 * 1000 * 1000,
					   .end_us = 8 * 1000 * 1000,
					   .reply_mail = true,
					   .reply_rcpt = true,
					   .quarantine = true,
					   .waiting = {.waits = server_waits},
					   .envelope_only = true};

struct policy_session {
	struct policy_session *next;
	uintptr_t id;      /* of instance and client; never 0 */
	struct gate *gate; /* NULL: it has ended */
	bool busy;         /* a worker has it */
	bool passed;       /* some recipient was let through */
	bool follows;      /* the message will come by another door */
	bool over;         /* that door has it now */
	char *recipient;   /* asked about last */
	char *action;      /* the answer to it, or to all further requests when the gate is NULL */
	int64_t used_us;
};

struct sessions {
	struct door_host *host;
	pthread_mutex_t lock;
	pthread_cond_t idle;          /* one is no longer busy */
	struct policy_session *first; /* used last */
	size_t count;
	uint64_t seed;
	_Atomic bool sees_data; /* this mail server asks at DATA */
};

/* ---- one session -------------------------------------------------------------------------------- */

static void session_say(struct policy_session *session, struct slice action)
{
	free(session->action);
	session->action = xmalloc(action.n + 1);
	memcpy(session->action, action.p, action.n);
}

/* The message is over: it counts when it was let through, as far as we know. */
static void session_end(struct policy_session *session, bool let_through)
{
	if (!session->gate)
		return;
	if (let_through) {
		gate_end(session->gate);
		gate_done(session->gate, &(struct told){.how = TOLD_AS_DECIDED});
	}
	gate_close(session->gate);
	session->gate = NULL;
}

static void session_free(struct policy_session *session)
{
	free(session->recipient);
	free(session->action);
	free(session);
}

/* A reply on one line; when a message follows, it is Exim that asks, and it gets every line. */
static void reply_print(const struct policy_session *session, const struct reply *reply, struct text *text)
{
	char between = session->follows ? '\n' : ' ';

	text_add_number(text, reply->code, 3);
	text_add_char(text, ' ');
	text_add(text, reply->enhanced);
	for (size_t i = 0; i < reply->line_count; i++) {
		text_add_char(text, i == 0 ? ' ' : between);
		text_add(text, reply->lines[i]);
	}
}

static struct slice known_name(struct slice name)
{
	return slice_equal(name, SLICE("unknown")) ? SLICE("") : name;
}

static unsigned port_of(struct slice text)
{
	uint64_t port;

	return slice_number(text, 65535, &port) == 0 ? (unsigned)port : 0;
}

static void session_connect(struct policy_session *session, const struct policy_request *request)
{
	struct connection connection = {.client_port = port_of(request->client_port),
					.client_name = known_name(request->client_name),
					.daemon_name = request->policy_context,
					.daemon_port = port_of(request->server_port)};

	if (ip_parse(request->client_address, &connection.client) != 0)
		connection.client.family = 0;
	/* Exim: a message that a program of its host submits has no client */
	connection.local_program = request->client_address.p && request->client_address.n == 0;
	gate_connect(session->gate, &connection);
	if (request->helo_name.n > 0)
		gate_helo(session->gate, request->helo_name);
	gate_tls(session->gate, request->encryption_protocol, request->encryption_cipher);
	gate_auth(session->gate, request->sasl_username, request->sasl_method);
}

/* Begins the message. A refusal ends it: it is the answer to all further requests. */
static void session_begin(struct sessions *sessions, struct policy_session *session,
			  const struct policy_request *request, struct arena *arena)
{
	struct engine *engine = sessions->host->engine(sessions->host);
	struct text text;

	session->follows = request_message_follows(request);
	session->gate = gate_open(engine, &abilities);
	engine_release(engine);
	session_connect(session, request);
	if (gate_mail(session->gate, address_path(request->sender, arena), MADE_UNKNOWN,
		      !slice_is_ascii(request->sender) || !slice_is_ascii(request->recipient)) == GATE_CONTINUE)
		return;
	text_init(&text, arena, SERVER_ANSWER_MAX);
	reply_print(session, gate_reply(session->gate), &text);
	session_say(session, text_slice(&text));
	session_end(session, true);
}

/* What there is to say about a message that was not refused. */
static void permit_print(const struct policy_session *session, bool recipient, struct text *text)
{
	const struct slice *reason = gate_quarantine(session->gate);

	if (gate_discards(session->gate) && !session->follows)
		text_add(text, SLICE("DISCARD"));
	else if (reason && !session->follows)
		text_printf(text, "HOLD %.*s", SLICE_ARGS(*reason));
	else if (recipient && gate_permits(session->gate))
		text_add(text, SLICE("OK"));
	else
		text_add(text, SLICE("DUNNO"));
}

static void session_rcpt(struct policy_session *session, const struct policy_request *request, struct arena *arena)
{
	enum gate_answer answer;
	struct text text;

	if (session->recipient && slice_equal(slice_of(session->recipient), request->recipient))
		return;
	free(session->recipient);
	session->recipient = xmalloc(request->recipient.n + 1);
	if (request->recipient.n)
		memcpy(session->recipient, request->recipient.p, request->recipient.n);
	answer = gate_rcpt(session->gate, address_path(request->recipient, arena), MADE_UNKNOWN);
	text_init(&text, arena, SERVER_ANSWER_MAX);
	if (answer == GATE_CONTINUE) {
		session->passed = true;
		permit_print(session, true, &text);
	} else {
		reply_print(session, gate_reply(session->gate), &text);
	}
	session_say(session, text_slice(&text));
	if (gate_discards(session->gate) && !session->follows) /* Postfix asks nothing more about it */
		session_end(session, true);
}

static void session_data(struct sessions *sessions, struct policy_session *session,
			 const struct policy_request *request, struct arena *arena)
{
	struct text text;

	/* the first question about this message: there is no answer to a single recipient */
	if (!session->recipient && request->recipient.n > 0)
		session_rcpt(session, request, arena);
	if (!session->gate)
		return;
	text_init(&text, arena, SERVER_ANSWER_MAX);
	permit_print(session, false, &text);
	session_say(session, text_slice(&text));
	session->over = session->follows && parked_put(sessions->host->parked, request->queue_id, session->gate);
	if (session->over)
		session->gate = NULL;
	session_end(session, true);
}

/* ---- all of them ---------------------------------------------------------------------------------- */

struct sessions *sessions_new(struct door_host *host)
{
	struct sessions *sessions = xmalloc(sizeof(*sessions));

	sessions->host = host;
	sessions->seed = random_seed();
	pthread_mutex_init(&sessions->lock, NULL);
	pthread_cond_init(&sessions->idle, NULL);
	return sessions;
}

static uintptr_t id_of(const struct sessions *sessions, const struct policy_request *request)
{
	uint64_t id = hash_slice(request->instance, sessions->seed);

	id = hash_slice(request->client_address, id);
	return (uintptr_t)id | 1;
}

/* The lock is held. */
static struct policy_session **find(struct sessions *sessions, uintptr_t id)
{
	struct policy_session **link = &sessions->first;

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

/* Takes it out of the list. The lock is held, and it is not busy. */
static struct policy_session *take_out(struct sessions *sessions, struct policy_session **link)
{
	struct policy_session *session = *link;

	*link = session->next;
	sessions->count--;
	return session;
}

static void put_in(struct sessions *sessions, struct policy_session *session)
{
	session->next = sessions->first;
	sessions->first = session;
	sessions->count++;
}

static void drop(struct sessions *sessions, struct policy_session *session)
{
	session_end(session, session->passed && !sessions->sees_data);
	session_free(session);
}

/* The oldest that no worker has; NULL: all are busy. The lock is held. */
static struct policy_session *take_oldest(struct sessions *sessions)
{
	struct policy_session **oldest = NULL;

	for (struct policy_session **link = &sessions->first; *link; link = &(*link)->next)
		if (!(*link)->busy)
			oldest = link;
	return oldest ? take_out(sessions, oldest) : NULL;
}

/* The session of the request, for this worker alone; a new one has neither gate nor action. */
static struct policy_session *session_take(struct sessions *sessions, uintptr_t id)
{
	struct policy_session *session, *dropped = NULL;

	pthread_mutex_lock(&sessions->lock);
	while ((session = *find(sessions, id)) && session->busy) {
		server_waits(NULL, true);
		pthread_cond_wait(&sessions->idle, &sessions->lock);
	}
	if (session) {
		take_out(sessions, find(sessions, id));
	} else {
		dropped = sessions->count >= SESSIONS_MAX ? take_oldest(sessions) : NULL;
		session = xmalloc(sizeof(*session));
		session->id = id;
	}
	session->busy = true;
	put_in(sessions, session);
	pthread_mutex_unlock(&sessions->lock);
	if (dropped)
		drop(sessions, dropped);
	return session;
}

/* The lock is held. */
static struct policy_session **link_of(struct sessions *sessions, const struct policy_session *session)
{
	struct policy_session **link = &sessions->first;

	while (*link != session)
		link = &(*link)->next;
	return link;
}

/* One whose message another door has has no more questions: it is not looked through by those of others. */
static void session_give_back(struct sessions *sessions, struct policy_session *session)
{
	bool over = session->over;

	pthread_mutex_lock(&sessions->lock);
	session->busy = false;
	session->used_us = clock_us();
	if (over)
		take_out(sessions, link_of(sessions, session));
	pthread_cond_broadcast(&sessions->idle);
	pthread_mutex_unlock(&sessions->lock);
	if (over)
		session_free(session);
}

/* The connection begins another message. */
static void end_last(struct sessions *sessions, uintptr_t last)
{
	struct policy_session *session, **link;

	pthread_mutex_lock(&sessions->lock);
	link = find(sessions, last);
	session = *link && !(*link)->busy ? take_out(sessions, link) : NULL;
	pthread_mutex_unlock(&sessions->lock);
	if (session)
		drop(sessions, session);
}

void sessions_expire(struct sessions *sessions)
{
	int64_t before = clock_us() - SESSION_LIFE_US;
	struct policy_session *session;

	do {
		struct policy_session **link = &sessions->first;

		pthread_mutex_lock(&sessions->lock);
		while (*link && ((*link)->busy || (*link)->used_us > before))
			link = &(*link)->next;
		session = *link ? take_out(sessions, link) : NULL;
		pthread_mutex_unlock(&sessions->lock);
		if (session)
			drop(sessions, session);
	} while (session);
}

void sessions_free(struct sessions *sessions)
{
	while (sessions->first)
		drop(sessions, take_out(sessions, &sessions->first));
	pthread_cond_destroy(&sessions->idle);
	pthread_mutex_destroy(&sessions->lock);
	free(sessions);
}

/* ---- answering -------------------------------------------------------------------------------------- */

static bool is_state(const struct policy_request *request, const char *state)
{
	return slice_equal(request->protocol_state, slice_of(state));
}

/* Before MAIL no rule is decided. Postfix has no instance before RCPT: its MAIL is answered from a session of its own,
 * which the first recipient repeats. */
void sessions_answer(struct sessions *sessions, const struct policy_request *request, uintptr_t *last,
		     struct text *action)
{
	bool data = is_state(request, "DATA") || is_state(request, "END-OF-MESSAGE"), rcpt = is_state(request, "RCPT");
	bool alone = request->instance.n == 0;
	struct policy_session *session;
	struct arena *arena;
	uintptr_t id;

	if (!data && !rcpt && !is_state(request, "MAIL")) {
		text_add(action, SLICE("DUNNO"));
		return;
	}
	if (data)
		sessions->sees_data = true;
	id = id_of(sessions, request);
	if (!alone && *last && *last != id)
		end_last(sessions, *last);
	if (!alone)
		*last = id;
	session = alone ? xmalloc(sizeof(*session)) : session_take(sessions, id);
	arena = arena_new();
	if (!session->gate && !session->action)
		session_begin(sessions, session, request, arena);
	if (session->gate && request->queue_id.n > 0)
		gate_queue_id(session->gate, request->queue_id);
	if (session->gate && rcpt)
		session_rcpt(session, request, arena);
	if (session->gate && data)
		session_data(sessions, session, request, arena);
	text_add(action, session->action ? slice_of(session->action) : SLICE("DUNNO"));
	arena_free(arena);
	if (!alone)
		session_give_back(sessions, session);
	else
		drop(sessions, session);
}
