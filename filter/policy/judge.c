/*
 * judge.c - is a condition true? True, false, or unknown when a list, a fact or an
 * expression failed.
 *
 *	true or unknown = true, false and unknown = false, else unknown stays unknown
 *
 * Parts are tried from left to right and no further than the answer needs: a fact
 * that nobody needs is never computed.
 */
#include "run.h"

static struct judgement judge(struct run *, const struct node *);

/* AND ends at the first false, OR at the first true; otherwise it is unknown when one part was. */
static struct judgement judge_parts(struct run *run, const struct node *node)
{
	enum truth end = node->kind == NODE_AND ? TRUTH_FALSE : TRUTH_TRUE;
	struct judgement result = judgement_of(node->kind == NODE_AND);

	for (const struct node *part = node + 1; part < node + node->size; part += part->size) {
		struct judgement judged = judge(run, part);

		if (judged.truth == end)
			return judged;
		if (judged.truth == TRUTH_UNKNOWN)
			result = judgement_graver(run, result, judged);
	}
	return result;
}

static struct judgement judge_not(struct run *run, const struct node *node)
{
	struct judgement judged = judge(run, node + 1);

	if (judged.truth == TRUTH_UNKNOWN)
		return judged;
	return judgement_of(judged.truth == TRUTH_FALSE);
}

/* Recursion is as deep as the parentheses of the file, which are bounded. */
static struct judgement judge(struct run *run, const struct node *node)
{
	struct value value;

	if (node->kind == NODE_AND || node->kind == NODE_OR)
		return judge_parts(run, node);
	if (node->kind == NODE_NOT)
		return judge_not(run, node);
	if (node->reading.each != EACH_NONE)
		return each_judge(run, node);
	value = run_read(run, &node->reading);
	return test_judge(run, node, &value);
}

struct judgement condition_judge(struct run *run, const struct node *nodes)
{
	return nodes ? judge(run, nodes) : judgement_of(true);
}
