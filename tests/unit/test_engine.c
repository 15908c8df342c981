/*
 * test_engine.c - the bounds of a message, the life of a gate, and the address that an
 * argument means. Conversations are in the scenarios; how a message ends is in test_engine_end.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "gate_scene.h"

static void a_header_field_of_a_megabyte_is_refused_at_the_end(void **state)
{
	struct engine *engine = make_engine(mild);
	struct gate *gate = begin(engine);
	char *big = calloc(1, HEADER_BYTES_MAX);

	(void)state;
	memset(big, 'x', HEADER_BYTES_MAX);
	assert_int_equal(gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false), GATE_CONTINUE);
	assert_int_equal(gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN), GATE_CONTINUE);
	gate_header(gate, SLICE("X-Big"), (struct slice){big, HEADER_BYTES_MAX});
	gate_header(gate, SLICE("Subject"), SLICE(" x"));
	assert_int_equal(end(gate), GATE_REFUSE);
	assert_int_equal(gate_reply(gate)->code, 552);
	assert_true(slice_equal(gate_record(gate)->verdict, SLICE("reject")));
	/* The next message of the session is judged by itself. */
	assert_int_equal(gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false), GATE_CONTINUE);
	gate_header(gate, SLICE("Subject"), SLICE(" x"));
	assert_int_equal(end(gate), GATE_CONTINUE);
	gate_close(gate);
	engine_release(engine);
	free(big);
}

static void more_header_fields_than_the_bound_are_refused_at_the_end(void **state)
{
	struct engine *engine = make_engine(mild);
	struct gate *gate = begin(engine);

	(void)state;
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN);
	for (int i = 0; i < HEADER_COUNT_MAX; i++)
		gate_header(gate, SLICE("X"), SLICE(" y"));
	assert_int_equal(end(gate), GATE_CONTINUE);
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	for (int i = 0; i < HEADER_COUNT_MAX + 1; i++)
		gate_header(gate, SLICE("X"), SLICE(" y"));
	assert_int_equal(end(gate), GATE_REFUSE);
	assert_int_equal(gate_reply(gate)->code, 552);
	gate_close(gate);
	engine_release(engine);
}

static void recipients_beyond_the_bound_are_deferred(void **state)
{
	struct engine *engine = make_engine(mild);
	struct gate *gate = begin(engine);

	(void)state;
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	for (int i = 0; i < ENGINE_RECIPIENTS_MAX; i++)
		assert_int_equal(gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN), GATE_CONTINUE);
	assert_int_equal(gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN), GATE_REFUSE);
	assert_int_equal(gate_reply(gate)->code, 452);
	assert_int_equal(end(gate), GATE_CONTINUE);
	assert_int_equal(gate_record(gate)->recipient_count, ENGINE_RECIPIENTS_MAX);
	gate_close(gate);
	engine_release(engine);
}

static void size_counts_header_and_body(void **state)
{
	struct engine *engine = make_engine(mild);
	struct gate *gate = begin(engine);
	size_t count;

	(void)state;
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN);
	gate_header(gate, SLICE("X"), SLICE(" y")); /* "X: y" and a line end: 6 */
	gate_body(gate, SLICE("hello\r\n"));        /* 7 */
	assert_int_equal(end(gate), GATE_CONTINUE);
	const struct change *changes = gate_changes(gate, &count);
	assert_int_equal(count, 2);
	assert_true(slice_equal(changes[0].value, SLICE(" 13")));
	gate_close(gate);
	engine_release(engine);
}

/* The message with `extra` as X-Tag, with these abilities. */
static struct gate *send_tagged(struct engine *engine, const struct abilities *abilities, struct slice tag,
				enum gate_answer *answer_r)
{
	struct gate *gate = gate_open(engine, abilities);

	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN);
	gate_header(gate, SLICE("X-Tag"), tag);
	gate_body(gate, SLICE("Hello.\r\n"));
	*answer_r = end(gate);
	return gate;
}

