/*
 * test_authres.c - Authentication-Results as it is written. A reader as strict
 * as RFC 8601 2.2 reads it back.
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

/* ---- the strict reader: any departure from the grammar fails the test -------------- */

static bool is_token_byte(char c)
{
	return c > ' ' && c <= '~' && !strchr("()<>@,;:\\\"/[]?=", c);
}

static void take(struct slice *rest, size_t n)
{
	assert_true(n <= rest->n);
	*rest = slice_from(*rest, n);
}

static void take_char(struct slice *rest, char c)
{
	assert_true(rest->n > 0);
	assert_int_equal(rest->p[0], c);
	take(rest, 1);
}

/* RFC 5322 3.2.2; folding is "\n\t". Comments hold no parentheses and no backslashes: ours have none. */
static void take_cfws(struct slice *rest)
{
	for (;;) {
		ptrdiff_t end;

		if (rest->n >= 2 && rest->p[0] == '\n') {
			assert_int_equal(rest->p[1], '\t');
			take(rest, 2);
		} else if (rest->n > 0 && rest->p[0] == ' ') {
			take(rest, 1);
		} else if (rest->n > 0 && rest->p[0] == '(') {
			end = slice_find(*rest, ')');
			assert_true(end > 0);
			assert_int_equal(slice_find(slice_head(slice_from(*rest, 1), (size_t)end - 1), '('), -1);
			assert_int_equal(slice_find(slice_head(*rest, (size_t)end), '\\'), -1);
			take(rest, (size_t)end + 1);
		} else {
			return;
		}
	}
}

static struct slice take_token(struct slice *rest)
{
	size_t n = 0;
	struct slice token;

	while (n < rest->n && is_token_byte(rest->p[n]))
		n++;
	assert_true(n > 0);
	token = slice_head(*rest, n);
	take(rest, n);
	return token;
}

static struct slice take_quoted(struct slice *rest, struct arena *arena)
{
	struct text meant;

	text_init(&meant, arena, 100000);
	take_char(rest, '"');
	for (;;) {
		assert_true(rest->n > 0);
		if (rest->p[0] == '"')
			break;
		if (rest->p[0] == '\\')
			take(rest, 1);
		assert_true(rest->n > 0);
		assert_true((unsigned char)rest->p[0] >= ' ' && rest->p[0] != 0x7f);
		text_add_char(&meant, rest->p[0]);
		take(rest, 1);
	}
	take_char(rest, '"');
	return text_slice(&meant);
}

/* pvalue: value / [[dot-atom] "@"] domain-name */
static struct slice take_value(struct slice *rest, struct arena *arena)
{
	struct slice start = *rest;
	size_t n = 0;

	if (rest->n > 0 && rest->p[0] == '"')
		return take_quoted(rest, arena);
	while (n < rest->n && (is_token_byte(rest->p[n]) || strchr("=/?", rest->p[n])))
		n++;
	if (n == rest->n || rest->p[n] != '@')
		return take_token(rest);
	take(rest, n + 1);
	n += 1 + take_token(rest).n;
	return slice_head(start, n);
}

/* "method=result|reason=...|type.property=value|" for each clause, and "/" between them. */
static struct slice parse(struct slice value, struct arena *arena)
{
	struct slice rest = value, word;
	struct text out;
	bool first = true;

	text_init(&out, arena, 1 << 20);
	word = rest.n > 0 && rest.p[0] == '"' ? take_quoted(&rest, arena) : take_token(&rest);
	text_printf(&out, "%.*s:", SLICE_ARGS(word));
	while (rest.n > 0) {
		take_char(&rest, ';');
		take_cfws(&rest);
		text_add(&out, first ? SLICE("") : SLICE("/"));
		first = false;
		if (slice_equal(rest, SLICE("none"))) {
			text_add(&out, SLICE("none"));
			return text_slice(&out);
		}
		while (rest.n > 0 && rest.p[0] != ';') {
			word = take_token(&rest);
			text_printf(&out, "%.*s=", SLICE_ARGS(word));
			take_char(&rest, '=');
			text_add(&out, take_value(&rest, arena));
			text_add_char(&out, '|');
			take_cfws(&rest);
		}
	}
	return text_slice(&out);
}

