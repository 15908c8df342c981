/*
 * test_header.c - header fields: stored, found, unfolded, and made safe to write.
 */
#include "assert_slice.h"

#include <stdio.h>
#include <string.h>

#include "mail.h"

static int set_up(void **state)
{
	*state = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	arena_free(*state);
	return 0;
}

static struct slice many(struct arena *arena, const char *text, size_t times)
{
	size_t n = strlen(text);
	char *p = arena_alloc(arena, n * times);

	for (size_t i = 0; i < times; i++)
		memcpy(p + i * n, text, n);
	return (struct slice){p, n * times};
}

static void fields_are_found_by_name_in_any_case_and_index(void **state)
{
	struct headers headers;

	headers_init(&headers, *state);
	assert_null(headers_find(&headers, SLICE("Subject"), 1));
	assert_int_equal(headers_count(&headers, SLICE("Subject")), 0);
	headers_add(&headers, SLICE("Received"), SLICE(" one"));
	headers_add(&headers, SLICE("Subject"), SLICE(" hello"));
	headers_add(&headers, SLICE("RECEIVED"), SLICE(" two"));
	headers_add(&headers, SLICE(""), SLICE(" no name"));

	assert_slice(headers_find(&headers, SLICE("received"), 1)->value, " one");
	assert_slice(headers_find(&headers, SLICE("received"), 2)->value, " two");
	assert_slice(headers_find(&headers, SLICE("received"), 2)->name, "RECEIVED");
	assert_int_equal(headers_find(&headers, SLICE("Received"), 2)->index, 2);
	assert_null(headers_find(&headers, SLICE("Received"), 0));
	assert_null(headers_find(&headers, SLICE("Received"), 3));
	assert_null(headers_find(&headers, SLICE("Receive"), 1));
	assert_int_equal(headers_count(&headers, SLICE("rEceived")), 2);
	assert_slice(headers_find(&headers, SLICE(""), 1)->value, " no name");
	assert_int_equal(headers.count, 4);
}

static void fields_are_copies(void **state)
{
	struct headers headers;
	char name[] = "Subject", value[] = " hello";

	headers_init(&headers, *state);
	headers_add(&headers, slice_of(name), slice_of(value));
	memset(name, 'x', sizeof(name) - 1);
	memset(value, 'x', sizeof(value) - 1);
	assert_slice(headers_find(&headers, SLICE("Subject"), 1)->value, " hello");
}

static void fields_beyond_the_count_are_not_stored(void **state)
{
	struct headers headers;

	headers_init(&headers, *state);
	for (int i = 0; i < HEADER_COUNT_MAX; i++)
		headers_add(&headers, SLICE("X"), SLICE("y"));
	assert_false(headers.too_large);
	assert_int_equal(headers_count(&headers, SLICE("x")), HEADER_COUNT_MAX);
	assert_int_equal(headers_find(&headers, SLICE("x"), HEADER_COUNT_MAX)->index, HEADER_COUNT_MAX);
	headers_add(&headers, SLICE("X"), SLICE("y"));
	assert_true(headers.too_large);
	assert_int_equal(headers.count, HEADER_COUNT_MAX);
}

static void fields_beyond_the_bytes_are_not_stored(void **state)
{
	struct headers headers;
	struct slice half = many(*state, "x", HEADER_BYTES_MAX / 2 - 1);

	headers_init(&headers, *state);
	headers_add(&headers, SLICE("a"), half);
	headers_add(&headers, SLICE("b"), half);
	assert_false(headers.too_large);
	assert_int_equal(headers.bytes, HEADER_BYTES_MAX);
	headers_add(&headers, SLICE("c"), SLICE(""));
	assert_true(headers.too_large);
	assert_int_equal(headers.count, 2);

	headers_init(&headers, *state);
	headers_add(&headers, SLICE("a"), many(*state, "x", HEADER_BYTES_MAX));
	assert_true(headers.too_large);
	headers_add(&headers, SLICE("b"), SLICE("small")); /* nothing more, so that what is stored has no holes */
	assert_int_equal(headers.count, 0);
}

static void five_thousand_different_names_are_each_counted(void **state)
{
	struct headers headers;

	headers_init(&headers, *state);
	for (int i = 0; i < HEADER_COUNT_MAX; i++)
		headers_add(&headers, arena_printf(*state, "X-%d", i % 2500), SLICE(""));
	for (int i = 0; i < 2500; i++)
		assert_int_equal(headers_count(&headers, arena_printf(*state, "x-%d", i)), 2);
}

static void a_name_longer_than_a_line_is_compared_whole(void **state)
{
	struct headers headers;
	struct slice a = many(*state, "Name-", 40);

	headers_init(&headers, *state);
	headers_add(&headers, a, SLICE("1"));
	headers_add(&headers, slice_head(a, a.n - 1), SLICE("2"));
	assert_int_equal(headers_count(&headers, arena_lower(*state, a)), 1);
	assert_slice(headers_find(&headers, slice_head(a, a.n - 1), 1)->value, "2");
}

