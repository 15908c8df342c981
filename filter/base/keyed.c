/*
 * keyed.c - HMAC-SHA-256, and HMAC-SHA-1 where others have chosen it (RFC 2104): hashes that only who has the key can
 * compute.
 *
 * The methods are fetched once for the process: fetching one by name costs more than both hashes.
 */
#include "base.h"
#include <openssl/evp.h>
#include <pthread.h>

#define BLOCK 64 /* of SHA-256 and SHA-1 */
#define INNER 0x36
#define OUTER 0x5c

static EVP_MD *sha256, *sha1; /* never freed: the library ends with the process */

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	if (!sha256 || !sha1)
		die("the crypto library lacks SHA-256 or SHA-1");
}

static void hash_with(EVP_MD_CTX *context, const EVP_MD *method, struct slice key, unsigned char pad, struct slice text,
		      unsigned char *hash)
{
	unsigned char block[BLOCK];

	for (size_t i = 0; i < BLOCK; i++)
		block[i] = (unsigned char)((i < key.n ? (unsigned char)key.p[i] : 0) ^ pad);
	if (EVP_DigestInit_ex2(context, method, NULL) != 1 || EVP_DigestUpdate(context, block, BLOCK) != 1 ||
	    EVP_DigestUpdate(context, text.p, text.n) != 1 || EVP_DigestFinal_ex(context, hash, NULL) != 1)
		die("the crypto library cannot compute a hash");
}

static EVP_MD_CTX *begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	EVP_MD_CTX *context;

	pthread_once(&once, fetch);
	context = EVP_MD_CTX_new();
	if (!context)
		die("out of memory: a hash");
	return context;
}

void hash_keyed(struct slice key, struct slice text, unsigned char hash_r[HASH_KEYED_SIZE])
{
	EVP_MD_CTX *context = begin();

	hash_with(context, sha256, slice_head(key, BLOCK), INNER, text, hash_r);
	hash_with(context, sha256, slice_head(key, BLOCK), OUTER, (struct slice){(const char *)hash_r, HASH_KEYED_SIZE},
		  hash_r);
	EVP_MD_CTX_free(context);
}

void hash_keyed_sha1(struct slice key, struct slice text, unsigned char hash_r[HASH_SHA1_SIZE])
{
	EVP_MD_CTX *context = begin();
	unsigned char short_key[HASH_SHA1_SIZE];

	if (key.n > BLOCK) { /* RFC 2104 2 */
		if (EVP_DigestInit_ex2(context, sha1, NULL) != 1 || EVP_DigestUpdate(context, key.p, key.n) != 1 ||
		    EVP_DigestFinal_ex(context, short_key, NULL) != 1)
			die("the crypto library cannot compute a hash");
		key = (struct slice){(const char *)short_key, sizeof(short_key)};
	}
	hash_with(context, sha1, key, INNER, text, hash_r);
	hash_with(context, sha1, key, OUTER, (struct slice){(const char *)hash_r, HASH_SHA1_SIZE}, hash_r);
	EVP_MD_CTX_free(context);
}
