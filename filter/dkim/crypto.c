/*
 * crypto.c - what is slow to create in the crypto library is created once: the SHA-256 method for
 * the process, and for each RSA key a context that is ready to verify or sign.
 *
 * Fetching either by name costs ten times as much as copying a ready context. Copying only
 * counts references in the source, so all threads may copy the same one.
 */
#include "dkim_private.h"
#include <openssl/rsa.h>
#include <pthread.h>

const char *const dkim_algorithm_names[3] = {"rsa-sha256", "ed25519-sha256", NULL};

static EVP_MD *sha256; /* never freed: the library ends with the process */

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!sha256)
		die("the crypto library has no SHA-256");
}

const EVP_MD *hash_kind(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fetch);
	return sha256;
}

static void release(void *hash)
{
	EVP_MD_CTX_free(hash);
}

EVP_MD_CTX *hash_new(struct arena *arena)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();

	if (!hash || EVP_DigestInit_ex2(hash, hash_kind(), NULL) != 1)
		die("the crypto library cannot begin a SHA-256");
	arena_own(arena, hash, release);
	return hash;
}

EVP_PKEY_CTX *rsa_context(EVP_PKEY *pkey, int (*init)(EVP_PKEY_CTX *))
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);

	if (context && init(context) == 1 && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(context, hash_kind()) == 1)
		return context;
	EVP_PKEY_CTX_free(context);
	return NULL;
}
