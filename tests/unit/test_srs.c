/*
 * test_srs.c - addresses of the Sender Rewriting Scheme, with values that postsrsd, Mail::SRS and python3-srs agree on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "srs.h"

#define DAY 86400
#define NOW 1795737600 /* 2026-11-27: the day JQ */

static const struct slice domains[] = {SLICE("srs.example.net"), SLICE("old.example.net")};
static const struct slice secrets[] = {SLICE("secretone"), SLICE("secrettwo")};

static const struct srs plain = {.domains = domains,
				 .domain_count = 2,
				 .secrets = secrets,
				 .secret_count = 1,
				 .days = 21,
				 .hash_length = 4,
				 .hash_least = 4,
				 .local_most = SRS_LOCAL_PART};

typedef enum srs_result rewriting(const struct srs *, const struct address *, int64_t, struct arena *, struct slice *);

static void expect(rewriting *change, const struct srs *srs, int64_t now_s, const char *text, enum srs_result result,
		   const char *wanted)
{
	struct arena *arena = arena_new();
	struct address address = address_parse_path(slice_of(text), arena);
	struct slice value = SLICE("");
	enum srs_result got = change(srs, &address, now_s, arena, &value);

	if (got != result || !slice_equal(value, slice_of(wanted ? wanted : "")))
		fail_msg("%s: %d %.*s, not %s", text, got, SLICE_ARGS(value), wanted ? wanted : srs_results[result]);
	arena_free(arena);
}

static void senders_are_written_as_others_write_them(void **state)
{
	static const char *const cases[][2] = {
	    {"alice@example.org", "SRS0=Frq+=JQ=example.org=alice@srs.example.net"},
	    {"Alice.B@Example.ORG", "SRS0=tNHE=JQ=Example.ORG=Alice.B@srs.example.net"},
	    {"a=b@example.org", "SRS0=2229=JQ=example.org=a=b@srs.example.net"},
	    {"SRS0=abcd=XX=example.org=alice@other.test",
	     "SRS1=Y97b=other.test==abcd=XX=example.org=alice@srs.example.net"},
	    {"srs0+abcd=XX=example.org=alice@other.test",
	     "SRS1=0+wL=other.test=+abcd=XX=example.org=alice@srs.example.net"},
	    {"SRS1=abcd=other.test==hhhh=XX=example.org=alice@third.test",
	     "SRS1=GDyt=other.test==hhhh=XX=example.org=alice@srs.example.net"},
	};
	struct srs eight = plain;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(srs_forward, &plain, NOW, cases[i][0], SRS_REWRITTEN, cases[i][1]);
	eight.hash_length = 8;
	expect(srs_forward, &eight, NOW, "alice@example.org", SRS_REWRITTEN,
	       "SRS0=Frq+Mj0J=JQ=example.org=alice@srs.example.net");
}

static void what_is_quoted_stays_one_local_part(void **state)
{
	static const char *const cases[][2] = {
	    {"\"a@b\"@example.org", "\"SRS0=aoxn=JQ=example.org=a@b\"@srs.example.net"},
	    {"\"alice\"@example.org", "SRS0=Frq+=JQ=example.org=alice@srs.example.net"},
	};
	static const char *const back[] = {"\"a@b\"@example.org", "alice@example.org"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		expect(srs_forward, &plain, NOW, cases[i][0], SRS_REWRITTEN, cases[i][1]);
		expect(srs_reverse, &plain, NOW, cases[i][1], SRS_REWRITTEN, back[i]);
	}
}

static void there_and_back(const struct srs *srs, const char *text)
{
	struct arena *arena = arena_new();
	struct address address = address_parse_path(slice_of(text), arena), made;
	struct slice there, back;

	assert_int_equal(srs_forward(srs, &address, NOW, arena, &there), SRS_REWRITTEN);
	made = address_parse_path(there, arena);
	assert_true(made.valid);
	assert_int_equal(srs_reverse(srs, &made, NOW, arena, &back), SRS_REWRITTEN);
	if (!slice_equal(back, slice_of(text)))
		fail_msg("%s came back as %.*s", text, SLICE_ARGS(back));
	arena_free(arena);
}

