/*
 * test_record.c - a record is valid JSON with one form to the byte, whatever is in it.
 */
#include "record_scene.h"

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

	record.facts = facts;
	record.fact_count = 4;
	record.recipients = recipients;
	record.recipient_count = 2;
	char *line = record_line(&record, RECORD_LINE_MAX, *state);
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
}

static const struct record_recipient form_recipients[] = {
    {.address = SLICE("bob@example.org")},
    {SLICE("eve@example.org"), SLICE("reject"), SLICE("550-5.1.1 no\n550 5.1.1 never"), SLICE("f:3")},
};

static const struct record_fact form_facts[] = {
    {SLICE("spf"), RECORD_TEXT, SLICE("fail"), 0},
    {SLICE("header(\"Subject\")"), RECORD_TEXT, SLICE("\xc3\xa4 \"a\\b\"\t"), 0},
    {SLICE("size"), RECORD_NUMBER, SLICE(""), -12345},
    {SLICE("tls"), RECORD_BOOL, SLICE(""), 1},
    {SLICE("auth"), RECORD_BOOL, SLICE(""), 0},
    {SLICE("auth.user"), RECORD_NULL, SLICE(""), 0},
};

static const struct record_note form_notes[] = {
    {SLICE("log"), SLICE("f:4"), SLICE("seen")},
    {SLICE("would"), SLICE(""), SLICE("")},
};

static const struct {
	struct record record;
	const char *line;
} forms[] = {
    {{0},
     "{\"v\":2,\"time\":\"1970-01-01T00:00:00.000Z\",\"verdict\":\"\",\"rule\":null,\"reply\":null,\"stage\":"
     "null,"
     "\"kind\":\"\",\"case\":\"\",\"queue-id\":null,\"client\":null,\"client.name\":null,\"helo\":null,"
     "\"sender\":\"\","
     "\"recipients\":[],\"facts\":{},\"dns-us\":0,\"dns-questions\":0,\"total-us\":0}"},
    {{.time_us = 1795282780123000,
      .queue_id = SLICE("4Zq1"),
      .client = SLICE("2001:db8::1"),
      .client_name = SLICE("mx.example.net"),
      .helo = SLICE("mx"),
      .kind = SLICE("inbound"),
      .tenant = SLICE("acme"),
      .sender = SLICE("a@example.net"),
      .recipients = form_recipients,
      .recipient_count = 2,
      .verdict = SLICE("quarantine"),
      .stage = SLICE("message"),
      .rule = SLICE("sekisho.conf:12"),
      .reply = SLICE("550 5.7.1 no"),
      .quarantine = SLICE("looks odd"),
      .facts = form_facts,
      .fact_count = 6,
      .notes = form_notes,
      .note_count = 2,
      .dns_us = 17,
      .total_us = 42,
      .dns_questions = 3,
      .dns_stale = 1},
     "{\"v\":2,\"time\":\"2026-11-21T17:39:40.123Z\",\"verdict\":\"quarantine\",\"rule\":\"sekisho.conf:12\","
     "\"reply\":\"550 5.7.1 no\",\"stage\":\"message\",\"quarantine\":\"looks odd\",\"kind\":\"inbound\","
     "\"tenant\":\"acme\",\"case\":\"\",\"queue-id\":\"4Zq1\",\"client\":\"2001:db8::1\",\"client.name\":\"mx."
     "example.net\","
     "\"helo\":\"mx\","
     "\"sender\":\"a@example.net\",\"recipients\":[\"bob@example.org\",\"eve@example.org\"],"
     "\"refused\":[{\"recipient\":\"eve@example.org\",\"verdict\":\"reject\","
     "\"reply\":\"550-5.1.1 no\\n550 5.1.1 never\",\"rule\":\"f:3\"}],"
     "\"facts\":{\"spf\":\"fail\",\"header(\\\"Subject\\\")\":\"\xc3\xa4 \\\"a\\\\b\\\"\\t\",\"size\":-12345,"
     "\"tls\":true,\"auth\":false,\"auth.user\":null},"
     "\"notes\":[{\"kind\":\"log\",\"rule\":\"f:4\",\"text\":\"seen\"},"
     "{\"kind\":\"would\",\"rule\":\"\",\"text\":\"\"}],"
     "\"dns-us\":17,\"dns-questions\":3,\"dns-stale\":1,\"total-us\":42}"},
};

/* Programs that read logs rely on this form: names, their order, no blanks. */
static void a_record_has_one_form_to_the_byte(void **state)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char *line = record_line(&forms[i].record, RECORD_LINE_MAX, *state);

		assert_string_equal(line, forms[i].line);
		json_decref(parse(line));
	}
}

/* The sender as the line has it, with its quotes. */
static struct slice sender_written(struct slice sender, struct arena *arena)
{
	static const char before[] = "\"sender\":";
	struct record record = {.sender = sender};
	char *line = record_line(&record, RECORD_LINE_MAX, arena);
	char *start = strstr(line, before) + strlen(before);

	return (struct slice){start, (size_t)(strstr(start, ",\"recipients\":") - start)};
}

