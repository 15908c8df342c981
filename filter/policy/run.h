/*
 * run.h - what the files that run rules share: a truth with its reason, facts that are
 * read, texts that are filled in, and what actions do.
 */
#ifndef SEKISHO_POLICY_RUN_H
#define SEKISHO_POLICY_RUN_H

#include "compiled.h"

#define SEEN_MAX      64   /* facts of one rule that a trace shows */
#define SEEN_TEXT_MAX 1000 /* bytes of a value there */

/* An address that a fact names and that the login does not own: in the texts of the rule, it is the value of that
 * fact. */
struct disowned {
	const struct reading *reading; /* NULL: there is none */
	struct slice text;
};

/* What the running rules of a stage share. */
struct run {
	const struct policy *policy;
	struct view *view;
	struct decision *decision; /* what is kept is copied into its arena: every recipient runs the rules again */
	struct arena *scratch;     /* of this run alone: run_arena() */
	struct seen *seen;         /* of the rule at hand; NULL without a tracer */
	size_t seen_count;
	struct slice *captured; /* by the last match of the rule at hand: GROUPS_MAX; NULL: its texts want none */
	struct slice groups[GROUPS_MAX];
	struct disowned disowned; /* of the rule at hand */
	struct held *held;        /* of the recipient at hand at the last stage; NULL: the rule is about all of them */
};

/* A truth and, when it is unknown, whose fault that is. */
struct judgement {
	enum truth truth;
	const char *why;
	const struct policy_list *list; /* the list that failed */
	bool unstored;                  /* the store did */
};

/* An unknown truth whose on-failure says to defer. */
bool judgement_defers(const struct run *, const struct judgement *);

/* For texts that nobody reads after the run. Most runs make none, and have no arena. */
struct arena *run_arena(struct run *);

struct judgement condition_judge(struct run *, const struct node *);
struct value run_read(struct run *, const struct reading *);
void run_see(struct run *, struct slice fact, struct slice value); /* for the trace; copies the value */

/* A test of a value, by the node of a test. */
struct judgement test_judge(struct run *, const struct node *, const struct value *);
/* owned.c; the list is NULL where there is none. */
enum truth owned_by(struct run *, const struct policy_list *, struct slice login, const struct address *);
/* A test of all values that there are: each.c. */
struct judgement each_judge(struct run *, const struct node *);

struct judgement judgement_of(bool);
struct judgement judgement_unknown(const char *why);
struct judgement judgement_of_unknown(const struct value *);
/* Of two the unknown one that asks for more. */
struct judgement judgement_graver(const struct run *, struct judgement, struct judgement);

struct slice template_expand(struct run *, const struct template *, enum template_use, size_t name_length);

void add_for_html(struct text *, char); /* one character of a text in HTML: expand.c */

/* held.c: what was decided about each recipient at the last stage; and made one in the end. */
struct held *held_of(struct run *);
void held_resolve(struct run *, struct outcome *outcome_r);

void decision_edit(struct decision *, const struct edit *);

/* ---- what actions do (act.c) ------------------------------------------------------ */

bool act_verdict(struct run *, const struct rule *, struct outcome *outcome_r);
bool act_quarantine(struct run *, const struct rule *, struct outcome *);
bool act_edit(struct run *, const struct rule *, struct outcome *);
bool act_note(struct run *, const struct rule *, struct outcome *);
bool act_rewrite_from(struct run *, const struct rule *, struct outcome *);
bool act_footer(struct run *, const struct rule *, struct outcome *); /* these five, and the one before: act_edit.c */
bool act_sender(struct run *, const struct rule *, struct outcome *);
bool act_delete_recipient(struct run *, const struct rule *, struct outcome *);
bool act_delete_header(struct run *, const struct rule *, struct outcome *);
bool act_canonical(struct run *, const struct rule *, struct outcome *);
bool act_score(struct run *, const struct rule *, struct outcome *); /* these three: note.c */
bool act_set(struct run *, const struct rule *, struct outcome *);
bool act_stop(struct run *, const struct rule *, struct outcome *);
bool act_notify(struct run *, const struct rule *, struct outcome *); /* notify.c */

struct slice run_text(struct run *, const struct rule *); /* its only text, filled in for where it goes; "" */

/* What rules of a stage read and write of what was noted, before the first of them runs, and after the last. */
void noted_begin(struct run *, enum stage);
void noted_end(struct run *);

/* Keeps that a rule that may not act would have led to this. */
void run_would(struct run *, const struct rule *, enum verdict);

/* Does what the rule says, or notes that it would. True when it ended the message (or the recipient). */
bool rule_act(struct run *, const struct rule *, bool only_would, struct outcome *outcome_r, const char **effect_r);

#endif
