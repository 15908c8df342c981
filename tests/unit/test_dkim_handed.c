/*
 * test_dkim_handed.c - what libopendkim is handed of a message, and what not. Its entry points are wrapped (linked by
 * --wrap), so that the test sees every field and every piece of a body before the library does.
 */
#include "dkim_bench.h"

#include <opendkim/dkim.h>

#define LETTER                                                                                                         \
	"From: Alice <alice@example.org>\n"                                                                            \
	"Subject: hello\n"                                                                                             \
	"\n"
#define HANDED_ROOM 100000
#define FIELD_MOST  60000 /* of a field that it may see */

static char fields[HANDED_ROOM], body[HANDED_ROOM], key[HANDED_ROOM]; /* each field ends in LF here */
static size_t signatures;

DKIM_STAT __real_dkim_header(DKIM *, u_char *, size_t);
DKIM_STAT __wrap_dkim_header(DKIM *, u_char *, size_t);
DKIM_STAT __real_dkim_body(DKIM *, u_char *, size_t);
DKIM_STAT __wrap_dkim_body(DKIM *, u_char *, size_t);
DKIM_STAT __real_dkim_set_key_lookup(DKIM_LIB *, DKIM_CBSTAT (*)(DKIM *, DKIM_SIGINFO *, u_char *, size_t));
DKIM_STAT __wrap_dkim_set_key_lookup(DKIM_LIB *, DKIM_CBSTAT (*)(DKIM *, DKIM_SIGINFO *, u_char *, size_t));

DKIM_STAT __wrap_dkim_header(DKIM *dkim, u_char *text, size_t n)
{
	size_t used = strlen(fields);

	assert_true(used + n + 2 < HANDED_ROOM);
	signatures += n > 14 && strncasecmp((char *)text, "DKIM-Signature", 14) == 0;
	memcpy(fields + used, text, n);
	fields[used + n] = '\n';
	fields[used + n + 1] = '\0';
	return __real_dkim_header(dkim, text, n);
}

DKIM_STAT __wrap_dkim_body(DKIM *dkim, u_char *text, size_t n)
{
	size_t used = strlen(body);

	assert_true(used + n + 1 < HANDED_ROOM);
	memcpy(body + used, text, n);
	body[used + n] = '\0';
	return __real_dkim_body(dkim, text, n);
}

static DKIM_CBSTAT (*find_key)(DKIM *, DKIM_SIGINFO *, u_char *, size_t);

static DKIM_CBSTAT find_and_keep_key(DKIM *dkim, DKIM_SIGINFO *info, u_char *buffer, size_t room)
{
	DKIM_CBSTAT status = find_key(dkim, info, buffer, room);

	if (status == DKIM_CBSTAT_CONTINUE)
		snprintf(key, sizeof(key), "%s", (char *)buffer);
	return status;
}

DKIM_STAT __wrap_dkim_set_key_lookup(DKIM_LIB *lib, DKIM_CBSTAT (*function)(DKIM *, DKIM_SIGINFO *, u_char *, size_t))
{
	find_key = function;
	return __real_dkim_set_key_lookup(lib, find_and_keep_key);
}

static struct dkim_library *library;

/* The result of the first signature by libopendkim. */
static enum dkim_result judge(struct bench *bench, struct slice zone, struct slice text)
{
	struct dkim_rules rules = bench_rules();

	fields[0] = body[0] = key[0] = '\0';
	signatures = 0;
	rules.engine = DKIM_LIBOPENDKIM;
	rules.library = library;
	return bench_verify_with(bench, &rules, zone, text).signatures[0].result;
}

static struct slice signed_letter(struct bench *bench, const char *fields_on_top, const char *text)
{
	struct dkim_signing signing = bench_signing(bench, false);
	struct slice letter = bench_sign(bench, &signing, arena_printf(bench->arena, LETTER "%s", text));

	return arena_printf(bench->arena, "%s%.*s", fields_on_top, SLICE_ARGS(letter));
}

static void fields_are_handed_as_they_came_without_the_last_line_end(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(judge(bench, bench->zone, signed_letter(bench, "", "Hello.\n")), DKIM_PASS);
	assert_int_equal(signatures, 1);
	assert_non_null(strstr(fields, "\nFrom: Alice <alice@example.org>\nSubject: hello\n"));
	assert_null(strstr(fields, "\r\n\n"));
}

