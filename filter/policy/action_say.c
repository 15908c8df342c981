/*
 * action_say.c - what all that read the arguments of actions need: saying what is wrong with them, and their texts.
 */
#include "action.h"

int action_wrong(struct compiler *compiler, struct place place, const char *what)
{
	diagnostics_error(compiler->diagnostics, place, "%s", what);
	return -1;
}

int action_misused(struct compiler *compiler, const struct rule_syntax *said, const struct rule *rule,
		   const struct word *word, const char *what)
{
	diagnostics_error(compiler->diagnostics, word ? word->place : said->action.place, "%s; write %s", what,
			  rule->action->usage);
	return -1;
}

int action_add_template(struct compiler *compiler, const struct word *word, struct template *templates,
			struct rule *rule)
{
	rule->templates = templates;
	return template_compile(compiler, word, &templates[rule->template_count++]);
}