static void every_sender_comes_back(void **state)
{
	static const char *const senders[] = {
	    "alice@example.org",
	    "\"x y\"@example.org",
	    "\"a\\\"b\\\\\"@example.org",
	    "a..b@example.org",
	    "\"a..b\"@example.org",
	    "prvs=1791570377=al@example.org",
	    "\xc3\xa9va@example.org",
	    "SRS0@example.org",
	    "SRS1=abc@example.org",
	    "SRS0=abcd=1!=example.org=alice@other.test",
	    "a@[192.0.2.1]",
	    "SRS1=abcd=o!r==abcd=XX=b.org=al@c.org",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++)
		there_and_back(&plain, senders[i]);
	expect(srs_forward, &plain, NOW,
	       "a@b\xc3\xbc"
	       "cher.example",
	       SRS_REWRITTEN, "SRS0=Bqk6=JQ=xn--bcher-kva.example=a@srs.example.net");
}

static void what_needs_no_rewriting_or_has_no_room_stays(void **state)
{
	struct srs longer = plain;

	static const char fits[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddd@example.org";

	(void)state;
	expect(srs_forward, &plain, NOW, "<>", SRS_OWN, NULL);
	expect(srs_forward, &plain, NOW, "me@SRS.example.net", SRS_OWN, NULL);
	expect(srs_forward, &plain, NOW, "SRS0=Frq+=JQ=example.org=alice@old.example.net", SRS_OWN, NULL);
	expect(srs_forward, &plain, NOW, "alice", SRS_UNFIT, NULL);
	expect(srs_forward, &plain, NOW, "a@b@example.org", SRS_UNFIT, NULL);
	expect(srs_forward, &plain, NOW, "\"\"@example.org", SRS_UNFIT, NULL);
	there_and_back(&plain, fits);
	expect(srs_forward, &plain, NOW, "xaaaaaaaaaabbbbbbbbbbccccccccccddddddddd@example.org", SRS_TOO_LONG, NULL);
	longer.local_most = 65;
	there_and_back(&longer, "xaaaaaaaaaabbbbbbbbbbccccccccccddddddddd@example.org");
}

static void bounces_find_the_sender(void **state)
{
	static const struct {
		const char *text;
		enum srs_result result;
		const char *original;
	} cases[] = {
	    {"SRS0=Frq+=JQ=example.org=alice@srs.example.net", SRS_REWRITTEN, "alice@example.org"},
	    {"SRS0=Frq+=JQ=example.org=alice@old.example.net", SRS_REWRITTEN, "alice@example.org"},
	    {"SRS0+Frq+=JQ=example.org=alice@srs.example.net", SRS_REWRITTEN, "alice@example.org"},
	    {"SRS0=Frq-=JQ=example.org=alice@srs.example.net", SRS_REWRITTEN, "alice@example.org"},
	    {"SRS0=Frq+Mj0J=JQ=example.org=alice@srs.example.net", SRS_REWRITTEN, "alice@example.org"},
	    {"srs0=frq+=jq=example.org=alice@srs.example.net", SRS_REWRITTEN, "alice@example.org"},
	    {"SRS0=FRQ+=JQ=EXAMPLE.ORG=ALICE@SRS.EXAMPLE.NET", SRS_REWRITTEN, "ALICE@EXAMPLE.ORG"},
	    {"SRS1=Y97b=other.test==abcd=XX=example.org=alice@srs.example.net", SRS_REWRITTEN,
	     "SRS0=abcd=XX=example.org=alice@other.test"},
	    {"SRS1=0+wL=other.test=+abcd=XX=example.org=alice@srs.example.net", SRS_REWRITTEN,
	     "SRS0+abcd=XX=example.org=alice@other.test"},
	    {"SRS0=fRq+=JQ=example.org=alice@srs.example.net", SRS_FORGED, NULL},
	    {"SRS0=Frq+Mj0K=JQ=example.org=alice@srs.example.net", SRS_FORGED, NULL},
	    {"SRS0=Frq+=JQ=example.org=mallory@srs.example.net", SRS_FORGED, NULL},
	    {"SRS1=Y97b=evil.test==abcd=XX=example.org=alice@srs.example.net", SRS_FORGED, NULL},
	    {"SRS0=Fr=JQ=example.org=alice@srs.example.net", SRS_BROKEN, NULL},
	    {"SRS0==JQ=example.org=alice@srs.example.net", SRS_BROKEN, NULL},
	    {"SRS0=Frq+=J=example.org=alice@srs.example.net", SRS_BROKEN, NULL},
	    {"SRS0=Frq+=J1=example.org=alice@srs.example.net", SRS_BROKEN, NULL},
	    {"SRS0=Frq+=JQ=example.org@srs.example.net", SRS_BROKEN, NULL},
	    {"SRS1=abc@srs.example.net", SRS_BROKEN, NULL},
	    {"SRS1=Y97b=other.test=abcd@srs.example.net", SRS_BROKEN, NULL},
	    {"SRS0@srs.example.net", SRS_OTHER, NULL},
	    {"alice@srs.example.net", SRS_OTHER, NULL},
	    {"SRS0=Frq+=JQ=example.org=alice@example.net", SRS_OTHER, NULL},
	    {"<>", SRS_OTHER, NULL},
	    {"a b", SRS_UNFIT, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(srs_reverse, &plain, NOW, cases[i].text, cases[i].result, cases[i].original);
}

static void an_address_expires_after_its_days_and_comes_not_from_the_future(void **state)
{
	static const char address[] = "SRS0=Frq+=JQ=example.org=alice@srs.example.net";

	(void)state;
	expect(srs_reverse, &plain, NOW - 1, address, SRS_EXPIRED, NULL);
	expect(srs_reverse, &plain, NOW + 21 * DAY, address, SRS_REWRITTEN, "alice@example.org");
	expect(srs_reverse, &plain, NOW + 22 * DAY, address, SRS_EXPIRED, NULL);
	expect(srs_reverse, &plain, NOW + 1024 * (int64_t)DAY, address, SRS_REWRITTEN, "alice@example.org");
}

static void the_first_secret_signs_and_all_verify(void **state)
{
	struct srs both = plain, next = plain;

	(void)state;
	both.secret_count = 2;
	next.secrets = &secrets[1];
	expect(srs_forward, &both, NOW, "alice@example.org", SRS_REWRITTEN,
	       "SRS0=Frq+=JQ=example.org=alice@srs.example.net");
	expect(srs_reverse, &next, NOW, "SRS0=Frq+=JQ=example.org=alice@srs.example.net", SRS_FORGED, NULL);
	next.secrets = (const struct slice[]){secrets[1], secrets[0]};
	next.secret_count = 2;
	expect(srs_reverse, &next, NOW, "SRS0=Frq+=JQ=example.org=alice@srs.example.net", SRS_REWRITTEN,
	       "alice@example.org");
}

static void a_hash_shorter_than_the_minimum_is_refused(void **state)
{
	struct srs strict = plain;

	(void)state;
	strict.hash_length = strict.hash_least = 8;
	expect(srs_reverse, &strict, NOW, "SRS0=Frq+=JQ=example.org=alice@srs.example.net", SRS_FORGED, NULL);
	expect(srs_reverse, &strict, NOW, "SRS0=Frq+Mj0J=JQ=example.org=alice@srs.example.net", SRS_REWRITTEN,
	       "alice@example.org");
}

/* RFC 2202 3, cases 2 and 6: a short key, and one longer than a block. */
static void hmac_sha1_is_that_of_the_rfc(void **state)
{
	static const unsigned char first[] = {0xef, 0xfc, 0xdf, 0x6a, 0xe5, 0xeb, 0x2f, 0xa2, 0xd2, 0x74,
					      0x16, 0xd5, 0xf1, 0x84, 0xdf, 0x9c, 0x25, 0x9a, 0x7c, 0x79};
	static const unsigned char second[] = {0xaa, 0x4a, 0xe5, 0xe1, 0x52, 0x72, 0xd0, 0x0e, 0x95, 0x70,
					       0x56, 0x37, 0xce, 0x8a, 0x3b, 0x55, 0xed, 0x40, 0x21, 0x12};
	unsigned char hash[HASH_SHA1_SIZE];
	char key[80];

	(void)state;
	hash_keyed_sha1(SLICE("Jefe"), SLICE("what do ya want for nothing?"), hash);
	assert_memory_equal(hash, first, sizeof(hash));
	memset(key, 0xaa, sizeof(key));
	hash_keyed_sha1((struct slice){key, sizeof(key)},
			SLICE("Test Using Larger Than Block-Size Key - Hash Key First"), hash);
	assert_memory_equal(hash, second, sizeof(hash));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(senders_are_written_as_others_write_them),
	    cmocka_unit_test(what_is_quoted_stays_one_local_part),
	    cmocka_unit_test(every_sender_comes_back),
	    cmocka_unit_test(what_needs_no_rewriting_or_has_no_room_stays),
	    cmocka_unit_test(bounces_find_the_sender),
	    cmocka_unit_test(an_address_expires_after_its_days_and_comes_not_from_the_future),
	    cmocka_unit_test(the_first_secret_signs_and_all_verify),
	    cmocka_unit_test(a_hash_shorter_than_the_minimum_is_refused),
	    cmocka_unit_test(hmac_sha1_is_that_of_the_rfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
