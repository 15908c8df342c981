/*
 * variable.c - the names that rules of a file set. They are known before any rule is compiled: a rule may read what one
 * further down in the file sets, at an earlier stage.
 */
#include "compile.h"
#include "values.h"

const struct variable *variable_find(const struct policy *policy, struct slice name)
{
	for (size_t i = 0; i < policy->variable_count; i++)
		if (slice_equal(policy->variables[i].name, name))
			return &policy->variables[i];
	return NULL;
}

static void collect(struct policy *policy, const struct rule_syntax *rule)
{
	const struct word *word = rule->arguments.first;
	struct slice name;

	if (!word || !slice_equal(rule->action.text, SLICE("set")) || policy->variable_count == VARIABLES_MAX)
		return;
	name = word_value(word, policy->arena);
	if (!name_valid(name) || variable_find(policy, name))
		return;
	if (!policy->variables)
		policy->variables = arena_alloc(policy->arena, VARIABLES_MAX * sizeof(*policy->variables));
	policy->variables[policy->variable_count] =
	    (struct variable){arena_copy(policy->arena, name), (unsigned)policy->variable_count};
	policy->variable_count++;
}

void variables_collect(struct compiler *compiler, const struct file_syntax *file)
{
	for (const struct policy_syntax *policy = file->first_policy; policy; policy = policy->next)
		for (const struct stage_syntax *stage = policy->first; stage; stage = stage->next)
			for (const struct rule_syntax *rule = stage->first; rule; rule = rule->next)
				collect(compiler->policy, rule);
}
