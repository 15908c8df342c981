/*
 * record.c - the record of a message as one line of JSON.
 *
 * Everything in it may come from a stranger: texts are cut, bytes that are not
 * UTF-8 are written as \xNN, and a line never passes its limit. The least important parts are left out
 * first: facts, notes, recipients, the tails of texts.
 *
 * The line is written incrementally and abandoned as soon as the limit is reached: the cost of
 * a hostile message is bounded by the limit, not by the message.
 */
#include "json_writer.h"
#include "report.h"

#define TEXT_MAX       512 /* of one text in a record; a Subject may be a megabyte */
#define RECIPIENTS_MAX 100 /* listed by name; all are counted */
#define QUESTION_MAX   160 /* of an answer: enough to see what kind of record it is */
#define SCORES_MAX     50  /* listed; all are counted, and in the sum */

/* How much of a record is shown. Its head (everything before the facts) depends only on `recipients` and `text`. */
struct amount {
	bool facts, notes;
	size_t recipients, text;
};

/* From all to what fits under any limit: fourteen texts of 16 bytes, six characters each at worst. */
static const struct amount amounts[] = {
    {true, true, RECIPIENTS_MAX, TEXT_MAX},
    {false, true, RECIPIENTS_MAX, TEXT_MAX},
    {false, false, RECIPIENTS_MAX, TEXT_MAX},
    {false, false, 5, TEXT_MAX},
    {false, false, 1, 64},
    {false, false, 0, 16},
};
#define AMOUNT_COUNT (sizeof(amounts) / sizeof(amounts[0]))

/* Cut before a character, not inside one. */
static struct slice cut(struct slice text, size_t limit)
{
	if (text.n <= limit)
		return text;
	while (limit > 0 && ((unsigned char)text.p[limit] & 0xc0) == 0x80)
		limit--;
	return slice_head(text, limit);
}

/* An empty text is null. */
static void add_or_null(struct json_writer *writer, struct slice name, struct slice text, size_t limit)
{
	if (text.n > 0)
		writer_text(writer, name, cut(text, limit));
	else
		writer_word(writer, name, SLICE("null"));
}

static void add_recipients(struct json_writer *writer, const struct record *record, const struct amount *amount)
{
	size_t shown = record->recipient_count < amount->recipients ? record->recipient_count : amount->recipients;
	bool refused = false;

	writer_open(writer, SLICE("recipients"), '[');
	for (size_t i = 0; i < shown && !writer->full; i++) {
		writer_text(writer, SLICE(""), cut(record->recipients[i].address, amount->text));
		refused |= record->recipients[i].reply.n > 0;
	}
	writer_close(writer, ']');
	if (refused)
		writer_open(writer, SLICE("refused"), '[');
	for (size_t i = 0; refused && i < shown && !writer->full; i++) {
		const struct record_recipient *recipient = &record->recipients[i];

		if (recipient->reply.n == 0)
			continue;
		writer_open(writer, SLICE(""), '{');
		writer_text(writer, SLICE("recipient"), cut(recipient->address, amount->text));
		writer_text(writer, SLICE("verdict"), cut(recipient->verdict, amount->text));
		writer_text(writer, SLICE("reply"), cut(recipient->reply, amount->text));
		writer_text(writer, SLICE("rule"), cut(recipient->rule, amount->text));
		writer_close(writer, '}');
	}
	if (refused)
		writer_close(writer, ']');
	if (record->recipient_count > amount->recipients)
		writer_number(writer, SLICE("recipient-count"), (int64_t)record->recipient_count);
}

/* `name` is omitted when there are none. */
static void add_addresses(struct json_writer *writer, struct slice name, const struct slice *addresses, size_t count,
			  const struct amount *amount)
{
	if (count == 0)
		return;
	writer_open(writer, name, '[');
	for (size_t i = 0; i < count && i < amount->recipients && !writer->full; i++)
		writer_text(writer, SLICE(""), cut(addresses[i], amount->text));
	writer_close(writer, ']');
}

