/*
 * compiled.h - the compiled form of a policy file: what the compiler writes and running
 * reads.
 *
 * A condition is an array of nodes in the order in which they are tried: a node
 * comes before its parts and knows how many nodes are below it. No name of a
 * fact, list or action is compared when rules run.
 */
#ifndef SEKISHO_POLICY_COMPILED_H
#define SEKISHO_POLICY_COMPILED_H

#include "each.h"
#include "list.h"
#include "policy.h"

struct regex;
struct key_files;

#define FIELD_NAMES_MAX 256 /* bounds the work of compiling; a message remembers fewer */

/* A list of the file, and what follows when it has no answer. */
struct policy_list {
	struct list *list;
	bool skip;             /* on-failure skip */
	struct position where; /* of its statement */
};

/* A fact, with its argument, that something reads. */
struct reading {
	const struct fact *fact;
	struct argument argument;
	struct slice shown; /* header("Subject"), any recipient */
	enum each each;     /* a test of each recipient, or of each word of a list */
	enum type type;     /* of what is tested */
};

/* Text with facts in it: parts in order. */
struct part {
	struct slice text;      /* when fact is NULL */
	struct reading reading; /* .fact NULL: only text */
	bool is_capture;        /* %{1}: what the group of an expression matched */
	unsigned group;
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
	bool (*compare)(int64_t value, int64_t operand); /* COMPARE */
	bool negated;                                    /* IS: is not */
	size_t size;                                     /* of the node and all below it */
	struct reading reading;
	const struct operand *operands; /* IS, COMPARE: one */
	size_t operand_count;
	const struct policy_list *list; /* IN, OWNED */
	struct reading owner;           /* OWNED: the login */
	const struct regex *regex;
};

enum template_use {
	FOR_REPLY,
	FOR_HEADER,
	FOR_SUBJECT,
	FOR_LOG,
	FOR_FOOTER,
	FOR_HTML,
	FOR_VARIABLE,
	FOR_KEY
}; /* what a text is made safe for */

/* Verdicts are not tried once a message is accepted, and only noted by `try` and `mode report`; edits are tried, and
 * only noted; notes are tried, and `mode report` changes nothing about them. What rules note for others (`always`) is
 * not changed by `try` either. */
enum action_class { ACTION_VERDICT, ACTION_EDIT, ACTION_NOTE };

struct compiler;
struct rule;
struct rule_syntax;
struct run;

/* One row of the table in action.c. */
struct action {
	const char *name;
	enum action_class class;
	enum verdict verdict; /* what a VERDICT leads to */
	enum edit_kind edit;  /* what an EDIT leaves in the decision, */
	enum note_kind note;  /* and a NOTE */
	enum template_use use;
	unsigned needs;  /* NEED_... */
	bool always;     /* also under `try` and in `mode report` */
	bool ends_stage; /* a list that fails then defers, as for a verdict: what follows was not meant to be tried */
	const char *usage;
	const char *example; /* for the manual; NULL: the usage is one */
	/* Reads what follows the name. 0, or -1 when an error was reported. */
	int (*compile)(struct compiler *, const struct rule_syntax *, struct rule *);
	/* Does it. True when it ended the message (or the recipient). */
	bool (*act)(struct run *, const struct rule *, struct outcome *outcome_r);
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
	struct slice name;         /* of a header field; of several, for notes */
	const struct slice *names; /* delete-header: the fields; one that ends in "*" begins so */
	size_t name_count;
	const struct policy_list *list;   /* that the action itself needs: of names, or canonical; NULL: none */
	bool each_recipient;              /* at the last stage: it asks about one recipient */
	bool srs;                         /* set-sender srs */
	bool bottom;                      /* add-header: below all fields */
	const struct regex *regex;        /* delete-header: of the fields that it deletes; NULL: all */
	const struct template *templates; /* lines of a reply, the value, the reason, the text */
	size_t template_count;
	bool captures;                   /* a text has what an expression matched */
	int64_t points;                  /* score */
	int64_t once_us;                 /* notify */
	unsigned score_number;           /* of the rule, among those with a score */
	const struct variable *variable; /* set */
};

struct rules {
	struct rule *rules;
	size_t count, room;
};

/* The rules for one kind of traffic. */
struct ruleset {
	struct rules stages[STAGE_COUNT];
	bool uses[CHECK_MAX];            /* by check number */
	struct asking asking[CHECK_MAX]; /* likewise: what rules read of it */
	bool signs, seals, footers;
};

struct tenant {
	struct slice name, authserv_id;
	SETTING_ITEMS(struct slice) daemon_names;
	struct check_settings settings;    /* those of all, with its authserv-id */
	struct ruleset *rules[KIND_COUNT]; /* NULL: it has none of its own, and those of all count */
	struct position where;
};

struct policy {
	_Atomic unsigned holders;
	struct arena *arena;
	char *file;
	int64_t read_at;
	struct settings settings;
	struct ruleset rules[KIND_COUNT]; /* for all but tenants that have their own */
	struct policy_test *tests, *last_test;
	size_t test_count;
	struct tenant *tenants;
	size_t tenant_count;
	size_t rule_count;
	unsigned needs;
	struct policy_list **lists;
	size_t list_count, list_room;
	const struct policy_list *owners;    /* who owns an address; NULL: nobody says */
	const struct policy_list *canonical; /* the only address of a login; NULL: nobody says */
	struct sign_setting *signs;          /* by domain */
	size_t sign_count, sign_room;
	const struct key_files
	    *key_files; /* that were read for them; the next policy takes over what has not changed */
	struct regex **regexes;
	size_t regex_count, regex_room;
	struct slice *field_names; /* of header fields that rules read, each once: FIELD_NAMES_MAX */
	size_t field_name_count;
	struct variable *variables; /* VARIABLES_MAX at most */
	size_t variable_count;
	unsigned score_count; /* rules with a score */
	bool notifies;        /* some rule does */
};

/* The rules for the traffic of a tenant; NULL: of nobody in particular. */
const struct ruleset *policy_ruleset(const struct policy *, const struct tenant *, enum kind);

/* ---- expressions (regex.c) ------------------------------------------------------ */

#define REGEX_SUBJECT_MAX 16384 /* bytes looked at; the work of an expression can grow with their square */

struct regex *regex_compile(struct slice pattern, bool ignore_case, struct error *err, size_t *offset_r);
void regex_free(struct regex *);
enum truth regex_match(const struct regex *, struct slice subject, const char **why_r);

#define GROUPS_MAX 10 /* %{0} to %{9} */

unsigned regex_groups(const struct regex *); /* in parentheses; not the whole match */
/* The same; TRUE: groups_r[0] is what matched and, if the expression has groups, the others what they matched, "" for
 * nothing. */
enum truth regex_capture(const struct regex *, struct slice subject, struct slice groups_r[GROUPS_MAX],
			 const char **why_r);

#endif
