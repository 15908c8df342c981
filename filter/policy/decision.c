/*
 * decision.c - what the rules of all stages said of one message: edits and notes, each
 * once, and bounded for each rule.
 */
#include "run.h"

#include <string.h>

void decision_init(struct decision *decision, struct arena *arena)
{
	*decision = (struct decision){.arena = arena};
}

/* Room for one more in an array of the arena; `room` grows. */
static void *make_room(struct arena *arena, void *array, size_t count, size_t *room, size_t size)
{
	void *larger;

	if (count < *room)
		return array;
	*room = *room ? 2 * *room : 8;
	larger = arena_alloc(arena, *room * size);
	if (count)
		memcpy(larger, array, count * size);
	return larger;
}

static bool same_rule(struct position a, struct position b)
{
	return a.file == b.file && a.line == b.line && a.column == b.column;
}

void decision_edit(struct decision *decision, const struct edit *edit)
{
	size_t of_rule = 0;

	for (size_t i = 0; i < decision->edit_count; i++) {
		const struct edit *kept = &decision->edits[i];

		if (!same_rule(kept->rule, edit->rule))
			continue;
		if (slice_equal(kept->value, edit->value) && slice_equal(kept->html, edit->html))
			return;
		of_rule++;
	}
	if (of_rule == DECISION_RULE_EDITS_MAX) {
		decision_note(decision, NOTE_LOG, SLICE("further edits of this rule were left out"), edit->rule);
		return;
	}
	decision->edits =
	    make_room(decision->arena, decision->edits, decision->edit_count, &decision->edit_room, sizeof(*edit));
	decision->edits[decision->edit_count] = *edit;
	decision->edits[decision->edit_count].html = arena_copy(decision->arena, edit->html);
	decision->edits[decision->edit_count++].value = arena_copy(decision->arena, edit->value);
}

void decision_note(struct decision *decision, enum note_kind kind, struct slice text, struct position rule)
{
	size_t of_rule = 0;

	for (size_t i = 0; i < decision->note_count; i++) {
		const struct note *kept = &decision->notes[i];

		if (!same_rule(kept->rule, rule))
			continue;
		if (kept->kind == kind && slice_equal(kept->text, text))
			return;
		of_rule++;
	}
	if (of_rule > DECISION_RULE_NOTES_MAX)
		return;
	if (of_rule == DECISION_RULE_NOTES_MAX) {
		kind = NOTE_LOG;
		text = SLICE("further notes of this rule were left out");
	}
	decision->notes = make_room(decision->arena, decision->notes, decision->note_count, &decision->note_room,
				    sizeof(struct note));
	decision->notes[decision->note_count++] = (struct note){kind, arena_copy(decision->arena, text), rule};
}
