/*
 * sign.c - signing a message that leaves (RFC 6376 5), after all edits.
 *
 * The author domain selects the keys; with several keys there are several signatures. Relaxed canonical
 * forms, because MTAs refold and change blanks. The body was hashed as it arrived; libopendkim, which needs
 * the header first, gets it from a spool.
 */
#include "gate_private.h"
#include "keys.h"

/* Sendmail breaks longer lines (L=990 of its SMTP mailers), Postfix those over 998 (smtp_line_length_limit). */
#define BODY_LINE_MAX 990

#define SIGNED_LOOKED_AT 10 /* signatures that arrived, and may be ours: each may cost a verification */

static void note(struct gate *gate, struct position rule, struct slice text)
{
	decision_note(&gate->decision, NOTE_LOG, text, rule);
}

/* emit_rewrites, where the authors stay who they were: a message is signed for the author whom the rules saw. */
static bool rewrites(const struct header_field *field, struct arena *arena, struct slice *value_r, const char **why_r)
{
	if (!emit_rewrites(field->name, field->value, arena, value_r, why_r))
		return false;
	return !author_is_field(field->name) || author_stays(field->value, *value_r, arena);
}

/* A field in the form in which it will arrive; if it will not, the reason is noted for the rule. */
static void settle(struct gate *gate, struct position rule, struct outgoing *outgoing)
{
	struct arena *arena = gate->message.arena;
	struct header_field *field = &outgoing->field;
	struct slice value;
	const char *why;
	bool cut;

	if (rewrites(field, arena, &value, &why)) {
		field->value = arena_join(arena, SLICE(" "), value);
		outgoing->changed = true;
	}
	if (emit_folds(field->name, field->value, arena, &value, &cut)) {
		field->value = value;
		outgoing->changed = true;
	}
	if (why)
		note(gate, rule,
		     arena_printf(arena, "the signature may break: %.*s has %s", SLICE_ARGS(field->name), why));
	if (cut)
		note(gate, rule,
		     arena_printf(arena,
				  "the signature may break: %.*s has a word that is too long for one line, and "
				  "mail servers split it",
				  SLICE_ARGS(field->name)));
}

/* From is always signed, and selects the signer. */
static struct slice signing_domain(const struct outgoing *fields, size_t count, struct arena *arena)
{
	struct headers headers;
	const char *why;

	headers_init(&headers, arena);
	for (size_t i = 0; i < count; i++) {
		const struct header_field *field = &fields[i].field;
		struct slice value;

		if (!author_is_field(field->name))
			continue;
		if (!rewrites(field, arena, &value, &why))
			value = field->value;
		headers_add(&headers, field->name, value);
	}
	return author_domain(&headers, arena);
}

static void keep(void *spool, struct slice chunk)
{
	spool_add(spool, chunk);
}

void body_spool(struct gate *gate)
{
	if (gate->spool)
		return;
	gate->spool = spool_new(gate->message.arena);
	view_sink(&gate->view, keep, gate->spool);
}

static void want_body(struct dkim_body *body)
{
	dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);
	dkim_body_watch(body, BODY_LINE_MAX);
}

struct dkim_body *sign_body_new(struct gate *gate)
{
	struct dkim_body *body = dkim_body_new(gate->message.arena);

	want_body(body);
	return body;
}

struct dkim_body *signed_body(struct gate *gate)
{
	return gate->new_body ? gate->new_body : view_body(&gate->view);
}

void sign_prepare(struct gate *gate)
{
	struct dkim_library *library;

	want_body(view_body(&gate->view));
	if (check_dkim_engine(&gate->settings->check, &library) != DKIM_NATIVE)
		body_spool(gate);
}

/* dkim { engine compare } */
static void compare(struct gate *gate, struct position rule, const struct dkim_signing *signing,
		    struct dkim_fields *fields, struct slice value)
{
	struct arena *arena = gate->message.arena;
	struct error err = {""};
	enum dkim_compared compared = dkim_signature_compare(signing, fields, signed_body(gate), value, arena, &err);

	if (compared == DKIM_AGREE)
		return;
	gate->view.signing_disagrees |= compared == DKIM_DISAGREE;
	note(gate, rule,
	     arena_printf(arena, "%s: d=%.*s s=%.*s: %s",
			  compared == DKIM_DISAGREE ? "dkim engines disagree on signing" : "signing was not compared",
			  SLICE_ARGS(signing->domain), SLICE_ARGS(signing->selector), err.text));
}

/* "" when it cannot sign; the result is noted. */
static struct slice sign_with(struct gate *gate, struct position rule, const struct dkim_signing *signing,
			      struct dkim_fields *fields)
{
	struct arena *arena = gate->message.arena;
	struct error err;
	struct slice value = dkim_signature_make(signing, fields, signed_body(gate), arena, &err);

	if (value.n == 0) {
		note(gate, rule, arena_printf(arena, "not signed: %s", err.text));
		return value;
	}
	note(gate, rule, arena_join(arena, SLICE("signed: d="), signing->domain, SLICE(" s="), signing->selector));
	if (signing->engine == DKIM_COMPARE)
		compare(gate, rule, signing, fields, value);
	return value;
}

/* Everything except the key. */
static struct dkim_signing signing_of(struct gate *gate, const struct sign_setting *sign)
{
	struct dkim_library *library;
	enum dkim_engine engine = check_dkim_engine(&gate->settings->check, &library);

	return (struct dkim_signing){
	    .domain = sign->domain,
	    .header_canon = DKIM_RELAXED,
	    .body_canon = DKIM_RELAXED,
	    .names = sign->names.items,
	    .name_count = sign->names.count,
	    .oversigned = sign->oversigned.items,
	    .oversigned_count = sign->oversigned.count,
	    .oversigned_all = sign->oversigned_all,
	    .now_s = gate->view.now_us / 1000000,
	    .lifetime_s = sign->lifetime_us / 1000000,
	    .engine = engine,
	    .library = library,
	    .spool = gate->spool,
	};
}