static void assert_lines(struct slice value, size_t longest)
{
	struct slice rest = value, line;

	for (size_t column = 24; slice_cut(&rest, '\n', &line); column = 7) { /* a tab goes to column 8 */
		assert_true(column + line.n <= longest);
		for (size_t i = line.n > 0 && line.p[0] == '\t'; i < line.n; i++)
			assert_true((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f);
	}
}

/* ---- tests --------------------------------------------------------------------------- */

static void a_field_without_clauses_says_none(void **state)
{
	struct authres *authres = authres_new(*state, SLICE("mx.example.org"));

	assert_true(authres_empty(authres));
	assert_slice(authres_print(authres), "mx.example.org; none");
	/* A property without a clause is not written. */
	authres_reason(authres, SLICE("x"));
	authres_comment(authres, SLICE("x"));
	authres_property(authres, SLICE("smtp"), SLICE("helo"), SLICE("x"));
	assert_slice(authres_print(authres), "mx.example.org; none");
}

static void parts_of_a_clause_come_in_the_order_of_the_grammar(void **state)
{
	struct authres *authres = authres_new(*state, SLICE("mx.example.org"));

	authres_method(authres, SLICE("spf"), SLICE("fail"));
	assert_false(authres_empty(authres));
	authres_property(authres, SLICE("smtp"), SLICE("mailfrom"), SLICE("alice@example.net"));
	authres_reason(authres, SLICE("no way"));
	authres_reason(authres, SLICE("only one is allowed"));
	authres_comment(authres, SLICE("client 192.0.2.1"));
	authres_method(authres, SLICE("auth"), SLICE("pass"));
	authres_property(authres, SLICE("smtp"), SLICE("auth"), SLICE("bob"));
	assert_slice(authres_print(authres), "mx.example.org;\n"
					     "\tspf=fail (client 192.0.2.1) reason=\"no way\"\n"
					     "\tsmtp.mailfrom=alice@example.net;\n"
					     "\tauth=pass smtp.auth=bob");
}

static void a_value_is_quoted_exactly_when_the_grammar_wants_it(void **state)
{
	static const struct {
		const char *value, *printed;
	} cases[] = {
	    {"example.org", "example.org"},
	    {"alice@example.org", "alice@example.org"},
	    {"@example.org", "@example.org"},
	    {"bounce+bob-example.net@example.org", "bounce+bob-example.net@example.org"},
	    {"a/b@example.org", "a/b@example.org"},
	    {"a?b", "\"a?b\""},
	    {"", "\"\""},
	    {"alice@", "\"alice@\""},
	    {"a@b@c", "\"a@b@c\""},
	    {"two words", "\"two words\""},
	    {"a@[192.0.2.1]", "\"a@[192.0.2.1]\""},
	    {"2001:db8::1", "\"2001:db8::1\""},
	    {"\"a b\"@example.org", "\"\\\"a b\\\"@example.org\""},
	    {"a;b", "\"a;b\""},
	    {"a(b", "\"a(b\""},
	    {"a\\", "\"a\\\\\""},
	    {"j\xc3\xb6rg@example.org", "\"j\xc3\xb6rg@example.org\""},
	    {"a\r\nb", "\"a??b\""},
	    {"a\xff", "\"a?\""},
	    {"a\xc2\x85"
	     "b",
	     "\"a?b\""}, /* NEL ends lines too, for some */
	    {"a\x7f", "\"a?\""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct authres *authres = authres_new(*state, SLICE("id"));

		authres_method(authres, SLICE("spf"), SLICE("none"));
		authres_property(authres, SLICE("smtp"), SLICE("mailfrom"), slice_of(cases[i].value));
		assert_slice(authres_print(authres),
			     arena_printf(*state, "id;\n\tspf=none smtp.mailfrom=%s", cases[i].printed).p);
	}
}

/* A reader who looks for "method=result" must find the two results of ours alone. */
static void assert_no_result_but_ours(struct slice printed, struct arena *arena)
{
	struct slice rest = arena_lower(arena, printed);
	size_t equals = 0;

	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] != '=')
			continue;
		equals++;
		/* "spf=none", "auth=none", "reason=", "smtp.mailfrom=", "smtp.auth=" */
		assert_true(slice_ends_nocase(slice_head(rest, i), SLICE("spf")) ||
			    slice_ends_nocase(slice_head(rest, i), SLICE("reason")) ||
			    slice_ends_nocase(slice_head(rest, i), SLICE(".mailfrom")) ||
			    slice_ends_nocase(slice_head(rest, i), SLICE("auth")));
		assert_true(i + 1 < rest.n && rest.p[i + 1] != '?');
	}
	assert_in_range(equals, 3, 5);
}

