/*
 * test.c - a test of one value: true, false, or unknown when a list, a fact or an
 * expression failed.
 */
#include "run.h"

struct judgement judgement_of(bool is_true)
{
	return (struct judgement){.truth = is_true ? TRUTH_TRUE : TRUTH_FALSE};
}

struct judgement judgement_unknown(const char *why)
{
	return (struct judgement){.truth = TRUTH_UNKNOWN, .why = why ? why : "it could not be computed"};
}

struct judgement judgement_of_unknown(const struct value *value)
{
	struct judgement judged = judgement_unknown(value->why);

	judged.unstored = value->unstored;
	return judged;
}

bool judgement_defers(const struct run *run, const struct judgement *judged)
{
	return judged->list ? !judged->list->skip : judged->unstored && run->policy->settings.store.defers;
}

/* The one that asks for a deferral counts. */
struct judgement judgement_graver(const struct run *run, struct judgement a, struct judgement b)
{
	if (a.truth != TRUTH_UNKNOWN)
		return b;
	return judgement_defers(run, &b) && !judgement_defers(run, &a) ? b : a;
}

/* ---- tests of a value ------------------------------------------------------------------------------- */

static struct judgement test_true(struct run *run, const struct node *node, const struct value *value)
{
	(void)run, (void)node;
	return judgement_of(value->state == VALUE_SET && value->boolean);
}

/* What is absent is nothing, and as a text it is the empty one. */
static struct judgement test_is(struct run *run, const struct node *node, const struct value *value)
{
	bool found = false;

	(void)run;
	for (size_t i = 0; i < node->operand_count && !found; i++) {
		const struct operand *operand = &node->operands[i];

		found = value->state == VALUE_SET ? operand->matches(value, operand) : operand->empty;
	}
	return judgement_of(found != node->negated);
}

static struct judgement of_list(enum truth result, const struct policy_list *list)
{
	if (result != TRUTH_UNKNOWN)
		return judgement_of(result == TRUTH_TRUE);
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

static struct judgement test_in(struct run *run, const struct node *node, const struct value *value)
{
	struct list_key key = key_of(value);

	return of_list(list_has(node->list->list, run->view->store, &key), node->list);
}

/* The first address that is not owned decides; the rule names it. */
static enum truth owns_all(struct run *run, const struct node *node, struct slice login, const struct value *value)
{
	const struct address *addresses = value->mailboxes ? value->mailboxes->items : &value->address;
	size_t count = value->mailboxes ? value->mailboxes->count : 1;
	enum truth owned = TRUTH_TRUE;

	for (size_t i = 0; i < count && owned == TRUTH_TRUE; i++) {
		owned = owned_by(run, node->list, login, &addresses[i]);
		if (owned == TRUTH_FALSE)
			run->disowned = (struct disowned){&node->reading, addresses[i].text};
	}
	return owned;
}

static struct judgement test_owned(struct run *run, const struct node *node, const struct value *address)
{
	struct value login = run_read(run, &node->owner);

	if (login.state == VALUE_UNKNOWN)
		return judgement_of_unknown(&login);
	if (address->state != VALUE_SET || login.state != VALUE_SET)
		return judgement_of(false);
	return of_list(owns_all(run, node, login.text, address), node->list);
}

static struct judgement test_matches(struct run *run, const struct node *node, const struct value *value)
{
	struct judgement judged = {TRUTH_FALSE};
	struct slice subject = value->type == TYPE_ADDRESS ? value->address.text : value->text;

	if (value->state != VALUE_SET)
		subject = SLICE("");
	if (run->captured)
		judged.truth = regex_capture(node->regex, subject, run->captured, &judged.why);
	else
		judged.truth = regex_match(node->regex, subject, &judged.why);
	return judged;
}

static struct judgement test_compare(struct run *run, const struct node *node, const struct value *value)
{
	(void)run;
	return judgement_of(value->state == VALUE_SET && node->compare(value->number, node->operands[0].number));
}

/* A fact that a list could not answer defers as the list does. */
static struct judgement of_unknown(const struct run *run, const struct value *value)
{
	struct judgement judged = judgement_of_unknown(value);

	for (size_t i = 0; value->unread && i < run->policy->list_count; i++)
		if (run->policy->lists[i]->list == value->unread)
			judged.list = run->policy->lists[i];
	return judged;
}

struct judgement test_judge(struct run *run, const struct node *node, const struct value *value)
{
	static struct judgement (*const tests[])(struct run *, const struct node *, const struct value *) = {
	    [NODE_TRUE] = test_true,   [NODE_IS] = test_is,           [NODE_IN] = test_in,
	    [NODE_OWNED] = test_owned, [NODE_MATCHES] = test_matches, [NODE_COMPARE] = test_compare,
	};

	if (value->state == VALUE_UNKNOWN)
		return of_unknown(run, value);
	return tests[node->kind](run, node, value);
}
