/*
 * key.c - a published key (RFC 6376 3.6.1, RFC 8463 4, RFC 8301 3.2): from a TXT record to a decoded key.
 */
#include "dkim_private.h"
#include <openssl/rsa.h>
#include <openssl/core_names.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define RECORD_MAX (16 * 1024) /* a key of 4096 bits takes 740 bytes; the rest can be notes */
#define EXPONENT_BITS_MAX                                                                                              \
	64              /* OpenSSL's own bound for long keys; a short key with a long one costs a thousand times more */
#define ED25519_SIZE 32 /* RFC 8463 4.2 */
#define ED25519_BITS 256

static void bad(struct key *key, enum dkim_result result, const char *reason)
{
	key->result = result;
	key->reason = reason;
}

/* RFC 8463 4.2: the bare key. */
static EVP_PKEY *read_ed25519(struct slice bytes)
{
	if (bytes.n != ED25519_SIZE)
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)bytes.p, bytes.n);
}

/* RFC 6376 3.6.1 says RSAPublicKey, its errata and practice SubjectPublicKeyInfo: both are read. */
static EVP_PKEY *read_rsa(struct slice bytes)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)bytes.n);

	if (pkey && EVP_PKEY_base_id(pkey) == EVP_PKEY_RSA)
		return pkey;
	EVP_PKEY_free(pkey);
	p = (const unsigned char *)bytes.p;
	return d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)bytes.n);
}

static bool exponent_is_long(const EVP_PKEY *pkey)
{
	BIGNUM *e = NULL;
	bool is_long =
	    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1 || BN_num_bits(e) > EXPONENT_BITS_MAX;

	BN_free(e);
	return is_long;
}

static void prepare(struct key *key)
{
	key->verifying = rsa_context(key->pkey, EVP_PKEY_verify_init);
	if (!key->verifying)
		bad(key, DKIM_PERMERROR, "the crypto library cannot verify with the RSA key");
}

/* p= */
static void read_public(struct key *key, struct slice text)
{
	unsigned char *bytes;
	size_t n;

	if (text.n == 0) {
		bad(key, DKIM_PERMERROR, "the key was revoked");
		return;
	}
	bytes = xmalloc(text.n);
	n = base64_decode_into(text, bytes);
	if (n != SIZE_MAX) {
		struct slice decoded = {(const char *)bytes, n};

		key->pkey = key->algorithm == DKIM_RSA ? read_rsa(decoded) : read_ed25519(decoded);
	}
	free(bytes);
	if (!key->pkey) {
		bad(key, DKIM_PERMERROR,
		    key->algorithm == DKIM_RSA ? "p= of the key record is not an RSA key"
					       : "p= of the key record is not an Ed25519 key");
		return;
	}
	key->bits = key->algorithm == DKIM_RSA ? (unsigned)EVP_PKEY_bits(key->pkey) : ED25519_BITS;
	if (key->algorithm == DKIM_RSA && key->bits > DKIM_RSA_BITS_MAX)
		bad(key, DKIM_POLICY, "the RSA key has more than 4096 bits");
	else if (key->algorithm == DKIM_RSA && exponent_is_long(key->pkey))
		bad(key, DKIM_POLICY, "the RSA key has an exponent of more than 64 bits");
	else if (key->algorithm == DKIM_RSA)
		prepare(key);
}

static struct slice value_of(const struct tags *tags, const char *name, struct slice otherwise)
{
	const struct tag *tag = tags_find(tags, name);

	return tag ? tag->value : otherwise;
}

static void read_tags(struct key *key, const struct tags *tags)
{
	struct slice kind = value_of(tags, "k", SLICE("rsa")), flags = value_of(tags, "t", SLICE(""));
	struct slice services = value_of(tags, "s", SLICE("*"));
	const struct tag *hashes = tags_find(tags, "h"), *p = tags_find(tags, "p");

	key->testing = items_have(flags, SLICE("y"));
	key->strict = items_have(flags, SLICE("s"));
	if (slice_equal_nocase(kind, SLICE("ed25519")))
		key->algorithm = DKIM_ED25519;
	if (key->algorithm == DKIM_RSA && !slice_equal_nocase(kind, SLICE("rsa")))
		bad(key, DKIM_PERMERROR, "k= of the key record is unknown");
	else if (hashes && !items_have(hashes->value, SLICE("sha256")))
		bad(key, DKIM_PERMERROR, "h= of the key record does not allow SHA-256");
	else if (!items_have(services, SLICE("*")) && !items_have(services, SLICE("email")))
		bad(key, DKIM_PERMERROR, "s= of the key record does not allow mail");
	else
		read_public(key, p->value);
}

#define VERSION "DKIM1"

/* NULL: it is a key record (RFC 6376 3.6.1), usable or not; else what is wrong, and *near_r says whether it was meant
 * to be one. All other records are not for us: SPF, or tokens of web services. */
static const char *not_a_record(struct slice text, struct tags *tags, bool *near_r)
{
	const char *wrong = tags_parse(text, tags);
	const struct tag *version = wrong ? NULL : tags_find(tags, "v"), *p = wrong ? NULL : tags_find(tags, "p");

	*near_r = slice_starts_nocase(slice_trim(text), SLICE("v=" VERSION)) ||
		  (version ? slice_equal_nocase(version->value, SLICE(VERSION)) : p != NULL);
	if (wrong)
		return "the key record is not a tag list";
	if (version && !slice_equal(version->value, SLICE(VERSION)))
		return "v= of the key record is not " VERSION;
	if (version && version != &tags->list[0])
		return "v= of the key record does not come first";
	return p ? NULL : "the key record has no p=";
}

bool key_read(struct key *key, struct slice text)
{
	const char *wrong;
	struct tags tags;
	bool near;

	*key = (struct key){.result = DKIM_PASS};
	wrong = not_a_record(slice_head(text, RECORD_MAX), &tags, &near);
	if (text.n > RECORD_MAX && near)
		bad(key, DKIM_PERMERROR, "the key record is too long");
	else if (wrong)
		bad(key, near ? DKIM_PERMERROR : DKIM_NONE, near ? wrong : "it is not a key record");
	else
		read_tags(key, &tags);
	return !wrong && text.n <= RECORD_MAX;
}

void key_release(struct key *key)
{
	EVP_PKEY_CTX_free(key->verifying);
	EVP_PKEY_free(key->pkey);
	*key = (struct key){.result = DKIM_NONE};
}

struct slice key_name(struct slice selector, struct slice domain, struct arena *arena)
{
	return arena_join(arena, selector, SLICE("._domainkey."), domain);
}
