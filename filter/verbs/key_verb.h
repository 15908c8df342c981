/*
 * key_verb.h - what the files of `sekisho keys` share.
 */
#ifndef SEKISHO_VERBS_KEY_VERB_H
#define SEKISHO_VERBS_KEY_VERB_H

#include "json.h"
#include "keys.h"
#include "policy.h"

enum keys_what { KEYS_SHOW, KEYS_ROTATE, KEYS_RUN };

struct keys_verb {
	enum keys_what what;
	const char *config, *hook;
	bool json;
	char **domains;
	size_t domain_count; /* of the command line; 0: all */
	struct policy *policy;
	struct resolver *resolver;
	struct arena *arena;
	json_t *array; /* --json: an object for each domain */
	bool failed;
};

/* ---- keys_show.c ---- */

/* Is the domain one of the command line? */
bool keys_wants(const struct keys_verb *, const struct sign_setting *);
void keys_failed(struct keys_verb *, struct slice domain, const char *what); /* prints it, and remembers that */

/* `looks` may be NULL: the DNS was not asked. */
void keys_show(struct keys_verb *, const struct sign_setting *, const struct key_set *, const struct key_look *looks);
void keys_print_record(const struct key_set *, const struct managed_key *, struct arena *);
int keys_show_all(struct keys_verb *);

/* ---- keys_run.c ---- */
int keys_run_all(struct keys_verb *);

#endif
