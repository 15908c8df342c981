/*
 * each.c - any and all: a test of each recipient who was accepted and not deleted, or of each word of a fact that is a
 * list.
 *
 * `any` is the `or` of all tests, `all` their `and`, with the same three truths; of nothing both are false. No more is
 * tested than the answer needs. A trace shows the value that decided, or all when none did.
 */
#include "run.h"

#define MATCHING_MAX 1000000 /* microseconds of all expressions of one any or all: what a single one may take */

struct asking_each {
	struct run *run;
	const struct node *node;
	enum truth end; /* what decides */
	bool asked;     /* a value at least */
	struct judgement result;
	int64_t until;     /* of expressions; clock_us */
	struct text shown; /* of all values, for the trace */
};

static struct slice print(struct asking_each *each, const struct value *value)
{
	const struct recipient *recipient = each->run->view->recipient;
	struct arena *arena = run_arena(each->run);
	struct slice text = value_print(value, arena);

	if (!recipient || slice_equal(text, recipient->address.text))
		return text;
	return arena_printf(arena, "%.*s (%.*s)", SLICE_ARGS(text), SLICE_ARGS(recipient->address.text));
}

static void show(struct asking_each *each, const struct value *value, bool decides)
{
	if (decides || !each->shown.arena)
		text_init(&each->shown, run_arena(each->run), SEEN_TEXT_MAX);
	if (each->shown.cut)
		return;
	text_add(&each->shown, each->shown.n ? SLICE(", ") : SLICE(""));
	text_add(&each->shown, print(each, value));
}

/* A client names thousands of recipients, and writes each so that an expression takes long. */
static bool is_over(struct asking_each *each)
{
	return each->node->kind == NODE_MATCHES && clock_us() > each->until;
}

/* True when no more need be asked. What does not decide is the answer as long as nothing else is said. */
static bool ask(struct asking_each *each, const struct value *value)
{
	struct judgement judged = test_judge(each->run, each->node, value);
	bool decides = judged.truth == each->end;

	if (each->run->seen)
		show(each, value, decides);
	if (!decides && judged.truth == TRUTH_UNKNOWN)
		judged = judgement_graver(each->run, each->result, judged);
	if (!decides && is_over(each)) {
		each->result = judgement_unknown("the expression takes too long for so many values");
		return true;
	}
	if (decides || judged.truth == TRUTH_UNKNOWN || !each->asked)
		each->result = judged;
	each->asked = true;
	return decides;
}

static void ask_recipients(struct asking_each *each)
{
	struct view *view = each->run->view;
	struct recipient *before = view->recipient;
	bool decided = false;

	for (size_t i = 0; i < view->message->recipient_count && !decided; i++) {
		struct value value;

		if (view->message->recipients[i].deleted)
			continue;
		view->recipient = &view->message->recipients[i];
		value = fact_get(view, each->node->reading.fact, each->node->reading.argument);
		decided = ask(each, &value);
	}
	view->recipient = before;
}

static void ask_words(struct asking_each *each)
{
	struct value list = fact_get(each->run->view, each->node->reading.fact, each->node->reading.argument);
	struct slice rest = list.state == VALUE_SET ? list.text : SLICE(""), word;
	bool decided = false;

	if (list.state == VALUE_UNKNOWN)
		each->result = judgement_of_unknown(&list);
	while (!decided && slice_word(&rest, &word)) {
		struct value value = {.state = VALUE_SET, .type = each->node->reading.type, .text = word};

		decided = ask(each, &value);
	}
}

/* Two of one name in a rule, for two lists, are one entry of the trace. */
static void keep_shown(struct asking_each *each)
{
	struct run *run = each->run;
	struct slice name = each->node->reading.shown, text = each->shown.arena ? text_slice(&each->shown) : SLICE("");

	for (size_t i = 0; i < run->seen_count; i++)
		if (slice_equal(run->seen[i].fact, name) && !slice_equal(run->seen[i].value, text))
			run->seen[i].value = arena_printf(run->decision->arena, "%.*s; %.*s",
							  SLICE_ARGS(run->seen[i].value), SLICE_ARGS(text));
	run_see(run, name, text);
}

struct judgement each_judge(struct run *run, const struct node *node)
{
	struct asking_each each = {
	    .run = run,
	    .node = node,
	    .end = node->reading.each == EACH_ANY ? TRUTH_TRUE : TRUTH_FALSE,
	    .result = judgement_of(false),
	    .until = node->kind == NODE_MATCHES ? clock_us() + MATCHING_MAX : 0,
	};

	if (node->reading.fact->list)
		ask_words(&each);
	else
		ask_recipients(&each);
	if (run->seen)
		keep_shown(&each);
	return each.result;
}
