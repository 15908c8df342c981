/*
 * fuzz_record.c - records of any bytes, from empty ones to ones far beyond
 * every limit. Each line is within its limit, is JSON, and is what jansson would
 * write of it.
 */
#include "fuzz.h"
#include "report.h"
#include "json.h"

#include <string.h>

#define TEXTS       16
#define MANY        63           /* of each list; of recipients eight times as many */
#define TOGETHER    (128 * 1024) /* of all texts, so that an input takes little time */
#define CUT_AT_MOST 512          /* as report.h says */

/* The input: texts, of which the record is made in turn. */
struct source {
	const uint8_t *p;
	size_t n;
	struct arena *arena;
	struct slice texts[TEXTS];
	unsigned next;
	size_t together;
};

static unsigned take(struct source *source)
{
	if (source->n == 0)
		return 0;
	source->n--;
	return *source->p++;
}

/* Up to 63 bytes of the input, once or many times. */
static struct slice take_text(struct source *source)
{
	static const unsigned times[] = {1, 8, 100, 1000};
	unsigned head = take(source);
	struct slice piece = slice_head((struct slice){(const char *)source->p, source->n}, head & 63);
	struct text text;

	source->p += piece.n;
	source->n -= piece.n;
	text_init(&text, source->arena, TOGETHER - source->together);
	for (unsigned i = 0; i < times[head >> 6]; i++)
		text_add(&text, piece);
	source->together += text_slice(&text).n;
	return text_slice(&text);
}

static struct slice next(struct source *source)
{
	return source->texts[source->next++ % TEXTS];
}

static void check(const struct record *record, size_t limit, struct arena *arena)
{
	char *line = record_line(record, limit, arena), *again;
	json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL), *sender = json_text(record->sender);

	must(strlen(line) <= limit);
	must(json);
	again = json_dumps(json, JSON_COMPACT);
	must(strcmp(again, line) == 0);
	if (record->sender.n <= CUT_AT_MOST && !json_object_get(json, "truncated"))
		must(json_equal(json_object_get(json, "sender"), sender));
	free(again);
	json_decref(sender);
	json_decref(json);
}

static void fill_head(struct record *record, struct source *source)
{
	struct slice *texts[] = {&record->queue_id, &record->client, &record->client_name, &record->helo,
				 &record->kind,     &record->sender, &record->verdict,     &record->stage,
				 &record->rule,     &record->reply,  &record->quarantine};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = next(source);
	for (size_t i = 0; i < sizeof(record->time_us); i++)
		record->time_us = (int64_t)((uint64_t)record->time_us << 8 | take(source));
	record->dns_us = ~record->time_us;
	record->total_us = record->time_us / 7;
	record->dns_stale = take(source);
}

/* Their names are different, as those of facts are. */
static void fill_lists(struct record *record, struct source *source)
{
	struct record_fact *facts = arena_alloc(source->arena, MANY * sizeof(*facts));
	struct record_note *notes = arena_alloc(source->arena, MANY * sizeof(*notes));
	struct record_recipient *recipients = arena_alloc(source->arena, 8 * MANY * sizeof(*recipients));

	record->facts = facts;
	record->notes = notes;
	record->recipients = recipients;
	record->fact_count = take(source) & MANY;
	record->note_count = take(source) & MANY;
	record->recipient_count = take(source) & MANY;
	record->recipient_count *= record->recipient_count & 1 ? 8 : 1;
	for (size_t i = 0; i < record->fact_count; i++) {
		struct slice number = arena_printf(source->arena, "%zu ", i), name = slice_head(next(source), 100);

		facts[i] = (struct record_fact){arena_join(source->arena, number, name), take(source) & 3, next(source),
						(int64_t)i - 3};
	}
	for (size_t i = 0; i < record->note_count; i++)
		notes[i] = (struct record_note){next(source), next(source), next(source)};
	for (size_t i = 0; i < record->recipient_count; i++)
		recipients[i] = (struct record_recipient){next(source), next(source), next(source), next(source)};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source source = {.p = data, .n = size, .arena = arena_new()};
	struct record record = {0};

	for (size_t i = 0; i < TEXTS; i++)
		source.texts[i] = take_text(&source);
	fill_head(&record, &source);
	fill_lists(&record, &source);
	check(&record, RECORD_SYSLOG_MAX, source.arena);
	check(&record, RECORD_LINE_MAX, source.arena);
	check(&record, 4 * RECORD_LINE_MAX, source.arena);
	arena_free(source.arena);
	return 0;
}