static void a_field_that_is_too_long_for_the_expression_stays_and_is_noted(void **state)
{
	struct engine *engine =
	    make_engine("authentication-results off\npolicy inbound { on message { delete-header X-Tag "
			"matching \"^x\" } }\n");
	char *tag = calloc(1, 16385);
	enum gate_answer answer;

	(void)state;
	memset(tag, 'x', 16385);
	for (size_t over = 0; over < 2; over++) {
		struct gate *gate = send_tagged(engine, &abilities_all, (struct slice){tag, 16384 + over}, &answer);
		const struct record *record = gate_record(gate);
		size_t count;

		assert_int_equal(answer, GATE_CONTINUE);
		gate_changes(gate, &count);
		assert_int_equal(count, 1 - over);
		assert_int_equal(record->note_count, over);
		assert_true(!over || slice_equal(record->notes[0].kind, SLICE("unknown")));
		gate_close(gate);
	}
	engine_release(engine);
	free(tag);
}

static void a_change_that_the_door_cannot_make_defers_the_message(void **state)
{
	static const struct {
		const char *rule;
		enum change_kind change;
	} cases[] = {
	    {"set-sender \"\"", CHANGE_SENDER},
	    {"add-recipient \"c@example.org\"", CHANGE_ADD_RECIPIENT},
	    {"redirect \"c@example.org\"", CHANGE_DELETE_RECIPIENT},
	    {"add-header X \"y\" bottom", CHANGE_APPEND},
	    {"footer \"Example Ltd\"", CHANGE_BODY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char config[200];
		struct abilities abilities = abilities_all;
		struct engine *engine;
		struct gate *gate;
		enum gate_answer answer;

		snprintf(config, sizeof(config), "authentication-results off\npolicy inbound { on message { %s } }\n",
			 cases[i].rule);
		engine = make_engine(config);
		gate = send_tagged(engine, &abilities, SLICE(" x"), &answer);
		assert_int_equal(answer, GATE_CONTINUE);
		gate_close(gate);
		abilities.changes &= ~(1u << cases[i].change);
		gate = send_tagged(engine, &abilities, SLICE(" x"), &answer);
		assert_int_equal(answer, GATE_REFUSE);
		assert_int_equal(gate_reply(gate)->code, 451);
		assert_true(slice_equal(gate_record(gate)->told, SLICE("edits-failed")));
		assert_int_equal(gate_record(gate)->footer.n, 0);
		gate_close(gate);
		engine_release(engine);
	}
}

static void a_body_that_is_too_large_to_be_kept_has_no_footer(void **state)
{
	struct engine *engine =
	    make_engine("authentication-results off\npolicy inbound { on message { footer \"x\" } }\n");
	struct gate *gate = begin(engine);
	char *chunk = calloc(1, 1024 * 1024);
	size_t count;

	(void)state;
	memset(chunk, 'x', 1024 * 1024);
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN);
	for (int i = 0; i < SPOOL_MAX / (1024 * 1024); i++)
		gate_body(gate, (struct slice){chunk, 1024 * 1024});
	gate_body(gate, SLICE("x"));
	assert_int_equal(end(gate), GATE_CONTINUE);
	gate_changes(gate, &count);
	assert_int_equal(count, 0);
	assert_true(
	    slice_equal(gate_record(gate)->footer, SLICE("left out: the body is larger than the limit of 32 MB")));
	gate_close(gate);
	engine_release(engine);
	free(chunk);
}

static void every_recipient_is_asked_about_alone(void **state)
{
	struct engine *engine =
	    make_engine("authentication-results off\non-conflict split\npolicy inbound { on message { "
			"reject if recipient matches /^b[0-9]*[02468]@/ } }\n");
	struct gate *gate = begin(engine);
	size_t count;

	(void)state;
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	for (int i = 0; i < 1000; i++) {
		char path[40];

		snprintf(path, sizeof(path), "<b%d@example.org>", i);
		assert_int_equal(gate_rcpt(gate, slice_of(path), MADE_UNKNOWN), GATE_CONTINUE);
	}
	assert_int_equal(end(gate), GATE_CONTINUE);
	gate_changes(gate, &count);
	assert_int_equal(count, 500);
	assert_int_equal(gate_record(gate)->removed_count, 500);
	gate_close(gate);
	engine_release(engine);
}

