/*
 * changes.c - turns edits into what the MTA must do to the header.
 *
 * The edits of all rules are applied, in order, to a plan of the header: each field
 * of the message is kept, replaced or deleted, and new fields are collected. Then the
 * plan is written in the one order that works for both MTAs: from the last field to the
 * first, so that no deletion moves a field that is still to be changed; insertions follow,
 * each at the top, Authentication-Results last, so that it is topmost. Envelope and body follow.
 */
#include "arc.h"
#include "plan.h"

#include <string.h>

static struct slice spaced(struct arena *arena, struct slice value)
{
	return arena_join(arena, SLICE(" "), value);
}

/* Sendmail adds these after the milter to a message that lacks them, even when the milter has inserted one: then there
 * are two. But its own can be replaced, as the first of that name. Postfix adds a field that is replaced this way. */
static bool is_supplied(struct slice name)
{
	static const char *const names[] = {"Date", "From", "Message-ID", NULL};

	for (size_t i = 0; names[i]; i++)
		if (slice_equal_nocase(name, slice_of(names[i])))
			return true;
	return false;
}

/* Will there be such a field? *deleted_r: the first one that is deleted; NULL: none. */
static bool plan_has(struct plan *plan, struct slice name, struct plan_field **deleted_r)
{
	*deleted_r = NULL;
	for (size_t i = 0; i < plan->new_count; i++)
		if (!plan->added[i].deleted && slice_equal_nocase(plan->added[i].name, name))
			return true;
	for (size_t i = plan->headers->count; i-- > 0;) {
		if (!header_is_named(&plan->headers->fields[i], name))
			continue;
		if (!plan->fields[i].deleted)
			return true;
		*deleted_r = &plan->fields[i];
	}
	return false;
}

static void plan_insert(struct plan *plan, struct slice name, struct slice value, bool bottom)
{
	struct plan_field *deleted = NULL;
	bool supplied = is_supplied(name) && !plan_has(plan, name, &deleted);

	value = spaced(plan->arena, value);
	if (supplied && deleted)
		*deleted = (struct plan_field){.replaced = true, .value = value};
	else
		plan->added[plan->new_count++] = (struct plan_new){
		    .supplied = supplied, .bottom = bottom && !supplied, .name = name, .value = value};
}

/* When the expression cannot decide, the field stays. */
static bool is_meant(struct gate *gate, const struct edit *edit, struct slice name, struct slice value)
{
	struct arena *arena = gate->message.arena;
	const char *why;
	enum truth truth;

	if (!edit->regex)
		return true;
	truth = edit_matches(edit, header_unfold(value, arena), &why);
	if (truth == TRUTH_UNKNOWN)
		decision_note(&gate->decision, NOTE_UNKNOWN,
			      arena_printf(arena, "a field %.*s was kept: %s", SLICE_ARGS(slice_trim(name)), why),
			      edit->rule);
	return truth == TRUTH_TRUE;
}

static void plan_delete(struct gate *gate, struct plan *plan, const struct edit *edit)
{
	for (size_t i = 0; i < plan->headers->count; i++) {
		struct plan_field *field = &plan->fields[i];
		const struct header_field *came = &plan->headers->fields[i];

		if (!field->deleted && edit_names(edit, gate->view.store, came->name))
			field->deleted = is_meant(gate, edit, came->name, field->replaced ? field->value : came->value);
	}
	for (size_t i = 0; i < plan->new_count; i++) {
		struct plan_new *new = &plan->added[i];

		if (!new->deleted && edit_names(edit, gate->view.store, new->name))
			new->deleted = is_meant(gate, edit, new->name, new->value);
	}
}

/* Afterwards there is one field of that name: the first existing one, or a new one. */
static void plan_replace(struct plan *plan, struct slice name, struct slice value)
{
	bool placed = false;

	for (size_t i = 0; i < plan->headers->count; i++) {
		struct plan_field *field = &plan->fields[i];

		if (field->deleted || !header_is_named(&plan->headers->fields[i], name))
			continue;
		if (placed) {
			field->deleted = true;
			continue;
		}
		placed = field->replaced = true;
		field->value = spaced(plan->arena, value);
	}
	for (size_t i = 0; i < plan->new_count; i++) {
		struct plan_new *new = &plan->added[i];

		if (new->deleted || !slice_equal_nocase(new->name, name))
			continue;
		new->deleted = placed;
		new->value = spaced(plan->arena, value);
		placed = true;
	}
	if (!placed)
		plan_insert(plan, name, value, false);
}

