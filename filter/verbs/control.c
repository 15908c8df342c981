/*
 * control.c - sekisho reload and sekisho status: ask the running daemon through
 * its control socket, whose path is in the policy file. The rest of the file may have
 * errors: the daemon reports them.
 */
#include "ask.h"
#include "base.h"
#include "option.h"
#include "status_show.h"
#include "verbs.h"
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
	struct ask ask;
	bool json;
};

/* ---- arguments ------------------------------------------------------------------- */

static void usage(FILE *out, const char *verb)
{
	bool status = strcmp(verb, "status") == 0;

	fprintf(out,
		"usage: sekisho %s [-c FILE] [--socket PATH]%s\n\n" ASK_HELP "%s"
		"  -h, --help         this\n",
		verb, status ? " [--json]" : "", status ? "  --json             one JSON object\n" : "");
}

/* -1: go on; else the exit code. */
static int arguments_read(int argc, char **argv, struct request *request_r)
{
	static const struct option options[] = {ASK_OPTIONS, {NULL}};
	int option;

	*request_r = (struct request){.ask = {argv[0], DEFAULT_CONFIG, NULL}};
	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout, argv[0]);
			return VERB_OK;
		} else if (option == 'c') {
			request_r->ask.config = optarg;
		} else if (option == 's') {
			request_r->ask.socket = optarg;
		} else if (option == 'j' && strcmp(argv[0], "status") == 0) {
			request_r->json = true;
		} else if (option == '?') {
			return option_usage(argc, argv, "c:h", options);
		} else {
			usage(stderr, argv[0]);
			return VERB_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	usage(stderr, argv[0]);
	return VERB_USAGE;
}

/* The daemon refused: prints its message and returns "no". */
static int answer_refused(const struct request *request, const json_t *answer)
{
	ask_print(stderr, json_string_value(json_object_get(answer, "error")));
	if (strcmp(request->ask.verb, "reload") == 0)
		fputs("sekisho reload: nothing has changed; the daemon keeps its policy\n", stderr);
	return VERB_NO;
}

/* From the arguments to the daemon's answer; NULL and the exit code when there is none. */
static json_t *request_run(int argc, char **argv, struct request *request_r, int *code_r)
{
	*code_r = arguments_read(argc, argv, request_r);
	return *code_r >= 0 ? NULL : ask_daemon(&request_r->ask, json_pack("{s:s}", "command", argv[0]), code_r);
}

int verb_reload(int argc, char **argv)
{
	struct request request;
	int code;
	json_t *answer = request_run(argc, argv, &request, &code);

	if (!answer)
		return code;
	code = VERB_OK;
	if (json_is_true(json_object_get(answer, "ok"))) {
		ask_print(stderr, json_string_value(json_object_get(answer, "warnings")));
		puts("sekisho reload: done; new sessions use the new policy");
	} else {
		code = answer_refused(&request, answer);
	}
	json_decref(answer);
	return code;
}

/* ---- status ----------------------------------------------------------------------------- */

int verb_status(int argc, char **argv)
{
	struct request request;
	int code;
	json_t *answer = request_run(argc, argv, &request, &code);

	if (!answer)
		return code;
	if (!json_is_true(json_object_get(answer, "ok"))) {
		code = answer_refused(&request, answer);
	} else if (request.json) {
		json_object_del(answer, "ok");
		code = json_dumpf(answer, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF ? VERB_OK
											       : VERB_UNAVAILABLE;
	} else {
		status_print(answer);
		code = VERB_OK;
	}
	json_decref(answer);
	return code;
}
