/*
 * test_authres_parse.c - Authentication-Results as it is read: RFC 8601 2.2, what honest
 * servers write beside it, and what this program prints.
 */
#include "assert_slice.h"

#include <stdlib.h>
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

/* One line: "id/version: method/version=result <reason> type.property=<value> ...; ...", "-" for what does not parse.
 */
static struct slice read_back(struct slice value, struct arena *arena)
{
	struct authres_parsed parsed;
	struct text out;

	if (!authres_parse(value, arena, &parsed)) {
		assert_null(parsed.clauses);
		assert_int_equal(parsed.clause_count, 0);
		assert_int_equal(parsed.id.n, 0);
		return SLICE("-");
	}
	text_init(&out, arena, 1 << 20);
	text_printf(&out, "%.*s/%u:", SLICE_ARGS(parsed.id), (unsigned)parsed.version);
	for (size_t i = 0; i < parsed.clause_count; i++) {
		const struct authres_clause *clause = &parsed.clauses[i];

		text_printf(&out, "%s %.*s/%u=%.*s", i > 0 ? ";" : "", SLICE_ARGS(clause->method),
			    (unsigned)clause->version, SLICE_ARGS(clause->result));
		if (clause->reason.n > 0)
			text_printf(&out, " <%.*s>", SLICE_ARGS(clause->reason));
		for (size_t j = 0; j < clause->property_count; j++) {
			const struct authres_property *property = &clause->properties[j];

			text_printf(&out, " %.*s.%.*s=<%.*s>", SLICE_ARGS(property->type),
				    SLICE_ARGS(property->property), SLICE_ARGS(property->value));
		}
	}
	return text_slice(&out);
}

struct reading {
	const char *value, *read;
};

static void assert_readings(const struct reading *readings, size_t n, struct arena *arena)
{
	for (size_t i = 0; i < n; i++) {
		struct slice found = read_back(slice_of(readings[i].value), arena);

		if (!slice_equal(found, slice_of(readings[i].read)))
			fail_msg("%s\nread as  %.*s\nand not  %s", readings[i].value, SLICE_ARGS(found),
				 readings[i].read);
	}
}

#define ASSERT_READINGS(readings, arena) assert_readings(readings, sizeof(readings) / sizeof((readings)[0]), arena)

static void the_grammar_is_read(void **state)
{
	static const struct reading readings[] = {
	    {"a.example; none", "a.example/1:"},
	    {" a.example 1 ;\tNONE ", "a.example/1:"},
	    {"a.example 7; none", "a.example/7:"},
	    {"A.Example;SPF=Pass", "a.example/1: spf/1=pass"},
	    {"a.example; spf/2=pass", "a.example/1: spf/2=pass"},
	    {"a.example; spf=pass smtp.MailFrom=Bob@example.org",
	     "a.example/1: spf/1=pass smtp.mailfrom=<Bob@example.org>"},
	    {"a.example; spf=pass smtp.mailfrom=@example.org", "a.example/1: spf/1=pass smtp.mailfrom=<@example.org>"},
	    {"a.example; spf=pass smtp.mailfrom=a=b/c@d.example",
	     "a.example/1: spf/1=pass smtp.mailfrom=<a=b/c@d.example>"},
	    {"a.example; spf=pass smtp.mailfrom=\"a b\"@d.example",
	     "a.example/1: spf/1=pass smtp.mailfrom=<\"a b\"@d.example>"},
	    {"a.example; x=y reason=\"a \\\"b\\\" \\\\; c\"", "a.example/1: x/1=y <a \"b\" \\; c>"},
	    {"a.example; x=y reason=word p.q=r", "a.example/1: x/1=y <word> p.q=<r>"},
	    {"a.example; x=y REASON=\"\" p.q=\"\"", "a.example/1: x/1=y p.q=<>"},
	    {"a.example; x=y reason.z=1", "a.example/1: x/1=y reason.z=<1>"},
	    {"a.example; x=y p.q=\"r\"s.t=\"u\"", "a.example/1: x/1=y p.q=<r> s.t=<u>"},
	    {"a.example; x=y p.q=1 p.q=2; x=z", "a.example/1: x/1=y p.q=<1> p.q=<2>; x/1=z"},
	    {"a.example; none=pass", "a.example/1: none/1=pass"},
	    {"\"the gate\"; none", "the gate/1:"},
	};

	ASSERT_READINGS(readings, *state);
}

