/*
 * action.h - what the files that read the arguments of actions share; the table is in action.c.
 */
#ifndef SEKISHO_POLICY_ACTION_H
#define SEKISHO_POLICY_ACTION_H

#include "compile.h"

/* The rows of the table, for the manual; NULL after the last. */
const struct action *action_at(size_t number);

/* ---- action_say.c -------------------------------------------------------------- */

/* Both report, and return -1: "what" at a place; "what; write USAGE" at the word, or at the action when it is NULL. */
int action_wrong(struct compiler *, struct place, const char *what);
int action_misused(struct compiler *, const struct rule_syntax *, const struct rule *, const struct word *,
		   const char *what);

/* One more text of the rule; `templates` is where its texts are. 0, or -1. */
int action_add_template(struct compiler *, const struct word *, struct template *templates, struct rule *);

/* ---- action_edit.c: 0, or -1 when an error was reported -------------------------- */

/* "expression" after `matching`. */
int action_take_pattern(struct compiler *, const struct rule_syntax *, struct rule *, const struct word *matching);
int compile_deleted_header(struct compiler *, const struct rule_syntax *, struct rule *);
int compile_canonical(struct compiler *, const struct rule_syntax *, struct rule *);
int compile_footer(struct compiler *, const struct rule_syntax *, struct rule *);
int compile_sender(struct compiler *, const struct rule_syntax *, struct rule *);
int compile_recipient(struct compiler *, const struct rule_syntax *, struct rule *);
int compile_deleted_recipient(struct compiler *, const struct rule_syntax *, struct rule *);
int compile_sign(struct compiler *, const struct rule_syntax *, struct rule *);
int compile_arc_seal(struct compiler *, const struct rule_syntax *, struct rule *);
int compile_rewrite_from(struct compiler *, const struct rule_syntax *, struct rule *);
int compile_redirect(struct compiler *, const struct rule_syntax *, struct rule *);
int compile_notify(struct compiler *, const struct rule_syntax *, struct rule *); /* notify.c */

#endif
