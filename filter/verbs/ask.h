/*
 * ask.h - verbs that ask the running daemon through its control socket.
 */
#ifndef SEKISHO_ASK_H
#define SEKISHO_ASK_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct ask {
	const char *verb;
	const char *config, *socket; /* socket NULL: as the file says */
};

/* For the table of getopt_long(): -c, --socket, --json, -h. */
#define ASK_OPTIONS                                                                                                    \
	{"config", required_argument, NULL, 'c'}, {"socket", required_argument, NULL, 's'},                            \
	    {"json", no_argument, NULL, 'j'},                                                                          \
	{                                                                                                              \
		"help", no_argument, NULL, 'h'                                                                         \
	}
#define ASK_HELP                                                                                                       \
	"  -c, --config FILE  the policy file that names the control socket (" DEFAULT_CONFIG ")\n"                    \
	"  --socket PATH      the control socket itself\n"

/* An option of one verb alone: --name VALUE, or, with `given`, --name. Tables end with a row without a name. */
struct ask_own {
	const char *name;
	const char **value;
	bool *given;
};
#define ASK_OWN_MAX 4

/* Reads these options and those in `own`, which may be NULL; `usage` prints the help of the verb and returns the code.
 * -1: go on at argv[optind]; else the exit code. */
int ask_options(struct ask *, int argc, char **argv, bool *json_r, const struct ask_own *own,
		int (*usage)(FILE *out, int code));
/* Takes -c and --socket; leaves others alone. */
void ask_option(struct ask *, int option, const char *value);

/* Of the control socket; NULL and *code_r when the file names none: stderr says why. free() it. */
char *ask_path(const struct ask *, int *code_r);
/* The answer to the request, which is taken; NULL and *code_r when there is none: stderr says why. */
json_t *ask_daemon(const struct ask *, json_t *request, int *code_r);
/* The same, but for the answer "no" it prints the error, sets *code_r to VERB_NO, or to
 * VERB_UNAVAILABLE when the daemon lacks something now, and returns NULL. */
json_t *ask_for(const struct ask *, json_t *request, int *code_r);

void ask_print(FILE *, const char *text); /* with a line end; nothing for NULL and "" */
/* Text from strangers, without terminal control characters. */
void ask_print_safe(const char *text);
void ask_print_life(long long seconds); /* "1h 59m", for people */

#endif