static void of_a_message_with_a_control_character_in_a_name_nothing_more_is_handed(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(judge(bench, bench->zone, signed_letter(bench, "X-Odd\t: 1\nX-After: 2\n", "Hello.\n")),
			 DKIM_NEUTRAL);
	assert_string_equal(fields, "");
	assert_string_equal(body, "");
}

static void a_field_over_the_bound_is_not_handed_and_one_below_is(void **state)
{
	struct bench *bench = *state;
	char *field = malloc(FIELD_MOST + 10);

	for (int over = 0; over < 2; over++) {
		memset(field, 'x', FIELD_MOST + 9);
		memcpy(field, "X: ", 3);
		strcpy(field + FIELD_MOST + over, "\n");
		assert_int_equal(judge(bench, bench->zone, signed_letter(bench, field, "Hello.\n")),
				 over ? DKIM_NEUTRAL : DKIM_PASS);
		assert_int_equal(strncmp(fields, "X: x", 4) == 0, !over);
	}
	free(field);
}

static void only_signatures_that_will_be_verified_are_handed(void **state)
{
	struct bench *bench = *state;
	struct slice letter = signed_letter(bench, "", "Hello.\n"), text = letter;
	struct slice one = slice_head(letter, letter.n - strlen(LETTER "Hello.\n"));

	for (int i = 0; i < DKIM_SIGNATURES + 2; i++)
		text = arena_printf(bench->arena, "%.*s%.*s", SLICE_ARGS(one), SLICE_ARGS(text));
	assert_int_equal(judge(bench, bench->zone, text), DKIM_PASS);
	assert_int_equal(signatures, DKIM_SIGNATURES);
	text = arena_printf(bench->arena, "DKIM-Signature: v=2\n%.*s", SLICE_ARGS(letter));
	judge(bench, bench->zone, text);
	assert_int_equal(signatures, 1);
}

static void lines_of_a_body_are_handed_with_crlf(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(judge(bench, bench->zone, signed_letter(bench, "", "one\ntwo\r\n\nend")), DKIM_PASS);
	assert_string_equal(body, "one\r\ntwo\r\n\r\nend\r\n");
}

/* The text was changed as well, so no verifier would pass it. */
static void of_a_body_with_a_bare_cr_its_word_does_not_count(void **state)
{
	struct bench *bench = *state;
	struct slice text = signed_letter(bench, "", "Hello.\n");

	assert_int_equal(judge(bench, bench->zone, replaced(bench, text, "Hello.", "Hullo\r!")), DKIM_NEUTRAL);
	assert_int_equal(judge(bench, bench->zone, replaced(bench, text, "Hello.", "Hullo!")), DKIM_FAIL);
}

/* A note and a flag, which count with us, are not handed on; the key is printed anew. */
static void a_key_is_handed_as_we_have_read_it(void **state)
{
	struct bench *bench = *state;
	struct slice zone = replaced(bench, bench->zone, "v=DKIM1;", "v=DKIM1; n=a note; h=sha256;");

	assert_int_equal(judge(bench, zone, signed_letter(bench, "", "Hello.\n")), DKIM_PASS);
	assert_int_equal(strncmp(key, "v=DKIM1; k=rsa; p=MII", 21), 0);
	assert_null(strchr(key + 21, ';'));
}

static int set_up(void **state)
{
	struct error err;

	library = dkim_library_open(&err);
	return bench_open(state);
}

static int tear_down(void **state)
{
	bench_close(state); /* its arena holds what is the library's */
	dkim_library_close(library);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_are_handed_as_they_came_without_the_last_line_end),
	    cmocka_unit_test(of_a_message_with_a_control_character_in_a_name_nothing_more_is_handed),
	    cmocka_unit_test(a_field_over_the_bound_is_not_handed_and_one_below_is),
	    cmocka_unit_test(only_signatures_that_will_be_verified_are_handed),
	    cmocka_unit_test(lines_of_a_body_are_handed_with_crlf),
	    cmocka_unit_test(of_a_body_with_a_bare_cr_its_word_does_not_count),
	    cmocka_unit_test(a_key_is_handed_as_we_have_read_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
