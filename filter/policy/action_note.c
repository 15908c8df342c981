/*
 * action_note.c - compiles what rules note for rules that follow: score NUMBER "why", set NAME "text".
 */
#include "compile.h"
#include "values.h"

#include <string.h>

#define SCORE_MOST 1000000 /* points of one rule: no file has so many rules that their sum overflows */

static int misused(struct compiler *compiler, const struct rule_syntax *said, const struct rule *rule,
		   const struct word *word, const char *what)
{
	diagnostics_error(compiler->diagnostics, word ? word->place : said->action.place, "%s; write %s", what,
			  rule->action->usage);
	return -1;
}

/* The second argument, and no third. */
static int take_text(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule, const char *missing)
{
	const struct word *text = said->arguments.first->next;
	struct template *template = arena_alloc(compiler->policy->arena, sizeof(*template));

	if (!text)
		return misused(compiler, said, rule, NULL, missing);
	if (text->kind != WORD_QUOTED || text->next)
		return misused(compiler, said, rule, text->kind != WORD_QUOTED ? text : text->next,
			       "one text in quotes fits here");
	rule->templates = template;
	rule->template_count = 1;
	return template_compile(compiler, text, template);
}

/* ---- score ------------------------------------------------------------------------------------------ */

static int parse_points(struct slice text, int64_t *points_r)
{
	bool sign = text.n && (text.p[0] == '-' || text.p[0] == '+');
	uint64_t number;

	if (slice_number(slice_from(text, sign), SCORE_MOST, &number))
		return -1;
	*points_r = text.p[0] == '-' ? -(int64_t)number : (int64_t)number;
	return 0;
}

int score_compile(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *word = said->arguments.first;

	if (!word)
		return misused(compiler, said, rule, NULL, "a score has a number and a reason");
	if (word->kind != WORD_PLAIN || parse_points(word->text, &rule->points))
		return misused(compiler, said, rule, word,
			       "a score is a whole number from -1000000 to 1000000, as in score 5 or score -3");
	rule->score_number = compiler->policy->score_count++;
	return take_text(compiler, said, rule, "a score has a reason, which the record shows");
}

/* ---- set ---------------------------------------------------------------------------------------------- */

int set_compile(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	const struct word *word = said->arguments.first;

	if (!word)
		return misused(compiler, said, rule, NULL, "the name of a variable is missing");
	if (!name_valid(word_value(word, compiler->policy->arena))) {
		diagnostics_error(compiler->diagnostics, word->place,
				  "\"%s\" is not a name of a variable; use letters, digits, \"_\", \"-\" and \".\", a "
				  "letter or \"_\" first, 64 at most",
				  QUOTE(word->text));
		return -1;
	}
	rule->variable = variable_find(compiler->policy, word_value(word, compiler->policy->arena));
	if (!rule->variable) {
		diagnostics_error(compiler->diagnostics, word->place, "the file sets more than %d variables; use fewer",
				  VARIABLES_MAX);
		return -1;
	}
	rule->name = rule->variable->name;
	return take_text(compiler, said, rule, "the text of the variable is missing");
}
