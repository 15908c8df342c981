/*
 * parser.h - what the lexer, the token feeder and the grammar share.
 */
#ifndef SEKISHO_POLICY_PARSER_H
#define SEKISHO_POLICY_PARSER_H

#include "syntax.h"

/* ---- the lexer: shapes (lexer.l) ------------------------------------------ */

enum shape {
	SHAPE_END, /* of the file */
	SHAPE_NEWLINE,
	SHAPE_WORD,
	SHAPE_STRING,
	SHAPE_REGEX,
	SHAPE_COMPARE, /* < <= > >= = */
	SHAPE_OPEN_BRACE,
	SHAPE_CLOSE_BRACE,
	SHAPE_OPEN_PAREN,
	SHAPE_CLOSE_PAREN
};

struct shaped {
	enum shape shape;
	struct slice source; /* as it is in the file */
	struct slice text;   /* without quotes, slashes and flags */
	struct slice flags;  /* after an expression */
	unsigned line, column;
};

/* ---- the feeder: what a word is in its place (tokens.c) ----------------- */

enum bracket_kind { BRACKET_BLOCK, BRACKET_VALUES, BRACKET_PAREN };

struct bracket {
	enum bracket_kind kind;
	struct place place;
	unsigned nesting; /* parentheses and `not` around what is inside */
};

#define BRACKETS_MAX (NESTING_MAX + 8) /* parentheses, and the blocks and braces around them */

struct parser {
	struct arena *arena;
	struct diagnostics *diagnostics;
	struct file_syntax *file;
	unsigned number; /* of the file that is read */
	void *scanner;

	/* lexer */
	struct slice text;     /* the file */
	size_t offset;         /* of the next byte */
	unsigned line, column; /* of the next byte */

	/* feeder */
	struct shaped pending; /* read ahead at the end of a line */
	bool has_pending;
	struct bracket brackets[BRACKETS_MAX];
	size_t bracket_count;
	unsigned statement;   /* number of the current one */
	bool started;         /* it has a word */
	bool heads_block;     /* it began with `policy` or `on`: its { opens a block */
	bool has_argument;    /* the last ( is that of an argument: header(Subject) */
	bool in_condition;    /* after `if` */
	int previous, before; /* the token before, and the one before that */
	unsigned nots;        /* in a row */
	struct slice current; /* the token as it is in the file */
	const char *last_end; /* of the token before, in the text */
	struct text source;   /* the statement on one line */
	bool unbalanced;      /* a missing } was reported: it is not said again at the end of the file */
};

struct shaped lexer_next(struct parser *);
void lexer_expect_regex(struct parser *); /* the next thing is /.../ */
void lexer_open(struct parser *, struct slice text);
void lexer_close(struct parser *);

/* A place in the current statement. What is between two statements belongs to the next one. */
static inline struct place parser_place(const struct parser *parser, unsigned line, unsigned column)
{
	unsigned statement = parser->started ? parser->statement : parser->file->statements + 1;

	return (struct place){line, column, statement, parser->number};
}

/* The statement read so far, on one line. */
struct slice parser_source(const struct parser *);

#endif
