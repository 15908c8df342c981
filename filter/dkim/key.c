/*
 * key.c - published keys (RFC 6376 3.6.1, RFC 8463 4, RFC 8301 3.2): from the answer
 * of the DNS to a decoded key.
 *
 * A key is read once and stays with the cached answer, decoded, since decoding
 * costs more than verifying. Whether it suits a signature is asked of each signature.
 */
#include "dkim_private.h"
#include <openssl/rsa.h>
#include <openssl/core_names.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define RECORD_MAX (16 * 1024) /* a key of 4096 bits takes 740 bytes; the rest is notes */
#define EXPONENT_BITS_MAX                                                                                              \
	64              /* OpenSSL's own bound for long keys; a short key with a long one costs a thousand times more */
#define ED25519_SIZE 32 /* RFC 8463 4.2 */
#define ED25519_BITS 256

const struct key key_unknown = {.result = DKIM_TEMPERROR, .reason = "the DNS does not answer for the key"};

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

/* RFC 6376 3.6.1 says RSAPublicKey, its errata and all the world SubjectPublicKeyInfo: both are read. */
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
		    key->algorithm == DKIM_RSA ? "p= of the key record holds no RSA key"
					       : "p= of the key record holds no Ed25519 key");
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
	if (slice_equal(kind, SLICE("ed25519")))
		key->algorithm = DKIM_ED25519;
	if (tags_find(tags, "v") && tags_find(tags, "v") != &tags->list[0])
		bad(key, DKIM_PERMERROR, "v= of the key record does not come first");
	else if (key->algorithm == DKIM_RSA && !slice_equal(kind, SLICE("rsa")))
		bad(key, DKIM_PERMERROR, "k= of the key record is unknown");
	else if (hashes && !items_have(hashes->value, SLICE("sha256")))
		bad(key, DKIM_PERMERROR, "h= of the key record does not allow SHA-256");
	else if (!items_have(services, SLICE("*")) && !items_have(services, SLICE("email")))
		bad(key, DKIM_PERMERROR, "s= of the key record does not allow mail");
	else if (!p)
		bad(key, DKIM_PERMERROR, "the key record has no p=");
	else
		read_public(key, p->value);
}

/* RFC 6376 3.6.1: a record that begins with another v= is not ours (an SPF record of a wildcard). */
static bool is_foreign(struct slice text)
{
	struct slice head, rest = text;
	struct tags tags;

	return slice_cut(&rest, ';', &head) && tags_parse(head, &tags) == NULL &&
	       slice_equal(tags.list[0].name, SLICE("v")) && !slice_equal(tags.list[0].value, SLICE("DKIM1"));
}

/* RFC 6376 3.6.2.2: several records are undefined; none of them is better than another. */
static void read_answer(struct key *key, const struct dns_answer *answer)
{
	size_t found = 0;
	struct slice text = SLICE("");
	struct tags tags;
	const char *wrong;

	for (size_t i = 0; i < answer->count; i++) {
		if (is_foreign(slice_head(answer->records[i].text, RECORD_MAX)))
			continue;
		found++;
		text = answer->records[i].text;
		key->record = i;
	}
	if (found != 1) {
		bad(key, DKIM_PERMERROR, found ? "there are several key records" : "there is no key record");
		return;
	}
	if (text.n > RECORD_MAX) {
		bad(key, DKIM_PERMERROR, "the key record is too long");
		return;
	}
	wrong = tags_parse(text, &tags);
	if (wrong)
		bad(key, DKIM_PERMERROR, "the key record is no tag list");
	else
		read_tags(key, &tags);
}

static void *parse(const struct dns_answer *answer)
{
	struct key *key = xmalloc(sizeof(*key));

	key->result = DKIM_PASS;
	read_answer(key, answer);
	return key;
}

static void release(void *made)
{
	struct key *key = made;

	EVP_PKEY_CTX_free(key->verifying);
	EVP_PKEY_free(key->pkey);
	free(key);
}

static const struct dns_parser parser = {parse, release};

struct slice key_name(struct slice selector, struct slice domain, struct arena *arena)
{
	return arena_join(arena, selector, SLICE("._domainkey."), domain);
}

const struct key *key_find(struct dns_budget *budget, struct slice name)
{
	const struct dns_answer *answer = dns_ask(budget, name, DNS_TXT);

	return answer->status == DNS_TEMPFAIL ? &key_unknown : dns_parsed(budget, answer, &parser);
}
