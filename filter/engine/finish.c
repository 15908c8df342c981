/*
 * finish.c - the end of a message: its record is filled, counted and reported.
 * Every message that began with MAIL has exactly one.
 */
#include "dnsbl.h"
#include "gate_private.h"
#include <string.h>

#define REPLY_TEXT_MAX ((size_t)REPLY_LINES_MAX * (REPLY_LINE_MAX + 32)) /* each with its code and enhanced code */

struct slice position_print(struct position position, struct arena *arena)
{
	char line[NUMBER_TEXT];

	if (!position.file)
		return SLICE("");
	return arena_join(arena, slice_of(position.file), SLICE(":"), number_print(position.line, line));
}

struct slice reply_print(const struct reply *reply, struct arena *arena)
{
	struct text text;

	if (!reply->code)
		return SLICE("");
	text_init(&text, arena, REPLY_TEXT_MAX);
	for (size_t i = 0; i < reply->line_count; i++) {
		bool last = i + 1 == reply->line_count;

		text_add_number(&text, reply->code, 3);
		text_add_char(&text, last ? ' ' : '-');
		text_add(&text, reply->enhanced);
		text_add(&text, reply->enhanced.n > 0 ? SLICE(" ") : SLICE(""));
		text_add(&text, reply->lines[i]);
		text_add(&text, last ? SLICE("") : SLICE("\n"));
	}
	return text_slice(&text);
}

static void record_value(struct record_fact *fact, struct slice name, const struct value *value, struct arena *arena)
{
	*fact = (struct record_fact){.name = name, .form = RECORD_NULL};
	if (value->state != VALUE_SET)
		return;
	switch (value->type) {
	case TYPE_BOOL:
		fact->form = RECORD_BOOL;
		fact->number = value->boolean;
		return;
	case TYPE_NUMBER:
		fact->form = RECORD_NUMBER;
		fact->number = value->number;
		return;
	default:
		fact->form = RECORD_TEXT;
		fact->text = value_print(value, arena);
	}
}

/* A result that somebody asked for, or that costs nothing: not to be missing when the administrator asks why. */
static bool is_recorded(const struct gate *gate, const struct check *check, const struct fact *fact)
{
	return fact->recorded && (!check->judged || check->judged(&gate->view));
}

/* The value of a fact that was read, or NULL; with record { facts all } it is read now, and one that is always
 * recorded is, if there is a value. Those of a recipient are in the list of recipients. */
static const struct value *known_value(struct gate *gate, const struct check *check, const struct fact *fact,
				       unsigned number)
{
	const struct fact_memo *memo =
	    fact->scope == SCOPE_CONNECTION ? gate->view.connection_memo : gate->view.message_memo;

	if (fact->scope == SCOPE_RECIPIENT || fact->argument || fact->apart)
		return NULL;
	if (memo->values[number])
		return memo->values[number];
	if (gate->settings->record_all_facts)
		fact_get(&gate->view, fact, NO_ARGUMENT);
	else if (is_recorded(gate, check, fact) && fact_get(&gate->view, fact, NO_ARGUMENT).state != VALUE_SET)
		return NULL;
	return memo->values[number];
}

/* header("Subject") */
static struct slice name_with_argument(const struct known_fact *known, struct arena *arena)
{
	return arena_join(arena, slice_of(known->fact->name), SLICE("(\""), known->argument.text, SLICE("\")"));
}

/* Facts with an argument that were read in one scope. The next free place. */
static struct record_fact *record_arguments(struct record_fact *fact, const struct fact_memo *memo, struct arena *arena)
{
	const struct fact_list *list = &memo->with_argument;

	for (unsigned i = 0; i < list->count; i++)
		if (!list->items[i].fact->apart)
			record_value(fact++, name_with_argument(&list->items[i], arena), &list->items[i].value, arena);
	return fact;
}

static void record_facts(struct gate *gate)
{
	struct arena *arena = gate->message.arena;
	const struct fact_memo *connection = gate->view.connection_memo, *message = gate->view.message_memo;
	const struct fact *facts[FACT_MAX];
	const struct value *values[FACT_MAX];
	struct record_fact *fact;
	unsigned number = 0;
	size_t count = 0, with_argument = connection->with_argument.count + message->with_argument.count;

	for (unsigned i = 0; checks[i]; i++)
		for (unsigned j = 0; j < checks[i]->fact_count; j++, number++) {
			facts[count] = &checks[i]->facts[j];
			values[count] = known_value(gate, checks[i], facts[count], number);
			count += values[count] ? 1 : 0;
		}
	gate->record->facts = fact = arena_raw(arena, (count + with_argument) * sizeof(*fact));
	for (size_t i = 0; i < count; i++)
		record_value(fact++, slice_of(facts[i]->name), values[i], arena);
	fact = record_arguments(fact, connection, arena);
	fact = record_arguments(fact, message, arena);
	gate->record->fact_count = (size_t)(fact - gate->record->facts);
}

