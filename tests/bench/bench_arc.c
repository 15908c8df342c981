/*
 * bench_arc.c - what ARC costs when the keys are known: a message of 2 KB with three sets and a DKIM signature beside
 * the same message without the sets, and with the bare operations of the crypto library; and a set made beside its two
 * signatures.
 *
 * One line each: how many times as much as the other way, the difference, and microseconds of processor time.
 */
#include "../../filter/dkim/dkim_private.h"
#include "arc.h"
#include "measure.h"

#define NOW   1700000000
#define LINE  "What was said, and who said it, is in the minutes that lie here.\r\n"
#define LINES 31 /* 2 KB of them */
#define SETS  3

struct scene {
	struct arena *arena, *message; /* message: reset for each */
	struct dkim_private *private;
	struct resolver *resolver;
	struct headers signed_once, sealed; /* with a DKIM signature; with three sets on top of it */
	struct slice body;
	EVP_PKEY_CTX *verifying, *making;
	unsigned char hash[DKIM_SHA256_SIZE], made[512];
	size_t made_size;
	unsigned bare; /* verifications */
};

/* DKIM, ARC, or both, on one body. */
static void verify(struct scene *scene, const struct headers *headers, bool with_dkim, bool arc)
{
	const struct dkim_rules rules = {
	    .now_s = NOW + 10, .minimum_bits = DKIM_RSA_BITS_MIN, .signatures = DKIM_SIGNATURES};
	const struct arc_rules arc_rules = {.now_s = NOW + 10, .minimum_bits = DKIM_RSA_BITS_MIN, .sets = ARC_SETS_MAX};
	struct dns_budget *budget = dns_budget_open(scene->resolver, scene->message, DNS_BUDGET_QUESTIONS);
	struct dkim_body *body = dkim_body_new(scene->message);
	struct dkim_verifier *verifier =
	    with_dkim ? dkim_verify_begin(&rules, headers, SLICE("example.org"), body, scene->message) : NULL;
	struct arc_verifier *chain = arc ? arc_verify_begin(&arc_rules, headers, body, scene->message) : NULL;
	struct dkim_outcome dkim = {.result = DKIM_PASS};
	struct arc_outcome outcome;

	dkim_body_add(body, scene->body);
	dkim_body_end(body);
	if (with_dkim)
		dkim_verify_end(verifier, budget, &dkim);
	if (arc)
		arc_verify_end(chain, budget, &outcome);
	if (dkim.result != DKIM_PASS || (arc && (outcome.result != ARC_PASS || outcome.sets != SETS)))
		die("what we made does not pass");
	dns_budget_close(budget);
	arena_reset(scene->message);
}

static void bare_verify(struct scene *scene)
{
	if (EVP_PKEY_verify(scene->verifying, scene->made, scene->made_size, scene->hash, DKIM_SHA256_SIZE) != 1)
		die("the crypto library does not verify");
}

static void verify_both(void *with)
{
	struct scene *scene = with;

	verify(scene, &scene->sealed, true, true);
}

static void verify_arc(void *with)
{
	struct scene *scene = with;

	verify(scene, &scene->sealed, false, true);
}

static void verify_dkim_and_bare(void *with)
{
	struct scene *scene = with;

	verify(scene, &scene->signed_once, true, false);
	for (unsigned i = 0; i < scene->bare; i++)
		bare_verify(scene);
}

static struct arc_made seal(struct scene *scene, const struct headers *headers, unsigned sets, struct arena *arena)
{
	const struct arc_outcome arrived = {.result = sets ? ARC_PASS : ARC_NONE, .sets = sets, .reason = SLICE("")};
	const struct arc_sealing sealing = {
	    .arrived = &arrived,
	    .domain = SLICE("example.org"),
	    .selector = SLICE("key"),
	    .key = scene->private,
	    .now_s = NOW,
	    .results = SLICE(
		"mx.example.net;\n\tspf=pass smtp.mailfrom=alice@example.org;\n\tdmarc=pass header.from=example.org"),
	};
	struct dkim_body *body = dkim_body_new(scene->message);
	struct arc_made made;
	struct error err = {""};

	dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);
	dkim_body_add(body, scene->body);
	dkim_body_end(body);
	if (arc_seal(&sealing, headers->fields, headers->count, body, arena, &made, &err))
		die("%s", err.text);
	return made;
}

static void seal_once(void *with)
{
	struct scene *scene = with;

	seal(scene, &scene->sealed, SETS, scene->message);
	arena_reset(scene->message);
}

static void bare_sign_twice(void *with)
{
	struct scene *scene = with;

	for (int i = 0; i < 2; i++) {
		scene->made_size = sizeof(scene->made);
		if (EVP_PKEY_sign(scene->making, scene->made, &scene->made_size, scene->hash, DKIM_SHA256_SIZE) != 1)
			die("the crypto library does not sign");
	}
}

