/*
 * seal.c - sealing a message that leaves again (RFC 8617 5.1), after all edits and after DKIM.
 *
 * The domain of the rule selects the keys. One of them seals; an RSA key first, since not every verifier knows others.
 */
#include "arc.h"
#include "gate_private.h"

static const struct signing_key *choose_key(const struct signing_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (dkim_private_algorithm(keys[i].key) == DKIM_RSA)
			return &keys[i];
	return count > 0 ? &keys[0] : NULL;
}

static void note(struct gate *gate, struct position rule, struct slice text)
{
	decision_note(&gate->decision, NOTE_LOG, text, rule);
}

bool seal_message(struct gate *gate, const struct edit *edit, struct outgoing *fields, size_t count,
		  struct slice results, struct arc_made *made_r)
{
	const struct sign_setting *sign = policy_sign(gate->engine->policy, edit->name);
	struct signing_key keys[SIGN_KEYS_MAX];
	const struct signing_key *key = sign ? choose_key(keys, sign_keys(gate, sign, keys)) : NULL;
	struct arena *arena = gate->message.arena;
	struct arc_sealing sealing = {.arrived = check_arc_outcome(&gate->view),
				      .domain = edit->name,
				      .now_s = gate->view.now_us / 1000000,
				      .results = results};
	const struct header_field *list;
	struct dkim_signing signing;
	struct error err;

	if (!key) {
		note(gate, edit->rule, arena_printf(arena, "not sealed: no key for %.*s", SLICE_ARGS(edit->name)));
		return false;
	}
	dkim_body_end(signed_body(gate));
	sealing.selector = key->selector;
	sealing.key = key->key;
	signing = arc_signing(&sealing, 1); /* every instance signs the same fields */
	list = sign_fields(gate, edit->rule, &signing, fields, count, &count);
	if (arc_seal(&sealing, list, count, signed_body(gate), arena, made_r, &err)) {
		note(gate, edit->rule, arena_printf(arena, "not sealed: %s", err.text));
		return false;
	}
	note(gate, edit->rule,
	     arena_printf(arena, "sealed: i=%u d=%.*s s=%.*s", made_r->instance, SLICE_ARGS(edit->name),
			  SLICE_ARGS(key->selector)));
	sign_note_body(gate, edit->rule);
	return true;
}
