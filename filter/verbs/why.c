/*
 * why.c - sekisho why: what became of a message, and why, from the history.
 *
 * The story itself is told in engine/ (story.h); here it is printed.
 */
#include "json.h"
#include "option.h"
#include "past.h"
#include "story.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_COLUMNS 12
#define SHOWN_MAX    20 /* stories; of more messages the newest are shown */
#define RULES_MAX    200

struct request {
	struct past past;
	struct history_found found;
	bool json;
	size_t most, shown, found_count;
	struct engine *engine; /* NULL: the file has errors */
	const struct fact_names *names;
};

static const char help[] =
    "usage: sekisho why CASE | QUEUE-ID [OPTIONS]\n"
    "       sekisho why --sender A | --recipient B | --client IP [OPTIONS]\n\n"
    "What became of a message and why: the client, each rule with the values that it saw, the DNS answers, what was\n"
    "told and edited. Exit code 1: no such message.\n\n"
    "  --sender A         messages from this sender, author or login (the newest 20)\n"
    "  --recipient B      to this recipient\n"
    "  --client IP        from this client\n"
    "  --all              all of them\n"
    "  --json             one JSON object for each message\n" PAST_HELP "  -h, --help         this\n";

static int usage(FILE *out, int code)
{
	fputs(help, out);
	return code;
}

/* ---- arguments ------------------------------------------------------------------------------------ */

/* A case id has a length and an alphabet of its own; a queue id of Postfix or Sendmail may look like one, so both are
 * looked for. */
static int words_read(struct request *request, int count, char **words)
{
	if (count > 1 || (count == 1) == (request->found.text.n > 0))
		return usage(stderr, VERB_USAGE);
	if (count == 1)
		request->found = (struct history_found){HISTORY_CASE, slice_of(words[0])};
	return request->found.text.n ? -1 : usage(stderr, VERB_USAGE);
}

static int arguments_read(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {{"sender", required_argument, NULL, 'f'},
						{"recipient", required_argument, NULL, 't'},
						{"client", required_argument, NULL, 'i'},
						{"all", no_argument, NULL, 'a'},
						PAST_OPTIONS,
						{NULL}};
	int option, code;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout, VERB_OK);
		if (option == '?')
			return option_usage(argc, argv, "c:h", options);
		if (strchr("fti", option) && request->found.text.n)
			return usage(stderr, VERB_USAGE);
		if (option == 'f')
			request->found = (struct history_found){HISTORY_SENDER, slice_of(optarg)};
		if (option == 't')
			request->found = (struct history_found){HISTORY_RECIPIENT, slice_of(optarg)};
		if (option == 'i')
			request->found = (struct history_found){HISTORY_CLIENT, slice_of(optarg)};
		if (option == 'a')
			request->most = SIZE_MAX;
		request->json |= option == 'j';
		code = past_option(&request->past, option, optarg);
		if (code >= 0)
			return code;
	}
	return words_read(request, argc - optind, argv + optind);
}

/* ---- for a person ------------------------------------------------------------------------------------ */

/* The name of a line can be from a record, too. */
static void print_name(struct slice name, size_t columns)
{
	trace_print_text(stdout, name);
	printf("%*s ", name.n < columns ? (int)(columns - name.n) : 0, "");
}

static void print_line(const struct story_line *line)
{
	if (line->part >= STORY_DNS || line->below)
		fputs("  ", stdout);
	if (line->part < STORY_DNS)
		print_name(line->name, line->below ? NAME_COLUMNS - 2 : NAME_COLUMNS);
	if (line->part >= STORY_DNS) {
		trace_print_text(stdout, line->name);
		fputs("  ", stdout);
	}
	trace_print_text(stdout, line->text);
	putchar('\n');
}

static void print_part(const struct story *story, enum story_part part, const char *title)
{
	bool first = true;

	for (size_t i = 0; i < story->line_count; i++) {
		if (story->lines[i].part != part)
			continue;
		if (title && first)
			puts(title);
		first = false;
		print_line(&story->lines[i]);
	}
}

