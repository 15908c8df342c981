/*
 * test_dkim_sign.c - signatures that we make: which fields, which tags, which keys.
 */
#include "dkim_bench.h"

#define LETTER                                                                                                         \
	"Received: from a by b\n"                                                                                      \
	"List-Id: <l.example.org>\n"                                                                                   \
	"From: Alice <alice@example.org>\n"                                                                            \
	"Subject: hello\n"                                                                                             \
	"Subject: twice\n"                                                                                             \
	"Date: Thu, 1 Jan 2026 00:00:00 +0000\n"                                                                       \
	"X-Mine: 1\n"                                                                                                  \
	"\n"                                                                                                           \
	"Hello.\n"

/* The value of a tag of the signature on top, without blanks. */
static struct slice tag_of(struct bench *bench, struct slice text, const char *name)
{
	struct mail mail = mail_of(bench, text);
	const struct tag *tag;
	struct tags tags;
	char *out;
	size_t n = 0;

	assert_null(tags_parse(mail.headers.fields[0].value, &tags));
	tag = tags_find(&tags, name);
	if (!tag)
		return SLICE("(none)");
	out = arena_alloc(bench->arena, tag->value.n + 1);
	for (size_t i = 0; i < tag->value.n; i++)
		if (!strchr(" \t\n", tag->value.p[i]))
			out[n++] = tag->value.p[i];
	return (struct slice){out, n};
}

static void every_pair_of_canonicalisations_and_kind_of_key_passes(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 8; i++) {
		struct dkim_signing signing = bench_signing(bench, i & 1);
		struct dkim_outcome outcome;

		signing.header_canon = i & 2 ? DKIM_RELAXED : DKIM_SIMPLE;
		signing.body_canon = i & 4 ? DKIM_RELAXED : DKIM_SIMPLE;
		outcome = bench_verify(bench, bench_sign(bench, &signing, SLICE(LETTER)));
		assert_int_equal(outcome.result, DKIM_PASS);
		assert_slice(outcome.best->algorithm, i & 1 ? "ed25519-sha256" : "rsa-sha256");
	}
}

static void two_signatures_of_one_message_both_pass(void **state)
{
	struct bench *bench = *state;
	struct dkim_signing rsa = bench_signing(bench, false), ed = bench_signing(bench, true);
	struct slice text = bench_sign(bench, &ed, bench_sign(bench, &rsa, SLICE(LETTER)));
	struct dkim_outcome outcome = bench_verify(bench, text);

	assert_int_equal(outcome.count, 2);
	assert_int_equal(outcome.signatures[0].result, DKIM_PASS);
	assert_int_equal(outcome.signatures[1].result, DKIM_PASS);
}

static void fields_are_named_once_more_than_they_are_there(void **state)
{
	struct bench *bench = *state;
	struct dkim_signing signing = bench_signing(bench, false);
	struct slice text = bench_sign(bench, &signing, SLICE(LETTER));

	/* No Message-ID: Sendmail would add one after us. */
	assert_slice(tag_of(bench, text, "h"),
		     "From:From:Date:Date:Subject:Subject:Subject:To:Cc:Reply-To:MIME-Version:Content-Type:"
		     "Content-Transfer-Encoding:List-Id");
}

/* As OversignHeaders of OpenDKIM: these and From, whether they are there or not. */
static void the_fields_to_oversign_can_be_chosen(void **state)
{
	static const struct slice over[] = {SLICE("Subject"), SLICE("x-absent"), SLICE("Received"), SLICE("SUBJECT")};
	static const struct slice names[] = {SLICE("To"), SLICE("Subject")};
	struct bench *bench = *state;
	struct dkim_signing signing = bench_signing(bench, false);
	struct slice text;

	signing.oversigned = over;
	signing.oversigned_count = 4;
	text = bench_sign(bench, &signing, SLICE(LETTER));
	assert_slice(tag_of(bench, text, "h"), "From:From:Date:Subject:Subject:Subject:List-Id:x-absent");
	assert_int_equal(bench_verify(bench, text).result, DKIM_PASS);
	assert_true(dkim_signing_covers(&signing, SLICE("X-Absent")));
	assert_false(dkim_signing_covers(&signing, SLICE("Received")));
	signing.names = names;
	signing.name_count = 2;
	text = bench_sign(bench, &signing, SLICE(LETTER));
	assert_slice(tag_of(bench, text, "h"), "From:From:Subject:Subject:Subject:x-absent");
	assert_int_equal(bench_verify(bench, text).result, DKIM_PASS);
}

