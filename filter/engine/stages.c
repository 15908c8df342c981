/*
 * stages.c - the stages of a message: each asks the policy and turns its word into
 * an answer for the MTA.
 *
 * A rejection or deferral at connect, helo or mail is answered at MAIL and ends the message.
 * Discard is answered at the end, so that the record knows whom the mail was for; no rule
 * is tried in between.
 */
#include "gate_private.h"
#include <string.h>

/* A callback: its time is counted, and no DNS question in it outlasts its end. */
static int64_t callback_begin(struct gate *gate, int64_t limit_us)
{
	int64_t now = clock_us();

	dns_budget_deadline(gate->budget, now + limit_us);
	return now;
}

static void callback_end(struct gate *gate, int64_t began)
{
	gate->spent_us += clock_us() - began;
}

static void run_policy(struct gate *gate, enum stage stage, struct outcome *outcome_r)
{
	bool quarantined = gate->decision.quarantined;

	gate->view.stage = stage;
	policy_run(gate->engine->policy, gate->view.kind, stage, &gate->view, gate->accepted, &gate->decision,
		   gate->tracer, outcome_r);
	if (gate->decision.quarantined && !quarantined)
		gate->quarantined_at = stage;
}

/* Runs the rules of one stage that concern the whole message. True when it ends here. */
static bool run_stage(struct gate *gate, enum stage stage)
{
	struct outcome outcome;

	run_policy(gate, stage, &outcome);
	if (outcome.verdict == VERDICT_NONE)
		return false;
	gate->outcome = outcome;
	gate->decided_at = stage;
	gate->accepted = outcome.verdict == VERDICT_ACCEPT;
	return !gate->accepted;
}

static enum gate_answer refuse(struct gate *gate)
{
	gate->reply = &gate->outcome.reply;
	message_finish(gate, gate->outcome.verdict);
	return GATE_REFUSE;
}

enum gate_answer gate_mail(struct gate *gate, struct slice sender, bool smtputf8)
{
	int64_t began;
	bool ends = false;

	message_begin(gate, sender, smtputf8);
	began = callback_begin(gate, gate->abilities.wait_us);
	for (enum stage stage = STAGE_CONNECT; stage <= STAGE_MAIL && !ends; stage++)
		ends = run_stage(gate, stage);
	callback_end(gate, began);
	if (!ends)
		return GATE_CONTINUE;
	gate->ended_early = gate->outcome.verdict == VERDICT_DISCARD;
	return gate->ended_early ? GATE_CONTINUE : refuse(gate);
}

#define RCPTS_FIRST 2 /* most messages have one recipient; the room is doubled for more */

/* A refusal of our own, for a bound. */
static struct reply bound_reply(unsigned code, struct slice enhanced, struct slice text)
{
	struct reply reply = {.code = code, .enhanced = enhanced, .lines = {text}, .line_count = 1};

	return reply;
}

/* Said once to each recipient too many, kept once. */
static const struct reply *too_many_recipients(struct gate *gate)
{
	if (!gate->recipients_reply) {
		gate->recipients_reply = arena_raw(gate->message.arena, sizeof(*gate->recipients_reply));
		*gate->recipients_reply = bound_reply(452, SLICE("4.5.3"), SLICE("Too many recipients"));
	}
	return gate->recipients_reply;
}

static struct rcpt_outcome *rcpt_add(struct gate *gate, struct slice address)
{
	if (gate->rcpt_count == gate->rcpt_room) {
		size_t room = gate->rcpt_room ? gate->rcpt_room * 2 : RCPTS_FIRST;
		struct rcpt_outcome *rcpts = arena_raw(gate->message.arena, room * sizeof(*rcpts));

		if (gate->rcpt_count)
			memcpy(rcpts, gate->rcpts, gate->rcpt_count * sizeof(*rcpts));
		gate->rcpts = rcpts;
		gate->rcpt_room = room;
	}
	gate->rcpts[gate->rcpt_count] = (struct rcpt_outcome){.address = address};
	return &gate->rcpts[gate->rcpt_count++];
}

static void recipient_keep(struct message *message, const struct recipient *recipient)
{
	if (message->recipient_count == message->recipient_room) {
		size_t room = message->recipient_room ? message->recipient_room * 2 : RCPTS_FIRST;
		struct recipient *recipients = arena_raw(message->arena, room * sizeof(*recipients));

		if (message->recipient_count)
			memcpy(recipients, message->recipients, message->recipient_count * sizeof(*recipients));
		message->recipients = recipients;
		message->recipient_room = room;
	}
	message->recipients[message->recipient_count++] = *recipient;
}

