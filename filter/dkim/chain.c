/*
 * chain.c - the seals of ARC (RFC 8617 4.1.3, 5.1.1): each signs the fields of all sets up to its own, in relaxed form.
 *
 * The last field is the seal without b= and without a line end. The next set goes on after the whole seal.
 */
#include "dkim_private.h"

#define SPARE_TRIES KEYS_MAX /* of all seals together, beyond one key for each: else 50 names with 8 keys cost 400 */

struct dkim_chain {
	struct arena *arena;
	EVP_MD_CTX *hash, *copy;
	unsigned spare;
};

struct dkim_seal {
	struct dkim_chain *chain;
	struct dkim_signature seen;
	struct signature signature;
	struct slice status; /* cv= */
	unsigned char hash[DKIM_SHA256_SIZE];
};

struct slice dkim_instance(struct slice value)
{
	return tags_glance(slice_head(value, DKIM_FIELD_MAX), 'i');
}

bool dkim_arc_covers_part(struct slice value)
{
	return tags_glance(slice_head(value, DKIM_FIELD_MAX), 'l').n > 0;
}

void dkim_arc_want(struct slice value, struct dkim_body *body)
{
	struct slice canons = tags_glance(slice_head(value, DKIM_FIELD_MAX), 'c'), header;
	struct slice number = tags_glance(slice_head(value, DKIM_FIELD_MAX), 'l');
	uint64_t length = DKIM_WHOLE;

	slice_cut(&canons, '/', &header);
	if (number.n > 0 && slice_number(number, DKIM_WHOLE - 1, &length) < 0)
		return;
	dkim_body_want(body, slice_equal_nocase(slice_trim(canons), SLICE("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE,
		       length);
}

struct dkim_chain *dkim_chain_new(struct arena *arena)
{
	struct dkim_chain *chain = arena_alloc(arena, sizeof(*chain));

	*chain =
	    (struct dkim_chain){.arena = arena, .hash = hash_new(arena), .copy = hash_new(arena), .spare = SPARE_TRIES};
	return chain;
}

void dkim_chain_add(struct dkim_chain *chain, const struct header_field *field)
{
	struct slice canonical = field_canonical(field->name, field->value, DKIM_RELAXED, chain->arena);

	EVP_DigestUpdate(chain->hash, canonical.p, canonical.n + 2); /* with its CRLF */
}

/* The hash of what the chain has, followed by a seal without b=. */
static void hash_with(struct dkim_chain *chain, struct slice name, struct slice value, unsigned char *hash_r)
{
	struct slice own = field_canonical(name, value, DKIM_RELAXED, chain->arena);

	if (EVP_MD_CTX_copy_ex(chain->copy, chain->hash) != 1 || EVP_DigestUpdate(chain->copy, own.p, own.n) != 1 ||
	    EVP_DigestFinal_ex(chain->copy, hash_r, NULL) != 1)
		die("the crypto library cannot finish a SHA-256");
}

/* ---- verifying -------------------------------------------------------------------------------- */

struct dkim_seal *dkim_seal_read(struct dkim_chain *chain, const struct header_field *field)
{
	struct dkim_seal *seal = arena_alloc(chain->arena, sizeof(*seal));

	seal->chain = chain;
	seal->signature = (struct signature){.seen = &seal->seen, .field = field, .arc = true};
	signature_read_seal(&seal->signature, chain->arena, &seal->status);
	return seal;
}

struct slice dkim_seal_status(const struct dkim_seal *seal)
{
	return seal->status;
}

const struct dkim_signature *dkim_seal_seen(const struct dkim_seal *seal)
{
	return &seal->seen;
}

void dkim_seal_hash(struct dkim_seal *seal)
{
	const struct header_field *field = seal->signature.field;
	struct arena *arena = seal->chain->arena;

	if (seal->seen.result == DKIM_NONE)
		hash_with(seal->chain, field->name, value_without(field->value, seal->signature.b_raw, arena),
			  seal->hash);
	dkim_chain_add(seal->chain, field);
}

/* Of several keys, one that verifies is enough (RFC 6376 6.1.2). The reason is that of the last one. */
static enum dkim_result try_keys(struct dkim_seal *seal, const struct keys *keys, const struct dkim_rules *rules,
				 const char **reason_r)
{
	enum dkim_result result = DKIM_PERMERROR;
	unsigned tried = 0;

	for (size_t i = 0; i < keys->count; i++) {
		const struct key *key = &keys->list[i];
		const char *why;
		enum dkim_result suits = key_suits(&seal->signature, key, rules, &why);

		if (suits == DKIM_PASS && tried++ > 0) {
			if (seal->chain->spare == 0) {
				*reason_r = "there are more keys than are tried";
				return DKIM_PERMERROR;
			}
			seal->chain->spare--;
		}
		if (suits == DKIM_PASS) {
			suits = signature_verify(key, seal->signature.b, seal->hash);
			why = suits == DKIM_FAIL ? "the signature does not match the fields of the sets"
						 : "the crypto library cannot begin to verify";
			seal->seen.bits = key->bits;
			seal->seen.testing = key->testing;
		}
		if (suits == DKIM_PASS)
			return suits;
		if (tried > 0 && result == DKIM_FAIL)
			continue; /* it is the closest */
		result = suits;
		*reason_r = why;
	}
	return result;
}

void dkim_seal_verify(struct dkim_seal *seal, struct dns_budget *budget, const struct dkim_rules *rules)
{
	struct dkim_signature *seen = &seal->seen;
	const char *reason = "";
	enum dkim_result result;

	if (seen->result != DKIM_NONE)
		return;
	result = try_keys(seal, keys_find(budget, key_name(seen->selector, seen->domain, seal->chain->arena)), rules,
			  &reason);
	signature_judge(&seal->signature, result, result == DKIM_PASS ? "" : reason);
}

/* ---- making ----------------------------------------------------------------------------------- */

struct slice dkim_seal_make(struct dkim_chain *chain, const struct dkim_signing *signing, struct slice status,
			    struct error *err)
{
	static const struct slice name = SLICE("ARC-Seal");
	struct writer writer = {.column = sizeof("ARC-Seal:") - 1};
	const char *algorithm = dkim_algorithm_names[dkim_private_algorithm(signing->key)];
	unsigned char hash[DKIM_SHA256_SIZE];
	struct arena *arena = chain->arena;
	struct slice made;

	text_init(&writer.text, arena, SIZE_MAX / 4);
	write_tag(&writer, arena_printf(arena, "i=%u;", signing->instance));
	write_tag(&writer, arena_printf(arena, "a=%s;", algorithm));
	write_tag(&writer, arena_printf(arena, "t=%lld;", (long long)signing->now_s));
	write_tag(&writer, arena_printf(arena, "cv=%.*s;", SLICE_ARGS(status)));
	write_tag(&writer, arena_printf(arena, "d=%.*s;", SLICE_ARGS(signing->domain)));
	write_tag(&writer, arena_printf(arena, "s=%.*s;", SLICE_ARGS(signing->selector)));
	write_tag(&writer, SLICE("b="));
	hash_with(chain, name, text_slice(&writer.text), hash);
	made = sign_hash(signing, hash, arena, err);
	if (made.n == 0)
		return made;
	write_base64(&writer, made);
	return text_slice(&writer.text);
}