static void blanks_and_comments_are_allowed_wherever_the_grammar_has_them(void **state)
{
	static const struct reading readings[] = {
	    {"(1)a.example(2)1(3);(4)none(5)", "a.example/1:"},
	    {"(1)a.example(2)3(3);(4)spf(5)/"
	     "(6)2(7)=(8)pass(9)reason(10)=(11)\"why\"(12)smtp(13).(14)mailfrom(15)=(16)a(17)@("
	     "18)b.example(19)helo.x=y(20);(21)x=y(22)",
	     "a.example/3: spf/2=pass <why> smtp.mailfrom=<a@b.example> helo.x=<y>; x/1=y"},
	    {"\r\n a.example\r\n ;\r\n\tspf\r\n =\r\n pass\r\n reason\r\n =\r\n w\r\n smtp\r\n .\r\n helo\r\n =\r\n "
	     "x\r\n",
	     "a.example/1: spf/1=pass <w> smtp.helo=<x>"},
	    {"a.example;\n\tspf=pass\n\tsmtp.helo=\"x\n\ty\"\n", "a.example/1: spf/1=pass smtp.helo=<x\ty>"},
	    {"a.example; x=y p.q=\"a\r\n b\"@c.example", "a.example/1: x/1=y p.q=<\"a b\"@c.example>"},
	    {"a.example; x=y (a (b (c) ; \\) \\( \") none) p.q=r", "a.example/1: x/1=y p.q=<r>"},
	    {"a.example; x=y p.q=r()", "a.example/1: x/1=y p.q=<r>"},
	};

	ASSERT_READINGS(readings, *state);
}

static void utf_8_is_read_in_ids_and_values(void **state)
{
	static const struct reading readings[] = {
	    {"mx.b\xc3\xbc"
	     "cher.example; none",
	     "mx.b\xc3\xbc"
	     "cher.example/1:"},
	    {"a.example; spf=pass smtp.mailfrom=j\xc3\xb6rg@b\xc3\xbc"
	     "cher.example",
	     "a.example/1: spf/1=pass smtp.mailfrom=<j\xc3\xb6rg@b\xc3\xbc"
	     "cher.example>"},
	    {"a.example; auth=pass (\xe8\x8a\xb1) smtp.auth=\"\xe8\x8a\xb1\xe6\x9c\xa8\xe8\x98\xad\\\"\\\\ []\"",
	     "a.example/1: auth/1=pass smtp.auth=<\xe8\x8a\xb1\xe6\x9c\xa8\xe8\x98\xad\"\\ []>"},
	    {"a.example; spf=pass smtp.mailfrom=j\xf6rg@example.org", "-"},
	    {"a.example; spf=pass (\xff)", "-"},
	    {"a.example; sp\xc3\xbc=pass", "-"},
	};

	ASSERT_READINGS(readings, *state);
}

