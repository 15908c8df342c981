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

/* Names both places: where the fact is known from, and where the rule stands. */
static int check_stage(struct compiler *compiler, const struct word *name, struct slice shown,
		       const struct traits *traits)
{
	if (traits->scope == SCOPE_RECIPIENT && compiler->stage > STAGE_RCPT) {
		diagnostics_error(
		    compiler->diagnostics, name->place,
		    "%.*s belongs to one recipient and a message can have several (this rule stands in \"on %s\", "
		    "line %u); ask for it in \"on rcpt\"",
		    SLICE_ARGS(shown), stage_names[compiler->stage], compiler->stage_place.line);
		return -1;
	}
	if (traits->stage <= compiler->stage)
		return 0;
	diagnostics_error(
	    compiler->diagnostics, name->place,
	    "%.*s is known from \"on %s\" on (this rule stands in \"on %s\", line %u); move the rule to \"on %s\"%s",
	    SLICE_ARGS(shown), stage_names[traits->stage], stage_names[compiler->stage], compiler->stage_place.line,
	    stage_names[traits->stage],
	    traits->stage < STAGE_MESSAGE && traits->scope != SCOPE_RECIPIENT ? " or later" : "");
	return -1;
}

int reading_compile(struct compiler *compiler, const struct fact_syntax *said, struct reading *reading_r)
{
	struct arena *arena = compiler->policy->arena;
	const struct fact *fact = fact_find(said->name.text);
	struct argument argument;
	struct traits traits;

	if (!fact)
		return unknown_fact(compiler, &said->name);
	if (argument_compile(compiler, said, fact, &argument))
		return -1;
	*reading_r = (struct reading){.fact = fact, .argument = argument, .shown = slice_of(fact->name)};
	if (fact->argument != ARGUMENT_NONE)
		reading_r->shown = arena_printf(arena, "%s(\"%.*s\")", fact->name, SLICE_ARGS(argument.text));
	traits = fact_traits(fact, argument);
	if (check_stage(compiler, &said->name, fact->depends ? reading_r->shown : slice_of(fact->name), &traits))
		return -1;
	reading_remember(compiler, fact, argument);
	return 0;
}
