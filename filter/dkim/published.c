/*
 * published.c - the key records of a name for display: each is judged, including those that do not count.
 */
#include "dkim_private.h"

static void judge(const struct dkim_rules *rules, const struct key *key, struct dkim_record *record)
{
	if (key->result != DKIM_PASS || key->algorithm != DKIM_RSA ||
	    (key->bits >= rules->minimum_bits && key->bits >= DKIM_RSA_BITS_MIN))
		return;
	record->result = DKIM_POLICY;
	record->reason = SLICE("the RSA key is too short");
}

static void read_record(const struct dkim_rules *rules, const struct dkim_private *private, struct slice text,
			struct dkim_record *record)
{
	struct key key;

	key_read(&key, text);
	record->result = key.result;
	record->reason = slice_of(key.reason);
	record->text = text;
	record->algorithm = key.algorithm;
	record->bits = key.bits;
	record->testing = key.testing;
	record->strict = key.strict;
	record->matches = private && key.pkey && EVP_PKEY_eq(private_pkey(private), key.pkey) == 1;
	judge(rules, &key, record);
	key_release(&key);
}

/* What a verifier concludes from all of them. */
static const struct dkim_record *choose(const struct dkim_published *published)
{
	const struct dkim_record *chosen = NULL;

	for (size_t i = 0; i < published->count; i++) {
		const struct dkim_record *record = &published->records[i];

		if (record->result == DKIM_PASS && (!chosen || (record->matches && !chosen->matches)))
			chosen = record;
	}
	for (size_t i = 0; i < published->count && !chosen; i++)
		if (published->records[i].result != DKIM_NONE)
			chosen = &published->records[i];
	return chosen;
}

void dkim_published_find(struct dns_budget *budget, struct slice selector, struct slice domain,
			 const struct dkim_rules *rules, const struct dkim_private *private, struct arena *arena,
			 struct dkim_published *published_r)
{
	struct slice name = key_name(selector, domain, arena);
	const struct dns_answer *answer = dns_ask(budget, name, DNS_TXT);
	const struct keys *keys = keys_find(budget, name);
	size_t count = answer->count < RECORDS_MAX ? answer->count : RECORDS_MAX;
	struct dkim_record *records = arena_alloc(arena, (count + 1) * sizeof(*records));
	const struct dkim_record *chosen;

	for (size_t i = 0; i < count; i++)
		read_record(rules, private, answer->records[i].text, &records[i]);
	*published_r = (struct dkim_published){.name = name, .records = records, .count = count};
	chosen = choose(published_r);
	/* A name without a key record: the reason, as a verifier gives it. */
	published_r->chosen = chosen ? *chosen
				     : (struct dkim_record){.result = keys->list[0].result,
							    .reason = slice_of(keys->list[0].reason),
							    .text = SLICE("")};
}
