/*
 * test_received.c - Received fields as servers write them, and as an attacker wants them
 * to be read.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mail.h"
#include <stdlib.h>
#include <string.h>

#include "assert_slice.h"

static const struct {
	const char *value, *ip, *helo, *by, *by_ip;
} written[] = {
    /* Postfix */
    {" from mail.example.net (host.example.net [192.0.2.1])\n\tby mx2.example.org (Postfix) with ESMTP id 4C1",
     "192.0.2.1", "mail.example.net", "mx2.example.org", ""},
    {" from mail.example.net (unknown [IPv6:2001:db8::1])\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
     "(256/256 "
     "bits)\n\t key-exchange X25519)\n\t(No client certificate requested)\n\tby mx2.example.org (Postfix) with ESMTPS",
     "2001:db8::1", "mail.example.net", "mx2.example.org", ""},
    {"from [192.0.2.7] (host.example.net [192.0.2.1]) by mx2.example.org (Postfix) with ESMTPSA", "192.0.2.1",
     "[192.0.2.7]", "mx2.example.org", ""},
    /* Sendmail */
    {" from mail.example.net (host.example.net [192.0.2.1] (may be forged))\r\n\tby mx2.example.org (8.17.1/8.17.1) "
     "with "
     "ESMTP id 5A; Sat, 21 Nov 2026 18:00:00 GMT",
     "192.0.2.1", "mail.example.net", "mx2.example.org", ""},
    {" from mail.example.net ([192.0.2.1])\n\tby mx2.example.org (8.17.1/8.17.1/Debian-2) with ESMTP id 5A",
     "192.0.2.1", "mail.example.net", "mx2.example.org", ""},
    {" from mail.example.net (IDENT:alice@host.example.net [192.0.2.1])\n\tby mx2.example.org (8.17.1/8.17.1)",
     "192.0.2.1", "mail.example.net", "mx2.example.org", ""},
    {" from mail.example.net ([IPv6:2001:db8:0:0:0:0:0:1])\n\tby mx2.example.org (8.17.1/8.17.1)", "2001:db8::1",
     "mail.example.net", "mx2.example.org", ""},
    /* Exchange */
    {" from A.example.net (192.0.2.1) by EX.example.org (10.0.0.5) with Microsoft SMTP Server (version=TLS1_2,\n "
     "cipher=TLS_ECDHE) id 15.1.1; Sat",
     "192.0.2.1", "A.example.net", "EX.example.org", "10.0.0.5"},
    {" from A.example.net (2001:db8::1) by EX.example.org (2001:db8:5::5) with Microsoft SMTP Server id 15",
     "2001:db8::1", "A.example.net", "EX.example.org", "2001:db8:5::5"},
    /* Exim */
    {" from host.example.net ([192.0.2.1]:4711 helo=mail.example.net)\n\tby mx2.example.org with esmtps (Exim 4.96)",
     "192.0.2.1", "mail.example.net", "mx2.example.org", ""},
    {" from host.example.net ([192.0.2.1])\n\tby mx2.example.org with esmtp (Exim 4.96)\n\t(envelope-from "
     "<\"x) (a [198.51.100.1]) by mx2.example.org (\"@evil.example>) id 1",
     "192.0.2.1", "host.example.net", "mx2.example.org", ""},
    {" from host.example.net ([2001:db8::1] helo=mail.example.net ident=alice)\n\tby mx2.example.org with esmtp",
     "2001:db8::1", "mail.example.net", "mx2.example.org", ""},
    {" from [192.0.2.1] (helo=mail.example.net)\n\tby mx2.example.org with esmtps (Exim 4.96)", "192.0.2.1",
     "mail.example.net", "mx2.example.org", ""},
    {" from [192.0.2.1]:4711 (port=4711 helo=mail.example.net)\n\tby mx2.example.org with esmtp", "192.0.2.1",
     "mail.example.net", "mx2.example.org", ""},
    {" from [IPv6:2001:db8::1] (port=4711 helo=[198.51.100.1])\n\tby mx2.example.org with esmtp", "2001:db8::1",
     "[198.51.100.1]", "mx2.example.org", ""},
    {" from [2001:db8::1] (ident=alice)\n\tby mx2.example.org with esmtp", "2001:db8::1", "[2001:db8::1]",
     "mx2.example.org", ""},
    {" from [192.0.2.1]\n\tby mx2.example.org with esmtp", "192.0.2.1", "[192.0.2.1]", "mx2.example.org", ""},
    {"from [192.0.2.1] (helo=x@[198.51.100.1])\n\tby mx2.example.org with smtp (Exim 4.96)", "192.0.2.1",
     "x@[198.51.100.1]", "mx2.example.org", ""},
    /* qmail */
    {"from host.example.net (HELO mail.example.net) (192.0.2.1) by mx2.example.org with SMTP", "192.0.2.1",
     "mail.example.net", "mx2.example.org", ""},
    {"from unknown (HELO [198.51.100.1]) (192.0.2.1) by mx2.example.org with SMTP", "192.0.2.1", "[198.51.100.1]",
     "mx2.example.org", ""},
    /* Sendmail, of a client without HELO */
    {" (from host.example.net [192.0.2.1])\n\tby mx2.example.org (8.17.1/8.17.1) with SMTP id 5A", "192.0.2.1", "",
     "mx2.example.org", ""},
    /* amavis */
    {" from mx2.example.org ([127.0.0.1])\n\tby localhost (mx2.example.org [127.0.0.1]) (amavisd-new, port "
     "10024)\n\twith "
     "ESMTP id xx",
     "127.0.0.1", "mx2.example.org", "localhost", "127.0.0.1"},
    {" from localhost (localhost [127.0.0.1])\n\tby [127.0.0.1] (filter) with ESMTP", "127.0.0.1", "localhost",
     "[127.0.0.1]", "127.0.0.1"},
    /* What a client may say of itself appears and changes nothing. */
    {" from [198.51.100.1] (by.mx2.example.org [192.0.2.1]) by mx2.example.org", "192.0.2.1", "[198.51.100.1]",
     "mx2.example.org", ""},
    {" from mail.example.net ([192.0.2.1] helo=[198.51.100.1])\n\tby mx2.example.org (Exim)", "192.0.2.1",
     "[198.51.100.1]", "mx2.example.org", ""},
    {" from mail.example.net (unknown [192.0.2.1])\n\t(Client CN \"x [198.51.100.1]\", Issuer \"(y [198.51.100.1])\" "
     "(not "
     "verified))\n\t(Authenticated sender: [198.51.100.1])\n\tby mx2.example.org (Postfix) with ESMTPSA id 1\n\tfor "
     "<\"(x [198.51.100.1]) by mx2.example.org\"@example.org>",
     "192.0.2.1", "mail.example.net", "mx2.example.org", ""},
};

