/*
 * stages.c - the stages of a message: each asks the policy and turns its decision into
 * an answer for the MTA.
 *
 * A rejection or deferral at connect, helo or mail is answered at MAIL and ends the message.
 * Discard is answered at the end, so that the record has the recipients; so is a refusal at a
 * step without reply. No rule is tried in between.
 *
 * An answer does not end the message: it is over when the door reports what the MTA was told (gate_done).
 */
#include "gate_private.h"
#include <string.h>

/* A callback: its time is counted, and no DNS question lasts longer than it. */
static int64_t callback_begin(struct gate *gate, int64_t limit_us)
{
	int64_t now = clock_us();

	dns_budget_deadline(gate->budget, now + limit_us);
	return now;
}

static void callback_end(struct gate *gate, enum meter_time which, int64_t began)
{
	int64_t took = clock_us() - began;

	gate->spent_us += took;
	meters_time(gate->engine->counters->meters, which, (uintptr_t)gate, took);
}

/* on-conflict split: a refused recipient is removed. */
static void held_apply(struct gate *gate)
{
	struct arena *arena = gate->message.arena;

	for (size_t i = 0; i < gate->decision.held_count; i++) {
		const struct held *held = &gate->decision.held[i];
		struct recipient *recipient = &gate->message.recipients[i];

		if (!held->removed || recipient->deleted)
			continue;
		recipient->deleted = true;
		decision_note(&gate->decision, NOTE_LOG,
			      arena_printf(arena, "%.*s was removed: %s %.*s", SLICE_ARGS(recipient->address.text),
					   verdict_names[held->verdict],
					   SLICE_ARGS(reply_print(&held->outcome.reply, arena))),
			      held->outcome.rule);
	}
}

static void run_policy(struct gate *gate, enum stage stage, struct outcome *outcome_r)
{
	bool quarantined = gate->decision.quarantined;

	gate->view.stage = stage;
	policy_run(gate->engine->policy, gate->view.kind, stage, &gate->view, gate->accepted, &gate->decision,
		   gate->tracer, outcome_r);
	if (gate->decision.quarantined && !quarantined)
		gate->quarantined_at = stage;
	if (gate->decision.held)
		held_apply(gate);
}

/* Runs the rules of one stage for the message. True when it ends here. */
static bool run_stage(struct gate *gate, enum stage stage)
{
	struct outcome outcome;

	run_policy(gate, stage, &outcome);
	if (outcome.verdict == VERDICT_NONE)
		return false;
	*gate->outcome = outcome;
	gate->decided_at = stage;
	gate->accepted = outcome.verdict == VERDICT_ACCEPT;
	return !gate->accepted;
}

/* What the outcome means for the MTA at the end of the message. */
static enum gate_answer end_answer(struct gate *gate)
{
	gate->decided = true;
	if (gate->outcome->verdict == VERDICT_DISCARD)
		return GATE_DISCARD;
	gate->reply = &gate->outcome->reply;
	return GATE_REFUSE;
}

/* This step has no reply: the refusal is the answer at the end of the message, and nothing before that counts. */
static enum gate_answer refuse_late(struct gate *gate)
{
	gate->ended_early = gate->late = true;
	return GATE_CONTINUE;
}

/* A refusal by the engine itself. */
static struct reply own_reply(unsigned code, struct slice enhanced, struct slice text)
{
	struct reply reply = {.code = code, .enhanced = enhanced, .lines = {text}, .line_count = 1};

	return reply;
}

/* RFC 3463 3.2: 5.1.7 bad sender, 5.1.3 bad recipient address syntax. */
static void refuse_path(const struct path *path, const char *enhanced, struct outcome *outcome_r)
{
	*outcome_r = (struct outcome){.verdict = VERDICT_REJECT,
				      .reply = own_reply(553, slice_of(enhanced), slice_of(path->refusal))};
}

/* The rules of connect, helo and mail. True when they end the message. */
static bool run_mail(struct gate *gate)
{
	int64_t began = callback_begin(gate, gate->abilities.wait_us);
	bool ends = false;

	for (enum stage stage = STAGE_CONNECT; stage <= STAGE_MAIL && !ends; stage++)
		ends = run_stage(gate, stage);
	callback_end(gate, METER_MAIL, began);
	return ends;
}

enum gate_answer gate_mail(struct gate *gate, struct slice argument, struct slice made, bool smtputf8)
{
	struct path sender = message_begin(gate, argument, made, smtputf8);

