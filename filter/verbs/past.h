/*
 * past.h - what the verbs that read the history share: why, replay, history.
 */
#ifndef SEKISHO_PAST_H
#define SEKISHO_PAST_H

#include "engine.h"
#include "verbs.h"

struct past {
	const char *verb, *config, *file; /* file: of the history; NULL: as the policy file says */
	int64_t since_us;                 /* 0: from the beginning */
};

/* For the tables of getopt_long(). */
#define PAST_OPTIONS                                                                                                   \
	{"config", required_argument, NULL, 'c'}, {"history", required_argument, NULL, 'H'},                           \
	    {"since", required_argument, NULL, 'S'}, {"json", no_argument, NULL, 'j'},                                 \
	{                                                                                                              \
		"help", no_argument, NULL, 'h'                                                                         \
	}
#define PAST_HELP                                                                                                      \
	"  --since TIME       as in 2h or 7d: not what is older\n"                                                     \
	"  -c, --config FILE  the policy file that names the history (" DEFAULT_CONFIG ")\n"                           \
	"  --history PATH     the history itself\n"

/* An option of PAST_OPTIONS but --json and --help. -1: go on; else the exit code. */
int past_option(struct past *, int option, const char *value);

/* The policy of the file, without its messages; NULL when it has errors. */
struct policy *past_policy(const struct past *);
/* The path of the history; NULL and *code_r: stderr says why. `policy` may be NULL. In the arena. */
const char *past_path(const struct past *, const struct policy *, struct arena *, int *code_r);
struct history_reader *past_open(const struct past *, const struct policy *, int *code_r);

#endif
