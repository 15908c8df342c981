/*
 * test_address.c - envelope paths, and domains in the form in which they compare.
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

/* `size` bytes that are all `c`. */
static struct slice many(struct arena *arena, char c, size_t size)
{
	char *p = arena_alloc(arena, size);

	memset(p, c, size);
	return (struct slice){p, size};
}

static void a_path_is_read_as_mtas_mean_it(void **state)
{
	static const struct {
		const char *path, *text, *local, *domain;
	} cases[] = {
	    {"<alice@example.org>", "alice@example.org", "alice", "example.org"},
	    {"alice@example.org", "alice@example.org", "alice", "example.org"},
	    {" <Alice@EXAMPLE.Org> \r\n", "Alice@EXAMPLE.Org", "Alice", "example.org"},
	    {"< alice@example.org >", "alice@example.org", "alice", "example.org"},
	    {"<>", "", "", ""},
	    {"", "", "", ""},
	    {"  ", "", "", ""},
	    {"<@r1.example,@r2.example:user@dom.example>", "user@dom.example", "user", "dom.example"},
	    {"@r1.example:user@dom.example", "user@dom.example", "user", "dom.example"},
	    {"<@r1.example:\"a:b@c\"@dom.example>", "\"a:b@c\"@dom.example", "\"a:b@c\"", "dom.example"},
	    {"<\"a@b\"@example.org>", "\"a@b\"@example.org", "\"a@b\"", "example.org"},
	    {"<\"a b\"@example.org>", "\"a b\"@example.org", "\"a b\"", "example.org"},
	    {"<\"a>b\"@example.org>", "\"a>b\"@example.org", "\"a>b\"", "example.org"},
	    {"<\"a\\\"b\"@example.org>", "\"a\\\"b\"@example.org", "\"a\\\"b\"", "example.org"},
	    {"<\"a\\\\\"@example.org>", "\"a\\\\\"@example.org", "\"a\\\\\"", "example.org"},
	    {"<\"a(b)\"@example.org>", "\"a(b)\"@example.org", "\"a(b)\"", "example.org"},
	    {"<\"\"@example.org>", "\"\"@example.org", "\"\"", "example.org"},
	    {"<\"a\".b@example.org>", "\"a\".b@example.org", "\"a\".b", "example.org"},
	    {"<a..b.@example.org>", "a..b.@example.org", "a..b.", "example.org"},
	    {"<bounce+bob=example.net@example.org>", "bounce+bob=example.net@example.org", "bounce+bob=example.net",
	     "example.org"},
	    {"<a!b%c@example.org>", "a!b%c@example.org", "a!b%c", "example.org"},
	    {"<alice@example.org.>", "alice@example.org.", "alice", "example.org"},
	    {"<alice@[192.0.2.1]>", "alice@[192.0.2.1]", "alice", "[192.0.2.1]"},
	    {"<alice@[IPv6:2001:DB8:0::1]>", "alice@[IPv6:2001:DB8:0::1]", "alice", "[ipv6:2001:db8::1]"},
	    {"<alice@[IPv6:::ffff:192.0.2.1]>", "alice@[IPv6:::ffff:192.0.2.1]", "alice", "[192.0.2.1]"},
	    {"<j\xc3\xb6rg@B\xc3\x9c"
	     "cher.example>",
	     "j\xc3\xb6rg@B\xc3\x9c"
	     "cher.example",
	     "j\xc3\xb6rg", "xn--bcher-kva.example"},
	    {"<postmaster>", "postmaster", "postmaster", ""},
	    {"alice", "alice", "alice", ""},
	    {"<alice@localhost>", "alice@localhost", "alice", "localhost"},
	    {"<alice@host_1.example>", "alice@host_1.example", "alice", "host_1.example"},
	    {"<alice@A--b.192.0.2.1.x1>", "alice@A--b.192.0.2.1.x1", "alice", "a--b.192.0.2.1.x1"},
	    {"<alice@192.0.2.256>", "alice@192.0.2.256", "alice", "192.0.2.256"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address address = address_parse_path(slice_of(cases[i].path), *state);

		assert_slice(address.text, cases[i].text);
		assert_slice(address.local, cases[i].local);
		assert_slice(address.domain, cases[i].domain);
		assert_true(address.valid);
	}
}

static const struct {
	const char *path, *text, *domain;
} not_addresses[] = {
    {"<a(comment)@example.org>", "a(comment)@example.org", "example.org"},
    {"<a@example.org(comment)>", "a@example.org(comment)", "example.org(comment)"},
    {"<alice@example.org", "<alice@example.org", "example.org"},
    {"alice@example.org>", "alice@example.org>", "example.org>"},
    {"<<alice@example.org>>", "<alice@example.org>", "example.org>"},
    {"<alice@example.org> x", "<alice@example.org> x", "example.org> x"},
    {"<a b@example.org>", "a b@example.org", "example.org"},
    {"<a@b@example.org>", "a@b@example.org", "example.org"},
    {"<a@b@Example.ORG.>", "a@b@Example.ORG.", "example.org"},
    {"<\"a@b\"@c@example.org>", "\"a@b\"@c@example.org", "example.org"},
    {"<a\\@b@example.org>", "a\\@b@example.org", "example.org"},
    {"<\"a@example.org>", "\"a@example.org", "example.org"},
    {"<\"a\"b@example.org>", "\"a\"b@example.org", "example.org"},
    {"<a\"b\"@example.org>", "a\"b\"@example.org", "example.org"},
    {"<\"a\\", "<\"a\\", ""},
    {"<alice@>", "alice@", ""},
    {"<@example.org>", "@example.org", "example.org"},
    {"<@r1.example:>", "@r1.example:", NULL},
    {"<@r1.example,r2.example:a@b.example>", "@r1.example,r2.example:a@b.example", "b.example"},
    {"<@:a@b.example>", "@:a@b.example", "b.example"},
    {"<alice@.example.org>", "alice@.example.org", ".example.org"},
    {"<alice@example..org>", "alice@example..org", "example..org"},
    {"<alice@-example.org>", "alice@-example.org", "-example.org"},
    {"<alice@example.org->", "alice@example.org-", "example.org-"},
    {"<alice@host-.example.org>", "alice@host-.example.org", "host-.example.org"},
    {"<alice@host.-example.org>", "alice@host.-example.org", "host.-example.org"},
    {"<alice@example.org..>", "alice@example.org..", "example.org."},
    {"<alice@192.0.2.1>", "alice@192.0.2.1", "192.0.2.1"},
    {"<alice@[192.0.2]>", "alice@[192.0.2]", "[192.0.2]"},
    {"<alice@[192.0.2.1>", "alice@[192.0.2.1", "[192.0.2.1"},
    {"<alice@[2001:db8::1]>", "alice@[2001:db8::1]", "[2001:db8::1]"},
    {"<alice@[]>", "alice@[]", "[]"},
    {"<alice@[>", "alice@[", "["},
    {"<j\xf6rg@example.org>", "j\xf6rg@example.org", "example.org"},
    {"<alice@b\xfc"
     "cher.example>",
     "alice@b\xfc"
     "cher.example",
     "b\xfc"
     "cher.example"},
    {"<a\x01@example.org>", "a\x01@example.org", "example.org"},
    {"<\"a\x01\"@example.org>", "\"a\x01\"@example.org", "example.org"},
    {"<\"a\\\x01\"@example.org>", "\"a\\\x01\"@example.org", "example.org"},
    {"<a\x7f@example.org>", "a\x7f@example.org", "example.org"},
    {"<a\r\nb@example.org>", "a\r\nb@example.org", "example.org"},
    {"<a@example.org\r\nRCPT TO:<b@c>", "a@example.org\r\nRCPT TO:<b@c", NULL},
    {"<", "<", ""},
    {">", ">", ""},
    {"@", "@", ""},
};

static void what_is_not_an_address_is_kept_and_not_valid(void **state)
{
	for (size_t i = 0; i < sizeof(not_addresses) / sizeof(not_addresses[0]); i++) {
		struct address address = address_parse_path(slice_of(not_addresses[i].path), *state);

		assert_slice(address.text, not_addresses[i].text);
		if (not_addresses[i].domain)
			assert_slice(address.domain, not_addresses[i].domain);
		assert_false(address.valid);
	}
}

static void a_nul_byte_makes_no_address(void **state)
{
	assert_false(address_parse_path(SLICE("<a\0b@example.org>"), *state).valid);
	assert_false(address_parse_path(SLICE("<\"a\0b\"@example.org>"), *state).valid);
	assert_false(address_parse_path(SLICE("<a@example.org\0.evil.example>"), *state).valid);
	assert_false(address_parse_path(SLICE("<a@b\xc3\xbc\0cher.example>"), *state).valid);
	assert_false(address_parse_path(SLICE("\0"), *state).valid);
}

static void a_long_local_part_is_read_up_to_the_bound_of_a_path(void **state)
{
	struct slice local = many(*state, 'x', 1000);
	struct slice path = arena_printf(*state, "<%.*s@example.org>", SLICE_ARGS(local));
	struct address address = address_parse_path(path, *state);

	assert_true(address.valid);
	assert_int_equal(address.local.n, 1000);
	assert_slice(address.domain, "example.org");

	local = many(*state, 'x', MAIL_PATH_MAX - 4);
	address = address_parse_path(arena_printf(*state, "<%.*s@b>", SLICE_ARGS(local)), *state);
	assert_true(address.valid);
	local = many(*state, 'x', MAIL_PATH_MAX - 3);
	address = address_parse_path(arena_printf(*state, "<%.*s@b>", SLICE_ARGS(local)), *state);
	assert_false(address.valid);
	assert_int_equal(address.text.n, MAIL_PATH_MAX);

	address = address_parse_path(many(*state, '"', 1024 * 1024), *state);
	assert_false(address.valid);
	assert_int_equal(address.text.n, MAIL_PATH_MAX);
}

static void a_domain_has_one_form(void **state)
{
	static const struct {
		const char *domain, *form; /* NULL: not valid */
	} cases[] = {
	    {"Example.ORG", "example.org"},
	    {"example.org.", "example.org"},
	    {"b\xc3\xbc"
	     "cher.example",
	     "xn--bcher-kva.example"},
	    {"B\xc3\x9c"
	     "CHER.EXAMPLE",
	     "xn--bcher-kva.example"},
	    {"bu\xcc\x88"
	     "cher.example",
	     "xn--bcher-kva.example"}, /* u and a diaeresis: NFC */
	    {"b\xc3\xbc"
	     "cher\xe3\x80\x82"
	     "example",
	     "xn--bcher-kva.example"}, /* ideographic full stop */
	    {"b\xc3\xbc"
	     "cher.example\xe3\x80\x82",
	     "xn--bcher-kva.example"},
	    {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
	    {"stra\xc3\x9f"
	     "e.example",
	     "xn--strae-oqa.example"},                 /* not transitional: not strasse */
	    {"\xef\xbd\x85xample.org", "example.org"}, /* fullwidth e */
	    {"_dmarc.example.org", "_dmarc.example.org"},
	    {"b\xfc"
	     "cher.example",
	     NULL},
	    {"a\xe2\x80\xaf.example", NULL}, /* a blank, which is not a letter */
	    {"\xef\xbc\x8f.example", NULL},  /* becomes a slash */
	    {"", NULL},
	    {".", NULL},
	    {"..", NULL},
	    {"example..org", NULL},
	    {"example.org..", NULL},
	    {"ex ample.org", NULL},
	    {"192.0.2.1", NULL},
	    {"2001:db8::1", NULL},
	    {"[192.0.2.1]", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool valid;
		struct slice form = domain_normalise(slice_of(cases[i].domain), *state, &valid);

		assert_int_equal(valid, cases[i].form != NULL);
		if (valid)
			assert_slice(form, cases[i].form);
	}
}

static void what_is_not_a_host_name_comes_back_in_lower_case(void **state)
{
	bool valid;

	assert_slice(domain_normalise(SLICE("Not A Host"), *state, &valid), "not a host");
	assert_false(valid);
	assert_slice(domain_normalise(SLICE("B\xfc"
					    "CHER"),
				      *state, &valid),
		     "b\xfc"
		     "cher");
	assert_false(valid);
}

static void labels_and_domains_have_their_longest(void **state)
{
	struct slice label = many(*state, 'a', 63), longer = many(*state, 'a', 64), domain;
	bool valid;

	domain_normalise(label, *state, &valid);
	assert_true(valid);
	domain_normalise(longer, *state, &valid);
	assert_false(valid);

	domain = arena_printf(*state, "%.*s.%.*s.%.*s.%.*s.", SLICE_ARGS(label), SLICE_ARGS(label), SLICE_ARGS(label),
			      SLICE_ARGS(slice_head(label, 61)));
	assert_int_equal(domain_normalise(domain, *state, &valid).n, MAIL_DOMAIN_MAX);
	assert_true(valid);
	domain = arena_printf(*state, "%.*s.%.*s.%.*s.%.*s.", SLICE_ARGS(label), SLICE_ARGS(label), SLICE_ARGS(label),
			      SLICE_ARGS(slice_head(label, 62)));
	domain_normalise(domain, *state, &valid);
	assert_false(valid);

	/* Beyond four bytes for each letter nothing is given to the library. */
	domain_normalise(arena_printf(*state, "\xc3\xbc%.*s", SLICE_ARGS(many(*state, '.', 1024 * 1024))), *state,
			 &valid);
	assert_false(valid);
}

static void below_means_a_whole_label_below(void **state)
{
	(void)state;
	assert_true(domain_is_below(SLICE("a.example.org"), SLICE("example.org")));
	assert_true(domain_is_below(SLICE("b.a.example.org"), SLICE("example.org")));
	assert_false(domain_is_below(SLICE("example.org"), SLICE("example.org")));
	assert_false(domain_is_below(SLICE("notexample.org"), SLICE("example.org")));
	assert_false(domain_is_below(SLICE(".example.org"), SLICE("example.org")));
	assert_false(domain_is_below(SLICE("org"), SLICE("example.org")));
	assert_false(domain_is_below(SLICE("a.example.org"), SLICE("")));
	assert_false(domain_is_below((struct slice){NULL, 0}, (struct slice){NULL, 0}));
}

static void a_mailbox_is_the_same_however_it_is_written(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
	    {"<alice@example.org>", "ALICE@Example.ORG.", true},
	    {"<\"alice\"@example.org>", "alice@example.org", true},
	    {"<\"a\\l\\ice\"@example.org>", "alice@example.org", true},
	    {"<\"a b\"@example.org>", "<\"A\\ b\"@example.org>", true},
	    {"<\"a\\\"\"@example.org>", "<\"a\"@example.org>", false},
	    {"<\"a\\\\\"@example.org>", "<\"a\"@example.org>", false},
	    {"<a@b\xc3\xbc"
	     "cher.example>",
	     "<a@xn--bcher-kva.example>", true},
	    {"<a@[IPv6:2001:db8:0::1]>", "<a@[ipv6:2001:DB8::1]>", true},
	    {"<@r.example:alice@example.org>", "<alice@example.org>", true},
	    {"<>", "", true},
	    {"postmaster", "<Postmaster>", true},
	    {"<alice@example.org>", "<alice@example.net>", false},
	    {"<alice@example.org>", "<alic@example.org>", false},
	    {"<alice@example.org>", "<alice>", false},
	    {"<alice@example.org>", "<>", false},
	    {"<\"\">", "<>", false},
	    {"<a b@example.org>", "<a b@example.org>", false}, /* no address equals nothing */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address a = address_parse_path(slice_of(cases[i].a), *state);
		struct address b = address_parse_path(slice_of(cases[i].b), *state);

		assert_int_equal(address_equal(&a, &b), cases[i].equal);
		assert_int_equal(address_equal(&b, &a), cases[i].equal);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void the_notation_says_whether_everybody_reads_it_alike(void **state)
{
	static const struct {
		struct slice argument;
		enum address_notation notation;
	} cases[] = {
	    {SLICE("<a@example.org>"), ADDRESS_PLAIN},
	    {SLICE("a@example.org"), ADDRESS_PLAIN},
	    {SLICE("<>"), ADDRESS_PLAIN},
	    {SLICE("<A@EXAMPLE.ORG.>"), ADDRESS_PLAIN},
	    {SLICE("<@relay.example,@b.example:a@example.org>"), ADDRESS_PLAIN},
	    {SLICE("<\"odd one\"@example.org>"), ADDRESS_PLAIN},
	    {SLICE("<a+b=c@example.org>"), ADDRESS_PLAIN},
	    {SLICE("<a@x_y.example.org>"), ADDRESS_PLAIN},
	    {SLICE("<a@[192.0.2.1]>"), ADDRESS_PLAIN},
	    {SLICE("<a@[IPv6:2001:db8::1]>"), ADDRESS_PLAIN},
	    {SLICE("<a@b\xc3\xbc.example>"), ADDRESS_PLAIN},
	    {SLICE("<a>"), ADDRESS_BARE},
	    {SLICE("root"), ADDRESS_BARE},
	    {SLICE("<\"a\">"), ADDRESS_BARE},
	    {SLICE("<a%b.example@example.org>"), ADDRESS_ROUTED},
	    {SLICE("<b.example!a@example.org>"), ADDRESS_ROUTED},
	    {SLICE("<\"a@b.example\"@example.org>"), ADDRESS_ROUTED},
	    {SLICE("<example.org!a>"), ADDRESS_UNCLEAR},
	    {SLICE("<a%example.org>"), ADDRESS_UNCLEAR},
	    {SLICE("<\"a@example.org\">"), ADDRESS_UNCLEAR},
	    {SLICE("<a@ example.org>"), ADDRESS_UNCLEAR},
	    {SLICE("<a @example.org>"), ADDRESS_UNCLEAR},
	    {SLICE("<a@example.org(x)>"), ADDRESS_UNCLEAR},
	    {SLICE("<(x)a@example.org>"), ADDRESS_UNCLEAR},
	    {SLICE("A<a@example.org>"), ADDRESS_UNCLEAR},
	    {SLICE("<a@example.org>X"), ADDRESS_UNCLEAR},
	    {SLICE("<<a@example.org>>"), ADDRESS_UNCLEAR},
	    {SLICE("<a@\"example.org\">"), ADDRESS_UNCLEAR},
	    {SLICE("<\\a@example.org>"), ADDRESS_UNCLEAR},
	    {SLICE("<a@b@example.org>"), ADDRESS_UNCLEAR},
	    {SLICE("<a@>"), ADDRESS_UNCLEAR},
	    {SLICE("<@example.org>"), ADDRESS_UNCLEAR},
	    {SLICE("<a@example.org,b@example.net>"), ADDRESS_UNCLEAR},
	    {SLICE("<a@exam\0ple.org>"), ADDRESS_UNCLEAR},
	};
	static char path[MAIL_PATH_MAX + 20];
	struct arena *arena = arena_new();
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		address = address_parse_path(cases[i].argument, arena);
		if (address_notation(&address) != cases[i].notation)
			fail_msg("%.*s is %d", SLICE_ARGS(cases[i].argument), address_notation(&address));
	}
	memset(path, 'a', sizeof(path));
	memcpy(path + sizeof(path) - 12, "@example.org", 12);
	address = address_parse_path((struct slice){path, sizeof(path)}, arena);
	assert_int_equal(address_notation(&address), ADDRESS_UNCLEAR); /* it was cut */
	arena_free(arena);
}

/* Else a limit of a sender, or a block, is evaded by quotes. */
static void a_mailbox_is_one_key_however_it_is_written(void **state)
{
	static const struct {
		const char *path, *key;
	} cases[] = {
	    {"<alice@example.org>", "alice@example.org"},
	    {"<Alice@Example.ORG.>", "alice@example.org"},
	    {"<\"alice\"@example.org>", "alice@example.org"},
	    {"<\"al\\ice\"@example.org>", "alice@example.org"},
	    {"<\"a@b\"@example.org>", "a@b@example.org"},
	    {"<\"a\\\"b\"@example.org>", "a\"b@example.org"},
	    {"<Alice>", "alice"},
	    {"<a b@Example.org>", "a b@example.org"},
	    {"<>", ""},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address address = address_parse_path(slice_of(cases[i].path), arena);

		if (!slice_equal(address_fold(&address, arena), slice_of(cases[i].key)))
			fail_msg("%s is %.*s", cases[i].path, SLICE_ARGS(address_fold(&address, arena)));
	}
	arena_free(arena);
}

static void quotes_that_a_mail_server_removed_are_there_again(void **state)
{
	static const struct {
		const char *address, *path;
	} cases[] = {
	    {"", "<>"},
	    {"alice@example.org", "<alice@example.org>"},
	    {"odd one@example.org", "<\"odd one\"@example.org>"},
	    {"a\"b\\c@example.org", "<\"a\\\"b\\\\c\"@example.org>"},
	    {"a@b@example.org", "<\"a@b\"@example.org>"},
	    {".a@example.org", "<\".a\"@example.org>"},
	    {"a..b@example.org", "<\"a..b\"@example.org>"},
	    {"\"is quoted\"@example.org", "<\"is quoted\"@example.org>"},
	    {"m\xc3\xbcller@example.org", "<m\xc3\xbcller@example.org>"},
	    {"postmaster", "<postmaster>"},
	    {"a>b@example.org", "<\"a>b\"@example.org>"},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(arena_cstring(arena, address_path(slice_of(cases[i].address), arena)),
				    cases[i].path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (cases[i].address[0] != '"')
			assert_string_equal(arena_cstring(arena, address_bare(slice_of(cases[i].path), arena)),
					    cases[i].address);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_path_is_read_as_mtas_mean_it),
	    TEST(what_is_not_an_address_is_kept_and_not_valid),
	    TEST(a_nul_byte_makes_no_address),
	    TEST(a_long_local_part_is_read_up_to_the_bound_of_a_path),
	    TEST(a_domain_has_one_form),
	    TEST(what_is_not_a_host_name_comes_back_in_lower_case),
	    TEST(labels_and_domains_have_their_longest),
	    TEST(below_means_a_whole_label_below),
	    TEST(a_mailbox_is_the_same_however_it_is_written),
	    cmocka_unit_test(a_mailbox_is_one_key_however_it_is_written),
	    cmocka_unit_test(quotes_that_a_mail_server_removed_are_there_again),
	    cmocka_unit_test(the_notation_says_whether_everybody_reads_it_alike),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
