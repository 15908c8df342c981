/*
 * run.c - the rules of a stage, in order, until one decides.
 *
 * A condition that is unknown never rejects, discards or accepts. When a list or the store is to
 * blame, its on-failure says what happens: the message is deferred by this rule, or the rule is
 * skipped. For anything else the rule is skipped. A rule that only notes (log, try, mode
 * report) never defers, nor does one of a message that is accepted already; `stop` does, which keeps others from being
 * tried.
 */
#include "run.h"

#include <string.h>

#define SCRATCH_MAX      (64 * 1024) /* bytes after which the arena of texts begins anew */
#define UNKNOWN_CODE     451
#define UNKNOWN_ENHANCED SLICE("4.3.0")

/* What the client reads when a rule defers because its condition is unknown. */
static struct slice unknown_text(const struct judgement *judged)
{
	return judged->list ? SLICE("Temporary failure of a list, try again later")
			    : SLICE("Temporary failure of the mail filter, try again later");
}

static void defer(const struct rule *rule, const struct judgement *judged, struct outcome *outcome_r)
{
	*outcome_r = (struct outcome){.verdict = VERDICT_DEFER, .rule = rule->where};
	outcome_r->reply.code = UNKNOWN_CODE;
	outcome_r->reply.enhanced = UNKNOWN_ENHANCED;
	outcome_r->reply.lines[0] = unknown_text(judged);
	outcome_r->reply.line_count = 1;
}

/* Nobody knows who was in the list at the time of the record: that defers no message of today. */
static bool is_of_record(const struct run *run, const struct judgement *judged)
{
	if (!run->view->recorded || !judged->list)
		return false;
	if (!run->view->missing_list)
		run->view->missing_list = list_name(judged->list->list);
	return true;
}

/* What an unknown condition leads to. True when it defers. */
static bool act_on_unknown(struct run *run, const struct rule *rule, const struct judgement *judged, bool only_would,
			   bool accepted, struct outcome *outcome_r, const char **effect_r)
{
	bool decides = rule->action->class != ACTION_NOTE || rule->action->ends_stage;
	bool defers = !is_of_record(run, judged) && judgement_defers(run, judged) && decides && !accepted;
	const char *then = defers && !only_would ? "deferred" : "rule skipped";
	struct slice why;

	*effect_r = "no effect";
	if (judged->list)
		why = arena_printf(run_arena(run), "list %s: %s; %s", list_name(judged->list->list), judged->why, then);
	else
		why = arena_printf(run_arena(run), "%s; %s", judged->why, then);
	decision_note(run->decision, NOTE_UNKNOWN, why, rule->where);
	if (!defers)
		return false;
	if (only_would) {
		*effect_r = "would";
		decision_note(run->decision, NOTE_WOULD,
			      arena_printf(run_arena(run), "defer %d %.*s %.*s", UNKNOWN_CODE,
					   SLICE_ARGS(UNKNOWN_ENHANCED), SLICE_ARGS(unknown_text(judged))),
			      rule->where);
		run_would(run, rule, VERDICT_DEFER);
		return false;
	}
	*effect_r = "decides";
	defer(rule, judged, outcome_r);
	return true;
}

static void trace(const struct tracer *tracer, struct run *run, const struct rule *rule, enum truth truth,
		  const char *effect)
{
	struct rule_trace shown = {rule->stage, rule->where, rule->source, truth, run->seen, run->seen_count, effect};

	tracer->rule(tracer->context, &shown);
}

/* mode report: notes are taken, and a message that would have come as far is signed, since it goes out. */
static bool acts_in_report_mode(const struct run *run, const struct rule *rule)
{
	const struct action *action = rule->action;
	bool signs = action->class == ACTION_EDIT && (action->edit == EDIT_SIGN || action->edit == EDIT_ARC_SEAL);
	bool refused = run->decision->would != VERDICT_NONE && run->decision->would != VERDICT_ACCEPT;

	return action->class == ACTION_NOTE || (signs && !refused);
}

