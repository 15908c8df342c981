/*
 * changes.c - from edits to what the MTA must do to the header.
 *
 * The edits of all rules are played, in order, on a plan of the header: each field
 * of the message is kept, replaced or deleted, new fields wait to be inserted. Then the
 * plan is written down in the one order both MTAs understand: from the last field to the
 * first, so that no deletion moves a field that is still to be touched; insertions come
 * after that, each at the top, the Authentication-Results last: it ends up on top of all.
 */
#include "gate_private.h"

struct plan_field {
	bool deleted;
	bool replaced;
	struct slice value; /* with its leading space, when replaced */
};

struct plan_new {
	bool deleted;
	bool supplied; /* takes the place of a field that the MTA would supply */
	struct slice name, value;
};

struct plan {
	struct arena *arena;
	const struct headers *headers;
	struct plan_field *fields; /* one for each field of the message */
	struct plan_new *news;     /* by rules, in their order */
	size_t new_count;
	struct plan_new own[1 + CHECK_MAX + SIGN_KEYS_MAX]; /* by engine and checks, out of the rules' reach */
	size_t own_count;
};

static struct slice spaced(struct arena *arena, struct slice value)
{
	return arena_join(arena, SLICE(" "), value);
}

/* Sendmail adds these to a message that lacks them, after the milter, also when the milter has inserted one: then there
 * are two. Its own can be replaced, though, as if it were the first of that name. Postfix adds what is so replaced. */
static bool is_supplied(struct slice name)
{
	static const char *const names[] = {"Date", "From", "Message-ID", NULL};

	for (size_t i = 0; names[i]; i++)
		if (slice_equal_nocase(name, slice_of(names[i])))
			return true;
	return false;
}

/* Is there such a field, or will there be? *deleted_r: the first that will not; NULL: none. */
static bool plan_has(struct plan *plan, struct slice name, struct plan_field **deleted_r)
{
	*deleted_r = NULL;
	for (size_t i = 0; i < plan->new_count; i++)
		if (!plan->news[i].deleted && slice_equal_nocase(plan->news[i].name, name))
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

static void plan_insert(struct plan *plan, struct slice name, struct slice value)
{
	struct plan_field *deleted = NULL;
	bool supplied = is_supplied(name) && !plan_has(plan, name, &deleted);

	value = spaced(plan->arena, value);
	if (supplied && deleted)
		*deleted = (struct plan_field){.replaced = true, .value = value};
	else
		plan->news[plan->new_count++] = (struct plan_new){.supplied = supplied, .name = name, .value = value};
}

static void plan_delete(struct plan *plan, struct slice name)
{
	for (size_t i = 0; i < plan->headers->count; i++)
		if (header_is_named(&plan->headers->fields[i], name))
			plan->fields[i].deleted = true;
	for (size_t i = 0; i < plan->new_count; i++)
		if (slice_equal_nocase(plan->news[i].name, name))
			plan->news[i].deleted = true;
}

/* Afterwards there is one field of that name: the first that was there, or a new one. */
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
		struct plan_new *new = &plan->news[i];

		if (new->deleted || !slice_equal_nocase(new->name, name))
			continue;
		new->deleted = placed;
		new->value = spaced(plan->arena, value);
		placed = true;
	}
	if (!placed)
		plan_insert(plan, name, value);
}

static bool is_blank_at(struct slice text, size_t i)
{
	return i < text.n && (text.p[i] == ' ' || text.p[i] == '\t');
}

/* What the sender wrote, byte for byte, except for line ends that fold nothing: behind one of them a new field would
 * begin. No MTA lets them in; whoever else speaks the protocol may. */
static struct slice kept(struct slice old, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, old.n);
	for (size_t i = 0; i < old.n; i++) {
		bool cr_of_fold = old.p[i] == '\r' && i + 1 < old.n && old.p[i + 1] == '\n' && is_blank_at(old, i + 2);
		bool lf_of_fold = old.p[i] == '\n' && is_blank_at(old, i + 1);

		if (cr_of_fold)
			continue;
		text_add_char(&text, (old.p[i] == '\r' || old.p[i] == '\n') && !lf_of_fold ? ' ' : old.p[i]);
	}
	return text_slice(&text);
}

/* The prefix is encoded by itself, so that what the sender wrote stays byte for byte. */
static struct slice prefixed(struct arena *arena, struct slice prefix, struct slice old)
{
	struct slice words = slice_trim(prefix);
	struct slice safe = header_safe(words, sizeof("Subject: ") - 1, arena);
	bool blank = prefix.n && (prefix.p[prefix.n - 1] == ' ' || prefix.p[prefix.n - 1] == '\t');

