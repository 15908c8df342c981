/*
 * compile.h - the compiled form of a policy file, and what its parts share.
 *
 * A condition is an array of nodes in the order in which they are tried: a node
 * stands before its parts and knows how many nodes are below it. No name of a
 * fact, list or action is compared when rules run.
 */
#ifndef SEKISHO_POLICY_COMPILE_H
#define SEKISHO_POLICY_COMPILE_H

#include "list.h"
#include "syntax.h"

/* ---- the compiled form ------------------------------------------------------ */

struct regex;

/* A list of the file, and what follows when it has no answer. */
struct policy_list {
	struct list *list;
	bool skip;          /* on-failure skip */
	struct place place; /* of its statement */
};

/* A fact, with its argument, that something reads. */
struct reading {
	const struct fact *fact;
	struct slice argument;
	struct slice shown; /* header("Subject") */
};

/* Text with facts in it: parts in order. */
struct part {
	struct slice text;      /* when fact is NULL */
	struct reading reading; /* .fact NULL: only text */
};

struct template
{
	const struct part *parts;
	size_t count;
};

/* What a fact is compared with. */
struct operand {
	bool (*matches)(const struct value *, const struct operand *);
	struct slice text;
	struct address address;
	struct ip_net net;
	int64_t number;
	bool empty; /* "": what is absent is equal to it */
};

enum node_kind { NODE_AND, NODE_OR, NODE_NOT, NODE_TRUE, NODE_IS, NODE_IN, NODE_OWNED, NODE_MATCHES, NODE_COMPARE };

struct node {
	enum node_kind kind;
	enum test_kind comparison; /* COMPARE */
	bool negated;              /* IS: is not */
	size_t size;               /* of the node and all below it */
	struct reading reading;
	const struct operand *operands; /* IS, COMPARE: one */
	size_t operand_count;
	const struct policy_list *list; /* IN, OWNED */
	struct reading owner;           /* OWNED: the login */
	const struct regex *regex;
};

struct rule {
	const struct action *action;
	bool try;
	enum stage stage;
	struct position where;
	struct slice source;
	const struct node *condition; /* NULL: always */
	unsigned code;                /* reject, defer */
	struct slice enhanced;
	struct slice name;                /* of a header field */
	const struct template *templates; /* lines of a reply, the value, the reason, the text */
	size_t template_count;
};

struct rules {
	const struct rule *rules;
	size_t count;
};

struct policy {
	_Atomic unsigned holders;
	struct arena *arena;
	char *file;
	int64_t read_at;
	struct settings settings;
	struct rules rules[KIND_COUNT][STAGE_COUNT];
	size_t rule_count;
	unsigned needs;
	bool uses[KIND_COUNT][CHECK_MAX]; /* by check number */
	struct policy_list **lists;
	size_t list_count, list_room;
	const struct policy_list *owners; /* who owns an address; NULL: nobody says */
	struct sign_setting *signs;       /* by domain */
	size_t sign_count, sign_room;
	bool signs_kind[KIND_COUNT];
	struct regex **regexes;
	size_t regex_count, regex_room;
};

/* ---- compiling ---------------------------------------------------------------- */

struct compiler {
	struct policy *policy;
	struct diagnostics *diagnostics;
	const char **fact_names; /* of all facts, for suggestions */
	enum kind kind;          /* of the policy block at hand */
	enum stage stage;        /* of the stage block at hand */
	struct place stage_place;
	struct place rule_place;
};

/* Each returns 0, or -1 when an error was reported. */
int settings_compile(struct compiler *, const struct file_syntax *);
bool action_exists(struct slice name);
int action_compile(struct compiler *, const struct rule_syntax *, struct rule *rule_r);
int condition_compile(struct compiler *, const struct condition_syntax *, const struct node **nodes_r);
int operand_compile(struct compiler *, const struct reading *, const struct word *, struct operand *operand_r);
int reading_compile(struct compiler *, const struct fact_syntax *, struct reading *reading_r);
int template_compile(struct compiler *, const struct word *, struct template *template_r);

/* A quoted word without its escapes; other words as they are. */
struct slice word_value(const struct word *, struct arena *);

const struct policy_list *policy_list(const struct policy *, struct slice name); /* NULL: not defined */
/* Takes over the list. What is returned lives as long as the policy. */
const struct policy_list *policy_add_list(struct policy *, struct policy_list);
void policy_add_regex(struct policy *, struct regex *);

/* ---- expressions (regex.c) ------------------------------------------------------ */

#define REGEX_SUBJECT_MAX 16384 /* bytes looked at; the work of an expression can grow with their square */

struct regex *regex_compile(struct slice pattern, bool ignore_case, struct error *err, size_t *offset_r);
void regex_free(struct regex *);
enum truth regex_match(const struct regex *, struct slice subject, const char **why_r);

/* ---- running ---------------------------------------------------------------------- */

#define SEEN_MAX      64   /* facts of one rule that a trace shows */
#define SEEN_TEXT_MAX 1000 /* bytes of a value there */

/* What the running rules of a stage share. */
struct run {
	const struct policy *policy;
	struct view *view;
	struct decision *decision; /* what is kept is copied into its arena: every recipient runs the rules again */
	struct arena *scratch;     /* of this run alone: run_arena() */
	struct seen *seen;         /* of the rule at hand; NULL without a tracer */
	size_t seen_count;
};

/* A truth and, when it is unknown, whose fault that is. */
struct judgement {
	enum truth truth;
	const char *why;
	const struct policy_list *list; /* the list that failed */
};

/* For texts that nobody reads after the run. Most runs make none, and have no arena. */
struct arena *run_arena(struct run *);

struct judgement condition_judge(struct run *, const struct node *);
struct value run_read(struct run *, const struct reading *);

enum template_use { FOR_REPLY, FOR_HEADER, FOR_SUBJECT, FOR_LOG };
struct slice template_expand(struct run *, const struct template *, enum template_use, size_t name_length);

/* ---- actions (action.c, act.c) ---------------------------------------------------- */

struct action {
	const char *name;
	enum verdict verdict; /* VERDICT_NONE: an edit or a note */
	bool note;            /* decides and changes nothing */
	enum note_kind kind;  /* of the note */
	enum edit_kind edit;
	int (*compile)(struct compiler *, const struct rule_syntax *, struct rule *);
	const char *usage;
};

/* Does what the rule says, or notes that it would. True when it ended the message (or the recipient). */
bool rule_act(struct run *, const struct rule *, bool only_would, struct outcome *outcome_r, const char **effect_r);

void decision_edit(struct decision *, const struct edit *);

#endif
