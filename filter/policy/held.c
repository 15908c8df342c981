/*
 * held.c - verdicts of the last stage that differ by recipient, and what becomes of the message then.
 *
 * With on-conflict, rules of `on message` with a verdict may ask about one recipient. Such a rule is tried for each
 * recipient about whom none has decided yet. Rules that do not ask about one decide for all of these at once. A mail
 * server answers a message once, for all recipients; so the verdicts are made one in the end.
 */
#include "run.h"

/* How strict: what a recipient gets, from all of it to nothing that anybody hears of. */
static const unsigned ranks[VERDICT_COUNT] = {
    [VERDICT_NONE] = 0,  [VERDICT_ACCEPT] = 0, [VERDICT_QUARANTINE] = 1,
    [VERDICT_DEFER] = 2, [VERDICT_REJECT] = 3, [VERDICT_DISCARD] = 4,
};

static bool is_refused(const struct held *held)
{
	return held->verdict == VERDICT_REJECT || held->verdict == VERDICT_DISCARD;
}

struct held *held_of(struct run *run)
{
	const struct message *message = run->view->message;
	struct decision *decision = run->decision;

	if (!decision->held) {
		decision->held = arena_alloc(decision->arena, (message->recipient_count + 1) * sizeof(*decision->held));
		decision->held_count = message->recipient_count;
	}
	return decision->held;
}

/* ---- making one of them ----------------------------------------------------------------------- */

/* The first recipient with the strictest verdict, or the mildest; NULL: all of them are left out. */
static const struct held *find(const struct decision *decision, bool strictest, bool (*leave_out)(const struct held *))
{
	const struct held *found = NULL;

	for (size_t i = 0; i < decision->held_count; i++) {
		const struct held *held = &decision->held[i];

		if (held->gone || (leave_out && leave_out(held)))
			continue;
		if (!found || (strictest ? ranks[held->verdict] > ranks[found->verdict]
					 : ranks[held->verdict] < ranks[found->verdict]))
			found = held;
	}
	return found;
}

static void take(struct decision *decision, const struct held *held, struct outcome *outcome_r)
{
	*outcome_r = held->outcome;
	if (held->verdict != VERDICT_QUARANTINE || decision->quarantined)
		return;
	decision->quarantined = true;
	decision->quarantine_reason = held->reason;
	decision->quarantine_rule = held->quarantine_rule;
}

static bool differ(const struct decision *decision)
{
	const struct held *mildest = find(decision, false, NULL), *strictest = find(decision, true, NULL);

	return mildest && ranks[mildest->verdict] != ranks[strictest->verdict];
}

/* The refused ones are taken away. A deferred one is not: his mail would be lost, so all of them are deferred. When all
 * are refused, the mildest refusal is told: of two the one that tells somebody. */
static const struct held *split(struct decision *decision)
{
	const struct held *strictest = find(decision, true, is_refused);

	if (!strictest)
		return find(decision, false, NULL);
	for (size_t i = 0; strictest->verdict != VERDICT_DEFER && i < decision->held_count; i++)
		decision->held[i].removed = !decision->held[i].gone && is_refused(&decision->held[i]);
	return strictest;
}

static void note_conflict(struct run *run, const struct held *taken)
{
	enum on_conflict on_conflict = run->policy->settings.on_conflict;
	bool quarantine = taken->verdict == VERDICT_QUARANTINE;
	const char *verdict = ranks[taken->verdict] == 0 ? "accept" : verdict_names[taken->verdict];

	decision_note(run->decision, NOTE_LOG,
		      arena_printf(run_arena(run), "recipients have different verdicts; on-conflict %s: %s",
				   conflict_names[on_conflict], verdict),
		      quarantine ? taken->quarantine_rule : taken->outcome.rule);
}

/* Recipients about whom no rule has decided alone get what the others said. */
static void settle(struct run *run, const struct outcome *outcome)
{
	struct decision *decision = run->decision;

	for (size_t i = 0; i < decision->held_count; i++) {
		struct held *held = &decision->held[i];

		held->gone = run->view->message->recipients[i].deleted;
		if (held->outcome.verdict == VERDICT_NONE)
			held->outcome = *outcome;
		held->verdict = held->outcome.verdict;
		if (held->quarantined && ranks[held->verdict] == 0)
			held->verdict = VERDICT_QUARANTINE;
	}
}

void held_resolve(struct run *run, struct outcome *outcome_r)
{
	struct decision *decision = run->decision;
	enum on_conflict on_conflict = run->policy->settings.on_conflict;
	const struct held *taken;

	settle(run, outcome_r);
	if (on_conflict == CONFLICT_SPLIT)
		taken = split(decision);
	else
		taken = find(decision, on_conflict == CONFLICT_STRICTEST, NULL);
	if (!taken)
		return;
	if (differ(decision))
		note_conflict(run, taken);
	take(decision, taken, outcome_r);
}
