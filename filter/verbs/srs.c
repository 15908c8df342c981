/*
 * srs.c - sekisho srs forward|reverse ADDRESS: what the maps of the daemon answer, from the policy file alone.
 */
#include "option.h"
#include "policy.h"
#include "verbs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: sekisho srs [-c FILE] forward|reverse ADDRESS ...\n"
    "\n"
    "forward prints the SRS address that replaces a sender when its mail is forwarded, reverse the address that an "
    "SRS\n"
    "address stands for. With srs { } of the policy file, whose secrets must be readable.\n"
    "\n"
    "  -c, --config FILE  the policy file (" DEFAULT_CONFIG ")\n"
    "  -h, --help         this\n"
    "\n"
    "Exit code: 0 each address was rewritten; 1 some was not, and standard error says why; 64 wrong usage;\n"
    "78 the file has errors, or no srs { }.\n";

static int usage(const char *what)
{
	fprintf(stderr, "sekisho srs: %s; see sekisho srs --help\n", what);
	return VERB_USAGE;
}

static int rewrite(const struct policy *policy, enum srs_direction direction, const char *text)
{
	struct arena *arena = arena_new();
	struct address address = address_parse_path(slice_of(text), arena);
	struct slice value;
	enum srs_result result = policy_srs(policy, NULL, direction, &address, clock_wall_us(), arena, &value);

	if (result == SRS_REWRITTEN)
		printf("%.*s\n", SLICE_ARGS(value));
	else
		fprintf(stderr, "sekisho srs: %s: %s\n", text, srs_results[result]);
	arena_free(arena);
	return result == SRS_REWRITTEN ? VERB_OK : VERB_NO;
}

static struct policy *load(const char *file)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *policy = policy_load_as(POLICY_EXPLAIN, file, diagnostics);
	char *text;

	if (!policy) {
		text = diagnostics_print(diagnostics);
		fputs(text, stderr);
		free(text);
	} else if (!policy_settings(policy)->srs.said) {
		fprintf(stderr,
			"sekisho srs: %s has no srs; write srs { domain NAME  secret-file /path } in its settings\n",
			file);
		policy_release(policy);
		policy = NULL;
	}
	diagnostics_free(diagnostics);
	return policy;
}

static int run(const char *file, enum srs_direction direction, char **addresses)
{
	struct policy *policy = load(file);
	int result = VERB_OK;

	if (!policy)
		return VERB_CONFIG;
	for (; *addresses; addresses++)
		if (rewrite(policy, direction, *addresses) != VERB_OK)
			result = VERB_NO;
	policy_release(policy);
	return result;
}

int verb_srs(int argc, char **argv)
{
	static const struct option known[] = {
	    {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {NULL}};
	const char *file = DEFAULT_CONFIG;
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
		if (option == 'h')
			return fputs(help, stdout) < 0 ? VERB_OUTPUT : VERB_OK;
		if (option != 'c')
			return option_usage(argc, argv, "c:h", known);
		file = optarg;
	}
	if (argc - optind < 2)
		return usage("name a direction and an address");
	if (strcmp(argv[optind], "forward") == 0)
		return run(file, SRS_FORWARD, argv + optind + 1);
	if (strcmp(argv[optind], "reverse") == 0)
		return run(file, SRS_REVERSE, argv + optind + 1);
	return usage("the direction is forward or reverse");
}
