/*
 * report_preview.c - sekisho report preview: the report about a domain as it would be sent now.
 */
#include "ask.h"
#include "report_verb.h"
#include "verbs.h"

struct request {
	struct ask ask;
	const char *domain, *day, *part;
	bool json;
};

static int usage(FILE *out, int code)
{
	fputs(
	    "usage: sekisho report preview DOMAIN [--day YYYY-MM-DD] [--part PART] [--json] [-c FILE] "
	    "[--socket PATH]\n\n"
	    "  Prints the XML of the DMARC report about DOMAIN with what was counted so far; `sekisho report list`\n"
	    "  shows the domains. Nothing is sent, and nothing is deleted.\n\n"
	    "  --day YYYY-MM-DD   a day of those that are kept (UTC), not today\n"
	    "  --part PART        the next part: of another policy record, or what does not fit in one report; the "
	    "command\n"
	    "                     prints what PART is after the first part, when there is one\n"
	    "  --json             the XML with its name, identifier and addresses as a JSON object\n" ASK_HELP
	    "  -h, --help         this\n"
	    "\nExit code: 0 printed; 1 no mail of DOMAIN was counted on that day, or there is no such part; 64 wrong\n"
	    "usage; 69 no daemon answers, or its store does not.\n",
	    out);
	return code;
}

/* -1: go on; else the exit code. */
static int arguments_read(int argc, char **argv, struct request *request_r)
{
	const struct ask_own own[] = {{"day", &request_r->day, NULL}, {"part", &request_r->part, NULL}, {NULL}};
	int code;

	*request_r = (struct request){.ask = {argv[0], DEFAULT_CONFIG, NULL}, .day = "", .part = ""};
	code = ask_options(&request_r->ask, argc, argv, &request_r->json, own, usage);
	if (code >= 0)
		return code;
	if (argc - optind != 1) {
		fputs("sekisho report preview: name one domain, as sekisho report list shows it\n", stderr);
		return VERB_USAGE;
	}
	request_r->domain = argv[optind];
	return -1;
}

static void print_note(const json_t *answer)
{
	const char *next = json_string_value(json_object_get(answer, "next"));

	if (next)
		fprintf(stderr,
			"sekisho report preview: there is another report about this day; show it with --part %s\n",
			next);
}

int report_preview(int argc, char **argv)
{
	struct request request;
	int code = arguments_read(argc, argv, &request);
	json_t *question, *answer;

	if (code >= 0)
		return code;
	question = json_pack("{s:s, s:s, s:s, s:s}", "command", "report-preview", "domain", request.domain, "day",
			     request.day, "part", request.part);
	if (!question) {
		fprintf(stderr, "sekisho report preview: the arguments are not UTF-8\n");
		return VERB_USAGE;
	}
	answer = ask_for(&request.ask, question, &code);
	if (!answer)
		return code;
	if (request.json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		fputs(json_string_value(json_object_get(answer, "xml")), stdout);
		print_note(answer);
	}
	json_decref(answer);
	return VERB_OK;
}
