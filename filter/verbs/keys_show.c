/*
 * keys_show.c - `sekisho keys`: each domain's keys, what of them is in the DNS now, and what signs.
 */
#include "key_verb.h"
#include "verbs.h"

#include <stdio.h>

#define BATCH      64
#define STRING_MAX 255 /* RFC 1035 3.3: bytes of one character-string of a TXT record */

static const char *const type_names[] = {"rsa", "ed25519"};
static const char *const published_names[] = {"unknown", "yes", "no"}; /* in the order of enum key_seen */

bool keys_wants(const struct keys_verb *keys, const struct sign_setting *sign)
{
	if (!sign->ring)
		return false;
	for (size_t i = 0; i < keys->domain_count; i++)
		if (slice_equal_nocase(sign->domain, slice_of(keys->domains[i])))
			return true;
	return keys->domain_count == 0;
}

void keys_failed(struct keys_verb *keys, struct slice domain, const char *what)
{
	fprintf(stderr, "sekisho keys: %.*s: %s\n", SLICE_ARGS(domain), what);
	keys->failed = true;
}

/* Long records are several strings, which verifiers join (RFC 6376 3.6.2.2). */
void keys_print_record(const struct key_set *set, const struct managed_key *key, struct arena *arena)
{
	struct slice record = dkim_private_record(key->private, arena);

	printf("%.*s. IN TXT", SLICE_ARGS(key_record_name(set, key, arena)));
	for (; record.n > 0; record = slice_from(record, STRING_MAX))
		printf(" \"%.*s\"", SLICE_ARGS(slice_head(record, STRING_MAX)));
	putchar('\n');
}

/* ---- JSON ------------------------------------------------------------------------------------------- */

static json_t *json_time(int64_t seconds, struct arena *arena)
{
	return seconds > 0 ? json_text(clock_print(seconds * 1000000, arena)) : json_null();
}

static json_t *json_key(struct keys_verb *keys, const struct key_set *set, const struct managed_key *key,
			enum key_phase phase, const struct key_look *look)
{
	struct slice name = key_record_name(set, key, keys->arena);
	json_t *object =
	    json_pack("{s:o, s:s, s:s, s:b}", "selector", json_text(key->selector), "type", type_names[key->algorithm],
		      "state", key_phase_names[phase], "signs", phase == KEY_SIGNS);

	if (look)
		json_object_set_new(object, "published", json_string(published_names[look->seen]));
	if (look && look->reason.n > 0)
		json_object_set_new(object, "reason", json_text(look->reason));
	json_object_set_new(object, "made", json_time(key->made_s, keys->arena));
	json_object_set_new(object, "seen", json_time(key->seen_s, keys->arena));
	json_object_set_new(object, "ttl", json_integer(key->ttl_s));
	json_object_set_new(object, "replaced", json_time(key->retired_s, keys->arena));
	json_object_set_new(object, "name", json_text(name));
	json_object_set_new(object, "record", json_text(dkim_private_record(key->private, keys->arena)));
	return object;
}

static void show_json(struct keys_verb *keys, const struct key_set *set, const struct key_rules *rules, int64_t now_s,
		      const struct key_look *looks)
{
	json_t *array = json_array();

	for (size_t i = 0; i < set->count; i++)
		json_array_append_new(array,
				      json_key(keys, set, &set->keys[i], key_phase(set, &set->keys[i], rules, now_s),
					       looks ? &looks[i] : NULL));
	json_array_append_new(keys->array, json_pack("{s:o, s:o}", "domain", json_text(set->domain), "keys", array));
}

/* ---- text ------------------------------------------------------------------------------------------------- */

static struct slice time_text(int64_t seconds, struct arena *arena)
{
	struct slice text = clock_print(seconds * 1000000, arena);

	return slice_head(text, text.n > 16 ? 16 : text.n); /* to the minute */
}

