/*
 * keyed.c - HMAC-SHA-256 (RFC 2104): a hash that only who has the key can compute.
 *
 * The method is fetched once for the process: fetching it by name costs more than both hashes.
 */
#include "base.h"
#include <openssl/evp.h>
#include <pthread.h>

#define BLOCK 64 /* of SHA-256 */
#define INNER 0x36
#define OUTER 0x5c

static EVP_MD *sha256; /* never freed: the library ends with the process */

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!sha256)
		die("the crypto library has no SHA-256");
}

static void hash_with(EVP_MD_CTX *context, struct slice key, unsigned char pad, struct slice text, unsigned char *hash)
{
	unsigned char block[BLOCK];

	for (size_t i = 0; i < BLOCK; i++)
		block[i] = (unsigned char)((i < key.n ? (unsigned char)key.p[i] : 0) ^ pad);
	if (EVP_DigestInit_ex2(context, sha256, NULL) != 1 || EVP_DigestUpdate(context, block, BLOCK) != 1 ||
	    EVP_DigestUpdate(context, text.p, text.n) != 1 || EVP_DigestFinal_ex(context, hash, NULL) != 1)
		die("the crypto library cannot compute a SHA-256");
}

void hash_keyed(struct slice key, struct slice text, unsigned char hash_r[HASH_KEYED_SIZE])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	EVP_MD_CTX *context;

	pthread_once(&once, fetch);
	context = EVP_MD_CTX_new();
	if (!context)
		die("out of memory: a hash");
	hash_with(context, slice_head(key, BLOCK), INNER, text, hash_r);
	hash_with(context, slice_head(key, BLOCK), OUTER, (struct slice){(const char *)hash_r, HASH_KEYED_SIZE},
		  hash_r);
	EVP_MD_CTX_free(context);
}