/* What was changed beside the header. */
static void add_edits(struct json_writer *writer, const struct record *record, const struct amount *amount)
{
	if (record->new_sender.p)
		writer_text(writer, SLICE("new-sender"), cut(record->new_sender, amount->text));
	add_addresses(writer, SLICE("added"), record->added, record->added_count, amount);
	add_addresses(writer, SLICE("removed"), record->removed, record->removed_count, amount);
	if (record->footer.n > 0)
		writer_text(writer, SLICE("footer"), cut(record->footer, amount->text));
}

static void add_head(struct json_writer *writer, const struct record *record, const struct amount *amount)
{
	writer_open(writer, SLICE(""), '{');
	writer_number(writer, SLICE("v"), RECORD_VERSION);
	writer_text(writer, SLICE("time"), clock_print(record->time_us, writer->text.arena));
	writer_text(writer, SLICE("verdict"), cut(record->verdict, amount->text));
	if (record->told.n > 0)
		writer_text(writer, SLICE("told"), cut(record->told, amount->text));
	add_or_null(writer, SLICE("rule"), record->rule, amount->text);
	add_or_null(writer, SLICE("reply"), record->reply, amount->text);
	add_or_null(writer, SLICE("stage"), record->stage, amount->text);
	if (record->quarantine.n > 0)
		writer_text(writer, SLICE("quarantine"), cut(record->quarantine, amount->text));
	if (record->score_count > 0)
		writer_number(writer, SLICE("score"), record->score);
	writer_text(writer, SLICE("kind"), cut(record->kind, amount->text));
	if (record->tenant.n > 0)
		writer_text(writer, SLICE("tenant"), cut(record->tenant, amount->text));
	writer_text(writer, SLICE("case"), cut(record->case_id, amount->text));
	if (record->hidden)
		writer_word(writer, SLICE("hidden"), SLICE("true"));
	add_or_null(writer, SLICE("queue-id"), record->queue_id, amount->text);
	add_or_null(writer, SLICE("client"), record->client, amount->text);
	add_or_null(writer, SLICE("client.name"), record->client_name, amount->text);
	add_or_null(writer, SLICE("helo"), record->helo, amount->text);
	writer_text(writer, SLICE("sender"), cut(record->sender, amount->text));
	add_recipients(writer, record, amount);
	add_edits(writer, record, amount);
}

static void add_facts(struct json_writer *writer, struct slice name, const struct record_fact *facts, size_t count,
		      const struct amount *amount)
{
	writer_open(writer, name, '{');
	for (size_t i = 0; i < count && !writer->full; i++) {
		const struct record_fact *fact = &facts[i];

		switch (fact->form) {
		case RECORD_NUMBER:
			writer_number(writer, fact->name, fact->number);
			break;
		case RECORD_BOOL:
			writer_word(writer, fact->name, fact->number ? SLICE("true") : SLICE("false"));
			break;
		case RECORD_NULL:
			writer_word(writer, fact->name, SLICE("null"));
			break;
		case RECORD_TEXT:
			writer_text(writer, fact->name, cut(fact->text, amount->text));
		}
	}
	writer_close(writer, '}');
}

static void add_notes(struct json_writer *writer, const struct record *record, const struct amount *amount)
{
	writer_open(writer, SLICE("notes"), '[');
	for (size_t i = 0; i < record->note_count && !writer->full; i++) {
		writer_open(writer, SLICE(""), '{');
		writer_text(writer, SLICE("kind"), cut(record->notes[i].kind, amount->text));
		writer_text(writer, SLICE("rule"), cut(record->notes[i].rule, amount->text));
		writer_text(writer, SLICE("text"), cut(record->notes[i].text, amount->text));
		writer_close(writer, '}');
	}
	writer_close(writer, ']');
}

