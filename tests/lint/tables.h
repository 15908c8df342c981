/*
 * tables.h - sections of sekisho.conf(5) and sekisho-metrics(7) as mdoc, from the tables that the program itself has.
 */
#ifndef SEKISHO_TESTS_LINT_TABLES_H
#define SEKISHO_TESTS_LINT_TABLES_H

#include <stdbool.h>

/* ---- the sections ----------------------------------------------------------- */

void facts_print(void);
void actions_print(void);
void settings_print(void);
void metrics_print(void);

/* ---- for all of them (tables.c) --------------------------------------------- */

#define EXAMPLE_MAX 1000

/* A text as a line of mdoc: no request begins it. */
void print_text(const char *text);
/* What a file says, as it says it. */
void print_code(const char *code);

/* Can a file that says this be compiled? A list `friends`, a limit `NAME` and the keys to seal with are declared for
 * it, and what is in /etc/sekisho is taken from the folder of the arguments. */
bool statement_compiles(const char *statement);
/* The same; if not, the errors go to stderr, and main ends with 1. */
void statement_check(const char *statement);
void example_wrong(const char *name, const char *why);

#endif