static void record_recipients(struct gate *gate)
{
	struct arena *arena = gate->message.arena;
	struct record_recipient *recipients = arena_alloc(arena, (gate->rcpt_count + 1) * sizeof(*recipients));

	for (size_t i = 0; i < gate->rcpt_count; i++) {
		const struct outcome *outcome = &gate->rcpts[i].outcome;

		recipients[i].address = gate->rcpts[i].address;
		if (outcome->verdict == VERDICT_NONE)
			continue;
		recipients[i].verdict = slice_of(verdict_names[outcome->verdict]);
		recipients[i].reply = reply_print(&outcome->reply, arena);
		recipients[i].rule = position_print(outcome->rule, arena);
	}
	gate->record->recipients = recipients;
	gate->record->recipient_count = gate->rcpt_count;
}

static void record_notes(struct gate *gate)
{
	static const char *const kinds[] = {[NOTE_LOG] = "log",
					    [NOTE_WOULD] = "would",
					    [NOTE_UNKNOWN] = "unknown",
					    [NOTE_OVERRIDE] = "override",
					    [NOTE_NOTIFY] = "notify"};
	struct arena *arena = gate->message.arena;
	const struct decision *decision = &gate->decision;
	struct record_note *notes = arena_raw(arena, (decision->note_count + 1) * sizeof(*notes));

	for (size_t i = 0; i < decision->note_count; i++)
		notes[i] = (struct record_note){
		    .kind = slice_of(kinds[decision->notes[i].kind]),
		    .rule = position_print(decision->notes[i].rule, arena),
		    .text = decision->notes[i].text,
		};
	gate->record->notes = notes;
	gate->record->note_count = decision->note_count;
}

/* The score with its reasons, and the variables that are set. */
static void record_noted(struct gate *gate)
{
	struct arena *arena = gate->message.arena;
	const struct decision *decision = &gate->decision;
	struct record_score *scores = arena_raw(arena, (decision->score_count + 1) * sizeof(*scores));
	size_t count;
	const struct variable *variables = policy_variables(gate->engine->policy, &count);
	struct record_fact *vars = arena_raw(arena, (count + 1) * sizeof(*vars));

	for (size_t i = 0; i < decision->score_count; i++)
		scores[i] =
		    (struct record_score){decision->scores[i].points, position_print(decision->scores[i].rule, arena),
					  decision->scores[i].why};
	gate->record->scores = scores;
	gate->record->score_count = decision->score_count;
	gate->record->score = decision->noted.score;
	gate->record->vars = vars;
	for (size_t i = 0; decision->noted.vars && i < count; i++)
		if (decision->noted.vars[i].p)
			vars[gate->record->var_count++] = (struct record_fact){
			    .name = variables[i].name, .form = RECORD_TEXT, .text = decision->noted.vars[i]};
}

/* Texts of the session are copied: a HELO may free them while the record is still in use. */
static void record_session(struct gate *gate)
{
	struct arena *arena = gate->message.arena;
	const struct session *session = &gate->session;
	char buffer[IP_TEXT];

	gate->record->client = arena_copy(arena, ip_print(session->client, buffer));
	gate->record->client_name = arena_copy(arena, session->client_name);
	gate->record->helo = arena_copy(arena, session->helo);
	gate->record->kind = slice_of(kind_names[gate->view.kind]);
	gate->record->tenant = tenant_name(gate->view.tenant);
}

static const char *const told_words[] = {
    [TOLD_AS_DECIDED] = "", [TOLD_LATE] = "held", [TOLD_EDITS_FAILED] = "edits-failed", [TOLD_NOBODY] = "unanswered"};

static void note_undone(struct gate *gate, const char *why)
{
	enum verdict verdict = gate->outcome->verdict;

	if (verdict == VERDICT_NONE || verdict == VERDICT_ACCEPT)
		verdict = gate->decision.quarantined ? VERDICT_QUARANTINE : VERDICT_ACCEPT;
	decision_note(&gate->decision, NOTE_LOG,
		      arena_printf(gate->message.arena, "%s; the decision was %s", why, verdict_names[verdict]),
		      gate->outcome->rule);
}

