/*
 * test_arc.c - chains of ARC: what we seal passes, what is changed later fails, and no chain costs more than it has
 * sets. What others say of hundreds of chains is in tests/conformance.
 */
#include "arc.h"
#include "dkim_bench.h"

#define LETTER                                                                                                         \
	"Received: from a by b\n"                                                                                      \
	"From: Alice <alice@example.org>\n"                                                                            \
	"To: bob@example.net\n"                                                                                        \
	"Subject: hello\n"                                                                                             \
	"Date: Thu, 1 Jan 2026 00:00:00 +0000\n"                                                                       \
	"\n"                                                                                                           \
	"Hello.\n"

/* Verifications of the crypto library: what a chain costs. */
static unsigned verifications;
int __real_EVP_PKEY_verify(EVP_PKEY_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);
int __wrap_EVP_PKEY_verify(EVP_PKEY_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);
int __wrap_EVP_PKEY_verify(EVP_PKEY_CTX *context, const unsigned char *b, size_t n, const unsigned char *hash,
			   size_t size)
{
	verifications++;
	return __real_EVP_PKEY_verify(context, b, n, hash, size);
}

/* ---- the scene ------------------------------------------------------------------------------ */

struct seen {
	struct arc_outcome outcome;
	unsigned oldest_pass;
	struct authres_parsed results; /* of set 1 */
	bool has_results;
};

static struct seen verify_with(struct bench *bench, const struct arc_rules *rules, struct slice zone, struct slice text)
{
	struct error err = {""};
	struct resolver *resolver = resolver_open_zone(zone, "zone", &err);
	struct mail mail = mail_of(bench, text);
	struct dkim_body *body = dkim_body_new(bench->arena);
	struct arc_verifier *verifier = arc_verify_begin(rules, &mail.headers, body, bench->arena);
	struct dns_budget *budget;
	struct seen seen;

	assert_string_equal(err.text, "");
	budget = dns_budget_open(resolver, bench->arena, 100);
	dkim_body_add(body, mail.body);
	dkim_body_end(body);
	arc_verify_end(verifier, budget, &seen.outcome);
	seen.oldest_pass = arc_oldest_pass(verifier, budget);
	seen.has_results = arc_results(verifier, 1, &seen.results);
	dns_budget_close(budget);
	resolver_release(resolver);
	return seen;
}

static struct seen verify(struct bench *bench, struct slice text)
{
	const struct arc_rules rules = {
	    .now_s = BENCH_NOW + 10, .minimum_bits = DKIM_RSA_BITS_MIN, .sets = ARC_SETS_MAX};

	return verify_with(bench, &rules, bench->zone, text);
}

/* The message with one more set on top; "" and the error when nothing may be added. */
static struct slice seal_as(struct bench *bench, bool ed, const char *domain, const struct arc_outcome *arrived,
			    struct slice text, struct error *err)
{
	struct mail mail = mail_of(bench, text);
	struct dkim_body *body = dkim_body_new(bench->arena);
	const struct arc_sealing sealing = {
	    .arrived = arrived,
	    .domain = slice_of(domain),
	    .selector = ed ? SLICE("ed") : SLICE("rsa"),
	    .key = ed ? bench->ed : bench->rsa,
	    .now_s = BENCH_NOW,
	    .results = SLICE("mx.example.net;\n\tspf=pass smtp.mailfrom=a@example.org;\n\tdmarc=pass"),
	};
	struct arc_made made;

	dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);
	dkim_body_add(body, mail.body);
	dkim_body_end(body);
	if (arc_seal(&sealing, mail.headers.fields, mail.headers.count, body, bench->arena, &made, err))
		return SLICE("");
	return arena_printf(
	    bench->arena, "ARC-Seal:%.*s\nARC-Message-Signature:%.*s\nARC-Authentication-Results:%.*s\n%.*s",
	    SLICE_ARGS(made.seal), SLICE_ARGS(made.signature), SLICE_ARGS(made.results), SLICE_ARGS(text));
}

static struct slice seal(struct bench *bench, bool ed, const char *domain, struct slice text)
{
	struct seen seen = verify(bench, text);
	struct error err = {""};
	struct slice made = seal_as(bench, ed, domain, &seen.outcome, text, &err);

	assert_string_equal(err.text, "");
	return made;
}

static struct slice sealed(struct bench *bench, unsigned sets)
{
	struct slice text = SLICE(LETTER);

