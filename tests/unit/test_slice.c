/*
 * test_slice.c - text as a pointer and a length.
 */
#include "assert_slice.h"

#include <string.h>

static const struct slice nothing = {NULL, 0};

static void the_empty_slice_needs_no_pointer(void **state)
{
	struct slice word;

	(void)state;
	assert_int_equal(slice_of(NULL).n, 0);
	assert_true(slice_equal(nothing, SLICE("")));
	assert_true(slice_equal_nocase(nothing, SLICE("")));
	assert_true(slice_starts_nocase(nothing, nothing));
	assert_true(slice_ends_nocase(SLICE("a"), nothing));
	assert_int_equal(slice_trim(nothing).n, 0);
	assert_int_equal(slice_from(nothing, 3).n, 0);
	assert_int_equal(slice_find(nothing, 'a'), -1);
	assert_int_equal(slice_find_last(nothing, 'a'), -1);
	word = nothing;
	assert_false(slice_word(&word, &word));
	assert_int_equal(slice_utf8(nothing), 0);
}

static void case_counts_only_in_the_functions_that_say_so(void **state)
{
	(void)state;
	assert_false(slice_equal(SLICE("Spf"), SLICE("spf")));
	assert_true(slice_equal_nocase(SLICE("Spf"), SLICE("sPF")));
	assert_false(slice_equal_nocase(SLICE("spf"), SLICE("spfx")));
	assert_false(slice_equal_nocase(SLICE("@["), SLICE("`{"))); /* differ by the bit that is the case of letters */
	assert_false(slice_equal_nocase(SLICE("\xc3\x84"), SLICE("\xc3\xa4")));
	assert_true(slice_starts_nocase(SLICE("IPv6:::1"), SLICE("ipv6:")));
	assert_false(slice_starts_nocase(SLICE("ip"), SLICE("ipv6:")));
	assert_true(slice_ends_nocase(SLICE("a.Example"), SLICE(".example")));
	assert_false(slice_ends_nocase(SLICE("xample"), SLICE("example")));
}

static void a_nul_byte_is_a_byte(void **state)
{
	(void)state;
	assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
	assert_int_equal(slice_find(SLICE("a\0b"), 'b'), 2);
	assert_int_equal(SLICE("a\0b").n, 3);
}

static void parts_never_reach_beyond_the_text(void **state)
{
	(void)state;
	assert_slice(slice_trim(SLICE(" \t\r\n a b \r\n")), "a b");
	assert_slice(slice_trim(SLICE(" \r\n")), "");
	assert_slice(slice_from(SLICE("abc"), 1), "bc");
	assert_slice(slice_from(SLICE("abc"), 9), "");
	assert_slice(slice_head(SLICE("abc"), 2), "ab");
	assert_slice(slice_head(SLICE("abc"), 9), "abc");
	assert_int_equal(slice_find(SLICE("a.b.c"), '.'), 1);
	assert_int_equal(slice_find_last(SLICE("a.b.c"), '.'), 3);
}

static void a_cut_gives_every_part_the_last_empty_one_too(void **state)
{
	static const struct {
		const char *text, *parts;
	} cases[] = {{"a,b,", "a|b||"}, {"", "|"}, {",", "||"}, {"a", "a|"}, {",a", "|a|"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice rest = slice_of(cases[i].text), part;
		char found[32] = "";

		while (slice_cut(&rest, ',', &part)) {
			strncat(found, part.p, part.n);
			strcat(found, "|");
		}
		assert_string_equal(found, cases[i].parts);
	}
}

static void words_are_separated_by_any_blanks(void **state)
{
	struct slice rest = SLICE("  one\ttwo\r\nthree "), word;

	(void)state;
	assert_true(slice_word(&rest, &word));
	assert_slice(word, "one");
	assert_true(slice_word(&rest, &word));
	assert_slice(word, "two");
	assert_true(slice_word(&rest, &word));
	assert_slice(word, "three");
	assert_false(slice_word(&rest, &word));
}

static void numbers_are_digits_up_to_the_maximum(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int result;
		uint64_t number;
	} cases[] = {
	    {"0", 0, 0, 0},
	    {"1", 0, -1, 0},
	    {"007", 9, 0, 7},
	    {"255", 255, 0, 255},
	    {"256", 255, -1, 0},
	    {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX, -1, 0},
	    {"99999999999999999999999999", UINT64_MAX, -1, 0},
	    {"", 9, -1, 0},
	    {"+1", 9, -1, 0},
	    {"-1", 9, -1, 0},
	    {" 1", 9, -1, 0},
	    {"1a", 99, -1, 0},
	    {"\xff", 99, -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t number = 0;

		assert_int_equal(slice_number(slice_of(cases[i].text), cases[i].max, &number), cases[i].result);
		assert_int_equal(number, cases[i].number);
	}
}

static void a_number_is_printed_as_it_is_written(void **state)
{
	static const struct {
		int64_t number;
		const char *text;
	} cases[] = {{0, "0"},
		     {7, "7"},
		     {-7, "-7"},
		     {1795281580, "1795281580"},
		     {INT64_MAX, "9223372036854775807"},
		     {INT64_MIN, "-9223372036854775808"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buffer[NUMBER_TEXT];

		assert_slice(number_print(cases[i].number, buffer), cases[i].text);
	}
}

static void only_what_is_utf8_has_a_length(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} cases[] = {
	    {"a", 1},
	    {"\xc3\xa4", 2},
	    {"\xe2\x82\xac", 3},
	    {"\xf0\x9f\x98\x80", 4},
	    {"\xf4\x8f\xbf\xbf", 4},
	    {"\x80", 0},     /* goes on with nothing */
	    {"\xc0\xaf", 0}, /* longer than need be */
	    {"\xe0\x80\xaf", 0},
	    {"\xed\xa0\x80", 0},     /* half of a pair of UTF-16 */
	    {"\xf4\x90\x80\x80", 0}, /* beyond Unicode */
	    {"\xf8\x88\x80\x80", 0},
	    {"\xe2\x82", 0}, /* cut off */
	    {"\xe2\x82z", 0},
	    {"\xff", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(slice_utf8(slice_of(cases[i].text)), cases[i].length);
	assert_int_equal(slice_utf8(SLICE("\0")), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_empty_slice_needs_no_pointer),
	    cmocka_unit_test(case_counts_only_in_the_functions_that_say_so),
	    cmocka_unit_test(a_nul_byte_is_a_byte),
	    cmocka_unit_test(parts_never_reach_beyond_the_text),
	    cmocka_unit_test(a_cut_gives_every_part_the_last_empty_one_too),
	    cmocka_unit_test(words_are_separated_by_any_blanks),
	    cmocka_unit_test(numbers_are_digits_up_to_the_maximum),
	    cmocka_unit_test(a_number_is_printed_as_it_is_written),
	    cmocka_unit_test(only_what_is_utf8_has_a_length),
	};

	return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