static void every_message_has_one_record_and_is_counted_once(void **state)
{
	struct engine *engine = make_engine("policy inbound { on mail { reject if sender is x@example.net } }\n");
	struct gate *gate = begin(engine);

	(void)state;
	gate_mail(gate, SLICE("<x@example.net>"), MADE_UNKNOWN, false); /* reject */
	gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false); /* aborted by the next */
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false); /* accept */
	assert_int_equal(counters.messages_open, 1);
	end(gate);
	gate_abort(gate);
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false); /* aborted by HELO */
	gate_helo(gate, SLICE("again"));
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false); /* aborted by the end of the session */
	gate_close(gate);
	assert_int_equal(counters.messages, 5);
	assert_int_equal(counters.messages_open, 0);
	assert_int_equal(counters.verdicts[VERDICT_NONE], 3);
	assert_int_equal(counters.verdicts[VERDICT_ACCEPT], 1);
	assert_int_equal(counters.verdicts[VERDICT_REJECT], 1);
	assert_int_equal(counters.sessions, 1);
	assert_int_equal(counters.sessions_open, 0);
	engine_release(engine);
}

static void callbacks_in_any_order_do_no_harm(void **state)
{
	struct engine *engine = make_engine(mild);
	struct gate *gate = gate_open(engine, &abilities_all);

	(void)state;
	gate_abort(gate);
	assert_int_equal(gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN), GATE_CONTINUE);
	gate_header(gate, SLICE("X"), SLICE(" y"));
	gate_body(gate, SLICE("x"));
	assert_int_equal(end(gate), GATE_CONTINUE);
	gate_queue_id(gate, SLICE("q"));
	gate_mail(gate, SLICE(""), MADE_UNKNOWN, false);
	end(gate);
	end(gate);
	gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN);
	assert_null(gate_quarantine(gate));
	gate_close(gate);
	gate_close(NULL);
	engine_release(engine);
}

static void many_helos_do_not_make_a_session_grow(void **state)
{
	struct engine *engine = make_engine("policy inbound { on helo { reject if spf.helo is fail } }\n");
	struct gate *gate = begin(engine);

	(void)state;
	for (int i = 0; i < 20000; i++)
		gate_helo(gate, SLICE("a-rather-long-name-of-a-host-that-repeats-itself.example.net"));
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	assert_true(arena_used(gate_view(gate)->session->arena) < 4096);
	gate_close(gate);
	engine_release(engine);
}

static void texts_that_are_not_kept_do_not_make_a_message_grow(void **state)
{
	static const char rule[] =
	    "try reject 550 5.7.1 \"a text that is said about each recipient anew: %{recipient}\"\n";
	char config[4096] = "policy inbound { on rcpt {\n";
	struct engine *engine;
	struct gate *gate;

	(void)state;
	for (int i = 0; i < 20; i++)
		strcat(config, rule);
	engine = make_engine(strcat(config, "} }\n"));
	gate = begin(engine);
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	for (int i = 0; i < 1000; i++)
		gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN);
	assert_true(arena_used(gate_view(gate)->message->arena) < 1000 * 4096);
	gate_close(gate);
	engine_release(engine);
}

static void keep_first(void *context, const struct rule_trace *shown)
{
	struct rule_trace *first = context;

	if (!first->seen)
		*first = *shown;
}

static void what_a_trace_shows_lives_as_long_as_the_message(void **state)
{
	struct engine *engine = make_engine("policy inbound { on rcpt { log \"x\" if recipient matches /@/ } }\n");
	struct rule_trace first = {0};
	struct tracer tracer = {.rule = keep_first, .context = &first};
	struct gate *gate = begin(engine);

	(void)state;
	gate_trace(gate, &tracer);
	gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
	gate_rcpt(gate, SLICE("<first@example.org>"), MADE_UNKNOWN);
	gate_rcpt(gate, SLICE("<second@example.org>"), MADE_UNKNOWN);
	assert_int_equal(first.seen_count, 1);
	assert_true(slice_equal(first.seen[0].value, SLICE("first@example.org")));
	gate_close(gate);
	engine_release(engine);
}

