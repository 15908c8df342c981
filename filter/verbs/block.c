/*
 * block.c - sekisho block, unblock and blocks: who is blocked for a time.
 */
#include "ask.h"
#include "option.h"
#include "policy.h"
#include "verbs.h"
#include <string.h>

struct request {
	struct ask ask;
	const char *what, *life, *why;
	bool json;
};

/* ---- arguments ------------------------------------------------------------------------------------ */

static const struct {
	const char *verb, *arguments, *help;
} usages[] = {
    {"block", "LOGIN|ADDRESS|NETWORK --for TIME [--why TEXT]",
     "  --for TIME         how long: 30m, 2h, 7d\n"
     "  --why TEXT         the reason, which a rule can tell the client (blocked.why)\n"},
    {"unblock", "LOGIN|ADDRESS|NETWORK", ""},
    {"blocks", "[--json]", "  --json             one JSON array\n"},
};

static int usage(FILE *out, const char *verb, int code)
{
	for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++)
		if (strcmp(usages[i].verb, verb) == 0)
			fprintf(out,
				"usage: sekisho %s %s [-c FILE] [--socket PATH]\n\n%s" ASK_HELP
				"  -h, --help         this\n",
				verb, usages[i].arguments, usages[i].help);
	return code;
}

static int take_option(struct request *request, int option, const char *value)
{
	const char *verb = request->ask.verb;

	if (option == 'h')
		return usage(stdout, verb, VERB_OK);
	if (option == 'c' || option == 's')
		ask_option(&request->ask, option, value);
	else if (option == 'f' && strcmp(verb, "block") == 0)
		request->life = value;
	else if (option == 'w' && strcmp(verb, "block") == 0)
		request->why = value;
	else if (option == 'j' && strcmp(verb, "blocks") == 0)
		request->json = true;
	else
		return usage(stderr, verb, VERB_USAGE);
	return -1;
}

/* -1: go on; else the exit code. */
static int arguments_read(int argc, char **argv, struct request *request_r)
{
	static const struct option options[] = {
	    ASK_OPTIONS, {"for", required_argument, NULL, 'f'}, {"why", required_argument, NULL, 'w'}, {NULL}};
	int wanted = strcmp(argv[0], "blocks") != 0, option, code = -1;

	*request_r = (struct request){.ask = {argv[0], DEFAULT_CONFIG, NULL}, .why = ""};
	opterr = 0;
	while (code < 0 && (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		code =
		    option == '?' ? option_usage(argc, argv, "c:h", options) : take_option(request_r, option, optarg);
	if (code >= 0)
		return code;
	if (argc - optind != wanted)
		return usage(stderr, argv[0], VERB_USAGE);
	request_r->what = argv[optind];
	return -1;
}

/* ---- the verbs --------------------------------------------------------------------------------------- */

static json_t *block_request(const struct request *request)
{
	int64_t life;

	if (!request->life || duration_parse(slice_of(request->life), &life) != 0 || life <= 0) {
		fprintf(stderr, "sekisho block: %s%s; write how long, as in --for 2h\n",
			request->life ? "not a time: " : "--for is missing", request->life ? request->life : "");
		return NULL;
	}
	return json_pack("{s:s, s:s, s:I, s:s}", "command", "block", "what", request->what, "life", (json_int_t)life,
			 "why", request->why);
}

static bool is_utf8(const struct request *request)
{
	if (slice_is_utf8(slice_of(request->what)) && slice_is_utf8(slice_of(request->why)))
		return true;
	fprintf(stderr, "sekisho %s: only UTF-8 text can be blocked\n", request->ask.verb);
	return false;
}

int verb_block(int argc, char **argv)
{
	struct request request;
	int code = arguments_read(argc, argv, &request);
	json_t *asked, *answer;

	if (code >= 0)
		return code;
	asked = is_utf8(&request) ? block_request(&request) : NULL;
	if (!asked)
		return VERB_USAGE;
	answer = ask_for(&request.ask, asked, &code);
	if (!answer)
		return code;
	printf("sekisho block: ");
	ask_print_safe(json_string_value(json_object_get(answer, "what")));
	printf(" is blocked for %s\n", request.life);
	if (!json_is_true(json_object_get(answer, "read")))
		fputs("sekisho block: no rule reads `blocked`, so it has no effect; add a rule and reload, as in\n"
		      "    on mail { reject 550 5.7.1 \"Blocked: %{blocked.why}\" if blocked }\n",
		      stderr);
	json_decref(answer);
	return VERB_OK;
}

int verb_unblock(int argc, char **argv)
{
	struct request request;
	int code = arguments_read(argc, argv, &request);
	json_t *answer;

	if (code >= 0)
		return code;
	if (!is_utf8(&request))
		return VERB_USAGE;
	answer = ask_for(&request.ask, json_pack("{s:s, s:s}", "command", "unblock", "what", request.what), &code);
	if (!answer)
		return code;
	code = json_is_true(json_object_get(answer, "was")) ? VERB_OK : VERB_NO;
	printf("sekisho unblock: %s %s\n", request.what, code == VERB_OK ? "is no longer blocked" : "was not blocked");
	json_decref(answer);
	return code;
}

static void print_blocks(const json_t *answer)
{
	json_t *block;
	size_t i;

	json_array_foreach(json_object_get(answer, "blocks"), i, block)
	{
		ask_print_safe(json_string_value(json_object_get(block, "what")));
		printf("\t");
		ask_print_life(json_integer_value(json_object_get(block, "life")));
		printf("\t");
		ask_print_safe(json_string_value(json_object_get(block, "why")));
		putchar('\n');
	}
	if (json_is_true(json_object_get(answer, "more")))
		fputs("sekisho blocks: there are more; `sekisho store list block:` shows all\n", stderr);
}

int verb_blocks(int argc, char **argv)
{
	struct request request;
	int code = arguments_read(argc, argv, &request);
	json_t *answer;

	if (code >= 0)
		return code;
	answer = ask_for(&request.ask, json_pack("{s:s}", "command", "blocks"), &code);
	if (!answer)
		return code;
	if (request.json) {
		json_dumpf(json_object_get(answer, "blocks"), stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_blocks(answer);
	}
	json_decref(answer);
	return VERB_OK;
}
