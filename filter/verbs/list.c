/*
 * list.c - sekisho list add, remove and show: the entries of a dynamic list of the running daemon.
 */
#include "ask.h"
#include "policy.h"
#include "verbs.h"
#include <string.h>

enum what { ADD, REMOVE, SHOW };
static const struct {
	const char *name, *command;
	int least, most; /* words after the name of the list */
} whats[] = {[ADD] = {"add", "list-add", 1, 1},
	     [REMOVE] = {"remove", "list-remove", 1, 1},
	     [SHOW] = {"show", "list-show", 0, 1}};

#define WHATS (sizeof(whats) / sizeof(whats[0]))

struct request {
	struct ask ask;
	enum what what;
	const char *list, *entry, *life; /* entry, life: NULL when not given */
	bool json;
	size_t shown; /* entries so far */
};

static int usage(FILE *out, int code)
{
	fputs("usage: sekisho list add NAME ENTRY [--for TIME] | remove NAME ENTRY | show NAME [ENTRY] [--json]\n"
	      "                    [-c FILE] [--socket PATH]\n\n"
	      "  add                adds an address, a network, a domain or a text to a dynamic: list, or renews it\n"
	      "  remove             removes exactly this entry\n"
	      "  show               all entries and how long they still last, or the one\n"
	      "  --for TIME         how long it lasts: 30m, 2h, 7d; without it as long as the list says\n"
	      "  --json             show: one JSON array\n" ASK_HELP "  -h, --help         this\n",
	      out);
	return code;
}

/* ---- arguments ------------------------------------------------------------------------------------ */

static int words_read(struct request *request, int count, char **words)
{
	size_t what = 0;

	while (count > 0 && what < WHATS && strcmp(words[0], whats[what].name) != 0)
		what++;
	if (count < 2 || what == WHATS || count - 2 < whats[what].least || count - 2 > whats[what].most)
		return usage(stderr, VERB_USAGE);
	request->what = (enum what)what;
	request->list = words[1];
	request->entry = count == 3 ? words[2] : NULL;
	if ((request->life && request->what != ADD) || (request->json && request->what != SHOW))
		return usage(stderr, VERB_USAGE);
	if (slice_is_utf8(slice_of(request->list)) && slice_is_utf8(slice_of(request->entry)))
		return -1;
	fprintf(stderr, "sekisho list: only UTF-8 text can be listed\n");
	return VERB_USAGE;
}

/* -1: go on; else the exit code. */
static int arguments_read(int argc, char **argv, struct request *request_r)
{
	const struct ask_own own[] = {{"for", &request_r->life, NULL}, {NULL}};
	int code;

	*request_r = (struct request){.ask = {argv[0], DEFAULT_CONFIG, NULL}};
	code = ask_options(&request_r->ask, argc, argv, &request_r->json, own, usage);
	if (code >= 0)
		return code;
	return words_read(request_r, argc - optind, argv + optind);
}

/* NULL: stderr says why. */
static json_t *request_make(const struct request *request, const char *after)
{
	json_t *json = json_pack("{s:s, s:s}", "command", whats[request->what].command, "list", request->list);
	int64_t life;

	if (request->entry)
		json_object_set_new(json, "entry", json_string(request->entry));
	if (after)
		json_object_set_new(json, "after", json_string(after));
	if (!request->life)
		return json;
	if (duration_parse(slice_of(request->life), &life) == 0 && life > 0) {
		json_object_set_new(json, "life", json_integer((json_int_t)life));
		return json;
	}
	fprintf(stderr, "sekisho list: not a time: %s; write how long, as in --for 30m\n", request->life);
	json_decref(json);
	return NULL;
}

/* ---- answers ---------------------------------------------------------------------------------------- */

static void member_print(struct request *request, const json_t *member)
{
	if (request->json) {
		fputs(request->shown ? ",\n" : "[\n", stdout);
		json_dumpf(member, stdout, JSON_COMPACT);
	} else {
		ask_print_safe(json_string_value(json_object_get(member, "entry")));
		printf("\t");
		ask_print_life(json_integer_value(json_object_get(member, "life")));
		putchar('\n');
	}
	request->shown++;
}

static int show(struct request *request)
{
	json_t *answer = NULL, *member;
	int code = VERB_OK;
	size_t i;

	do {
		json_t *asked = request_make(request, json_string_value(json_object_get(answer, "next")));

		json_decref(answer);
		answer = ask_for(&request->ask, asked, &code);
		if (!answer)
			return code;
		json_array_foreach(json_object_get(answer, "entries"), i, member) member_print(request, member);
	} while (json_object_get(answer, "next"));
	json_decref(answer);
	if (request->json)
		fputs(request->shown ? "\n]\n" : "[]\n", stdout);
	return request->entry && request->shown == 0 ? VERB_NO : VERB_OK;
}

/* Silent when it works: scripts of other programs call it. */
static int change(const struct request *request)
{
	json_t *asked = request_make(request, NULL), *answer;
	int code = VERB_USAGE;

	answer = asked ? ask_for(&request->ask, asked, &code) : NULL;
	if (!answer)
		return code;
	code = request->what == ADD || json_is_true(json_object_get(answer, "was")) ? VERB_OK : VERB_NO;
	if (code == VERB_NO)
		fprintf(stderr, "sekisho list: %s is not in %s\n", request->entry, request->list);
	json_decref(answer);
	return code;
}

int verb_list(int argc, char **argv)
{
	struct request request;
	int code = arguments_read(argc, argv, &request);

	if (code >= 0)
		return code;
	return request.what == SHOW ? show(&request) : change(&request);
}