/* Memos, slots and the record have room for so many, and no more. */
static void all_facts_and_checks_have_room(void **state)
{
	unsigned facts = 0, count = 0;

	(void)state;
	while (fact_at(facts))
		facts++;
	while (checks[count])
		count++;
	assert_in_range(facts, 1, FACT_MAX);
	assert_in_range(count, 1, CHECK_MAX);
}

static void facts_and_checks_are_numbered_in_order(void **state)
{
	unsigned number = 0;

	(void)state;
	for (unsigned i = 0; checks[i]; i++) {
		assert_int_equal(check_number(checks[i]), i);
		for (unsigned j = 0; j < checks[i]->fact_count; j++, number++) {
			const struct fact *fact = &checks[i]->facts[j];

			assert_ptr_equal(fact_at(number), fact);
			assert_int_equal(fact_number(fact), number);
			assert_ptr_equal(fact_check(fact), checks[i]);
			assert_ptr_equal(fact_find(slice_of(fact->name)), fact);
		}
	}
	assert_null(fact_at(number));
}

/* ---- the address that an argument means ------------------------------------------------- */

static void what_the_mta_made_of_an_address_is_judged(void **state)
{
	static const struct {
		struct slice argument, made;
		const char *sender; /* the judged one; NULL: 553 */
		bool noted;
	} cases[] = {
	    {SLICE("<a@x.example>"), {NULL, 0}, "a@x.example", false},
	    {SLICE("<a@x.example>"), SLICE("a@x.example"), "a@x.example", false},
	    {SLICE("<Alice@X.example>"), SLICE("alice@x.example"), "Alice@X.example", false},
	    {SLICE("<\"a\"@x.example>"), SLICE("a@x.example"), "\"a\"@x.example", false},
	    {SLICE("<@r.example:a@x.example>"), SLICE("a@x.example"), "a@x.example", false},
	    {SLICE("<a@x.example>"), SLICE("a"), "a@x.example", false},          /* a local user of Sendmail */
	    {SLICE("<a@x.example>"), SLICE("b@y.example"), "a@x.example", true}, /* a mapping of the MTA */
	    {SLICE("<a@x_y.example>"), SLICE("a@x_y.example"), "a@x_y.example", false},
	    {SLICE("<>"), SLICE(""), "", false},
	    {SLICE("<>"), {NULL, 0}, "", false},
	    {SLICE("<a>"), SLICE("a@x.example"), "a@x.example", true},
	    {SLICE("<a>"), SLICE("a"), "a", false},
	    {SLICE("<a>"), {NULL, 0}, "a", false},
	    {SLICE("<x.example!a>"), SLICE("a@x.example"), "a@x.example", true},
	    {SLICE("<x.example!a>"), SLICE("x.example!a"), "x.example!a", false},
	    {SLICE("<x.example!a>"), SLICE("a"), NULL, false},
	    {SLICE("<x.example!a>"), {NULL, 0}, NULL, false},
	    {SLICE("<x.example!a>"), SLICE(""), NULL, false},
	    {SLICE("<a@ x.example>"), SLICE("a@x.example"), "a@x.example", true},
	    {SLICE("<a@ x.example>"), SLICE("a"), NULL, false},
	    {SLICE("A<a@x.example>"), SLICE("a@x.example"), "a@x.example", true},
	    {SLICE("A<a@x.example>"), SLICE("a@x.example(x)"), NULL, false},
	    {SLICE("<a@\"x.example\">"), SLICE("a@\"x.example\""), NULL, false},
	    {SLICE("<a%y.example@x.example>"), SLICE("a@y.example"), "a@y.example", true},
	    {SLICE("<a%y.example@x.example>"), SLICE("a%y.example@x.example"), "a%y.example@x.example", false},
	    {SLICE("<a%y.example@x.example>"), {NULL, 0}, "a%y.example@x.example", false},
	};
	struct engine *engine = make_engine(mild);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gate *gate = begin(engine);
		enum gate_answer answer = gate_mail(gate, cases[i].argument, cases[i].made, false);

		assert_int_equal(answer, cases[i].sender ? GATE_CONTINUE : GATE_REFUSE);
		if (!cases[i].sender) {
			assert_int_equal(gate_reply(gate)->code, 553);
			assert_true(slice_equal(gate_reply(gate)->enhanced, SLICE("5.1.7")));
		} else {
			end(gate);
			if (!slice_equal(gate_record(gate)->sender, slice_of(cases[i].sender)))
				fail_msg("%zu: %.*s", i, SLICE_ARGS(gate_record(gate)->sender));
			assert_int_equal(gate_record(gate)->note_count, cases[i].noted);
		}
		gate_close(gate);
	}
	engine_release(engine);
}

