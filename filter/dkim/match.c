/*
 * match.c - are header and body what was signed (RFC 6376 3.7)? Two hashes and the key's own operation.
 */
#include "dkim_private.h"
#include <string.h>

static void judge_body(struct signature *signature)
{
	const struct dkim_digest *digest = signature->digest;

	if (!digest->reached)
		signature_judge(signature, DKIM_PERMERROR, "l= is longer than the body");
	else if (memcmp(digest->hash, signature->bh.p, DKIM_SHA256_SIZE) != 0)
		signature_judge(signature, DKIM_FAIL, "the body was changed");
}

/* What is signed: the fields that h= names, then the signature's own without b=. */
static void header_hash(const struct signature *signature, struct dkim_fields *fields, EVP_MD_CTX *hash,
			struct arena *arena, unsigned char *hash_r)
{
	const struct header_field *field = signature->field;
	struct slice own = value_without(field->value, signature->b_raw, arena);

	own = field_canonical(field->name, own, signature->header_canon, arena);
	EVP_DigestInit_ex2(hash, hash_kind(), NULL);
	fields_hash(fields, signature->names, signature->header_canon, field, hash);
	EVP_DigestUpdate(hash, own.p, own.n);
	EVP_DigestFinal_ex(hash, hash_r, NULL);
}

static enum dkim_result word_of(int verified)
{
	return verified == 1 ? DKIM_PASS : DKIM_FAIL;
}

/* Without a context nothing is known about the signature. That is not a fail, which could cost a message. */
static enum dkim_result verify_rsa(const EVP_PKEY_CTX *ready, struct slice b, const unsigned char *hash)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_dup(ready);
	enum dkim_result result = DKIM_TEMPERROR;

	if (context)
		result = word_of(EVP_PKEY_verify(context, (const unsigned char *)b.p, b.n, hash, DKIM_SHA256_SIZE));
	EVP_PKEY_CTX_free(context);
	return result;
}

/* RFC 8463 3: Ed25519 signs the SHA-256 of the header. */
static enum dkim_result verify_ed25519(EVP_PKEY *pkey, struct slice b, const unsigned char *hash)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	enum dkim_result result = DKIM_TEMPERROR;

	if (context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1)
		result = word_of(EVP_DigestVerify(context, (const unsigned char *)b.p, b.n, hash, DKIM_SHA256_SIZE));
	EVP_MD_CTX_free(context);
	return result;
}

enum dkim_result signature_verify(const struct key *key, struct slice b, const unsigned char *hash)
{
	return key->algorithm == DKIM_RSA ? verify_rsa(key->verifying, b, hash) : verify_ed25519(key->pkey, b, hash);
}

static enum dkim_result match_header(const struct signature *signature, struct dkim_fields *fields,
				     const struct key *key, EVP_MD_CTX *hash, struct arena *arena)
{
	unsigned char digest[DKIM_SHA256_SIZE];

	header_hash(signature, fields, hash, arena, digest);
	return signature_verify(key, signature->b, digest);
}

bool signature_fits(const struct signature *signature, struct dkim_fields *fields, const struct key *key,
		    EVP_MD_CTX *hash, struct arena *arena)
{
	return match_header(signature, fields, key, hash, arena) == DKIM_PASS;
}

void signature_match(struct signature *signature, struct dkim_fields *fields, const struct key *key, EVP_MD_CTX *hash,
		     struct arena *arena)
{
	enum dkim_result result;

	judge_body(signature);
	if (signature->seen->result != DKIM_NONE)
		return;
	result = match_header(signature, fields, key, hash, arena);
	if (result == DKIM_FAIL)
		signature_judge(signature, DKIM_FAIL, "the signature does not match the header");
	if (result == DKIM_TEMPERROR)
		signature_judge(signature, DKIM_TEMPERROR, "the crypto library cannot begin to verify");
}