	if (sender.refusal) {
		refuse_path(&sender, "5.1.7", gate->outcome);
		gate->decided_at = STAGE_MAIL;
	} else if (!run_mail(gate)) {
		return GATE_CONTINUE;
	}
	if (gate->outcome->verdict == VERDICT_DISCARD) {
		gate->ended_early = true;
		return GATE_CONTINUE;
	}
	return gate->abilities.reply_mail ? end_answer(gate) : refuse_late(gate);
}

#define RCPTS_FIRST 2 /* most messages have one recipient; the room is doubled for more */

/* The answer to each recipient too many; stored once. */
static const struct reply *too_many_recipients(struct gate *gate)
{
	if (!gate->recipients_reply) {
		gate->recipients_reply = arena_raw(gate->message.arena, sizeof(*gate->recipients_reply));
		*gate->recipients_reply = own_reply(452, SLICE("4.5.3"), SLICE("Too many recipients"));
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
	gate->view.recipient = recipient;
	run_policy(gate, STAGE_RCPT, outcome_r);
	gate->view.recipient = NULL;
	recipient->deleted = gate->decision.recipient_deleted;
	gate->decision.recipient_deleted = false;
}

/* An outcome that cannot be the answer for its recipient becomes that of the message: nothing is let through. */
static enum gate_answer rcpt_refuse(struct gate *gate, struct rcpt_outcome *said, const struct recipient *recipient)
{
	if (gate->abilities.reply_rcpt) {
		gate->engine->counters->recipients_refused++;
		gate->session.refused++;
		gate->reply = &said->outcome.reply;
		return GATE_REFUSE;
	}
	*gate->outcome = said->outcome;
	gate->decided_at = STAGE_RCPT;
	said->outcome.verdict = VERDICT_NONE;
	recipient_keep(&gate->message, recipient);
	return refuse_late(gate);
}

static enum gate_answer rcpt_refuse_too_many(struct gate *gate)
{
	if (gate->late)
		return GATE_CONTINUE;
	gate->reply = too_many_recipients(gate);
	if (gate->abilities.reply_rcpt)
		return GATE_REFUSE;
	*gate->outcome = (struct outcome){.verdict = VERDICT_DEFER, .reply = *gate->reply};
	gate->decided_at = STAGE_RCPT;
	return refuse_late(gate);
}

/* A recipient without a domain from a stranger: the MTA does not tell which domain it adds. */
static bool is_nobodys(const struct gate *gate, const struct address *recipient)
{
	return gate->view.kind == KIND_INBOUND && recipient->domain.n == 0 &&
	       !slice_equal_nocase(recipient->local, SLICE("postmaster")); /* RFC 5321 4.5.1 */
}

/* The recipient, and the answer to it without the rules. */
static struct recipient rcpt_read(struct gate *gate, struct slice argument, struct slice made,
				  struct rcpt_outcome **said_r)
{
	struct path path = path_read(argument, made, true, gate->message.arena);

	if (!path.refusal && is_nobodys(gate, &path.address))
		path.refusal = "The recipient address has no domain; write it as <user@domain>";
	*said_r = rcpt_add(gate, path.address.text);
	path_note(gate, &path, "recipient");
	if (path.refusal)
		refuse_path(&path, "5.1.3", &(*said_r)->outcome);
	return (struct recipient){.address = path.address,
				  .said = arena_copy(gate->message.arena, slice_trim(argument))};
}

enum gate_answer gate_rcpt(struct gate *gate, struct slice argument, struct slice made)
{
	struct recipient recipient;
	struct rcpt_outcome *said;
	int64_t began;

	if (!gate->open || gate->decided)
		return GATE_CONTINUE;
	if (gate->rcpt_count >= ENGINE_RECIPIENTS_MAX)
		return rcpt_refuse_too_many(gate);
	recipient = rcpt_read(gate, argument, made, &said);
	if (gate->ended_early) {
		said->outcome.verdict = VERDICT_NONE;
	} else if (said->outcome.verdict == VERDICT_NONE) {
		began = callback_begin(gate, gate->abilities.wait_us);
		run_rcpt(gate, &recipient, &said->outcome);
		callback_end(gate, METER_RCPT, began);
	}
	gate->rcpt_accepted = gate->accepted || said->outcome.verdict == VERDICT_ACCEPT;
	if (said->outcome.verdict == VERDICT_REJECT || said->outcome.verdict == VERDICT_DEFER)
		return rcpt_refuse(gate, said, &recipient);
	said->outcome.verdict = VERDICT_NONE;
	recipient_keep(&gate->message, &recipient);
	return GATE_CONTINUE;
}

void gate_rcpt_refused(struct gate *gate)
{
	gate->session.refused++;
}

void gate_queue_id(struct gate *gate, struct slice queue_id)
{
	if (gate->open && !slice_equal(gate->message.queue_id, queue_id))
		gate->message.queue_id = arena_copy(gate->message.arena, slice_head(queue_id, 256));
}

/* `sekisho explain` shows every fact, so it reads every check. */
static bool is_read(struct gate *gate, const struct check *check)
{
	return gate->tracer || policy_uses_check(gate->engine->policy, gate->view.tenant, gate->view.kind, check);
}

void gate_header(struct gate *gate, struct slice name, struct slice value)
{
	struct headers *headers = &gate->message.headers;
	size_t before = headers->count;

	if (!gate->open || gate->decided)
		return;
	headers_add(headers, name, value);
	gate->message.size += name.n + strlen(":") + value.n + strlen("\r\n");
	if (headers->count == before || gate->ended_early)
		return;
	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->field && is_read(gate, checks[i]))
			checks[i]->field(&gate->view, &headers->fields[before]);
}