	for (unsigned i = 0; i < sets; i++)
		text = seal(bench, i % 3 == 2, i % 2 ? "news.example.org" : "example.org", text);
	return text;
}

static void assert_seen(const struct seen *seen, const char *result, const char *reason)
{
	if (strcmp(arc_result_names[seen->outcome.result], result) != 0)
		print_error("%s: %.*s\n", result, SLICE_ARGS(seen->outcome.reason));
	assert_string_equal(arc_result_names[seen->outcome.result], result);
	assert_slice(seen->outcome.reason, reason);
}

/* ---- verifying and sealing --------------------------------------------------------------------- */

static void what_we_seal_passes_and_names_its_sealers(void **state)
{
	struct bench *bench = *state;

	for (unsigned sets = 0; sets <= 4; sets++) {
		struct seen seen = verify(bench, sealed(bench, sets));

		assert_seen(&seen, sets ? "pass" : "none", "");
		assert_int_equal(seen.outcome.sets, sets);
		assert_int_equal(seen.oldest_pass, 0);
		assert_int_equal(seen.has_results, sets > 0);
		for (unsigned i = 0; i < sets; i++) {
			assert_slice(seen.outcome.sealers[i].domain, i % 2 ? "news.example.org" : "example.org");
			assert_slice(seen.outcome.sealers[i].selector, i % 3 == 2 ? "ed" : "rsa");
		}
		if (sets > 0)
			assert_slice(seen.results.clauses[1].result, "pass");
	}
}

/* Of a chain of three sets; the newest is on top, so the first "i=2" belongs to set 2. */
static void what_is_changed_after_sealing_fails(void **state)
{
	static const struct {
		const char *old, *new, *result, *reason;
	} cases[] = {
	    {"Received:", "Received: from c\nReceived:", "pass", ""},
	    {"ARC-Seal: i=3", "arc-seal :  i=3", "pass", ""},
	    {"Hello.", "Hullo.", "fail", "the ARC-Message-Signature of set 3: the body was changed"},
	    {"hello", "hullo", "fail", "the ARC-Message-Signature of set 3: the signature does not match the header"},
	    {"Received:", "From: eve@example.com\nReceived:", "fail",
	     "the ARC-Message-Signature of set 3: the signature does not match the header"},
	    {"i=3; mx.example.net", "i=3; mx.example.com", "fail",
	     "the ARC-Seal of set 3: the signature does not match the fields of the sets"},
	    {"i=1; mx.example.net", "i=1; mx.example.com", "fail",
	     "the ARC-Seal of set 3: the signature does not match the fields of the sets"},
	    {"ARC-Seal: i=2; a=rsa-sha256; t=1700000000", "ARC-Seal: i=2; a=rsa-sha256; t=1700000001", "fail",
	     "the ARC-Seal of set 3: the signature does not match the fields of the sets"},
	    {"ARC-Seal: i=3; a=ed25519-sha256; t=1700000000; cv=pass",
	     "ARC-Seal: i=3; a=ed25519-sha256; t=1700000000; cv=none", "fail", "the ARC-Seal of set 3 has no cv=pass"},
	    {"cv=none", "cv=pass", "fail", "the ARC-Seal of set 1 has no cv=none"},
	    {"ARC-Seal: i=3", "ARC-Seal: h=from; i=3", "fail", "the ARC-Seal of set 3: a seal has no h="},
	    {"ARC-Seal: i=3", "ARC-Seal: i=3; i=3", "fail", "the ARC-Seal of set 3: a tag appears twice"},
	    {"ARC-Seal: i=3;", "ARC-Seal: i=3;;", "fail", "the ARC-Seal of set 3: a tag without ="},
	    {"ARC-Seal: i=3; a=ed25519-sha256", "ARC-Seal: i=3; a=rsa-sha1", "fail",
	     "the ARC-Seal of set 3: rsa-sha1 is no longer allowed (RFC 8301)"},
	    {"ARC-Seal: i=3; a=ed25519-sha256", "ARC-Seal: i=3; a=rsa-sha256", "fail",
	     "the ARC-Seal of set 3: the algorithm of the key is not the one in a="},
	    {"ARC-Seal: i=3;", "ARC-Seal:", "fail", "ARC-Seal without a usable i="},
	    {"ARC-Seal: i=3;", "ARC-Seal: I=3;", "fail", "ARC-Seal without a usable i="},
	    {"ARC-Seal: i=3;", "ARC-Seal: i=0;", "fail", "ARC-Seal without a usable i="},
	    {"ARC-Seal: i=3;", "ARC-Seal: i=003;", "fail", "ARC-Seal without a usable i="},
	    {"ARC-Seal: i=3;", "ARC-Seal: i=51;", "fail", "more than 50 sets"},
	    {"ARC-Seal: i=3;", "ARC-Seal: i=2;", "fail", "set 2 has more than one ARC-Seal"},
	    {"ARC-Message-Signature: i=3;", "X-No: i=3;", "fail", "set 3 has no ARC-Message-Signature"},
	    {"ARC-Authentication-Results: i=2;", "X-No: i=2;", "fail", "set 2 has no ARC-Authentication-Results"},
	    {"Received:", "ARC-Authentication-Results: none\nReceived:", "fail",
	     "ARC-Authentication-Results without a usable i="},
	    {"Received:", "ARC-Authentication-Results: (open i=1; none\nReceived:", "fail",
	     "ARC-Authentication-Results without a usable i="},
	    {"Received:", "ARC-Authentication-Results: i=1; none\nReceived:", "fail",
	     "set 1 has more than one ARC-Authentication-Results"},
	    {"Received:", "ARC-Authentication-Results: i=5; none\nReceived:", "fail",
	     "set 4 has no ARC-Authentication-Results"},
	};
	struct bench *bench = *state;
	struct slice chain = sealed(bench, 3);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seen seen = verify(bench, replaced(bench, chain, cases[i].old, cases[i].new));

		assert_seen(&seen, cases[i].result, cases[i].reason);
		assert_int_equal(seen.outcome.sealers != NULL, seen.outcome.result == ARC_PASS);
		assert_int_equal(seen.has_results, seen.outcome.result == ARC_PASS);
	}
}

