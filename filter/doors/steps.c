/*
 * steps.c - what each command of an MTA tells the gate, and what a verdict means for the answer.
 *
 * step_answer() is the one place that turns a verdict into an answer. At a step that was negotiated without reply the
 * engine gives none.
 */
#include "milter.h"
#include <limits.h>
#include <string.h>
#include <strings.h>

#define PATIENCE_US (100 * 1000) /* no MTA gives up earlier */

static struct slice macro(struct steps *steps, const char *name)
{
	return slice_head(slice_of(steps->mta->macro(steps->context, name)), MACRO_MAX);
}

static struct connect_macros connect_macros(struct steps *steps)
{
	const struct mta *mta = steps->mta;

	return (struct connect_macros){
	    .client_name = mta->macro(steps->context, "{client_name}"),
	    .client_resolve = mta->macro(steps->context, "{client_resolve}"),
	    .daemon_name = mta->macro(steps->context, "{daemon_name}"),
	    .daemon_port = mta->macro(steps->context, "{daemon_port}"),
	    .daemon_addr = mta->macro(steps->context, "{daemon_addr}"),
	};
}

/* ---- a session and its messages ------------------------------------------------------------ */

static void session_open(struct steps *steps)
{
	struct abilities abilities = negotiate_abilities(&steps->terms);

	abilities.waiting = (struct wait_hook){steps->mta->waits, steps->context};
	steps->gate = gate_open(steps->engine, &abilities);
}

void steps_begin(struct steps *steps, unsigned long offered_actions, unsigned long offered_steps)
{
	steps->engine = steps->host->engine(steps->host);
	steps->terms = negotiate_terms(wishes_of(engine_policy(steps->engine)), offered_actions, offered_steps);
	session_open(steps);
}

static void message_open(struct steps *steps)
{
	if (!steps->open)
		steps->host->messages_open++;
	steps->open = true;
	steps->queue_id = false;
}

static void message_close(struct steps *steps)
{
	if (steps->open)
		steps->host->messages_open--;
	steps->open = false;
}

static void session_close(struct steps *steps)
{
	message_close(steps);
	gate_close(steps->gate);
	steps->gate = NULL;
	client_free(&steps->client);
}

void steps_renew(struct steps *steps)
{
	session_close(steps);
	session_open(steps);
}

void steps_end(struct steps *steps)
{
	session_close(steps);
	engine_release(steps->engine);
}

/* The message is over: the MTA gets this answer now. */
static void message_done(struct steps *steps, enum told_how how)
{
	gate_done(steps->gate, &(struct told){.how = how});
	message_close(steps);
}

static enum step_answer refuse(struct steps *steps, enum gate_answer answer)
{
	if (answer == GATE_DISCARD)
		return STEP_DISCARD;
	steps->reply = gate_reply(steps->gate);
	return STEP_REFUSE;
}

/* The answer at a step before the end. `mute` is the MUTE_ bit of the step. */
static enum step_answer step_answer(struct steps *steps, unsigned long mute, enum gate_answer answer)
{
	enum step_answer refusal;

	if (answer == GATE_CONTINUE)
		return (steps->terms.steps & mute) != 0 ? STEP_MUTE : STEP_CONTINUE;
	refusal = refuse(steps, answer);
	if (mute != MUTE_RCPT) /* a refused recipient does not end the message */
		message_done(steps, TOLD_AS_DECIDED);
	return refusal;
}

/* ---- what is known at several steps ---------------------------------------------------------- */

static void tell_client(struct steps *steps)
{
	const struct client *client = &steps->client;

	gate_connect(steps->gate, &(struct connection){
				      .client = client->ip,
				      .client_port = client->port,
				      .client_name = slice_of(client->name),
				      .daemon_name = slice_of(client->daemon_name),
				      .daemon_port = client->daemon_port,
				      .local_program = client->local_program,
				      .daemon_ip = client->daemon_ip,
				  });
}

/* An MTA that cannot be asked for macros may name the service only now. */
static void tell_service(struct steps *steps)
{
	struct connect_macros macros = connect_macros(steps);

	if (client_complete(&steps->client, &macros))
		tell_client(steps);
}

static void tell_tls(struct steps *steps)
{
	gate_tls(steps->gate, macro(steps, "{tls_version}"), macro(steps, "{cipher}"));
}

