/*
 * control.c - sekisho reload and sekisho status: ask the running daemon through
 * its control socket, whose path is in the policy file. The rest of the file may have
 * errors: the daemon reports them.
 */
#include "ask.h"
#include "base.h"
#include "option.h"
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

/* ---- status for people ---------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "?";
}

static long long number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void status_print_numbers(const char *title, json_t *object)
{
	const char *name;
	json_t *value;

	printf("%-10s", title);
	json_object_foreach(object, name, value) if (json_is_integer(value))
	    printf(" %s %lld", name, (long long)json_integer_value(value));
	printf("\n");
}

static void status_print_doors(json_t *doors)
{
	json_t *door;
	size_t i;

	json_array_foreach(doors, i, door)
	{
		printf("%-10s %s %s", i ? "" : "listening", text_of(door, "door"), text_of(door, "listen"));
		if (json_object_get(door, "engine"))
			printf(" engine %s", text_of(door, "engine"));
		putchar('\n');
	}
}

/* One line for each DNS list. */
static void status_print_lists(json_t *lists)
{
	const char *name;
	json_t *list;

	json_object_foreach(lists, name, list) if (json_is_object(list))
	    printf("%-10s %s %s%s%s%s, asked %lld, listed %lld, temperror %lld\n", "dnsbl", name,
		   text_of(list, "state"), json_object_get(list, "since") ? " since " : "",
		   json_object_get(list, "since") ? text_of(list, "since") : "",
		   json_is_true(json_object_get(list, "incomplete")) ? ", lacks its test entry" : "",
		   number_of(list, "asked"), number_of(list, "listed"), number_of(list, "temperror"));
}

static void status_print(json_t *status)
{
	long long up = number_of(status, "uptime");
	json_t *policy = json_object_get(status, "policy"), *messages = json_object_get(status, "messages");
	json_t *resolver = json_object_get(status, "resolver"), *store = json_object_get(status, "store");
	json_t *history = json_object_get(status, "history");
	json_t *mailer = json_object_get(status, "mailer");

	printf("sekisho %s, pid %lld, up %lldd %02lld:%02lld:%02lld\n", text_of(status, "version"),
	       number_of(status, "pid"), up / 86400, up / 3600 % 24, up / 60 % 60, up % 60);
	status_print_doors(json_object_get(status, "doors"));
	printf("%-10s %s, read %s\n", "policy", text_of(policy, "file"), text_of(policy, "read"));
	status_print_numbers("sessions", json_object_get(status, "sessions"));
	status_print_numbers("messages", messages);
	status_print_numbers("log", json_object_get(status, "log"));
	status_print_numbers("verdicts", json_object_get(messages, "verdicts"));
	printf("%-10s %s\n", "resolver", text_of(resolver, "name"));
	status_print_numbers("", resolver);
	if (json_object_get(resolver, "warning"))
		printf("%-10s %s\n", "warning", text_of(resolver, "warning"));
	if (store) {
		printf("%-10s %s\n", "store", text_of(store, "place"));
		status_print_numbers("", store);
	}
	if (history) {
		printf("%-10s %s\n", "history", text_of(history, "file"));
		status_print_numbers("", history);
	}
	if (mailer) {
		printf("%-10s %s\n", "mailer", text_of(mailer, "server"));
		status_print_numbers("", mailer);
	}
	status_print_numbers("spf", json_object_get(status, "spf"));
	status_print_numbers("dkim", json_object_get(status, "dkim"));
	status_print_numbers("unchecked", json_object_get(status, "unchecked"));
	status_print_lists(json_object_get(status, "dnsbl"));
}

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
