/*
 * replay.c - sekisho replay: what another policy would have done with the messages of the history.
 *
 * Each message is judged again over its recorded facts. A fact that was not recorded is unknown: where a rule depends
 * on one, the message is counted as not judged, and the fact is named.
 */
#include "json.h"
#include "option.h"
#include "past.h"
#include "tally.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXAMPLES    10
#define TOP         10
#define BAR_WIDTH   40
#define BAR_STEP_US (200 * 1000)
#define RESET_EVERY 256 /* messages in one arena */

struct example {
	struct slice case_id, sender, before, after, rule;
};

struct request {
	struct past past;
	const char *policy_file;
	bool json, bar;
	struct engine *engine;
	const struct fact_names *names;
	uint64_t all, seen, judged, unjudged, aborted, unreadable, lost;
	uint64_t changes[VERDICT_COUNT][VERDICT_COUNT]; /* from the recorded verdict to the new one */
	struct tally *rules, *senders, *missing;
	struct example examples[EXAMPLES];
	size_t example_count;
	struct arena *arena;  /* of the examples */
	struct arena *record; /* of some messages */
	int64_t shown_at;
};

static const char help[] =
    "usage: sekisho replay NEW.conf [--since TIME] [--json] [-c FILE | --history PATH]\n\n"
    "Judges the messages of the history again with the policy NEW.conf, over their recorded facts: how many more or\n"
    "fewer would be refused, deferred or held, by which rules, whose, with examples. What depends on a fact that was\n"
    "not recorded is counted, never guessed; `record { facts all }` records every fact.\n\n"
    "  --json             one JSON object\n" PAST_HELP "  -h, --help         this\n";

static int usage(FILE *out, int code)
{
	fputs(help, out);
	return code;
}

static int arguments_read(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {PAST_OPTIONS, {NULL}};
	int option, code;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout, VERB_OK);
		if (option == '?')
			return option_usage(argc, argv, "c:h", options);
		request->json |= option == 'j';
		code = past_option(&request->past, option, optarg);
		if (code >= 0)
			return code;
	}
	if (optind + 1 != argc)
		return usage(stderr, VERB_USAGE);
	request->policy_file = argv[optind];
	return -1;
}

/* ---- judging ------------------------------------------------------------------------------------------- */

static void bar_show(struct request *request, bool last)
{
	int64_t now = clock_us();
	int full = request->all ? (int)(BAR_WIDTH * request->seen / request->all) : BAR_WIDTH;

	if (!request->bar || (!last && now - request->shown_at < BAR_STEP_US))
		return;
	request->shown_at = now;
	fprintf(stderr, "\r[%.*s%*s] %llu", full > BAR_WIDTH ? BAR_WIDTH : full,
		"########################################", full > BAR_WIDTH ? 0 : BAR_WIDTH - full, "",
		(unsigned long long)request->seen);
	if (last)
		fputs("\r\033[K", stderr);
}

static void keep_example(struct request *request, const struct record *record, const struct replayed *replayed)
{
	struct arena *arena = request->arena;

	if (request->example_count == EXAMPLES)
		return;
	request->examples[request->example_count++] = (struct example){
	    .case_id = arena_copy(arena, record->case_id),
	    .sender = arena_copy(arena, record->sender.n ? record->sender : SLICE("<>")),
	    .before = arena_copy(arena, record->verdict),
	    .after = slice_of(verdict_names[replayed->verdict]),
	    .rule = arena_copy(arena, replayed->rule.n ? replayed->rule : SLICE("no rule")),
	};
}

static enum verdict verdict_of(const struct record *record)
{
	int verdict = VERDICT_ACCEPT;

	while (verdict < VERDICT_COUNT && !slice_equal(record->verdict, slice_of(verdict_names[verdict])))
		verdict++;
	return verdict < VERDICT_COUNT ? (enum verdict)verdict : VERDICT_NONE;
}

