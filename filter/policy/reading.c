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
			  glued  ? "put spaces around \"=\""
			  : near ? suggestion(name->text, compiler->fact_names).text
				 : "sekisho.conf(5) names them all");
	return -1;
}

/* "any recipient": what has one value is asked without, and a rule of another stage has no recipients yet. */
static int check_each(struct compiler *compiler, const struct reading *reading, const struct word *name,
		      const struct traits *traits)
{
	const char *each = reading->each == EACH_ANY ? "any" : "all";

	if (reading->fact->list)
		return 0;
	if (traits->scope != SCOPE_RECIPIENT)
		diagnostics_error(
		    compiler->diagnostics, name->place,
		    "%s is one value; write it without \"%s\", which is for facts of recipients and lists "
		    "of words",
		    reading->fact->name, each);
	else if (compiler->stage == STAGE_RCPT)
		diagnostics_error(compiler->diagnostics, name->place,
				  "\"on rcpt\" is about one recipient; write %s without \"%s\", or move the rule to "
				  "\"on message\"",
				  reading->fact->name, each);
	else if (compiler->stage != STAGE_MESSAGE)
		diagnostics_error(
		    compiler->diagnostics, name->place,
		    "the recipients are known at \"on message\" (this rule is in \"on %s\", line %u); move "
		    "the rule there",
		    stage_names[compiler->stage], compiler->stage_place.line);
	else
		return 0;
	return -1;
}

/* With on-conflict, rules with a verdict may ask about one recipient at the last stage. */
static bool asks_about_one(struct compiler *compiler, const struct reading *reading, const struct traits *traits)
{
	if (reading->each != EACH_NONE || traits->scope != SCOPE_RECIPIENT || compiler->stage != STAGE_MESSAGE)
		return false;
	if (!compiler->verdict || compiler->policy->settings.on_conflict == CONFLICT_NONE)
		return false;
	compiler->each_recipient = true;
	return true;
}

/* Names both places: where the fact is known from, and where the rule stands. */
static int check_stage(struct compiler *compiler, const struct reading *reading, const struct word *name,
		       const struct traits *traits)
{
	struct slice shown = reading->fact->depends ? reading->shown : slice_of(reading->fact->name);

	if (reading->each != EACH_NONE && check_each(compiler, reading, name, traits))
		return -1;
	if (asks_about_one(compiler, reading, traits))
		return 0;
	if (reading->each == EACH_NONE && traits->scope == SCOPE_RECIPIENT && compiler->stage > STAGE_RCPT) {
		diagnostics_error(
		    compiler->diagnostics, name->place,
		    "%.*s belongs to one recipient and a message can have several (this rule is in \"on %s\", "
		    "line %u); write \"any %.*s\" or \"all %.*s\" in a condition, or ask for it in \"on rcpt\"",
		    SLICE_ARGS(shown), stage_names[compiler->stage], compiler->stage_place.line, SLICE_ARGS(shown),
		    SLICE_ARGS(shown));
		return -1;
	}
	if (traits->stage <= compiler->stage)
		return 0;
	diagnostics_error(
	    compiler->diagnostics, name->place,
	    "%.*s is known from \"on %s\" on (this rule is in \"on %s\", line %u); move the rule to \"on %s\"%s",
	    SLICE_ARGS(shown), stage_names[traits->stage], stage_names[compiler->stage], compiler->stage_place.line,
	    stage_names[traits->stage],
	    traits->stage < STAGE_MESSAGE && traits->scope != SCOPE_RECIPIENT ? " or later" : "");
	return -1;
}

/* header("Subject"), any recipient */
static struct slice show(struct compiler *compiler, const struct fact_syntax *said, const struct fact *fact,
			 struct argument argument)
{
	static const char *const each[] = {[EACH_NONE] = "", [EACH_ANY] = "any ", [EACH_ALL] = "all "};
	struct arena *arena = compiler->policy->arena;

	if (fact->argument != ARGUMENT_NONE)
		return arena_printf(arena, "%s%s(\"%.*s\")", each[said->each], fact->name, SLICE_ARGS(argument.text));
	if (said->each == EACH_NONE)
		return slice_of(fact->name);
	return arena_printf(arena, "%s%s", each[said->each], fact->name);
}

int reading_compile(struct compiler *compiler, const struct fact_syntax *said, struct reading *reading_r)
{
	const struct fact *fact = fact_find(said->name.text);
	struct reading reading;
	struct traits traits;

	if (!fact)
		return unknown_fact(compiler, &said->name);
	if (argument_compile(compiler, said, fact, &reading.argument))
		return -1;
	reading.fact = fact;
	reading.each = said->each;
	reading.type = said->each != EACH_NONE && fact->list ? fact->of : fact->type;
	reading.shown = show(compiler, said, fact, reading.argument);
	traits = fact_traits(fact, reading.argument);
	if (check_stage(compiler, &reading, &said->name, &traits))
		return -1;
	*reading_r = reading;
	reading_remember(compiler, fact, reading.argument);
	return 0;
}