static void print_phase(const struct managed_key *key, const struct key_rules *rules, enum key_phase phase,
			struct arena *arena)
{
	switch (phase) {
	case KEY_WAITS:
		printf("waits for its record in the DNS");
		break;
	case KEY_SEEN:
		printf("signs from %.*s", SLICE_ARGS(time_text(key->seen_s + key->ttl_s, arena)));
		break;
	case KEY_SIGNS:
		printf("signs");
		break;
	case KEY_STAYS:
		printf("stays published until %.*s",
		       SLICE_ARGS(time_text(
			   (key->retired_s ? key->retired_s : clock_wall_us() / 1000000) + rules->keep_s, arena)));
		break;
	case KEY_MAY_GO:
		printf("may go: remove its record, then its file");
		break;
	case KEY_VANISHED:
		printf("does not sign: not in the DNS since %.*s", SLICE_ARGS(time_text(key->vanished_s, arena)));
		break;
	case KEY_NOT_ASKED:
		printf("does not sign: \"type\" does not name it");
		break;
	}
}

static void show_text(struct keys_verb *keys, const struct key_set *set, const struct key_rules *rules, int64_t now_s,
		      const struct key_look *looks)
{
	printf("%.*s%s\n", SLICE_ARGS(set->domain), set->count == 0 ? "  no key; sekisho keys rotate makes one" : "");
	for (size_t i = 0; i < set->count; i++) {
		const struct managed_key *key = &set->keys[i];

		printf("  %-14.*s %-7s made %.*s  published %-7s  ", SLICE_ARGS(key->selector),
		       type_names[key->algorithm], SLICE_ARGS(slice_head(time_text(key->made_s, keys->arena), 10)),
		       looks ? published_names[looks[i].seen] : "-");
		print_phase(key, rules, key_phase(set, key, rules, now_s), keys->arena);
		if (looks && looks[i].seen != KEY_FOUND && looks[i].reason.n > 0)
			printf(" (%.*s)", SLICE_ARGS(looks[i].reason));
		putchar('\n');
	}
}

void keys_show(struct keys_verb *keys, const struct sign_setting *sign, const struct key_set *set,
	       const struct key_look *looks)
{
	struct key_rules rules = policy_key_rules(sign);
	int64_t now_s = clock_wall_us() / 1000000;

	if (keys->json)
		show_json(keys, set, &rules, now_s, looks);
	else
		show_text(keys, set, &rules, now_s, looks);
}

/* ---- all ---------------------------------------------------------------------------------------------------- */

struct batch {
	const struct sign_setting *signs[BATCH];
	struct key_set *sets[BATCH];
	size_t count;
	bool silent; /* some domain has no key that signs */
};

static void show_batch(struct keys_verb *keys, struct batch *batch)
{
	struct arena *arena = arena_new();
	struct dns_budget *budget = dns_budget_open(keys->resolver, arena, BATCH * (KEYS_MAX + 1));
	const struct managed_key *signers[KEYS_SIGNING_MAX];
	struct key_look looks[KEYS_MAX];

	for (size_t i = 0; i < batch->count; i++)
		keys_hint(budget, batch->sets[i], arena);
	for (size_t i = 0; i < batch->count; i++) {
		keys_look(budget, batch->sets[i], arena, looks);
		keys_show(keys, batch->signs[i], batch->sets[i], looks);
		batch->silent |= key_set_signers(batch->sets[i], policy_key_rules(batch->signs[i]).types,
						 clock_wall_us() / 1000000, signers) == 0;
		key_set_release(batch->sets[i]);
	}
	dns_budget_close(budget);
	arena_free(arena);
	batch->count = 0;
}

int keys_show_all(struct keys_verb *keys)
{
	struct batch batch = {.count = 0};

	for (size_t i = 0; i < policy_sign_count(keys->policy); i++) {
		const struct sign_setting *sign = policy_sign_at(keys->policy, i);

		if (!keys_wants(keys, sign))
			continue;
		batch.signs[batch.count] = sign;
		batch.sets[batch.count++] = key_ring_set(sign->ring);
		if (batch.count == BATCH)
			show_batch(keys, &batch);
	}
	show_batch(keys, &batch);
	return batch.silent ? VERB_NO : VERB_OK;
}