/* Sendmail has a queue id at MAIL, Postfix at the second RCPT or after the last. */
static void tell_queue_id(struct steps *steps)
{
	struct slice id;

	if (steps->queue_id || !steps->open)
		return;
	id = macro(steps, "i");
	if (id.n == 0)
		return;
	gate_queue_id(steps->gate, id);
	steps->queue_id = true;
}

/* ---- connection and envelope ------------------------------------------------------------------ */

enum step_answer step_connect(struct steps *steps, const char *host, const struct sockaddr *address)
{
	struct connect_macros macros = connect_macros(steps);

	client_free(&steps->client);
	client_read(host, address, &macros, &steps->client);
	tell_client(steps);
	tell_tls(steps); /* Postfix's smtps is encrypted before HELO */
	return step_answer(steps, MUTE_CONNECT, GATE_CONTINUE);
}

enum step_answer step_helo(struct steps *steps, const char *helo)
{
	message_close(steps); /* RFC 5321 4.1.4: HELO ends a message that is open */
	tell_service(steps);
	tell_tls(steps);
	gate_helo(steps->gate, slice_of(helo));
	return step_answer(steps, MUTE_HELO, GATE_CONTINUE);
}

/* RFC 6531 3.4 */
static bool argument_given(char **arguments, const char *name)
{
	for (; *arguments; arguments++)
		if (strcasecmp(*arguments, name) == 0)
			return true;
	return false;
}

enum step_answer step_mail(struct steps *steps, char **arguments)
{
	enum gate_answer answer;

	tell_service(steps);
	tell_tls(steps);
	gate_auth(steps->gate, macro(steps, "{auth_authen}"), macro(steps, "{auth_type}"));
	message_open(steps);
	answer = gate_mail(steps->gate, slice_of(arguments[0]), macro(steps, "{mail_addr}"),
			   argument_given(arguments + 1, "SMTPUTF8"));
	tell_queue_id(steps);
	return step_answer(steps, MUTE_MAIL, answer);
}

enum step_answer step_rcpt(struct steps *steps, const char *path)
{
	enum gate_answer answer = GATE_CONTINUE;

	tell_queue_id(steps);
	/* Postfix and Sendmail: one that is refused already. Sendmail tells of unknown users only. */
	if (slice_equal(macro(steps, "{rcpt_mailer}"), SLICE("error")))
		gate_rcpt_refused(steps->gate);
	else if (steps->open)
		answer = gate_rcpt(steps->gate, slice_of(path), macro(steps, "{rcpt_addr}"));
	return step_answer(steps, MUTE_RCPT, answer);
}

enum step_answer step_data(struct steps *steps)
{
	tell_queue_id(steps);
	return step_answer(steps, MUTE_DATA, GATE_CONTINUE);
}

void step_abort(struct steps *steps)
{
	if (steps->open)
		gate_abort(steps->gate);
	message_close(steps);
}

/* ---- the message ------------------------------------------------------------------------------- */

/* Without LEADING_SPACE the MTA removes one space and restores it itself; the engine sees only one form. */
static void tell_header(struct steps *steps, struct slice name, struct slice value)
{
	struct arena *arena;

	if (steps->terms.leading_space) {
		gate_header(steps->gate, name, value);
		return;
	}
	arena = arena_new();
	gate_header(steps->gate, name, arena_printf(arena, " %.*s", SLICE_ARGS(value)));
	arena_free(arena);
}

enum step_answer step_header(struct steps *steps, struct slice name, struct slice value)
{
	tell_queue_id(steps);
	if (steps->open)
		tell_header(steps, name, value);
	return step_answer(steps, MUTE_HEADER, GATE_CONTINUE);
}

enum step_answer step_eoh(struct steps *steps)
{
	tell_queue_id(steps);
	return step_answer(steps, MUTE_EOH, GATE_CONTINUE);
}

enum step_answer step_body(struct steps *steps, struct slice chunk)
{
	if (steps->open)
		gate_body(steps->gate, chunk);
	if (steps->terms.skip_body)
		return STEP_SKIP;
	return step_answer(steps, MUTE_BODY, GATE_CONTINUE);
}

/* ---- the end of the message ---------------------------------------------------------------------- */

