/*
 * test_author.c - the From field: who wrote the message.
 */
#include "assert_slice.h"

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

static struct slice domains_of(const struct authors *authors, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, 100000);
	for (size_t i = 0; i < authors->domain_count; i++)
		text_printf(&text, "%s%.*s", i ? " " : "", SLICE_ARGS(authors->domains[i]));
	return text_slice(&text);
}

static void an_author_is_read_as_a_reader_shows_it(void **state)
{
	static const struct {
		const char *from, *address, *domains;
	} cases[] = {
	    {" Alice <alice@example.org>", "alice@example.org", "example.org"},
	    {"alice@EXAMPLE.org (Alice)", "alice@EXAMPLE.org", "example.org"},
	    {"<@a.example,@b.example:alice@example.org>", "alice@example.org", "example.org"},
	    {"< (x) @a.example (y) : alice (z) @ example (v) . org (w) >", "alice@example.org", "example.org"},
	    {"\"a@b.example\"@example.org", "\"a@b.example\"@example.org", "example.org"},
	    {"\"a\\\"@b.example\"@example.org", "\"a\\\"@b.example\"@example.org", "example.org"},
	    {"\"a\n b\"@example.org", "\"a b\"@example.org", "example.org"},
	    {"J. R. \"Bob\" Dobbs <bob@example.org>", "bob@example.org", "example.org"},
	    {"=?utf-8?q?Ren=C3=A9?= <rene@example.org>", "rene@example.org", "example.org"},
	    {"=?utf-8?q?ceo=40victim.example?= <a@example.org>", "a@example.org", "example.org"},
	    {"\"=?utf-8?q?ceo?=\" <a@example.org> (=?utf-8?b?w7Y=?=)", "a@example.org", "example.org"},
	    {"a=?b?@example.org", "a=?b?@example.org", "example.org"}, /* odd, and not an encoded word */
	    {"a=?utf-8?x?b@example.org", "a=?utf-8?x?b@example.org", "example.org"},
	    {"Ren\xe9 <rene@example.org>", "rene@example.org", "example.org"},
	    {"a..b.@example.org", "a..b.@example.org", "example.org"},
	    {"a@b\xc3\xbc"
	     "cher.example",
	     "a@b\xc3\xbc"
	     "cher.example",
	     "xn--bcher-kva.example"},
	    {"a@[192.0.2.1]", "a@[192.0.2.1]", ""},
	    {"A: ;", "", ""},
	    {"A: , ;", "", ""},
	    {"a@one.example, b@two.example", "a@one.example", "one.example two.example"},
	    {"A: a@one.example, <b@ONE.example>;, c@two.example", "a@one.example", "one.example two.example"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct authors authors;

		author_read(slice_of(cases[i].from), *state, &authors);
		if (!authors.valid)
			fail_msg("%s: %s", cases[i].from, authors.why);
		assert_slice(authors.first.text, cases[i].address);
		assert_slice(domains_of(&authors, *state), cases[i].domains);
	}
}

/* RFC 2047 5 (3). Readers that decode everywhere would show the author of another domain. */
static void an_address_with_an_encoded_word_names_nobody(void **state)
{
	static const char *const cases[] = {
	    "=?utf-8?q?ceo=40victim.example?=@evil.example",
	    "=?utf-8?Q?ceo=40victim.example=00?=@evil.example",
	    "Ceo <=?utf-8?q?ceo=40victim.example?=@evil.example>",
	    "=?utf-8?B?Y2VvQHZpY3RpbS5leGFtcGxl?=@evil.example",
	    "=?utf-8*en?b?Y2Vv?=@evil.example",
	    "x.=?us-ascii?q?ceo?=@evil.example",
	    "x=?us-ascii?q?ceo?=y@evil.example",
	    "=?utf-8?q?ceo=40victim.example@evil.example",
	    "=??q?ceo?=@evil.example",
	    "\"=?utf-8?q?ceo=40victim.example?=\"@evil.example",
	    "\"=?utf-8?q?ceo victim?=\"@evil.example",
	    "\"=\\?utf-8\\?q\\?ceo\\?=\"@evil.example",
	    "a@=?utf-8?q?victim.example?=",
	    "a@=?utf-8?q?victim?=.evil.example",
	    "<@=?utf-8?q?victim?=.example:a@evil.example>",
	    "a@[=?utf-8?q?victim?=]",
	    "A: =?utf-8?q?ceo=40victim.example?=@evil.example;",
	    "a@evil.example, =?utf-8?q?ceo=40victim.example?=@evil.example",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct authors authors;

		author_read(slice_of(cases[i]), *state, &authors);
		if (authors.valid)
			fail_msg("valid: %s", cases[i]);
		assert_int_equal(authors.domain_count, 0);
	}
}

/* Quotes are forgotten often; everything else still has no author. */
static void a_name_without_quotes_shows_the_only_domain(void **state)
{
	static const struct {
		const char *from, *shown;
	} cases[] = {
	    {"[Shop] Alice <a@x.example>", "x.example"},
	    {"a@x.example <a@x.example>", "x.example"},
	    {"A@X.example <a@x.example>", "x.example"},
	    {"Foo, Bar <a@x.example>", "x.example"},
	    {"Bar: Foo <a@X.Example>", "x.example"},
	    {"Foo (Bar <a@x.example>", "x.example"},
	    {"\"Foo <a@x.example>", "x.example"},
	    {"J.R., Ewing <a@x.example>", "x.example"},
	    {"[x.example] Foo <a@x.example>", "x.example"},
	    {"[Shop] <a@x.example> (a comment)", "x.example"},
	    {"J\xc3\xb6rg, B <a@b\xc3\xbc"
	     "cher.example>",
	     "xn--bcher-kva.example"},
	    /* valid: then it is from.domain */
	    {"Alice <a@x.example>", ""},
	    /* another domain */
	    {"ceo@victim.example <a@evil.example>", ""},
	    {"[Ceo] ceo@victim.example <a@evil.example>", ""},
	    {"[Ceo] <a@evil.example> ceo@victim.example", ""},
	    {"victim.example, Ceo <a@evil.example>", ""},
	    {"ceo @victim.example <a@evil.example>", ""},
	    {"ceo@ victim.example <a@evil.example>", ""},
	    {"ceo@victim.example, <a@evil.example", ""},
	    {"ceo@evil.example.victim.example <a@evil.example>", ""},
	    {"ceo\xef\xbc\xa0victim.example, <a@evil.example>", ""},
	    {"[x] =?utf-8?q?ceo=40victim.example?= <a@evil.example>", ""},
	    {"[x] <=?utf-8?q?ceo=40victim.example?=@evil.example>", ""},
	    {"[x] <@victim.example:a@evil.example>", ""},
	    {"[x] <\"ceo@victim.example\"@evil.example>", ""},
	    {"[x] <ceo@victim.example> <a@evil.example>", ""},
	    {"[x] <<a@evil.example>>", ""},
	    {"[x] >a@x.example<", ""},
	    {"[x] <a@evil.example", ""},
	    {"[x] <a>", ""},
	    {"[x] <>", ""},
	    {"[x] <a@[192.0.2.1]>", ""},
	    {"[x] a@x.example", ""},
	    {"[x]\x01 <a@x.example>", ""},
	    {"a@x.example b@y.example", ""},
	    {"", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct authors authors;

		author_read(slice_of(cases[i].from), *state, &authors);
		if (!slice_equal(authors.shown, slice_of(cases[i].shown)))
			fail_msg("%s: %.*s", cases[i].from, SLICE_ARGS(authors.shown));
		assert_false(authors.valid && authors.shown.n > 0);
	}
}

/* Else a message would be signed for an author whom no rule has seen. */
static void another_form_names_the_same_authors(void **state)
{
	static const struct {
		const char *before, *after;
		bool stays;
	} cases[] = {
	    {"Pat O'Brien <a@x.example>", "\"Pat O'Brien\" <a@x.example>", true},
	    {"a@x.example,b@y.example", "a@x.example,\n b@y.example", true},
	    {"[Shop] Alice <a@x.example>", "\"[Shop] Alice\" <a@x.example>", true},
	    {"g :;", "g:;", true},
	    {"<a@x.example>", "<b@x.example>", false},
	    {"<a@x.example>", "<a@x.example>,\n <b@x.example>", false},
	    {"<a@x.example>", "<a@x.example>,\n <b@y.example>", false},
	    {"<a@x.example>", "a@x.example <", false},
	    {"ceo@y.example <a@x.example>", "\"ceo@y.example\" <a@x.example>", false},
	    {"[Shop] Alice <a@x.example>", "\"[Shop] Alice\" <a@y.example>", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (author_stays(slice_of(cases[i].before), slice_of(cases[i].after), *state) != cases[i].stays)
			fail_msg("%s", cases[i].before);
}

static void what_can_be_read_in_two_ways_names_nobody(void **state)
{
	static const char *const cases[] = {
	    "",
	    ",",
	    "Alice",
	    "alice@",
	    "@example.org",
	    "<>",
	    "<alice>",
	    "alice example.org",
	    "alice@example.org bob@example.net",
	    "alice@example.org <bob@example.net>",
	    "<alice@example.org> <bob@example.net>",
	    "<alice@example.org>, bob",
	    "alice@example.org; bob@example.net",
	    "alice@example.org.",
	    "alice@.example.org",
	    "alice@example..org",
	    "alice@exam ple.org",
	    "alice@192.0.2.1",
	    "alice@-example.org",
	    "alice@[192.0.2.1",
	    "alice@[x]",
	    "alice@[192.0.2.1], bob@example.org",
	    "<alice@example.org",
	    "<<alice@example.org>>",
	    "(alice@example.org",
	    "\"alice@example.org",
	    "\"alice\\",
	    "a b@example.org",
	    "\"a\" b@example.org",
	    "A: B: alice@example.org;;",
	    "A: alice@example.org",
	    "A: alice@example.org; bob@example.net",
	    ": alice@example.org;",
	    "alice@example.org\n\nbob@example.net",
	    "alice@example.org\rbob",
	    "alice\x01@example.org",
	    "alice@example\x7f.org",
	    "alice@b\xc3.example",
	    "alice@ba\xc2\xadnk.example",
	    "alice@bank\xe2\x80\x8b.example",
	    "alice@bank\xe2\x81\xa0.example",
	    "alice@bank\xc2\xa0.example",
	    "\xe9@example.org",
	    "<@a.example alice@example.org>",
	    "<@a.example:>",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct authors authors;

		author_read(slice_of(cases[i]), *state, &authors);
		if (authors.valid || authors.domain_count || authors.mailbox_count || !authors.why[0])
			fail_msg("\"%s\" is read as %.*s", cases[i], SLICE_ARGS(domains_of(&authors, *state)));
	}
}

/* `count` mailboxes, each in a domain of its own. */
static struct slice mailboxes(struct arena *arena, size_t count)
{
	struct text text;

	text_init(&text, arena, 1000000);
	for (size_t i = 0; i < count; i++)
		text_printf(&text, "%sa@d%zu.example", i ? "," : "", i);
	return text_slice(&text);
}

static void a_hundred_authors_are_read_and_no_more(void **state)
{
	struct authors authors;

	author_read(mailboxes(*state, AUTHORS_MAX), *state, &authors);
	assert_true(authors.valid);
	assert_int_equal(authors.domain_count, AUTHORS_MAX);
	author_read(mailboxes(*state, AUTHORS_MAX + 1), *state, &authors);
	assert_false(authors.valid);
	assert_int_equal(authors.domain_count, 0);
}

static void a_field_of_64_kilobytes_is_read_and_no_longer_one(void **state)
{
	struct text text;
	struct authors authors;

	text_init(&text, *state, 100000);
	text_add(&text, SLICE("a@example.org "));
	while (text.n < 65536)
		text_add_char(&text, ' ');
	author_read(text_slice(&text), *state, &authors);
	assert_true(authors.valid);
	text_add_char(&text, ' ');
	author_read(text_slice(&text), *state, &authors);
	assert_false(authors.valid);
}

static void a_million_brackets_cost_no_stack(void **state)
{
	static const char *const openings[] = {"(", "<", "\"", "A:", "[", "@", "\\(", "(\\"};
	struct authors authors;

	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		struct text text;

		text_init(&text, *state, 65536);
		while (text.n + 2 <= 65536)
			text_add(&text, slice_of(openings[i]));
		author_read(text_slice(&text), *state, &authors);
		assert_false(authors.valid);
	}
}

static void one_from_field_is_the_author_and_two_are_nobody(void **state)
{
	static const struct {
		const char *names[3];
		bool valid;
		const char *domain;
	} cases[] = {
	    {{"From"}, true, "d0.example"},   {{"FROM", "Sender", "Resent-From"}, true, "d0.example"},
	    {{"From "}, true, "d0.example"},  {{"Subject", "From\t"}, true, "d1.example"},
	    {{"From", "From"}, false, ""},    {{"From", "from "}, false, ""},
	    {{"From ", "From\t"}, false, ""}, {{"Subject"}, false, ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct headers headers;
		struct authors authors;

		headers_init(&headers, *state);
		for (size_t k = 0; k < 3 && cases[i].names[k]; k++)
			headers_add(&headers, slice_of(cases[i].names[k]), arena_printf(*state, " a@d%zu.example", k));
		author_find(&headers, *state, &authors);
		assert_int_equal(authors.valid, cases[i].valid);
		assert_slice(domains_of(&authors, *state), cases[i].domain);
	}
}

static void the_author_domain_is_there_when_it_is_the_only_one(void **state)
{
	static const struct {
		const char *from, *domain;
	} cases[] = {
	    {"a@example.org", "example.org"},
	    {"\"x, y@z\" <a@Example.ORG>", "example.org"},
	    {"(c@d (e)) a@example.org (f@g)", "example.org"},
	    {"g: a@example.org;", "example.org"},
	    {"a@example.org, b@example.org", "example.org"},
	    {"a@example.org, b@example.net", ""},
	    {"nobody", ""},
	    {"\"open a@example.org", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct headers headers;

		headers_init(&headers, *state);
		headers_add(&headers, SLICE("From"), slice_of(cases[i].from));
		assert_slice(author_domain(&headers, *state), cases[i].domain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_author_is_read_as_a_reader_shows_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_address_with_an_encoded_word_names_nobody, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_name_without_quotes_shows_the_only_domain, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(another_form_names_the_same_authors, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_can_be_read_in_two_ways_names_nobody, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_hundred_authors_are_read_and_no_more, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_field_of_64_kilobytes_is_read_and_no_longer_one, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_million_brackets_cost_no_stack, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_author_domain_is_there_when_it_is_the_only_one, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(one_from_field_is_the_author_and_two_are_nobody, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