	old = kept(is_blank_at(old, 0) ? slice_from(old, 1) : old, arena);
	if (!slice_equal(safe, words))
		blank = true; /* an encoded word ends at a blank (RFC 2047 5) */
	return arena_join(arena, SLICE(" "), safe, blank ? SLICE(" ") : SLICE(""), old);
}

static void plan_prefix_subject(struct plan *plan, struct slice prefix)
{
	const struct slice subject = SLICE("Subject");

	for (size_t i = 0; i < plan->headers->count; i++) {
		const struct header_field *field = &plan->headers->fields[i];
		struct plan_field *planned = &plan->fields[i];

		if (planned->deleted || !header_is_named(field, subject))
			continue;
		planned->value = prefixed(plan->arena, prefix, planned->replaced ? planned->value : field->value);
		planned->replaced = true;
		return;
	}
	for (size_t i = 0; i < plan->new_count; i++) {
		struct plan_new *new = &plan->news[i];

		if (new->deleted || !slice_equal_nocase(new->name, subject))
			continue;
		new->value = prefixed(plan->arena, prefix, new->value);
		return;
	}
	plan->news[plan->new_count++] =
	    (struct plan_new){.name = subject, .value = slice_trim(prefixed(plan->arena, prefix, SLICE("")))};
	plan->news[plan->new_count - 1].value = spaced(plan->arena, plan->news[plan->new_count - 1].value);
}

static void plan_edit(struct plan *plan, const struct edit *edit)
{
	switch (edit->kind) {
	case EDIT_ADD_HEADER:
		plan_insert(plan, edit->name, edit->value);
		break;
	case EDIT_DELETE_HEADER:
		plan_delete(plan, edit->name);
		break;
	case EDIT_REPLACE_HEADER:
		plan_replace(plan, edit->name, edit->value);
		break;
	case EDIT_PREFIX_SUBJECT:
		plan_prefix_subject(plan, edit->value);
		break;
	case EDIT_SIGN:
		break; /* when all else is done */
	}
}

/* RFC 8601 5: what claims to be ours and came from outside is not ours. */
static void plan_delete_forged(struct plan *plan, struct slice id)
{
	for (size_t i = 0; i < plan->headers->count; i++)
		if (authres_is_forged(&plan->headers->fields[i], id, plan->arena))
			plan->fields[i].deleted = true;
}

static void plan_own(struct plan *plan, struct slice name, struct slice value)
{
	plan->own[plan->own_count++] = (struct plan_new){.name = name, .value = spaced(plan->arena, value)};
}

/* Ours, when there is something to say. */
static void plan_authres(struct gate *gate, struct plan *plan)
{
	unsigned wanted = gate->settings->authres_checks;
	struct authres *field = authres_new(plan->arena, gate->view.settings->authserv_id);

	for (unsigned i = 0; checks[i]; i++)
		if ((wanted & (1u << i)) && checks[i]->authres)
			checks[i]->authres(&gate->view, field);
	if (!authres_empty(field) || gate->view.kind == KIND_INBOUND)
		plan_own(plan, SLICE("Authentication-Results"), authres_print(field));
}

/* Fields of the checks, those of the first above those of the second. */
static void plan_stamps(struct gate *gate, struct plan *plan)
{
	struct stamp stamp;

	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->stamp && checks[i]->stamp(&gate->view, &stamp))
			plan_own(plan, stamp.name, stamp.value);
}

/* ---- for Sendmail ------------------------------------------------------------------------ */