static void what_honest_servers_write_is_read(void **state)
{
	static const struct reading readings[] = {
	    {"a.example; spf=pass;", "a.example/1: spf/1=pass"},
	    {"a.example; none ; (c)", "a.example/1:"},
	    {"a.example; iprev=pass policy.iprev=2001:db8::1", "a.example/1: iprev/1=pass policy.iprev=<2001:db8::1>"},
	    {"a.example; spf=pass smtp.helo=[192.0.2.1]", "a.example/1: spf/1=pass smtp.helo=<[192.0.2.1]>"},
	    {"a.example; spf=pass smtp.mailfrom=a@[192.0.2.1]",
	     "a.example/1: spf/1=pass smtp.mailfrom=<a@[192.0.2.1]>"},
	    {"a.example; dkim=pass header.b=Ab/+xQ==", "a.example/1: dkim/1=pass header.b=<Ab/+xQ==>"},
	    {"a.example; x-tls=pass smtp.bits=256/256 x.under_score=1",
	     "a.example/1: x-tls/1=pass smtp.bits=<256/256> x.under_score=<1>"},
	    {" mx.google.com;\r\n       dkim=pass header.i=@example.org header.s=s1 header.b=\"ab/c=\";\r\n       "
	     "spf=pass "
	     "(google.com: domain of a@example.org designates 192.0.2.1 as permitted sender) "
	     "smtp.mailfrom=a@example.org;"
	     "\r\n       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=example.org",
	     "mx.google.com/1: dkim/1=pass header.i=<@example.org> header.s=<s1> header.b=<ab/c=>; spf/1=pass "
	     "smtp.mailfrom=<a@example.org>; dmarc/1=pass header.from=<example.org>"},
	    {" mail.example.com (amavisd-new); dkim=pass (2048-bit key) header.d=example.com",
	     "mail.example.com/1: dkim/1=pass header.d=<example.com>"},
	};

	ASSERT_READINGS(readings, *state);
}

static const char *const not_fields[] = {
    "",
    " ",
    ";",
    "; none",
    "a.example",
    "a.example;",
    "a.example; ;",
    "a.example; ; spf=pass",
    "a.example; spf=pass;; x=y",
    "a.example spf=pass",
    "a.example 1 1; none",
    "a.example 1.0; none",
    "a.example a; none",
    "a.example 99999999999999999999999; none",
    "a.example; none none",
    "a.example; none; (",
    "a.example; spf=pass; (",
    "a.example; none; spf=pass",
    "a.example; spf=pass; none",
    "a.example; spf",
    "a.example; spf=",
    "a.example; spf pass",
    "a.example; =pass",
    "a.example; spf/=pass",
    "a.example; spf/x=pass",
    "a.example; spf=\"pass\"",
    "a.example; spf=pass smtp",
    "a.example; spf=pass smtp.",
    "a.example; spf=pass smtp.helo",
    "a.example; spf=pass smtp.helo=",
    "a.example; spf=pass smtp.helo=;",
    "a.example; spf=pass smtp.helo=\"",
    "a.example; spf=pass smtp.helo=\"x",
    "a.example; spf=pass smtp.helo=\"x\\\"",
    "a.example; spf=pass smtp.helo=x (",
    "a.example; spf=pass smtp.helo=x (a (b)",
    "a.example; spf=pass smtp.helo=x (\\)",
    "a.example; spf=pass smtp.helo=x)",
    "a.example; spf=pass smtp.helo=x,y",
    "a.example; spf=pass smtp.helo=a@",
    "a.example; spf=pass smtp.helo=@",
    "a.example; spf=pass smtp.helo=a@b@c",
    "a.example; spf=pass smtp.helo=<a@b>",
    "a.example; spf=pass action=none",
    "a.example; spf=pass reason \"x\"",
    "a.example; spf=pass reason=",
    "a.example; spf=pass reason=a reason=b",
    "a.example; spf=pass reason=\"\" reason=b",
    "a.example; spf=pass smtp.helo=x reason=late",
    "a.example; spf=pass reason=\"\\\n \".x=y",
    "spf=pass smtp.mailfrom=x; dkim=none",
    "a.example; spf=pass\nX: y",
    "a.example; spf=pass\n\n smtp.helo=x",
    "a.example; spf=pass\r smtp.helo=x",
    "a.example; spf=pass\r\r\n smtp.helo=x",
    "a.example; spf=pass smtp.helo=\"\\\r\n x\"",
    "a.example; spf=pass (\x01)",
    "a.example; spf=pass smtp.helo=\"\x7f\"",
    "\"a\\\n b\"; none",
};

static void what_is_not_of_the_grammar_does_not_parse(void **state)
{
	for (size_t i = 0; i < sizeof(not_fields) / sizeof(not_fields[0]); i++)
		if (!slice_equal(read_back(slice_of(not_fields[i]), *state), SLICE("-")))
			fail_msg("parsed: %s", not_fields[i]);
	assert_slice(read_back(SLICE("a.example; spf=pass (\0)"), *state), "-");
	assert_slice(read_back(SLICE("a.example; spf=pass smtp.helo=x\0y"), *state), "-");
}

