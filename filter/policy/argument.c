/*
 * argument.c - what a rule reads of a fact: its argument, and what follows for the message.
 *
 * The name of a declared thing becomes its struct here, so that no name is compared when rules run.
 */
#include "compile.h"

#include <string.h>

/* ---- the argument -------------------------------------------------------------------------------- */

/* One pointer for each name, whatever its case: with it no name is compared when rules run. NULL: the file has more
 * names than that, and these are compared. */
static const struct slice *intern_name(struct policy *policy, struct slice name)
{
	for (size_t i = 0; i < policy->field_name_count; i++)
		if (slice_equal_nocase(policy->field_names[i], name))
			return &policy->field_names[i];
	if (policy->field_name_count == FIELD_NAMES_MAX)
		return NULL;
	if (!policy->field_names)
		policy->field_names = arena_alloc(policy->arena, FIELD_NAMES_MAX * sizeof(*policy->field_names));
	policy->field_names[policy->field_name_count] = name;
	return &policy->field_names[policy->field_name_count++];
}

static int check_header(struct compiler *compiler, const struct fact_syntax *said, struct argument *argument)
{
	if (header_name_valid(argument->text)) {
		argument->thing = intern_name(compiler->policy, argument->text);
		return 0;
	}
	diagnostics_error(compiler->diagnostics, said->argument->place,
			  "\"%s\" is not the name of a header field; write it without \":\" and blanks",
			  QUOTE(argument->text));
	return -1;
}

/* The names of all blocks of this check that the file declares. */
static const char *const *declared_names(struct compiler *compiler, const struct fact *fact)
{
	const struct check *check = fact_check(fact);
	const struct check_block *blocks = &compiler->policy->settings.check.blocks[check_number(check)];
	const char **names = arena_alloc(compiler->policy->arena, (blocks->count + 1) * sizeof(*names));

	for (size_t i = 0; i < blocks->count; i++) {
		const char *thing = (const char *)blocks->first + i * check->settings->size;

		names[i] = arena_cstring(compiler->policy->arena,
					 *(const struct slice *)(const void *)(thing + check->settings->value->offset));
	}
	return names;
}

static int find_thing(struct compiler *compiler, const struct fact_syntax *said, const struct fact *fact,
		      struct argument *argument)
{
	const char *block = fact_check(fact)->settings->name, *const * names;

	argument->thing = fact_thing(&compiler->policy->settings.check, fact, argument->text);
	if (argument->thing)
		return 0;
	names = declared_names(compiler, fact);
	if (nearest_word(argument->text, names))
		diagnostics_error(compiler->diagnostics, said->argument->place, "no %s is named \"%s\"; %s", block,
				  QUOTE(argument->text), suggestion(argument->text, names).text);
	else
		diagnostics_error(compiler->diagnostics, said->argument->place,
				  "no %s is named \"%s\"; declare it before the policies: %s NAME { ... }", block,
				  QUOTE(argument->text), block);
	return -1;
}

static int find_variable(struct compiler *compiler, const struct fact_syntax *said, struct argument *argument)
{
	const struct policy *policy = compiler->policy;
	const char *names[VARIABLES_MAX + 1] = {NULL};

	argument->thing = variable_find(policy, argument->text);
	if (argument->thing)
		return 0;
	for (size_t i = 0; i < policy->variable_count; i++)
		names[i] = arena_cstring(policy->arena, policy->variables[i].name);
	if (nearest_word(argument->text, names))
		diagnostics_error(compiler->diagnostics, said->argument->place, "no rule sets \"%s\"; %s",
				  QUOTE(argument->text), suggestion(argument->text, names).text);
	else
		diagnostics_error(compiler->diagnostics, said->argument->place,
				  "no rule sets \"%s\"; write a rule before this one: set %s \"text\"",
				  QUOTE(argument->text), QUOTE(argument->text));
	return -1;
}

static int missing(struct compiler *compiler, const struct word *name, const struct fact *fact)
{
	bool header = fact->argument == ARGUMENT_HEADER;
	const char *thing = header                                ? "field"
			    : fact->argument == ARGUMENT_VARIABLE ? "variable"
								  : fact_check(fact)->settings->name;

	diagnostics_error(compiler->diagnostics, name->place, "%s needs the name of a %s; write %s(\"%s\")", fact->name,
			  thing, fact->name, header ? "Subject" : "NAME");
	return -1;
}

int argument_compile(struct compiler *compiler, const struct fact_syntax *said, const struct fact *fact,
		     struct argument *argument_r)
{
	struct arena *arena = compiler->policy->arena;

	*argument_r = NO_ARGUMENT;
	if (said->argument)
		argument_r->text = arena_copy(arena, word_value(said->argument, arena));
	if (fact->argument == ARGUMENT_NONE && said->argument) {
		diagnostics_error(compiler->diagnostics, said->argument->place, "%s takes no argument; write %s alone",
				  fact->name, fact->name);
		return -1;
	}
	if (fact->argument == ARGUMENT_NONE)
		return 0;
	if (!said->argument)
		return missing(compiler, &said->name, fact);
	if (fact->argument == ARGUMENT_HEADER)
		return check_header(compiler, said, argument_r);
	if (fact->argument == ARGUMENT_VARIABLE)
		return find_variable(compiler, said, argument_r);
	return find_thing(compiler, said, fact, argument_r);
}

/* ---- what follows ---------------------------------------------------------------------------------- */

static void add_asked(struct compiler *compiler, const struct fact *fact, struct argument argument)
{
	struct asking *asking = &compiler->rules->asking[check_number(fact_check(fact))];
	struct asked *items = (struct asked *)asking->items;

	for (size_t i = 0; i < asking->count; i++)
		if (items[i].fact == fact && items[i].argument.thing == argument.thing &&
		    slice_equal(items[i].argument.text, argument.text))
			return;
	if (asking->count == ASKING_MAX)
		return;
	if (!items)
		asking->items = items = arena_alloc(compiler->policy->arena, ASKING_MAX * sizeof(*items));
	items[asking->count++] = (struct asked){fact, argument};
}

void reading_remember(struct compiler *compiler, const struct fact *fact, struct argument argument)
{
	struct traits traits = fact_traits(fact, argument);

	compiler->policy->needs |= traits.needs;
	compiler->rules->uses[check_number(fact_check(fact))] = true;
	add_asked(compiler, fact, argument);
	for (unsigned i = 0; i < traits.read_count; i++)
		reading_remember(compiler, traits.reads[i], NO_ARGUMENT);
}
