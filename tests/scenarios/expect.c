/*
 * expect.c - what a scenario may expect of the last answer, of the record and of
 * the changes to the header.
 */
#include "json.h"
#include "play.h"
#include <stdlib.h>
#include <string.h>

static struct slice reply_text(struct play *play)
{
	const struct reply *reply = gate_reply(play->gate);
	struct text text;

	text_init(&text, play->arena, TEXT_MAX);
	text_printf(&text, "%u %.*s", reply->code, SLICE_ARGS(reply->enhanced));
	for (size_t i = 0; i < reply->line_count; i++)
		text_printf(&text, "%s%.*s", i ? " / " : " ", SLICE_ARGS(reply->lines[i]));
	return text_slice(&text);
}

void expect_reply(struct play *play, struct slice rest)
{
	struct slice got = play->answer == GATE_CONTINUE  ? SLICE("ok")
			   : play->answer == GATE_DISCARD ? SLICE("discard")
							  : reply_text(play);

	if (!slice_starts_nocase(got, rest))
		fail(play, "reply: expected %.*s, got %.*s", SLICE_ARGS(rest), SLICE_ARGS(got));
}

static struct slice json_value(struct play *play, json_t *record, const char *key)
{
	json_t *value = json_object_get(record, key);

	if (!value)
		value = json_object_get(json_object_get(record, "facts"), key);
	if (!value)
		value = json_object_get(json_object_get(record, "vars"), key);
	if (!value)
		return SLICE("(absent)");
	if (json_is_string(value))
		return arena_copy(play->arena, (struct slice){json_string_value(value), json_string_length(value)});
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	struct slice copy = arena_copy(play->arena, slice_of(text));
	free(text);
	return copy;
}

void expect_record(struct play *play, struct slice rest)
{
	const struct record *record = gate_record(play->gate);
	struct slice word;

	if (!record) {
		fail(play, "no record has been written yet");
		return;
	}
	json_t *json = json_loads(record_line(record, RECORD_LINE_MAX, play->arena), 0, NULL);
	while (slice_word(&rest, &word)) {
		ptrdiff_t equal = slice_find(word, '=');
		if (equal < 1) {
			fail(play, "record: no KEY=VALUE: %.*s", SLICE_ARGS(word));
			break;
		}
		const char *key = arena_cstring(play->arena, slice_head(word, (size_t)equal));
		struct slice got = json_value(play, json, key);
		if (!slice_equal(got, slice_from(word, (size_t)equal + 1)))
			fail(play, "record: expected %.*s, got %s=%.*s", SLICE_ARGS(word), key, SLICE_ARGS(got));
	}
	json_decref(json);
}

/* The text of the policy's line that decided. */
void expect_rule(struct play *play, struct slice rest)
{
	const struct record *record = gate_record(play->gate);
	struct slice config = text_slice(&play->config), line = SLICE(""), number;
	uint64_t wanted = 0;

	if (!record) {
		fail(play, "no record has been written yet");
		return;
	}
	number = slice_from(record->rule, (size_t)(slice_find_last(record->rule, ':') + 1));
	if (slice_number(number, 100000, &wanted) != 0)
		wanted = 0;
	for (uint64_t i = 0; i < wanted && slice_cut(&config, '\n', &line); i++)
		continue;
	if (!memmem(line.p ? line.p : "", line.n, rest.p, rest.n) || !wanted)
		fail(play, "rule: expected %.*s, decided by %.*s %.*s", SLICE_ARGS(rest), SLICE_ARGS(record->rule),
		     SLICE_ARGS(slice_trim(line)));
}

void expect_note(struct play *play, struct slice rest)
{
	const struct record *record = gate_record(play->gate);
	struct slice kind = {0};

	slice_word(&rest, &kind);
	rest = slice_trim(rest);
	for (size_t i = 0; record && i < record->note_count; i++)
		if (slice_equal(record->notes[i].kind, kind) && slice_starts_nocase(record->notes[i].text, rest))
			return;
	fail(play, "note: there is no %.*s note: %.*s", SLICE_ARGS(kind), SLICE_ARGS(rest));
}

