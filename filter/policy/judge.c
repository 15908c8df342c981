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

static struct judgement truth(bool is_true)
{
	return (struct judgement){.truth = is_true ? TRUTH_TRUE : TRUTH_FALSE};
}

static struct judgement unknown(const char *why)
{
	return (struct judgement){.truth = TRUTH_UNKNOWN, .why = why};
}

static struct judgement unknown_value(const struct value *value)
{
	return unknown(value->why ? value->why : "it could not be computed");
}

/* Of two unknowns the one that asks for a deferral counts. */
static struct judgement graver(struct judgement a, struct judgement b)
{
	if (a.truth != TRUTH_UNKNOWN)
		return b;
	return b.list && !b.list->skip && (!a.list || a.list->skip) ? b : a;
}

/* AND ends at the first false, OR at the first true; otherwise it is unknown when one part was. */
static struct judgement judge_parts(struct run *run, const struct node *node)
{
	enum truth end = node->kind == NODE_AND ? TRUTH_FALSE : TRUTH_TRUE;
	struct judgement result = truth(node->kind == NODE_AND);

	for (const struct node *part = node + 1; part < node + node->size; part += part->size) {
		struct judgement judged = judge(run, part);

		if (judged.truth == end)
			return judged;
		if (judged.truth == TRUTH_UNKNOWN)
			result = graver(result, judged);
	}
	return result;
}

static struct judgement judge_not(struct run *run, const struct node *node)
{
	struct judgement judged = judge(run, node + 1);

	if (judged.truth == TRUTH_UNKNOWN)
		return judged;
	return truth(judged.truth == TRUTH_FALSE);
}

static struct judgement judge_true(struct run *run, const struct node *node)
{
	struct value value = run_read(run, &node->reading);

	if (value.state == VALUE_UNKNOWN)
		return unknown_value(&value);
	return truth(value.state == VALUE_SET && value.boolean);
}

/* What is absent is nothing, and as a text it is the empty one. */
static struct judgement judge_is(struct run *run, const struct node *node)
{
	struct value value = run_read(run, &node->reading);
	bool found = false;

	if (value.state == VALUE_UNKNOWN)
		return unknown_value(&value);
	for (size_t i = 0; i < node->operand_count && !found; i++) {
		const struct operand *operand = &node->operands[i];

		found = value.state == VALUE_SET ? operand->matches(&value, operand) : operand->empty;
	}
	return truth(found != node->negated);
}

static struct judgement of_list(enum truth result, const struct policy_list *list)
{
	if (result != TRUTH_UNKNOWN)
		return truth(result == TRUTH_TRUE);
	return (struct judgement){.truth = TRUTH_UNKNOWN, .why = list_unknown(list->list), .list = list};
}

/* A value as a list is asked for it. What is absent is the empty text, which is in no list. */
static struct list_key key_of(const struct value *value)
{
	if (value->state != VALUE_SET)
		return (struct list_key){.kind = LIST_TEXT, .text = SLICE("")};
	if (value->type == TYPE_IP)
		return (struct list_key){.kind = LIST_IP, .ip = value->ip};
	if (value->type == TYPE_ADDRESS)
		return (struct list_key){.kind = LIST_ADDRESS, .address = &value->address};
	return (struct list_key){.kind = LIST_TEXT, .text = value->text};
}

static struct judgement judge_in(struct run *run, const struct node *node)
{
	struct value value = run_read(run, &node->reading);
	struct list_key key;

	if (value.state == VALUE_UNKNOWN)
		return unknown_value(&value);
	key = key_of(&value);
	return of_list(list_has(node->list->list, &key), node->list);
}

static struct judgement judge_owned(struct run *run, const struct node *node)
{
	struct value address = run_read(run, &node->reading), login;

	if (address.state == VALUE_UNKNOWN)
		return unknown_value(&address);
	login = run_read(run, &node->owner);
	if (login.state == VALUE_UNKNOWN)
		return unknown_value(&login);
	if (address.state != VALUE_SET || login.state != VALUE_SET)
		return truth(false);
	return of_list(list_owns(node->list->list, login.text, &address.address), node->list);
}

static struct judgement judge_matches(struct run *run, const struct node *node)
{
	struct value value = run_read(run, &node->reading);
	struct judgement judged = {TRUTH_FALSE};
	struct slice subject = value.type == TYPE_ADDRESS ? value.address.text : value.text;

	if (value.state == VALUE_UNKNOWN)
		return unknown_value(&value);
	judged.truth = regex_match(node->regex, value.state == VALUE_SET ? subject : SLICE(""), &judged.why);
	return judged;
}

static struct judgement judge_compare(struct run *run, const struct node *node)
{
	struct value value = run_read(run, &node->reading);

	if (value.state == VALUE_UNKNOWN)
		return unknown_value(&value);
	if (value.state != VALUE_SET)
		return truth(false);
	return truth(node->compare(value.number, node->operands[0].number));
}

/* Recursion is as deep as the parentheses of the file, which are bounded. */
static struct judgement judge(struct run *run, const struct node *node)
{
	static struct judgement (*const judges[])(struct run *, const struct node *) = {
	    [NODE_AND] = judge_parts,   [NODE_OR] = judge_parts,        [NODE_NOT] = judge_not,
	    [NODE_TRUE] = judge_true,   [NODE_IS] = judge_is,           [NODE_IN] = judge_in,
	    [NODE_OWNED] = judge_owned, [NODE_MATCHES] = judge_matches, [NODE_COMPARE] = judge_compare,
	};

	return judges[node->kind](run, node);
}

struct judgement condition_judge(struct run *run, const struct node *nodes)
{
	return nodes ? judge(run, nodes) : truth(true);
}