/* Each as the HELO of a client in the fields of three servers. */
static const char *const helos[] = {
    "a+b",
    "a/b",
    "x$y",
    "a:b",
    "pc!x",
    "a_b",
    "#1",
    "a,b",
    "a;b",
    "from",
    "by",
    "from by",
    "my pc",
    "a(b",
    "a)b",
    "(a)",
    "a (b",
    "a\"b",
    "\"a b\"",
    "a\\",
    "[198.51.100.1]",
    "[",
    "]",
    "a[198.51.100.1",
    "(x [198.51.100.1])",
    "a(x[198.51.100.1])",
    "a (x [198.51.100.1])",
    "(198.51.100.1)",
    "(helo=x [198.51.100.1]",
    "<a@b>",
    "=?utf-8?q?a?=",
    "m\xc3\xa4il.example",
    "\xff",
    "helo=[198.51.100.1]",
    "\"(x [198.51.100.1]) by mx2.example.org\"",
    "*",
    "-",
};

static const char *const around[][2] = {
    {" from ", " (unknown [192.0.2.1])\n\tby mx2.example.org (Postfix) with ESMTP id 1\n\tfor <b@example.org>; Sat"},
    {" from ", " ([192.0.2.1] (may be forged))\n\tby mx2.example.org (8.17.1/8.17.1) with ESMTP id 1; Sat"},
    {" from ", " (192.0.2.1) by mx2.example.org (10.0.0.1) with Microsoft SMTP Server id 1; Sat"},
};

