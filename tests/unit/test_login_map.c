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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(wildcards_add_to_what_a_login_owns),
	    cmocka_unit_test(letters_beyond_ascii_have_one_form),
	    cmocka_unit_test(logins_that_differ_in_case_alone_stay_apart),
	    cmocka_unit_test(what_is_there_twice_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