static void unfolding_leaves_one_line_and_every_blank(void **state)
{
	static const struct {
		const char *value, *line;
	} cases[] = {
	    {" hello", "hello"},
	    {" one\r\n two", "one two"},
	    {" one\n\ttwo", "one two"},
	    {" one\n\t\ttwo\tthree", "one \ttwo\tthree"},
	    {"one\r\n  \r\n two\r\n", "one   two"},
	    {"one\ntwo", "one two"}, /* not a fold: still one line */
	    {"one\r\r\ntwo", "one two"},
	    {"\r\n \r\n", ""},
	    {"", ""},
	    {"gr\xfc\xdf", "gr\xfc\xdf"}, /* 8-bit stays */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_slice(header_unfold(slice_of(cases[i].value), *state), cases[i].line);
	assert_int_equal(header_unfold((struct slice){NULL, 0}, *state).n, 0);
}

static void a_value_that_is_written_is_safe(void **state)
{
	static const struct {
		const char *value, *written;
	} cases[] = {
	    {"hello  world", "hello  world"},
	    {" hello ", "hello"},
	    {"", ""},
	    {"a\r\nBcc: victim@example.org", "a  Bcc: victim@example.org"},
	    {"a\tb\x01\x7f"
	     "c",
	     "a b  c"},
	    {"gr\xc3\xbc\xc3\x9f"
	     "e",
	     "=?UTF-8?B?Z3LDvMOfZQ==?="},
	    {"Gr\xc3\xbc"
	     "ezi und hallo",
	     "=?UTF-8?Q?Gr=C3=BCezi?= und hallo"},
	    {"[x] \xc3\xa4 \xc3\xb6 z", "[x] =?UTF-8?B?w6Qgw7Y=?= z"},
	    {"[b\xc3\xb6se] =?utf-8?q?x?=", "=?UTF-8?B?W2LDtnNlXSA=?= =?utf-8?q?x?="},
	    {"=?a?q?b?= \xc3\xb6 =?a?q?b?=", "=?a?q?b?= =?UTF-8?Q?_=C3=B6_?= =?a?q?b?="},
	    {"\xff\xfe", "??"},
	    {"\xff \xc3\xa4", "? =?UTF-8?B?w6Q=?="},
	    {"\xc3", "?"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_slice(header_safe(slice_of(cases[i].value), 7, *state), cases[i].written);
	assert_slice(header_safe(SLICE("a\0b"), 7, *state), "a b");
}

/* Every line as RFC 5322 2.1.1 and RFC 2047 2 want it. */
static void assert_lines(struct slice value, size_t name_length, size_t longest)
{
	struct slice rest = value, line;
	bool first = true;

	while (slice_cut(&rest, '\n', &line)) {
		assert_true(line.n + (first ? name_length + 2 : 0) <= longest);
		assert_true(slice_trim(line).n > 0);
		assert_true(first || line.p[0] == ' ');
		for (size_t i = 0; i < line.n; i++)
			assert_true((unsigned char)line.p[i] >= ' ' && (unsigned char)line.p[i] < 0x7f);
		first = false;
	}
}

static void long_lines_are_folded_at_blanks_and_nothing_is_lost(void **state)
{
	struct slice words = many(*state, "lorem ipsum  dolor ", 200);
	struct slice written = header_safe(words, 7, *state);

	assert_lines(written, 7, 78);
	assert_true(slice_equal(header_unfold(written, *state), slice_trim(words)));
}

static void a_word_that_fits_no_line_is_encoded(void **state)
{
	struct slice kept = many(*state, "x", 900), encoded = many(*state, "x", 901);

	assert_true(slice_equal(header_safe(kept, 76, *state), kept));
	assert_lines(header_safe(encoded, 7, *state), 7, 76);
	assert_lines(header_safe(many(*state, "x", 100000), 7, *state), 7, 76);
}

static void a_thousand_blanks_make_no_line_of_blanks(void **state)
{
	struct slice value = arena_printf(*state, "a%1000sb%40sc%41sd", "", "", "");

	assert_slice(slice_from(header_safe(value, 7, *state), 1 + 40),
		     arena_printf(*state, "b\n%40sc\n%40sd", "", "").p);
}

static void decode_q(struct text *out, struct slice word)
{
	for (size_t i = 0; i < word.n; i++) {
		char hex[3] = {0};
		unsigned byte;

		if (word.p[i] != '=') {
			text_add_char(out, word.p[i] == '_' ? ' ' : word.p[i]);
			continue;
		}
		assert_true(i + 2 < word.n);
		memcpy(hex, word.p + i + 1, 2);
		assert_int_equal(sscanf(hex, "%2X", &byte), 1);
		text_add_char(out, (char)byte);
		i += 2;
	}
}

static void decode_b(struct text *out, struct slice word)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < word.n && word.p[i] != '='; i++) {
		const char *letter = strchr(letters, word.p[i]);

		assert_non_null(letter);
		bits = bits << 6 | (uint32_t)(letter - letters);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		text_add_char(out, (char)(bits >> have));
	}
}

/* RFC 2047 5: each encoded word holds whole characters. */
static void assert_utf8(struct slice text)
{
	while (text.n > 0) {
		assert_true(slice_utf8(text) > 0);
		text = slice_from(text, slice_utf8(text));
	}
}

/* Reads what header_safe writes, blanks between encoded words left out. */
static struct slice decode(struct slice written, struct arena *arena)
{
	struct slice line = header_unfold(written, arena), word;
	struct text out;
	bool was_encoded = false;

	text_init(&out, arena, 1 << 20);
	while (slice_word(&line, &word)) {
		bool b = slice_starts_nocase(word, SLICE("=?UTF-8?B?")),
		     q = slice_starts_nocase(word, SLICE("=?UTF-8?Q?"));
		size_t start;

		if (out.n > 0 && !(was_encoded && (b || q)))
			text_add_char(&out, ' ');
		was_encoded = b || q;
		start = out.n;
		if (!was_encoded) {
			text_add(&out, word);
			continue;
		}
		assert_true(word.n <= 75);
		assert_true(slice_ends_nocase(word, SLICE("?=")));
		(b ? decode_b : decode_q)(&out, slice_head(slice_from(word, 10), word.n - 12));
		assert_utf8(slice_from(text_slice(&out), start));
	}
	return text_slice(&out);
}

static void encoded_words_hold_whole_characters_and_read_back(void **state)
{
	static const char *const cases[] = {"\xe6\x97\xa5\xe6\x9c\xac", "abc\xc3\xa4", "\xf0\x9f\x98\x80",
					    "\xc3\xa4 b \xc3\xb6 c", "xxxxxxxxx\xc3\xa4(\"=_?"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t times = 1; times < 120; times += 7) {
			for (size_t name_length = 1; name_length <= 76; name_length += 25) {
				struct slice value = many(*state, cases[i], times);
				struct slice written = header_safe(value, name_length, *state);

				assert_true(slice_equal(decode(written, *state), value));
				if (name_length < 40)
					assert_lines(written, name_length, 78);
			}
		}
		arena_reset(*state);
	}
}

