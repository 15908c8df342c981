/*
 * report_send.c - sekisho report send --now: the running daemon sends the reports of days that are over.
 */
#include "ask.h"
#include "base.h"
#include "option.h"
#include "report.h"
#include "report_verb.h"
#include "verbs.h"
#include <time.h>

#define DAY_SECONDS 86400
#define POLL_NS     (200 * 1000 * 1000)

struct request {
	struct ask ask;
	const char *domain; /* NULL: all */
	int64_t day;        /* since 1970; 0: all */
	bool now, json;
	size_t shown, waits;
	json_int_t number; /* of the daemon's */
};

static int usage(FILE *out, int code)
{
	fputs(
	    "usage: sekisho report send --now [DOMAIN] [--day YYYY-MM-DD] [--json] [-c FILE] [--socket PATH]\n\n"
	    "  Sends the DMARC reports of days (UTC) that are over, and tells what became of each. The daemon does so\n"
	    "  by itself in the two hours after midnight; --now does not wait for that time, nor for the time after\n"
	    "  which a report is tried again.\n\n"
	    "  --now              must be given\n"
	    "  --day YYYY-MM-DD   only of this day\n"
	    "  --json             one JSON array\n" ASK_HELP "  -h, --help         this\n"
	    "\nExit code: 0 nothing waits any more; 1 something waits, or nothing could be sent; 64 wrong usage;\n"
	    "69 no daemon answers.\n",
	    out);
	return code;
}

/* Of "2026-11-27", the days since 1970; 0: it is not a day. */
static int64_t day_of(const char *text)
{
	struct tm tm = {0}, back;
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	time_t seconds = end && !*end ? timegm(&tm) : 0;
	char again[64];

	if (!gmtime_r(&seconds, &back))
		return 0;
	strftime(again, sizeof(again), "%Y-%m-%d", &back); /* there is no 31 November */
	return strcmp(again, text) == 0 ? seconds / DAY_SECONDS : 0;
}

static int take_option(struct request *request, int option, const char *value)
{
	if (option == 'h')
		return usage(stdout, VERB_OK);
	if (option == 'n')
		request->now = true;
	else if (option == 'j')
		request->json = true;
	else if (option == 'd')
		request->day = day_of(value);
	else
		ask_option(&request->ask, option, value);
	if (option != 'd' || request->day > 0)
		return -1;
	fprintf(stderr, "sekisho report send: %s is not a day; write it as in 2026-11-27\n", value);
	return VERB_USAGE;
}

/* A day that is still counted has no report. */
static bool is_over(int64_t day)
{
	if (day < clock_wall_us() / 1000000 / DAY_SECONDS)
		return true;
	fputs("sekisho report send: that day is not over (UTC); sekisho report preview shows what was counted so far\n",
	      stderr);
	return false;
}

/* -1: go on; else the exit code. */
static int arguments_read(int argc, char **argv, struct request *request_r)
{
	static const struct option options[] = {
	    {"now", no_argument, NULL, 'n'}, {"day", required_argument, NULL, 'd'}, ASK_OPTIONS, {NULL}};
	int option, code = -1;

	*request_r = (struct request){.ask = {argv[0], DEFAULT_CONFIG, NULL}};
	opterr = 0;
	while (code < 0 && (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		code =
		    option == '?' ? option_usage(argc, argv, "c:h", options) : take_option(request_r, option, optarg);
	if (code >= 0)
		return code;
	request_r->domain = argv[optind];
	if (argc - optind > 1)
		fprintf(stderr, "sekisho report send: one domain at a time; %s is a second one\n", argv[optind + 1]);
	else if (!request_r->now)
		fputs("sekisho report send: say --now: the daemon sends by itself after midnight\n", stderr);
	else
		return is_over(request_r->day) ? -1 : VERB_NO;
	return VERB_USAGE;
}

/* ---- what it tells ---------------------------------------------------------------------------------------- */

/* The number of a day becomes 2026-11-27, as in the answers of the other subcommands. */
static void day_name(json_t *item)
{
	time_t seconds = (time_t)(json_integer_value(json_object_get(item, "day")) * DAY_SECONDS);
	struct tm tm = {0};
	char text[64];

	gmtime_r(&seconds, &tm);
	snprintf(text, sizeof(text), "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	json_object_set_new(item, "day", json_string(text));
}

static const char *text_of(const json_t *item, const char *name)
{
	const char *text = json_string_value(json_object_get(item, name));

	return text && *text ? text : "-";
}

static void print_text(const json_t *item)
{
	printf("%s\t", text_of(item, "day"));
	ask_print_safe(text_of(item, "domain"));
	printf("\t%lld\t%s\t", (long long)json_integer_value(json_object_get(item, "messages")), text_of(item, "fate"));
	ask_print_safe(text_of(item, "address"));
	printf("\t");
	ask_print_safe(text_of(item, "text"));
	printf("\n");
}

static void print_told(struct request *request, const json_t *told)
{
	json_t *item;
	size_t i;

	json_array_foreach(told, i, item)
	{
		day_name(item);
		request->waits +=
		    strcmp(text_of(item, "fate"), "later") == 0 || strcmp(text_of(item, "fate"), "too-many") == 0;
		if (!request->json) {
			print_text(item);
		} else {
			fputs(request->shown ? ",\n" : "[\n", stdout);
			json_dumpf(item, stdout, JSON_COMPACT);
		}
		request->shown++;
	}
	fflush(stdout);
}

/* The end of the answers. */
static int finish(const struct request *request, const json_t *answer)
{
	const char *why = json_string_value(json_object_get(answer, "why"));
	json_int_t untold = json_integer_value(json_object_get(answer, "untold"));

	if (request->json)
		fputs(request->shown ? "\n]\n" : "[]\n", stdout);
	if (untold > 0)
		fprintf(stderr, "sekisho report send: %lld more are not shown\n", (long long)untold);
	if (why && *why)
		fprintf(stderr, "sekisho report send: %s\n", why);
	else if (request->shown == 0 && request->domain)
		fprintf(stderr,
			"sekisho report send: there is nothing to send about %s; sekisho report list shows the domains "
			"that have a report\n",
			request->domain);
	else if (request->shown == 0)
		fputs("sekisho report send: there is nothing to send\n", stderr);
	return (why && *why) || request->waits ? VERB_NO : VERB_OK;
}

/* ---- asking --------------------------------------------------------------------------------------------------- */

static int begin(struct request *request)
{
	int code = VERB_OK;
	json_t *answer = ask_for(&request->ask,
				 json_pack("{s:s, s:s, s:I}", "command", "report-send", "domain",
					   request->domain ? request->domain : "", "day", (json_int_t)request->day),
				 &code);

	if (!answer)
		return code;
	request->number = json_integer_value(json_object_get(answer, "request"));
	json_decref(answer);
	return VERB_OK;
}

int report_send(int argc, char **argv)
{
	struct request request;
	int code = arguments_read(argc, argv, &request);
	bool done = false;

	if (code >= 0)
		return code;
	code = begin(&request);
	while (code == VERB_OK && !done) {
		json_t *answer = ask_for(&request.ask,
					 json_pack("{s:s, s:I, s:I}", "command", "report-sent", "request",
						   request.number, "after", (json_int_t)request.shown),
					 &code);

		if (!answer)
			break;
		print_told(&request, json_object_get(answer, "told"));
		done = json_is_true(json_object_get(answer, "done"));
		code = done ? finish(&request, answer) : VERB_OK;
		json_decref(answer);
		if (!done)
			nanosleep(&(struct timespec){0, POLL_NS}, NULL);
	}
	return code;
}
