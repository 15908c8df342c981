/*
 * footer.c - a footer below the text parts of a message: the body is rewritten before it is signed.
 *
 * When a rule may add a footer, the arriving body is kept in a spool. The new body consists of pieces of the old one
 * and of the added texts. The record says where the footer was added, or why it was not.
 */
#include "gate_private.h"
#include "mime.h"

void footer_prepare(struct gate *gate)
{
	if (policy_footers(gate->engine->policy, gate->view.tenant, gate->view.kind))
		body_spool(gate);
}

/* Joins all footers in the order of their rules. False: no rule adds one. */
static bool footer_join(struct gate *gate, struct footer *footer_r)
{
	struct arena *arena = gate->message.arena;
	bool wanted = false;

	*footer_r = (struct footer){SLICE(""), SLICE("")};
	for (size_t i = 0; i < gate->decision.edit_count; i++) {
		const struct edit *edit = &gate->decision.edits[i];
		struct slice between = wanted ? SLICE("\n") : SLICE("");

		if (edit->kind != EDIT_FOOTER)
			continue;
		footer_r->text = arena_join(arena, footer_r->text, between, edit->value);
		footer_r->html = arena_join(arena, footer_r->html, between, edit->html);
		wanted = true;
	}
	return wanted;
}

static void add_piece(struct gate *gate, struct slice piece)
{
	if (piece.n > 0)
		gate->pieces[gate->piece_count++] = piece;
}

static void make_pieces(struct gate *gate, struct slice body, const struct footer_plan *plan)
{
	size_t at = 0;

	gate->pieces = arena_raw(gate->message.arena, (2 * plan->count + 1) * sizeof(*gate->pieces));
	for (size_t i = 0; i < plan->count; i++) {
		const struct splice *splice = &plan->splices[i];

		add_piece(gate, slice_head(slice_from(body, at), splice->at - at));
		add_piece(gate, splice->add);
		at = splice->at + splice->drop;
	}
	add_piece(gate, slice_from(body, at));
}

/* The new body is signed, also by the second engine of DKIM. */
static void hash_pieces(struct gate *gate)
{
	struct dkim_body *body = sign_body_new(gate);

	spool_close(gate->spool);
	gate->spool = spool_new(gate->message.arena);
	for (size_t i = 0; i < gate->piece_count; i++) {
		dkim_body_add(body, gate->pieces[i]);
		spool_add(gate->spool, gate->pieces[i]);
	}
	gate->new_body = body;
}

void footer_make(struct gate *gate, const struct outgoing *fields, size_t count)
{
	struct arena *arena = gate->message.arena;
	struct header_field *list;
	struct footer_plan plan;
	struct footer footer;
	struct slice body;

	if (!footer_join(gate, &footer))
		return;
	if (spool_map(gate->spool, &body) < 0) {
		gate->footer = arena_printf(arena, "left out: %s", spool_trouble(gate->spool));
		return;
	}
	list = arena_raw(arena, (count + 1) * sizeof(*list));
	for (size_t i = 0; i < count; i++)
		list[i] = fields[i].field;
	footer_plan(&footer, list, count, body, arena, &plan);
	gate->footer = plan.told;
	if (plan.count == 0)
		return;
	make_pieces(gate, body, &plan);
	if (policy_signs(gate->engine->policy, gate->view.tenant, gate->view.kind))
		hash_pieces(gate);
}

void footer_write(struct gate *gate)
{
	for (size_t i = 0; i < gate->piece_count; i++)
		change_add(gate, &(struct change){.kind = CHANGE_BODY, .value = gate->pieces[i]});
}