void expect_score(struct play *play, struct slice rest)
{
	const struct record *record = gate_record(play->gate);
	struct slice points = {0};
	char number[NUMBER_TEXT];

	slice_word(&rest, &points);
	rest = slice_trim(rest);
	for (size_t i = 0; record && i < record->score_count; i++)
		if (slice_equal(number_print(record->scores[i].points, number), points) &&
		    slice_equal(record->scores[i].why, rest))
			return;
	fail(play, "score: there is no %.*s: %.*s", SLICE_ARGS(points), SLICE_ARGS(rest));
}

void expect_no_notes(struct play *play, struct slice rest)
{
	const struct record *record = gate_record(play->gate);

	(void)rest;
	if (!record || record->note_count)
		fail(play, "no-notes: there are some, beginning with: %.*s",
		     SLICE_ARGS(record && record->note_count ? record->notes[0].text : SLICE("")));
}

/* Unfolded, and tabs as spaces: how a value is folded is not what a scenario is about. A line end that
 * folds nothing shows. */
static struct slice one_line(struct slice value, struct arena *arena)
{
	struct slice unfolded = header_unfold(value, arena);
	struct text text;

	text_init(&text, arena, TEXT_MAX);
	for (size_t i = 0; i + 1 < value.n; i++)
		if (value.p[i] == '\n' && value.p[i + 1] != ' ' && value.p[i + 1] != '\t')
			text_add(&text, SLICE("(broken line) "));
	for (size_t i = 0; i < unfolded.n; i++)
		text_add_char(&text, unfolded.p[i] == '\t' ? ' ' : unfolded.p[i]);
	return text_slice(&text);
}

/* Line ends as \n, so that a body is one line of a scenario. */
static struct slice with_marks(struct slice text, struct arena *arena)
{
	struct text out;

	text_init(&out, arena, TEXT_MAX);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n')
			text_add(&out, SLICE("\\n"));
		else if (text.p[i] != '\r')
			text_add_char(&out, text.p[i]);
	}
	return text_slice(&out);
}

static struct slice change_text(struct play *play, const struct change *change)
{
	const char *word = change_names[change->kind];
	struct slice value = one_line(change->value, play->arena);

	switch (change->kind) {
	case CHANGE_DELETE:
		return arena_printf(play->arena, "delete %.*s %u", SLICE_ARGS(change->name), change->index);
	case CHANGE_REPLACE:
		return arena_printf(play->arena, "replace %.*s %u: %.*s", SLICE_ARGS(change->name), change->index,
				    SLICE_ARGS(value));
	case CHANGE_INSERT:
	case CHANGE_APPEND:
		return arena_printf(play->arena, "%s %.*s: %.*s", word, SLICE_ARGS(change->name), SLICE_ARGS(value));
	case CHANGE_BODY:
		value = with_marks(change->value, play->arena);
		break;
	default:
		break;
	}
	return arena_printf(play->arena, "%s %.*s", word, SLICE_ARGS(value));
}

/* The scenario lists the changes in the order in which they are made. */
void expect_change(struct play *play, struct slice rest)
{
	size_t count;
	const struct change *changes = gate_changes(play->gate, &count);
	struct slice got = play->change < count ? change_text(play, &changes[play->change]) : SLICE("no more changes");

	play->change++;
	if (!slice_starts_nocase(got, rest))
		fail(play, "change %zu: expected %.*s, got %.*s", play->change, SLICE_ARGS(rest), SLICE_ARGS(got));
}

void expect_no_more_changes(struct play *play, struct slice rest)
{
	size_t count;
	const struct change *changes = gate_changes(play->gate, &count);

	(void)rest;
	if (play->change < count)
		fail(play, "no-more-changes: there is %.*s", SLICE_ARGS(change_text(play, &changes[play->change])));
}

void expect_quarantine(struct play *play, struct slice rest)
{
	const struct slice *reason = gate_quarantine(play->gate);

	if (!reason || !slice_equal(*reason, rest))
		fail(play, "quarantine: got %.*s", SLICE_ARGS(reason ? *reason : SLICE("none")));
}

void expect_footer(struct play *play, struct slice rest)
{
	const struct record *record = gate_record(play->gate);

	if (!record || !slice_equal(record->footer, rest))
		fail(play, "footer: got %.*s", SLICE_ARGS(record ? record->footer : SLICE("no record")));
}
