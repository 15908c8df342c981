/*
 * verify.c - does the chain pass (RFC 8617 5.2)?
 *
 * The structure first, then the newest message signature, then the seals from the newest down. One hash runs over all
 * sets, so that 50 of them cost 51 verifications. No sealer is named before the last seal was verified.
 */
#include "arc_private.h"

const char *const arc_result_names[5] = {"none", "pass", "fail", "temperror", NULL};

/* Older message signatures that cover part of a body (l=) can each need a hash of their own, and decide about
 * oldest-pass alone. */
#define PARTS_MOST 8

struct arc_verifier {
	struct arc_rules rules;
	struct dkim_rules keys;
	struct arena *arena;
	struct arc_sets sets;
	const struct headers *headers;
	struct dkim_body *body;
	struct dkim_verifier *newest; /* its message signature; NULL: nothing is verified */
	struct arc_outcome outcome;
};

void arc_hint(struct dns_budget *budget, const struct header_field *field, struct arena *arena)
{
	enum arc_part part;

	if (arc_part_of(field, &part) && part != ARC_RESULTS)
		dkim_hint(budget, field->value, arena);
}

/* ---- before the body ------------------------------------------------------------------------ */

static struct dkim_verifier *signature_begin(struct arc_verifier *verifier, unsigned instance)
{
	return dkim_verify_arc_begin(&verifier->keys, verifier->headers,
				     verifier->sets.list[instance - 1].parts[ARC_SIGNATURE], verifier->body,
				     verifier->arena);
}

/* Only the newest is read now. For the others, in case somebody asks for oldest-pass, the body is hashed in their
 * forms, most often in the same. */
static void want_bodies(struct arc_verifier *verifier)
{
	unsigned parts = 0;

	verifier->newest = signature_begin(verifier, verifier->sets.highest);
	for (unsigned i = verifier->sets.highest - 1; i-- > 0;) {
		const struct header_field *field = verifier->sets.list[i].parts[ARC_SIGNATURE];

		if (dkim_arc_covers_part(field->value) && parts++ == PARTS_MOST)
			return;
		dkim_arc_want(field->value, verifier->body);
	}
}

struct arc_verifier *arc_verify_begin(const struct arc_rules *rules, const struct headers *headers,
				      struct dkim_body *body, struct arena *arena)
{
	struct arc_verifier *verifier = arena_alloc(arena, sizeof(*verifier));

	verifier->rules = *rules;
	verifier->keys = (struct dkim_rules){.now_s = rules->now_s, .minimum_bits = rules->minimum_bits};
	verifier->arena = arena;
	verifier->headers = headers;
	verifier->body = body;
	arc_sets_find(&verifier->sets, headers->fields, headers->count,
		      rules->sets < ARC_SETS_MAX ? rules->sets : ARC_SETS_MAX, arena);
	verifier->outcome = (struct arc_outcome){.result = ARC_NONE, .reason = SLICE("")};
	if (verifier->sets.fields > 0 && verifier->sets.wrong.n == 0)
		want_bodies(verifier);
	return verifier;
}

/* ---- at the end ------------------------------------------------------------------------------ */

/* A failure stays; DNS trouble may still become one. */
static void fail(struct arc_verifier *verifier, enum arc_result result, struct slice reason)
{
	struct arc_outcome *outcome = &verifier->outcome;

	if (outcome->result == ARC_FAIL || (outcome->result == ARC_TEMPERROR && result == ARC_TEMPERROR))
		return;
	outcome->result = result;
	outcome->reason = reason;
}

/* What became of a signature of the set. */
static void judge(struct arc_verifier *verifier, const char *what, unsigned instance, const struct dkim_signature *seen)
{
	enum arc_result result = seen->result == DKIM_TEMPERROR ? ARC_TEMPERROR : ARC_FAIL;

	if (seen->result == DKIM_PASS || seen->result == DKIM_NONE)
		return;
	fail(verifier, result,
	     arena_printf(verifier->arena, "the %s of set %u: %.*s", what, instance, SLICE_ARGS(seen->reason)));
}

static struct dkim_signature signature_end(struct dkim_verifier *signature, struct dns_budget *budget)
{
	struct dkim_outcome outcome;

	dkim_verify_end(signature, budget, &outcome);
	return outcome.signatures[0];
}

/* RFC 8617 5.2 step 2: a chain that ended, whatever else is wrong with it. */
static bool has_ended(struct arc_verifier *verifier)
{
	unsigned sets = verifier->sets.highest;
	const struct header_field *field =
	    sets > 0 && sets <= ARC_SETS_MAX ? verifier->sets.list[sets - 1].parts[ARC_SEAL] : NULL;
	const struct dkim_seal *seal = field ? dkim_seal_read(dkim_chain_new(verifier->arena), field) : NULL;

	return seal && slice_equal(dkim_seal_status(seal), SLICE("fail"));
}

