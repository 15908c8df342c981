/*
 * logins.c - sekisho logins: who sends the most now.
 */
#include "ask.h"
#include "login.h"
#include "verbs.h"
#include <stdlib.h>

#define MOST "20"

struct request {
	struct ask ask;
	const char *most;
	bool day, json;
};

static int usage(FILE *out, int code)
{
	fputs("usage: sekisho logins [--day] [--most NUMBER] [--json] [-c FILE] [--socket PATH]\n\n"
	      "  --day              those with the most recipients in a day, not in the last 5 minutes\n"
	      "  --most NUMBER      so many, from 1 to 1000; " MOST " by default\n"
	      "  --json             one JSON array\n" ASK_HELP "  -h, --help         this\n",
	      out);
	return code;
}

/* -1: go on; else the exit code. */
static int arguments_read(int argc, char **argv, struct request *request_r, uint64_t *most_r)
{
	const struct ask_own own[] = {{"day", NULL, &request_r->day}, {"most", &request_r->most, NULL}, {NULL}};
	int code;

	*request_r = (struct request){.ask = {argv[0], DEFAULT_CONFIG, NULL}, .most = MOST};
	code = ask_options(&request_r->ask, argc, argv, &request_r->json, own, usage);
	if (code >= 0)
		return code;
	if (argc != optind)
		return usage(stderr, VERB_USAGE);
	if (slice_number(slice_of(request_r->most), LOGIN_LIST_MAX, most_r) == 0 && *most_r > 0)
		return -1;
	fprintf(stderr, "sekisho logins: --most takes a number from 1 to %d\n", LOGIN_LIST_MAX);
	return VERB_USAGE;
}

static long long number(const json_t *login, const char *name)
{
	return (long long)json_integer_value(json_object_get(login, name));
}

static void print_logins(const json_t *answer)
{
	json_t *login;
	size_t i;

	json_array_foreach(json_object_get(answer, "logins"), i, login)
	{
		ask_print_safe(json_string_value(json_object_get(login, "login")));
		printf("\t%lld in 5 minutes\t%lld in a day\t%lld refused\t%lld network%s\n", number(login, "recent"),
		       number(login, "recipients"), number(login, "refused"), number(login, "networks"),
		       number(login, "networks") == 1 ? "" : "s");
	}
	if (json_is_true(json_object_get(answer, "more")))
		fputs("sekisho logins: there are more; --most shows up to 1000\n", stderr);
}

int verb_logins(int argc, char **argv)
{
	struct request request;
	uint64_t most;
	int code = arguments_read(argc, argv, &request, &most);
	json_t *answer;

	if (code >= 0)
		return code;
	answer = ask_for(
	    &request.ask,
	    json_pack("{s:s, s:b, s:I}", "command", "logins", "day", request.day, "most", (json_int_t)most), &code);
	if (!answer)
		return code;
	if (request.json) {
		json_dumpf(json_object_get(answer, "logins"), stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_logins(answer);
	}
	json_decref(answer);
	return VERB_OK;
}
