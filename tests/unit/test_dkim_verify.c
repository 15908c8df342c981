/*
 * test_dkim_verify.c - the judgement of signatures: keys and bounds. What two other
 * verifiers say of a thousand variants is in tests/conformance.
 */
#include "dkim_bench.h"
#include "skip_because.h"

#define LETTER                                                                                                         \
	"Received: from a by b\n"                                                                                      \
	"From: Alice <alice@example.org>\n"                                                                            \
	"To: bob@example.net\n"                                                                                        \
	"Subject: hello\n"                                                                                             \
	"Date: Thu, 1 Jan 2026 00:00:00 +0000\n"                                                                       \
	"\n"                                                                                                           \
	"Hello.\n"

static struct slice signed_letter(struct bench *bench, bool ed)
{
	struct dkim_signing signing = bench_signing(bench, ed);

	return bench_sign(bench, &signing, SLICE(LETTER));
}

static const char *result_of(const struct dkim_outcome *outcome)
{
	return dkim_result_names[outcome->result];
}

/* ---- judgement --------------------------------------------------------------------------- */

static void what_we_sign_passes_and_what_is_changed_fails(void **state)
{
	static const struct {
		const char *old, *new, *result, *reason;
	} cases[] = {
	    {"Hello.", "Hello.", "pass", ""},
	    {"Hello.", "Hello. ", "pass", ""},
	    {"Hello.", "Hullo.", "fail", "the body was changed"},
	    {"hello", "hullo", "fail", "the signature does not match the header"},
	    {"Subject: hello", "SUBJECT :\n  hello", "pass", ""},
	    {"Received:", "Received: from c\nReceived:", "pass", ""},
	    {"Received:", "Subject: another\nReceived:", "fail", "the signature does not match the header"},
	    {"Received:", "Reply-To: eve@example.com\nReceived:", "fail", "the signature does not match the header"},
	    {"From: Alice <alice@example.org>\n", "", "fail", "the signature does not match the header"},
	    {"d=example.org", "d=example.com", "permerror", "there is no key record"},
	    {"s=", "s=other", "permerror", "there is no key record"},
	    {"v=1;", "v=1; l=3;", "fail", "the body was changed"},
	    {"v=1;", "v=1; l=9;", "permerror", "l= is longer than the body"},
	    {"v=1;", "v=1; l=99999999999999999999999;", "neutral", "l= is not a number"},
	    {"v=1;", "v=1; t=2;", "neutral", "a tag appears twice"},
	    {"v=1;", "v=1; x=1;", "permerror", "it expired before it was made"},
	    {"t=17", "t=37", "policy", "it was made in the future"},
	    {"t=1700000000", "t=1600000000; x=1600000001", "policy", "it has expired"},
	    {"t=1700000000", "t=1700000309", "fail", "the signature does not match the header"},
	    {"t=1700000000", "t=1700000311", "policy", "it was made in the future"},
	    {"t=1700000000", "t=1700000000000000000000", "policy", "it was made in the future"},
	    {"v=1;", "v=1; i=a@b.example.org;", "fail", "the signature does not match the header"},
	    {"v=1;", "v=1; i=a=40example.org;", "fail", "the signature does not match the header"},
	    {"v=1;", "v=1; i=@example.net;", "permerror", "i= is outside the domain of d="},
	    {"v=1;", "v=1; i=example.org;", "permerror", "i= is not an identity"},
	    {"v=1;", "v=1; q=dns/txt:other;", "fail", "the signature does not match the header"},
	    {"v=1;", "v=1; q=other;", "neutral", "q= is unknown"},
	};
	struct bench *bench = *state;

	for (int ed = 0; ed < 2; ed++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct slice text = replaced(bench, signed_letter(bench, ed), cases[i].old, cases[i].new);
			struct dkim_outcome outcome = bench_verify(bench, text);

			if (strcmp(result_of(&outcome), cases[i].result) != 0)
				print_error("\"%s\" for \"%s\"\n", cases[i].new, cases[i].old);
			assert_string_equal(result_of(&outcome), cases[i].result);
			assert_slice(outcome.best->reason, cases[i].reason);
		}
}