/* RFC 8617 5.2 step 5: a list changes the subject, and seals. */
static void oldest_pass_is_the_oldest_set_that_saw_the_message_as_it_is(void **state)
{
	struct bench *bench = *state;
	struct slice text = replaced(bench, sealed(bench, 2), "hello", "[list] hello");
	struct seen broken = verify(bench, text), seen;
	struct error err = {""};

	assert_seen(&broken, "fail", "the ARC-Message-Signature of set 2: the signature does not match the header");
	/* It was verified before it was changed. */
	broken = verify(bench, sealed(bench, 2));
	text = seal_as(bench, false, "example.org", &broken.outcome, text, &err);
	seen = verify(bench, text);
	assert_seen(&seen, "pass", "");
	assert_int_equal(seen.oldest_pass, 3);
	seen = verify(bench, seal(bench, false, "example.org", text));
	assert_seen(&seen, "pass", "");
	assert_int_equal(seen.oldest_pass, 3);
}

/* Every seal counts, not only the newest, which covers all. */
static void an_older_seal_that_is_wrong_fails_although_later_ones_cover_it(void **state)
{
	struct bench *bench = *state;
	const struct arc_outcome arrived[] = {{.result = ARC_PASS, .sets = 1}, {.result = ARC_PASS, .sets = 2}};
	struct slice text = replaced(bench, sealed(bench, 1), "t=1700000000", "t=1700000001");
	struct error err = {""};
	struct seen seen;

	for (int i = 0; i < 2; i++)
		text = seal_as(bench, false, "news.example.org", &arrived[i], text, &err);
	assert_string_equal(err.text, "");
	seen = verify(bench, text);
	assert_seen(&seen, "fail", "the ARC-Seal of set 1: the signature does not match the fields of the sets");
	assert_null(seen.outcome.sealers);
}

/* RFC 8617 5.1.2, 5.2 step 2 */
static void a_chain_that_failed_gets_one_last_set(void **state)
{
	struct bench *bench = *state;
	struct slice text = replaced(bench, sealed(bench, 2), "Hello.", "Hullo.");
	struct error err = {""};
	struct seen seen;

	text = seal(bench, false, "example.org", text);
	assert_non_null(memmem(text.p, text.n, "ARC-Seal: i=3; a=rsa-sha256; t=1700000000; cv=fail;", 51));
	seen = verify(bench, text);
	assert_seen(&seen, "fail", "set 3 says that the chain has failed");
	assert_true(seen.outcome.ended);
	assert_slice(seal_as(bench, false, "example.org", &seen.outcome, text, &err), "");
	assert_string_equal(err.text, "the chain has ended: its newest seal says cv=fail");
}

