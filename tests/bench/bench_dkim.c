/*
 * bench_dkim.c - what DKIM costs when the key is known: a message of 2 KB verified and
 * signed, beside libopendkim and beside the bare operation of the crypto library; and the canonical body of 1 MB beside
 * its SHA-256 alone.
 *
 * One line each: how many times as much as the other way, the difference, and microseconds of processor time.
 */
#include <string.h>

#include "../../filter/dkim/dkim_private.h"
#include "bare.h"
#include "measure.h"

#define NOW         1700000000
#define LINE        "What was said, and who said it, is in the minutes that lie here.\r\n"
#define LINES       31 /* 2 KB of them */
#define LARGE       ((size_t)1 << 20)
#define CHUNK       65535 /* as milters get it */
#define FIELDS_MOST 16

/* ---- a message of 2 KB, with one signature -------------------------------------------------------- */

struct scene {
	struct arena *arena, *message; /* message: reset for each */
	struct dkim_private *private;
	struct dkim_signing signing;
	struct resolver *resolver;
	struct bare *bare;
	struct headers plain, headers; /* without and with the signature */
	struct slice fields[FIELDS_MOST];
	struct slice body;
	EVP_PKEY_CTX *verifying, *making; /* RSA, ready to be used again and again */
	EVP_MD_CTX *md;                   /* Ed25519 knows no other way */
	unsigned char hash[DKIM_SHA256_SIZE], made[512];
	size_t made_size;
};

static void sign(struct scene *scene, struct slice *value_r)
{
	struct dkim_body *body = dkim_body_new(scene->message);
	struct error err = {""};

	dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);
	dkim_body_add(body, scene->body);
	dkim_body_end(body);
	*value_r = dkim_signature_make(&scene->signing,
				       dkim_fields_new(scene->plain.fields, scene->plain.count, scene->message), body,
				       scene->message, &err);
	if (value_r->n == 0)
		die("%s", err.text);
}

static void sign_once(void *with)
{
	struct scene *scene = with;
	struct slice value;

	sign(scene, &value);
	arena_reset(scene->message);
}

static enum dkim_result verify(struct scene *scene, const struct headers *headers, struct slice text)
{
	struct dkim_rules rules = {.now_s = NOW + 10, .minimum_bits = DKIM_RSA_BITS_MIN, .signatures = DKIM_SIGNATURES};
	struct dns_budget *budget = dns_budget_open(scene->resolver, scene->message, DNS_BUDGET_QUESTIONS);
	struct dkim_body *body = dkim_body_new(scene->message);
	struct dkim_verifier *verifier = dkim_verify_begin(&rules, headers, SLICE("example.org"), body, scene->message);
	struct dkim_outcome outcome;

	dkim_body_add(body, text);
	dkim_verify_end(verifier, budget, &outcome);
	dns_budget_close(budget);
	arena_reset(scene->message);
	return outcome.result;
}

static void verify_once(void *with)
{
	struct scene *scene = with;

	if (verify(scene, &scene->headers, scene->body) != DKIM_PASS)
		die("our own signature does not pass");
}

static void verify_empty(void *with)
{
	static const struct headers none;

	verify(with, &none, SLICE(""));
}

static void verify_by_opendkim(void *with)
{
	struct scene *scene = with;

	if (!bare_verify(scene->bare, scene->fields, scene->headers.count, scene->body))
		die("libopendkim does not pass our signature");
}

static void bare_verify_rsa(void *with)
{
	struct scene *scene = with;

	if (EVP_PKEY_verify(scene->verifying, scene->made, scene->made_size, scene->hash, DKIM_SHA256_SIZE) != 1)
		die("the crypto library does not verify");
}

static void bare_sign_rsa(void *with)
{
	struct scene *scene = with;

	scene->made_size = sizeof(scene->made);
	if (EVP_PKEY_sign(scene->making, scene->made, &scene->made_size, scene->hash, DKIM_SHA256_SIZE) != 1)
		die("the crypto library does not sign");
}