static void what_a_client_says_in_helo_decides_nothing(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(helos) / sizeof(helos[0]); i++)
		for (size_t k = 0; k < sizeof(around) / sizeof(around[0]); k++) {
			struct slice value = arena_printf(arena, "%s%s%s", around[k][0], helos[i], around[k][1]);
			struct received received;
			char buffer[IP_TEXT];

			if (!received_parse(value, arena, &received))
				fail_msg("not read: %.*s", SLICE_ARGS(value));
			if (!slice_equal(ip_print(received.ip, buffer), SLICE("192.0.2.1")))
				fail_msg("read as %s: %.*s", buffer, SLICE_ARGS(value));
			assert_slice(received.by, "mx2.example.org");
		}
	arena_free(arena);
}

#define SMTP_LINE 998 /* RFC 5322 2.1.1: where Postfix cuts a line, whatever is there */

/* A server that hands a field on cuts its lines; HELO decides where the cut falls. */
static void a_cut_through_the_address_changes_nothing(void **state)
{
	struct arena *arena = arena_new();
	char helo[2048];

	(void)state;
	memset(helo, 'a', sizeof(helo));
	for (size_t n = 900; n < 2000; n++) {
		struct slice line =
		    arena_printf(arena, "Received: from %.*s (host.example.net [192.0.2.1])", (int)n, helo);
		struct slice rest = slice_from(line, SMTP_LINE), value;
		struct received received;
		char buffer[IP_TEXT];

		value = slice_head(line, SMTP_LINE);
		for (; rest.n > 0; rest = slice_from(rest, SMTP_LINE - 1))
			value = arena_join(arena, value, SLICE("\r\n "), slice_head(rest, SMTP_LINE - 1));
		value = arena_join(arena, slice_from(value, strlen("Received:")),
				   SLICE("\r\n\tby mx2.example.org (Postfix) with ESMTP id 1"));
		if (!received_parse(value, arena, &received))
			fail_msg("not read with a HELO of %zu bytes", n);
		assert_slice(ip_print(received.ip, buffer), "192.0.2.1");
		arena_reset(arena);
	}
	arena_free(arena);
}

static void fields_that_servers_write_are_read(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		struct received received;
		char buffer[IP_TEXT];

		if (!received_parse(slice_of(written[i].value), arena, &received))
			fail_msg("not read: %s", written[i].value);
		assert_slice(ip_print(received.ip, buffer), written[i].ip);
		assert_slice(received.helo, written[i].helo);
		assert_slice(received.by, written[i].by);
		assert_slice(ip_print(received.by_ip, buffer), written[i].by_ip);
	}
	arena_free(arena);
}

static const char *const odd[] = {
    "",
    " ",
    "from",
    "by mx2.example.org (Postfix, from userid 1000) id 4C1",
    "(qmail 12345 invoked from network); 21 Nov 2026",
    "from mail.example.net by mx2.example.org (Postfix)",
    "from mail.example.net (host.example.net) by mx2.example.org",
    "from mail.example.net (host.example.net [192.0.2.1]) with ESMTP",
    "from mail.example.net (host.example.net [192.0.2.1]) by",
    "from mail.example.net (host.example.net [192.0.2.1]) by ; x",
    "from mail.example.net (host.example.net [192.0.2.1]",
    "from mail.example.net (host.example.net [192.0.2.1 by mx2.example.org)",
    "from [192.0.2.1] (unknown) by mx2.example.org",
    "from [192.0.2.1]x by mx2.example.org",
    "from 192.0.2.1 by mx2.example.org",
    "(from root@localhost) by mx2.example.org (8.17.1/8.17.1/Submit) id 5A",
    "(qmail 12345 invoked by uid 0)",
    "from mail.example.net (host.example.net [192.0.2.999]) by mx2.example.org",
    "from mail.example.net (host.example.net []) by mx2.example.org",
    "from mail.example.net (two names [192.0.2.1]) by mx2.example.org",
    "from mail.example.net (x (y [198.51.100.1]) [192.0.2.1]) by mx2.example.org",
    "from mail.example.net ([fe80::1%eth0]) by mx2.example.org",
    "from mail.example.net (host [192.0.2.1]) by mx2.\x01.example.org",
    /* Which of the two is the server's cannot be told. */
    "from \"a (x [198.51.100.1]) by mx2.example.org \" (host [192.0.2.1]) by mx2.example.org",
};