static void only_what_json_wants_escaped_is_escaped(void **state)
{
	static const struct {
		struct slice text;
		const char *written;
	} cases[] = {
	    {SLICE("a/'\x7f<>&"), "\"a/'\x7f<>&\""},
	    {SLICE("\"\\"), "\"\\\"\\\\\""},
	    {SLICE("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\""},
	    {SLICE("\x01\x0b\x1b\x1f"), "\"\\u0001\\u000B\\u001B\\u001F\""},
	    {SLICE("\xc3\xa4\xe2\x80\xa8\xf4\x8f\xbf\xbf"), "\"\xc3\xa4\xe2\x80\xa8\xf4\x8f\xbf\xbf\""},
	    {SLICE("\0"), "\"\\\\x00\""},
	    {SLICE("\xc3\xa4\0\n"), "\"\\\\xc3\\\\xa4\\\\x00\\n\""},
	    {SLICE("caf\xe9"), "\"caf\\\\xe9\""},
	    {SLICE("\xc0\xaf"), "\"\\\\xc0\\\\xaf\""},                       /* longer than need be */
	    {SLICE("\xed\xa0\x80"), "\"\\\\xed\\\\xa0\\\\x80\""},            /* half of a pair of UTF-16 */
	    {SLICE("\xf4\x90\x80\x80"), "\"\\\\xf4\\\\x90\\\\x80\\\\x80\""}, /* beyond Unicode */
	    {SLICE("\xc3\xa4\xe2\x82"), "\"\\\\xc3\\\\xa4\\\\xe2\\\\x82\""}, /* ends within a character */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_slice(sender_written(cases[i].text, *state), cases[i].written);
}

static void every_two_bytes_are_written_as_jansson_writes_them(void **state)
{
	for (unsigned i = 0; i < 0x10000; i++) {
		struct slice text = {(char[]){(char)(i >> 8), (char)i}, 2};
		json_t *json = json_text(text);
		char *expected = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

		assert_slice(sender_written(text, *state), expected);
		free(expected);
		json_decref(json);
		if (i % 256 == 0)
			arena_reset(*state);
	}
}

static void a_byte_is_found_at_any_place_of_a_long_text(void **state)
{
	char text[27];

	for (unsigned byte = 0; byte < 0x100; byte++)
		for (size_t at = 0; at < sizeof(text); at++) {
			struct slice whole = {text, sizeof(text)};
			json_t *json;
			char *expected;

			memset(text, 'x', sizeof(text));
			text[at] = (char)byte;
			json = json_text(whole);
			expected = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
			assert_slice(sender_written(whole, *state), expected);
			free(expected);
			json_decref(json);
			arena_reset(*state);
		}
}

static void a_text_is_cut_before_a_character(void **state)
{
	char text[514];

	memset(text, 'x', sizeof(text));
	memcpy(text + 511, "\xc3\xa4", 2); /* its second byte is the 513th */
	assert_int_equal(sender_written((struct slice){text, 513}, *state).n, 511 + 2);
	memcpy(text + 510, "\xc3\xa4x", 3);
	assert_int_equal(sender_written((struct slice){text, 513}, *state).n, 512 + 2);
	memset(text, '\x80', sizeof(text)); /* nowhere does one begin */
	assert_int_equal(sender_written((struct slice){text, 513}, *state).n, 2);
}

static void bytes_that_are_not_utf8_are_shown(void **state)
{
	struct record record = simple();

	record.sender = SLICE("caf\xe9@example.net");
	record.helo = SLICE("a\x01\nb\0c");
	char *line = record_line(&record, RECORD_LINE_MAX, *state);
	assert_null(strchr(line, '\n'));
	json_t *json = parse(line);
	assert_string_equal(text_of(json, "sender"), "caf\\xe9@example.net");
	json_decref(json);
}

/* The sum, each score with its reason, and what was set; of many scores the first. */
static void scores_have_their_sum_and_their_reasons(void **state)
{
	struct record record = simple();
	struct record_score scores[60];
	struct record_fact var = {SLICE("list"), RECORD_TEXT, SLICE("yes"), 0};
	json_t *json = parse(record_line(&record, RECORD_LINE_MAX, *state)), *read;

	assert_null(json_object_get(json, "score"));
	assert_null(json_object_get(json, "scores"));
	assert_null(json_object_get(json, "vars"));
	json_decref(json);
	for (size_t i = 0; i < 60; i++)
		scores[i] = (struct record_score){i == 1 ? -7 : 3, SLICE("f:12"), SLICE("no name")};
	record.scores = scores;
	record.score = -4;
	record.vars = &var;
	record.var_count = 1;
	for (record.score_count = 2; record.score_count <= 60; record.score_count += 58) {
		json = parse(record_line(&record, RECORD_LINE_MAX, *state));
		read = json_object_get(json, "scores");
		assert_int_equal(json_integer_value(json_object_get(json, "score")), -4);
		assert_int_equal(json_array_size(read), record.score_count == 2 ? 2 : 50);
		assert_int_equal(json_integer_value(json_object_get(json, "score-count")),
				 record.score_count == 2 ? 0 : 60);
		assert_int_equal(json_integer_value(json_object_get(json_array_get(read, 1), "points")), -7);
		assert_string_equal(text_of(json_array_get(read, 1), "why"), "no name");
		assert_string_equal(text_of(json_array_get(read, 1), "rule"), "f:12");
		assert_string_equal(text_of(json_object_get(json, "vars"), "list"), "yes");
		json_decref(json);
	}
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

	assert_non_null(report);
	report_record(report, &record, *state);
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
	    TEST(a_record_says_who_what_and_why),
	    TEST(a_record_has_one_form_to_the_byte),
	    TEST(only_what_json_wants_escaped_is_escaped),
	    TEST(every_two_bytes_are_written_as_jansson_writes_them),
	    TEST(a_text_is_cut_before_a_character),
	    TEST(bytes_that_are_not_utf8_are_shown),
	    TEST(a_file_that_cannot_be_written_is_an_error),
	    TEST(a_line_in_a_file_is_one_json_object),
	    TEST(scores_have_their_sum_and_their_reasons),
	    TEST(a_byte_is_found_at_any_place_of_a_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