static void bare_verify_ed25519(void *with)
{
	struct scene *scene = with;

	if (EVP_DigestVerifyInit(scene->md, NULL, NULL, NULL, private_pkey(scene->private)) != 1 ||
	    EVP_DigestVerify(scene->md, scene->made, scene->made_size, scene->hash, DKIM_SHA256_SIZE) != 1)
		die("the crypto library does not verify");
}

static void bare_sign_ed25519(void *with)
{
	struct scene *scene = with;

	scene->made_size = sizeof(scene->made);
	if (EVP_DigestSignInit(scene->md, NULL, NULL, NULL, private_pkey(scene->private)) != 1 ||
	    EVP_DigestSign(scene->md, scene->made, &scene->made_size, scene->hash, DKIM_SHA256_SIZE) != 1)
		die("the crypto library does not sign");
}

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

/* `text` again and again, n bytes in all. */
static struct slice repeated(const char *text, size_t n, struct arena *arena)
{
	char *p = arena_alloc(arena, n);
	size_t length = strlen(text);

	for (size_t i = 0; i < n; i++)
		p[i] = text[i % length];
	return (struct slice){p, n};
}

static void read_message(struct scene *scene)
{
	struct slice rest = slice_of(header), name, value;

	headers_init(&scene->plain, scene->arena);
	headers_init(&scene->headers, scene->arena);
	while (message_next_field(&rest, scene->arena, &name, &value))
		headers_add(&scene->plain, name, value);
	scene->body = repeated(LINE, LINES * (sizeof(LINE) - 1), scene->arena);
	sign(scene, &value);
	headers_add(&scene->headers, SLICE("DKIM-Signature"), value);
	for (size_t i = 0; i < scene->plain.count; i++)
		headers_add(&scene->headers, scene->plain.fields[i].name, scene->plain.fields[i].value);
	for (size_t i = 0; i < scene->headers.count; i++)
		scene->fields[i] = field_canonical(scene->headers.fields[i].name, scene->headers.fields[i].value,
						   DKIM_SIMPLE, scene->arena);
}

static void publish(struct scene *scene)
{
	struct slice record = dkim_private_record(scene->private, scene->arena);
	struct slice zone = arena_printf(scene->arena, "key._domainkey.example.org TXT \"%.*s\" \"%.*s\"\n",
					 SLICE_ARGS(slice_head(record, 200)), SLICE_ARGS(slice_from(record, 200)));
	struct error err;

	scene->resolver = resolver_open_zone(zone, "bench", &err);
	if (!scene->resolver)
		die("%s", err.text);
	scene->bare = bare_open(record);
}

static void scene_open(struct scene *scene, enum dkim_algorithm algorithm)
{
	struct error err;

	*scene = (struct scene){.arena = arena_new(), .message = arena_new()};
	scene->private = dkim_private_generate(algorithm, &err);
	if (!scene->private)
		die("%s", err.text);
	scene->signing = (struct dkim_signing){.domain = SLICE("example.org"),
					       .selector = SLICE("key"),
					       .key = scene->private,
					       .header_canon = DKIM_RELAXED,
					       .body_canon = DKIM_RELAXED,
					       .now_s = NOW};
	publish(scene);
	read_message(scene);
	scene->md = EVP_MD_CTX_new();
	if (algorithm == DKIM_RSA) {
		scene->verifying = rsa_context(private_pkey(scene->private), EVP_PKEY_verify_init);
		scene->making = rsa_context(private_pkey(scene->private), EVP_PKEY_sign_init);
	}
}

static void scene_close(struct scene *scene)
{
	EVP_PKEY_CTX_free(scene->verifying);
	EVP_PKEY_CTX_free(scene->making);
	EVP_MD_CTX_free(scene->md);
	bare_close(scene->bare);
	resolver_release(scene->resolver);
	dkim_private_free(scene->private);
	arena_free(scene->message);
	arena_free(scene->arena);
}