static void fields_that_no_server_writes_are_not_read(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct received received;

		if (received_parse(slice_of(odd[i]), arena, &received))
			fail_msg("read: %s", odd[i]);
		assert_int_equal(received.ip.family, 0);
		assert_int_equal(received.by.n, 0);
	}
	arena_free(arena);
}

#define LONGEST 8192

static void a_field_beyond_the_bound_is_not_read(void **state)
{
	static const char begin[] = "from a.example (h [192.0.2.1]) by b.example ";
	struct arena *arena = arena_new();
	struct received received;
	char *text = malloc(LONGEST + 1);

	(void)state;
	memset(text, 'x', LONGEST + 1);
	memcpy(text, begin, sizeof(begin) - 1);
	assert_true(received_parse((struct slice){text, LONGEST}, arena, &received));
	assert_false(received_parse((struct slice){text, LONGEST + 1}, arena, &received));
	free(text);
	arena_free(arena);
}

static void the_recipient_in_a_field_is_read(void **state)
{
	static const struct {
		const char *value, *address; /* NULL: none */
	} cases[] = {
	    {"from a (b [192.0.2.1]) by c (Postfix) with ESMTP id 1\r\n\tfor <Bob@Example.org>; Fri, 27 Nov 2026",
	     "bob@example.org"},
	    {"from a by c with ESMTP id 1 for bob@example.org; Fri", "bob@example.org"},
	    {"from a by c id 1 FOR <bob@example.org> (envelope-from x@example.net)", "bob@example.org"},
	    {"from a by c (for <x@example.net>) id 1", NULL},
	    {"from a (for \\) <x@example.net>) by c id 1", NULL},
	    {"from a ((for) <x@example.net>) by c for <bob@example.org>", "bob@example.org"},
	    {"from a by c for <x@example.net> for <bob@example.org>", "bob@example.org"},
	    {"from a;b (c [192.0.2.1]) by c for <bob@example.org>; Fri, 27 Nov 2026", "bob@example.org"},
	    {"from for (<x@example.net> [192.0.2.1]) by c id 1", NULL},
	    {"from a by c for <bob@example.org> for <bob>", "bob@example.org"},
	    {"from a by c for example.org", NULL},
	    {"from a by c for", NULL},
	    {"from a by c for <bob>", NULL},
	    {"from a by c (for <x@example.net>", NULL},
	    {"", NULL},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address address = {.valid = false};
		bool found = received_for(slice_of(cases[i].value), arena, &address);

		if (found != (cases[i].address != NULL) ||
		    (found && !slice_equal(address_fold(&address, arena), slice_of(cases[i].address))))
			fail_msg("%s: %.*s", cases[i].value, SLICE_ARGS(address.text));
	}
	arena_free(arena);
}

static void a_semicolon_in_helo_hides_no_part_and_no_date(void **state)
{
	struct arena *arena = arena_new();
	struct hop hop;

	(void)state;
	hop_read(
	    SLICE(
		"from a;b (c [192.0.2.1]) by mx.c with ESMTPS for <bob@example.org>; Fri, 27 Nov 2026 10:00:00 +0000"),
	    arena, &hop);
	assert_true(slice_equal(hop.by, SLICE("mx.c")));
	assert_true(slice_equal(hop.recipient, SLICE("<bob@example.org>")));
	assert_true(slice_equal(hop.address.domain, SLICE("example.org")));
	assert_true(hop.encrypted);
	assert_true(hop.dated);
	assert_int_equal(hop.when_s, 1795773600);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_that_servers_write_are_read),
	    cmocka_unit_test(what_a_client_says_in_helo_decides_nothing),
	    cmocka_unit_test(a_cut_through_the_address_changes_nothing),
	    cmocka_unit_test(fields_that_no_server_writes_are_not_read),
	    cmocka_unit_test(a_field_beyond_the_bound_is_not_read),
	    cmocka_unit_test(the_recipient_in_a_field_is_read),
	    cmocka_unit_test(a_semicolon_in_helo_hides_no_part_and_no_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
