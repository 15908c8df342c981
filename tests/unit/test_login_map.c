/*
 * test_login_map.c - lists of logins: wildcards, letters beyond ASCII, what is there twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../filter/list/list_content.h"
#include <stdio.h>
#include <string.h>

#define NFD_U "u\xCC\x88" /* u with a combining diaeresis */
#define NFC_U "\xC3\xBC"  /* the same as one letter */
#define CAP_U "\xC3\x9C"  /* its capital */
#define SHARP                                                                                                          \
	"stra\xC3\x9F"                                                                                                 \
	"e" /* with a sharp s */

static struct list_content *parse(const char *text, enum list_kind kind, struct list_faults *faults_r)
{
	struct list_content *content;

	*faults_r = (struct list_faults){0};
	content = list_content_parse(slice_of(text), "f", kind, faults_r);
	if (!content)
		fail_msg("%s: %s", text, faults_r->texts[0].text);
	return content;
}

#define SLICE_OF(literal)                                                                                              \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}

struct owned {
	const char *login, *address;
	bool owns;
};

static void expect_owned(const char *text, const struct owned *cases, size_t count)
{
	struct list_faults faults;
	struct list_content *content = parse(text, LIST_OWNERS, &faults);
	struct arena *arena = arena_new();

	for (size_t i = 0; i < count; i++) {
		struct address address = address_parse_path(slice_of(cases[i].address), arena);

		if (list_content_owns(content, slice_of(cases[i].login), &address) != cases[i].owns)
			fail_msg("%s and %s: expected %d", cases[i].login, cases[i].address, cases[i].owns);
	}
	arena_free(arena);
	list_content_release(content);
}
#define EXPECT_OWNED(text, cases) expect_owned(text, cases, sizeof(cases) / sizeof((cases)[0]))

static void wildcards_add_to_what_a_login_owns(void **state)
{
	static const struct owned cases[] = {
	    {"alice@example.org", "<alice@example.net>", true},
	    {"alice@example.org", "<info@example.org>", true},
	    {"alice@example.org", "<news@all.example>", true},
	    {"alice@example.org", "<info@other.example>", false},
	    {"new@EXAMPLE.ORG", "<info@example.org>", true},
	    {"new@example.org", "<alice@example.net>", false},
	    {"bob@other.example", "<a@sub.other.example>", true},
	    {"bob@sub.other.example", "<a@sub.other.example>", false},
	    {"bob@other.example", "<info@example.org>", false},
	    {"bob", "<news@all.example>", true},
	    {"bob", "<info@example.org>", false},
	    {"*@example.org", "<info@example.org>", true}, /* a login of that domain, however odd */
	    {"*", "<info@example.org>", false},
	    {"", "<news@all.example>", false},
	    {"@example.org", "<info@example.org>", true},
	    {"example.org", "<info@example.org>", false},
	    {"x@", "<news@all.example>", true},
	};

	(void)state;
	EXPECT_OWNED(
	    "alice@example.org: alice@example.net\n*@Example.org: @example.org\n*@other.example .other.example\n"
	    "*: news@all.example\n",
	    cases);
}

static void letters_beyond_ascii_have_one_form(void **state)
{
	static const struct owned cases[] = {
	    {"j" NFC_U "rgen@b" NFC_U "cher.example", "<j" NFC_U "rgen@xn--bcher-kva.example>", true},
	    {"j" NFD_U "rgen@b" NFD_U "cher.example", "<j" NFD_U "rgen@b" NFC_U "cher.example>", true},
	    {"J" CAP_U "RGEN@XN--BCHER-KVA.EXAMPLE", "<J" CAP_U "RGEN@B" CAP_U "CHER.example>", true},
	    {"jurgen@xn--bcher-kva.example", "<j" NFC_U "rgen@xn--bcher-kva.example>", false},
	    {"j" NFC_U "rgen@xn--bcher-kva.example", "<jurgen@xn--bcher-kva.example>", false},
	    {"erna@xn--bcher-kva.example", "<info@b" NFC_U "cher.example>", true},
	    {"erna@b" CAP_U "CHER.example", "<info@xn--bcher-kva.example>", true},
	    {"strasse", "<strasse@example.org>", true},
	    {"strasse", "<" SHARP "@example.org>", false}, /* another mailbox */
	    {SHARP, "<strasse@example.org>", false},
	    {"\xFF", "<strasse@example.org>", false},
	};

	(void)state;
	EXPECT_OWNED("j" NFC_U "rgen@b" NFC_U "cher.example: j" NFD_U "rgen@b" NFC_U "cher.example\n"
		     "*@b" NFC_U "cher.example: info@xn--bcher-kva.example\nstrasse: strasse@example.org\n",
		     cases);
}

