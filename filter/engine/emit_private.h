/*
 * emit_private.h - the pieces of an address field, for emit.c.
 */
#ifndef SEKISHO_EMIT_PRIVATE_H
#define SEKISHO_EMIT_PRIVATE_H

#include "mail.h"

enum token_kind {
	TOKEN_WORD,    /* up to a blank or a mark, whatever it contains */
	TOKEN_ENCODED, /* RFC 2047 */
	TOKEN_QUOTED,  /* with its quotes */
	TOKEN_COMMENT, /* with its parentheses */
	TOKEN_ANGLE,   /* what is between < and > */
	TOKEN_MARK,    /* , ; : */
};

struct token {
	enum token_kind kind;
	bool blank; /* there are blanks before it */
	struct slice text;
};

/* Takes the next token off `*rest`: 1; 0 at the end; -1 when a quote, comment or bracket is not closed. */
int token_next(struct slice *rest, struct token *token_r);

/* Without line ends: the blank of a fold stays. */
void token_write(struct text *, const struct token *);

/* An encoded word without characters that a mail server would treat as syntax (RFC 2047 5 (3)). */
void encoded_write(struct text *, struct slice word);

#endif
