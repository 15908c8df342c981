/*
 * reading.c - a fact that a rule asks for: it is known, has its argument, and can
 * be had where the rule stands.
 */
#include "compile.h"

#include <string.h>

static int unknown_fact(struct compiler *compiler, const struct word *name)
{
	const char *near = nearest_word(name->text, compiler->fact_names);
	bool glued = slice_find(name->text, '=') > 0;

	diagnostics_error(compiler->diagnostics, name->place, "unknown fact \"%s\"; %s", QUOTE(name->text),
			  glued  ? "write a blank before and behind \"=\""
			  : near ? suggestion(name->text, compiler->fact_names).text
				 : "sekisho.conf(5) names them all");
	return -1;
}

/* Facts with an argument are about header fields: its name must be one. */
static int check_argument(struct compiler *compiler, const struct fact_syntax *said, const struct fact *fact,
			  struct slice argument)
{
	if (!fact->argument && !said->argument)
		return 0;
	if (!fact->argument)
		diagnostics_error(compiler->diagnostics, said->argument->place, "%s takes no argument; write %s alone",
				  fact->name, fact->name);
	else if (!said->argument)
		diagnostics_error(compiler->diagnostics, said->name.place,
				  "%s needs the name of a field; write %s(\"Subject\")", fact->name, fact->name);
	else if (!header_name_valid(argument))
		diagnostics_error(compiler->diagnostics, said->argument->place,
				  "\"%s\" is no name of a header field; write it without \":\" and blanks",
				  QUOTE(argument));
	else
		return 0;
	return -1;
}

/* Names both places: where the fact is known from, and where the rule stands. */
static int check_stage(struct compiler *compiler, const struct word *name, const struct fact *fact)
{
	if (fact->scope == SCOPE_RECIPIENT && compiler->stage > STAGE_RCPT) {
		diagnostics_error(
		    compiler->diagnostics, name->place,
		    "%s belongs to one recipient and a message can have several (this rule stands in \"on %s\", "
		    "line %u); ask for it in \"on rcpt\"",
		    fact->name, stage_names[compiler->stage], compiler->stage_place.line);
		return -1;
	}
	if (fact->stage <= compiler->stage)
		return 0;
	diagnostics_error(
	    compiler->diagnostics, name->place,
	    "%s is known from \"on %s\" on (this rule stands in \"on %s\", line %u); move the rule to \"on %s\"%s",
	    fact->name, stage_names[fact->stage], stage_names[compiler->stage], compiler->stage_place.line,
	    stage_names[fact->stage], fact->stage < STAGE_MESSAGE && fact->scope != SCOPE_RECIPIENT ? " or later" : "");
	return -1;
}

static void remember(struct compiler *compiler, const struct fact *fact)
{
	compiler->policy->needs |= fact->needs;
	compiler->policy->uses[compiler->kind][check_number(fact_check(fact))] = true;
}

int reading_compile(struct compiler *compiler, const struct fact_syntax *said, struct reading *reading_r)
{
	struct arena *arena = compiler->policy->arena;
	const struct fact *fact = fact_find(said->name.text);
	struct slice argument = said->argument ? word_value(said->argument, arena) : SLICE("");

	if (!fact)
		return unknown_fact(compiler, &said->name);
	if (check_argument(compiler, said, fact, argument) || check_stage(compiler, &said->name, fact))
		return -1;
	*reading_r = (struct reading){.fact = fact, .argument = arena_copy(arena, argument)};
	reading_r->shown = fact->argument ? arena_printf(arena, "%s(\"%.*s\")", fact->name, SLICE_ARGS(argument))
					  : slice_of(fact->name);
	remember(compiler, fact);
	return 0;
}