/* Whatever is signed besides; a Date or Message-ID that is not there may be added after us. */
static void all_fields_that_a_receiver_acts_on_can_be_oversigned(void **state)
{
	static const struct slice names[] = {SLICE("X-Mine"), SLICE("Subject")};
	struct bench *bench = *state;
	struct dkim_signing signing = bench_signing(bench, false);
	struct slice text;

	signing.oversigned_all = true;
	text = bench_sign(bench, &signing, SLICE(LETTER));
	assert_slice(tag_of(bench, text, "h"),
		     "From:From:Date:Date:Subject:Subject:Subject:To:Cc:Reply-To:MIME-Version:Content-Type:"
		     "Content-Transfer-Encoding:In-Reply-To:References:Sender:List-Id:List-Id:List-Unsubscribe:"
		     "List-Unsubscribe-Post");
	assert_int_equal(bench_verify(bench, text).result, DKIM_PASS);
	signing.names = names;
	signing.name_count = 2;
	text = bench_sign(bench, &signing, SLICE(LETTER));
	assert_slice(tag_of(bench, text, "h"),
		     "From:From:X-Mine:Subject:Subject:Subject:Date:Date:To:Cc:Reply-To:MIME-Version:Content-Type:"
		     "Content-Transfer-Encoding:In-Reply-To:References:Sender:List-Id:List-Id:List-Unsubscribe:"
		     "List-Unsubscribe-Post");
	assert_int_equal(bench_verify(bench, text).result, DKIM_PASS);
	assert_true(dkim_signing_covers(&signing, SLICE("list-unsubscribe")));
	assert_true(dkim_signing_covers(&signing, SLICE("Message-ID")));
	assert_false(dkim_signing_covers(&signing, SLICE("Resent-From")));
}

static void chosen_fields_are_signed_and_from_and_never_received(void **state)
{
	static const struct slice names[] = {SLICE("x-mine"), SLICE("Received"), SLICE("absent"), SLICE("SUBJECT")};
	struct bench *bench = *state;
	struct dkim_signing signing = bench_signing(bench, false);
	struct dkim_outcome outcome;
	struct slice text;

	signing.names = names;
	signing.name_count = 4;
	text = bench_sign(bench, &signing, SLICE(LETTER));
	assert_slice(tag_of(bench, text, "h"), "From:From:x-mine:SUBJECT:SUBJECT");
	outcome = bench_verify(bench, text);
	assert_int_equal(outcome.result, DKIM_PASS);
	outcome = bench_verify(bench, replaced(bench, text, "X-Mine: 1", "X-Mine: 2"));
	assert_int_equal(outcome.result, DKIM_FAIL);
}

static void times_and_identity_are_in_their_tags(void **state)
{
	struct bench *bench = *state;
	struct dkim_signing signing = bench_signing(bench, false);
	struct slice text = bench_sign(bench, &signing, SLICE(LETTER));

	assert_slice(tag_of(bench, text, "t"), "1700000000");
	assert_slice(tag_of(bench, text, "x"), "(none)");
	assert_slice(tag_of(bench, text, "i"), "(none)");
	signing.lifetime_s = 3600;
	signing.identity = SLICE("alice@example.org");
	text = bench_sign(bench, &signing, SLICE(LETTER));
	assert_slice(tag_of(bench, text, "x"), "1700003600");
	assert_slice(tag_of(bench, text, "i"), "alice@example.org");
	assert_int_equal(bench_verify(bench, text).result, DKIM_PASS);
}

static void no_line_of_a_signature_is_longer_than_78(void **state)
{
	struct bench *bench = *state;
	struct dkim_signing signing = bench_signing(bench, false);
	struct slice text = bench_sign(bench, &signing, SLICE(LETTER)), line;

	while (slice_cut(&text, '\n', &line) && !slice_starts_nocase(line, SLICE("Received")))
		assert_true(line.n + (line.p[0] == '\t' ? 7 : 0) <= 78);
}

