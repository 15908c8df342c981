/*
 * envelope.c - turns edits into what the MTA must do to the envelope.
 *
 * The edits of all rules are applied, in order, to the recipients; then the difference is written. An existing
 * recipient is not added: Postfix would deliver two copies. A deleted one is named as the client wrote it, because
 * Postfix compares with that.
 */
#include "gate_private.h"

struct envelope {
	struct gate *gate;
	struct slice sender; /* in <>; "" when it stays */
	struct address *added;
	size_t added_count;
	struct position deleted_by; /* the last rule that deleted a recipient */
};

static struct slice in_brackets(const struct address *address, struct arena *arena)
{
	if (address->text.n == 0)
		return SLICE("<>");
	return arena_join(arena, SLICE("<"), address->local, SLICE("@"), address->domain, SLICE(">"));
}

/* The address of an edit. False when the facts in it make it unusable. */
static bool edit_address(struct envelope *envelope, const struct edit *edit, bool null, struct address *address_r)
{
	struct gate *gate = envelope->gate;
	struct arena *arena = gate->message.arena;

	*address_r = address_parse_path(edit->value, arena);
	if (address_usable(address_r) || (null && address_r->valid && address_r->text.n == 0))
		return true;
	gate->unusable = true;
	decision_note(
	    &gate->decision, NOTE_LOG,
	    arena_printf(arena, "\"%.*s\" is not an address that mail can be sent to", SLICE_ARGS(edit->value)),
	    edit->rule);
	return false;
}

static void delete_recipient(struct envelope *envelope, const struct address *address, struct position rule)
{
	struct message *message = &envelope->gate->message;
	size_t kept = 0;

	for (size_t i = 0; i < message->recipient_count; i++)
		if (address_equal(&message->recipients[i].address, address)) {
			message->recipients[i].deleted = true;
			envelope->deleted_by = rule;
		}
	for (size_t i = 0; i < envelope->added_count; i++)
		if (!address_equal(&envelope->added[i], address))
			envelope->added[kept++] = envelope->added[i];
	envelope->added_count = kept;
}

/* A recipient that an earlier rule deleted is restored. */
static void add_recipient(struct envelope *envelope, const struct address *address)
{
	struct message *message = &envelope->gate->message;

	for (size_t i = 0; i < message->recipient_count; i++)
		if (address_equal(&message->recipients[i].address, address)) {
			message->recipients[i].deleted = false;
			return;
		}
	for (size_t i = 0; i < envelope->added_count; i++)
		if (address_equal(&envelope->added[i], address))
			return;
	envelope->added[envelope->added_count++] = *address;
}

static void redirect(struct envelope *envelope, const struct address *address, struct position rule)
{
	struct message *message = &envelope->gate->message;

	for (size_t i = 0; i < message->recipient_count; i++)
		message->recipients[i].deleted = true;
	envelope->added_count = 0;
	envelope->deleted_by = rule;
	add_recipient(envelope, address);
}

static void play(struct envelope *envelope, const struct edit *edit)
{
	struct address address;

	switch (edit->kind) {
	case EDIT_SET_SENDER:
		if (edit_address(envelope, edit, true, &address))
			envelope->sender = in_brackets(&address, envelope->gate->message.arena);
		break;
	case EDIT_CANONICAL: /* the null sender of a receipt stays (RFC 5321 4.5.5) */
		if (envelope->gate->message.sender.text.n > 0 && edit_address(envelope, edit, false, &address))
			envelope->sender = in_brackets(&address, envelope->gate->message.arena);
		break;
	case EDIT_ADD_RECIPIENT:
		if (edit_address(envelope, edit, false, &address))
			add_recipient(envelope, &address);
		break;
	case EDIT_DELETE_RECIPIENT:
		if (edit_address(envelope, edit, false, &address))
			delete_recipient(envelope, &address, edit->rule);
		break;
	case EDIT_REDIRECT:
		if (edit_address(envelope, edit, false, &address))
			redirect(envelope, &address, edit->rule);
		break;
	default:
		break; /* header and body */
	}
}

static void write_down(struct envelope *envelope)
{
	struct gate *gate = envelope->gate;
	const struct message *message = &gate->message;

	if (envelope->sender.n > 0 && !slice_equal(envelope->sender, in_brackets(&message->sender, message->arena)))
		change_add(gate, &(struct change){.kind = CHANGE_SENDER, .value = envelope->sender});
	for (size_t i = 0; i < message->recipient_count; i++)
		if (message->recipients[i].deleted)
			change_add(gate, &(struct change){.kind = CHANGE_DELETE_RECIPIENT,
							  .value = message->recipients[i].said});
	for (size_t i = 0; i < envelope->added_count; i++)
		change_add(gate, &(struct change){.kind = CHANGE_ADD_RECIPIENT,
						  .value = in_brackets(&envelope->added[i], message->arena)});
}

bool envelope_change(struct gate *gate, struct position *rule_r)
{
	const struct message *message = &gate->message;
	struct envelope envelope = {.gate = gate, .deleted_by = gate->decision.recipient_rule};
	size_t left = 0;

	envelope.added = arena_raw(message->arena, (gate->decision.edit_count + 1) * sizeof(*envelope.added));
	for (size_t i = 0; i < gate->decision.edit_count; i++)
		play(&envelope, &gate->decision.edits[i]);
	for (size_t i = 0; i < message->recipient_count; i++)
		left += !message->recipients[i].deleted;
	write_down(&envelope);
	*rule_r = envelope.deleted_by;
	return left + envelope.added_count > 0 || message->recipient_count == 0;
}
