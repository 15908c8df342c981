/*
 * test_dkim_keys.c - the keys of a selector when it has several, and the words of keys and signatures in any case.
 */
#include "dkim_bench.h"

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

/* A zone text of one record for a key at the selector rsa. */
static void publish(struct text *zone, struct slice record)
{
	text_printf(zone, "rsa._domainkey.example.org TXT \"%.*s\" \"%.*s\"\n", SLICE_ARGS(slice_head(record, 200)),
		    SLICE_ARGS(slice_from(record, 200)));
}

/* RFC 6376 6.1.2: the verifier may cycle through them. */
static void of_several_keys_each_is_tried(void **state)
{
	struct bench *bench = *state;
	struct dkim_rules rules = bench_rules();
	struct error err;
	struct dkim_private *other = dkim_private_generate(DKIM_RSA, &err);
	struct slice ours = dkim_private_record(bench->rsa, bench->arena);
	struct slice theirs = dkim_private_record(other, bench->arena);

	for (int place = 0; place < 3; place++) {
		struct dkim_outcome outcome;
		struct text zone;

		text_init(&zone, bench->arena, 10000);
		for (int i = 0; i < 3; i++)
			publish(&zone, i == place        ? ours
				       : (i + place) % 2 ? theirs
							 : dkim_private_record(bench->ed, bench->arena));
		outcome = bench_verify_with(bench, &rules, text_slice(&zone), signed_letter(bench, false));
		assert_string_equal(result_of(&outcome), "pass");
		outcome = bench_verify_with(bench, &rules, text_slice(&zone),
					    replaced(bench, signed_letter(bench, false), "Hello.", "Hullo."));
		assert_slice(outcome.best->reason, "the body was changed");
	}
	dkim_private_free(other);
}

static void keys_of_a_selector_are_bounded(void **state)
{
	struct bench *bench = *state;
	struct dkim_rules rules = bench_rules();
	struct error err;
	struct dkim_private *other = dkim_private_generate(DKIM_RSA, &err);
	struct slice theirs = dkim_private_record(other, bench->arena);

	for (int before = KEYS_MAX - 1; before <= KEYS_MAX; before++) {
		struct dkim_outcome outcome;
		struct text zone;

		text_init(&zone, bench->arena, 100000);
		for (int i = 0; i < before; i++) /* notes, so that they are different records */
			publish(&zone, arena_printf(bench->arena, "%.*s; n=%d", SLICE_ARGS(theirs), i));
		publish(&zone, dkim_private_record(bench->rsa, bench->arena));
		outcome = bench_verify_with(bench, &rules, text_slice(&zone), signed_letter(bench, false));
		assert_string_equal(result_of(&outcome), before < KEYS_MAX ? "pass" : "permerror");
		assert_slice(outcome.best->reason,
			     before < KEYS_MAX ? "" : "there are more key records than are tried");
	}
	dkim_private_free(other);
}

/* Both engines are given the key that each was made with. */
static void two_signatures_of_one_selector_have_a_key_each(void **state)
{
	struct bench copy = *(struct bench *)*state, *bench = &copy;
	struct dkim_rules rules = bench_rules();
	struct dkim_signing signing = bench_signing(bench, true);
	struct dkim_outcome outcome;
	struct error err;
	struct text zone;
	struct slice text;

	bench->arena = arena_new();
	signing.selector = SLICE("rsa");
	text = bench_sign(bench, &signing, signed_letter(bench, false));
	text_init(&zone, bench->arena, 10000);
	publish(&zone, dkim_private_record(bench->rsa, bench->arena));
	publish(&zone, dkim_private_record(bench->ed, bench->arena));
	rules.library = dkim_library_open(&err);
	for (int engine = DKIM_NATIVE; engine <= (rules.library ? DKIM_COMPARE : DKIM_NATIVE); engine++) {
		rules.engine = (enum dkim_engine)engine;
		outcome = bench_verify_with(bench, &rules, text_slice(&zone), text);
		assert_int_equal(outcome.count, 2);
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(outcome.signatures[i].result, DKIM_PASS);
			assert_null(outcome.signatures[i].second);
		}
	}
	arena_free(bench->arena); /* the verifiers with it, before the library */
	dkim_library_close(rules.library);
}

