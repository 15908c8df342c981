/*
 * verify.c - are the signatures of a message right (RFC 6376 6.1)?
 *
 * First all are read, which needs no DNS and no cryptography; then those that will be
 * verified are chosen, and their digests are requested of the body. At the end
 * keys are fetched and the remaining checks are made, for each signature by itself.
 */
#include "second.h"

const char *const dkim_result_names[8] = {"none", "pass", "fail", "policy", "neutral", "temperror", "permerror", NULL};
const char *const dkim_engine_names[4] = {"native", "libopendkim", "compare", NULL};

struct dkim_verifier {
	struct dkim_rules rules;
	struct arena *arena;
	struct dkim_body *body;
	const struct headers *headers;
	struct dkim_fields *fields;
	struct dkim_signature *seen;
	struct signature *signatures;
	size_t count;
	EVP_MD_CTX *hash;
	struct second *second; /* NULL: the engine is native, or there is nothing to verify */
	const struct key **keys;
	enum second_word *words;
};

void dkim_hint(struct dns_budget *budget, struct slice value, struct arena *arena)
{
	struct slice name;

	if (signature_key_name(value, arena, &name))
		dns_hint(budget, name, DNS_TXT);
}

/* ---- before the body ---------------------------------------------------------------------- */

static bool is_aligned(struct slice a, struct slice b)
{
	return a.n > 0 && (slice_equal(a, b) || domain_is_below(a, b) || domain_is_below(b, a));
}

static void read_all(struct dkim_verifier *verifier, struct slice author_domain)
{
	const struct headers *headers = verifier->headers;

	for (size_t i = 0; i < headers->count; i++) {
		struct signature *signature = &verifier->signatures[verifier->count];

		if (!slice_equal_nocase(slice_trim(headers->fields[i].name), SLICE("DKIM-Signature")))
			continue;
		signature->seen = &verifier->seen[verifier->count++];
		signature->field = &headers->fields[i];
		signature_read(signature, &verifier->rules, verifier->arena);
		signature->seen->aligned = is_aligned(signature->seen->domain, author_domain);
	}
}

/* As many as may be verified, those of the author domain first. */
static void choose(struct dkim_verifier *verifier)
{
	unsigned left = verifier->rules.signatures;

	for (int aligned = 1; aligned >= 0; aligned--)
		for (size_t i = 0; i < verifier->count; i++) {
			struct signature *signature = &verifier->signatures[i];

			if (signature->seen->result != DKIM_NONE || signature->seen->aligned != aligned)
				continue;
			if (left > 0)
				signature->digest =
				    dkim_body_want(verifier->body, signature->body_canon, signature->length);
			if (!signature->digest)
				signature_judge(signature, DKIM_POLICY,
						"not verified: the message has too many signatures");
			else
				left--;
		}
}

static size_t count_signatures(const struct headers *headers)
{
	size_t count = 0;

	for (size_t i = 0; i < headers->count; i++)
		count += slice_equal_nocase(slice_trim(headers->fields[i].name), SLICE("DKIM-Signature"));
	return count;
}

struct dkim_verifier *dkim_verify_begin(const struct dkim_rules *rules, const struct headers *headers,
					struct slice author_domain, struct dkim_body *body, struct arena *arena)
{
	struct dkim_verifier *verifier = arena_alloc(arena, sizeof(*verifier));
	size_t count = count_signatures(headers);

	*verifier = (struct dkim_verifier){.rules = *rules, .arena = arena, .body = body, .headers = headers};
	verifier->seen = arena_alloc(arena, (count + 1) * sizeof(*verifier->seen));
	verifier->signatures = arena_alloc(arena, (count + 1) * sizeof(*verifier->signatures));
	read_all(verifier, author_domain);
	choose(verifier);
	if (rules->engine != DKIM_NATIVE && count > 0)
		verifier->second = second_begin(rules->library, headers, verifier->signatures, verifier->count, arena);
	return verifier;
}

struct dkim_verifier *dkim_verify_arc_begin(const struct dkim_rules *rules, const struct headers *headers,
					    const struct header_field *field, struct dkim_body *body,
					    struct arena *arena)
{
	struct dkim_verifier *verifier = arena_alloc(arena, sizeof(*verifier));