static void judge(struct request *request, const struct record *record)
{
	enum verdict before = verdict_of(record);
	struct replayed replayed;
	struct gate *gate;

	if (before == VERDICT_NONE) {
		request->aborted++;
		return;
	}
	gate = gate_replay(request->engine, record, request->names, NULL, &replayed);
	if (replayed.unjudged) {
		request->unjudged++;
		tally_add(request->missing, slice_of(replayed.missing));
	} else {
		request->judged++;
		request->changes[before][replayed.verdict]++;
	}
	if (!replayed.unjudged && before != replayed.verdict) {
		tally_add(request->rules, replayed.rule.n ? replayed.rule : record->rule);
		tally_add(request->senders, record->sender.n ? record->sender : SLICE("<>"));
		keep_example(request, record, &replayed);
	}
	gate_close(gate);
}

static bool take(void *context, const struct history_row *row)
{
	struct request *request = context;
	struct record record;
	json_t *json;

	if (request->seen++ % RESET_EVERY == 0)
		arena_reset(request->record);
	json = record_parse(row->line, request->record, &record);
	record.time_us = row->time_us;
	if (json)
		judge(request, &record);
	else
		request->unreadable++;
	json_decref(json);
	bar_show(request, false);
	return true;
}

/* ---- the result ---------------------------------------------------------------------------------------------- */

static uint64_t sum_to(const struct request *request, enum verdict verdict, bool before)
{
	uint64_t sum = 0;

	for (int other = 0; other < VERDICT_COUNT; other++)
		sum += before ? request->changes[verdict][other] : request->changes[other][verdict];
	return sum;
}

static void print_table(const struct request *request)
{
	static const struct {
		enum verdict verdict;
		const char *name;
	} rows[] = {{VERDICT_ACCEPT, "accepted"},
		    {VERDICT_REJECT, "refused"},
		    {VERDICT_DEFER, "deferred"},
		    {VERDICT_QUARANTINE, "held"},
		    {VERDICT_DISCARD, "discarded"}};

	printf("%-12s %10s %10s %10s\n", "", "then", "now", "difference");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		long long then = (long long)sum_to(request, rows[i].verdict, true);
		long long now = (long long)sum_to(request, rows[i].verdict, false);

		if (then || now)
			printf("%-12s %10lld %10lld %+10lld\n", rows[i].name, then, now, now - then);
	}
}

static void print_top(const char *title, const struct tally *tally, struct arena *arena)
{
	size_t count;
	const struct tallied *top = tally_top(tally, TOP, arena, &count);

	if (count)
		printf("\n%s\n", title);
	for (size_t i = 0; i < count; i++) {
		printf("%10llu  ", (unsigned long long)top[i].count);
		trace_print_text(stdout, top[i].name);
		putchar('\n');
	}
}

static void print_result(const struct request *request)
{
	print_table(request);
	print_top("by rule", request->rules, request->arena);
	print_top("senders most affected", request->senders, request->arena);
	if (request->example_count)
		puts("\nexamples");
	for (size_t i = 0; i < request->example_count; i++) {
		const struct example *example = &request->examples[i];

		printf("  %.*s  %.*s -> %.*s  ", SLICE_ARGS(example->case_id), SLICE_ARGS(example->before),
		       SLICE_ARGS(example->after));
		trace_print_text(stdout, example->sender);
		printf("  ");
		trace_print_text(stdout, example->rule);
		putchar('\n');
	}
	printf("\n%llu messages judged", (unsigned long long)request->judged);
	if (request->unjudged)
		printf(", %llu not: a fact was not recorded, or a list cannot be asked",
		       (unsigned long long)request->unjudged);
	if (request->aborted)
		printf(", %llu without an answer then", (unsigned long long)request->aborted);
	if (request->lost + request->unreadable)
		printf(", about %llu records could not be read",
		       (unsigned long long)(request->lost + request->unreadable));
	putchar('\n');
	print_top("not recorded", request->missing, request->arena);
}

static json_t *top_json(const struct tally *tally, const char *name, struct arena *arena)
{
	json_t *array = json_array();
	size_t count;
	const struct tallied *top = tally_top(tally, TOP, arena, &count);

	for (size_t i = 0; i < count; i++) {
		json_t *one = json_object();

		json_object_set_new(one, name, json_text(top[i].name));
		json_object_set_new(one, "count", json_integer((json_int_t)top[i].count));
		json_array_append_new(array, one);
	}
	return array;
}

