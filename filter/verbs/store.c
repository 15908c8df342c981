/*
 * store.c - sekisho store list, get and delete: what the running daemon keeps. They ask the daemon and do not open its
 * file.
 */
#include "ask.h"
#include "base.h"
#include "verbs.h"
#include <string.h>

enum what { LIST, GET, DELETE };
static const char *const what_names[] = {"list", "get", "delete", NULL};

struct request {
	struct ask ask;
	enum what what;
	const char *prefix;
	bool json;
	size_t shown; /* keys so far */
};

static int usage(FILE *out, int code)
{
	fputs(
	    "usage: sekisho store list [PREFIX] | get PREFIX | delete PREFIX [--json] [-c FILE] [--socket PATH]\n\n"
	    "  list               keys that begin with PREFIX, all without one: key, what it holds, how long it lives\n"
	    "  get                the same with whole values; PREFIX is a key, or its first parts\n"
	    "  delete             removes that key, or all below those parts: limit:hourly removes limit:hourly:...\n"
	    "  --json             one JSON array\n" ASK_HELP "  -h, --help         this\n",
	    out);
	return code;
}

/* ---- arguments ------------------------------------------------------------------------------------ */

static int words_read(struct request *request, int count, char **words)
{
	int what = 0;

	if (count == 0)
		return usage(stderr, VERB_USAGE);
	while (what_names[what] && strcmp(words[0], what_names[what]) != 0)
		what++;
	if (!what_names[what] || count > 2 || (what != LIST && count != 2))
		return usage(stderr, VERB_USAGE);
	request->what = (enum what)what;
	request->prefix = count == 2 ? words[1] : "";
	if (slice_is_utf8(slice_of(request->prefix)))
		return -1;
	fprintf(stderr, "sekisho store: PREFIX is not UTF-8; name the first parts of the key\n");
	return VERB_USAGE;
}

/* -1: go on; else the exit code. */
static int arguments_read(int argc, char **argv, struct request *request_r)
{
	int code;

	*request_r = (struct request){.ask = {argv[0], DEFAULT_CONFIG, NULL}};
	code = ask_options(&request_r->ask, argc, argv, &request_r->json, NULL, usage);
	if (code >= 0)
		return code;
	return words_read(request_r, argc - optind, argv + optind);
}

/* ---- pages ------------------------------------------------------------------------------------------- */

static json_t *page_request(const struct request *request, const char *after)
{
	json_t *json =
	    json_pack("{s:s, s:s, s:b, s:b}", "command", request->what == DELETE ? "store-delete" : "store-list",
		      "prefix", request->prefix, "whole", request->what == GET, "full", request->what == GET);

	if (after)
		json_object_set_new(json, "after", json_string(after));
	return json;
}

static void item_print(const json_t *item)
{
	const json_t *value = json_object_get(item, "value");

	ask_print_safe(json_string_value(json_object_get(item, "key")));
	printf("\t");
	if (value)
		ask_print_safe(json_string_value(value));
	else
		printf("%lld%s", (long long)json_integer_value(json_object_get(item, "count")),
		       strcmp(json_string_value(json_object_get(item, "kind")), "distinct") == 0 ? " distinct" : "");
	printf("\t");
	ask_print_life(json_integer_value(json_object_get(item, "life")));
	putchar('\n');
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
			item_print(item);
		}
		request->shown++;
	}
	request->shown += (size_t)json_integer_value(json_object_get(answer, "deleted"));
}

static void end_print(const struct request *request)
{
	if (request->what == DELETE && request->json)
		printf("{\"deleted\":%zu}\n", request->shown);
	else if (request->what == DELETE)
		printf("sekisho store: %zu key%s deleted\n", request->shown, request->shown == 1 ? "" : "s");
	else if (request->json)
		fputs(request->shown ? "\n]\n" : "[]\n", stdout);
}

int verb_store(int argc, char **argv)
{
	struct request request;
	int code = arguments_read(argc, argv, &request);
	json_t *answer = NULL;

	if (code >= 0)
		return code;
	do {
		json_t *asked = page_request(&request, json_string_value(json_object_get(answer, "next")));

		json_decref(answer);
		answer = ask_for(&request.ask, asked, &code);
		if (!answer)
			return code;
		page_print(&request, answer);
	} while (json_object_get(answer, "next"));
	json_decref(answer);
	end_print(&request);
	return request.shown || request.what == LIST ? VERB_OK : VERB_NO;
}
