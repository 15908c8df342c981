/*
 * act.c - what an action does: it ends a message with a verdict, or leaves an edit or
 * a note in the decision.
 */
#include "compile.h"

#include <string.h>

const char *const verdict_names[VERDICT_COUNT + 1] = {"none",    "accept",     "reject", "defer",
						      "discard", "quarantine", NULL};

#define WOULD_MAX 1000 /* bytes of "reject 550 5.7.1 ..." in a note */

/* ---- decisions ---------------------------------------------------------------------------- */

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
	return a.line == b.line && a.column == b.column;
}

void decision_edit(struct decision *decision, const struct edit *edit)
{
	size_t of_rule = 0;

	for (size_t i = 0; i < decision->edit_count; i++) {
		const struct edit *kept = &decision->edits[i];

		if (!same_rule(kept->rule, edit->rule))
			continue;
		if (slice_equal(kept->value, edit->value))
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

/* ---- texts ------------------------------------------------------------------------------------ */

static struct slice expand_first(struct run *run, const struct rule *rule, enum template_use use)
{
	return rule->template_count ? template_expand(run, &rule->templates[0], use, rule->name.n) : SLICE("");
}

static enum template_use use_of(const struct action *action)
{
	if (action->note || action->verdict == VERDICT_QUARANTINE)
		return FOR_LOG;
	return action->edit == EDIT_PREFIX_SUBJECT ? FOR_SUBJECT : FOR_HEADER;
}

/* "reject 550 5.7.1 text / text", "add-header X-Spam: yes" */
static struct slice describe(struct run *run, const struct rule *rule)
{
	struct text text;

	text_init(&text, run_arena(run), WOULD_MAX);
	text_add(&text, slice_of(rule->action->name));
	if (rule->code)
		text_printf(&text, " %u %.*s", rule->code, SLICE_ARGS(rule->enhanced));
	if (rule->name.n)
		text_printf(&text, " %.*s", SLICE_ARGS(rule->name));
	if (rule->name.n && rule->template_count)
		text_add_char(&text, ':');
	for (size_t i = 0; i < rule->template_count; i++) {
		text_add(&text, i ? SLICE(" / ") : SLICE(" "));
		text_add(&text, template_expand(run, &rule->templates[i], rule->code ? FOR_REPLY : FOR_LOG, 0));
	}
	return text_slice(&text);
}

/* ---- acting ------------------------------------------------------------------------------------ */

static bool act_verdict(struct run *run, const struct rule *rule, struct outcome *outcome_r)
{
	outcome_r->verdict = rule->action->verdict;
	outcome_r->rule = rule->where;
	if (rule->code) {
		outcome_r->reply = (struct reply){.code = rule->code, .enhanced = rule->enhanced};
		for (size_t i = 0; i < rule->template_count; i++)
			outcome_r->reply.lines[outcome_r->reply.line_count++] =
			    arena_copy(run->decision->arena, template_expand(run, &rule->templates[i], FOR_REPLY, 0));
	}
	/* What is accepted can still be edited and noted. */
	return rule->action->verdict != VERDICT_ACCEPT;
}

static void act_quarantine(struct run *run, const struct rule *rule)
{
	struct decision *decision = run->decision;

	if (decision->quarantined) /* the first reason stays */
		return;
	decision->quarantined = true;
	decision->quarantine_reason = rule->template_count
					  ? arena_copy(decision->arena, expand_first(run, rule, FOR_LOG))
					  : SLICE("quarantined by policy");
	decision->quarantine_rule = rule->where;
}

static void act_edit(struct run *run, const struct rule *rule)
{
	struct edit edit = {.kind = rule->action->edit, .name = rule->name, .rule = rule->where};

	edit.value = expand_first(run, rule, use_of(rule->action));
	decision_edit(run->decision, &edit);
}

/* What a rule says in the record; behind the reason for an override, when it has one. */
static struct slice note_text(struct run *run, const struct rule *rule)
{
	struct slice text = expand_first(run, rule, FOR_LOG);

	if (rule->name.n == 0)
		return text;
	return arena_printf(run_arena(run), "%.*s: %.*s", SLICE_ARGS(rule->name), SLICE_ARGS(text));
}

bool rule_act(struct run *run, const struct rule *rule, bool only_would, struct outcome *outcome_r,
	      const char **effect_r)
{
	if (only_would) {
		*effect_r = "would";
		decision_note(run->decision, NOTE_WOULD, describe(run, rule), rule->where);
		return false;
	}
	if (rule->action->note) {
		*effect_r = "note";
		decision_note(run->decision, rule->action->kind, note_text(run, rule), rule->where);
		return false;
	}
	if (rule->action->verdict == VERDICT_QUARANTINE) {
		*effect_r = "quarantine";
		act_quarantine(run, rule);
		return false;
	}
	if (rule->action->verdict == VERDICT_NONE) {
		*effect_r = "edit";
		act_edit(run, rule);
		return false;
	}
	*effect_r = "decides";
	return act_verdict(run, rule, outcome_r);
}
