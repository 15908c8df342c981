/*
 * replay.c - a message judged again from its record.
 *
 * The facts are those of the record. One that the record lacks is unknown, never computed: the message is not here any
 * more, and neither is the DNS of that time. A list that cannot be asked, as a dynamic one without its store, is
 * unknown, too.
 */
#include "gate_private.h"

static struct slice fact_text(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->fact_count; i++)
		if (slice_equal(record->facts[i].name, slice_of(name)) && record->facts[i].form == RECORD_TEXT)
			return record->facts[i].text;
	return SLICE("");
}

/* ---- the message ---------------------------------------------------------------------------------------- */

static void replay_session(struct gate *gate, const struct record *record)
{
	struct connection connection = {.client_name = record->client_name, .daemon_name = SLICE("")};
	struct slice user = fact_text(record, "auth.user");

	ip_parse(record->client, &connection.client);
	gate_connect(gate, &connection);
	if (record->helo.n)
		gate_helo(gate, record->helo);
	if (user.n)
		gate_auth(gate, user, SLICE(""));
}

/* It ended at MAIL: nobody knows what would have come after that. */
static bool is_short(const struct record *record)
{
	return record->recipient_count == 0;
}

static enum gate_answer replay_message(struct gate *gate, const struct record *record)
{
	enum gate_answer answer = gate_mail(gate, record->sender, record->sender, true);

	if (answer == GATE_REFUSE || is_short(record))
		return answer;
	for (size_t i = 0; i < record->recipient_count; i++)
		answer = gate_rcpt(gate, record->recipients[i].address, record->recipients[i].address);
	if (record->recipient_count && gate->message.recipient_count == 0)
		return answer;
	return gate_end(gate);
}

/* A rule that could have decided was unknown for want of a fact. */
static bool is_unjudged(const struct gate *gate)
{
	for (size_t i = 0; (gate->view.missing || gate->view.missing_list) && i < gate->decision.note_count; i++)
		if (gate->decision.notes[i].kind == NOTE_UNKNOWN)
			return true;
	return false;
}

static void fill_result(struct gate *gate, struct replayed *replayed_r)
{
	const struct outcome *outcome = gate->outcome;
	struct arena *arena = gate->message.arena;

	for (size_t i = 0; gate->message.recipient_count == 0 && i < gate->rcpt_count; i++)
		if (gate->rcpts[i].outcome.verdict != VERDICT_NONE) {
			outcome = &gate->rcpts[i].outcome;
			break;
		}
	*replayed_r = (struct replayed){
	    .verdict = outcome->verdict == VERDICT_NONE ? VERDICT_ACCEPT : outcome->verdict,
	    .rule = position_print(outcome->rule, arena),
	    .reply = reply_print(&outcome->reply, arena),
	    .unjudged = is_unjudged(gate),
	    .missing = gate->view.missing ? gate->view.missing->name : gate->view.missing_list,
	};
	if (is_short(gate->replay->record) && gate->outcome->verdict == VERDICT_NONE) {
		replayed_r->unjudged = true;
		replayed_r->missing = "recipient";
	}
	if (replayed_r->verdict == VERDICT_ACCEPT && gate->decision.quarantined) {
		replayed_r->verdict = VERDICT_QUARANTINE;
		replayed_r->rule = position_print(gate->decision.quarantine_rule, arena);
	}
}

struct gate *gate_replay(struct engine *engine, const struct record *record, const struct fact_names *names,
			 const struct tracer *tracer, struct replayed *replayed_r)
{
	struct gate *gate = gate_open(engine, &abilities_all);
	struct replay *replay = arena_alloc(gate->session.arena, sizeof(*replay));

	*replay = (struct replay){record, names};
	gate->replay = replay;
	gate_trace(gate, tracer);
	gate_time(gate, record->time_us);
	replay_session(gate, record);
	replay_message(gate, record);
	fill_result(gate, replayed_r);
	gate->open = false; /* no record of it */
	gate->engine->counters->messages_open--;
	return gate;
}