static void add_questions(struct json_writer *writer, const struct record *record, const struct amount *amount)
{
	writer_open(writer, SLICE("dns"), '[');
	for (size_t i = 0; i < record->question_count && !writer->full; i++) {
		const struct record_question *question = &record->questions[i];

		writer_open(writer, SLICE(""), '{');
		writer_text(writer, SLICE("name"), cut(question->name, amount->text));
		writer_text(writer, SLICE("type"), slice_of(question->type));
		writer_text(writer, SLICE("answer"), cut(question->answer, QUESTION_MAX));
		writer_close(writer, '}');
	}
	writer_close(writer, ']');
}

static void add_scores(struct json_writer *writer, const struct record *record, const struct amount *amount)
{
	size_t shown = record->score_count < SCORES_MAX ? record->score_count : SCORES_MAX;

	writer_open(writer, SLICE("scores"), '[');
	for (size_t i = 0; i < shown && !writer->full; i++) {
		writer_open(writer, SLICE(""), '{');
		writer_number(writer, SLICE("points"), record->scores[i].points);
		writer_text(writer, SLICE("rule"), cut(record->scores[i].rule, amount->text));
		writer_text(writer, SLICE("why"), cut(record->scores[i].why, amount->text));
		writer_close(writer, '}');
	}
	writer_close(writer, ']');
	if (shown < record->score_count)
		writer_number(writer, SLICE("score-count"), (int64_t)record->score_count);
}

static void add_rest(struct json_writer *writer, const struct record *record, const struct amount *amount)
{
	if (amount->facts)
		add_facts(writer, SLICE("facts"), record->facts, record->fact_count, amount);
	if (amount->facts && record->var_count > 0)
		add_facts(writer, SLICE("vars"), record->vars, record->var_count, amount);
	if (amount->notes && record->score_count > 0)
		add_scores(writer, record, amount);
	if (amount->notes && record->note_count > 0)
		add_notes(writer, record, amount);
	writer_number(writer, SLICE("dns-us"), record->dns_us);
	writer_number(writer, SLICE("dns-questions"), record->dns_questions);
	if (record->dns_stale > 0)
		writer_number(writer, SLICE("dns-stale"), record->dns_stale);
	writer_number(writer, SLICE("total-us"), record->total_us);
	if (amount != &amounts[0])
		writer_word(writer, SLICE("truncated"), SLICE("true"));
	if (amount->facts && record->question_count > 0)
		add_questions(writer, record, amount);
	writer_close(writer, '}');
}

static bool heads_equal(const struct amount *a, const struct amount *b)
{
	return a->recipients == b->recipients && a->text == b->text;
}

char *record_line(const struct record *record, size_t limit, struct arena *arena)
{
	struct json_writer writer;
	size_t head = 0; /* its length; 0: it did not fit */

	writer_begin(&writer, arena, limit);
	for (size_t i = 0; i < AMOUNT_COUNT; i++) {
		if (i == 0 || !heads_equal(&amounts[i], &amounts[i - 1])) {
			writer_rewind(&writer, 0);
			add_head(&writer, record, &amounts[i]);
			head = writer.full ? 0 : writer.text.n;
		}
		if (head == 0)
			continue;
		writer_rewind(&writer, head);
		add_rest(&writer, record, &amounts[i]);
		if (!writer.full)
			return text_cstring(&writer.text);
	}
	die("a record does not fit in %zu bytes", limit);
}

char *record_line_asked(const char *text, const struct record *record, size_t limit, struct arena *arena)
{
	struct slice line = slice_of(text);
	struct json_writer writer;

	if (slice_ends_nocase(line, SLICE("\"truncated\":true}")))
		return NULL;
	writer_begin(&writer, arena, limit);
	text_add(&writer.text, slice_head(line, line.n - 1));
	if (record->question_count > 0)
		add_questions(&writer, record, &amounts[0]);
	writer_close(&writer, '}');
	return writer.full ? NULL : text_cstring(&writer.text);
}