static void no_value_opens_a_clause_a_comment_or_a_line(void **state)
{
	static const char *const hostile[] = {
	    "x; dkim=pass header.d=bank.example",
	    "\"; dkim=pass header.d=bank.example; \"@evil.example",
	    "\\\"; dkim=pass",
	    "x\\",
	    "x\"",
	    "(((",
	    ")",
	    ") ; dkim=pass (",
	    "\\) ; dkim=pass",
	    "x\r\nAuthentication-Results: mx.example.org; dkim=pass",
	    "x\n\nbody",
	    "x\rSubject: y",
	    "=?utf-8?q?x?=",
	    "=?us-ascii?q?x=22=3B_dkim=3Dpass?=@b.example",
	    "?us-ascii?q?x=22=3B_dkim=3Dpass?=@b.example",
	    "=\x01us-ascii?q?x=22=3B_dkim=3Dpass?=",
	    "\x01\x02\x1b[31m",
	    "dmarc=pass",
	    "DMARC=pass@evil.example",
	    "\"dmarc = pass\"@evil.example",
	    "\"dmarc=pass@bank.example\"@evil.example",
	    "a@b=c@evil.example",
	    "evil.example=dmarc=pass",
	};

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct authres *authres = authres_new(*state, SLICE("mx.example.org"));
		struct authres_parsed parsed;
		struct slice printed;

		authres_method(authres, SLICE("spf"), SLICE("none"));
		authres_comment(authres, slice_of(hostile[i]));
		authres_property(authres, SLICE("smtp"), SLICE("mailfrom"), slice_of(hostile[i]));
		authres_reason(authres, slice_of(hostile[i]));
		authres_method(authres, SLICE("auth"), SLICE("none"));
		authres_property(authres, SLICE("smtp"), SLICE("auth"), slice_of(hostile[i]));
		printed = authres_print(authres);
		assert_no_result_but_ours(printed, *state);
		assert_true(authres_parse(printed, *state, &parsed));
		assert_int_equal(parsed.clause_count, 2);
		assert_slice(parsed.clauses[0].method, "spf");
		assert_slice(parsed.clauses[1].method, "auth");
		assert_lines(printed, 998);
	}
}