/* True when the rule ended the message (or the recipient). */
static bool try_rule(struct run *run, const struct rule *rule, bool accepted, const struct tracer *tracer,
		     struct outcome *outcome_r)
{
	bool report = run->policy->settings.report_mode && !run->decision->enforced && !acts_in_report_mode(run, rule);
	bool only_would = rule->try || report, ended = false;
	const char *effect = "no effect";
	struct judgement judged;

	run->seen = tracer ? arena_alloc(run->decision->arena, SEEN_MAX * sizeof(*run->seen)) : NULL;
	run->seen_count = 0;
	run->captured = NULL;
	run->disowned.reading = NULL;
	if (rule->captures)
		run->captured = memset(run->groups, 0, sizeof(run->groups));
	judged = condition_judge(run, rule->condition);
	if (judged.truth == TRUTH_TRUE && rule->list && !list_is_ready(rule->list->list))
		judged = (struct judgement){
		    .truth = TRUTH_UNKNOWN, .why = list_unknown(rule->list->list), .list = rule->list};
	if (judged.truth == TRUTH_TRUE)
		ended = rule_act(run, rule, only_would, outcome_r, &effect);
	else if (judged.truth == TRUTH_UNKNOWN)
		ended = act_on_unknown(run, rule, &judged, only_would, accepted, outcome_r, &effect);
	if (tracer)
		trace(tracer, run, rule, judged.truth, effect);
	return ended;
}

#define ASKING_MAX_US 1000000 /* of one rule for all recipients: a client names thousands */

static void trim_scratch(struct run *run)
{
	if (run->scratch && arena_used(run->scratch) > SCRATCH_MAX)
		arena_reset(run->scratch);
}

/* A rule that asks about one recipient, for each about whom none has decided yet. */
static void try_each(struct run *run, const struct rule *rule, bool accepted, const struct tracer *tracer)
{
	struct message *message = run->view->message;
	struct held *held = held_of(run);
	int64_t until = clock_us() + ASKING_MAX_US;

	for (size_t i = 0; i < message->recipient_count; i++) {
		if (held[i].outcome.verdict != VERDICT_NONE || message->recipients[i].deleted)
			continue;
		if (clock_us() > until) {
			decision_note(
			    run->decision, NOTE_UNKNOWN,
			    SLICE("it takes too long for so many recipients; rule skipped for the last of them"),
			    rule->where);
			break;
		}
		run->held = &held[i];
		run->view->recipient = &message->recipients[i];
		try_rule(run, rule, accepted, tracer, &held[i].outcome);
		trim_scratch(run);
	}
	run->view->recipient = NULL;
	run->held = NULL;
}

void policy_run(const struct policy *policy, enum kind kind, enum stage stage, struct view *view, bool accepted,
		struct decision *decision, const struct tracer *tracer, struct outcome *outcome_r)
{
	const struct rules *rules = &policy_ruleset(policy, view->tenant, kind)->stages[stage];
	struct run run = {.policy = policy, .view = view, .decision = decision};
	bool ended = false;

	*outcome_r = (struct outcome){.verdict = VERDICT_NONE};
	noted_begin(&run, stage);
	for (size_t i = 0; i < rules->count && !ended; i++) {
		const struct rule *rule = &rules->rules[i];

		if (outcome_r->verdict == VERDICT_ACCEPT)
			accepted = true;
		if (accepted && rule->action->class == ACTION_VERDICT)
			continue;
		if (rule->each_recipient)
			try_each(&run, rule, accepted, tracer);
		else
			ended = try_rule(&run, rule, accepted, tracer, outcome_r);
		trim_scratch(&run);
	}
	if (decision->held && stage == STAGE_MESSAGE)
		held_resolve(&run, outcome_r);
	noted_end(&run);
	arena_free(run.scratch);
}
