/*
 * noted.c - what rules have noted so far, for rules that follow: the score, and variables.
 */
#include "check_private.h"

static struct value get_score(struct view *view)
{
	return value_number(view->noted ? view->noted->score : 0);
}

/* A variable that is set to the empty text counts as not set. */
static struct value get_var(struct view *view, struct argument argument)
{
	const struct variable *variable = argument.thing;

	if (!view->noted || !view->noted->vars)
		return value_absent(TYPE_STRING);
	return value_text(TYPE_STRING, view->noted->vars[variable->number]);
}

static const struct fact facts[] = {
    FACT("score", NUMBER, CONNECT, get_score, "the sum of what \"score\" rules gave so far", .changes = true,
	 .apart = true),
    FACT("var", STRING, CONNECT, NULL, "the text that a \"set\" rule gave to the variable",
	 .argument = ARGUMENT_VARIABLE, .get_of = get_var, .changes = true, .apart = true),
};

const struct check check_noted = {CHECK_NAMED(noted), FACTS(facts)};
