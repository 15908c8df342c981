/*
 * cross.c - which engine signs, and each engine's signature before the other one's verifier.
 *
 * libopendkim must not send what a verifier would refuse: its signature is verified natively before it is used.
 * When comparing, each engine signs the same message, and the other one must accept it.
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

/* "" when our verifier accepts it; else why not. */
static struct slice refused_natively(struct made *made, const struct dkim_signing *signing, struct dkim_fields *fields,
				     struct arena *arena)
{
	struct signature *signature = &made->signature;
	EVP_PKEY_CTX *verifying;

	if (made->seen.result != DKIM_NONE)
		return made->seen.reason;
	if (signature->algorithm != made->key.algorithm || signature->body_canon != signing->body_canon ||
	    signature->length != DKIM_WHOLE || !slice_equal_nocase(made->seen.domain, signing->domain) ||
	    !slice_equal_nocase(made->seen.selector, signing->selector))
		return SLICE("its tags are not those that were requested");
	made->key.verifying = verifying = rsa_context(made->key.pkey, EVP_PKEY_verify_init);
	if (!verifying)
		die("the crypto library cannot verify with a key that it signs with");
	signature_match(signature, fields, &made->key, hash_new(arena), arena);
	EVP_PKEY_CTX_free(verifying);
	return made->seen.reason;
}

bool dkim_signature_holds(const struct dkim_signing *signing, const struct header_field *field,
			  struct dkim_fields *fields, const struct dkim_body *body, struct arena *arena)
{
	const struct dkim_digest *digest = body_digest(body, signing->body_canon, DKIM_WHOLE);
	struct made made;

	if (field->value.n > DKIM_FIELD_MAX || !digest || !digest->reached)
		return false;
	made_read(&made, signing, fields, body, field->value, arena);
	return refused_natively(&made, signing, fields, arena).n == 0;
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

static bool is_rsa(const struct dkim_signing *signing)
{
	return dkim_private_algorithm(signing->key) == DKIM_RSA;
}

static void say_word(struct error *err, enum second_word word, const struct dkim_signing *signing)
{
	const char *trouble = spool_trouble(signing->spool);

	if (word == SECOND_UNABLE)
		error_set(err, "libopendkim cannot verify our signature: %s",
			  trouble ? trouble : "it cannot handle this header or body, for example a bare CR");
	else
		error_set(err, "libopendkim refuses what native signed");
}

/* libopendkim never frees an Ed25519 key that it has signed with: some 500 bytes a message, the secret among
 * them. So it only verifies our signature. */
static struct slice cross_sign_ed25519(const struct dkim_signing *signing, struct dkim_fields *fields,
				       const struct dkim_body *body, struct arena *arena, struct error *err)
{
	struct slice value =
	    sign_natively(signing, fields, body_digest(body, signing->body_canon, DKIM_WHOLE), arena, err);
	enum second_word word;
	struct made made;

	if (value.n == 0)
		return value;
	made_read(&made, signing, fields, body, value, arena);
	word = word_of(&made, signing, arena);
	if (word == SECOND_PASS)
		return value;
	say_word(err, word, signing);
	return SLICE("");
}

static struct slice cross_sign(const struct dkim_signing *signing, struct dkim_fields *fields,
			       const struct dkim_body *body, struct arena *arena, struct error *err)
{
	struct slice value, why;
	struct made made;

	if (!is_rsa(signing))
		return cross_sign_ed25519(signing, fields, body, arena, err);
	value = second_sign(signing, fields, arena, err);
	if (value.n == 0)
		return value;
	made_read(&made, signing, fields, body, value, arena);
	why = refused_natively(&made, signing, fields, arena);
	if (why.n == 0)
		return value;
	error_set(err, "what libopendkim signed does not verify: %.*s", SLICE_ARGS(why));
	return SLICE("");
}

struct slice dkim_signature_make(const struct dkim_signing *signing, struct dkim_fields *fields,
				 const struct dkim_body *body, struct arena *arena, struct error *err)
{
	const struct dkim_digest *digest = body_digest(body, signing->body_canon, DKIM_WHOLE);

	if (!digest || !digest->reached) {
		error_set(err, "the body was not hashed in the form that the signature for %.*s needs",
			  SLICE_ARGS(signing->domain));
		return SLICE("");
	}
	if (signing->engine == DKIM_LIBOPENDKIM)
		return cross_sign(signing, fields, body, arena, err);
	return sign_natively(signing, fields, digest, arena, err);
}

/* Our verifier must accept what it signs. */
static enum dkim_compared compare_theirs(const struct dkim_signing *signing, struct dkim_fields *fields,
					 const struct dkim_body *body, struct arena *arena, struct error *err)
{
	struct slice value = second_sign(signing, fields, arena, err), why;
	struct made made;

	if (value.n == 0)
		return DKIM_NOT_COMPARED;
	made_read(&made, signing, fields, body, value, arena);
	why = refused_natively(&made, signing, fields, arena);
	if (why.n == 0)
		return DKIM_AGREE;
	error_set(err, "native refuses what libopendkim signed: %.*s", SLICE_ARGS(why));
	return DKIM_DISAGREE;
}

enum dkim_compared dkim_signature_compare(const struct dkim_signing *signing, struct dkim_fields *fields,
					  const struct dkim_body *body, struct slice value, struct arena *arena,
					  struct error *err)
{
	enum dkim_compared theirs = is_rsa(signing) ? compare_theirs(signing, fields, body, arena, err) : DKIM_AGREE;
	enum second_word word;
	struct made made;

	if (theirs != DKIM_AGREE)
		return theirs;
	made_read(&made, signing, fields, body, value, arena);
	word = word_of(&made, signing, arena);
	if (word == SECOND_PASS)
		return DKIM_AGREE;
	say_word(err, word, signing);
	return word == SECOND_UNABLE ? DKIM_NOT_COMPARED : DKIM_DISAGREE;
}