static bool parses_with(const char *head, const char *piece, size_t times, struct arena *arena)
{
	struct authres_parsed parsed;
	struct text value;

	text_init(&value, arena, 2 * AUTHRES_BYTES_MAX);
	text_add(&value, slice_of(head));
	for (size_t i = 0; i < times; i++)
		text_add(&value, slice_of(piece));
	return authres_parse(text_slice(&value), arena, &parsed);
}

static void more_than_the_bounds_does_not_parse(void **state)
{
	static const char head[] = "a.example; spf=pass ";

	assert_true(parses_with("a.example", "; spf=pass", AUTHRES_CLAUSES_MAX, *state));
	assert_false(parses_with("a.example", "; spf=pass", AUTHRES_CLAUSES_MAX + 1, *state));
	assert_true(parses_with(head, "p.q=r ", AUTHRES_PROPERTIES_MAX, *state));
	assert_false(parses_with(head, "p.q=r ", AUTHRES_PROPERTIES_MAX + 1, *state));
	assert_true(parses_with(head, " ", AUTHRES_BYTES_MAX - strlen(head), *state));
	assert_false(parses_with(head, " ", AUTHRES_BYTES_MAX + 1 - strlen(head), *state));
}

static void memory_is_linear_in_the_value(void **state)
{
	static const char *const pieces[] = {"p.q=\"\" ", "p.q=\"a\"@b ", "; x=y reason=\"\"", "(",
					     "\"",        "\\",           "p.q=\"\\",          "((\\"};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		arena_reset(*state);
		parses_with("a.example; spf=pass ", pieces[i], AUTHRES_BYTES_MAX / 2 / strlen(pieces[i]), *state);
		assert_in_range(arena_used(*state), 1, 10 * AUTHRES_BYTES_MAX);
	}
}

/* ---- what is printed ------------------------------------------------------------------- */

/* Pieces of which hostile values are made. */
static const struct slice pieces[] = {
    SLICE("\""),          SLICE("\\"),      SLICE(";"),         SLICE("("),        SLICE(")"),     SLICE("@"),
    SLICE("="),           SLICE("?"),       SLICE(" "),         SLICE("\n"),       SLICE("\r\n "), SLICE("\t"),
    SLICE("\0"),          SLICE("\x7f"),    SLICE("."),         SLICE("a"),        SLICE("<"),     SLICE(","),
    SLICE("\xff"),        SLICE("\xc3"),    SLICE("\xc2\x85"),  SLICE("/"),        SLICE(":"),     SLICE("["),
    SLICE("]"),           SLICE("=?"),      SLICE("?="),        SLICE("\xc3\xb6"), SLICE("1"),     SLICE("none"),
    SLICE("; dkim=pass"), SLICE("reason="), SLICE("b.example"),
};
#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

#define HOSTILE_PIECES 12 /* of at most 11 bytes: no value is cut */
#define ROUNDS         20000

static struct slice hostile_value(unsigned *seed, struct arena *arena)
{
	unsigned count = (unsigned)rand_r(seed) % HOSTILE_PIECES;
	struct text value;

	text_init(&value, arena, 1000);
	for (unsigned i = 0; i < count; i++)
		text_add(&value, pieces[(unsigned)rand_r(seed) % PIECES]);
	return text_slice(&value);
}

/* As the contract of printing says: control characters, and bytes that are not UTF-8, are question marks. */
static struct slice as_printed(struct slice value, struct arena *arena)
{
	struct text out;

	text_init(&out, arena, 1000);
	while (value.n > 0) {
		size_t length = slice_utf8(value);
		bool bad = length == 0 || (unsigned char)value.p[0] < ' ' || value.p[0] == 0x7f ||
			   slice_equal(slice_head(value, length), SLICE("\xc2\x85"));

		text_add(&out, bad ? SLICE("?") : slice_head(value, length));
		value = slice_from(value, length > 0 ? length : 1);
	}
	return text_slice(&out);
}

