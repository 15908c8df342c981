/*
 * condition.c - compiles a condition: types are checked, names become pointers,
 * the tree becomes an array.
 */
#include "compile.h"
#include "values.h"

#include <string.h>

#define NODES_MAX 4096 /* of one condition; a longer one is a list */

struct builder {
	struct compiler *compiler;
	struct node *nodes; /* in the arena, NODES_MAX of them at most */
	size_t count, room;
	const struct condition_syntax *before; /* the test before the one at hand; NULL: there is none */
};

static int add(struct builder *builder, const struct condition_syntax *said);

static int wrong(struct builder *builder, struct place place, const char *what)
{
	diagnostics_error(builder->compiler->diagnostics, place, "%s", what);
	return -1;
}

static bool is_text_like(enum type type)
{
	return type == TYPE_STRING || type == TYPE_DOMAIN || type == TYPE_ADDRESS;
}

/* ---- tests, one function a kind -------------------------------------------------------- */

static const char *how_to_ask(enum type type)
{
	static const char *const advice[] = {
	    [TYPE_NUMBER] = "compare it, as in %s > 10",
	    [TYPE_STRING] = "ask what it is, as in %s is \"text\", or %s is not \"\" for any text",
	    [TYPE_DOMAIN] = "ask what it is, as in %s is example.org, or %s is not \"\" for any domain",
	    [TYPE_ADDRESS] = "ask what it is, as in %s is @example.org",
	    [TYPE_IP] = "ask what it is, as in %s is 192.0.2.0/24",
	    [TYPE_RESULT] = "ask what it is, as in %s is",
	};
	return advice[type];
}

/* The advice with the fact's name for each %s. */
static struct slice fill(struct builder *builder, const char *advice, struct slice name)
{
	struct text text;

	text_init(&text, builder->compiler->policy->arena, DIAGNOSTIC_TEXT_MAX / 2);
	for (const char *p = advice; *p; p++) {
		if (p[0] != '%') {
			text_add_char(&text, *p);
			continue;
		}
		text_add(&text, name);
		p++;
	}
	return text_slice(&text);
}

static int test_bare(struct builder *builder, const struct condition_syntax *said, struct node *node)
{
	const struct fact *fact = node->reading.fact;
	enum type type = node->reading.type;
	const char *word = type == TYPE_RESULT ? fact->words[0] : "";
	struct slice advice;

	node->kind = NODE_TRUE;
	if (type == TYPE_BOOL)
		return 0;
	advice = fill(builder, how_to_ask(type), node->reading.shown);
	diagnostics_error(builder->compiler->diagnostics, said->fact.name.place, "%.*s is not a boolean; %.*s%s%s",
			  SLICE_ARGS(node->reading.shown), SLICE_ARGS(advice), *word ? " " : "", word);
	return -1;
}

static int test_is(struct builder *builder, const struct condition_syntax *said, struct node *node)
{
	struct operand *operands;
	size_t n = 0;

	node->kind = NODE_IS;
	node->negated = said->negated;
	if (said->values.count == 0)
		return wrong(builder, said->fact.name.place,
			     "an empty { } is nothing; name a value, or leave the condition out");
	operands = arena_alloc(builder->compiler->policy->arena, said->values.count * sizeof(*operands));
	for (const struct word *word = said->values.first; word; word = word->next) {
		if (operand_compile(builder->compiler, &node->reading, word, &operands[n++]))
			return -1;
	}
	node->operands = operands;
	node->operand_count = n;
	return 0;
}

static int unknown_list(struct builder *builder, const struct word *word)
{
	const struct policy *policy = builder->compiler->policy;
	const char **names = arena_alloc(policy->arena, (policy->list_count + 1) * sizeof(*names));
	const char *near;
	struct ip_net net;

	if (ip_net_parse(word->text, &net) == 0 || slice_find(word->text, '@') >= 0) {
		diagnostics_error(builder->compiler->diagnostics, word->place,
				  "\"%s\" is a value, and `in` wants the name of a list; write it with `is`",
				  QUOTE(word->text));
		return -1;
	}
	for (size_t i = 0; i < policy->list_count; i++)
		names[i] = list_name(policy->lists[i]->list);
	near = nearest_word(word->text, names);
	diagnostics_error(builder->compiler->diagnostics, word->place, "no list is named \"%s\"; %s%s",
			  QUOTE(word->text),
			  near ? suggestion(word->text, names).text : "define it with: list NAME file:/path",
			  near ? "" : " (or write values of your own in { })");
	return -1;
}