/* Recipients that a rule wrote, in a form that Sendmail does not take apart. */
static void tighten(struct gate *gate, struct slice name, struct slice *value)
{
	static const struct position engine; /* no rule */
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
		if (!plan->news[i].deleted)
			tighten(gate, plan->news[i].name, &plan->news[i].value);
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

/* These it removes, too, from a message that came without any of them. */
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

static void result_add(const struct plan *plan, struct outgoing *fields, size_t *count, bool supplied)
{
	for (size_t i = 0; i < plan->new_count; i++) {
		const struct plan_new *new = &plan->news[i];

		if (!new->deleted &&new->supplied == supplied)
			fields[(*count)++] = (struct outgoing){
			    .field = {.name = new->name, .value = new->value},
			    .dropped = is_dropped(new->name) || (is_resent(new->name) && !has_resent(plan->headers)),
			};
	}
}

/* The header as it will be sent, below what we add ourselves. */
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

static const struct outgoing *news_take(struct plan *plan, const struct outgoing *fields, bool supplied)
{
	for (size_t i = 0; i < plan->new_count; i++)
		if (!plan->news[i].deleted && plan->news[i].supplied == supplied)
			plan->news[i].value = fields++->field.value;
	return fields;
}

/* Takes what was written anew to be signed into the plan; `fields` is what plan_result gave. */
static void plan_take(struct plan *plan, const struct outgoing *fields)
{
	fields = news_take(plan, fields, false);
	for (size_t i = 0; i < plan->headers->count; i++) {
		if (plan->fields[i].deleted)
			continue;
		if (fields->changed) {
			plan->fields[i].replaced = true;
			plan->fields[i].value = fields->field.value;
		}
		fields++;
	}
	news_take(plan, fields, true);
}

static void plan_sign(struct gate *gate, struct plan *plan, struct position rule)
{
	struct slice values[SIGN_KEYS_MAX];
	size_t field_count, count;
	struct outgoing *fields = plan_result(plan, &field_count);

	count = sign_message(gate, rule, fields, field_count, values);
	if (count > 0)
		plan_take(plan, fields);
	for (size_t i = 0; i < count; i++)
		plan->own[plan->own_count++] = (struct plan_new){.name = SLICE("DKIM-Signature"), .value = values[i]};
}

/* Once, however many rules say so. */
static void plan_signatures(struct gate *gate, struct plan *plan)
{
	for (size_t i = 0; i < gate->decision.edit_count; i++) {
		if (gate->decision.edits[i].kind != EDIT_SIGN)
			continue;
		plan_sign(gate, plan, gate->decision.edits[i].rule);
		return;
	}
}

/* ---- writing it down ------------------------------------------------------------------ */

static struct change *write_supplied(struct change *change, const struct plan *plan)
{
	for (size_t i = 0; i < plan->new_count; i++)
		if (!plan->news[i].deleted && plan->news[i].supplied)
			*change++ = (struct change){CHANGE_REPLACE, plan->news[i].name, 1, plan->news[i].value};
	return change;
}

static struct change *write_news(struct change *change, const struct plan_new *news, size_t count)
{
	for (size_t i = count; i-- > 0;)
		if (!news[i].deleted && !news[i].supplied)
			*change++ = (struct change){CHANGE_INSERT, news[i].name, 0, news[i].value};
	return change;
}

/* Written backwards, the first rule's field ends up above the second's. */
static void write_down(struct gate *gate, const struct plan *plan)
{
	size_t room = plan->headers->count + plan->new_count + plan->own_count;
	struct change *change = arena_raw(plan->arena, (room + 1) * sizeof(*change));

	gate->changes = change;
	for (size_t i = plan->headers->count; i-- > 0;) {
		const struct header_field *field = &plan->headers->fields[i];
		const struct plan_field *planned = &plan->fields[i];

		if (planned->deleted)
			*change++ = (struct change){CHANGE_DELETE, field->name, field->index, SLICE("")};
		else if (planned->replaced)
			*change++ = (struct change){CHANGE_REPLACE, field->name, field->index, planned->value};
	}
	change = write_supplied(change, plan);
	change = write_news(change, plan->news, plan->new_count);
	change = write_news(change, plan->own, plan->own_count);
	gate->change_count = (size_t)(change - gate->changes);
}

void changes_make(struct gate *gate)
{
	const struct decision *decision = &gate->decision;
	struct arena *arena = gate->message.arena;
	struct plan plan = {.arena = arena, .headers = &gate->message.headers};

	plan.fields = arena_alloc(arena, (plan.headers->count + 1) * sizeof(*plan.fields));
	plan.news = arena_raw(arena, (decision->edit_count + 1) * sizeof(*plan.news));
	if (gate->settings->authres_checks) {
		plan_delete_forged(&plan, gate->view.settings->authserv_id);
		plan_authres(gate, &plan);
	}
	plan_stamps(gate, &plan);
	for (size_t i = 0; i < decision->edit_count; i++)
		plan_edit(&plan, &decision->edits[i]);
	plan_tighten(gate, &plan);
	plan_signatures(gate, &plan);
	write_down(gate, &plan);
}

const struct reply *gate_reply_unchanged(void)
{
	static const struct reply reply = {451, SLICE("4.3.0"), {SLICE("Temporary failure of the mail filter")}, 1};

	return &reply;
}