static void logins_that_differ_in_case_alone_stay_apart(void **state)
{
	static const struct owned cases[] = {
	    {"ALICE", "<one@example.org>", true},  {"ALICE", "<two@example.org>", false},
	    {"Alice", "<two@example.org>", true},  {"Alice", "<one@example.org>", false},
	    {"alice", "<one@example.org>", false}, {"alice", "<two@example.org>", false},
	    {"bob", "<bob@example.org>", true},    {"BOB", "<bob@example.org>", false},
	    {"Bob", "<bob2@example.org>", true},   {"Bob", "<bob@example.org>", false},
	    {"bob", "<bob3@example.org>", true},
	};

	(void)state;
	EXPECT_OWNED("ALICE: one@example.org\nAlice: two@example.org\n"
		     "bob: bob@example.org\nBob: bob2@example.org\nbob: bob3@example.org\n",
		     cases);
}

/* A warning for each; the list is used. */
static void what_is_there_twice_is_named(void **state)
{
	struct list_faults faults;

	(void)state;
	list_content_release(parse("alice: a@example.org, A@Example.org\nbob: b@example.org\nalice: a@example.org\n"
				   "Bob: b@example.org\n",
				   LIST_OWNERS, &faults));
	assert_false(faults.malformed);
	assert_int_equal(faults.count, 3);
	assert_string_equal(faults.texts[0].text,
			    "f:1: the login alice owns A@Example.org already; remove one of them");
	assert_string_equal(faults.texts[1].text,
			    "f:3: the login alice owns a@example.org already; remove one of them");
	assert_string_equal(
	    faults.texts[2].text,
	    "f:4: the login Bob differs from another one in case alone; whoever logs in with a third way "
	    "to write it is none of them");
}

static void a_list_canonical_has_one_address_for_a_login(void **state)
{
	static const struct {
		const char *text, *message;
	} wrong[] = {
	    {"alice: a@example.org b@example.org\n",
	     "f:1: a login has one address here; write \"login: alice@example.org\""},
	    {"alice:\n", "f:1: a login has one address here; write \"login: alice@example.org\""},
	    {"alice: @example.org\n",
	     "f:1: not an address that mail can come from; write \"login: alice@example.org\""},
	    {"alice: a%b@example.org\n",
	     "f:1: not an address that mail can come from; write \"login: alice@example.org\""},
	    {"alice: a@example.org\nbob: b@example.org\nalice: b@example.org\n",
	     "f:3: the login has another address already; remove one of the lines"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct list_faults faults = {0};

		assert_null(list_content_parse(slice_of(wrong[i].text), "f", LIST_CANONICAL, &faults));
		assert_true(faults.malformed);
		assert_string_equal(faults.texts[0].text, wrong[i].message);
	}
}

static void chains_and_loops_of_a_list_canonical_are_named(void **state)
{
	static const char chain[] = "; a list canonical is used once, so write the last address";
	struct list_faults faults;
	struct list_content *content =
	    parse("a@example.org: b@example.org\nb@example.org: a@example.org\nc c@example.org # no login\n"
		  "d@example.org: d@example.org\nc c@example.org\n",
		  LIST_CANONICAL, &faults);
	struct slice value;

	(void)state;
	assert_true(list_content_value(content, SLICE("a@example.org"), &value));
	assert_true(slice_equal(value, SLICE("b@example.org")));
	list_content_release(content);
	assert_false(faults.malformed);
	assert_int_equal(faults.count, 3);
	assert_string_equal(faults.texts[0].text, "f:5: the login c is there already; remove one of the lines");
	assert_non_null(strstr(faults.texts[1].text,
			       "f:1: the login a@example.org becomes b@example.org, which is a login that becomes "
			       "a@example.org"));
	assert_non_null(strstr(faults.texts[2].text, chain));
}

/* As a client may say them; what is in no line is owned by nobody. */
static void odd_logins_own_nothing(void **state)
{
	static char huge[10 * 1024];
	static const struct slice logins[] = {
	    {huge, sizeof(huge)},
	    SLICE_OF("alice\0"),
	    SLICE_OF("alice\n"),
	    SLICE_OF("alice:"),
	    SLICE_OF("%s%n"),
	    SLICE_OF("\3alice"),
	    SLICE_OF("\5\1\0\0\0alice@example.org"),
	    SLICE_OF(" alice"),
	    SLICE_OF("\xFF\xFE"),
	    SLICE_OF("@"),
	    SLICE_OF("*"),
	    SLICE_OF("*@example.org"),
	};
	struct list_faults faults;
	struct list_content *content = parse("alice: alice@example.org\n", LIST_OWNERS, &faults);
	struct arena *arena = arena_new();
	struct address address = address_parse_path(SLICE("<alice@example.org>"), arena);

	(void)state;
	memset(huge, 'a', sizeof(huge));
	assert_true(list_content_owns(content, SLICE("alice"), &address));
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++)
		if (list_content_owns(content, logins[i], &address))
			fail_msg("login %zu owns an address", i);
	arena_free(arena);
	list_content_release(content);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(wildcards_add_to_what_a_login_owns),
	    cmocka_unit_test(letters_beyond_ascii_have_one_form),
	    cmocka_unit_test(logins_that_differ_in_case_alone_stay_apart),
	    cmocka_unit_test(what_is_there_twice_is_named),
	    cmocka_unit_test(a_list_canonical_has_one_address_for_a_login),
	    cmocka_unit_test(chains_and_loops_of_a_list_canonical_are_named),
	    cmocka_unit_test(odd_logins_own_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
