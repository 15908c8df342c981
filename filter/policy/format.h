/*
 * format.h - the tokens of one policy file with what lies between them, and their layout.
 */
#ifndef SEKISHO_POLICY_FORMAT_H
#define SEKISHO_POLICY_FORMAT_H

#include "syntax.h"

/* A token as the grammar got it (grammar.h). END, where a statement ends, has no text. */
struct format_token {
	int token;
	struct slice text;
	struct slice gap; /* between the token before and this one: blanks, ends of lines, comments */
};

struct format {
	struct format_token *tokens; /* the last one is END_OF_FILE */
	size_t count, room;
	const struct file_syntax *file;
	size_t read; /* bytes of the source that the tokens so far take */
};

/* Appends the tokens to `out` in the one layout. */
void format_print(const struct format *, struct text *out);

#endif