static const struct {
	const char *property, *value, *printed;
} fits[] = {
    {"helo", "mail.example.org", "spf=none smtp.helo=mail.example.org"},
    {"helo", "localhost", "spf=none smtp.helo=localhost"},
    {"helo", "[192.0.2.1]", "spf=none smtp.helo=\"[192.0.2.1]\""},
    {"helo", "[IPv6:2001:db8::1]", "spf=none smtp.helo=\"[IPv6:2001:db8::1]\""},
    {"helo", "192.0.2.1", "spf=none smtp.helo=192.0.2.1"},
    {"helo", "2001:db8::1", "spf=none smtp.helo=\"2001:db8::1\""},
    {"helo", "dmarc=pass header.from=bank.example", "spf=none (smtp.helo left out)"},
    {"helo", "dmarc pass", "spf=none (smtp.helo left out)"},
    {"helo", "x@example.org", "spf=none (smtp.helo left out)"},
    {"helo", "[dmarc]", "spf=none (smtp.helo left out)"},
    {"helo", "a..b", "spf=none (smtp.helo left out)"},
    {"helo", "", "spf=none (smtp.helo left out)"},
    {"helo", "dmarc\xef\xbc\x9dpass.example", "spf=none (smtp.helo left out)"}, /* U+FF1D */
    {"mailfrom", "dmarc=pass@example.org", "spf=none smtp.mailfrom=@example.org"},
    {"mailfrom", "\"a = b\"@[192.0.2.1]", "spf=none smtp.mailfrom=\"@[192.0.2.1]\""},
    {"mailfrom", "dmarc=pass", "spf=none (smtp.mailfrom left out)"},
    {"mailfrom", "x@dmarc=pass", "spf=none (smtp.mailfrom left out)"},
    {"auth", "dmarc=pass", "spf=none (smtp.auth left out)"},
};

static void what_a_client_chooses_is_printed_only_when_it_cannot_read_as_a_result(void **state)
{
	for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
		struct authres *authres = authres_new(*state, SLICE("id"));

		authres_method(authres, SLICE("spf"), SLICE("none"));
		authres_property(authres, SLICE("smtp"), slice_of(fits[i].property), slice_of(fits[i].value));
		assert_slice(authres_print(authres), arena_printf(*state, "id;\n\t%s", fits[i].printed).p);
	}
}

