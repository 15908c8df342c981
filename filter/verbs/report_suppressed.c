/*
 * report_suppressed.c - sekisho report suppressed: addresses that get no reports for a time, because mail to them was
 * refused or came back.
 */
#include "ask.h"
#include "base.h"
#include "report.h"
#include "report_verb.h"
#include "verbs.h"
#include <stdlib.h>
#include <time.h>

struct request {
	struct ask ask;
	const char *clear; /* NULL: list them */
	bool json;
	size_t shown;
};

static int usage(FILE *out, int code)
{
	fputs(
	    "usage: sekisho report suppressed [--json] [--clear ADDRESS] [-c FILE] [--socket PATH]\n\n"
	    "  Shows the addresses to which no DMARC report is sent for a time: one day after the first refusal or\n"
	    "  bounce, then four days, then sixteen.\n\n"
	    "  --clear ADDRESS    send to it again, and forget earlier times\n"
	    "  --json             one JSON array\n" ASK_HELP "  -h, --help         this\n"
	    "\nExit code: 0 shown, also when there is none, or cleared; 1 ADDRESS was not suppressed; 64 wrong usage;\n"
	    "69 no daemon answers.\n",
	    out);
	return code;
}

/* -1: go on; else the exit code. */
static int arguments_read(int argc, char **argv, struct request *request_r)
{
	const struct ask_own own[] = {{"clear", &request_r->clear, NULL}, {NULL}};
	int code;

	*request_r = (struct request){.ask = {argv[0], DEFAULT_CONFIG, NULL}};
	code = ask_options(&request_r->ask, argc, argv, &request_r->json, own, usage);
	if (code >= 0)
		return code;
	if (argc == optind)
		return -1;
	fprintf(stderr, "sekisho report suppressed: only options are taken, and %s is not one; --clear ADDRESS?\n",
		argv[optind]);
	return VERB_USAGE;
}

static int clear(const struct request *request)
{
	int code = VERB_OK;
	json_t *answer = ask_for(&request->ask,
				 json_pack("{s:s, s:s}", "command", "report-clear", "address", request->clear), &code);
	bool was;

	if (!answer)
		return code;
	was = json_is_true(json_object_get(answer, "was"));
	json_decref(answer);
	if (!was)
		fprintf(stderr, "sekisho report suppressed: %s is not suppressed\n", request->clear);
	return was ? VERB_OK : VERB_NO;
}

static void print_until(const json_t *item)
{
	time_t seconds = (time_t)json_integer_value(json_object_get(item, "until"));
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	printf("%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	       tm.tm_sec);
}

static void print_page(struct request *request, const json_t *answer)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(answer, "suppressed"), i, item)
	{
		if (!json_is_true(json_object_get(item, "rests")))
			continue;
		if (request->json) {
			fputs(request->shown ? ",\n" : "[\n", stdout);
			json_dumpf(item, stdout, JSON_COMPACT);
		} else {
			ask_print_safe(json_string_value(json_object_get(item, "address")));
			printf("\tuntil ");
			print_until(item);
			printf("\t%lld\t", (long long)json_integer_value(json_object_get(item, "times")));
			ask_print_safe(json_string_value(json_object_get(item, "why")));
			printf("\n");
		}
		request->shown++;
	}
}

int report_suppressed(int argc, char **argv)
{
	struct request request;
	int code = arguments_read(argc, argv, &request);
	char *after = NULL;

	if (code >= 0 || request.clear)
		return code >= 0 ? code : clear(&request);
	do {
		json_t *answer = ask_for(
		    &request.ask, json_pack("{s:s, s:s}", "command", "report-suppressed", "after", after ? after : ""),
		    &code);
		const char *next = json_string_value(json_object_get(answer, "next"));

		if (!answer)
			break;
		print_page(&request, answer);
		free(after);
		after = next ? xstrdup(next) : NULL;
		code = VERB_OK;
		json_decref(answer);
	} while (after);
	free(after);
	if (request.json && code == VERB_OK)
		fputs(request.shown ? "\n]\n" : "[]\n", stdout);
	return code;
}