/* The decision was the answer. */
static void record_verdict(struct gate *gate, enum verdict verdict)
{
	struct arena *arena = gate->message.arena;
	struct record *record = gate->record;

	record->rule =
	    position_print(verdict == VERDICT_QUARANTINE ? gate->decision.quarantine_rule : gate->outcome->rule, arena);
	if (verdict == VERDICT_REJECT || verdict == VERDICT_DEFER)
		record->reply = reply_print(&gate->outcome->reply, arena);
	if (verdict == VERDICT_QUARANTINE) {
		record->quarantine = gate->decision.quarantine_reason;
		record->stage = slice_of(stage_names[gate->quarantined_at]);
	} else if (gate->outcome->verdict != VERDICT_NONE) {
		record->stage = slice_of(stage_names[gate->decided_at]);
	}
}

static void record_decision(struct gate *gate, const struct told *told)
{
	struct record *record = gate->record;

	record->verdict = told->verdict == VERDICT_NONE ? SLICE("aborted") : slice_of(verdict_names[told->verdict]);
	if (gate->decided)
		record->told = slice_of(told_words[told->how]);
	if (told->how == TOLD_EDITS_FAILED) {
		record->reply = reply_print(gate_reply_unchanged(), gate->message.arena);
		record->stage = slice_of(stage_names[STAGE_MESSAGE]);
		note_undone(gate, gate->unusable ? "a rule produced an address that cannot be used"
						 : "the mail server did not accept every change");
	} else if (told->verdict != VERDICT_NONE) {
		record_verdict(gate, told->verdict);
	} else if (gate->decided) {
		note_undone(gate, "the mail server disconnected before it got the answer");
	}
}

/* Every check learns how it ended, even when no fact of it was read. */
static void tell_checks(struct gate *gate, const struct told *told)
{
	struct told complete = *told;

	for (size_t i = 0; i < gate->rcpt_count; i++)
		complete.recipients_refused +=
		    gate->rcpts[i].outcome.verdict == VERDICT_REJECT || gate->rcpts[i].outcome.verdict == VERDICT_DEFER;
	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->finished)
			checks[i]->finished(&gate->view, &complete);
}

/* Two engines that disagree about a message are worth a note. */
static void count_disagreements(struct gate *gate)
{
	static const struct position engine; /* not a rule */
	struct slice note;

	for (unsigned i = 0; checks[i]; i++) {
		if (!checks[i]->disagrees || !checks[i]->disagrees(&gate->view, &note))
			continue;
		gate->engine->counters->disagreements[i]++;
		if (note.n)
			decision_note(&gate->decision, NOTE_LOG, note, engine);
	}
}

/* What was not checked at all: the administrator should know how often, and why. */
static void count_unchecked(struct gate *gate)
{
	static const struct position engine; /* not a rule */
	struct slice note;

	for (unsigned i = 0; checks[i]; i++) {
		if (!checks[i]->unchecked || !checks[i]->unchecked(&gate->view, &note))
			continue;
		gate->engine->counters->unchecked[i]++;
		decision_note(&gate->decision, NOTE_LOG, note, engine);
	}
}

static struct slice answer_text(const struct dns_answer *answer, struct arena *arena)
{
	const struct dns_record *first = answer->records;
	char ip[IP_TEXT];

	if (answer->status == DNS_TEMPFAIL)
		return arena_join(arena, SLICE("tempfail "), slice_of(dns_reason_texts[answer->reason]));
	if (answer->status != DNS_OK || answer->count == 0)
		return slice_of(dns_status_names[answer->status]);
	if (first->text.p)
		return first->text;
	if (first->name.p)
		return first->name;
	return arena_copy(arena, ip_print(first->ip, ip));
}

/* What the DNS said, when somebody keeps it. */
static void record_questions(struct gate *gate)
{
	struct arena *arena = gate->message.arena;
	struct record_question *questions;
	struct dns_told *told;
	size_t count;

	if (!report_keeps(gate->engine->report))
		return;
	told = dns_budget_told(gate->budget, arena, &count);
	questions = arena_alloc(arena, (count + 1) * sizeof(*questions));
	for (size_t i = 0; i < count; i++) {
		questions[i] = (struct record_question){told[i].name, answer_text(told[i].answer, arena),
							dns_type_name(told[i].type)};
		dnsbl_shown(&gate->settings->check, &questions[i].name, &questions[i].answer, arena);
	}
	gate->record->questions = questions;
	gate->record->question_count = count;
}