static void an_algorithm_is_printed_when_it_is_one(void **state)
{
	static const struct {
		const char *value, *printed;
	} cases[] = {
	    {"rsa-sha256", "dkim=fail header.a=rsa-sha256"},
	    {"ed25519-sha256", "dkim=fail header.a=ed25519-sha256"},
	    {"rsa-sha1", "dkim=fail header.a=rsa-sha1"},
	    {"rsa-sha512", "dkim=fail (header.a left out)"},
	    {"x dkim=pass header.d=bank.example", "dkim=fail (header.a left out)"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct authres *authres = authres_new(*state, SLICE("id"));

		authres_method(authres, SLICE("dkim"), SLICE("fail"));
		authres_property(authres, SLICE("header"), SLICE("a"), slice_of(cases[i].value));
		assert_slice(authres_print(authres), arena_printf(*state, "id;\n\t%s", cases[i].printed).p);
	}
}

static void a_note_keeps_the_names_of_tags_and_no_other_equals_sign(void **state)
{
	static const struct {
		const char *note, *printed;
	} cases[] = {
	    {"the key (t=s) does not allow i= below d=", "the key (t=s) does not allow i= below d="},
	    {"bh= is not a SHA-256 hash", "bh= is not a SHA-256 hash"},
	    {"the term dmarc=pass is unknown", "the term dmarc?pass is unknown"},
	    {"dkim =pass", "dkim ?pass"},
	    {"header.a=x", "header.a?x"},
	    {"arc=pass", "arc?pass"},
	    {"x_a=pass 1a=pass Aa=pass", "x_a?pass 1a?pass Aa?pass"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct authres *authres = authres_new(*state, SLICE("id"));

		authres_method(authres, SLICE("spf"), SLICE("none"));
		authres_reason(authres, slice_of(cases[i].note));
		assert_slice(authres_print(authres),
			     arena_printf(*state, "id;\n\tspf=none reason=\"%s\"", cases[i].printed).p);
	}
}

static void names_of_methods_and_properties_are_made_sure_of(void **state)
{
	struct authres *authres = authres_new(*state, SLICE("m x"));

	authres_method(authres, SLICE("s pf;"), SLICE("pa\nss"));
	authres_property(authres, SLICE("x\"y"), SLICE("a=b"), SLICE("v"));
	assert_slice(authres_print(authres), "\"m x\";\n\ts-pf-=pa-ss x-y.a-b=v");
}

static void clauses_are_folded_before_the_78th_column(void **state)
{
	struct authres *authres = authres_new(*state, SLICE("mx.example.org"));
	struct slice printed;

	for (size_t i = 1; i < 60; i++) {
		struct slice helo = arena_printf(*state, "%.*s", (int)i,
						 "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefg");

		authres_method(authres, SLICE("spf"), SLICE("pass"));
		authres_comment(authres,
				SLICE("a comment that is long enough to be folded somewhere between its words, once"));
		authres_property(authres, SLICE("header"), SLICE("s"), helo);
		authres_property(authres, SLICE("smtp"), SLICE("mailfrom"), SLICE("alice@example.org"));
	}
	printed = authres_print(authres);
	assert_lines(printed, 78);
	parse(printed, *state);
}

static void what_is_too_long_is_cut_and_the_domain_is_kept(void **state)
{
	struct authres *authres = authres_new(*state, SLICE("mx.example.org"));
	char *local = arena_alloc(*state, 3000);
	struct slice printed, mailbox;

	memset(local, 'x', 3000);
	mailbox = arena_printf(*state, "%.*s@bank.example", 400 - 13, local);
	authres_method(authres, SLICE("spf"), SLICE("pass"));
	authres_property(authres, SLICE("smtp"), SLICE("mailfrom"), mailbox);
	printed = authres_print(authres);
	assert_slice(parse(printed, *state),
		     arena_printf(*state, "mx.example.org:spf=pass|smtp.mailfrom=%.*s|", SLICE_ARGS(mailbox)).p);

	/* One byte more: a head of the address could end in the name of somebody else's domain. */
	authres = authres_new(*state, SLICE("mx.example.org"));
	authres_method(authres, SLICE("spf"), SLICE("pass"));
	authres_property(authres, SLICE("smtp"), SLICE("mailfrom"),
			 arena_printf(*state, "%.*s@bank.example", 401 - 13, local));
	assert_slice(authres_print(authres), "mx.example.org;\n\tspf=pass smtp.mailfrom=@bank.example");

	authres = authres_new(*state, SLICE("mx.example.org"));
	memset(local, '"', 3000);
	authres_method(authres, SLICE("spf"), SLICE("pass"));
	authres_property(authres, SLICE("smtp"), SLICE("auth"), (struct slice){local, 3000});
	authres_reason(authres, (struct slice){local, 3000});
	authres_comment(authres, (struct slice){local, 3000});
	printed = authres_print(authres);
	assert_lines(printed, 998);
	parse(printed, *state);
	assert_true(printed.n < 3000);
}

static void what_was_printed_claims_our_id(void **state)
{
	struct authres *authres = authres_new(*state, SLICE("mx.example.org"));
	struct header_field field = {SLICE("Authentication-Results"), SLICE(""), 1};
	struct slice id;

	authres_method(authres, SLICE("spf"), SLICE("pass"));
	authres_property(authres, SLICE("smtp"), SLICE("mailfrom"), SLICE("\"a;\"@example.org"));
	field.value = authres_print(authres);
	assert_true(authres_id(field.value, *state, &id));
	assert_slice(id, "mx.example.org");
	assert_true(authres_is_forged(&field, SLICE("mx.example.org"), *state));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_field_without_clauses_says_none),
	    TEST(parts_of_a_clause_come_in_the_order_of_the_grammar),
	    TEST(a_value_is_quoted_exactly_when_the_grammar_wants_it),
	    TEST(no_value_opens_a_clause_a_comment_or_a_line),
	    TEST(what_a_client_chooses_is_printed_only_when_it_cannot_read_as_a_result),
	    TEST(an_algorithm_is_printed_when_it_is_one),
	    TEST(a_note_keeps_the_names_of_tags_and_no_other_equals_sign),
	    TEST(names_of_methods_and_properties_are_made_sure_of),
	    TEST(clauses_are_folded_before_the_78th_column),
	    TEST(what_is_too_long_is_cut_and_the_domain_is_kept),
	    TEST(what_was_printed_claims_our_id),
	};

	return cmocka_run_group_tests_name("authres", tests, NULL, NULL);
}
