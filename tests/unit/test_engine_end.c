/*
 * test_engine_end.c - how a message ends: what the mail server is told, and what the record says of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "gate_scene.h"

static void assert_record(struct gate *gate, const char *verdict, const char *told, const char *reply)
{
	const struct record *record = gate_record(gate);

	assert_non_null(record);
	assert_true(slice_equal(record->verdict, slice_of(verdict)));
	assert_true(slice_equal(record->told, slice_of(told)));
	assert_true(slice_equal(record->reply, slice_of(reply)));
}

static void message(struct gate *gate, enum gate_answer expected)
{
	assert_int_equal(gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false), GATE_CONTINUE);
	assert_int_equal(gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN), GATE_CONTINUE);
	gate_header(gate, SLICE("Subject"), SLICE(" x"));
	assert_int_equal(gate_end(gate), expected);
}

static void there_is_no_record_before_the_mta_was_answered(void **state)
{
	struct engine *engine = make_engine(mild);
	struct gate *gate = begin(engine);

	(void)state;
	message(gate, GATE_CONTINUE);
	assert_null(gate_record(gate));
	assert_int_equal(counters.verdicts[VERDICT_ACCEPT], 0);
	assert_int_equal(counters.messages_open, 1);
	gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
	assert_record(gate, "accept", "", "");
	assert_int_equal(counters.verdicts[VERDICT_ACCEPT], 1);
	assert_int_equal(counters.messages_open, 0);
	gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED}); /* a second call changes nothing */
	assert_int_equal(counters.verdicts[VERDICT_ACCEPT], 1);
	gate_close(gate);
	engine_release(engine);
}

static void a_message_whose_edits_failed_is_recorded_as_deferred(void **state)
{
	struct engine *engine = make_engine(mild);
	struct gate *gate = begin(engine);

	(void)state;
	message(gate, GATE_CONTINUE);
	gate_done(gate, &(struct told){.how = TOLD_EDITS_FAILED});
	assert_record(gate, "defer", "edits-failed", "451 4.3.0 Temporary failure of the mail filter");
	assert_int_equal(gate_record(gate)->note_count, 1);
	assert_int_equal(counters.verdicts[VERDICT_ACCEPT], 0);
	assert_int_equal(counters.verdicts[VERDICT_DEFER], 1);
	gate_close(gate);
	engine_release(engine);
}

static void what_a_door_cannot_change_is_not_let_through(void **state)
{
	static const struct {
		const char *config;
		unsigned changes;
		bool quarantine;
		enum gate_answer answer;
	} cases[] = {
	    {mild, 1u << CHANGE_INSERT, false, GATE_CONTINUE},
	    {mild, 1u << CHANGE_DELETE, true, GATE_REFUSE},
	    {"policy inbound { on message { quarantine \"q\" } }\n", ~0u, true, GATE_CONTINUE},
	    {"policy inbound { on message { quarantine \"q\" } }\n", ~0u, false, GATE_REFUSE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct engine *engine = make_engine(cases[i].config);
		struct abilities abilities = abilities_all;
		struct gate *gate;

		abilities.changes = cases[i].changes;
		abilities.quarantine = cases[i].quarantine;
		gate = gate_open(engine, &abilities);
		message(gate, cases[i].answer);
		if (cases[i].answer == GATE_REFUSE)
			assert_int_equal(gate_reply(gate)->code, 451);
		gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
		if (cases[i].answer == GATE_REFUSE)
			assert_record(gate, "defer", "edits-failed", "451 4.3.0 Temporary failure of the mail filter");
		gate_close(gate);
		engine_release(engine);
	}
}

static void a_refusal_at_a_step_without_reply_is_told_at_the_end(void **state)
{
	static const char *const policies[] = {
	    "policy inbound { on mail { reject 550 5.7.1 \"no\" if sender is a@example.org } }\n",
	    "policy inbound { on rcpt { reject 550 5.7.1 \"no\" if recipient is b@example.org } }\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		struct engine *engine = make_engine(policies[i]);
		struct abilities abilities = abilities_all;
		struct gate *gate;

		abilities.reply_mail = abilities.reply_rcpt = false;
		gate = gate_open(engine, &abilities);
		message(gate, GATE_REFUSE);
		assert_int_equal(gate_reply(gate)->code, 550);
		gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
		assert_record(gate, "reject", "held", "550 5.7.1 no");
		assert_true(slice_equal(gate_record(gate)->stage, i ? SLICE("rcpt") : SLICE("mail")));
		assert_int_equal(gate_record(gate)->recipient_count, 1);
		/* the next message of the session is judged by itself */
		assert_int_equal(gate_mail(gate, SLICE("<c@example.org>"), MADE_UNKNOWN, false), GATE_CONTINUE);
		assert_int_equal(end(gate), GATE_CONTINUE);
		assert_record(gate, "accept", "", "");
		gate_close(gate);
		engine_release(engine);
	}
}

static void too_many_recipients_at_a_step_without_reply_are_told_at_the_end(void **state)
{
	struct engine *engine = make_engine(mild);
	struct abilities abilities = abilities_all;
	struct gate *gate;

	(void)state;
	abilities.reply_rcpt = false;
	gate = gate_open(engine, &abilities);
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	for (int i = 0; i < ENGINE_RECIPIENTS_MAX + 2; i++)
		assert_int_equal(gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN), GATE_CONTINUE);
	assert_int_equal(end(gate), GATE_REFUSE);
	assert_record(gate, "defer", "held", "452 4.5.3 Too many recipients");
	gate_close(gate);
	engine_release(engine);
}

static void an_mta_that_is_gone_was_told_nothing(void **state)
{
	static const char *const policies[] = {
	    mild,
	    "policy inbound { on message { reject } }\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		struct engine *engine = make_engine(policies[i]);
		struct gate *gate = begin(engine);

		message(gate, i ? GATE_REFUSE : GATE_CONTINUE);
		gate_done(gate, &(struct told){.how = TOLD_NOBODY});
		assert_record(gate, "aborted", "unanswered", "");
		assert_int_equal(gate_record(gate)->note_count, 1);
		message(gate, i ? GATE_REFUSE : GATE_CONTINUE);
		gate_abort(gate); /* the door learned of it before it could answer */
		assert_record(gate, "aborted", "unanswered", "");
		assert_int_equal(counters.verdicts[VERDICT_NONE], 2);
		gate_close(gate);
		engine_release(engine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_is_no_record_before_the_mta_was_answered),
	    cmocka_unit_test(a_message_whose_edits_failed_is_recorded_as_deferred),
	    cmocka_unit_test(what_a_door_cannot_change_is_not_let_through),
	    cmocka_unit_test(a_refusal_at_a_step_without_reply_is_told_at_the_end),
	    cmocka_unit_test(too_many_recipients_at_a_step_without_reply_are_told_at_the_end),
	    cmocka_unit_test(an_mta_that_is_gone_was_told_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