static void a_body_that_was_not_hashed_cannot_be_signed(void **state)
{
	struct bench *bench = *state;
	struct dkim_signing signing = bench_signing(bench, false);
	struct mail mail = mail_of(bench, SLICE(LETTER));
	struct dkim_body *body = dkim_body_new(bench->arena);
	struct error err = {""};

	dkim_body_want(body, DKIM_SIMPLE, DKIM_WHOLE);
	dkim_body_end(body);
	assert_slice(dkim_signature_make(&signing,
					 dkim_fields_new(mail.headers.fields, mail.headers.count, bench->arena), body,
					 bench->arena, &err),
		     "");
	assert_string_equal(err.text, "the body was not hashed in the form that the signature for example.org needs");
}

/* ---- private keys ------------------------------------------------------------------------ */

static void keys_survive_being_written_and_read(void **state)
{
	struct bench *bench = *state;
	struct dkim_private *keys[] = {bench->rsa, bench->ed};

	for (int i = 0; i < 2; i++) {
		struct error err;
		struct dkim_private *copy = dkim_private_read(dkim_private_pem(keys[i], bench->arena), &err);

		assert_non_null(copy);
		assert_int_equal(dkim_private_algorithm(copy), i);
		assert_true(
		    slice_equal(dkim_private_record(copy, bench->arena), dkim_private_record(keys[i], bench->arena)));
		dkim_private_free(copy);
	}
	assert_int_equal(dkim_private_bits(bench->rsa), 2048);
}

static void a_seed_is_an_ed25519_key(void **state)
{
	struct bench *bench = *state;
	struct error err;
	/* RFC 8463 A.2 */
	struct dkim_private *key = dkim_private_read(SLICE("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n"), &err);

	assert_non_null(key);
	assert_slice(dkim_private_record(key, bench->arena),
		     "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
	dkim_private_free(key);
}

static void a_key_that_cannot_sign_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"", "this is not a private key in PEM format without a pass phrase; sekisho genkey makes one"},
	    {"hello", "this is not a private key in PEM format without a pass phrase; sekisho genkey makes one"},
	    {"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIHgH\n-----END PRIVATE KEY-----\n",
	     "this is not a private key in PEM format without a pass phrase; sekisho genkey makes one"},
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(dkim_private_read(slice_of(cases[i].text), &err));
		assert_string_equal(err.text, cases[i].why);
	}
}

static void keys_of_another_kind_or_too_short_are_refused(void **state)
{
	struct bench *bench = *state;
	struct {
		EVP_PKEY *pkey;
		const char *why;
	} cases[] = {
	    {EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
	     "the key is neither RSA nor Ed25519; verifiers support no other types"},
	    {EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)512),
	     "an RSA key of 512 bits cannot be used: verifiers accept 1024 to 4096 bits (RFC 8301)"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char *der = NULL;
		int n = i2d_PrivateKey(cases[i].pkey, &der);
		struct slice text = base64_encode((struct slice){(const char *)der, (size_t)n}, bench->arena);
		const char *name = i == 0 ? "EC" : "RSA";
		struct error err;

		text =
		    arena_printf(bench->arena, "-----BEGIN %s PRIVATE KEY-----\n%.*s\n-----END %s PRIVATE KEY-----\n",
				 name, SLICE_ARGS(text), name);
		assert_null(dkim_private_read(text, &err));
		assert_string_equal(err.text, cases[i].why);
		OPENSSL_free(der);
		EVP_PKEY_free(cases[i].pkey);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_pair_of_canonicalisations_and_kind_of_key_passes),
	    cmocka_unit_test(two_signatures_of_one_message_both_pass),
	    cmocka_unit_test(fields_are_named_once_more_than_they_are_there),
	    cmocka_unit_test(the_fields_to_oversign_can_be_chosen),
	    cmocka_unit_test(all_fields_that_a_receiver_acts_on_can_be_oversigned),
	    cmocka_unit_test(chosen_fields_are_signed_and_from_and_never_received),
	    cmocka_unit_test(times_and_identity_are_in_their_tags),
	    cmocka_unit_test(no_line_of_a_signature_is_longer_than_78),
	    cmocka_unit_test(a_body_that_was_not_hashed_cannot_be_signed),
	    cmocka_unit_test(keys_survive_being_written_and_read),
	    cmocka_unit_test(a_seed_is_an_ed25519_key),
	    cmocka_unit_test(a_key_that_cannot_sign_is_refused_with_the_reason),
	    cmocka_unit_test(keys_of_another_kind_or_too_short_are_refused),
	};

	return cmocka_run_group_tests_name("dkim sign", tests, bench_open, bench_close);
}
