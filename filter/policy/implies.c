/*
 * implies.c - conditions compared by their form: the same test, a part of `and` and `or`, fewer words of a set.
 *
 * Contract: implies.h. The truth "unknown" is no exception: what implies something that is unknown is not true.
 */
#include "implies.h"

#include "check.h"

static bool step(unsigned *steps)
{
	return *steps > 0 && (*steps)--;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static bool is_same_word(const struct word *a, const struct word *b)
{
	if (!a || !b)
		return a == b;
	return a->kind == b->kind && slice_equal(a->text, b->text) && slice_equal(a->flags, b->flags);
}

static bool is_same_fact(const struct fact_syntax *a, const struct fact_syntax *b)
{
	return a->each == b->each && slice_equal(a->name.text, b->name.text) && is_same_word(a->argument, b->argument);
}

static bool changes(const struct fact_syntax *said)
{
	const struct fact *fact = fact_find(said->name.text);

	return !fact || fact->changes;
}

/* Each word is a step: sets may have thousands. Without steps the answer is unknown. */
static enum truth has_word(const struct words *words, const struct word *wanted, unsigned *steps)
{
	for (const struct word *word = words->first; word; word = word->next) {
		if (!step(steps))
			return TRUTH_UNKNOWN;
		if (is_same_word(word, wanted))
			return TRUTH_TRUE;
	}
	return TRUTH_FALSE;
}

static bool has_all(const struct words *words, const struct words *wanted, unsigned *steps)
{
	for (const struct word *word = wanted->first; word; word = word->next)
		if (has_word(words, word, steps) != TRUTH_TRUE)
			return false;
	return true;
}

static bool has_none(const struct words *words, const struct words *wanted, unsigned *steps)
{
	for (const struct word *word = wanted->first; word; word = word->next)
		if (has_word(words, word, steps) != TRUTH_FALSE)
			return false;
	return true;
}

static bool test_implies(const struct condition_syntax *a, const struct condition_syntax *b, unsigned *steps)
{
	if (a->test != b->test || a->negated != b->negated || !is_same_fact(&a->fact, &b->fact) || changes(&a->fact))
		return false;
	if (a->test == TEST_OWNED && (!is_same_fact(&a->owner, &b->owner) || changes(&a->owner)))
		return false;
	if (a->negated) /* is not { a b }: none of them */
		return has_all(&a->values, &b->values, steps);
	return has_all(&b->values, &a->values, steps);
}

/* One value that cannot be two words. */
static bool excludes(const struct condition_syntax *a, const struct condition_syntax *b, unsigned *steps)
{
	const struct fact *fact;

	if (a->kind != CONDITION_TEST || b->kind != CONDITION_TEST || a->test != TEST_IS || b->test != TEST_IS)
		return false;
	if (a->negated || b->negated || a->fact.each != EACH_NONE || !is_same_fact(&a->fact, &b->fact))
		return false;
	fact = fact_find(a->fact.name.text);
	if (!fact || fact->type != TYPE_RESULT || fact->list || fact->changes)
		return false;
	return has_none(&a->values, &b->values, steps);
}

/* ---- conditions ------------------------------------------------------------------------------- */

static bool implies_all(const struct condition_syntax *a, const struct condition_syntax *b, unsigned *steps)
{
	for (const struct condition_syntax *part = b->first; part; part = part->next)
		if (!condition_implies(a, part, steps))
			return false;
	return true;
}

static bool all_imply(const struct condition_syntax *a, const struct condition_syntax *b, unsigned *steps)
{
	for (const struct condition_syntax *part = a->first; part; part = part->next)
		if (!condition_implies(part, b, steps))
			return false;
	return true;
}

static bool implies_any(const struct condition_syntax *a, const struct condition_syntax *b, unsigned *steps)
{
	for (const struct condition_syntax *part = b->first; part; part = part->next)
		if (condition_implies(a, part, steps))
			return true;
	return false;
}

static bool any_implies(const struct condition_syntax *a, const struct condition_syntax *b, unsigned *steps)
{
	for (const struct condition_syntax *part = a->first; part; part = part->next)
		if (condition_implies(part, b, steps))
			return true;
	return false;
}

bool condition_implies(const struct condition_syntax *a, const struct condition_syntax *b, unsigned *steps)
{
	if (!step(steps))
		return false;
	if (b->kind == CONDITION_AND)
		return implies_all(a, b, steps);
	if (a->kind == CONDITION_OR)
		return all_imply(a, b, steps);
	if (a->kind == CONDITION_TEST && b->kind == CONDITION_TEST)
		return test_implies(a, b, steps);
	if (a->kind == CONDITION_NOT && b->kind == CONDITION_NOT)
		return condition_implies(b->first, a->first, steps);
	return (b->kind == CONDITION_OR && implies_any(a, b, steps)) ||
	       (a->kind == CONDITION_AND && any_implies(a, b, steps));
}

/* A part of an `and` and another one after it. */
static bool has_exclusion(const struct condition_syntax *all, unsigned *steps)
{
	for (const struct condition_syntax *a = all->first; a; a = a->next)
		for (const struct condition_syntax *b = a->next; b && step(steps); b = b->next)
			if (excludes(a, b, steps))
				return true;
	return false;
}

bool condition_is_never(const struct condition_syntax *said, unsigned *steps)
{
	if (said->kind != CONDITION_AND && said->kind != CONDITION_OR)
		return false;
	if (said->kind == CONDITION_AND && has_exclusion(said, steps))
		return true;
	for (const struct condition_syntax *part = said->first; part; part = part->next)
		if (condition_is_never(part, steps) != (said->kind == CONDITION_OR))
			return said->kind == CONDITION_AND;
	return said->kind == CONDITION_OR;
}

const struct condition_syntax *condition_find(const struct condition_syntax *said,
					      bool (*holds)(const struct condition_syntax *))
{
	const struct condition_syntax *found = NULL;

	if (said->kind == CONDITION_TEST)
		return holds(said) ? said : NULL;
	if (said->kind == CONDITION_NOT)
		return NULL;
	for (const struct condition_syntax *part = said->first; part && !found; part = part->next)
		found = condition_find(part, holds);
	return found;
}