static void a_chain_has_50_sets_at_most_and_they_cost_51_verifications(void **state)
{
	struct bench *bench = *state;
	struct arc_rules rules = {.now_s = BENCH_NOW + 10, .minimum_bits = DKIM_RSA_BITS_MIN, .sets = 49};
	struct slice text = SLICE(LETTER);
	struct error err = {""};
	struct arc_outcome arrived = {.result = ARC_NONE, .reason = SLICE("")};
	struct seen seen;

	for (unsigned i = 1; i <= 50; i++) {
		text = seal_as(bench, false, "example.org", &arrived, text, &err);
		arrived = (struct arc_outcome){.result = ARC_PASS, .sets = i};
	}
	verifications = 0;
	seen = verify_with(bench, &rules, bench->zone, text);
	assert_seen(&seen, "fail", "more than 49 sets");
	assert_int_equal(verifications, 0);
	rules.sets = 1000;
	seen = verify_with(bench, &rules, bench->zone, text);
	assert_seen(&seen, "pass", "");
	assert_int_equal(verifications, 51 + 49); /* oldest-pass looks at the others */
	assert_slice(seal_as(bench, false, "example.org", &seen.outcome, text, &err), "");
	assert_string_equal(err.text, "the chain has 50 sets, and no more are allowed");
	verifications = 0;
	seen = verify(bench, replaced(bench, text, "Hello.", "Hullo."));
	assert_seen(&seen, "fail", "the ARC-Message-Signature of set 50: the body was changed");
	assert_int_equal(verifications, 0);
}

static void trouble_with_a_key_is_temperror_unless_something_else_fails(void **state)
{
	struct bench *bench = *state;
	const struct arc_rules rules = {.now_s = BENCH_NOW + 10, .minimum_bits = DKIM_RSA_BITS_MIN, .sets = 50};
	struct slice chain = sealed(bench, 2), zone;
	struct error err = {""};
	struct seen seen;

	zone = replaced(bench, bench->zone, "rsa._domainkey.example.org TXT",
			"rsa._domainkey.example.org TIMEOUT\nx.example.org TXT");
	seen = verify_with(bench, &rules, zone, chain);
	assert_seen(&seen, "temperror", "the ARC-Seal of set 1: the DNS does not answer for the key");
	assert_null(seen.outcome.sealers);
	assert_false(seen.has_results);
	assert_slice(seal_as(bench, false, "example.org", &seen.outcome, chain, &err), "");
	assert_string_equal(err.text, "the chain could not be verified for now, and a seal would end it for good");
	zone = replaced(bench, bench->zone, "rsa._domainkey.news.example.org TXT",
			"rsa._domainkey.news.example.org TIMEOUT\nx.example.org TXT");
	seen = verify_with(bench, &rules, zone, chain);
	assert_seen(&seen, "temperror", "the ARC-Message-Signature of set 2: the DNS does not answer for the key");
	seen = verify_with(bench, &rules, zone,
			   replaced(bench, chain, "i=1; a=rsa-sha256; t=1", "i=1; a=rsa-sha256; t=2"));
	assert_seen(&seen, "fail", "the ARC-Seal of set 1: the signature does not match the fields of the sets");
	seen = verify_with(bench, &rules, SLICE("example.org TXT x\n"), chain);
	assert_seen(&seen, "fail", "the ARC-Message-Signature of set 2: there is no key record");
}

/* A name with many keys must not multiply the work of 50 sets. */
static void a_seal_is_tried_with_several_keys_but_not_without_end(void **state)
{
	struct bench *bench = *state;
	const struct arc_rules rules = {.now_s = BENCH_NOW + 10, .minimum_bits = DKIM_RSA_BITS_MIN, .sets = 50};
	struct dkim_private *other[2];
	struct text zone;
	struct error err;
	struct seen seen;

	text_init(&zone, bench->arena, 100000);
	for (int i = 0; i < 2; i++) {
		struct slice record;

		other[i] = dkim_private_generate(DKIM_RSA, &err);
		record = dkim_private_record(other[i], bench->arena);
		text_printf(&zone, "rsa._domainkey.example.org TXT \"%.*s\" \"%.*s\"\n",
			    SLICE_ARGS(slice_head(record, 200)), SLICE_ARGS(slice_from(record, 200)));
	}
	text_add(&zone, bench->zone);
	verifications = 0;
	seen = verify_with(bench, &rules, text_slice(&zone), seal(bench, false, "example.org", SLICE(LETTER)));
	assert_seen(&seen, "pass", "");
	dkim_private_free(other[0]);
	dkim_private_free(other[1]);
}

