/*
 * test_dkim_tags.c - what a signature and a key record are written in: lists of tags (RFC 6376 3.2) and base64.
 */
#include "dkim_bench.h"

static void tag_lists_are_read_strictly(void **state)
{
	static const struct {
		const char *text, *wrong, *first, *last;
	} cases[] = {
	    {"v=1; a=b", NULL, "1", "b"},
	    {" v = 1 ;\n\ta = b\n c ;", NULL, "1", "b\n c"},
	    {"v=1;a=", NULL, "1", ""},
	    {"v=a=b", NULL, "a=b", "a=b"},
	    {"", "a tag without =", NULL, NULL},
	    {" ", "a tag without =", NULL, NULL},
	    {";", "a tag without =", NULL, NULL},
	    {"v=1;;a=b", "a tag without =", NULL, NULL},
	    {"v=1; v=1", "a tag appears twice", NULL, NULL},
	    {"v=1; 1a=b", "the name of a tag is malformed", NULL, NULL},
	    {"v=1; a-b=c", "the name of a tag is malformed", NULL, NULL},
	    {"=1", "the name of a tag is malformed", NULL, NULL},
	    {"v=\x01", "a tag has control characters", NULL, NULL},
	    {"v=\x7f", "a tag has control characters", NULL, NULL},
	    {"v=\xc3\xbc", NULL, "\xc3\xbc", "\xc3\xbc"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tags tags;
		const char *wrong = tags_parse(slice_of(cases[i].text), &tags);

		if (cases[i].wrong) {
			assert_non_null(wrong);
			assert_string_equal(wrong, cases[i].wrong);
			continue;
		}
		assert_null(wrong);
		assert_slice(tags.list[0].value, cases[i].first);
		assert_slice(tags.list[tags.count - 1].value, cases[i].last);
	}
}

static void more_tags_than_mean_something_are_refused(void **state)
{
	struct bench *bench = *state;
	struct tags tags;
	struct text text;

	text_init(&text, bench->arena, 10000);
	for (int i = 0; i < TAGS_MAX; i++)
		text_printf(&text, "%st%d=x", i ? ";" : "", i);
	assert_null(tags_parse(text_slice(&text), &tags));
	text_printf(&text, ";more=x");
	assert_string_equal(tags_parse(text_slice(&text), &tags), "too many tags");
}

static void a_glance_finds_a_tag_of_one_letter(void **state)
{
	static const struct {
		const char *text, *value;
	} cases[] = {
	    {"d=example.org", "example.org"},
	    {" v=1; a=rsa-sha256;\r\n\td = example.org ; s=x", "example.org"},
	    {"b=d=wrong; dd=wrong; bd=wrong; d=right; d=second", "right"},
	    {"d; d =; d=late", ""},
	    {"s=d", ""},
	    {"d", ""},
	    {";;;", ""},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_slice(tags_glance(slice_of(cases[i].text), 'd'), cases[i].value);
}

static void a_glance_looks_at_no_more_tags_than_a_list_may_have(void **state)
{
	char text[TAGS_MAX + 8];

	(void)state;
	for (size_t before = TAGS_MAX - 1; before <= TAGS_MAX; before++) {
		memset(text, ';', before);
		memcpy(text + before, "d=x", 3);
		assert_slice(tags_glance((struct slice){text, before + 3}, 'd'), before < TAGS_MAX ? "x" : "");
	}
}

static void no_control_character_is_missed_in_a_value_of_any_length(void **state)
{
	char text[70] = "p=";
	struct tags tags;

	(void)state;
	for (size_t n = 3; n < sizeof(text); n++) {
		memset(text + 2, 'x', n - 2);
		assert_null(tags_parse((struct slice){text, n}, &tags));
		for (size_t at = 2; at < n; at++) {
			text[at] = at % 2 ? '\x7f' : '\x01';
			assert_non_null(tags_parse((struct slice){text, n}, &tags));
			text[at] = at % 2 ? '\xff' : '\t';
			assert_null(tags_parse((struct slice){text, n}, &tags));
			text[at] = 'x';
		}
	}
}

static void blanks_are_allowed_anywhere_in_base64(void **state)
{
	struct bench *bench = *state;
	unsigned char bytes[50];
	char spaced[80];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37);
	for (size_t n = 1; n <= sizeof(bytes); n++) {
		struct slice given = {(const char *)bytes, n}, text = base64_encode(given, bench->arena), read;

		for (size_t at = 0; at <= text.n; at++) {
			struct slice with = {spaced, text.n + 3};

			memcpy(spaced, text.p, at);
			memcpy(spaced + at, "\r\n ", 3);
			memcpy(spaced + at + 3, text.p + at, text.n - at);
			assert_int_equal(base64_decode(with, bench->arena, &read), 0);
			assert_true(slice_equal(read, given));
			spaced[at] = '*';
			assert_int_equal(base64_decode(with, bench->arena, &read), -1);
		}
	}
}

static void base64_is_read_with_blanks_and_nothing_else(void **state)
{
	static const struct {
		const char *text, *bytes;
	} cases[] = {
	    {"", ""},        {"YQ==", "a"},          {"YWI=", "ab"},
	    {"YWJj", "abc"}, {" Y W\n\tJj ", "abc"}, {"YWJjZA==", "abcd"},
	    {"Y", NULL},     {"YQ", NULL},           {"YQ=", NULL},
	    {"YQ===", NULL}, {"YQ==YQ==", NULL},     {"Y@==", NULL},
	    {"====", NULL},  {"YW=j", NULL},
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice bytes = SLICE("");
		int result = base64_decode(slice_of(cases[i].text), bench->arena, &bytes);

		assert_int_equal(result, cases[i].bytes ? 0 : -1);
		if (!cases[i].bytes)
			continue;
		assert_slice(bytes, cases[i].bytes);
		if (!strpbrk(cases[i].text, " \n\t"))
			assert_slice(base64_encode(bytes, bench->arena), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tag_lists_are_read_strictly),
	    cmocka_unit_test(more_tags_than_mean_something_are_refused),
	    cmocka_unit_test(a_glance_finds_a_tag_of_one_letter),
	    cmocka_unit_test(a_glance_looks_at_no_more_tags_than_a_list_may_have),
	    cmocka_unit_test(no_control_character_is_missed_in_a_value_of_any_length),
	    cmocka_unit_test(blanks_are_allowed_anywhere_in_base64),
	    cmocka_unit_test(base64_is_read_with_blanks_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
