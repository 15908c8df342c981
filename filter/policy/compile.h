/*
 * compile.h - what the files that compile a policy share.
 */
#ifndef SEKISHO_POLICY_COMPILE_H
#define SEKISHO_POLICY_COMPILE_H

#include "compiled.h"
#include "sources.h"

#include <stdio.h>

/* What the texts of a rule want of its expressions, and what these have. */
struct captures {
	bool used;
	unsigned highest;   /* group */
	struct place place; /* where it is used */
	bool matches;       /* there is an expression in its condition */
	unsigned groups;    /* of the one that has most */
};

struct compiler {
	struct policy *policy;
	const struct policy *old; /* that it replaces; NULL: none */
	struct diagnostics *diagnostics;
	enum policy_reader reader;
	struct sources sources;
	FILE *effective;         /* where the settings are printed; NULL: nowhere */
	const char **fact_names; /* of all facts, for suggestions */
	struct ruleset *rules;   /* that the policy block at hand adds to */
	enum stage stage;        /* of the stage block at hand */
	struct place stage_place;
	struct place rule_place;
	bool verdict;             /* the rule at hand has one */
	bool each_recipient;      /* it asks about one recipient at the last stage */
	struct captures captures; /* of the rule at hand */
};

/* The file that a place is in. */
const char *file_of(const struct compiler *, struct place);
struct position position_of(const struct compiler *, struct place);
struct place place_of(const struct compiler *, struct position); /* of no statement */
/* "line 3", with its file when that is not the one of `here`. */
struct line_said {
	char text[QUOTE_MAX + 32];
};
struct line_said line_said(const struct compiler *, struct place here, struct place there);

/* Each returns 0, or -1 when an error was reported. */
int settings_compile(struct compiler *, const struct file_syntax *);
void advice_give(struct compiler *, const struct file_syntax *);  /* for `check`, when all is compiled */
void advice_rules(struct compiler *, const struct file_syntax *); /* its part about rules and lists */
bool action_exists(struct slice name);
int action_compile(struct compiler *, const struct rule_syntax *, struct rule *rule_r);
int condition_compile(struct compiler *, const struct condition_syntax *, const struct node **nodes_r);
int operand_compile(struct compiler *, const struct reading *, const struct word *, struct operand *operand_r);
int reading_compile(struct compiler *, const struct fact_syntax *, struct reading *reading_r);
int argument_compile(struct compiler *, const struct fact_syntax *, const struct fact *, struct argument *argument_r);
/* Somebody reads the fact in the policy at hand: what the message must bring for it, and what may be asked early. */
void reading_remember(struct compiler *, const struct fact *, struct argument);
int template_compile(struct compiler *, const struct word *, struct template *template_r);
void captures_offer(struct compiler *, unsigned groups); /* an expression of the condition at hand has so many */
int captures_check(struct compiler *);                   /* the rule is compiled: there are as many as its texts want */
int score_compile(struct compiler *, const struct rule_syntax *, struct rule *);
int set_compile(struct compiler *, const struct rule_syntax *, struct rule *);
/* All names that rules of the file set, before any rule is compiled. */
void variables_collect(struct compiler *, const struct file_syntax *);
const struct variable *variable_find(const struct policy *, struct slice name); /* NULL: no rule sets it */

const struct policy_list *policy_list(const struct policy *, struct slice name); /* NULL: not defined */
/* Takes over the list. What is returned lives as long as the policy. */
const struct policy_list *policy_add_list(struct policy *, struct policy_list);
void policy_add_regex(struct policy *, struct regex *);

#endif