static void bench_rsa(void)
{
	struct scene scene;

	scene_open(&scene, DKIM_RSA);
	/* What the verifications need is made first. */
	measure(&(struct measure){"sign 2 KB, RSA-2048", "the bare operation", sign_once, bare_sign_rsa, &scene, 200});
	measure(&(struct measure){"verify 2 KB, RSA-2048, key known", "the bare operation", verify_once,
				  bare_verify_rsa, &scene, 2000});
	if (scene.bare)
		measure(&(struct measure){"verify 2 KB, RSA-2048, key known", "libopendkim alone", verify_once,
					  verify_by_opendkim, &scene, 500});
	measure(&(struct measure){"verify 2 KB, RSA-2048, key known", "a message without signatures", verify_once,
				  verify_empty, &scene, 2000});
	scene_close(&scene);
}

static void bench_ed25519(void)
{
	struct scene scene;

	scene_open(&scene, DKIM_ED25519);
	measure(
	    &(struct measure){"sign 2 KB, Ed25519", "the bare operation", sign_once, bare_sign_ed25519, &scene, 500});
	measure(&(struct measure){"verify 2 KB, Ed25519, key known", "the bare operation", verify_once,
				  bare_verify_ed25519, &scene, 500});
	scene_close(&scene);
}

/* ---- a body of 1 MB ---------------------------------------------------------------------------------- */

struct large {
	struct arena *arena; /* reset for each */
	struct slice text;
	enum dkim_canon kind;
};

static void hash_canonical(void *with)
{
	struct large *large = with;
	struct dkim_body *body = dkim_body_new(large->arena);

	dkim_body_want(body, large->kind, DKIM_WHOLE);
	for (size_t at = 0; at < large->text.n; at += CHUNK)
		dkim_body_add(body, slice_head(slice_from(large->text, at), CHUNK));
	dkim_body_end(body);
	arena_reset(large->arena);
}

static void hash_alone(void *with)
{
	struct large *large = with;
	unsigned char hash[DKIM_SHA256_SIZE];

	EVP_Digest(large->text.p, large->text.n, hash, NULL, EVP_sha256(), NULL);
}

/* Every choice of odd bytes between odd bytes. */
static struct slice mixed(size_t n, struct arena *arena)
{
	static const char odd[] = "  \t\r\n\nab";
	char *p = arena_alloc(arena, n);
	uint32_t seed = 1;

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = odd[(seed >> 16) % 8];
	}
	return (struct slice){p, n};
}

static void bench_body(const char *name, struct slice text)
{
	struct large large = {.arena = arena_new(), .text = text};
	char what[80];

	for (large.kind = DKIM_SIMPLE; large.kind <= DKIM_RELAXED; large.kind++) {
		snprintf(what, sizeof(what), "1 MB %s, %s", large.kind == DKIM_SIMPLE ? "simple" : "relaxed", name);
		measure(&(struct measure){what, "SHA-256 alone", hash_canonical, hash_alone, &large, 10});
	}
	arena_free(large.arena);
}

int main(void)
{
	static const struct {
		const char *name, *text;
	} bodies[] = {
	    {"base64", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n"},
	    {"prose", "the quick brown fox jumps over the lazy dog and then it runs away again.\r\n"},
	    {"indented HTML",
	     "    <td class=\"cell\">\r\n      <a href=\"https://example.org/winter\">Offer</a>\r\n\t</td>\r\n"},
	    {"flowed prose", "the quick brown fox jumps over the lazy dog and then it runs away \r\n"},
	    {"prose with LF alone", "the quick brown fox jumps over the lazy dog and then it runs away again.\n"},
	    {"double spaces", "a  b  c  d  "},
	    {"tabs", "\t"},
	    {"tabs between letters", "a\tb\t"},
	    {"CR alone", "\r"},
	    {"LF alone", "\n"},
	    {"empty lines", "\r\n"},
	    {"short lines that end in blanks", "a \r\nb\t \r\n"},
	};
	struct arena *arena = arena_new();

	bench_rsa();
	bench_ed25519();
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		bench_body(bodies[i].name, repeated(bodies[i].text, LARGE, arena));
	bench_body("blanks and line ends by chance", mixed(LARGE, arena));
	arena_free(arena);
	return 0;
}
