/*
 * sign.c - signing a message that leaves (RFC 6376 5), after all edits.
 *
 * The author domain says whose keys sign; with several keys there are several signatures. Relaxed canonical
 * forms, since MTAs fold anew and touch blanks. The body was hashed as it came; libopendkim, which wants
 * the header first, gets it from a spool.
 */
#include "gate_private.h"

static void note(struct gate *gate, struct position rule, struct slice text)
{
	decision_note(&gate->decision, NOTE_LOG, text, rule);
}

static struct slice signing_domain(const struct header_field *fields, size_t count, struct arena *arena)
{
	struct headers headers;

	headers_init(&headers, arena);
	for (size_t i = 0; i < count; i++)
		if (author_is_field(fields[i].name))
			headers_add(&headers, fields[i].name, fields[i].value);
	return author_domain(&headers, arena);
}

static void keep(void *spool, struct slice chunk)
{
	spool_add(spool, chunk);
}

void sign_prepare(struct gate *gate)
{
	struct dkim_library *library;

	dkim_body_want(view_body(&gate->view), DKIM_RELAXED, DKIM_WHOLE);
	if (check_dkim_engine(&gate->settings->check, &library) == DKIM_NATIVE)
		return;
	gate->spool = spool_new(gate->message.arena);
	view_sink(&gate->view, keep, gate->spool);
}

/* dkim { engine compare } */
static void compare(struct gate *gate, struct position rule, const struct dkim_signing *signing,
		    struct dkim_fields *fields, struct slice value)
{
	struct arena *arena = gate->message.arena;
	struct error err = {""};
	enum dkim_compared compared = dkim_signature_compare(signing, fields, gate->view.body, value, arena, &err);

	if (compared == DKIM_AGREE)
		return;
	gate->view.signing_disagrees |= compared == DKIM_DISAGREE;
	note(gate, rule,
	     arena_printf(arena, "%s: d=%.*s s=%.*s: %s",
			  compared == DKIM_DISAGREE ? "dkim engines disagree on signing" : "signing was not compared",
			  SLICE_ARGS(signing->domain), SLICE_ARGS(signing->selector), err.text));
}

/* "" when it cannot; what was done is noted. */
static struct slice sign_with(struct gate *gate, struct position rule, const struct dkim_signing *signing,
			      struct dkim_fields *fields)
{
	struct arena *arena = gate->message.arena;
	struct error err;
	struct slice value = dkim_signature_make(signing, fields, gate->view.body, arena, &err);

	if (value.n == 0) {
		note(gate, rule, arena_printf(arena, "not signed: %s", err.text));
		return value;
	}
	note(gate, rule, arena_join(arena, SLICE("signed: d="), signing->domain, SLICE(" s="), signing->selector));
	if (signing->engine == DKIM_COMPARE)
		compare(gate, rule, signing, fields, value);
	return value;
}

size_t sign_message(struct gate *gate, struct position rule, const struct header_field *fields, size_t count,
		    struct slice values_r[SIGN_KEYS_MAX])
{
	struct arena *arena = gate->message.arena;
	struct slice domain = signing_domain(fields, count, arena);
	const struct sign_setting *sign = policy_sign(gate->engine->policy, domain);
	struct dkim_library *library;
	enum dkim_engine engine = check_dkim_engine(&gate->settings->check, &library);
	struct dkim_fields *prepared;
	size_t made = 0;

	if (!sign) {
		note(gate, rule,
		     domain.n ? arena_printf(arena, "not signed: there is no key for %.*s", SLICE_ARGS(domain))
			      : SLICE("not signed: From does not name one author"));
		return 0;
	}
	dkim_body_end(view_body(&gate->view));
	prepared = dkim_fields_new(fields, count, arena);
	for (size_t i = 0; i < sign->key_count; i++) {
		const struct dkim_signing signing = {
		    .domain = sign->domain,
		    .selector = sign->keys[i].selector,
		    .key = sign->keys[i].key,
		    .header_canon = DKIM_RELAXED,
		    .body_canon = DKIM_RELAXED,
		    .names = sign->names.items,
		    .name_count = sign->names.count,
		    .now_s = clock_wall_us() / 1000000,
		    .lifetime_s = sign->lifetime_us / 1000000,
		    .engine = engine,
		    .library = library,
		    .spool = gate->spool,
		};

		values_r[made] = sign_with(gate, rule, &signing, prepared);
		made += values_r[made].n > 0;
	}
	return made;
}