static void plan_prefix_subject(struct plan *plan, struct slice prefix)
{
	const struct slice subject = SLICE("Subject");
	struct slice value;

	for (size_t i = 0; i < plan->headers->count; i++) {
		const struct header_field *field = &plan->headers->fields[i];
		struct plan_field *planned = &plan->fields[i];

		if (planned->deleted || !header_is_named(field, subject))
			continue;
		if (subject_prefix(prefix, planned->replaced ? planned->value : field->value, plan->arena, &value))
			*planned = (struct plan_field){.replaced = true, .value = value};
		return;
	}
	for (size_t i = 0; i < plan->new_count; i++) {
		struct plan_new *new = &plan->added[i];

		if (new->deleted || !slice_equal_nocase(new->name, subject))
			continue;
		if (subject_prefix(prefix, new->value, plan->arena, &value))
			new->value = value;
		return;
	}
	if (subject_prefix(prefix, SLICE(""), plan->arena, &value))
		plan->added[plan->new_count++] = (struct plan_new){.name = subject, .value = value};
}

/* Afterwards the login's only address is the author, and nobody else the sender (RFC 5322 3.6.2). */
static void plan_canonical(struct gate *gate, struct plan *plan, struct slice address)
{
	const struct slice sender = SLICE("Sender");
	struct slice value;

	if (canonical_from(plan, address, &value))
		plan_replace(plan, SLICE("From"), value);
	plan_delete(gate, plan, &(struct edit){.names = &sender, .name_count = 1});
}

static void plan_missing(struct gate *gate, struct plan *plan)
{
	struct slice date = SLICE("Date"), id = SLICE("Message-ID");
	struct plan_field *deleted;

	if (!plan_has(plan, date, &deleted))
		plan_insert(plan, date, date_print(gate->view.now_us, plan->arena), false);
	if (!plan_has(plan, id, &deleted))
		plan_insert(plan, id,
			    missing_message_id(gate->view.now_us, gate->view.settings->authserv_id, plan->arena),
			    false);
}

/* Replies still go to the author, unless it names another address for them. */
static void plan_rewrite_from(struct gate *gate, struct plan *plan, const struct edit *edit)
{
	struct plan_field *deleted;
	struct slice value, reply;

	if (!rewrite_from(gate, edit, plan, &value, &reply))
		return;
	if (!plan_has(plan, SLICE("Reply-To"), &deleted))
		plan_insert(plan, SLICE("Reply-To"), reply, false);
	plan_replace(plan, SLICE("From"), value);
}

static void plan_edit(struct gate *gate, struct plan *plan, const struct edit *edit)
{
	switch (edit->kind) {
	case EDIT_ADD_HEADER:
		plan_insert(plan, edit->name, edit->value, edit->bottom);
		break;
	case EDIT_DELETE_HEADER:
		plan_delete(gate, plan, edit);
		break;
	case EDIT_REPLACE_HEADER:
		plan_replace(plan, edit->name, edit->value);
		break;
	case EDIT_PREFIX_SUBJECT:
		plan_prefix_subject(plan, edit->value);
		break;
	case EDIT_CANONICAL:
		plan_canonical(gate, plan, edit->value);
		break;
	case EDIT_ADD_MISSING:
		plan_missing(gate, plan);
		break;
	case EDIT_REWRITE_FROM:
		plan_rewrite_from(gate, plan, edit);
		break;
	default:
		break; /* envelope and body; signatures come last */
	}
}

/* RFC 8601 5: a field with our name that came from outside is not ours. */
static void plan_delete_forged(struct plan *plan, struct slice id)
{
	for (size_t i = 0; i < plan->headers->count; i++)
		if (authres_is_forged(&plan->headers->fields[i], id, plan->arena))
			plan->fields[i].deleted = true;
}

static void plan_own(struct plan *plan, struct slice name, struct slice value)
{
	plan->stamps[plan->stamp_count++] = (struct plan_new){.name = name, .value = spaced(plan->arena, value)};
}

/* The clauses of these checks; of silent ones only with the second set. */
static struct authres *results(struct gate *gate, unsigned wanted, unsigned always)
{
	struct authres *field = authres_new(gate->message.arena, gate->view.settings->authserv_id);

	for (unsigned i = 0; checks[i]; i++) {
		const struct check *check = checks[i];
		bool silent = check->silent && !(always & 1u << i) && check->silent(&gate->view);

		if ((wanted & (1u << i)) && check->authres && !silent)
			check->authres(&gate->view, field);
	}
	return field;
}