static int test_in(struct builder *builder, const struct condition_syntax *said, struct node *node)
{
	enum type type = node->reading.type;

	node->kind = NODE_IN;
	if (!is_text_like(type) && type != TYPE_IP)
		return wrong(builder, said->fact.name.place,
			     "lists hold addresses, domains, networks and texts, and this fact is none of them; use "
			     "\"is\" or a comparison");
	node->list = policy_list(builder->compiler->policy, said->values.first->text);
	if (!node->list)
		return unknown_list(builder, said->values.first);
	if (list_is_canonical(node->list->list) && type != TYPE_STRING)
		return wrong(builder, said->values.first->place,
			     "the list canonical holds logins; ask \"auth.user in canonical\"");
	if (list_is_owners(node->list->list))
		return wrong(builder, said->values.first->place,
			     "the list owners says which login owns which address; ask \"sender owned by auth.user\"");
	return 0;
}

static int test_owned(struct builder *builder, const struct condition_syntax *said, struct node *node)
{
	node->kind = NODE_OWNED;
	if (node->reading.type != TYPE_ADDRESS)
		return wrong(builder, said->fact.name.place,
			     "only an address can be owned; write \"sender owned by auth.user\"");
	if (reading_compile(builder->compiler, &said->owner, &node->owner))
		return -1;
	if (node->owner.fact->type != TYPE_STRING)
		return wrong(builder, said->owner.name.place,
			     "only a login can own an address; write \"owned by auth.user\"");
	node->list = builder->compiler->policy->owners;
	if (node->list || builder->compiler->policy->settings.ownership.self)
		return 0;
	return wrong(builder, said->fact.name.place,
		     "nobody says who owns an address; define the list: list owners file:/etc/sekisho/owners");
}

static int test_matches(struct builder *builder, const struct condition_syntax *said, struct node *node)
{
	const struct word *word = said->values.first;
	struct place place = word->place;
	struct error err;
	size_t offset;
	struct regex *regex;

	node->kind = NODE_MATCHES;
	if (!is_text_like(node->reading.type))
		return wrong(builder, said->fact.name.place,
			     "only a text, a domain or an address can match an expression; use \"is\" or a comparison");
	if (word->flags.n && !slice_equal(word->flags, SLICE("i"))) {
		diagnostics_error(builder->compiler->diagnostics, word->place,
				  "unknown flag \"%s\" after the expression; only i (case does not count) is known",
				  QUOTE(word->flags));
		return -1;
	}
	regex = regex_compile(word->text, word->flags.n > 0, &err, &offset);
	if (!regex) {
		place.column += (unsigned)offset + 1;
		diagnostics_error(builder->compiler->diagnostics, place,
				  "%s; fix the regular expression, see pcre2pattern(3)", err.text);
		return -1;
	}
	policy_add_regex(builder->compiler->policy, regex);
	captures_offer(builder->compiler, regex_groups(regex));
	node->regex = regex;
	return 0;
}

static bool is_less(int64_t value, int64_t operand)
{
	return value < operand;
}

static bool is_at_most(int64_t value, int64_t operand)
{
	return value <= operand;
}

static bool is_greater(int64_t value, int64_t operand)
{
	return value > operand;
}

static bool is_at_least(int64_t value, int64_t operand)
{
	return value >= operand;
}

static bool is_equal(int64_t value, int64_t operand)
{
	return value == operand;
}

/* The place of the word among the values of a fact that have an order. */
static int take_order(struct builder *builder, const struct condition_syntax *said, const struct fact *fact,
		      struct operand *operand)
{
	if (fact->order(operand->text, &operand->number))
		return 0;
	diagnostics_error(builder->compiler->diagnostics, said->values.first->place,
			  "\"%s\" is not something %s can be compared with; write it as in %s < %s",
			  QUOTE(operand->text), fact->name, fact->name, fact->ordered);
	return -1;
}

static int test_compare(struct builder *builder, const struct condition_syntax *said, struct node *node)
{
	static bool (*const compares[])(int64_t, int64_t) = {
	    [TEST_LESS] = is_less,       [TEST_LESS_EQUAL] = is_at_most,
	    [TEST_GREATER] = is_greater, [TEST_GREATER_EQUAL] = is_at_least,
	    [TEST_EQUAL] = is_equal,
	};
	struct operand *operand = arena_alloc(builder->compiler->policy->arena, sizeof(*operand));

	node->kind = NODE_COMPARE;
	node->compare = compares[said->test];
	if (node->reading.type != TYPE_NUMBER && !node->reading.fact->order)
		return wrong(builder, said->fact.name.place, "only a number can be compared; use \"is\"");
	node->operands = operand;
	node->operand_count = 1;
	if (operand_compile(builder->compiler, &node->reading, said->values.first, operand))
		return -1;
	return node->reading.fact->order ? take_order(builder, said, node->reading.fact, operand) : 0;
}