static void a_field_name_is_printable_without_colon(void **state)
{
	assert_true(header_name_valid(SLICE("X-Spam-Flag")));
	assert_true(header_name_valid(SLICE("!~")));
	assert_false(header_name_valid(SLICE("")));
	assert_false(header_name_valid(SLICE("X:")));
	assert_false(header_name_valid(SLICE("X Y")));
	assert_false(header_name_valid(SLICE("X\0Y")));
	assert_false(header_name_valid(SLICE("X\r\n")));
	assert_false(header_name_valid(SLICE("X\x7f")));
	assert_false(header_name_valid(SLICE("\xc3\xa4")));
	assert_true(header_name_valid(many(*state, "x", 76)));
	assert_false(header_name_valid(many(*state, "x", 77)));
}

static void blanks_around_a_name_do_not_count_and_all_else_does(void **state)
{
	static const struct {
		const char *name;
		bool is_subject;
	} cases[] = {
	    {"Subject", true},    {"SUBJECT", true}, {"Subject ", true},  {"subject \t ", true}, {" Subject", true},
	    {"\tSubject ", true}, {"Subjec", false}, {"Subjects", false}, {"Subject x", false},  {"Sub ject", false},
	    {"", false},          {" ", false},      {" Subjec ", false}, {"X-Subject", false},  {"Subject\x80", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct header_field field = {slice_of(cases[i].name), SLICE(" x"), 1};

		assert_int_equal(header_is_named(&field, SLICE("Subject")), cases[i].is_subject);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(fields_are_found_by_name_in_any_case_and_index),
	    TEST(blanks_around_a_name_do_not_count_and_all_else_does),
	    TEST(fields_are_copies),
	    TEST(fields_beyond_the_count_are_not_stored),
	    TEST(fields_beyond_the_bytes_are_not_stored),
	    TEST(five_thousand_different_names_are_each_counted),
	    TEST(a_name_longer_than_a_line_is_compared_whole),
	    TEST(unfolding_leaves_one_line_and_every_blank),
	    TEST(a_value_that_is_written_is_safe),
	    TEST(long_lines_are_folded_at_blanks_and_nothing_is_lost),
	    TEST(a_word_that_fits_no_line_is_encoded),
	    TEST(a_thousand_blanks_make_no_line_of_blanks),
	    TEST(encoded_words_hold_whole_characters_and_read_back),
	    TEST(a_field_name_is_printable_without_colon),
	};

	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