/* Our field, when it has any results. */
static void plan_authres(struct gate *gate, struct plan *plan)
{
	struct authres *field = results(gate, gate->settings->authres_checks, gate->settings->authres_named);

	if (!authres_empty(field) || gate->view.kind == KIND_INBOUND)
		plan_own(plan, SLICE("Authentication-Results"), authres_print(field));
}

/* Fields of the checks, in the order of the checks. */
static void plan_stamps(struct gate *gate, struct plan *plan)
{
	struct stamp stamp;

	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->stamp && checks[i]->stamp(&gate->view, &stamp))
			plan_own(plan, stamp.name, stamp.value);
}

/* ---- for Sendmail ------------------------------------------------------------------------ */

/* Recipients that a rule wrote, in a form that Sendmail does not split. */
static void tighten(struct gate *gate, struct slice name, struct slice *value)
{
	static const struct position engine; /* not a rule */
	struct arena *arena = gate->message.arena;
	struct slice tight;
	const char *why;

	if (emit_tightens(name, *value, arena, &tight, &why))
		*value = spaced(arena, tight);
	if (why)
		decision_note(&gate->decision, NOTE_LOG,
			      arena_printf(arena,
					   "a rule wrote %.*s with %s in a message of plain addresses; "
					   "confOLD_STYLE_HEADERS False in sendmail.mc prevents that",
					   SLICE_ARGS(name), why),
			      engine);
}

static void plan_tighten(struct gate *gate, struct plan *plan)
{
	if (gate->decision.edit_count == 0 || !emit_is_plain(plan->headers))
		return;
	for (size_t i = 0; i < plan->new_count; i++)
		if (!plan->added[i].deleted)
			tighten(gate, plan->added[i].name, &plan->added[i].value);
	for (size_t i = 0; i < plan->headers->count; i++)
		if (plan->fields[i].replaced && !plan->fields[i].deleted)
			tighten(gate, plan->headers->fields[i].name, &plan->fields[i].value);
}

/* ---- signing ------------------------------------------------------------------------- */

/* What Sendmail removes, and Postfix does not. */
static bool is_dropped(struct slice name)
{
	static const char *const names[] = {"Bcc", "Content-Length", "Full-Name", "Return-Path", NULL};

	for (size_t i = 0; names[i]; i++)
		if (slice_equal_nocase(name, slice_of(names[i])))
			return true;
	return false;
}

/* It also removes these from a message that came without any of them. */
static bool is_resent(struct slice name)
{
	return slice_starts_nocase(name, SLICE("Resent-"));
}

static bool has_resent(const struct headers *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		if (is_resent(headers->fields[i].name))
			return true;
	return false;
}

/* Which new fields: those above the original ones, or those below. */
static bool is_of(const struct plan_new *new, bool below)
{
	return !new->deleted && (new->supplied || new->bottom) == below;
}

static void result_add(const struct plan *plan, struct outgoing *fields, size_t *count, bool below)
{
	for (size_t i = 0; i < plan->new_count; i++) {
		const struct plan_new *new = &plan->added[i];

		if (is_of(new, below))
			fields[(*count)++] = (struct outgoing){
			    .field = {.name = new->name, .value = new->value},
			    .dropped = is_dropped(new->name) || (is_resent(new->name) && !has_resent(plan->headers)),
			};
	}
}

/* The header as it will be sent, below the fields that the engine adds. */
static struct outgoing *plan_result(const struct plan *plan, size_t *count_r)
{
	struct outgoing *fields =
	    arena_alloc(plan->arena, (plan->new_count + plan->headers->count + 1) * sizeof(*fields));
	size_t count = 0;

	result_add(plan, fields, &count, false);
	for (size_t i = 0; i < plan->headers->count; i++) {
		if (plan->fields[i].deleted)
			continue;
		fields[count].field = plan->headers->fields[i];
		fields[count].dropped = is_dropped(fields[count].field.name);
		if (plan->fields[i].replaced)
			fields[count].field.value = plan->fields[i].value;
		count++;
	}
	result_add(plan, fields, &count, true);
	*count_r = count;
	return fields;
}

static const struct outgoing *added_take(struct plan *plan, const struct outgoing *fields, bool below)
{
	for (size_t i = 0; i < plan->new_count; i++)
		if (is_of(&plan->added[i], below))
			plan->added[i].value = fields++->field.value;
	return fields;
}

/* Puts values that were rewritten for signing into the plan; `fields` comes from plan_result. */
static void plan_take(struct plan *plan, const struct outgoing *fields)
{
	fields = added_take(plan, fields, false);
	for (size_t i = 0; i < plan->headers->count; i++) {
		if (plan->fields[i].deleted)
			continue;
		if (fields->changed) {
			plan->fields[i].replaced = true;
			plan->fields[i].value = fields->field.value;
		}
		fields++;
	}
	added_take(plan, fields, true);
}