static void print_story(const struct story *story)
{
	print_part(story, STORY_WHO, NULL);
	putchar('\n');
	print_part(story, STORY_TOLD, NULL);
	print_part(story, STORY_DNS, "dns");
	if (story->told_rules) {
		putchar('\n');
		trace_print(&story->trace, stdout);
	} else {
		puts(story_without_rules);
		print_part(story, STORY_FACTS, "facts");
	}
	putchar('\n');
}

/* ---- as JSON -------------------------------------------------------------------------------------------- */

static json_t *rules_json(const struct trace *trace, struct arena *arena)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < trace->count && i < RULES_MAX; i++) {
		const struct rule_trace *rule = &trace->rules[i];
		json_t *one = json_object(), *seen = json_object();

		for (size_t k = 0; k < rule->seen_count; k++)
			json_object_set_new(seen, arena_cstring(arena, rule->seen[k].fact),
					    json_text(rule->seen[k].value));
		json_object_set_new(one, "stage", json_string(stage_names[rule->stage]));
		json_object_set_new(one, "rule",
				    json_text(arena_printf(arena, "%s:%u", rule->where.file, rule->where.line)));
		json_object_set_new(one, "source", json_text(rule->source));
		json_object_set_new(one, "truth", json_text(story_truth(rule->truth)));
		json_object_set_new(one, "values", seen);
		json_object_set_new(one, "effect", json_string(rule->effect));
		json_array_append_new(rules, one);
	}
	return rules;
}

/* The record with one member more. */
static void print_json(json_t *record, const struct trace *trace, struct arena *arena)
{
	json_object_set_new(record, "rules", trace ? rules_json(trace, arena) : json_null());
	json_dumpf(record, stdout, JSON_COMPACT);
	putchar('\n');
}

/* ---- a message -------------------------------------------------------------------------------------------- */

static bool tell(void *context, const struct history_row *row)
{
	struct request *request = context;
	struct arena *arena = arena_new();
	struct story story;

	request->found_count++;
	if (request->shown < request->most && story_tell(request->engine, request->names, row, arena, &story)) {
		if (request->json)
			print_json(story.json, story.told_rules ? &story.trace : NULL, arena);
		else
			print_story(&story);
		story_end(&story);
		request->shown++;
	}
	arena_free(arena);
	return true;
}

static int search(struct request *request, struct history_reader *reader)
{
	struct error err;
	int result = story_find(reader, &request->found, request->past.since_us, tell, request, &err);

	if (result) {
		fprintf(stderr, "sekisho why: %s\n", err.text);
		return VERB_NOINPUT;
	}
	if (request->found_count == 0)
		fprintf(stderr, "sekisho why: the history has no such message%s\n",
			request->past.since_us ? " since then" : "");
	else if (request->shown < request->found_count)
		fprintf(stderr, "sekisho why: %zu more; --all shows them\n", request->found_count - request->shown);
	return request->found_count ? VERB_OK : VERB_NO;
}

int verb_why(int argc, char **argv)
{
	struct request request = {.past = {argv[0], DEFAULT_CONFIG, NULL, 0}, .most = SHOWN_MAX};
	struct fact_names *names;
	struct counters counters = {0};
	struct resolver *resolver;
	struct policy *policy;
	struct history_reader *reader;
	struct error err;
	int code = arguments_read(argc, argv, &request);

	if (code >= 0)
		return code;
	policy = past_policy(&request.past);
	reader = past_open(&request.past, policy, &code);
	names = fact_names_new();
	request.names = names;
	resolver = resolver_open_zone(SLICE(""), "", &err); /* asks nobody */
	if (policy)
		request.engine = engine_new(policy, resolver, NULL, &counters);
	if (reader)
		code = search(&request, reader);
	history_reader_close(reader);
	engine_release(request.engine);
	resolver_release(resolver);
	fact_names_free(names);
	policy_release(policy);
	return code;
}
