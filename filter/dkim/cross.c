/*
 * cross.c - each engine's signature before the other one's verifier.
 *
 * libopendkim must not send out what a reader would refuse: its signature is verified natively before anybody gets
 * it. And comparing, each engine signs the same message, and the other must accept it.
 */
#include "second.h"
#include <string.h>

/* A signature that was just made, in front of the header that it signs. */
struct made {
	struct header_field *fields;
	size_t count;
	struct dkim_signature seen;
	struct signature signature;
	struct key key;
};

static void made_read(struct made *made, const struct dkim_signing *signing, struct dkim_fields *fields,
		      const struct dkim_body *body, struct slice value, struct arena *arena)
{
	const struct dkim_rules rules = {.now_s = signing->now_s, .minimum_bits = DKIM_RSA_BITS_MIN, .signatures = 1};
	const struct header_field *list = fields_list(fields, &made->count);

	made->fields = arena_alloc(arena, (made->count + 1) * sizeof(*made->fields));
	made->fields[0] = (struct header_field){.name = SLICE("DKIM-Signature"), .value = value, .index = 1};
	if (made->count > 0)
		memcpy(made->fields + 1, list, made->count * sizeof(*list));
	made->count++;
	made->seen = (struct dkim_signature){.result = DKIM_NONE};
	made->signature = (struct signature){.seen = &made->seen, .field = &made->fields[0]};
	made->key = (struct key){.result = DKIM_PASS,
				 .algorithm = dkim_private_algorithm(signing->key),
				 .bits = dkim_private_bits(signing->key),
				 .pkey = private_pkey(signing->key)};
	signature_read(&made->signature, &rules, arena);
	made->signature.digest = body_digest(body, signing->body_canon, DKIM_WHOLE);
}

/* "" when our verifier takes it; else why not. */
static struct slice refused_natively(struct made *made, const struct dkim_signing *signing, struct dkim_fields *fields,
				     struct arena *arena)
{
	struct signature *signature = &made->signature;
	EVP_MD_CTX *hash;

	if (made->seen.result != DKIM_NONE)
		return made->seen.reason;
	if (signature->algorithm != made->key.algorithm || signature->body_canon != signing->body_canon ||
	    signature->length != DKIM_WHOLE || !slice_equal_nocase(made->seen.domain, signing->domain) ||
	    !slice_equal_nocase(made->seen.selector, signing->selector))
		return SLICE("its tags are not what was asked for");
	hash = EVP_MD_CTX_new();
	if (!hash)
		die("the crypto library has no SHA-256");
	signature_match(signature, fields, &made->key, hash, arena);
	EVP_MD_CTX_free(hash);
	return made->seen.reason;
}

struct slice cross_sign(const struct dkim_signing *signing, struct dkim_fields *fields, const struct dkim_body *body,
			struct arena *arena, struct error *err)
{
	struct slice value = second_sign(signing, fields, arena, err), why;
	struct made made;

	if (value.n == 0)
		return value;
	made_read(&made, signing, fields, body, value, arena);
	why = refused_natively(&made, signing, fields, arena);
	if (why.n == 0)
		return value;
	error_set(err, "what libopendkim signed does not verify: %.*s", SLICE_ARGS(why));
	return SLICE("");
}

static void take(void *second, struct slice chunk)
{
	second_body(second, chunk);
}

static enum second_word word_of(struct made *made, const struct dkim_signing *signing, struct arena *arena)
{
	const struct headers headers = {.fields = made->fields, .count = made->count};
	struct second *second = second_begin(signing->library, &headers, &made->signature, 1, arena);
	const struct key *key = &made->key;
	enum second_word word;

	if (spool_read(signing->spool, take, second))
		return SECOND_UNABLE;
	second_end(second, &key, &word);
	return word;
}

enum dkim_compared dkim_signature_compare(const struct dkim_signing *signing, struct dkim_fields *fields,
					  const struct dkim_body *body, struct slice value, struct arena *arena,
					  struct error *err)
{
	struct slice theirs = second_sign(signing, fields, arena, err), why;
	enum second_word word;
	struct made made;

	if (theirs.n == 0)
		return DKIM_NOT_COMPARED;
	made_read(&made, signing, fields, body, theirs, arena);
	why = refused_natively(&made, signing, fields, arena);
	if (why.n > 0) {
		error_set(err, "native refuses what libopendkim signed: %.*s", SLICE_ARGS(why));
		return DKIM_DISAGREE;
	}
	made_read(&made, signing, fields, body, value, arena);
	word = word_of(&made, signing, arena);
	if (word == SECOND_PASS)
		return DKIM_AGREE;
	error_set(err, word == SECOND_UNABLE ? "libopendkim cannot verify our signature"
					     : "libopendkim refuses what native signed");
	return word == SECOND_UNABLE ? DKIM_NOT_COMPARED : DKIM_DISAGREE;
}