static void plan_sign(struct gate *gate, struct plan *plan, const struct edit *edit)
{
	struct slice values[SIGN_KEYS_MAX];
	size_t field_count, count;
	struct outgoing *fields = plan_result(plan, &field_count);

	count = sign_message(gate, edit, fields, field_count, values);
	if (count > 0)
		plan_take(plan, fields);
	for (size_t i = 0; i < count; i++)
		plan->stamps[plan->stamp_count++] =
		    (struct plan_new){.name = SLICE("DKIM-Signature"), .value = values[i]};
}

/* It depends on what the final header says about the body. */
static void plan_footer(struct gate *gate, struct plan *plan)
{
	size_t count;
	struct outgoing *fields;

	if (!policy_footers(gate->engine->policy, gate->view.tenant, gate->view.kind))
		return;
	fields = plan_result(plan, &count);
	footer_make(gate, fields, count);
}

/* Each domain once, even when several rules say so. */
static void plan_signatures(struct gate *gate, struct plan *plan)
{
	for (size_t i = 0; i < gate->decision.edit_count; i++)
		if (gate->decision.edits[i].kind == EDIT_SIGN)
			plan_sign(gate, plan, &gate->decision.edits[i]);
}

/* RFC 8617 5.1: after every change and all signatures. The DKIM signatures are above the header that they sign. */
static void plan_arc(struct gate *gate, struct plan *plan, const struct edit *edit)
{
	static const struct slice names[] = {SLICE("ARC-Seal"), SLICE("ARC-Message-Signature"),
					     SLICE("ARC-Authentication-Results")};
	size_t count, above = 0;
	struct outgoing *fields = plan_result(plan, &count);
	struct outgoing *all = arena_alloc(plan->arena, (plan->stamp_count + count + 1) * sizeof(*all));
	struct arc_made made;

	for (size_t i = 0; i < plan->stamp_count; i++)
		if (slice_equal(plan->stamps[i].name, SLICE("DKIM-Signature")))
			all[above++].field =
			    (struct header_field){.name = plan->stamps[i].name, .value = plan->stamps[i].value};
	if (count > 0)
		memcpy(all + above, fields, count * sizeof(*fields));
	if (!seal_message(gate, edit, all, above + count, authres_print(results(gate, ~0u, ~0u)), &made))
		return;
	plan_take(plan, all + above);
	plan->seal[0] = (struct plan_new){.name = names[0], .value = made.seal};
	plan->seal[1] = (struct plan_new){.name = names[1], .value = made.signature};
	plan->seal[2] = (struct plan_new){.name = names[2], .value = made.results};
	plan->seal_count = 3;
}

/* Once: the first rule that says so. */
static void plan_seal(struct gate *gate, struct plan *plan)
{
	for (size_t i = 0; i < gate->decision.edit_count; i++) {
		if (gate->decision.edits[i].kind != EDIT_ARC_SEAL)
			continue;
		plan_arc(gate, plan, &gate->decision.edits[i]);
		return;
	}
}

/* ---- writing -------------------------------------------------------------------------- */

/* Room for what the edits add; one of them adds two fields. */
static struct plan plan_new(struct gate *gate)
{
	struct arena *arena = gate->message.arena;
	struct plan plan = {.arena = arena, .headers = &gate->message.headers};

	plan.fields = arena_alloc(arena, (plan.headers->count + 1) * sizeof(*plan.fields));
	plan.added = arena_raw(arena, (2 * gate->decision.edit_count + 1) * sizeof(*plan.added));
	return plan;
}

void changes_make(struct gate *gate)
{
	const struct decision *decision = &gate->decision;
	struct plan plan = plan_new(gate);

	if (gate->settings->authres_checks) {
		plan_delete_forged(&plan, gate->view.settings->authserv_id);
		plan_authres(gate, &plan);
	}
	plan_stamps(gate, &plan);
	for (size_t i = 0; i < decision->edit_count; i++)
		plan_edit(gate, &plan, &decision->edits[i]);
	plan_tighten(gate, &plan);
	plan_footer(gate, &plan);
	plan_signatures(gate, &plan);
	plan_seal(gate, &plan);
	plan_write(gate, &plan);
}

const struct reply *gate_reply_unchanged(void)
{
	static const struct reply reply = {451, SLICE("4.3.0"), {SLICE("Temporary failure of the mail filter")}, 1};

	return &reply;
}