static void run_rcpt(struct gate *gate, struct recipient *recipient, struct outcome *outcome_r)
{
	struct fact_memo *memo = gate->view.recipient_memo;

	if (!memo)
		memo = gate->view.recipient_memo = arena_raw(gate->message.arena, sizeof(*memo));
	memset(memo, 0, sizeof(*memo));
	gate->view.recipient = recipient;
	run_policy(gate, STAGE_RCPT, outcome_r);
	gate->view.recipient = NULL;
}

enum gate_answer gate_rcpt(struct gate *gate, struct slice argument)
{
	struct recipient recipient;
	struct rcpt_outcome *said;
	int64_t began;

	if (!gate->open)
		return GATE_CONTINUE;
	if (gate->rcpt_count >= ENGINE_RECIPIENTS_MAX) {
		gate->reply = too_many_recipients(gate);
		return GATE_REFUSE;
	}
	recipient.address = address_parse_path(argument, gate->message.arena);
	said = rcpt_add(gate, recipient.address.text);
	if (!gate->ended_early) {
		began = callback_begin(gate, gate->abilities.wait_us);
		run_rcpt(gate, &recipient, &said->outcome);
		callback_end(gate, began);
	}
	if (said->outcome.verdict != VERDICT_REJECT && said->outcome.verdict != VERDICT_DEFER) {
		said->outcome.verdict = VERDICT_NONE;
		recipient_keep(&gate->message, &recipient);
		return GATE_CONTINUE;
	}
	gate->engine->counters->recipients_refused++;
	gate->reply = &said->outcome.reply;
	return GATE_REFUSE;
}

void gate_queue_id(struct gate *gate, struct slice queue_id)
{
	if (gate->open && !slice_equal(gate->message.queue_id, queue_id))
		gate->message.queue_id = arena_copy(gate->message.arena, slice_head(queue_id, 256));
}

/* Explaining shows every fact, so there every check is read. */
static bool is_read(struct gate *gate, const struct check *check)
{
	return gate->tracer || policy_uses_check(gate->engine->policy, gate->view.kind, check);
}

void gate_header(struct gate *gate, struct slice name, struct slice value)
{
	struct headers *headers = &gate->message.headers;
	size_t before = headers->count;

	if (!gate->open)
		return;
	headers_add(headers, name, value);
	gate->message.size += name.n + strlen(":") + value.n + strlen("\r\n");
	if (headers->count == before || gate->ended_early)
		return;
	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->field && is_read(gate, checks[i]))
			checks[i]->field(&gate->view, &headers->fields[before]);
}

/* The header is complete: who wants the body says so now. */
static void body_begin(struct gate *gate)
{
	if (gate->body_began || gate->ended_early || gate->message.headers.too_large)
		return;
	gate->body_began = true;
	gate->view.stage = STAGE_MESSAGE;
	if (policy_signs(gate->engine->policy, gate->view.kind))
		sign_prepare(gate);
	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->header && is_read(gate, checks[i]))
			checks[i]->header(&gate->view);
}

void gate_body(struct gate *gate, struct slice chunk)
{
	int64_t began;

	if (!gate->open)
		return;
	began = clock_us();
	gate->message.size += chunk.n;
	body_begin(gate);
	for (struct sink *sink = gate->view.sinks; sink; sink = sink->next)
		sink->add(sink->context, chunk);
	callback_end(gate, began);
}

enum gate_answer gate_end(struct gate *gate)
{
	int64_t began;
	bool ends;

	if (!gate->open)
		return GATE_CONTINUE;
	if (gate->ended_early) {
		message_finish(gate, VERDICT_DISCARD);
		return GATE_DISCARD;
	}
	began = callback_begin(gate, gate->abilities.end_us);
	body_begin(gate);
	if (gate->message.headers.too_large) {
		gate->outcome = (struct outcome){
		    .verdict = VERDICT_REJECT,
		    .reply = bound_reply(552, SLICE("5.3.4"), SLICE("The header of the message is too large")),
		};
		gate->decided_at = STAGE_MESSAGE;
		ends = true;
	} else {
		ends = run_stage(gate, STAGE_MESSAGE);
	}
	if (!ends)
		changes_make(gate);
	callback_end(gate, began);
	if (ends && gate->outcome.verdict != VERDICT_DISCARD)
		return refuse(gate);
	if (ends) {
		message_finish(gate, VERDICT_DISCARD);
		return GATE_DISCARD;
	}
	message_finish(gate, gate->decision.quarantined ? VERDICT_QUARANTINE : VERDICT_ACCEPT);
	return GATE_CONTINUE;
}