static void a_results_field_of_a_megabyte_is_hashed_once(void **state)
{
	struct bench *bench = *state;
	char *filler = arena_alloc(bench->arena, 900001);
	struct slice chain = seal(bench, false, "example.org", SLICE(LETTER)), text;
	struct seen seen;

	memset(filler, 'x', 900000);
	text = replaced(bench, chain, "i=1; mx.example.net", "i=1; mx.example.net (");
	text =
	    replaced(bench, text, "(",
		     arena_cstring(bench->arena, arena_join(bench->arena, SLICE("("), slice_of(filler), SLICE(")"))));
	seen = verify(bench, text);
	assert_seen(&seen, "fail", "the ARC-Seal of set 1: the signature does not match the fields of the sets");
}

/* RFC 8617 4.2.1, RFC 5322 3.2.2 */
static void an_instance_may_have_comments_around_it(void **state)
{
	static const struct {
		const char *value;
		bool reads;
	} cases[] = {
	    {" i=1; a", true},
	    {"i=01;a", true},
	    {" (a) i (b) = (c) 1 (d) ; x", true},
	    {"\n\t(a (b) \\) ; i=2;)i=1;", true},
	    {" i=1", false},
	    {" i=1 2;", false},
	    {" i=;", false},
	    {" i=100;", false},
	    {" ;i=1;", false},
	    {" )i=1;", false},
	    {" (i=1;", false},
	    {" i=1 (;", false},
	    {" i=1 \\", false},
	    {"", false},
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice text =
		    arena_printf(bench->arena, "ARC-Authentication-Results:%s\n%s", cases[i].value, LETTER);
		struct seen seen = verify(bench, text);

		assert_seen(&seen, "fail",
			    cases[i].reads ? "set 1 has no ARC-Message-Signature"
					   : "ARC-Authentication-Results without a usable i=");
	}
}

/* What a rule changed in the fields of ARC would make the new seal wrong. */
static void nothing_is_sealed_when_the_sets_are_not_those_that_arrived(void **state)
{
	struct bench *bench = *state;
	struct seen seen = verify(bench, sealed(bench, 2));
	struct error err = {""};

	assert_slice(seal_as(bench, false, "example.org", &seen.outcome, sealed(bench, 1), &err), "");
	assert_string_equal(err.text, "a rule has changed the fields of ARC");
	seen = verify(bench, SLICE(LETTER));
	assert_slice(seal_as(bench, false, "example.org", &seen.outcome, SLICE("ARC-Seal: x\n" LETTER), &err), "");
	assert_string_equal(err.text, "a rule has changed the fields of ARC");
}

/* l= is valid (RFC 6376 3.5), and whoever trusts the chain must know of it. */
static void a_part_of_the_body_is_told_from_all_of_it(void **state)
{
	struct bench *bench = *state;
	struct slice chain = sealed(bench, 1);
	struct seen seen = verify(bench, chain);

	assert_false(seen.outcome.partial);
	seen = verify(bench, replaced(bench, chain, "ARC-Message-Signature: i=1;", "ARC-Message-Signature: i=1; l=9;"));
	assert_seen(&seen, "fail", "the ARC-Message-Signature of set 1: l= is longer than the body");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_we_seal_passes_and_names_its_sealers),
	    cmocka_unit_test(what_is_changed_after_sealing_fails),
	    cmocka_unit_test(oldest_pass_is_the_oldest_set_that_saw_the_message_as_it_is),
	    cmocka_unit_test(an_older_seal_that_is_wrong_fails_although_later_ones_cover_it),
	    cmocka_unit_test(a_chain_that_failed_gets_one_last_set),
	    cmocka_unit_test(a_chain_has_50_sets_at_most_and_they_cost_51_verifications),
	    cmocka_unit_test(trouble_with_a_key_is_temperror_unless_something_else_fails),
	    cmocka_unit_test(a_seal_is_tried_with_several_keys_but_not_without_end),
	    cmocka_unit_test(a_results_field_of_a_megabyte_is_hashed_once),
	    cmocka_unit_test(an_instance_may_have_comments_around_it),
	    cmocka_unit_test(nothing_is_sealed_when_the_sets_are_not_those_that_arrived),
	    cmocka_unit_test(a_part_of_the_body_is_told_from_all_of_it),
	};

	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