static void assert_same(struct slice found, struct slice put_in, struct slice printed, struct arena *arena)
{
	put_in = as_printed(put_in, arena);
	if (!slice_equal(found, put_in))
		fail_msg("put in   %.*s\nread     %.*s\nprinted  %.*s", SLICE_ARGS(put_in), SLICE_ARGS(found),
			 SLICE_ARGS(printed));
}

/* What holds a "=" could read as a result: of a mailbox the domain is printed, else nothing. */
static void assert_property(const struct authres_clause *clause, const char *name, struct slice put_in,
			    struct slice printed, struct arena *arena)
{
	struct slice found = SLICE("");

	for (size_t i = 0; i < clause->property_count; i++)
		if (slice_equal(clause->properties[i].property, slice_of(name)))
			found = clause->properties[i].value;
	if (slice_find(put_in, '=') < 0)
		assert_same(found, put_in, printed, arena);
	assert_true(slice_find(found, '=') < 0);
}

static void play_round(unsigned *seed, struct arena *arena)
{
	struct slice id = SLICE("mx.example.org"), values[4], printed;
	struct authres *authres = authres_new(arena, id);
	struct authres_parsed parsed;

	for (size_t i = 0; i < 4; i++)
		values[i] = hostile_value(seed, arena);
	authres_method(authres, SLICE("spf"), SLICE("fail"));
	authres_comment(authres, values[0]);
	authres_reason(authres, values[1]);
	authres_property(authres, SLICE("smtp"), SLICE("mailfrom"), values[2]);
	authres_property(authres, SLICE("smtp"), SLICE("rcptto"), values[3]);
	authres_method(authres, SLICE("auth"), SLICE("pass"));
	authres_property(authres, SLICE("smtp"), SLICE("auth"), values[0]);
	printed = authres_print(authres);

	if (!authres_parse(printed, arena, &parsed) || parsed.clause_count != 2)
		fail_msg("does not parse to two clauses: %.*s", SLICE_ARGS(printed));
	assert_true(slice_equal(parsed.id, id));
	assert_slice(parsed.clauses[0].method, "spf");
	assert_slice(parsed.clauses[0].result, "fail");
	if (slice_find(values[1], '=') < 0)
		assert_same(parsed.clauses[0].reason, values[1], printed, arena);
	assert_property(&parsed.clauses[0], "mailfrom", values[2], printed, arena);
	assert_property(&parsed.clauses[0], "rcptto", values[3], printed, arena);
	assert_slice(parsed.clauses[1].method, "auth");
	assert_property(&parsed.clauses[1], "auth", values[0], printed, arena);
}

static void what_is_printed_parses_to_what_was_put_in(void **state)
{
	unsigned seed = 8601;

	for (int i = 0; i < ROUNDS; i++) {
		play_round(&seed, *state);
		arena_reset(*state);
	}
}

static void every_id_but_the_empty_one_comes_back(void **state)
{
	unsigned seed = 2;

	for (int i = 0; i < ROUNDS; i++) {
		struct slice id = hostile_value(&seed, *state);
		struct authres_parsed parsed;

		assert_int_equal(authres_parse(authres_print(authres_new(*state, id)), *state, &parsed), id.n > 0);
		assert_same(parsed.id, id, SLICE(""), *state);
		arena_reset(*state);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_grammar_is_read),
	    TEST(blanks_and_comments_are_allowed_wherever_the_grammar_has_them),
	    TEST(utf_8_is_read_in_ids_and_values),
	    TEST(what_honest_servers_write_is_read),
	    TEST(what_is_not_of_the_grammar_does_not_parse),
	    TEST(more_than_the_bounds_does_not_parse),
	    TEST(memory_is_linear_in_the_value),
	    TEST(what_is_printed_parses_to_what_was_put_in),
	    TEST(every_id_but_the_empty_one_comes_back),
	};

	return cmocka_run_group_tests_name("authres_parse", tests, NULL, NULL);
}