static struct request field_request(struct steps *steps, const struct change *change, struct arena *arena)
{
	struct slice value = change->value;
	struct request request = {.name = arena_cstring(arena, change->name)};

	if (!steps->terms.leading_space && value.n > 0 && value.p[0] == ' ')
		value = slice_from(value, 1);
	request.value = change->kind == CHANGE_DELETE ? NULL : arena_cstring(arena, value);
	request.kind = REQUEST_INSERT_FIELD;
	if (change->kind == CHANGE_INSERT) /* 0: above the Received field that the MTA puts on top */
		request.index = 0;
	else if (change->kind == CHANGE_APPEND) /* an index beyond the last field means the end, for both MTAs */
		request.index = INT_MAX;
	else
		request.index = change->index, request.kind = REQUEST_CHANGE_FIELD;
	return request;
}

static struct request request_of(struct steps *steps, const struct change *change, struct arena *arena)
{
	static const enum request_kind kinds[CHANGE_COUNT] = {[CHANGE_SENDER] = REQUEST_SENDER,
							      [CHANGE_ADD_RECIPIENT] = REQUEST_ADD_RECIPIENT,
							      [CHANGE_DELETE_RECIPIENT] = REQUEST_DELETE_RECIPIENT};

	switch (change->kind) {
	case CHANGE_SENDER:
	case CHANGE_ADD_RECIPIENT:
	case CHANGE_DELETE_RECIPIENT:
		return (struct request){.kind = kinds[change->kind], .value = arena_cstring(arena, change->value)};
	case CHANGE_BODY:
		return (struct request){.kind = REQUEST_BODY, .body = change->value};
	default:
		return field_request(steps, change, arena);
	}
}

static int requests_send(struct steps *steps, struct arena *arena)
{
	const struct slice *reason = gate_quarantine(steps->gate);
	size_t count;
	const struct change *changes = gate_changes(steps->gate, &count);
	struct request request;

	for (size_t i = 0; i < count; i++) {
		request = request_of(steps, &changes[i], arena);
		if (steps->mta->request(steps->context, &request) != 0)
			return -1;
	}
	if (!reason)
		return 0;
	request = (struct request){.kind = REQUEST_QUARANTINE,
				   .value = arena_cstring(arena, reason->n > 0 ? *reason : SLICE("policy"))};
	return steps->mta->request(steps->context, &request);
}

/* An MTA disconnects while it waits, so an answer that came at once needs no look. */
static bool mta_is_gone(struct steps *steps, int64_t began_us, bool edited)
{
	return clock_us() - began_us >= PATIENCE_US && steps->mta->gone(steps->context, edited);
}

/* A message that could not be changed as decided is not let through: the client tries again. */
static enum step_answer refuse_unchanged(struct steps *steps)
{
	report_line(steps->host->report, "error",
		    "the mail server did not accept all changes of a message (it offered actions 0x%lx); the message "
		    "was deferred",
		    steps->terms.actions);
	message_done(steps, TOLD_EDITS_FAILED);
	steps->reply = gate_reply_unchanged();
	return STEP_REFUSE;
}

static enum step_answer let_through(struct steps *steps, int64_t began_us)
{
	struct arena *arena = arena_new();
	int result = requests_send(steps, arena);
	size_t count;

	arena_free(arena);
	gate_changes(steps->gate, &count);
	if (mta_is_gone(steps, result == 0 ? began_us : 0, count > 0)) {
		message_done(steps, TOLD_NOBODY);
		return STEP_TEMPFAIL;
	}
	if (result != 0)
		return refuse_unchanged(steps);
	message_done(steps, TOLD_AS_DECIDED);
	return STEP_CONTINUE;
}

enum step_answer step_end(struct steps *steps)
{
	int64_t began = clock_us();
	enum step_answer refusal;
	enum gate_answer answer;
	bool gone;

	if (!steps->open)
		return STEP_TEMPFAIL;
	tell_queue_id(steps);
	steps->mta->busy(steps->context, true);
	answer = gate_end(steps->gate);
	steps->mta->busy(steps->context, false);
	if (answer == GATE_CONTINUE)
		return let_through(steps, began);
	gone = mta_is_gone(steps, began, false);
	refusal = refuse(steps, answer);
	message_done(steps, gone ? TOLD_NOBODY : TOLD_AS_DECIDED);
	return refusal;
}