/* A zone where the key of "rsa" is printed by `format`, which has one %s: its p=. */
static struct slice zone_of(struct bench *bench, const char *format)
{
	struct slice record = dkim_private_record(bench->rsa, bench->arena), p = slice_from(record, 19);
	struct text text;

	assert_true(slice_starts_nocase(record, SLICE("v=DKIM1; k=rsa; p=")));
	p = slice_from(record, sizeof("v=DKIM1; k=rsa; p=") - 1);
	text_init(&text, bench->arena, 100000);
	text_printf(&text, format, arena_cstring(bench->arena, p));
	return text_slice(&text);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static void keys_are_obeyed(void **state)
{
	static const struct {
		const char *zone, *result, *reason;
	} cases[] = {
	    {"v=DKIM1; p=%s", "pass", ""},
	    {"p=%s", "pass", ""},
	    {"v=DKIM1; t=s; p=%s", "pass", ""},
	    {"v=DKIM1; h=sha1:sha256; s=other:email; n=notes; g=nobody; p=%s;", "pass", ""},
	    {"v=DKIM1; h=sha1; p=%s", "permerror", "h= of the key record does not allow SHA-256"},
	    {"v=DKIM1; s=tlsrpt; p=%s", "permerror", "s= of the key record does not allow mail"},
	    {"v=DKIM1; k=ed25519; p=%s", "permerror", "p= of the key record is not an Ed25519 key"},
	    {"v=DKIM1; k=dsa; p=%s", "permerror", "k= of the key record is unknown"},
	    {"v=DKIM1; p=", "permerror", "the key was revoked"},
	    {"v=DKIM1; k=rsa", "permerror", "the key record has no p="},
	    {"p=%s; v=DKIM1", "permerror", "v= of the key record does not come first"},
	    {"v=DKIM2; p=%s", "permerror", "there is no key record"},
	    {"v=DKIM1; p=%s; p=x", "permerror", "the key record is not a tag list"},
	    {"v=DKIM1; p=AAAA", "permerror", "p= of the key record is not an RSA key"},
	    {"v=DKIM1; k=RSA; h=SHA256; s=EMAIL; t=Y; p=%s", "pass", ""},
	    {"v=DKIM1; K=rsa; p=%s", "pass", ""}, /* names of tags have a case: an unknown tag */
	    {"v=dkim1; p=%s", "permerror", "v= of the key record is not DKIM1"},
	    {"v=DKIM1\\\\; k=rsa\\\\; p=%s", "permerror", "v= of the key record is not DKIM1"},
	    {"v=DKIM1; P=%s", "permerror", "the key record has no p="},
	    {"google-site-verification=abc", "permerror", "there is no key record"},
	    {"v=DKIM1; p=AA\"\nrsa._domainkey.example.org TXT \"v=DKIM1; p=%s", "pass", ""},
	    {"v=DKIM1; p=\"\nrsa._domainkey.example.org TXT \"v=DKIM1; p=%s", "pass", ""},
	    {"v=DKIM1; p=%s\"\nrsa._domainkey.example.org TXT \"google-site-verification=abc", "pass", ""},
	    {"google-site-verification=abc\"\nrsa._domainkey.example.org TXT \"v=DKIM1", "permerror",
	     "the key record has no p="},
	    {"v=spf1 -all\"\nrsa._domainkey.example.org TXT \"v=DKIM1; p=%s", "pass", ""},
	};
	struct bench *bench = *state;
	struct dkim_rules rules = bench_rules();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* Strings of a zone are bounded; the key is long: it goes as two. */
		struct slice zone = zone_of(bench, cases[i].zone), line;
		struct dkim_outcome outcome;
		struct text text;

		text_init(&text, bench->arena, 100000);
		text_printf(&text, "rsa._domainkey.example.org TXT \"");
		line = zone;
		for (size_t k = 0, run = 0; k < line.n; k++, run++) {
			run = line.p[k] == '"' ? 0 : run;
			if (run == 200) {
				text_printf(&text, "\" \"");
				run = 0;
			}
			text_add_char(&text, line.p[k]);
		}
		text_printf(&text, "\"\n");
		outcome = bench_verify_with(bench, &rules, text_slice(&text), signed_letter(bench, false));
		if (strcmp(result_of(&outcome), cases[i].result) != 0)
			print_error("key \"%s\"\n", cases[i].zone);
		assert_string_equal(result_of(&outcome), cases[i].result);
		assert_slice(outcome.best->reason, cases[i].reason);
	}
}
#pragma GCC diagnostic pop

