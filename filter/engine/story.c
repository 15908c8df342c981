/*
 * story.c - a record as lines for people, with the rules that led to it. Contract: story.h.
 */
#include "story.h"
#include "json.h"

#define LINES_FIRST 32

const char story_without_rules[] = "The policy file has changed since, cannot be read, or asks for what is not in the "
				   "record: its rules are not shown.";

struct teller {
	struct arena *arena;
	struct story_line *lines;
	size_t count, room;
};

static void put(struct teller *teller, const struct story_line *line)
{
	if (teller->count == teller->room) {
		size_t room = teller->room ? teller->room * 2 : LINES_FIRST;
		struct story_line *lines = arena_alloc(teller->arena, room * sizeof(*lines));

		if (teller->count)
			memcpy(lines, teller->lines, teller->count * sizeof(*lines));
		teller->lines = lines;
		teller->room = room;
	}
	teller->lines[teller->count++] = *line;
}

static void say(struct teller *teller, enum story_part part, const char *name, struct slice text)
{
	if (text.n)
		put(teller, &(struct story_line){part, false, slice_of(name), text});
}

static void say_below(struct teller *teller, enum story_part part, const char *name, struct slice text)
{
	if (text.n)
		put(teller, &(struct story_line){part, true, slice_of(name), text});
}

/* ---- who -------------------------------------------------------------------------------------------------- */

static void say_client(struct teller *teller, const struct record *record)
{
	struct slice client = record->client.n ? record->client : SLICE("a local program");

	if (record->client_name.n)
		client = arena_join(teller->arena, client, SLICE("  "), record->client_name);
	say(teller, STORY_WHO, "client", client);
	say(teller, STORY_WHO, "helo", record->helo);
	say(teller, STORY_WHO, "traffic", record->kind);
	say(teller, STORY_WHO, "tenant", record->tenant);
	say(teller, STORY_WHO, "sender", record->sender.n ? record->sender : SLICE("<>"));
}

static void say_recipients(struct teller *teller, const struct record *record)
{
	for (size_t i = 0; i < record->recipient_count; i++) {
		const struct record_recipient *recipient = &record->recipients[i];

		say(teller, STORY_WHO, recipient->reply.n ? "refused" : "recipient", recipient->address);
		say_below(teller, STORY_WHO, "rule", recipient->rule);
		say_below(teller, STORY_WHO, "reply", recipient->reply);
	}
}

/* ---- what was told ------------------------------------------------------------------------------------------ */

/* What the client was told, in words of people. */
static void say_verdict(struct teller *teller, const struct record *record)
{
	static const struct {
		struct slice told;
		const char *text;
	} words[] = {{SLICE("held"), "the refusal waited for the end of the message"},
		     {SLICE("edits-failed"), "the mail server did not make every edit, so it was deferred"},
		     {SLICE("unanswered"), "the mail server was gone before it got the answer"}};

	say(teller, STORY_TOLD, "verdict", record->verdict);
	say(teller, STORY_TOLD, "decided by", record->rule.n ? record->rule : SLICE("no rule"));
	say(teller, STORY_TOLD, "stage", record->stage);
	say(teller, STORY_TOLD, "reply", record->reply);
	say(teller, STORY_TOLD, "quarantine", record->quarantine);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_equal(record->told, words[i].told))
			say(teller, STORY_TOLD, "told", slice_of(words[i].text));
}

static void say_notes(struct teller *teller, const struct record *record)
{
	for (size_t i = 0; i < record->score_count; i++)
		say(teller, STORY_TOLD, "score",
		    arena_printf(teller->arena, "%+lld %.*s (%.*s)", (long long)record->scores[i].points,
				 SLICE_ARGS(record->scores[i].why), SLICE_ARGS(record->scores[i].rule)));
	for (size_t i = 0; i < record->note_count; i++) {
		say(teller, STORY_TOLD, arena_cstring(teller->arena, record->notes[i].kind), record->notes[i].text);
		say_below(teller, STORY_TOLD, "rule", record->notes[i].rule);
	}
}

static void say_edits(struct teller *teller, const struct record *record)
{
	if (record->new_sender.p)
		say(teller, STORY_TOLD, "new sender", record->new_sender);
	for (size_t i = 0; i < record->added_count; i++)
		say(teller, STORY_TOLD, "added", record->added[i]);
	for (size_t i = 0; i < record->removed_count; i++)
		say(teller, STORY_TOLD, "removed", record->removed[i]);
	say(teller, STORY_TOLD, "footer", record->footer);
}