/* The value of a fact in the record; "" when it is not there. */
static struct slice recorded_text(const struct record *record, struct slice name)
{
	for (size_t i = 0; i < record->fact_count; i++)
		if (record->facts[i].form == RECORD_TEXT && slice_equal(record->facts[i].name, name))
			return record->facts[i].text;
	return SLICE("");
}

/* Who sends as one of our own domains? */
static void record_own(struct gate *gate)
{
	struct record *record = gate->record;
	struct slice domain, result;

	if (!report_keeps(gate->engine->report) || policy_sign_count(gate->engine->policy) == 0)
		return;
	domain = recorded_text(record, SLICE("from.domain"));
	if (domain.n == 0 || !policy_sign(gate->engine->policy, domain))
		return;
	result = recorded_text(record, SLICE("dmarc"));
	record->own_domain = domain;
	record->own_word = gate->view.kind != KIND_INBOUND ? SLICE("users") : result.n ? result : SLICE("unjudged");
}

/* For a message that was let through, or that had no recipients left. */
static void record_envelope(struct gate *gate, const struct told *told)
{
	struct arena *arena = gate->message.arena;
	const struct message *message = &gate->message;
	struct record *record = gate->record;
	struct slice *added = arena_raw(arena, (gate->change_count + 1) * sizeof(*added));
	struct slice *removed = arena_raw(arena, (message->recipient_count + 1) * sizeof(*removed));

	if (told->verdict == VERDICT_REJECT || told->verdict == VERDICT_DEFER || told->verdict == VERDICT_NONE)
		return;
	for (size_t i = 0; i < message->recipient_count; i++)
		if (message->recipients[i].deleted)
			removed[record->removed_count++] = message->recipients[i].address.text;
	for (size_t i = 0; i < gate->change_count; i++) {
		const struct change *change = &gate->changes[i];

		if (change->kind == CHANGE_SENDER)
			record->new_sender = slice_head(slice_from(change->value, 1), change->value.n - 2);
		if (change->kind == CHANGE_ADD_RECIPIENT)
			added[record->added_count++] = slice_head(slice_from(change->value, 1), change->value.n - 2);
	}
	record->footer = gate->footer;
	record->added = added;
	record->removed = removed;
}

static bool is_refused(enum verdict verdict)
{
	return verdict == VERDICT_REJECT || verdict == VERDICT_DEFER;
}

/* For `sekisho top`. */
static void count_sender(struct gate *gate, const struct told *told)
{
	bool refused = is_refused(told->verdict);

	for (size_t i = 0; !refused && i < gate->rcpt_count; i++)
		refused = is_refused(gate->rcpts[i].outcome.verdict);
	if (refused)
		senders_add(gate->engine->counters->refused, gate->message.sender.text, clock_us());
}

/* For the metrics. */
static void count_rules(struct gate *gate, const struct told *told)
{
	struct meters *meters = gate->engine->counters->meters;
	const struct record *record = gate->record;

	meters_time(meters, METER_DNS, (uintptr_t)gate, record->dns_us);
	meters_verdict(meters, record->rule, gate->view.kind, told->verdict);
	for (size_t i = 0; i < record->note_count; i++)
		if (gate->decision.notes[i].kind == NOTE_WOULD)
			meters_would(meters, record->notes[i].rule, gate->view.kind);
}

void message_finish(struct gate *gate, const struct told *told)
{
	struct record *record = gate->record;
	struct counters *counters = gate->engine->counters;

	gate->open = false;
	spool_close(gate->spool); /* the session may stay open for long */
	*record = (struct record){
	    .time_us = gate->began_wall_us,
	    .queue_id = gate->message.queue_id,
	    .case_id = gate->message.case_id,
	    .sender = gate->message.sender.text,
	};
	record_session(gate);
	record_recipients(gate);
	record_decision(gate, told);
	record_envelope(gate, told);
	count_disagreements(gate);
	count_unchecked(gate);
	tell_checks(gate, told);
	reports_count(gate, told);
	bounce_end(gate);
	notices_send(gate);
	record_facts(gate);
	record_notes(gate);
	record_noted(gate);
	record_questions(gate);
	record_own(gate);
	record->dns_us = dns_budget_waited_us(gate->budget);
	record->dns_questions = dns_budget_asked(gate->budget);
	record->dns_stale = dns_budget_stale(gate->budget);
	record->total_us = gate->spent_us;
	gate->recorded = true;
	counters->verdicts[told->verdict]++;
	counters->messages_open--;
	count_rules(gate, told);
	count_sender(gate, told);
	report_record(gate->engine->report, record, gate->message.arena);
}