static void a_failed_signature_of_a_testing_key_counts_as_none(void **state)
{
	struct bench *bench = *state;
	struct dkim_rules rules = bench_rules();
	struct slice zone = replaced(bench, bench->zone, "k=rsa;", "k=rsa; t=y;");
	struct slice text = signed_letter(bench, false);
	struct dkim_outcome outcome = bench_verify_with(bench, &rules, zone, text);

	assert_string_equal(result_of(&outcome), "pass");
	assert_true(outcome.best->testing);
	outcome = bench_verify_with(bench, &rules, zone, replaced(bench, text, "Hello.", "Hullo."));
	assert_string_equal(result_of(&outcome), "none");
	assert_int_equal(outcome.signatures[0].result, DKIM_FAIL);
}

static void a_strict_key_wants_the_domain_itself_in_the_identity(void **state)
{
	struct bench *bench = *state;
	struct dkim_rules rules = bench_rules();
	struct slice zone = replaced(bench, bench->zone, "k=rsa;", "k=rsa; t=s;");
	struct dkim_signing signing = bench_signing(bench, false);
	struct dkim_outcome outcome;

	signing.identity = SLICE("@example.org");
	outcome = bench_verify_with(bench, &rules, zone, bench_sign(bench, &signing, SLICE(LETTER)));
	assert_string_equal(result_of(&outcome), "pass");
	signing.identity = SLICE("@sub.example.org");
	outcome = bench_verify_with(bench, &rules, zone, bench_sign(bench, &signing, SLICE(LETTER)));
	assert_slice(outcome.best->reason, "the key (t=s) does not allow i= below d=");
}

static void a_name_server_that_fails_is_a_temperror(void **state)
{
	struct bench *bench = *state;
	struct dkim_rules rules = bench_rules();
	struct slice text = signed_letter(bench, false);
	struct dkim_outcome outcome =
	    bench_verify_with(bench, &rules, SLICE("rsa._domainkey.example.org TIMEOUT\n"), text);

	assert_string_equal(result_of(&outcome), "temperror");
	outcome = bench_verify_with(bench, &rules, SLICE("rsa._domainkey.example.org SERVFAIL\n"),
				    replaced(bench, text, "a=rsa-sha256", "a=rsa-sha1"));
	assert_string_equal(result_of(&outcome), "temperror");
	outcome = bench_verify(bench, replaced(bench, text, "a=rsa-sha256", "a=rsa-sha1"));
	assert_string_equal(result_of(&outcome), "permerror");
}