/* ---- the scene -------------------------------------------------------------------------------- */

static const char header[] = "Received: from mail.example.org (mail.example.org [192.0.2.1])\n"
			     "\tby mx.example.com with ESMTPS id 4Abc for <bob@example.com>;\n"
			     "\tTue, 14 Nov 2023 22:13:20 +0000\n"
			     "From: Alice Example <alice@example.org>\n"
			     "To: Bob Example <bob@example.com>\n"
			     "Subject: The minutes of the last meeting\n"
			     "Date: Tue, 14 Nov 2023 22:13:18 +0000\n"
			     "Message-ID: <20231114221318.1234@mail.example.org>\n"
			     "MIME-Version: 1.0\n"
			     "Content-Type: text/plain; charset=utf-8\n\n";

static void add_all(struct headers *headers, const struct headers *more)
{
	for (size_t i = 0; i < more->count; i++)
		headers_add(headers, more->fields[i].name, more->fields[i].value);
}

static void sign(struct scene *scene, const struct headers *plain)
{
	const struct dkim_signing signing = {.domain = SLICE("example.org"),
					     .selector = SLICE("key"),
					     .key = scene->private,
					     .header_canon = DKIM_RELAXED,
					     .body_canon = DKIM_RELAXED,
					     .now_s = NOW};
	struct dkim_body *body = dkim_body_new(scene->arena);
	struct error err = {""};
	struct slice value;

	dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);
	dkim_body_add(body, scene->body);
	dkim_body_end(body);
	value = dkim_signature_make(&signing, dkim_fields_new(plain->fields, plain->count, scene->arena), body,
				    scene->arena, &err);
	headers_init(&scene->signed_once, scene->arena);
	headers_add(&scene->signed_once, SLICE("DKIM-Signature"), value);
	add_all(&scene->signed_once, plain);
}

static void make_message(struct scene *scene)
{
	struct slice rest = slice_of(header), name, value;
	struct headers plain;
	struct text body;

	headers_init(&plain, scene->arena);
	while (message_next_field(&rest, scene->arena, &name, &value))
		headers_add(&plain, name, value);
	text_init(&body, scene->arena, 100000);
	for (int i = 0; i < LINES; i++)
		text_add(&body, SLICE(LINE));
	scene->body = text_slice(&body);
	sign(scene, &plain);
	scene->sealed = scene->signed_once;
	for (unsigned i = 0; i < SETS; i++) {
		struct arc_made made = seal(scene, &scene->sealed, i, scene->arena);
		struct headers more;

		headers_init(&more, scene->arena);
		headers_add(&more, SLICE("ARC-Seal"), made.seal);
		headers_add(&more, SLICE("ARC-Message-Signature"), made.signature);
		headers_add(&more, SLICE("ARC-Authentication-Results"), made.results);
		add_all(&more, &scene->sealed);
		scene->sealed = more;
	}
}

int main(void)
{
	struct scene scene = {.arena = arena_new(), .message = arena_new()};
	struct slice record, zone;
	struct error err;

	scene.private = dkim_private_generate(DKIM_RSA, &err);
	record = dkim_private_record(scene.private, scene.arena);
	zone = arena_printf(scene.arena, "key._domainkey.example.org TXT \"%.*s\" \"%.*s\"\n",
			    SLICE_ARGS(slice_head(record, 200)), SLICE_ARGS(slice_from(record, 200)));
	scene.resolver = resolver_open_zone(zone, "bench", &err);
	if (!scene.resolver)
		die("%s", err.text);
	scene.verifying = rsa_context(private_pkey(scene.private), EVP_PKEY_verify_init);
	scene.making = rsa_context(private_pkey(scene.private), EVP_PKEY_sign_init);
	make_message(&scene);
	measure(&(struct measure){"seal 2 KB with three sets, RSA-2048", "two bare signatures", seal_once,
				  bare_sign_twice, &scene, 200});
	/* The message signature of the newest set is what a DKIM signature is. */
	scene.bare = SETS;
	measure(&(struct measure){"verify three sets, RSA-2048", "one DKIM signature, and three bare verifications",
				  verify_arc, verify_dkim_and_bare, &scene, 1000});
	measure(&(struct measure){"verify DKIM and three sets, RSA-2048", "DKIM, and three bare verifications",
				  verify_both, verify_dkim_and_bare, &scene, 1000});
	scene.bare = SETS + 1;
	measure(&(struct measure){"the same", "DKIM, and four bare verifications", verify_both, verify_dkim_and_bare,
				  &scene, 1000});
	EVP_PKEY_CTX_free(scene.verifying);
	EVP_PKEY_CTX_free(scene.making);
	resolver_release(scene.resolver);
	dkim_private_free(scene.private);
	arena_free(scene.message);
	arena_free(scene.arena);
	return 0;
}