static int (*const tests[])(struct builder *, const struct condition_syntax *, struct node *) = {
    [TEST_BARE] = test_bare,          [TEST_IS] = test_is,           [TEST_IN] = test_in,
    [TEST_OWNED] = test_owned,        [TEST_MATCHES] = test_matches, [TEST_LESS] = test_compare,
    [TEST_LESS_EQUAL] = test_compare, [TEST_GREATER] = test_compare, [TEST_GREATER_EQUAL] = test_compare,
    [TEST_EQUAL] = test_compare,
};

/* ---- the array ----------------------------------------------------------------------------- */

static struct node *new_node(struct builder *builder)
{
	struct node *nodes;

	if (builder->count == builder->room) {
		builder->room = builder->room ? 2 * builder->room : 8;
		nodes = arena_alloc(builder->compiler->policy->arena, builder->room * sizeof(*nodes));
		if (builder->count)
			memcpy(nodes, builder->nodes, builder->count * sizeof(*nodes));
		builder->nodes = nodes;
	}
	return &builder->nodes[builder->count++];
}

/* "spf is fail or softfail": the word is a value of the test before it, and not a fact. */
static bool is_value_of(struct builder *builder, const struct condition_syntax *before, const struct word *word)
{
	const struct fact *fact = fact_find(before->fact.name.text);

	if (before->test != TEST_IS || !fact || fact_find(word->text))
		return false;
	for (const char *const *words = fact->words; fact->type == TYPE_RESULT && *words; words++)
		if (slice_equal(word->text, slice_of(*words)))
			return true;
	return fact->type != TYPE_RESULT && !nearest_word(word->text, builder->compiler->fact_names);
}

static int wrong_alone(struct builder *builder, const struct condition_syntax *before, const struct word *word)
{
	struct text set;

	text_init(&set, builder->compiler->policy->arena, DIAGNOSTIC_TEXT_MAX / 2);
	text_printf(&set, "%.*s is %s{", SLICE_ARGS(before->fact.name.text), before->negated ? "not " : "");
	for (const struct word *value = before->values.first; value; value = value->next)
		text_printf(&set, value->kind == WORD_QUOTED ? " \"%.*s\"" : " %.*s", SLICE_ARGS(value->text));
	text_printf(&set, " %.*s }", SLICE_ARGS(word->text));
	diagnostics_error(builder->compiler->diagnostics, word->place,
			  "\"%s\" is not a fact; to ask for one of several values write %.*s", QUOTE(word->text),
			  SLICE_ARGS(text_slice(&set)));
	return -1;
}

static int add_test(struct builder *builder, const struct condition_syntax *said)
{
	const struct condition_syntax *before = builder->before;
	struct node node = {.size = 1};

	builder->before = said;
	if (before && said->test == TEST_BARE && is_value_of(builder, before, &said->fact.name))
		return wrong_alone(builder, before, &said->fact.name);
	if (reading_compile(builder->compiler, &said->fact, &node.reading) || tests[said->test](builder, said, &node))
		return -1;
	*new_node(builder) = node;
	return 0;
}

static int add_parts(struct builder *builder, const struct condition_syntax *said)
{
	static const enum node_kind kinds[] = {
	    [CONDITION_AND] = NODE_AND, [CONDITION_OR] = NODE_OR, [CONDITION_NOT] = NODE_NOT};
	size_t at = builder->count;

	*new_node(builder) = (struct node){.kind = kinds[said->kind]};
	for (const struct condition_syntax *part = said->first; part; part = part->next) {
		if (add(builder, part))
			return -1;
	}
	builder->nodes[at].size = builder->count - at;
	return 0;
}

static int add(struct builder *builder, const struct condition_syntax *said)
{
	if (builder->count >= NODES_MAX)
		return wrong(
		    builder, builder->compiler->rule_place,
		    "this condition has more than 4096 parts; put the values into a list, or make several rules");
	return said->kind == CONDITION_TEST ? add_test(builder, said) : add_parts(builder, said);
}

int condition_compile(struct compiler *compiler, const struct condition_syntax *said, const struct node **nodes_r)
{
	struct builder builder = {.compiler = compiler};

	*nodes_r = NULL;
	if (!said)
		return 0;
	if (add(&builder, said))
		return -1;
	*nodes_r = builder.nodes;
	return 0;
}
