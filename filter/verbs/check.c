/*
 * check.c - sekisho check [FILE]: compiles a policy and prints everything that is
 * wrong with it; with --test it also runs the tests in the file.
 *
 * A list that cannot be read or has malformed lines is a warning for the daemon, which can run without it.
 * Here it is an error: it should be found before a start. Advice (filter/policy/advice.c, and check_doors.c)
 * is not an error: a policy that works is not refused for its style.
 */
#include "aggregate.h"
#include "check_doors.h"
#include "engine.h"
#include "history.h"
#include "mailer.h"
#include "option.h"
#include "verbs.h"
#include "web.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: sekisho check [--test | --effective] [[-c] FILE]\n"
    "Compiles the policy (" DEFAULT_CONFIG " unless a file is named), prints every error, and warns of what is\n"
    "probably a mistake.\n"
    "\n"
    "  -c, --config FILE     the policy file\n"
    "      --test            run the tests in the file, without the network\n"
    "      --effective       print every setting with its value and where it comes from\n"
    "\n"
    "Ends with 0 when the policy can be used, with 78 when it has errors or a list cannot be used, and with 1 when a\n"
    "test fails.\n";

enum { OPT_TEST = 256, OPT_EFFECTIVE };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"test", no_argument, NULL, OPT_TEST},
    {"effective", no_argument, NULL, OPT_EFFECTIVE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct request {
	const char *file; /* NULL: not named yet */
	bool test, effective, help;
};

static int name_file(struct request *request, const char *file)
{
	if (request->file) {
		fprintf(stderr, "sekisho check: only one file at a time; %s is a second one\n%s", file, help);
		return VERB_USAGE;
	}
	request->file = file;
	return VERB_OK;
}

static int read_arguments(struct request *request, int argc, char **argv)
{
	int option, code = VERB_OK;

	optind = 1;
	opterr = 0;
	while (code == VERB_OK && (option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (option == '?')
			return option_usage(argc, argv, "c:h", long_options);
		request->help |= option == 'h';
		request->test |= option == OPT_TEST;
		request->effective |= option == OPT_EFFECTIVE;
		if (option == 'c')
			code = name_file(request, optarg);
	}
	while (code == VERB_OK && optind < argc)
		code = name_file(request, argv[optind++]);
	if (!request->file)
		request->file = DEFAULT_CONFIG;
	return code;
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* Prints the results of the tests, and how many there were. */
static int run_tests(struct policy *policy)
{
	size_t count, failed = engine_test(policy, stdout, &count);

	if (failed) {
		printf("%s: %zu of %zu test%s failed\n", policy_file(policy), failed, count, plural(count));
		return VERB_NO;
	}
	printf("%s: %zu test%s passed\n", policy_file(policy), count, plural(count));
	return VERB_OK;
}

/* ---- libraries ------------------------------------------------------------------------------------------ */

/* False: what a setting needs beside the program cannot be opened. */
static bool check_library(const struct policy *policy, bool said, const char *setting, int (*open)(struct error *))
{
	struct error err;

	if (!said || open(&err) == 0)
		return true;
	fprintf(stderr, "%s: %s: %s\n", policy_file(policy), setting, err.text);
	return false;
}

static bool check_libraries(const struct policy *policy)
{
	const struct settings *settings = policy_settings(policy);
	bool history = check_library(policy, settings->history.path, "history", history_library);
	bool mailer = check_library(policy, settings->mailer.text.n > 0, "mailer", mailer_library);
	bool reports = check_library(policy, settings->reports.said, "dmarc-reports", aggregate_library);
	bool web = check_library(policy, settings->web.text.n > 0, "web", web_library);

	return history && mailer && reports && web;
}

static int print_result(const struct request *request, struct policy *policy, const struct diagnostics *diagnostics)
{
	char *text = diagnostics_print(diagnostics);

	fputs(text, stderr);
	free(text);
	if (!policy || !check_libraries(policy) || diagnostics_warnings(diagnostics))
		return VERB_CONFIG;
	if (request->effective)
		return VERB_OK;
	printf("%s: ok (%zu rule%s, %zu list%s)\n", policy_file(policy), policy_rules(policy),
	       plural(policy_rules(policy)), policy_lists(policy), plural(policy_lists(policy)));
	return request->test ? run_tests(policy) : VERB_OK;
}

int verb_check(int argc, char **argv)
{
	struct request request = {NULL};
	struct diagnostics *diagnostics;
	struct policy *policy;
	int result = read_arguments(&request, argc, argv);

	if (result != VERB_OK)
		return result;
	if (request.help)
		return fputs(help, stdout) < 0 ? VERB_OUTPUT : VERB_OK;
	diagnostics = diagnostics_new();
	policy = request.effective ? policy_load_effective(request.file, diagnostics, stdout)
				   : policy_load_as(POLICY_CHECK, request.file, diagnostics);
	if (policy)
		check_doors(policy, diagnostics);
	result = print_result(&request, policy, diagnostics);
	policy_release(policy);
	diagnostics_free(diagnostics);
	return result;
}
