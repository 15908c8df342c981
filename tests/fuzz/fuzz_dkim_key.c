/*
 * fuzz_dkim_key.c - any bytes as the key records of a name, one a line.
 */
#include "../../filter/dkim/dkim_private.h"
#include "fuzz.h"
#include <string.h>

#define LINES_MAX 16

/* As zone text has it: every byte as \DDD, in strings of at most 255. */
static void add_record(struct text *zone, struct slice record)
{
	text_add(zone, SLICE("s._domainkey.example TXT \""));
	for (size_t i = 0; i < record.n; i++)
		text_printf(zone, "%s\\%03u", i % 200 == 199 ? "\" \"" : "", (unsigned char)record.p[i]);
	text_add(zone, SLICE("\"\n"));
}

static void check_key(struct dns_budget *budget, struct arena *arena)
{
	struct dkim_rules rules = {.minimum_bits = DKIM_RSA_BITS_MIN};
	const struct keys *keys = keys_find(budget, SLICE("s._domainkey.example"));
	struct dkim_published published;

	must(keys->count > 0 && keys->count <= KEYS_MAX);
	for (size_t i = 0; i < keys->count; i++) {
		const struct key *key = &keys->list[i];

		must(key->result != DKIM_NONE);
		must((key->result == DKIM_PASS) == (key->reason == NULL));
		must(key->result != DKIM_PASS || key->pkey != NULL);
		must(key->result != DKIM_PASS || key->bits <= DKIM_RSA_BITS_MAX);
	}
	must(keys_find(budget, SLICE("s._domainkey.example")) == keys);
	dkim_published_find(budget, SLICE("s"), SLICE("example"), &rules, NULL, arena, &published);
	must((published.chosen.result == DKIM_PASS) == (published.chosen.reason.n == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct slice rest = {(const char *)data, size}, line;
	struct resolver *resolver;
	struct dns_budget *budget;
	struct error err;
	struct text zone;
	int count = 0;

	text_init(&zone, arena, 8 * size + 10000);
	while (count++ < LINES_MAX && slice_cut(&rest, '\n', &line))
		add_record(&zone, slice_head(line, 40000));
	resolver = resolver_open_zone(text_slice(&zone), "zone", &err);
	if (resolver) {
		budget = dns_budget_open(resolver, arena, 10);
		check_key(budget, arena);
		dns_budget_close(budget);
		resolver_release(resolver);
	}
	arena_free(arena);
	return 0;
}
