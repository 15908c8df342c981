/*
 * report.c - sekisho report: finds the subcommand.
 */
#include "report_verb.h"
#include "verbs.h"
#include <stdio.h>
#include <string.h>

static const struct subcommand {
	const char *name, *title;
	int (*run)(int argc, char **argv);
	const char *arguments, *about;
} subcommands[] = {
    {"read", "report read", report_read, "FILE ...",
     "read the DMARC and TLS reports that others sent about our domains"},
    {"list", "report list", report_list, "",
     "the days and domains whose mail was counted for DMARC reports, and what became of the latest reports"},
    {"preview", "report preview", report_preview, "DOMAIN", "the DMARC report about a domain as it would be sent now"},
    {"send", "report send", report_send, "--now [DOMAIN] [--day YYYY-MM-DD]",
     "send the DMARC reports of days that are over"},
    {"suppressed", "report suppressed", report_suppressed, "[--clear ADDRESS]",
     "show the addresses that get no reports for a time"},
    {NULL},
};

static int usage(FILE *out, int code)
{
	fputs("usage: sekisho report SUBCOMMAND [ARGUMENTS]\n\n", out);
	for (const struct subcommand *one = subcommands; one->name; one++)
		fprintf(out, "  %s%s%s\n        %s\n", one->name, *one->arguments ? " " : "", one->arguments,
			one->about);
	fputs("\n`sekisho report SUBCOMMAND --help` shows the options of one.\n", out);
	return code;
}

int verb_report(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr, VERB_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return usage(stdout, VERB_OK);
	for (const struct subcommand *one = subcommands; one->name; one++)
		if (strcmp(argv[1], one->name) == 0) {
			argv[1] = (char *)one->title; /* getopt_long() and messages use it as the name of the program */
			return one->run(argc - 1, argv + 1);
		}
	fprintf(stderr, "sekisho report: \"%s\" is not a subcommand; see sekisho report --help\n", argv[1]);
	return VERB_USAGE;
}