static void a_second_from_that_is_not_signed_is_policy(void **state)
{
	struct bench *bench = *state;
	struct slice text = signed_letter(bench, false);
	struct dkim_outcome outcome;
	struct dkim_signing signing = bench_signing(bench, false);
	struct slice two = replaced(bench, SLICE(LETTER), "To:", "From: eve@example.com\nTo:");

	/* Ours are over-signed: then it is a change like any other. */
	outcome = bench_verify(bench, replaced(bench, text, "Received:", "From: eve@example.com\nReceived:"));
	assert_string_equal(result_of(&outcome), "fail");
	/* Two that were there when it was signed are both signed. */
	outcome = bench_verify(bench, bench_sign(bench, &signing, two));
	assert_string_equal(result_of(&outcome), "pass");
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static void only_so_many_signatures_are_verified_those_of_the_author_first(void **state)
{
	struct bench *bench = *state;
	struct slice text = signed_letter(bench, false);
	size_t header = (size_t)((const char *)memmem(text.p, text.n, "Received:", 9) - text.p);
	struct slice field = slice_head(text, header), other = replaced(bench, field, "d=example.org", "d=example.net");
	struct dkim_outcome outcome;
	struct text many;

	text_init(&many, bench->arena, 1000000);
	for (int i = 0; i < 200; i++)
		text_add(&many, other);
	text_add(&many, text);
	outcome = bench_verify(bench, text_slice(&many));
	assert_int_equal(outcome.count, 201);
	assert_int_equal(outcome.signatures[200].result, DKIM_PASS);    /* the last is the author's */
	assert_int_equal(outcome.signatures[8].result, DKIM_PERMERROR); /* no key */
	assert_int_equal(outcome.signatures[9].result, DKIM_POLICY);
	assert_slice(outcome.signatures[9].reason, "not verified: the message has too many signatures");
	assert_string_equal(result_of(&outcome), "pass");
}

static void a_field_and_its_names_are_bounded(void **state)
{
	struct bench *bench = *state;
	struct slice text = signed_letter(bench, false);
	char *names = calloc(1, DKIM_FIELD_MAX + 100);
	struct dkim_outcome outcome;

	for (int i = 0; i < DKIM_NAMES_MAX; i++)
		memcpy(names + 2 * i, ":x", 2);
	outcome = bench_verify(bench, replaced(bench, text, "h=From", arena_printf(bench->arena, "h=From%s", names).p));
	assert_slice(outcome.best->reason, "h= has too many names");
	memset(names, 'z', DKIM_FIELD_MAX);
	outcome = bench_verify(bench, replaced(bench, text, "v=1;", arena_printf(bench->arena, "v=1; y=%s;", names).p));
	assert_slice(outcome.best->reason, "the field is longer than 64 KB");
	free(names);
}

/* DER of a public key that nobody has the other half of: RSAPublicKey (RFC 8017 A.1.1). */
static struct slice public_key(struct bench *bench, size_t bits, size_t exponent_bytes)
{
	unsigned char *der = arena_alloc(bench->arena, bits / 8 + exponent_bytes + 20);
	size_t n = bits / 8 + 1, content = 4 + n + 2 + exponent_bytes, at = 0;

	const unsigned char head[] = {0x30, 0x82, (unsigned char)(content >> 8), (unsigned char)content,
				      0x02, 0x82, (unsigned char)(n >> 8),       (unsigned char)n,
				      0x00};
	memcpy(der, head, sizeof(head));
	at = sizeof(head);
	memset(der + at, 0xc5, n - 1);
	at += n - 1;
	der[at++] = 0x02;
	der[at++] = (unsigned char)exponent_bytes;
	memset(der + at, 0x03, exponent_bytes);
	at += exponent_bytes;
	return base64_encode((struct slice){(const char *)der, at}, bench->arena);
}

static void keys_have_a_length_and_an_exponent_in_bounds(void **state)
{
	static const struct {
		size_t bits, exponent_bytes;
		const char *result, *reason;
	} cases[] = {
	    {512, 1, "policy", "the RSA key is too short"},
	    {1016, 1, "policy", "the RSA key is too short"},
	    {1024, 1, "fail", "the signature does not match the header"}, /* a bare RSAPublicKey is a key */
	    {4096, 8, "fail", "the signature does not match the header"},
	    {4104, 1, "policy", "the RSA key has more than 4096 bits"},
	    {8192, 1, "policy", "the RSA key has more than 4096 bits"},
	    {2048, 9, "policy", "the RSA key has an exponent of more than 64 bits"},
	};
	struct bench *bench = *state;
	struct dkim_rules rules = bench_rules();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice p = public_key(bench, cases[i].bits, cases[i].exponent_bytes);
		struct dkim_outcome outcome;
		struct text zone;

		text_init(&zone, bench->arena, 10000);
		text_printf(&zone, "rsa._domainkey.example.org TXT \"v=DKIM1; p=\"");
		for (; p.n > 0; p = slice_from(p, 250))
			text_printf(&zone, " \"%.*s\"", SLICE_ARGS(slice_head(p, 250)));
		text_printf(&zone, "\n");
		outcome = bench_verify_with(bench, &rules, text_slice(&zone), signed_letter(bench, false));
		assert_slice(outcome.best->reason, cases[i].reason);
		assert_string_equal(result_of(&outcome), cases[i].result);
	}
}

static bool spoil_copies;

EVP_PKEY_CTX *__real_EVP_PKEY_CTX_dup(const EVP_PKEY_CTX *);
EVP_PKEY_CTX *__wrap_EVP_PKEY_CTX_dup(const EVP_PKEY_CTX *);

