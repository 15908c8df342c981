/*
 * act.c - what actions do: they end a message with a verdict, or leave an edit or a note
 * in the decision.
 */
#include "run.h"

const char *const verdict_names[VERDICT_COUNT + 1] = {"none",    "accept",     "reject", "defer",
						      "discard", "quarantine", NULL};

#define WOULD_MAX 1000 /* bytes of "reject 550 5.7.1 ..." in a note */

/* ---- texts ------------------------------------------------------------------------------------ */

struct slice run_text(struct run *run, const struct rule *rule)
{
	if (rule->template_count == 0)
		return SLICE("");
	return template_expand(run, &rule->templates[0], rule->action->use, rule->name.n);
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

bool act_verdict(struct run *run, const struct rule *rule, struct outcome *outcome_r)
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

static struct slice quarantine_reason(struct run *run, const struct rule *rule)
{
	return rule->template_count ? arena_copy(run->decision->arena, run_text(run, rule))
				    : SLICE("quarantined by policy");
}

/* For one recipient alone; the first reason stays. */
static bool quarantine_one(struct run *run, const struct rule *rule)
{
	struct held *held = run->held;

	if (held->quarantined)
		return false;
	held->quarantined = true;
	held->reason = quarantine_reason(run, rule);
	held->quarantine_rule = rule->where;
	return false;
}

bool act_quarantine(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	struct decision *decision = run->decision;

	(void)outcome;
	if (run->held)
		return quarantine_one(run, rule);
	if (decision->quarantined) /* the first reason stays */
		return false;
	decision->quarantined = true;
	decision->quarantine_reason = quarantine_reason(run, rule);
	decision->quarantine_rule = rule->where;
	return false;
}

bool act_edit(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	struct edit edit = {.kind = rule->action->edit,
			    .name = rule->name,
			    .bottom = rule->bottom,
			    .regex = rule->regex,
			    .rule = rule->where};

	(void)outcome;
	edit.value = run_text(run, rule);
	decision_edit(run->decision, &edit);
	return false;
}

enum truth edit_matches(const struct edit *edit, struct slice value, const char **why_r)
{
	return edit->regex ? regex_match(edit->regex, value, why_r) : TRUTH_TRUE;
}

/* What a rule says in the record; after the reason for an override, when it has one. */
bool act_note(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	struct slice text = run_text(run, rule);

	(void)outcome;
	if (rule->name.n)
		text = arena_printf(run_arena(run), "%.*s: %.*s", SLICE_ARGS(rule->name), SLICE_ARGS(text));
	decision_note(run->decision, rule->action->note, text, rule->where);
	return false;
}

/* One of `try` is out of the way; one at RCPT is about a single recipient. */
void run_would(struct run *run, const struct rule *rule, enum verdict verdict)
{
	bool counts = !rule->try && !rule->each_recipient && rule->stage != STAGE_RCPT && verdict != VERDICT_QUARANTINE;

	if (counts && run->decision->would == VERDICT_NONE)
		run->decision->would = verdict;
}

bool rule_act(struct run *run, const struct rule *rule, bool only_would, struct outcome *outcome_r,
	      const char **effect_r)
{
	static const char *const effects[] = {
	    [ACTION_VERDICT] = "decides", [ACTION_EDIT] = "edit", [ACTION_NOTE] = "note"};

	if (only_would && !rule->action->always) {
		*effect_r = "would";
		decision_note(run->decision, NOTE_WOULD, describe(run, rule), rule->where);
		run_would(run, rule, rule->action->verdict);
		return false;
	}
	*effect_r = rule->action->verdict == VERDICT_QUARANTINE ? "quarantine" : effects[rule->action->class];
	if (rule->action->ends_stage)
		*effect_r = "stop";
	return rule->action->act(run, rule, outcome_r);
}
