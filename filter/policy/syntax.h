/*
 * syntax.h - what a policy file says, as a tree: statements and words with their
 * places, before anybody knows what the words mean.
 *
 * Words are contextual. The lexer (lexer.l) knows shapes only; tokens.c sees
 * where a word is and which of them belong to the language; the grammar
 * (grammar.y) builds this tree; the tables of settings, facts and actions give
 * the other words their meaning when the tree is compiled.
 *
 * Everything lives in one arena and points into the text of the file.
 */
#ifndef SEKISHO_POLICY_SYNTAX_H
#define SEKISHO_POLICY_SYNTAX_H

#include "diagnostics.h"
#include "each.h"

#define POLICY_FILE_MAX (1024 * 1024) /* bytes: the work done on a file is bounded by its size */
#define NESTING_MAX     100           /* parentheses and `not` in each other: bounds every recursion on a condition */

enum word_kind { WORD_PLAIN, WORD_QUOTED, WORD_REGEX };

struct word {
	enum word_kind kind;
	struct slice text;  /* QUOTED: between the quotes, REGEX: between the slashes, escapes as written */
	struct slice flags; /* REGEX: "i" of /.../i */
	struct place place;
	struct word *next;
};

/* A quoted word without its escapes; other words as they are. */
struct slice word_value(const struct word *, struct arena *);

/* A comma in a word without quotes: somebody separates values by commas. */
bool word_has_comma(const struct word *);
#define COMMA_ADVICE "separate values by spaces, without commas"

/* The condition of a rule before its action, as other languages have it. */
bool syntax_is_condition_first(struct slice word);
#define CONDITION_FIRST_ADVICE "write the action before its condition, as in reject 550 \"no\" if spf is fail"

struct words {
	struct word *first, *last;
	size_t count;
};

struct setting_syntax {
	struct word name;
	struct words values;
	struct words inside; /* of { } after the values */
	bool braces;
	struct setting_syntax *next;
};

struct fact_syntax {
	struct word name;
	const struct word *argument; /* NULL: none */
	enum each each;              /* any recipient, all recipient */
};

enum condition_kind { CONDITION_AND, CONDITION_OR, CONDITION_NOT, CONDITION_TEST };

enum test_kind {
	TEST_BARE,
	TEST_IS,
	TEST_IN,
	TEST_OWNED,
	TEST_MATCHES,
	TEST_LESS,
	TEST_LESS_EQUAL,
	TEST_GREATER,
	TEST_GREATER_EQUAL,
	TEST_EQUAL
};

struct condition_syntax {
	enum condition_kind kind;
	struct condition_syntax *first, *last; /* AND, OR: at least two; NOT: one */
	struct condition_syntax *next;
	struct fact_syntax fact; /* TEST and all after it */
	enum test_kind test;
	bool closed;         /* stood in parentheses: nothing is joined to it */
	bool negated;        /* IS: is not */
	bool set;            /* IS: { a b } */
	struct words values; /* IS; the list of IN, the expression of MATCHES, the number of a comparison */
	struct fact_syntax owner;
};

struct rule_syntax {
	bool try;
	struct word action;
	struct words arguments;
	struct condition_syntax *condition; /* NULL: always */
	struct slice source;                /* the statement on one line */
	struct rule_syntax *next;
};

struct stage_syntax {
	struct word name;
	struct rule_syntax *first, *last;
	struct stage_syntax *next;
	struct stage_syntax *tail; /* of the chain that begins here; NULL: itself */
};

struct policy_syntax {
	struct word kind;
	const struct word *tenant; /* policy KIND for NAME; NULL: it is for all */
	struct stage_syntax *first;
	struct policy_syntax *next;
};

struct file_syntax {
	struct setting_syntax *first_setting, *last_setting;
	struct policy_syntax *first_policy, *last_policy;
	unsigned statements; /* counted so far */
	/* What takes the place of an `include`: it may read more into the tree. NULL: it is a setting like any other.
	 */
	void (*include)(struct file_syntax *, const struct setting_syntax *);
	void (*token)(void *context, int token, struct slice text); /* is told each token as it comes; may be NULL */
	void *context;                                              /* of both */
	struct slice text;                                          /* that is read, or was read last */
};

/* Reads the text into a tree; what is wrong goes to the diagnostics and is left out. */
void syntax_read(struct slice text, struct arena *, struct diagnostics *, struct file_syntax *file_r);
/* Reads more into a tree: the text of the file with that number. */
void syntax_read_more(struct slice text, unsigned number, struct arena *, struct diagnostics *, struct file_syntax *);

#endif