	*verifier =
	    (struct dkim_verifier){.rules = *rules, .arena = arena, .body = body, .headers = headers, .count = 1};
	verifier->rules.engine = DKIM_NATIVE;
	verifier->rules.signatures = 1;
	verifier->seen = arena_alloc(arena, sizeof(*verifier->seen));
	verifier->signatures = arena_alloc(arena, sizeof(*verifier->signatures));
	*verifier->signatures = (struct signature){.seen = verifier->seen, .field = field, .arc = true};
	signature_read(verifier->signatures, rules, arena);
	choose(verifier);
	return verifier;
}

void dkim_verify_body(struct dkim_verifier *verifier, struct slice chunk)
{
	if (verifier->second)
		second_body(verifier->second, chunk);
}

/* ---- at the end ---------------------------------------------------------------------------- */

enum dkim_result key_suits(const struct signature *signature, const struct key *key, const struct dkim_rules *rules,
			   const char **reason_r)
{
	*reason_r = key->reason;
	if (key->result == DKIM_TEMPERROR)
		return key->result;
	if (signature->historic) {
		*reason_r = "rsa-sha1 is no longer allowed (RFC 8301)";
		return DKIM_PERMERROR;
	}
	if (key->result != DKIM_PASS)
		return key->result;
	if (key->algorithm != signature->algorithm) {
		*reason_r = "the algorithm of the key is not the one in a=";
		return DKIM_PERMERROR;
	}
	if (key->strict && !slice_equal(signature->identity_domain, signature->seen->domain)) {
		*reason_r = "the key (t=s) does not allow i= below d=";
		return DKIM_PERMERROR;
	}
	if (key->algorithm == DKIM_RSA && (key->bits < rules->minimum_bits || key->bits < DKIM_RSA_BITS_MIN)) {
		*reason_r = "the RSA key is too short";
		return DKIM_POLICY;
	}
	return DKIM_PASS;
}

/* Of several keys the one that verifies the signature; else the first that may be used. *fits_r: false
 * when none verifies and there are more keys than are tried. */
static const struct key *choose_key(struct dkim_verifier *verifier, const struct signature *signature,
				    const struct keys *keys, bool *fits_r)
{
	const struct key *first = NULL, *same_kind = NULL;
	const char *reason;

	*fits_r = true;
	for (size_t i = 0; i < keys->count; i++) {
		const struct key *key = &keys->list[i];

		if (!same_kind && key->algorithm == signature->algorithm)
			same_kind = key;
		if (key_suits(signature, key, &verifier->rules, &reason) != DKIM_PASS)
			continue;
		if (keys->count == 1 ||
		    signature_fits(signature, verifier->fields, key, verifier->hash, verifier->arena))
			return key;
		first = first ? first : key;
	}
	*fits_r = !first || !keys->more;
	if (first)
		return first;
	return same_kind ? same_kind : &keys->list[0];
}

static bool length_is_allowed(const struct dkim_rules *rules, struct slice domain)
{
	for (size_t i = 0; i < rules->length_domain_count; i++)
		if (slice_equal_nocase(rules->length_domains[i], domain))
			return true;
	return false;
}

static unsigned count_name(struct slice names, struct slice name)
{
	unsigned count = 0;
	struct slice item;

	while (items_next(&names, &item))
		count += slice_equal_nocase(item, name);
	return count;
}

/* The signature is valid; does it cover what a reader sees (RFC 6376 8.2, 8.15)? */
static void judge_coverage(struct dkim_verifier *verifier, struct signature *signature)
{
	unsigned from = fields_count(verifier->fields, SLICE("from"));

	if (from == 0)
		signature_judge(signature, DKIM_PERMERROR, "the message has no From");
	if (count_name(signature->names, SLICE("from")) < from)
		signature_judge(signature, DKIM_POLICY, "a From field is not signed");
	signature->seen->partial = signature->length != DKIM_WHOLE &&
				   signature->length < dkim_body_length(verifier->body, signature->body_canon);
	if (signature->seen->partial && !signature->arc &&
	    !length_is_allowed(&verifier->rules, signature->seen->domain))
		signature_judge(signature, DKIM_POLICY, "l= leaves part of the body unsigned");
	signature_judge(signature, DKIM_PASS, "");
}