static void a_recipient_without_a_usable_address_is_refused(void **state)
{
	static const struct {
		struct slice argument, made;
		const char *recipient; /* NULL: 553 */
	} cases[] = {
	    {SLICE("<b@x.example>"), SLICE("b"), "b@x.example"},
	    {SLICE("<b@x.example>"), {NULL, 0}, "b@x.example"},
	    {SLICE("<b>"), SLICE("b@x.example"), "b@x.example"},
	    {SLICE("<b>"), SLICE("b"), NULL},
	    {SLICE("<b>"), {NULL, 0}, NULL},
	    {SLICE("<Postmaster>"), SLICE("postmaster"), "Postmaster"}, /* RFC 5321 4.5.1 */
	    {SLICE("<Postmaster>"), {NULL, 0}, "Postmaster"},
	    {SLICE("<x.example!b>"), SLICE("b@x.example"), "b@x.example"},
	    {SLICE("<x.example!b>"), SLICE("b"), NULL},
	    {SLICE("<x.example!b>"), SLICE("x.example!b"), NULL},
	    {SLICE("<b%x.example@y.example>"), SLICE("b@x.example"), "b@x.example"},
	    {SLICE("<b%x.example@y.example>"), {NULL, 0}, NULL},
	    {SLICE("<b@x.example(c)>"), SLICE("b"), NULL},
	};
	struct engine *engine = make_engine(mild);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gate *gate = begin(engine);
		enum gate_answer answer;

		gate_mail(gate, SLICE("<a@example.org>"), MADE_UNKNOWN, false);
		answer = gate_rcpt(gate, cases[i].argument, cases[i].made);
		if ((answer == GATE_REFUSE) != !cases[i].recipient)
			fail_msg("%zu: %.*s", i, SLICE_ARGS(cases[i].argument));
		if (cases[i].recipient)
			assert_true(slice_equal(gate_view(gate)->message->recipients[0].address.text,
						slice_of(cases[i].recipient)));
		else
			assert_true(slice_equal(gate_reply(gate)->enhanced, SLICE("5.1.3")));
		gate_close(gate);
	}
	engine_release(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_facts_and_checks_have_room),
	    cmocka_unit_test(facts_and_checks_are_numbered_in_order),
	    cmocka_unit_test(a_header_field_of_a_megabyte_is_refused_at_the_end),
	    cmocka_unit_test(more_header_fields_than_the_bound_are_refused_at_the_end),
	    cmocka_unit_test(recipients_beyond_the_bound_are_deferred),
	    cmocka_unit_test(size_counts_header_and_body),
	    cmocka_unit_test(a_field_that_is_too_long_for_the_expression_stays_and_is_noted),
	    cmocka_unit_test(a_change_that_the_door_cannot_make_defers_the_message),
	    cmocka_unit_test(a_body_that_is_too_large_to_be_kept_has_no_footer),
	    cmocka_unit_test(every_recipient_is_asked_about_alone),
	    cmocka_unit_test(every_message_has_one_record_and_is_counted_once),
	    cmocka_unit_test(callbacks_in_any_order_do_no_harm),
	    cmocka_unit_test(many_helos_do_not_make_a_session_grow),
	    cmocka_unit_test(texts_that_are_not_kept_do_not_make_a_message_grow),
	    cmocka_unit_test(what_a_trace_shows_lives_as_long_as_the_message),
	    cmocka_unit_test(what_the_mta_made_of_an_address_is_judged),
	    cmocka_unit_test(a_recipient_without_a_usable_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