/* libopendkim subtracts its clock drift from them without a sign: a signature of 1970 is not from the future. */
static void small_times_are_not_in_the_future(void **state)
{
	static const int64_t times[] = {0, 1, 299, 300, 301};
	struct bench copy = *(struct bench *)*state, *bench = &copy;
	struct dkim_rules rules = bench_rules();
	struct error err;

	bench->arena = arena_new();
	rules.library = dkim_library_open(&err);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct dkim_signing signing = bench_signing(bench, false);
		struct slice text = signed_letter(bench, false); /* and one of today beside it */

		signing.now_s = times[i];
		text = bench_sign(bench, &signing, text);
		for (int engine = DKIM_NATIVE; engine <= (rules.library ? DKIM_COMPARE : DKIM_NATIVE); engine++) {
			struct dkim_outcome outcome;

			rules.engine = (enum dkim_engine)engine;
			outcome = bench_verify_with(bench, &rules, bench->zone, text);
			for (size_t k = 0; k < 2; k++) {
				assert_slice(outcome.signatures[k].reason, "");
				assert_int_equal(outcome.signatures[k].result, DKIM_PASS);
				assert_null(outcome.signatures[k].second);
			}
		}
	}
	arena_free(bench->arena);
	dkim_library_close(rules.library);
}

/* RFC 5234 2.3: strings of an ABNF ignore case. v= is not a word, and stays as it is. */
static void words_of_a_signature_have_no_case(void **state)
{
	static const struct {
		const char *tags;
		enum dkim_result result;
	} cases[] = {
	    {"v=1; a=rsa-sha256; c=relaxed/simple; q=dns/txt", DKIM_NONE},
	    {"v=1; a=RSA-SHA256; c=Relaxed/SIMPLE; q=DNS/txt", DKIM_NONE},
	    {"v=1; a=rsa-sha256; c=relaxed/simple; q=http:DNS/TXT", DKIM_NONE},
	    {"v=1; a=rsa-sha256; c=relaxed/simple; q=http", DKIM_NEUTRAL},
	    {"v=01; a=rsa-sha256; c=relaxed/simple", DKIM_PERMERROR},
	    {"V=1; a=rsa-sha256; c=relaxed/simple", DKIM_PERMERROR},
	};
	struct bench *bench = *state;
	const struct dkim_rules rules = bench_rules();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct header_field field = {.name = SLICE("DKIM-Signature"), .index = 1};
		struct dkim_signature seen = {.result = DKIM_NONE};
		struct signature signature = {.seen = &seen, .field = &field};

		field.value = arena_printf(bench->arena,
					   "%s; d=example.org; s=s; h=from; b=AAAA; "
					   "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
					   cases[i].tags);
		signature_read(&signature, &rules, bench->arena);
		if (seen.result != cases[i].result)
			print_error("signature \"%s\": %.*s\n", cases[i].tags, SLICE_ARGS(seen.reason));
		assert_int_equal(seen.result, cases[i].result);
		if (cases[i].result != DKIM_NONE)
			continue;
		assert_int_equal(signature.header_canon, DKIM_RELAXED);
		assert_int_equal(signature.body_canon, DKIM_SIMPLE);
		assert_int_equal(signature.algorithm, DKIM_RSA);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(of_several_keys_each_is_tried),
	    cmocka_unit_test(keys_of_a_selector_are_bounded),
	    cmocka_unit_test(two_signatures_of_one_selector_have_a_key_each),
	    cmocka_unit_test(small_times_are_not_in_the_future),
	    cmocka_unit_test(words_of_a_signature_have_no_case),
	};

	return cmocka_run_group_tests_name("dkim keys", tests, bench_open, bench_close);
}