/* It fails without memory, and in providers that cannot copy (linked by --wrap). */
EVP_PKEY_CTX *__wrap_EVP_PKEY_CTX_dup(const EVP_PKEY_CTX *context)
{
	return spoil_copies ? NULL : __real_EVP_PKEY_CTX_dup(context);
}

static void a_crypto_library_that_cannot_begin_is_not_a_fail(void **state)
{
	struct bench *bench = *state;
	struct slice text = signed_letter(bench, false);
	struct dkim_outcome outcome;

	spoil_copies = true;
	outcome = bench_verify(bench, text);
	spoil_copies = false;
	assert_int_equal(outcome.result, DKIM_TEMPERROR);
	assert_slice(outcome.best->reason, "the crypto library cannot begin to verify");
	assert_int_equal(bench_verify(bench, text).result, DKIM_PASS);
}

static void a_key_record_is_bounded(void **state)
{
	struct bench *bench = *state;
	struct dkim_rules rules = bench_rules();
	struct dkim_outcome outcome;
	struct text zone;

	text_init(&zone, bench->arena, 100000);
	text_printf(&zone, "rsa._domainkey.example.org TXT \"v=DKIM1; n=\"");
	for (int i = 0; i < 17 * 1024 / 200; i++)
		text_printf(&zone, " \"%0200d\"", 0);
	text_printf(&zone, " \"; p=\"\n");
	outcome = bench_verify_with(bench, &rules, text_slice(&zone), signed_letter(bench, false));
	assert_slice(outcome.best->reason, "the key record is too long");
}

/* The forged signature names a key that is published; the good one below it is of another domain. */
static void no_engine_gives_one_signature_the_verdict_of_another(void **state)
{
	static const char *const names[] = {
	    "DKIM-Signature:", "DKIM-Signature :", "DKIM-Signature  :", "DKIM-Signature\t:", "DKIM-Signature \t:"};
	struct bench copy = *(struct bench *)*state, *bench = &copy;
	struct dkim_rules rules = bench_rules();
	struct slice good, forged;
	struct error err;

	rules.engine = DKIM_LIBOPENDKIM;
	rules.library = dkim_library_open(&err);
	SKIP_UNLESS(rules.library, WITHOUT_LIBOPENDKIM);
	bench->arena = arena_new();
	good = signed_letter(bench, false);
	forged = slice_head(good, good.n - strlen(LETTER));
	forged = replaced(bench, forged, "d=example.org", "d=news.example.org");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct slice top = replaced(bench, forged, "DKIM-Signature:", names[i]);
		struct dkim_outcome outcome =
		    bench_verify_with(bench, &rules, bench->zone,
				      arena_printf(bench->arena, "%.*s%.*s", SLICE_ARGS(top), SLICE_ARGS(good)));

		assert_int_equal(outcome.count, 2);
		assert_int_not_equal(outcome.signatures[0].result, DKIM_PASS);
		assert_int_equal(outcome.signatures[1].result, i < 3 ? DKIM_PASS : DKIM_NEUTRAL);
	}
	arena_free(bench->arena);
	dkim_library_close(rules.library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_we_sign_passes_and_what_is_changed_fails),
	    cmocka_unit_test(keys_are_obeyed),
	    cmocka_unit_test(a_failed_signature_of_a_testing_key_counts_as_none),
	    cmocka_unit_test(a_strict_key_wants_the_domain_itself_in_the_identity),
	    cmocka_unit_test(a_name_server_that_fails_is_a_temperror),
	    cmocka_unit_test(a_second_from_that_is_not_signed_is_policy),
	    cmocka_unit_test(only_so_many_signatures_are_verified_those_of_the_author_first),
	    cmocka_unit_test(a_field_and_its_names_are_bounded),
	    cmocka_unit_test(keys_have_a_length_and_an_exponent_in_bounds),
	    cmocka_unit_test(a_crypto_library_that_cannot_begin_is_not_a_fail),
	    cmocka_unit_test(a_key_record_is_bounded),
	    cmocka_unit_test(no_engine_gives_one_signature_the_verdict_of_another),
	};

	return cmocka_run_group_tests_name("dkim verify", tests, bench_open, bench_close);
}
