/*
 * daemon.c - sekisho daemon: serves the MTA, in the foreground.
 */
#include "daemon.h"
#include "option.h"
#include "verbs.h"
#include <getopt.h>
#include <stdio.h>

const struct door *const doors[] = {&milter_door,    &native_door,      &policy_door,      &rspamc_door,
				    &socketmap_door, &srs_forward_door, &srs_reverse_door, NULL};

static void usage(FILE *out)
{
	fprintf(out, "usage: sekisho daemon [-c FILE] [--take-over]\n\n"
		     "  -c, --config FILE  the policy file (" DEFAULT_CONFIG ")\n"
		     "      --take-over    get the sockets of the daemon that runs, and let it end: an upgrade\n"
		     "  -h, --help         this\n\n"
		     "SIGTERM and SIGINT end it once the open messages are finished; a second one ends it at once.\n"
		     "SIGUSR1 and SIGHUP read the file again and reopen the log file.\n");
}

int verb_daemon(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"take-over", no_argument, NULL, 't'},
						{"help", no_argument, NULL, 'h'},
						{NULL}};
	const char *file = DEFAULT_CONFIG;
	bool takes_over = false;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return VERB_OK;
		}
		if (option == 't')
			takes_over = true;
		else if (option == 'c')
			file = optarg;
		else
			return option_usage(argc, argv, "c:h", options);
	}
	if (optind != argc) {
		usage(stderr);
		return VERB_USAGE;
	}
	return daemon_run(file, doors, takes_over);
}
