/*
 * diagnostics.h - how the parser and the compiler say what is wrong.
 *
 * A message reads "what; what to do" and has no place in it: the place is given
 * beside it. At most one error of a statement is kept, so that one slip is one
 * line, and at most DIAGNOSTICS_MAX errors of a file.
 */
#ifndef SEKISHO_POLICY_DIAGNOSTICS_H
#define SEKISHO_POLICY_DIAGNOSTICS_H

#include "policy.h"

#define DIAGNOSTICS_MAX     100 /* nobody fixes more in one go; a file of random bytes has no end of them */
#define DIAGNOSTIC_TEXT_MAX 600 /* bytes of one message; what it quotes is cut by quote() */

struct place {
	unsigned line, column; /* from 1 */
	unsigned statement;    /* counts the statements of all files; 0: of none */
	unsigned file;         /* as diagnostics_source numbered it; 0: the policy file itself */
};

/* One more file that messages can be about: its number, from 0. */
unsigned diagnostics_source(struct diagnostics *, const char *file);
/* What is in it; the text is copied for the lines shown. */
void diagnostics_text(struct diagnostics *, unsigned file, struct slice text);
/* A file changed while it was read: what was found may be about half of it. */
void diagnostics_set_stale(struct diagnostics *);

void diagnostics_error(struct diagnostics *, struct place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diagnostics_warning(struct diagnostics *, struct place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What is allowed and hardly meant, or written twice: shown as a warning, and no reason to refuse the file. */
void diagnostics_advice(struct diagnostics *, struct place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True when more errors would not be shown: looking for them is idle. */
bool diagnostics_full(const struct diagnostics *);

/* True when an error of this statement is known: what it says need not be compiled. */
bool diagnostics_knows(const struct diagnostics *, unsigned statement);

#define QUOTE_MAX 64 /* bytes of a text shown in a message */

/* A text of the file as a message shows it: cut, control bytes as '?'. */
struct quoted {
	char text[QUOTE_MAX + 4];
};
struct quoted quote(struct slice);
#define QUOTE(s) (quote(s).text)

/* "" or "did you mean ...?" about a word that is in no table: what to do. */
struct quoted suggestion(struct slice wrong, const char *const *words);
/* The same in parentheses, after what is wrong. */
struct quoted suggestion_aside(struct slice wrong, const char *const *words);

#endif
