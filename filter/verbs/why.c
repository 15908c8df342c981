/*
 * why.c - sekisho why: what became of a message, and why, from the history.
 *
 * The rules are shown with the values that they saw. They are evaluated again over the recorded facts, with the policy
 * file as it is now; when this leads to another answer than the one recorded, the file has changed since, and only the
 * rule that decided then is shown.
 */
#include "json.h"
#include "option.h"
#include "past.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX    20 /* stories; of more messages the newest are shown */
#define RULES_MAX    200
#define NAME_COLUMNS 12

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
static void print_line(const char *name, struct slice text)
{
	size_t n = strlen(name);

	if (!text.n)
		return;
	trace_print_text(stdout, slice_of(name));
	printf("%*s ", n < NAME_COLUMNS ? (int)(NAME_COLUMNS - n) : 0, "");
	trace_print_text(stdout, text);
	putchar('\n');
}

static void print_client(const struct record *record, struct arena *arena)
{
	struct slice client = record->client.n ? record->client : SLICE("a local program");

	if (record->client_name.n)
		client = arena_join(arena, client, SLICE("  "), record->client_name);
	print_line("client", client);
	print_line("helo", record->helo);
	print_line("traffic", record->kind);
	print_line("tenant", record->tenant);
	print_line("sender", record->sender.n ? record->sender : SLICE("<>"));
}

static void print_recipients(const struct record *record)
{
	for (size_t i = 0; i < record->recipient_count; i++) {
		const struct record_recipient *recipient = &record->recipients[i];

		print_line(recipient->reply.n ? "refused" : "recipient", recipient->address);
		print_line("  rule", recipient->rule);
		print_line("  reply", recipient->reply);
	}
}

static void print_questions(const struct record *record)
{
	if (record->question_count)
		puts("dns");
	for (size_t i = 0; i < record->question_count; i++) {
		const struct record_question *question = &record->questions[i];

		printf("  ");
		trace_print_text(stdout, question->name);
		putchar(' ');
		trace_print_text(stdout, slice_of(question->type));
		printf("  ");
		trace_print_text(stdout, question->answer);
		putchar('\n');
	}
}

static void print_facts(const struct record *record)
{
	if (record->fact_count)
		puts("facts");
	for (size_t i = 0; i < record->fact_count; i++) {
		const struct record_fact *fact = &record->facts[i];

		printf("  ");
		trace_print_text(stdout, fact->name);
		printf("  ");
		if (fact->form == RECORD_TEXT)
			trace_print_text(stdout, fact->text);
		else if (fact->form == RECORD_NUMBER)
			printf("%lld", (long long)fact->number);
		else
			fputs(fact->form == RECORD_NULL ? "-" : fact->number ? "yes" : "no", stdout);
		putchar('\n');
	}
}

static void print_edits(const struct record *record)
{
	if (record->new_sender.p)
		print_line("new sender", record->new_sender);
	for (size_t i = 0; i < record->added_count; i++)
		print_line("added", record->added[i]);
	for (size_t i = 0; i < record->removed_count; i++)
		print_line("removed", record->removed[i]);
	print_line("footer", record->footer);
}

/* What the client was told, in words of people. */
static void print_told(const struct record *record)
{
	static const struct {
		struct slice told;
		const char *text;
	} words[] = {{SLICE("held"), "the refusal waited for the end of the message"},
		     {SLICE("edits-failed"), "the mail server did not make every edit, so it was deferred"},
		     {SLICE("unanswered"), "the mail server was gone before it got the answer"}};

	print_line("verdict", record->verdict);
	print_line("decided by", record->rule.n ? record->rule : SLICE("no rule"));
	print_line("stage", record->stage);
	print_line("reply", record->reply);
	print_line("quarantine", record->quarantine);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_equal(record->told, words[i].told))
			print_line("told", slice_of(words[i].text));
}

static void print_notes(const struct record *record, struct arena *arena)
{
	for (size_t i = 0; i < record->score_count; i++)
		print_line("score",
			   arena_printf(arena, "%+lld %.*s (%.*s)", (long long)record->scores[i].points,
					SLICE_ARGS(record->scores[i].why), SLICE_ARGS(record->scores[i].rule)));
	for (size_t i = 0; i < record->note_count; i++) {
		print_line(arena_cstring(arena, record->notes[i].kind), record->notes[i].text);
		print_line("  rule", record->notes[i].rule);
	}
}

static void print_story(const struct record *record, const struct trace *trace, struct arena *arena)
{
	print_line("time", clock_print(record->time_us, arena));
	print_line("case", record->case_id);
	print_line("queue id", record->queue_id);
	print_client(record, arena);
	print_recipients(record);
	putchar('\n');
	print_told(record);
	print_notes(record, arena);
	print_edits(record);
	print_questions(record);
	if (trace) {
		putchar('\n');
		trace_print(trace, stdout);
	} else {
		puts("The policy file has changed since, or cannot be read: its rules are not shown.");
		print_facts(record);
	}
}

/* ---- as JSON -------------------------------------------------------------------------------------------- */

static json_t *rules_json(const struct trace *trace, struct arena *arena)
{
	static const char *const truths[] = {"false", "true", "unknown"};
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
		json_object_set_new(one, "truth", json_string(truths[rule->truth]));
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

/* Do the rules of the file lead to what is recorded? */
static bool leads_there(const struct record *record, const struct replayed *replayed)
{
	bool open = slice_equal(record->verdict, SLICE("aborted"));

	return !replayed->unjudged &&
	       (open || slice_equal(record->verdict, slice_of(verdict_names[replayed->verdict]))) &&
	       slice_equal(record->rule, replayed->rule);
}

static bool tell(void *context, const struct history_row *row)
{
	struct request *request = context;
	struct arena *arena = arena_new();
	struct trace trace = {.arena = arena};
	struct tracer tracer = {trace_keep, &trace};
	struct record record;
	struct replayed replayed;
	json_t *json = record_parse(row->line, arena, &record);
	struct gate *gate = NULL;
	bool same = false;

	request->found_count++;
	if (json && request->shown < request->most) {
		record.time_us = row->time_us;
		if (request->engine) {
			gate = gate_replay(request->engine, &record, request->names, &tracer, &replayed);
			same = leads_there(&record, &replayed);
		}
		if (request->json)
			print_json(json, same ? &trace : NULL, arena);
		else
			print_story(&record, same ? &trace : NULL, arena);
		if (!request->json)
			putchar('\n');
		request->shown++;
	}
	gate_close(gate);
	json_decref(json);
	arena_free(arena);
	return true;
}

static int search(struct request *request, struct history_reader *reader)
{
	static const struct {
		enum history_term first, second;
	} also = {HISTORY_CASE, HISTORY_QUEUE_ID};
	struct error err;
	int result = history_find(reader, &request->found, request->past.since_us, tell, request, &err);

	if (result == 0 && request->found_count == 0 && request->found.term == also.first) {
		request->found.term = also.second;
		result = history_find(reader, &request->found, request->past.since_us, tell, request, &err);
	}
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
