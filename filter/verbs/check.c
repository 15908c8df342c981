/*
 * check.c - sekisho check [FILE]: compiles a policy and prints everything that is
 * wrong with it.
 *
 * A list that cannot be read or has malformed lines is a warning to the daemon, which can run without it.
 * Here it is a failure: before a start one wants to know. Advice (filter/policy/advice.c) is none: a policy that works
 * is not refused for its style.
 */
#include "policy.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(FILE *out, int result)
{
	fputs("usage: sekisho check [[-c] FILE]\n"
	      "Compiles the policy (" DEFAULT_CONFIG
	      " unless a file is named), prints every error, and warns of what is\n"
	      "hardly meant.\n"
	      "Ends with 0 when the policy can be used, with 78 when it has errors or a list cannot be used.\n",
	      out);
	return result;
}

/* check, check FILE, check -c FILE; NULL when it is something else. */
static const char *file_of(int argc, char **argv)
{
	if (argc == 1)
		return DEFAULT_CONFIG;
	if (argc == 2 && (argv[1][0] != '-' || strcmp(argv[1], "-") == 0))
		return argv[1];
	return argc == 3 && strcmp(argv[1], "-c") == 0 ? argv[2] : NULL;
}

static int print_result(const struct policy *policy, const struct diagnostics *diagnostics)
{
	char *text = diagnostics_print(diagnostics);

	fputs(text, stderr);
	free(text);
	if (!policy || diagnostics_warnings(diagnostics))
		return VERB_CONFIG;
	printf("%s: ok (%zu rule%s, %zu list%s)\n", policy_file(policy), policy_rules(policy),
	       policy_rules(policy) == 1 ? "" : "s", policy_lists(policy), policy_lists(policy) == 1 ? "" : "s");
	return VERB_OK;
}

int verb_check(int argc, char **argv)
{
	const char *file = file_of(argc, argv);
	struct diagnostics *diagnostics;
	struct policy *policy;
	int result;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return usage(stdout, VERB_OK);
	if (!file && argv[1][0] == '-' && strcmp(argv[1], "-c") != 0)
		fprintf(stderr, "sekisho check: %s is not an option\n", argv[1]);
	if (!file)
		return usage(stderr, VERB_USAGE);
	diagnostics = diagnostics_new();
	policy = policy_load_as(POLICY_CHECK, file, diagnostics);
	result = print_result(policy, diagnostics);
	policy_release(policy);
	diagnostics_free(diagnostics);
	return result;
}
