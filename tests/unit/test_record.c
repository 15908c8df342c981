/*
 * test_record.c - a record is valid JSON under every limit, whatever is in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *parse(const char *line)
{
	json_error_t error;
	json_t *json = json_loads(line, 0, &error);

	if (!json)
		fail_msg("not JSON: %s: %s", error.text, line);
	return json;
}

static const char *text_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static struct record simple(void)
{
	return (struct record){
	    .time_us = 1795282780123000,
	    .sender = SLICE("a@example.net"),
	    .verdict = SLICE("reject"),
	    .rule = SLICE("sekisho.conf:12"),
	    .reply = SLICE("550 5.7.1 no"),
	    .kind = SLICE("inbound"),
	    .client = SLICE("192.0.2.1"),
	    .dns_us = 17,
	    .total_us = 42,
	};
}

static void a_record_says_who_what_and_why(void **state)
{
	struct record_fact facts[] = {
	    {SLICE("spf"), RECORD_TEXT, SLICE("fail"), 0},
	    {SLICE("size"), RECORD_NUMBER, SLICE(""), 12345},
	    {SLICE("tls"), RECORD_BOOL, SLICE(""), 1},
	    {SLICE("auth.user"), RECORD_NULL, SLICE(""), 0},
	};
	struct record_recipient recipients[] = {
	    {.address = SLICE("bob@example.org")},
	    {SLICE("eve@example.org"), SLICE("reject"), SLICE("550 5.1.1 no"), SLICE("f:3")},
	};
	struct record record = simple();

	(void)state;
	record.facts = facts;
	record.fact_count = 4;
	record.recipients = recipients;
	record.recipient_count = 2;
	char *line = record_line(&record, RECORD_LINE_MAX);
	json_t *json = parse(line), *read = json_object_get(json, "facts");
	assert_int_equal(json_integer_value(json_object_get(json, "v")), RECORD_VERSION);
	assert_string_equal(text_of(json, "time"), "2026-11-21T17:39:40.123Z");
	assert_string_equal(text_of(json, "sender"), "a@example.net");
	assert_string_equal(text_of(json, "verdict"), "reject");
	assert_string_equal(text_of(json, "rule"), "sekisho.conf:12");
	assert_string_equal(text_of(json, "reply"), "550 5.7.1 no");
	assert_true(json_is_null(json_object_get(json, "helo")));
	assert_string_equal(text_of(read, "spf"), "fail");
	assert_int_equal(json_integer_value(json_object_get(read, "size")), 12345);
	assert_true(json_is_true(json_object_get(read, "tls")));
	assert_true(json_is_null(json_object_get(read, "auth.user")));
	assert_int_equal(json_array_size(json_object_get(json, "recipients")), 2);
	json_t *refused = json_object_get(json, "refused");
	assert_int_equal(json_array_size(refused), 1);
	assert_string_equal(text_of(json_array_get(refused, 0), "recipient"), "eve@example.org");
	assert_null(json_object_get(json, "truncated"));
	json_decref(json);
	free(line);
}

static void bytes_that_are_not_utf8_are_shown(void **state)
{
	struct record record = simple();

	(void)state;
	record.sender = SLICE("caf\xe9@example.net");
	record.helo = SLICE("a\x01\nb\0c");
	char *line = record_line(&record, RECORD_LINE_MAX);
	assert_null(strchr(line, '\n'));
	json_t *json = parse(line);
	assert_string_equal(text_of(json, "sender"), "caf\\xe9@example.net");
	json_decref(json);
	free(line);
}

/* Texts of control bytes grow six times in JSON; the record must still fit. */
static void a_line_never_passes_its_limit(void **state)
{
	static char noise[100000];
	struct record record = simple();
	struct slice bad = {noise, sizeof(noise)};
	struct record_recipient *recipients = calloc(5000, sizeof(*recipients));
	struct record_note notes[200];
	struct record_fact facts[50];

	(void)state;
	memset(noise, 1, sizeof(noise));
	for (size_t i = 0; i < 5000; i++)
		recipients[i] = (struct record_recipient){bad, SLICE("reject"), bad, bad};
	for (size_t i = 0; i < 200; i++)
		notes[i] = (struct record_note){SLICE("log"), bad, bad};
	for (size_t i = 0; i < 50; i++)
		facts[i] = (struct record_fact){SLICE("spf"), RECORD_TEXT, bad, 0};
	record.queue_id = record.client = record.client_name = record.helo = record.sender = bad;
	record.rule = record.reply = record.stage = bad;
	record.recipients = recipients;
	record.recipient_count = 5000;
	record.notes = notes;
	record.note_count = 200;
	record.facts = facts;
	record.fact_count = 50;
	for (size_t limit = RECORD_SYSLOG_MAX; limit <= RECORD_LINE_MAX; limit += 997) {
		char *line = record_line(&record, limit);
		assert_true(strlen(line) <= limit);
		json_t *json = parse(line);
		assert_true(json_is_true(json_object_get(json, "truncated")));
		assert_int_equal(json_integer_value(json_object_get(json, "recipient-count")), 5000);
		json_decref(json);
		free(line);
	}
	free(recipients);
}

static void facts_go_first_when_room_is_short(void **state)
{
	static char long_text[400];
	struct record record = simple();
	struct record_fact facts[10];

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	for (size_t i = 0; i < 10; i++) {
		static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
		facts[i] = (struct record_fact){slice_of(names[i]), RECORD_TEXT, {long_text, sizeof(long_text)}, 0};
	}
	record.facts = facts;
	record.fact_count = 10;
	char *line = record_line(&record, RECORD_SYSLOG_MAX);
	json_t *json = parse(line);
	assert_null(json_object_get(json, "facts"));
	assert_string_equal(text_of(json, "reply"), "550 5.7.1 no");
	json_decref(json);
	free(line);
}

static void a_file_that_cannot_be_written_is_an_error(void **state)
{
	struct error err;

	(void)state;
	assert_null(report_open(REPORT_FILE, "/nonexistent/directory/log", &err));
	assert_non_null(strstr(err.text, "/nonexistent/directory/log"));
}

static void a_line_in_a_file_is_one_json_object(void **state)
{
	char path[] = "/tmp/sekisho-test-record.XXXXXX", text[4096];
	int fd = mkstemp(path);
	struct error err;
	struct record record = simple();
	struct report *report = report_open(REPORT_FILE, path, &err);

	(void)state;
	assert_non_null(report);
	report_record(report, &record);
	report_line(report, "warning", "the file %s\nis gone", "x");
	assert_int_equal(report_reopen(report, &err), 0);
	report_close(report);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	char *second = strchr(text, '\n');
	*second++ = '\0';
	json_decref(parse(text));
	json_t *json = parse(second);
	assert_string_equal(text_of(json, "level"), "warning");
	assert_string_equal(text_of(json, "message"), "the file x\nis gone");
	json_decref(json);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_says_who_what_and_why),
	    cmocka_unit_test(bytes_that_are_not_utf8_are_shown),
	    cmocka_unit_test(a_line_never_passes_its_limit),
	    cmocka_unit_test(facts_go_first_when_room_is_short),
	    cmocka_unit_test(a_file_that_cannot_be_written_is_an_error),
	    cmocka_unit_test(a_line_in_a_file_is_one_json_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
