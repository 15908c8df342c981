/*
 * bench_key.c - what the published key of a signature costs: found by its name when it was used before, beside its
 * TXT record alone; and what the crypto library would take to decode it again, beside finding it.
 *
 * One line each: how many times as much as the other way, the difference, and microseconds of processor time.
 */
#include <openssl/x509.h>

#include "../../filter/dkim/dkim_private.h"
#include "measure.h"

#define TIMES 5000

struct scene {
	struct arena *arena, *message; /* message: reset for each */
	struct resolver *resolver;
	struct slice der; /* the public key */
};

static struct dns_budget *budget_open(struct scene *scene)
{
	return dns_budget_open(scene->resolver, scene->message, DNS_BUDGET_QUESTIONS);
}

static void budget_close(struct scene *scene, struct dns_budget *budget)
{
	dns_budget_close(budget);
	arena_reset(scene->message);
}

static void find(void *with)
{
	struct scene *scene = with;
	struct dns_budget *budget = budget_open(scene);

	if (keys_find(budget, key_name(SLICE("s1"), SLICE("example.org"), scene->message))->list[0].result != DKIM_PASS)
		die("the key is not found");
	budget_close(scene, budget);
}

static void ask(void *with)
{
	struct scene *scene = with;
	struct dns_budget *budget = budget_open(scene);

	if (dns_ask(budget, SLICE("s1._domainkey.example.org"), DNS_TXT)->count != 1)
		die("the record is not found");
	budget_close(scene, budget);
}

static void decode(void *with)
{
	struct scene *scene = with;
	const unsigned char *at = (const unsigned char *)scene->der.p;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)scene->der.n);

	if (!key)
		die("the crypto library does not read the key");
	EVP_PKEY_free(key);
}

static void scene_open(struct scene *scene)
{
	struct error err = {""};
	struct dkim_private *private = dkim_private_generate(DKIM_RSA, &err);
	unsigned char *der = NULL;

	*scene = (struct scene){.arena = arena_new(), .message = arena_new()};
	if (!private)
		die("%s", err.text);
	struct slice record = dkim_private_record(private, scene->arena);
	struct slice zone = arena_printf(scene->arena, "s1._domainkey.example.org TXT \"%.*s\" \"%.*s\"\n",
					 SLICE_ARGS(slice_head(record, 200)), SLICE_ARGS(slice_from(record, 200)));
	scene->resolver = resolver_open_zone(zone, "bench", &err);
	if (!scene->resolver)
		die("%s", err.text);
	int n = i2d_PUBKEY(private_pkey(private), &der);
	if (n <= 0)
		die("the crypto library does not write the key");
	scene->der = arena_copy(scene->arena, (struct slice){(const char *)der, (size_t)n});
	OPENSSL_free(der);
	dkim_private_free(private);
}

int main(void)
{
	struct scene scene;

	scene_open(&scene);
	measure(&(struct measure){"RSA-2048 key, used before", "its TXT record alone", find, ask, &scene, TIMES});
	measure(&(struct measure){"RSA-2048 key, decoded by the crypto library", "found, used before", decode, find,
				  &scene, TIMES});
	resolver_release(scene.resolver);
	arena_free(scene.message);
	arena_free(scene.arena);
	return 0;
}