static json_t *verdicts_json(const struct request *request, bool before)
{
	json_t *object = json_object();

	for (int verdict = VERDICT_ACCEPT; verdict < VERDICT_COUNT; verdict++)
		json_object_set_new(object, verdict_names[verdict],
				    json_integer((json_int_t)sum_to(request, (enum verdict)verdict, before)));
	return object;
}

static json_t *examples_json(const struct request *request)
{
	json_t *array = json_array();

	for (size_t i = 0; i < request->example_count; i++) {
		const struct example *example = &request->examples[i];
		json_t *one = json_object();

		json_object_set_new(one, "case", json_text(example->case_id));
		json_object_set_new(one, "sender", json_text(example->sender));
		json_object_set_new(one, "then", json_text(example->before));
		json_object_set_new(one, "now", json_text(example->after));
		json_object_set_new(one, "rule", json_text(example->rule));
		json_array_append_new(array, one);
	}
	return array;
}

static void print_json(const struct request *request)
{
	json_t *object = json_object();

	json_object_set_new(object, "judged", json_integer((json_int_t)request->judged));
	json_object_set_new(object, "not-judged", json_integer((json_int_t)request->unjudged));
	json_object_set_new(object, "without-answer", json_integer((json_int_t)request->aborted));
	json_object_set_new(object, "unreadable", json_integer((json_int_t)(request->lost + request->unreadable)));
	json_object_set_new(object, "then", verdicts_json(request, true));
	json_object_set_new(object, "now", verdicts_json(request, false));
	json_object_set_new(object, "rules", top_json(request->rules, "rule", request->arena));
	json_object_set_new(object, "senders", top_json(request->senders, "sender", request->arena));
	json_object_set_new(object, "examples", examples_json(request));
	json_object_set_new(object, "missing", top_json(request->missing, "fact", request->arena));
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

/* ---- the verb ---------------------------------------------------------------------------------------------------- */

static struct policy *new_policy(const char *file)
{
	struct diagnostics *found = diagnostics_new();
	struct policy *policy = policy_load_as(POLICY_EXPLAIN, file, found);
	char *text;

	if (!policy) {
		text = diagnostics_print(found);
		fputs(text, stderr);
		free(text);
	}
	diagnostics_free(found);
	return policy;
}

static int run(struct request *request, struct history_reader *reader, struct policy *policy)
{
	struct counters counters = {0};
	struct error err;
	struct resolver *resolver = resolver_open_zone(SLICE(""), "", &err); /* asks nobody */
	struct fact_names *names = fact_names_new();

	request->engine = engine_new(policy, resolver, NULL, &counters);
	request->names = names;
	request->arena = arena_new();
	request->record = arena_new();
	request->rules = tally_new();
	request->senders = tally_new();
	request->missing = tally_new();
	request->all = history_size(reader);
	request->bar = isatty(STDERR_FILENO);
	history_each(reader, request->past.since_us, take, request, &request->lost);
	bar_show(request, true);
	if (request->json)
		print_json(request);
	else
		print_result(request);
	tally_free(request->rules);
	tally_free(request->senders);
	tally_free(request->missing);
	arena_free(request->record);
	arena_free(request->arena);
	engine_release(request->engine);
	resolver_release(resolver);
	fact_names_free(names);
	return VERB_OK;
}

int verb_replay(int argc, char **argv)
{
	struct request request = {.past = {argv[0], DEFAULT_CONFIG, NULL, 0}};
	struct policy *policy, *now;
	struct history_reader *reader;
	int code = arguments_read(argc, argv, &request);

	if (code >= 0)
		return code;
	policy = new_policy(request.policy_file);
	if (!policy)
		return VERB_CONFIG;
	now = request.past.file ? NULL : past_policy(&request.past);
	reader = past_open(&request.past, now, &code);
	if (reader)
		code = run(&request, reader, policy);
	history_reader_close(reader);
	policy_release(now);
	policy_release(policy);
	return code;
}
