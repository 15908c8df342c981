/*
 * test_record_bounds.c - a record is valid JSON under every limit; what is worth least is left out first.
 */
#include "record_scene.h"

/* Texts of control bytes grow six times in JSON; the record must still fit. */
static void a_line_never_passes_its_limit(void **state)
{
	static char noise[100000];
	struct record record = simple();
	struct slice bad = {noise, sizeof(noise)};
	struct record_recipient *recipients = calloc(5000, sizeof(*recipients));
	struct record_note notes[200];
	struct record_fact facts[50];
	struct record_score scores[200];

	memset(noise, 1, sizeof(noise));
	for (size_t i = 0; i < 5000; i++)
		recipients[i] = (struct record_recipient){bad, SLICE("reject"), bad, bad};
	for (size_t i = 0; i < 200; i++)
		notes[i] = (struct record_note){SLICE("log"), bad, bad};
	for (size_t i = 0; i < 200; i++)
		scores[i] = (struct record_score){INT64_MIN, bad, bad};
	for (size_t i = 0; i < 50; i++)
		facts[i] = (struct record_fact){SLICE("spf"), RECORD_TEXT, bad, 0};
	record.queue_id = record.client = record.client_name = record.helo = record.sender = bad;
	record.rule = record.reply = record.stage = record.quarantine = record.verdict = record.kind = bad;
	record.dns_us = record.total_us = INT64_MIN;
	record.dns_questions = record.dns_stale = UINT32_MAX;
	record.recipients = recipients;
	record.recipient_count = 5000;
	record.notes = notes;
	record.note_count = 200;
	record.facts = facts;
	record.fact_count = 50;
	record.vars = facts;
	record.var_count = 50;
	record.score = INT64_MIN;
	record.scores = scores;
	record.score_count = 200;
	for (size_t limit = RECORD_SYSLOG_MAX; limit <= RECORD_LINE_MAX; limit += 997) {
		char *line = record_line(&record, limit, *state);
		assert_true(strlen(line) <= limit);
		json_t *json = parse(line);
		assert_true(json_is_true(json_object_get(json, "truncated")));
		assert_int_equal(json_integer_value(json_object_get(json, "recipient-count")), 5000);
		json_decref(json);
	}
	free(recipients);
}

static void facts_go_first_when_room_is_short(void **state)
{
	static char long_text[400];
	struct record record = simple();
	struct record_fact facts[10];

	memset(long_text, 'x', sizeof(long_text));
	for (size_t i = 0; i < 10; i++) {
		static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
		facts[i] = (struct record_fact){slice_of(names[i]), RECORD_TEXT, {long_text, sizeof(long_text)}, 0};
	}
	record.facts = facts;
	record.fact_count = 10;
	char *line = record_line(&record, RECORD_SYSLOG_MAX, *state);
	json_t *json = parse(line);
	assert_null(json_object_get(json, "facts"));
	assert_string_equal(text_of(json, "reply"), "550 5.7.1 no");
	json_decref(json);
}

static void a_line_of_just_the_limit_is_whole(void **state)
{
	struct record record = simple();
	struct record_fact fact = {SLICE("f"), RECORD_TEXT, {NULL, 0}, 0};
	size_t room;

	record.facts = &fact;
	record.fact_count = 1;
	fact.text = (struct slice){arena_alloc(*state, 512), 512};
	memset((char *)fact.text.p, 'f', 512);
	record.helo = record.client_name = record.queue_id = fact.text;
	fact.text.n = 0;
	room = RECORD_SYSLOG_MAX - strlen(record_line(&record, RECORD_SYSLOG_MAX, *state));
	assert_in_range(room, 1, 511);
	for (fact.text.n = room; fact.text.n <= room + 1; fact.text.n++) {
		char *line = record_line(&record, RECORD_SYSLOG_MAX, *state);

		assert_true(fact.text.n > room || strlen(line) == RECORD_SYSLOG_MAX);
		assert_true((fact.text.n > room) == (strstr(line, "\"truncated\":true") != NULL));
		json_decref(parse(line));
	}
}

/* What is shown of a record grows with the limit, in this order. */
static void what_is_worth_least_is_left_out_first(void **state)
{
	static char long_text[600];
	struct record record = simple();
	struct record_recipient recipients[200];
	struct record_fact fact = {SLICE("f"), RECORD_TEXT, {long_text, 512}, 0};
	struct record_note notes[10];
	const struct {
		size_t limit, recipients, sender;
		bool notes, facts, truncated;
	} cases[] = {
	    {2000, 0, 16, false, false, true},    {4000, 1, 64, false, false, true},
	    {26000, 5, 512, false, false, true},  {78000, 100, 512, false, false, true},
	    {82000, 100, 512, true, false, true}, {86000, 100, 512, true, true, false},
	};

	memset(long_text, 1, sizeof(long_text)); /* six times as long when written */
	for (size_t i = 0; i < 200; i++)
		recipients[i] = (struct record_recipient){.address = {long_text, 90}};
	for (size_t i = 0; i < 10; i++)
		notes[i] = (struct record_note){SLICE("log"), SLICE("f:1"), {long_text, 80}};
	record.recipients = recipients;
	record.recipient_count = 200;
	record.sender = record.helo = record.client_name = (struct slice){long_text, 600};
	record.queue_id = record.reply = record.rule = record.stage = record.sender;
	record.facts = &fact;
	record.fact_count = 1;
	record.notes = notes;
	record.note_count = 10;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *line = record_line(&record, cases[i].limit, *state);
		json_t *json = parse(line);

		assert_true(strlen(line) <= cases[i].limit);
		assert_int_equal(json_array_size(json_object_get(json, "recipients")), cases[i].recipients);
		assert_int_equal(json_string_length(json_object_get(json, "sender")), cases[i].sender);
		assert_true(cases[i].notes == (json_object_get(json, "notes") != NULL));
		assert_true(cases[i].facts == (json_object_get(json, "facts") != NULL));
		assert_true(cases[i].truncated == json_is_true(json_object_get(json, "truncated")));
		json_decref(json);
	}
}

/* Everything that a hostile message can cause at once; the line costs what its limit allows. */
static void a_hostile_record_takes_no_more_memory_than_its_line(void **state)
{
	size_t size = 1024 * 1024, before;
	char *megabyte = malloc(size);
	struct record record = simple();
	struct record_recipient *recipients = calloc(1000, sizeof(*recipients));
	struct record_fact fact = {SLICE("header(\"Subject\")"), RECORD_TEXT, {megabyte, size}, 0};

	memset(megabyte, '\xff', size);
	for (size_t i = 0; i < 1000; i++)
		recipients[i] =
		    (struct record_recipient){{megabyte, size}, SLICE("reject"), {megabyte, size}, SLICE("f:1")};
	record.sender = record.helo = record.client_name = fact.text;
	record.recipients = recipients;
	record.recipient_count = 1000;
	record.facts = &fact;
	record.fact_count = 1;
	before = arena_used(*state);
	json_decref(parse(record_line(&record, RECORD_LINE_MAX, *state)));
	assert_in_range(arena_used(*state) - before, 1, 4 * RECORD_LINE_MAX);
	free(recipients);
	free(megabyte);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_line_never_passes_its_limit),         TEST(a_line_of_just_the_limit_is_whole),
	    TEST(what_is_worth_least_is_left_out_first), TEST(a_hostile_record_takes_no_more_memory_than_its_line),
	    TEST(facts_go_first_when_room_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
