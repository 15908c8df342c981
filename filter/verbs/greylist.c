/*
 * greylist.c - sekisho greylist show and forget: who waits, who has passed, and which networks are proven. They ask the
 * daemon for the keys that greylist.h describes.
 */
#include "greylist.h"
#include "ask.h"
#include "verbs.h"
#include <string.h>

struct request {
	struct ask ask;
	const char *what; /* NULL: all */
	bool forget, json;
	size_t shown; /* entries so far */
};

static int usage(FILE *out, int code)
{
	fputs(
	    "usage: sekisho greylist show [DOMAIN|ADDRESS|NETWORK] | forget DOMAIN|ADDRESS|NETWORK [--json] [-c FILE]\n"
	    "                        [--socket PATH]\n\n"
	    "  show               a domain for which SPF passes, or a network (/24, /64) for each of its senders; "
	    "\"waiting\",\n"
	    "                     \"passed\", \"proven\" or how many senders were counted; how long it is remembered\n"
	    "  forget             removes these: who comes next is new\n"
	    "  --json             one JSON array\n" ASK_HELP "  -h, --help         this\n",
	    out);
	return code;
}

/* ---- arguments ------------------------------------------------------------------------------------ */

static int words_read(struct request *request, int count, char **words)
{
	if (count == 0 || count > 2)
		return usage(stderr, VERB_USAGE);
	request->forget = strcmp(words[0], "forget") == 0;
	if ((!request->forget && strcmp(words[0], "show") != 0) || (request->forget && count != 2))
		return usage(stderr, VERB_USAGE);
	request->what = count == 2 ? words[1] : NULL;
	return -1;
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

/* ---- entries ---------------------------------------------------------------------------------------- */

static void entry_print_json(struct request *request, struct slice shown, const char *state, const json_t *item)
{
	json_t *entry = json_pack("{s:s%, s:s, s:O}", "what", shown.p, shown.n, "state", state, "life",
				  json_object_get(item, "life"));

	if (json_object_get(item, "count"))
		json_object_set(entry, "count", json_object_get(item, "count"));
	fputs(request->shown ? ",\n" : "[\n", stdout);
	json_dumpf(entry, stdout, JSON_INDENT(2));
	json_decref(entry);
}

static void entry_print(struct request *request, const json_t *item, struct arena *arena)
{
	struct slice key = slice_of(json_string_value(json_object_get(item, "key")));
	struct slice shown = greylist_shown(key, arena);
	const char *state = greylist_state(key, slice_of(json_string_value(json_object_get(item, "value"))));

	if (shown.n == 0)
		return;
	if (request->json) {
		entry_print_json(request, shown, state, item);
	} else {
		ask_print_safe(arena_cstring(arena, shown));
		printf("\t%s", state);
		if (json_object_get(item, "count"))
			printf(" %lld", (long long)json_integer_value(json_object_get(item, "count")));
		printf("\t");
		ask_print_life(json_integer_value(json_object_get(item, "life")));
		putchar('\n');
	}
	request->shown++;
}

static void page_take(struct request *request, const json_t *answer)
{
	struct arena *arena = arena_new();
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(answer, "items"), i, item) entry_print(request, item, arena);
	request->shown += (size_t)json_integer_value(json_object_get(answer, "deleted"));
	arena_free(arena);
}

/* All pages of the keys with this prefix. VERB_OK, or the exit code: stderr says why. */
static int ask_prefix(struct request *request, struct slice prefix)
{
	json_t *answer = NULL;
	int code = VERB_OK;

	do {
		json_t *asked =
		    json_pack("{s:s, s:s%, s:b}", "command", request->forget ? "store-delete" : "store-list", "prefix",
			      prefix.p, prefix.n, "whole", request->what != NULL);

		if (answer)
			json_object_set(asked, "after", json_object_get(answer, "next"));
		json_decref(answer);
		answer = ask_for(&request->ask, asked, &code);
		if (!answer)
			return code;
		page_take(request, answer);
	} while (json_object_get(answer, "next"));
	json_decref(answer);
	return VERB_OK;
}

static void end_print(const struct request *request)
{
	if (request->forget)
		printf("sekisho greylist: %zu entr%s forgotten\n", request->shown, request->shown == 1 ? "y" : "ies");
	else if (request->json)
		fputs(request->shown ? "\n]\n" : "[]\n", stdout);
}

int verb_greylist(int argc, char **argv)
{
	struct request request;
	struct slice keys[GREYLIST_KEYS] = {SLICE(GREYLIST_PREFIX)};
	struct arena *arena;
	struct error err;
	size_t count = 1;
	int code = arguments_read(argc, argv, &request);

	if (code >= 0)
		return code;
	arena = arena_new();
	if (request.what)
		count = greylist_keys(slice_of(request.what), arena, keys, &err);
	if (count == 0)
		fprintf(stderr, "sekisho greylist: %s\n", err.text);
	code = count > 0 ? VERB_OK : VERB_USAGE;
	for (size_t i = 0; i < count && code == VERB_OK; i++)
		code = ask_prefix(&request, keys[i]);
	arena_free(arena);
	if (code != VERB_OK)
		return code;
	end_print(&request);
	return request.shown || !request.what ? VERB_OK : VERB_NO;
}