/* The header is complete: checks that need the body say so now. */
static void body_begin(struct gate *gate)
{
	if (gate->body_began || gate->ended_early || gate->message.headers.too_large || gate->replay)
		return;
	gate->body_began = true;
	gate->view.stage = STAGE_MESSAGE;
	if (policy_signs(gate->engine->policy, gate->view.tenant, gate->view.kind))
		sign_prepare(gate);
	footer_prepare(gate);
	bounce_begin(gate);
	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->header && is_read(gate, checks[i]))
			checks[i]->header(&gate->view);
}

void gate_body(struct gate *gate, struct slice chunk)
{
	int64_t began;

	if (!gate->open || gate->decided)
		return;
	began = clock_us();
	gate->message.size += chunk.n;
	body_begin(gate);
	for (struct sink *sink = gate->view.sinks; sink; sink = sink->next)
		sink->add(sink->context, chunk);
	callback_end(gate, METER_BODY, began);
}

/* The rules of the last stage. True when they end the message. */
static bool run_message(struct gate *gate)
{
	if (!gate->message.headers.too_large)
		return run_stage(gate, STAGE_MESSAGE);
	*gate->outcome = (struct outcome){
	    .verdict = VERDICT_REJECT,
	    .reply = own_reply(552, SLICE("5.3.4"), SLICE("The header of the message is too large")),
	};
	gate->decided_at = STAGE_MESSAGE;
	return true;
}

/* Is there a change that the door cannot make? A message is not let through as it is (a forged field still in it, not
 * held although it should be). */
static bool is_unable(const struct gate *gate)
{
	bool unable = gate->unusable || (gate->decision.quarantined && !gate->abilities.quarantine);

	for (size_t i = 0; i < gate->change_count; i++)
		unable |= !(gate->abilities.changes & 1u << gate->changes[i].kind);
	return unable;
}

/* Header, envelope and body. False when the envelope has no recipient left: then nothing can be let through. */
static bool make_changes(struct gate *gate)
{
	struct position rule;

	changes_make(gate);
	if (envelope_change(gate, &rule)) {
		footer_write(gate);
		return true;
	}
	gate->change_count = 0;
	*gate->outcome = (struct outcome){.verdict = VERDICT_DISCARD, .rule = rule};
	gate->decided_at = STAGE_MESSAGE;
	return false;
}

enum gate_answer gate_end(struct gate *gate)
{
	int64_t began;
	bool ends;

	if (!gate->open || gate->decided)
		return GATE_CONTINUE;
	if (gate->ended_early)
		return end_answer(gate);
	if (gate->abilities.envelope_only) {
		end_unseen(gate);
		return GATE_CONTINUE;
	}
	began = callback_begin(gate, gate->abilities.end_us);
	body_begin(gate);
	ends = run_message(gate) || (!gate->replay && !make_changes(gate));
	reports_judge(gate);
	callback_end(gate, METER_END, began);
	if (ends)
		return end_answer(gate);
	gate->decided = true;
	gate->unable = is_unable(gate);
	if (!gate->unable)
		return GATE_CONTINUE;
	gate->reply = gate_reply_unchanged();
	return GATE_REFUSE;
}