/* RFC 8617 5.2, steps 2 and 3. A chain that ended is not looked at any further. */
static void judge_status(struct arc_verifier *verifier, struct dkim_seal *const *seals)
{
	unsigned sets = verifier->sets.highest;

	verifier->outcome.ended = slice_equal(dkim_seal_status(seals[sets - 1]), SLICE("fail"));
	if (verifier->outcome.ended) {
		fail(verifier, ARC_FAIL, arena_printf(verifier->arena, "set %u says that the chain has failed", sets));
		return;
	}
	for (unsigned i = sets; i-- > 0;) {
		const char *wanted = i == 0 ? "none" : "pass";

		judge(verifier, "ARC-Seal", i + 1, dkim_seal_seen(seals[i]));
		if (!slice_equal(dkim_seal_status(seals[i]), slice_of(wanted)))
			fail(verifier, ARC_FAIL,
			     arena_printf(verifier->arena, "the ARC-Seal of set %u has no cv=%s", i + 1, wanted));
	}
}

static void verify_seals(struct arc_verifier *verifier, struct dkim_chain *chain, struct dkim_seal *const *seals,
			 struct dns_budget *budget)
{
	unsigned sets = verifier->sets.highest;

	for (unsigned i = 0; i < sets; i++) {
		dkim_chain_add(chain, verifier->sets.list[i].parts[ARC_RESULTS]);
		dkim_chain_add(chain, verifier->sets.list[i].parts[ARC_SIGNATURE]);
		dkim_seal_hash(seals[i]);
	}
	for (unsigned i = sets; i-- > 0 && verifier->outcome.result != ARC_FAIL;) {
		dkim_seal_verify(seals[i], budget, &verifier->keys);
		judge(verifier, "ARC-Seal", i + 1, dkim_seal_seen(seals[i]));
	}
}

static void name_sealers(struct arc_verifier *verifier, struct dkim_seal *const *seals)
{
	unsigned sets = verifier->sets.highest;
	struct arc_sealer *sealers = arena_alloc(verifier->arena, sets * sizeof(*sealers));

	for (unsigned i = 0; i < sets; i++)
		sealers[i] = (struct arc_sealer){dkim_seal_seen(seals[i])->domain, dkim_seal_seen(seals[i])->selector};
	verifier->outcome.sealers = sealers;
	verifier->outcome.result = ARC_PASS;
}

static void verify(struct arc_verifier *verifier, struct dns_budget *budget)
{
	struct dkim_chain *chain = dkim_chain_new(verifier->arena);
	struct dkim_seal *seals[ARC_SETS_MAX];
	struct dkim_signature newest;
	unsigned sets = verifier->sets.highest;

	for (unsigned i = 0; i < sets; i++)
		seals[i] = dkim_seal_read(chain, verifier->sets.list[i].parts[ARC_SEAL]);
	judge_status(verifier, seals);
	if (verifier->outcome.result == ARC_FAIL)
		return;
	newest = signature_end(verifier->newest, budget);
	judge(verifier, "ARC-Message-Signature", sets, &newest);
	if (verifier->outcome.result != ARC_FAIL)
		verify_seals(verifier, chain, seals, budget);
	if (verifier->outcome.result == ARC_NONE)
		name_sealers(verifier, seals);
	verifier->outcome.partial = verifier->outcome.result == ARC_PASS && newest.partial;
}

void arc_verify_end(struct arc_verifier *verifier, struct dns_budget *budget, struct arc_outcome *outcome_r)
{
	verifier->outcome.sets = verifier->sets.highest;
	if (verifier->sets.wrong.n > 0) {
		fail(verifier, ARC_FAIL, verifier->sets.wrong);
		verifier->outcome.ended = has_ended(verifier);
	} else if (verifier->sets.fields > 0) {
		verify(verifier, budget);
	}
	*outcome_r = verifier->outcome;
}

unsigned arc_oldest_pass(struct arc_verifier *verifier, struct dns_budget *budget)
{
	unsigned instance = verifier->sets.highest;

	if (verifier->outcome.result != ARC_PASS)
		return 0;
	while (instance > 1 && signature_end(signature_begin(verifier, instance - 1), budget).result == DKIM_PASS)
		instance--;
	return instance == 1 ? 0 : instance;
}

bool arc_results(const struct arc_verifier *verifier, unsigned instance, struct authres_parsed *parsed_r)
{
	struct slice rest;
	unsigned number;

	if (verifier->outcome.result != ARC_PASS || instance == 0 || instance > verifier->sets.highest)
		return false;
	return arc_instance(ARC_RESULTS, verifier->sets.list[instance - 1].parts[ARC_RESULTS]->value, &number, &rest) &&
	       authres_parse(rest, verifier->arena, parsed_r);
}
