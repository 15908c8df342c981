/*
 * note.c - what rules note for rules that follow: scores and variables; and the end of a stage.
 *
 * At RCPT the rules run for one recipient after the other, and a client chooses who they are. What is noted there is
 * seen by the rules for that recipient alone, and by `on message`. There a rule counts once, and the last text that
 * was set is the text.
 */
#include "run.h"

#include <string.h>

/* ---- variables ------------------------------------------------------------------------------------- */

/* Each text has a place of its own, which is written over: setting a thousand times takes no more memory. */
static void put(struct decision *decision, const struct policy *policy, struct noted *noted, unsigned number,
		struct slice text)
{
	char *place;

	if (!noted->vars) {
		noted->vars = arena_alloc(decision->arena, policy->variable_count * sizeof(*noted->vars));
		noted->texts = arena_raw(decision->arena, policy->variable_count * VARIABLE_TEXT_MAX);
	}
	place = noted->texts + (size_t)number * VARIABLE_TEXT_MAX;
	text = slice_head(text, VARIABLE_TEXT_MAX);
	if (text.n)
		memmove(place, text.p, text.n);
	noted->vars[number] = (struct slice){place, text.n};
}

static void copy(struct decision *decision, const struct policy *policy, const struct noted *from, struct noted *to)
{
	to->score = from->score;
	if (to->vars)
		memset(to->vars, 0, policy->variable_count * sizeof(*to->vars));
	for (unsigned i = 0; from->vars && i < policy->variable_count; i++)
		if (from->vars[i].p)
			put(decision, policy, to, i, from->vars[i]);
}

void noted_begin(struct run *run, enum stage stage)
{
	struct decision *decision = run->decision;

	if (stage == STAGE_RCPT)
		copy(decision, run->policy, &decision->earlier, &decision->recipient);
	run->view->noted = stage == STAGE_RCPT ? &decision->recipient : &decision->noted;
}

void noted_end(struct run *run)
{
	run->view->noted = &run->decision->noted;
}

bool act_set(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	struct decision *decision = run->decision;
	struct slice text = run_text(run, rule);

	(void)outcome;
	put(decision, run->policy, &decision->noted, rule->variable->number, text);
	if (rule->stage == STAGE_RCPT)
		put(decision, run->policy, &decision->recipient, rule->variable->number, text);
	else if (rule->stage < STAGE_RCPT)
		put(decision, run->policy, &decision->earlier, rule->variable->number, text);
	return false;
}

/* ---- scores -------------------------------------------------------------------------------------------- */

static bool has_scored(struct run *run, const struct rule *rule)
{
	struct decision *decision = run->decision;
	bool before;

	if (!decision->scored)
		decision->scored = arena_alloc(decision->arena, run->policy->score_count * sizeof(*decision->scored));
	before = decision->scored[rule->score_number];
	decision->scored[rule->score_number] = true;
	return before;
}

static void keep_score(struct run *run, const struct rule *rule)
{
	struct decision *decision = run->decision;
	struct score *scores = decision->scores;

	if (decision->score_count == decision->score_room) {
		decision->score_room = decision->score_room ? 2 * decision->score_room : 8;
		scores = arena_raw(decision->arena, decision->score_room * sizeof(*scores));
		if (decision->score_count)
			memcpy(scores, decision->scores, decision->score_count * sizeof(*scores));
		decision->scores = scores;
	}
	scores[decision->score_count++] =
	    (struct score){rule->points, arena_copy(decision->arena, run_text(run, rule)), rule->where};
	decision->noted.score += rule->points;
}

bool act_score(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	struct decision *decision = run->decision;

	(void)outcome;
	if (rule->stage == STAGE_RCPT)
		decision->recipient.score += rule->points;
	else if (rule->stage < STAGE_RCPT)
		decision->earlier.score += rule->points;
	if (rule->stage != STAGE_RCPT || !has_scored(run, rule))
		keep_score(run, rule);
	return false;
}

/* ---- the end of a stage ---------------------------------------------------------------------------------- */

bool act_stop(struct run *run, const struct rule *rule, struct outcome *outcome)
{
	(void)run, (void)rule, (void)outcome;
	return true;
}
