/*
 * past.c - where the history is, for the verbs that read it.
 */
#include "past.h"
#include <stdio.h>
#include <stdlib.h>

int past_option(struct past *past, int option, const char *value)
{
	int64_t ago;

	switch (option) {
	case 'c':
		past->config = value;
		return -1;
	case 'H':
		past->file = value;
		return -1;
	case 'S':
		if (duration_parse(slice_of(value), &ago) == 0 && ago > 0) {
			past->since_us = clock_wall_us() - ago;
			return -1;
		}
		fprintf(stderr, "sekisho %s: --since takes a time as in 2h or 7d\n", past->verb);
		return VERB_USAGE;
	default:
		return -1;
	}
}

struct policy *past_policy(const struct past *past)
{
	struct diagnostics *found = diagnostics_new();
	struct policy *policy = policy_load_as(POLICY_EXPLAIN, past->config, found);

	diagnostics_free(found);
	return policy;
}

const char *past_path(const struct past *past, const struct policy *policy, struct arena *arena, int *code_r)
{
	const char *path = past->file ? past->file : policy ? policy_settings(policy)->history.path : NULL;

	if (path)
		return arena_cstring(arena, slice_of(path));
	if (!policy)
		fprintf(stderr, "sekisho %s: %s has errors (see sekisho check); name the file with --history\n",
			past->verb, past->config);
	else
		fprintf(stderr,
			"sekisho %s: %s keeps no history; add, as a line of its own: history "
			"sqlite:/var/lib/sekisho/history.db\n",
			past->verb, past->config);
	*code_r = VERB_CONFIG;
	return NULL;
}

struct history_reader *past_open(const struct past *past, const struct policy *policy, int *code_r)
{
	struct arena *arena = arena_new();
	const char *path = past_path(past, policy, arena, code_r);
	struct history_reader *reader = NULL;
	struct error err;

	if (path) {
		reader = history_reader_open(path, &err);
		if (!reader) {
			fprintf(stderr, "sekisho %s: %s\n", past->verb, err.text);
			*code_r = VERB_NOINPUT;
		}
	}
	arena_free(arena);
	return reader;
}