static void judge_by_word(struct signature *signature, enum second_word word)
{
	if (!signature->digest->reached)
		signature_judge(signature, DKIM_PERMERROR, "l= is longer than the body");
	else if (word == SECOND_FAIL_BODY)
		signature_judge(signature, DKIM_FAIL, "the body was changed");
	else if (word == SECOND_FAIL_HEADER)
		signature_judge(signature, DKIM_FAIL, "the signature does not match the header");
	else if (word == SECOND_UNABLE)
		signature_judge(signature, DKIM_NEUTRAL, "libopendkim cannot verify it");
}

static void compare(struct signature *signature, enum second_word word)
{
	bool matches = signature->seen->result == DKIM_NONE;

	if (signature->digest->reached && matches != (word == SECOND_PASS))
		signature->seen->second = word == SECOND_PASS     ? "pass"
					  : word == SECOND_UNABLE ? "cannot verify"
								  : "fail";
}

/* The key may be used; do header and body match? */
static void judge_match(struct dkim_verifier *verifier, size_t i)
{
	struct signature *signature = &verifier->signatures[i];

	if (signature->seen->result != DKIM_NONE)
		return;
	if (verifier->rules.engine == DKIM_LIBOPENDKIM)
		judge_by_word(signature, verifier->words[i]);
	else
		signature_match(signature, verifier->fields, verifier->keys[i], verifier->hash, verifier->arena);
	if (verifier->rules.engine == DKIM_COMPARE)
		compare(signature, verifier->words[i]);
	if (signature->seen->result == DKIM_NONE)
		judge_coverage(verifier, signature);
}

static void find_keys(struct dkim_verifier *verifier, struct dns_budget *budget)
{
	verifier->keys = arena_alloc(verifier->arena, (verifier->count + 1) * sizeof(*verifier->keys));
	for (size_t i = 0; i < verifier->count; i++) {
		struct signature *signature = &verifier->signatures[i];
		const struct keys *keys;
		const struct key *key;
		enum dkim_result result;
		const char *reason;
		bool fits;

		if (!signature->digest)
			continue;
		keys = keys_find(budget, key_name(signature->seen->selector, signature->seen->domain, verifier->arena));
		key = choose_key(verifier, signature, keys, &fits);
		result = key_suits(signature, key, &verifier->rules, &reason);
		signature->seen->testing = key->testing;
		signature->seen->bits = key->bits;
		if (result != DKIM_PASS)
			signature_judge(signature, result, reason);
		else if (!fits)
			signature_judge(signature, DKIM_PERMERROR, "there are more key records than are tried");
		else
			verifier->keys[i] = key;
	}
}

/* RFC 6376 6.1: one that passes is enough; then what may still pass later, then what came closest. */
static unsigned merit(const struct dkim_signature *signature)
{
	static const unsigned merits[] = {
	    [DKIM_PASS] = 6, [DKIM_TEMPERROR] = 5, [DKIM_POLICY] = 4,
	    [DKIM_FAIL] = 3, [DKIM_NEUTRAL] = 2,   [DKIM_PERMERROR] = 1,
	};

	if (signature->testing && signature->result == DKIM_FAIL)
		return 0; /* RFC 6376 3.6.1: as if it were not there */
	return merits[signature->result] * 2 + signature->aligned;
}

static void outcome_fill(const struct dkim_verifier *verifier, struct dkim_outcome *outcome_r)
{
	*outcome_r = (struct dkim_outcome){.result = DKIM_NONE, .signatures = verifier->seen, .count = verifier->count};
	for (size_t i = 0; i < verifier->count; i++)
		if (!outcome_r->best || merit(&verifier->seen[i]) > merit(outcome_r->best))
			outcome_r->best = &verifier->seen[i];
	if (outcome_r->best && merit(outcome_r->best) > 0)
		outcome_r->result = outcome_r->best->result;
}

void dkim_verify_end(struct dkim_verifier *verifier, struct dns_budget *budget, struct dkim_outcome *outcome_r)
{
	struct arena *arena = verifier->arena;

	dkim_body_end(verifier->body);
	if (verifier->count > 0) {
		verifier->hash = hash_new(arena);
		verifier->fields = dkim_fields_new(verifier->headers->fields, verifier->headers->count, arena);
	}
	find_keys(verifier, budget);
	if (verifier->second) {
		verifier->words = arena_alloc(arena, verifier->count * sizeof(*verifier->words));
		second_end(verifier->second, verifier->keys, verifier->words);
	}
	for (size_t i = 0; i < verifier->count; i++)
		if (verifier->keys[i])
			judge_match(verifier, i);
	outcome_fill(verifier, outcome_r);
}
