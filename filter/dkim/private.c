/*
 * private.c - private keys: read, made, printed, and the record that publishes them.
 */
#include "dkim_private.h"
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define SEED_SIZE 32 /* of Ed25519 (RFC 8032 5.1.5) */
#define RSA_BITS_MADE                                                                                                  \
	2048 /* RFC 8301 3.2: recommended for signers; the record of a longer key does not fit every zone editor       \
	      */
#define TEXT_MAX (64 * 1024)

struct dkim_private {
	enum dkim_algorithm algorithm;
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *signing; /* RSA: ready, to be copied */
};

EVP_PKEY *private_pkey(const struct dkim_private *private)
{
	return private->pkey;
}

const EVP_PKEY_CTX *private_context(const struct dkim_private *private)
{
	return private->signing;
}

static struct dkim_private *private_new(EVP_PKEY *pkey, struct error *err)
{
	EVP_PKEY_CTX *signing = NULL;
	struct dkim_private *private;
	int kind = EVP_PKEY_base_id(pkey);

	if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_ED25519) {
		error_set(err, "the key is neither RSA nor Ed25519; verifiers support no other types");
	} else if (kind == EVP_PKEY_RSA &&
		   (EVP_PKEY_bits(pkey) < DKIM_RSA_BITS_MIN || EVP_PKEY_bits(pkey) > DKIM_RSA_BITS_MAX)) {
		error_set(err, "an RSA key of %d bits cannot be used: verifiers accept %d to %d bits (RFC 8301)",
			  EVP_PKEY_bits(pkey), DKIM_RSA_BITS_MIN, DKIM_RSA_BITS_MAX);
	} else if (kind == EVP_PKEY_RSA && !(signing = rsa_context(pkey, EVP_PKEY_sign_init))) {
		error_set(err, "the crypto library cannot sign with the RSA key");
	} else {
		private = xmalloc(sizeof(*private));
		*private = (struct dkim_private){kind == EVP_PKEY_RSA ? DKIM_RSA : DKIM_ED25519, pkey, signing};
		return private;
	}
	EVP_PKEY_free(pkey);
	return NULL;
}

/* A daemon cannot use a key with a pass phrase; without this callback OpenSSL would ask on the terminal. */
static int no_phrase(char *buffer, int size, int writing, void *context)
{
	(void)buffer, (void)size, (void)writing, (void)context;
	return 0;
}

static EVP_PKEY *read_pem(struct slice text)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_phrase, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return pkey;
}

/* The form in which other programs for DKIM keep Ed25519 keys. */
static EVP_PKEY *read_seed(struct slice text)
{
	unsigned char bytes[4 * SEED_SIZE];
	EVP_PKEY *pkey = NULL;

	if (text.n <= sizeof(bytes) && base64_decode_into(text, bytes) == SEED_SIZE)
		pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, SEED_SIZE);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return pkey;
}

struct dkim_private *dkim_private_read(struct slice text, struct error *err)
{
	EVP_PKEY *pkey = text.n > 0 && text.n <= TEXT_MAX ? read_pem(text) : NULL;

	if (!pkey)
		pkey = read_seed(text);
	if (pkey)
		return private_new(pkey, err);
	error_set(err, "this is not a private key in PEM format without a pass phrase; sekisho genkey makes one");
	return NULL;
}

struct dkim_private *dkim_private_generate(enum dkim_algorithm algorithm, struct error *err)
{
	EVP_PKEY *pkey = algorithm == DKIM_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS_MADE)
					       : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	if (pkey)
		return private_new(pkey, err);
	error_set(err, "the crypto library cannot make a key");
	return NULL;
}

void dkim_private_free(struct dkim_private *private)
{
	if (!private)
		return;
	EVP_PKEY_CTX_free(private->signing);
	EVP_PKEY_free(private->pkey);
	free(private);
}

enum dkim_algorithm dkim_private_algorithm(const struct dkim_private *private)
{
	return private->algorithm;
}

unsigned dkim_private_bits(const struct dkim_private *private)
{
	return (unsigned)EVP_PKEY_bits(private->pkey);
}

struct slice dkim_private_pem(const struct dkim_private *private, struct arena *arena)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct slice text = SLICE("");
	char *p;

	if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, private->pkey, NULL, NULL, 0, NULL, NULL) != 1)
		die("the crypto library cannot print a private key");
	text.n = (size_t)BIO_get_mem_data(bio, &p);
	text.p = p;
	text = arena_copy(arena, text);
	BIO_free(bio);
	return text;
}

struct slice dkim_private_record(const struct dkim_private *private, struct arena *arena)
{
	unsigned char raw[SEED_SIZE], *der = NULL;
	size_t n = sizeof(raw);
	struct slice p;

	if (private->algorithm == DKIM_ED25519) {
		if (EVP_PKEY_get_raw_public_key(private->pkey, raw, &n) != 1)
			die("the crypto library cannot print a public key");
		p = base64_encode((struct slice){(const char *)raw, n}, arena);
		return arena_printf(arena, "v=DKIM1; k=ed25519; p=%.*s", SLICE_ARGS(p));
	}
	n = (size_t)i2d_PUBKEY(private->pkey, &der);
	if (!der)
		die("the crypto library cannot print a public key");
	p = base64_encode((struct slice){(const char *)der, n}, arena);
	OPENSSL_free(der);
	return arena_printf(arena, "v=DKIM1; k=rsa; p=%.*s", SLICE_ARGS(p));
}
