/*
 * report_list.c - sekisho report list: the days and domains that the running daemon has data of, and the latest
 * reports.
 */
#include "ask.h"
#include "base.h"
#include "report_verb.h"
#include "verbs.h"
#include <stdlib.h>
#include <time.h>

struct request {
	struct ask ask;
	bool json;
	size_t shown;
};

static int usage(FILE *out, int code)
{
	fputs(
	    "usage: sekisho report list [--json] [-c FILE] [--socket PATH]\n\n"
	    "  Shows for each day (UTC) and each domain that asks for DMARC reports how many messages were counted,\n"
	    "  and whether the day is \"collecting\" or its reports are \"waiting\" to be sent. Then, for each domain\n"
	    "  and address, what became of the latest report, to whom, when, and what the mail server answered.\n\n"
	    "  --json             one JSON array\n" ASK_HELP "  -h, --help         this\n"
	    "\nExit code: 0 shown, also when there is nothing; 1 nothing is collected for reports; 64 wrong usage;\n"
	    "69 no daemon answers, or its store does not.\n",
	    out);
	return code;
}

/* -1: go on; else the exit code. */
static int arguments_read(int argc, char **argv, struct request *request_r)
{
	int code;

	*request_r = (struct request){.ask = {argv[0], DEFAULT_CONFIG, NULL}};
	code = ask_options(&request_r->ask, argc, argv, &request_r->json, NULL, usage);
	if (code >= 0)
		return code;
	return argc == optind ? -1 : usage(stderr, VERB_USAGE);
}

/* To whom, when, and what was answered: of a report that was tried. */
static void last_print(const json_t *item)
{
	const char *address = json_string_value(json_object_get(item, "address"));
	time_t seconds = (time_t)json_integer_value(json_object_get(item, "time"));
	char text[32];
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("\t");
	ask_print_safe(address && *address ? address : "-");
	printf("\t%s\t", text);
	ask_print_safe(json_string_value(json_object_get(item, "text")));
}

static void page_print(struct request *request, const json_t *answer)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(answer, "items"), i, item)
	{
		if (request->json) {
			fputs(request->shown ? ",\n" : "[\n", stdout);
			json_dumpf(item, stdout, JSON_COMPACT);
		} else {
			printf("%s\t", json_string_value(json_object_get(item, "day")));
			ask_print_safe(json_string_value(json_object_get(item, "domain")));
			printf("\t%lld\t%s", (long long)json_integer_value(json_object_get(item, "messages")),
			       json_string_value(json_object_get(item, "state")));
			if (json_object_get(item, "time"))
				last_print(item);
			printf("\n");
		}
		request->shown++;
	}
}

int report_list(int argc, char **argv)
{
	struct request request;
	int code = arguments_read(argc, argv, &request);
	char *after = NULL;

	if (code >= 0)
		return code;
	do {
		json_t *question = json_pack("{s:s}", "command", "report-list"), *answer;
		const char *next;

		if (after)
			json_object_set_new(question, "after", json_string(after));
		answer = ask_for(&request.ask, question, &code);
		if (!answer)
			break;
		page_print(&request, answer);
		free(after);
		next = json_string_value(json_object_get(answer, "next"));
		after = next ? xstrdup(next) : NULL;
		code = VERB_OK;
		json_decref(answer);
	} while (after);
	free(after);
	if (request.json && code == VERB_OK)
		fputs(request.shown ? "\n]\n" : "[]\n", stdout);
	return code;
}
