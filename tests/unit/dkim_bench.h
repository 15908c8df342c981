/*
 * dkim_bench.h - for the tests of DKIM: keys made once, messages signed by us, and
 * the verifier over zone text.
 */
#ifndef SEKISHO_DKIM_BENCH_H
#define SEKISHO_DKIM_BENCH_H

#include "../../filter/dkim/dkim_private.h"
#include "assert_slice.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
	struct arena *arena;
	struct dkim_private *rsa, *ed;
	struct slice zone; /* publishes them as rsa and ed of example.org and news.example.org */
};

static inline int bench_open(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct error err;
	struct text zone;

	bench->arena = arena_new();
	bench->rsa = dkim_private_generate(DKIM_RSA, &err);
	bench->ed = dkim_private_generate(DKIM_ED25519, &err);
	text_init(&zone, bench->arena, 100000);
	for (int i = 0; i < 4; i++) {
		struct slice record = dkim_private_record(i % 2 ? bench->ed : bench->rsa, bench->arena);

		text_printf(&zone, "%s._domainkey.%sexample.org TXT \"%.*s\" \"%.*s\"\n", i % 2 ? "ed" : "rsa",
			    i / 2 ? "news." : "", SLICE_ARGS(slice_head(record, 200)),
			    SLICE_ARGS(slice_from(record, 200)));
	}
	bench->zone = text_slice(&zone);
	*state = bench;
	return 0;
}

static inline int bench_close(void **state)
{
	struct bench *bench = *state;

	dkim_private_free(bench->rsa);
	dkim_private_free(bench->ed);
	arena_free(bench->arena);
	free(bench);
	return 0;
}

struct mail {
	struct headers headers;
	struct slice body;
};

/* Fields up to an empty line, then the body; lines end with \n. */
static inline struct mail mail_of(struct bench *bench, struct slice text)
{
	struct mail mail;
	struct slice name, value;

	headers_init(&mail.headers, bench->arena);
	while (message_next_field(&text, bench->arena, &name, &value))
		headers_add(&mail.headers, name, value);
	mail.body = text;
	return mail;
}

#define BENCH_NOW 1700000000

static inline struct dkim_signing bench_signing(struct bench *bench, bool ed)
{
	return (struct dkim_signing){
	    .domain = SLICE("example.org"),
	    .selector = ed ? SLICE("ed") : SLICE("rsa"),
	    .key = ed ? bench->ed : bench->rsa,
	    .header_canon = DKIM_RELAXED,
	    .body_canon = DKIM_RELAXED,
	    .now_s = BENCH_NOW,
	};
}

/* The message with a signature on top. */
static inline struct slice bench_sign(struct bench *bench, const struct dkim_signing *signing, struct slice text)
{
	struct mail mail = mail_of(bench, text);
	struct dkim_body *body = dkim_body_new(bench->arena);
	struct error err = {""};
	struct slice value;

	dkim_body_want(body, signing->body_canon, DKIM_WHOLE);
	dkim_body_add(body, mail.body);
	dkim_body_end(body);
	value = dkim_signature_make(signing, dkim_fields_new(mail.headers.fields, mail.headers.count, bench->arena),
				    body, bench->arena, &err);
	assert_string_equal(err.text, "");
	return arena_printf(bench->arena, "DKIM-Signature:%.*s\n%.*s", SLICE_ARGS(value), SLICE_ARGS(text));
}

static inline struct dkim_rules bench_rules(void)
{
	return (struct dkim_rules){
	    .now_s = BENCH_NOW + 10, .minimum_bits = DKIM_RSA_BITS_MIN, .signatures = DKIM_SIGNATURES};
}

static inline struct dkim_outcome bench_verify_with(struct bench *bench, const struct dkim_rules *rules,
						    struct slice zone, struct slice text)
{
	struct error err = {""};
	struct resolver *resolver = resolver_open_zone(zone, "zone", &err);
	struct mail mail = mail_of(bench, text);
	struct dkim_body *body = dkim_body_new(bench->arena);
	struct dkim_verifier *verifier;
	struct dkim_outcome outcome;
	struct dns_budget *budget;

	assert_string_equal(err.text, "");
	budget = dns_budget_open(resolver, bench->arena, 100);
	verifier =
	    dkim_verify_begin(rules, &mail.headers, author_domain(&mail.headers, bench->arena), body, bench->arena);
	dkim_body_add(body, mail.body);
	dkim_verify_body(verifier, mail.body);
	dkim_verify_end(verifier, budget, &outcome);
	dns_budget_close(budget);
	resolver_release(resolver);
	return outcome;
}

static inline struct dkim_outcome bench_verify(struct bench *bench, struct slice text)
{
	struct dkim_rules rules = bench_rules();

	return bench_verify_with(bench, &rules, bench->zone, text);
}

/* `text` with the first `old` replaced; fails when it is not there. */
static inline struct slice replaced(struct bench *bench, struct slice text, const char *old, const char *new)
{
	const char *at = memmem(text.p, text.n, old, strlen(old));

	assert_non_null(at);
	return arena_printf(bench->arena, "%.*s%s%.*s", (int)(at - text.p), text.p, new,
			    (int)(text.p + text.n - at - strlen(old)), at + strlen(old));
}

#endif
