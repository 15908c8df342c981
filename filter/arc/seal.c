/*
 * seal.c - our set of fields for a message that leaves again (RFC 8617 5.1).
 *
 * cv= says what we found when the message arrived. A chain that failed gets a last set, whose seal covers that set
 * alone (5.1.2). With i= first, as the ABNF has it: one verifier wants it there.
 */
#include "arc_private.h"

/* Over-signing more than From would only make later changes of a list break the signature. */
static const struct slice oversigned[] = {{"From", 4}};

struct dkim_signing arc_signing(const struct arc_sealing *sealing, unsigned instance)
{
	return (struct dkim_signing){
	    .domain = sealing->domain,
	    .selector = sealing->selector,
	    .key = sealing->key,
	    .header_canon = DKIM_RELAXED,
	    .body_canon = DKIM_RELAXED,
	    .oversigned = oversigned,
	    .oversigned_count = 1,
	    .now_s = sealing->now_s,
	    .instance = instance,
	};
}

/* NULL, or why nothing is added. */
static const char *refusal(const struct arc_outcome *arrived, const struct arc_sets *sets)
{
	if (arrived->result == ARC_TEMPERROR)
		return "the chain could not be verified for now, and a seal would end it for good";
	if (arrived->ended)
		return "the chain has ended: its newest seal says cv=fail";
	if (sets->highest >= ARC_SETS_MAX)
		return "the chain has 50 sets, and no more are allowed";
	if (sets->highest != arrived->sets || (arrived->result == ARC_NONE && sets->fields > 0) ||
	    (arrived->result == ARC_PASS && sets->wrong.n > 0))
		return "a rule has changed the fields of ARC";
	return NULL;
}

/* The fields that the seal covers, but itself. */
static void add_sets(struct dkim_chain *chain, const struct arc_sets *sets, const struct arc_made *made, bool failed)
{
	const struct header_field own[] = {
	    {.name = SLICE("ARC-Authentication-Results"), .value = made->results},
	    {.name = SLICE("ARC-Message-Signature"), .value = made->signature},
	};

	for (unsigned i = 0; !failed && i < sets->highest; i++)
		for (int part = 0; part < ARC_PARTS; part++)
			dkim_chain_add(chain, sets->list[i].parts[part]);
	dkim_chain_add(chain, &own[0]);
	dkim_chain_add(chain, &own[1]);
}

int arc_seal(const struct arc_sealing *sealing, const struct header_field *list, size_t count,
	     const struct dkim_body *body, struct arena *arena, struct arc_made *made_r, struct error *err)
{
	static const char *const status[] = {[ARC_NONE] = "none", [ARC_PASS] = "pass", [ARC_FAIL] = "fail"};
	struct dkim_chain *chain = dkim_chain_new(arena);
	struct dkim_signing signing;
	struct arc_sets sets;
	const char *why;

	arc_sets_find(&sets, list, count, ARC_SETS_MAX, arena);
	why = refusal(sealing->arrived, &sets);
	if (why) {
		error_set(err, "%s", why);
		return -1;
	}
	made_r->instance = sets.highest + 1;
	signing = arc_signing(sealing, made_r->instance);
	made_r->results = arena_printf(arena, " i=%u; %.*s", made_r->instance, SLICE_ARGS(sealing->results));
	made_r->signature = dkim_signature_make(&signing, dkim_fields_new(list, count, arena), body, arena, err);
	if (made_r->signature.n == 0)
		return -1;
	add_sets(chain, &sets, made_r, sealing->arrived->result == ARC_FAIL);
	made_r->seal = dkim_seal_make(chain, &signing, slice_of(status[sealing->arrived->result]), err);
	return made_r->seal.n > 0 ? 0 : -1;
}