static void say_questions(struct teller *teller, const struct record *record)
{
	for (size_t i = 0; i < record->question_count; i++) {
		const struct record_question *question = &record->questions[i];
		struct slice name = arena_join(teller->arena, question->name, SLICE(" "), slice_of(question->type));

		put(teller, &(struct story_line){STORY_DNS, false, name, question->answer});
	}
}

static struct slice fact_text(const struct record_fact *fact, struct arena *arena)
{
	switch (fact->form) {
	case RECORD_TEXT:
		return fact->text;
	case RECORD_NUMBER:
		return arena_printf(arena, "%lld", (long long)fact->number);
	case RECORD_BOOL:
		return fact->number ? SLICE("yes") : SLICE("no");
	case RECORD_NULL:
		break;
	}
	return SLICE("-");
}

static void say_facts(struct teller *teller, const struct record *record)
{
	for (size_t i = 0; i < record->fact_count; i++)
		put(teller, &(struct story_line){STORY_FACTS, false, record->facts[i].name,
						 fact_text(&record->facts[i], teller->arena)});
}

static void say_all(struct teller *teller, const struct record *record, bool facts)
{
	say(teller, STORY_WHO, "time", clock_print(record->time_us, teller->arena));
	say(teller, STORY_WHO, "case", record->case_id);
	say(teller, STORY_WHO, "queue id", record->queue_id);
	say_client(teller, record);
	say_recipients(teller, record);
	say_verdict(teller, record);
	say_notes(teller, record);
	say_edits(teller, record);
	say_questions(teller, record);
	if (facts)
		say_facts(teller, record);
}

/* ---- the rules ------------------------------------------------------------------------------------------------ */

static struct slice after_last_slash(struct slice path)
{
	return slice_from(path, (size_t)(slice_find_last(path, '/') + 1));
}

/* Is it the same FILE:LINE? Of a relative path only the name counts: the daemon may have been started elsewhere. */
static bool same_rule(struct slice a, struct slice b)
{
	bool absolute = slice_starts_nocase(a, SLICE("/")) && slice_starts_nocase(b, SLICE("/"));

	return absolute ? slice_equal(a, b) : slice_equal(after_last_slash(a), after_last_slash(b));
}

/* Do the rules of the file lead to what is recorded? */
static bool leads_there(const struct record *record, const struct replayed *replayed)
{
	bool open = slice_equal(record->verdict, SLICE("aborted"));

	return !replayed->unjudged &&
	       (open || slice_equal(record->verdict, slice_of(verdict_names[replayed->verdict]))) &&
	       same_rule(record->rule, replayed->rule);
}

struct slice story_truth(enum truth truth)
{
	static const char *const words[] = {
	    [TRUTH_FALSE] = "false", [TRUTH_TRUE] = "true", [TRUTH_UNKNOWN] = "unknown"};

	return slice_of(words[truth]);
}

bool story_tell(struct engine *engine, const struct fact_names *names, const struct history_row *row,
		struct arena *arena, struct story *story_r)
{
	struct teller teller = {.arena = arena};
	struct tracer tracer = {trace_keep, &story_r->trace};
	struct replayed replayed;

	*story_r = (struct story){.trace.arena = arena};
	story_r->json = record_parse(row->line, arena, &story_r->record);
	if (!story_r->json)
		return false;
	story_r->record.time_us = row->time_us;
	if (engine) {
		story_r->gate = gate_replay(engine, &story_r->record, names, &tracer, &replayed);
		story_r->told_rules = leads_there(&story_r->record, &replayed);
	}
	say_all(&teller, &story_r->record, !story_r->told_rules);
	story_r->lines = teller.lines;
	story_r->line_count = teller.count;
	return true;
}

void story_end(struct story *story)
{
	gate_close(story->gate);
	json_decref(story->json);
}

/* ---- finding ---------------------------------------------------------------------------------------------------- */

struct finding {
	history_take *take;
	void *context;
	size_t count;
};

static bool take_counted(void *context, const struct history_row *row)
{
	struct finding *finding = context;

	finding->count++;
	return finding->take(finding->context, row);
}

int story_find(struct history_reader *reader, const struct history_found *found, int64_t since_us, history_take *take,
	       void *context, struct error *err)
{
	struct finding finding = {take, context, 0};
	struct history_found queue = {HISTORY_QUEUE_ID, found->text};
	int result = history_find(reader, found, since_us, take_counted, &finding, err);

	if (result || finding.count > 0 || found->term != HISTORY_CASE)
		return result;
	return history_find(reader, &queue, since_us, take, context, err);
}
