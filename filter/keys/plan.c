/*
 * plan.c - which keys sign, and what becomes of the others.
 */
#include "keys_private.h"

const char *const key_phase_names[8] = {"waits", "seen", "signs", "stays", "may-go", "vanished", "not-asked", NULL};

bool key_is_ready(const struct managed_key *key, int64_t now_s)
{
	return key->seen_s > 0 && !key->vanished_s && now_s >= key->seen_s + key->ttl_s;
}

const struct managed_key *key_newest(const struct key_set *set, enum dkim_algorithm algorithm)
{
	for (size_t i = set->count; i-- > 0;)
		if (set->keys[i].algorithm == algorithm && !set->keys[i].vanished_s)
			return &set->keys[i];
	return NULL;
}

const struct managed_key *key_signer(const struct key_set *set, enum dkim_algorithm algorithm, int64_t now_s)
{
	for (size_t i = set->count; i-- > 0;)
		if (set->keys[i].algorithm == algorithm && key_is_ready(&set->keys[i], now_s))
			return &set->keys[i];
	return NULL;
}

size_t key_set_signers(const struct key_set *set, unsigned types, int64_t now_s,
		       const struct managed_key *signers_r[KEYS_SIGNING_MAX])
{
	size_t count = 0;

	for (unsigned algorithm = 0; algorithm < KEYS_SIGNING_MAX; algorithm++) {
		const struct managed_key *key =
		    types >> algorithm & 1 ? key_signer(set, (enum dkim_algorithm)algorithm, now_s) : NULL;

		if (key)
			signers_r[count++] = key;
	}
	return count;
}

enum key_phase key_phase(const struct key_set *set, const struct managed_key *key, const struct key_rules *rules,
			 int64_t now_s)
{
	const struct managed_key *signer = key_signer(set, key->algorithm, now_s);

	if (key->retired_s > 0 && key != signer && now_s >= key->retired_s + rules->keep_s)
		return KEY_MAY_GO;
	if (key->vanished_s)
		return KEY_VANISHED;
	if (!(rules->types >> key->algorithm & 1))
		return KEY_NOT_ASKED;
	if (key == signer)
		return KEY_SIGNS;
	if (signer && key < signer) /* the oldest comes first */
		return KEY_STAYS;
	return key->seen_s > 0 ? KEY_SEEN : KEY_WAITS;
}

struct slice key_record_name(const struct key_set *set, const struct managed_key *key, struct arena *arena)
{
	return arena_join(arena, key->selector, SLICE("._domainkey."), set->domain);
}
