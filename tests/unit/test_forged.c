/*
 * test_forged.c - whose an Authentication-Results field claims to be, and which
 * fields could be taken for ours.
 */
#include "assert_slice.h"

#include <string.h>

#include "mail.h"

#define OUR_ID "mx.example.org"

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

static bool is_forged(struct slice value, const char *id, struct arena *arena)
{
	struct header_field field = {SLICE("Authentication-Results"), value, 1};

	return authres_is_forged(&field, slice_of(id), arena);
}

static void the_id_is_read_as_rfc_8601_says(void **state)
{
	static const struct {
		const char *value, *id; /* NULL: none can be read */
	} cases[] = {
	    {" mx.example.org; spf=pass", "mx.example.org"},
	    {"MX.Example.ORG;spf=pass", "mx.example.org"},
	    {"mx.example.org", "mx.example.org"},
	    {"mx.example.org; none", "mx.example.org"},
	    {"mx.example.org 1; none", "mx.example.org"},
	    {"mx.example.org 1", "mx.example.org"},
	    {"mx.example.org(c)1(d); none", "mx.example.org"},
	    {"(a (nested) \\) one)\r\n\t mx.example.org (b)\r\n ; none", "mx.example.org"},
	    {"\"mx.example.org\"; none", "mx.example.org"},
	    {"\"a \\\"quoted\\\" id\"; none", "a \"quoted\" id"},
	    {"\"mx.exa\r\nmple.org\"; none", "mx.example.org"},
	    {"b\xc3\xbc"
	     "cher.example; none",
	     "b\xc3\xbc"
	     "cher.example"},
	    {"", NULL},
	    {"  ", NULL},
	    {";", NULL},
	    {"; spf=pass", NULL},
	    {"spf=pass smtp.mailfrom=x", NULL},
	    {"mx.example.org spf=pass", NULL},
	    {"mx.example.org 1x; none", NULL},
	    {"mx.example.org/1; none", NULL},
	    {"(mx.example.org; none", NULL},
	    {"(a\\) mx.example.org; none", NULL},
	    {"\"mx.example.org; none", NULL},
	    {"\"mx.example.org\\", NULL},
	    {"mx.example.org (; none", NULL},
	    {"\"\"; none", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice id = SLICE("");

		assert_int_equal(authres_id(slice_of(cases[i].value), *state, &id), cases[i].id != NULL);
		assert_slice(id, cases[i].id ? cases[i].id : "");
	}
}

static void a_field_that_claims_our_id_is_forged(void **state)
{
	static const char *const values[] = {
	    " mx.example.org; spf=pass",  "mx.example.org",
	    "MX.EXAMPLE.ORG; none",       "mx.example.org.; none",
	    "mx.example.org 1; none",     "\t mx.example.org \t; none",
	    "\r\n mx.example.org; none",  "\n\tmx.example.org\n\t; none",
	    "(c)mx.example.org; none",    "(c (d \\( e)) \r\n (f) mx.example.org; none",
	    "mx.example.org(c); none",    "\"mx.example.org\"; none",
	    "\"MX.example.org.\"; none",  "\"mx\\.example\\.org\"; none",
	    "\" mx.example.org \"; none", "\"mx.example\r\n .org\"; none",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_true(is_forged(slice_of(values[i]), OUR_ID, *state));
}

static const struct slice careless[] = {
    /* garbage before or after */
    SLICE("; mx.example.org; spf=pass"),
    SLICE("=mx.example.org; spf=pass"),
    SLICE(":mx.example.org; spf=pass"),
    SLICE("<mx.example.org>; spf=pass"),
    SLICE("()mx.example.org; spf=pass"),
    SLICE("mx.example.org spf=pass"),
    SLICE("mx.example.org, spf=pass"),
    SLICE("mx.example.org/1; spf=pass"),
    SLICE("mx.example.org:25; spf=pass"),
    SLICE("mx.example.org!; spf=pass"),
    SLICE("mx.example.org..; spf=pass"),
    SLICE("mx.example.org(; spf=pass"),
    SLICE("mx.example.org 1.0; spf=pass"),
    /* comments and quotes that end for one reader and not for another */
    SLICE("(mx.example.org; spf=pass"),
    SLICE("(x mx.example.org; spf=pass"),
    SLICE("(x=y (z) mx.example.org; spf=pass"),
    SLICE("(x\\) mx.example.org; spf=pass"),
    SLICE("(a (b) mx.example.org; spf=pass) other.example; none"),
    SLICE("(a \\) mx.example.org; spf=pass) other.example; none"),
    SLICE("(\") other.example; none (\") mx.example.org; spf=pass"),
    SLICE("(mx.example.org) other.example; spf=pass"),
    SLICE(") mx.example.org; spf=pass"),
    SLICE("\"mx.example.org; spf=pass"),
    SLICE("\"x\" mx.example.org; spf=pass"),
    SLICE("\"(\" mx.example.org; spf=pass"),
    SLICE("\"other.example\\\" mx.example.org; spf=pass"),
    /* something inside the id */
    SLICE("mx.exa\0mple.org; spf=pass"),
    SLICE("mx.example.org\0.other.example; spf=pass"),
    SLICE("\0mx.example.org; spf=pass"),
    SLICE("mx.exa\x01mple.org; spf=pass"),
    SLICE("mx.example.org\x7f; spf=pass"),
    SLICE("\x08mx.example.org; spf=pass"),
    SLICE("\x0bmx.example.org; spf=pass"),
    SLICE("mx.example.org\x80; spf=pass"),
    SLICE("mx.exa\xffmple.org; spf=pass"),
    SLICE("\xa0mx.example.org; spf=pass"),
    SLICE("\xc2\xa0mx.example.org; spf=pass"),
    SLICE("\xef\xbb\xbfmx.example.org; spf=pass"),       /* a byte order mark */
    SLICE("mx.exa\xc2\xadmple.org; spf=pass"),           /* a soft hyphen */
    SLICE("mx.exa\xe2\x80\x8bmple.org; spf=pass"),       /* a blank of no width */
    SLICE("\xed\xf8.example.org; spf=pass"),             /* the eighth bit set */
    SLICE("\xef\xbd\x8d\xef\xbd\x98.example.org; none"), /* fullwidth letters */
    SLICE("mx\xe3\x80\x82"
	  "example.org; none"), /* an ideographic full stop */
    SLICE("mx . example . org; spf=pass"),
    SLICE("mx.exam\r\n ple.org; spf=pass"),
    SLICE("mx.(comment)example.org; spf=pass"),
    SLICE("mx(a (b)).(c)example(d).org; spf=pass"),
    SLICE("mx(a ( b).example.org; spf=pass"),
    SLICE("mx.\"example\".org; spf=pass"),
    SLICE("\"mx.\"example.org; spf=pass"),
    SLICE("mx\\.example.org; spf=pass"),
    /* other layers */
    SLICE("=?us-ascii?q?mx.example.org?=; spf=pass"),
    SLICE("=?utf-8?q?mx=2Eexample=2Eorg?=; spf=pass"),
    SLICE("mx.=?utf-8?b?ZXhhbXBsZS5vcmc=?=; spf=pass"),
    SLICE("other.example; none\rAuthentication-Results: mx.example.org; spf=pass"),
    SLICE("other.example; none\nAuthentication-Results: mx.example.org; spf=pass"),
    SLICE("other.example; none\r\nAuthentication-Results: mx.example.org; spf=pass"),
};

static void a_field_that_a_careless_reader_takes_for_ours_is_forged(void **state)
{
	for (size_t i = 0; i < sizeof(careless) / sizeof(careless[0]); i++) {
		if (!is_forged(careless[i], OUR_ID, *state))
			fail_msg("passed as not ours: %.*s", SLICE_ARGS(careless[i]));
	}
}

static void fields_of_others_are_left_alone(void **state)
{
	static const char *const values[] = {
	    "other.example; spf=pass smtp.mailfrom=alice@mx.example.org",
	    "other.example; spf=pass smtp.helo=mx.example.org",
	    "other.example (relayed by mx.example.org); spf=pass",
	    "other.example 1 (mx.example.org); none",
	    "other.example; spf=pass (mx.example.org: domain of x designates y) smtp.helo=x",
	    "other.example; spf=pass reason=\"see mx.example.org\"",
	    "\r\n\tother.example; spf=pass (mx.example.org: domain of x designates y)",
	    "other.example;\r\n\tspf=pass\r\n\tsmtp.helo=mx.example.org",
	    "other.example;\n spf=pass smtp.helo=\"gr\xc3\xbc\xc3\x9f\"",
	    "mx.example.org.evil.example; spf=pass",
	    "mx.example.org-evil.example; spf=pass",
	    "mx.example.orgx; spf=pass",
	    "notmx.example.org; spf=pass",
	    "not-mx.example.org; spf=pass",
	    "a.mx.example.org; spf=pass",
	    "example.org; spf=pass",
	    "mx; spf=pass",
	    "\"other.example\"; spf=pass",
	    "(a comment) other.example; spf=pass",
	    "b\xc3\xbc"
	    "cher.example; spf=pass",
	    "mx.b\xc3\xbc"
	    "cher.example; spf=pass",
	    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=mx.example.org; dkim=none",
	    "spf=pass smtp.mailfrom=alice@mx.example.org; dkim=none",
	    "spf=pass smtp.helo=\"mx.example.org\"; dkim=none",
	    "i=1; other.example; spf=pass smtp.mailfrom=alice@mx.example.org",
	    "",
	    ";",
	    "((((",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (is_forged(slice_of(values[i]), OUR_ID, *state))
			fail_msg("taken for ours: %s", values[i]);
	}
}

static void only_fields_of_that_name_are_forged(void **state)
{
	static const struct {
		struct slice name;
		bool forged;
	} cases[] = {
	    {SLICE("Authentication-Results"), true},
	    {SLICE("authentication-RESULTS"), true},
	    {SLICE("Authentication-Results "), true},
	    {SLICE("Authentication-Results \t\r\n "), true},
	    {SLICE("Authentication-Results\0"), true},
	    {SLICE("Authentication\0-Results"), true},
	    {SLICE("Authentication-Results\xa0"), true},
	    {SLICE("\tAuthentication-Results"), true},
	    {SLICE("ARC-Authentication-Results"), false},
	    {SLICE("X-Authentication-Results"), false},
	    {SLICE("Authentication-Results-Original"), false},
	    {SLICE("Authentication Results"), false},
	    {SLICE("Subject"), false},
	    {SLICE(""), false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct header_field field = {cases[i].name, SLICE(" mx.example.org; spf=pass"), 1};

		assert_int_equal(authres_is_forged(&field, SLICE(OUR_ID), *state), cases[i].forged);
	}
}

static void our_id_is_the_same_in_u_labels_and_a_labels(void **state)
{
	static const char u[] = "mx.b\xc3\xbc"
				"cher.example",
			  a[] = "mx.xn--bcher-kva.example";
	static const char *const values[] = {
	    "mx.b\xc3\xbc"
	    "cher.example; none",
	    "MX.B\xc3\x9c"
	    "CHER.EXAMPLE; none",
	    "mx.xn--bcher-kva.example; none",
	    "MX.XN--BCHER-KVA.EXAMPLE.; none",
	    "\"mx.b\xc3\xbc"
	    "cher.example\"; none",
	    "(c) mx.bu\xcc\x88"
	    "cher.example 1; none",
	    "; mx.b\xc3\xbc"
	    "cher.example; none",
	    "(mx.b\xc3\xbc"
	    "cher.example; none",
	    "mx.b\xc3\xbc\x01"
	    "cher.example; none",
	    "\"x\" mx.b\xc3\xbc"
	    "cher.example; none",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_true(is_forged(slice_of(values[i]), u, *state));
		assert_true(is_forged(slice_of(values[i]), a, *state));
		assert_false(is_forged(slice_of(values[i]), "mx.buecher.example", *state));
	}
	assert_true(is_forged(SLICE("mx.example.org; none"), " MX.example.org. ", *state));
}

static void an_id_that_is_not_a_host_name_works_too(void **state)
{
	assert_true(is_forged(SLICE("Gate_1; none"), "gate_1", *state));
	assert_true(is_forged(SLICE("192.0.2.1; none"), "192.0.2.1", *state));
	assert_true(is_forged(SLICE("\"the gate\"; none"), "The Gate", *state));
	assert_true(is_forged(SLICE("mx 1; none"), "mx1", *state));
	assert_false(is_forged(SLICE("mx 1; none"), "mx2", *state));
	assert_false(is_forged(SLICE("mx.example.org; none"), "", *state));
}

static void more_odd_words_than_any_honest_field_has_count_as_forged(void **state)
{
	struct text value;

	text_init(&value, *state, 10000);
	text_add(&value, SLICE("malformed value:"));
	for (int i = 0; i < 8; i++)
		text_add(&value, SLICE(" \xc3\xbc"));
	assert_false(is_forged(text_slice(&value), OUR_ID, *state));
	text_add(&value, SLICE(" \xc3\xbc"));
	assert_true(is_forged(text_slice(&value), OUR_ID, *state));
}

/* Each of these fills a megabyte with what could make a reader go back again and again. */
static void a_megabyte_is_read_in_linear_time(void **state)
{
	static const char *const seeds[] = {
	    "(",  ")",   "(\\",       "\"",       "\\", ";",  "m",    "mx.example.or", "m ",
	    "(m", ")mx", "\xc3\xbc ", "\xc3\xbc", ".",  "\0", "mx.(", "\r\n ",         "m\"\"\"\"\"\"\"\"\"\""};
	size_t size = 1024 * 1024;

	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		size_t n = strlen(seeds[i]) > 0 ? strlen(seeds[i]) : 1;
		char *value = arena_alloc(*state, size);
		int64_t start = clock_us();
		struct slice id;

		for (size_t at = 0; at < size; at++)
			value[at] = seeds[i][at % n];
		is_forged((struct slice){value, size}, OUR_ID, *state);
		is_forged((struct slice){value, size}, "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm",
			  *state);
		authres_id((struct slice){value, size}, *state, &id);
		assert_true(clock_us() - start < 60 * 1000 * 1000); /* a quadratic reader takes hours */
		arena_reset(*state);
	}
}

/* Values as they are found in the wild, and as others test their parsers. */
static void ids_of_the_wild_are_read(void **state)
{
	static const struct {
		const char *value, *id;
	} cases[] = {
	    {" mx.google.com;\r\n       dkim=pass header.i=@example.org header.s=s1 header.b=abc;\r\n"
	     "       spf=pass (google.com: domain of a@example.org designates 192.0.2.1 as permitted sender) "
	     "smtp.mailfrom=a@example.org",
	     "mx.google.com"},
	    {" mail.example.com (amavisd-new); dkim=pass (2048-bit key) header.d=example.com", "mail.example.com"},
	    {" dkim-verifier.example.net; dkim=neutral (no signature); dkim-adsp=none", "dkim-verifier.example.net"},
	    {" example.com; iprev=pass\n\tpolicy.iprev=192.0.2.1 (mail.example.com)", "example.com"},
	    {" foo-bar_baz.example; auth=pass smtp.auth=a", "foo-bar_baz.example"},
	    {" spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=example.org; example.com; dkim=none", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice id = SLICE("");

		assert_int_equal(authres_id(slice_of(cases[i].value), *state, &id), cases[i].id != NULL);
		assert_slice(id, cases[i].id ? cases[i].id : "");
		assert_false(is_forged(slice_of(cases[i].value), OUR_ID, *state));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_id_is_read_as_rfc_8601_says),
	    TEST(a_field_that_claims_our_id_is_forged),
	    TEST(a_field_that_a_careless_reader_takes_for_ours_is_forged),
	    TEST(fields_of_others_are_left_alone),
	    TEST(only_fields_of_that_name_are_forged),
	    TEST(our_id_is_the_same_in_u_labels_and_a_labels),
	    TEST(an_id_that_is_not_a_host_name_works_too),
	    TEST(more_odd_words_than_any_honest_field_has_count_as_forged),
	    TEST(a_megabyte_is_read_in_linear_time),
	    TEST(ids_of_the_wild_are_read),
	};

	return cmocka_run_group_tests_name("forged", tests, NULL, NULL);
}