void sign_note_body(struct gate *gate, struct position rule)
{
	struct dkim_noticed noticed = dkim_body_noticed(signed_body(gate));

	if (noticed.long_line)
		note(gate, rule,
		     SLICE(
			 "the signature may break: the body has lines that are longer than mail servers send, and they "
			 "divide them (Postfix over 998 octets, Sendmail over 990)"));
	if (noticed.eight_bits)
		note(gate, rule,
		     SLICE("the signature may break: the body has 8-bit text, and mail servers convert it for a next "
			   "server without 8BITMIME"));
}

const struct header_field *sign_fields(struct gate *gate, struct position rule, const struct dkim_signing *signing,
				       struct outgoing *fields, size_t count, size_t *count_r)
{
	struct arena *arena = gate->message.arena;
	struct header_field *list = arena_raw(arena, (count + 1) * sizeof(*list));
	size_t signed_count = 0;

	for (size_t i = 0; i < count; i++) {
		struct slice name = fields[i].field.name;
		bool covered = dkim_signing_covers(signing, name);

		if (covered && fields[i].dropped) {
			note(gate, rule,
			     arena_printf(arena, "%.*s is not signed: Sendmail removes it", SLICE_ARGS(name)));
			continue;
		}
		if (covered)
			settle(gate, rule, &fields[i]);
		list[signed_count++] = fields[i].field;
	}
	*count_r = signed_count;
	return list;
}

/* What passes here twice, as after a content filter, is signed once. */
static bool is_signed(struct gate *gate, const struct dkim_signing *signing, const struct header_field *list,
		      size_t count, struct dkim_fields *prepared)
{
	unsigned looked = 0;

	for (size_t i = 0; i < count && looked < SIGNED_LOOKED_AT; i++) {
		if (!header_is_named(&list[i], SLICE("DKIM-Signature")))
			continue;
		looked++;
		if (dkim_signature_holds(signing, &list[i], prepared, signed_body(gate), gate->message.arena))
			return true;
	}
	return false;
}

/* The setting of a domain; NULL, and a note: nothing is to be done. Each signs once, whoever names it. */
static const struct sign_setting *find_signer(struct gate *gate, const struct edit *edit, const struct outgoing *fields,
					      size_t count)
{
	struct arena *arena = gate->message.arena;
	struct slice domain = edit->name.n > 0 ? edit->name : signing_domain(fields, count, arena);
	const struct sign_setting *sign = policy_sign(gate->engine->policy, domain);

	if (!sign)
		note(gate, edit->rule,
		     domain.n ? arena_printf(arena, "not signed: no key for %.*s", SLICE_ARGS(domain))
			      : SLICE("not signed: From does not name one author"));
	for (size_t i = 0; i < gate->signer_count; i++)
		if (gate->signers[i] == sign)
			return NULL;
	if (sign && gate->signer_count == SIGNERS_MAX) {
		note(gate, edit->rule, SLICE("not signed: four domains have signed it"));
		return NULL;
	}
	if (sign)
		gate->signers[gate->signer_count++] = sign;
	return sign;
}

size_t sign_keys(struct gate *gate, const struct sign_setting *sign, struct signing_key keys_r[SIGN_KEYS_MAX])
{
	const struct managed_key *signers[KEYS_SIGNING_MAX];
	struct key_set *set;
	size_t count;

	if (!sign->ring) {
		memcpy(keys_r, sign->keys, sign->key_count * sizeof(*keys_r));
		return sign->key_count;
	}
	set = key_ring_set(sign->ring);
	arena_own(gate->message.arena, set, key_set_release);
	count = key_set_signers(set, policy_key_rules(sign).types, gate->view.now_us / 1000000, signers);
	for (size_t i = 0; i < count; i++)
		keys_r[i] = (struct signing_key){.selector = signers[i]->selector, .key = signers[i]->private};
	return count;
}

size_t sign_message(struct gate *gate, const struct edit *edit, struct outgoing *fields, size_t count,
		    struct slice values_r[SIGN_KEYS_MAX])
{
	struct arena *arena = gate->message.arena;
	const struct sign_setting *sign = find_signer(gate, edit, fields, count);
	struct dkim_signing signing;
	const struct header_field *list;
	struct dkim_fields *prepared;
	struct signing_key keys[SIGN_KEYS_MAX];
	size_t key_count, made = 0;

	if (!sign)
		return 0;
	key_count = sign_keys(gate, sign, keys);
	if (key_count == 0) {
		note(gate, edit->rule,
		     arena_printf(arena, "not signed: no key of %.*s has been in the DNS for long enough",
				  SLICE_ARGS(sign->domain)));
		return 0;
	}
	dkim_body_end(signed_body(gate));
	signing = signing_of(gate, sign);
	list = sign_fields(gate, edit->rule, &signing, fields, count, &count);
	prepared = dkim_fields_new(list, count, arena);
	for (size_t i = 0; i < key_count; i++) {
		signing.selector = keys[i].selector;
		signing.key = keys[i].key;
		if (is_signed(gate, &signing, list, count, prepared)) {
			note(gate, edit->rule,
			     arena_join(arena, SLICE("signed already: d="), signing.domain, SLICE(" s="),
					signing.selector));
			continue;
		}
		values_r[made] = sign_with(gate, edit->rule, &signing, prepared);
		made += values_r[made].n > 0;
	}
	if (made > 0)
		sign_note_body(gate, edit->rule);
	return made;
}
