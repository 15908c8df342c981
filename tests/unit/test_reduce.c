/*
 * test_reduce.c - what stays the same in a sender that changes from message to message; the keyed hash of an address;
 * a name before an address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mail.h"

static const struct {
	const char *path, *mailbox, *stable;
} senders[] = {
    {"alice@example.org", "alice@example.org", "alice@example.org"},
    {"Alice.B@Example.ORG", "alice.b@example.org", "alice.b@example.org"},
    {"\"alice\"@example.org", "alice@example.org", "alice@example.org"},
    {"", "", ""},
    {"alice", "alice", "alice"},
    {"not an address@", "not an address@", "not an address@"},
    /* extensions */
    {"alice+shop@example.org", "alice@example.org", "alice@example.org"},
    {"alice+a+b@example.org", "alice@example.org", "alice@example.org"},
    {"+alice@example.org", "+alice@example.org", "+alice@example.org"},
    /* BATV */
    {"prvs=1791570377=al@example.org", "al@example.org", "al@example.org"},
    {"PRVS=179157037A=al@example.org", "al@example.org", "al@example.org"},
    {"prvs=al=1791570377@example.org", "al@example.org", "al@example.org"},
    {"prvs=al/1791570377@example.org", "al@example.org", "al@example.org"},
    {"prvs=1791570377=al+tag@example.org", "al@example.org", "al@example.org"},
    {"prvs=179157037=al@example.org", "prvs=179157037=al@example.org", "prvs=#=al@example.org"},
    {"prvs=179x570377=al@example.org", "prvs=179x570377=al@example.org", "prvs=179x570377=al@example.org"},
    {"prvs=1791570377=@example.org", "prvs=1791570377=@example.org", "prvs=#=@example.org"},
    {"prvs=@example.org", "prvs=@example.org", "prvs=@example.org"},
    /* SRS: anybody can write one, so it is not the mailbox of the original sender */
    {"SRS0=Frq+=JQ=example.org=alice@f.example", "srs0=frq@f.example", "alice@example.org"},
    {"SRS0=zzzz=JR=example.org=alice@f.example", "srs0=zzzz=jr=example.org=alice@f.example", "alice@example.org"},
    {"SRS0-abcd=JR=Example.ORG=Alice@f.example", "srs0-abcd=jr=example.org=alice@f.example", "alice@example.org"},
    {"SRS0=2229=JQ=example.org=a=b@f.example", "srs0=2229=jq=example.org=a=b@f.example", "a=b@example.org"},
    {"SRS0=2229=JQ=example.org=list-123@f.example", "srs0=2229=jq=example.org=list-123@f.example",
     "list-#@example.org"},
    {"SRS1=Y97b=other.test==abcd=XX=example.org=alice@g.example",
     "srs1=y97b=other.test==abcd=xx=example.org=alice@g.example", "alice@example.org"},
    {"SRS0=abcd=XXX=example.org=alice@f.example", "srs0=abcd=xxx=example.org=alice@f.example",
     "srs0=abcd=xxx=example.org=alice@f.example"},
    {"SRS0=abcd=XX=example.org@f.example", "srs0=abcd=xx=example.org@f.example", "srs0=abcd=xx=example.org@f.example"},
    {"SRS0@f.example", "srs0@f.example", "srs0@f.example"},
    {"SRS1=abc@f.example", "srs1=abc@f.example", "srs1=abc@f.example"},
    {"SRS1=abcd=other.test=@f.example", "srs1=abcd=other.test=@f.example", "srs1=abcd=other.test=@f.example"},
    /* VERP */
    {"bounce-12345-678@lists.example", "bounce-12345-678@lists.example", "bounce-#-#@lists.example"},
    {"list-return-9-bob=example.org@lists.example", "list-return-9-bob=example.org@lists.example",
     "list-return-#-bob=example.org@lists.example"},
    {"12345@example.org", "12345@example.org", "#@example.org"},
    {"agent007@example.org", "agent007@example.org", "agent007@example.org"},
    {"b2b.7.a@example.org", "b2b.7.a@example.org", "b2b.#.a@example.org"},
};

static void changing_parts_of_a_sender_are_left_out_and_nothing_else(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		struct address address = address_parse_path(slice_of(senders[i].path), arena);
		struct slice mailbox = address_mailbox(&address, arena), stable = address_stable(&address, arena);

		if (!slice_equal(mailbox, slice_of(senders[i].mailbox)) ||
		    !slice_equal(stable, slice_of(senders[i].stable)))
			fail_msg("%s: %.*s, %.*s", senders[i].path, SLICE_ARGS(mailbox), SLICE_ARGS(stable));
	}
	arena_free(arena);
}

static void a_name_before_an_address_is_safe_whatever_it_says(void **state)
{
	static const struct {
		const char *name, *phrase;
	} cases[] = {
	    {"Bob via list", "\"Bob via list\""},
	    {"Bob \"the\" B\\, Inc. <x@y>", "\"Bob \\\"the\\\" B\\\\, Inc. <x@y>\""},
	    {"a\r\nBcc: x@example.org", "\"a  Bcc: x@example.org\""},
	    {"J\xc3\xbcrgen, A.", "=?UTF-8?B?SsO8cmdlbiwgQS4=?="},
	    {"=?utf-8?q?x?= <boss@example.org>", "=?UTF-8?B?PT91dGYtOD9xP3g/PSA8Ym9zc0BleGFtcGxlLm9yZz4=?="},
	    {"\xff", "\"?\""},
	    {"", ""},
	    {" \t ", ""},
	    {"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789cut",
	     "\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	     "\""},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice phrase = header_phrase(slice_of(cases[i].name), 4, arena);

		if (!slice_equal(phrase, slice_of(cases[i].phrase)))
			fail_msg("%s: %.*s", cases[i].name, SLICE_ARGS(phrase));
	}
	arena_free(arena);
}

static void the_keyed_hash_is_that_of_rfc_4231(void **state)
{
	static const struct {
		const char *key, *text, *start;
	} cases[] = {
	    {"Jefe", "what do ya want for nothing?", "\x5b\xdc\xc1\x46\xbf\x60\x75\x4e"}, /* 4.3 */
	    {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", "Hi There",
	     "\xb0\x34\x4c\x61\xd8\xdb\x38\x53"}, /* 4.2 */
	};
	unsigned char hash[HASH_KEYED_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		hash_keyed(slice_of(cases[i].key), slice_of(cases[i].text), hash);
		assert_memory_equal(hash, cases[i].start, 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changing_parts_of_a_sender_are_left_out_and_nothing_else),
	    cmocka_unit_test(a_name_before_an_address_is_safe_whatever_it_says),
	    cmocka_unit_test(the_keyed_hash_is_that_of_rfc_4231),
	};

	return cmocka_run_group_tests_name("reduce", tests, NULL, NULL);
}
