/*
 * elements.c - the elements of a DMARC report, as a table, whatever their order and their namespace.
 *
 * An element that the table does not have inside its parent is left out with all that is in it; so extensions cannot be
 * taken for what they are not. Of an element that may occur once, the first one counts.
 */
#include "feedback_private.h"
#include <stdlib.h>

enum parent {
	TOP,
	FEEDBACK,
	METADATA,
	RANGE,
	POLICY,
	RECORD,
	ROW,
	EVALUATED,
	REASON,
	IDENTIFIERS,
	RESULTS,
	DKIM,
	SPF,
	LEAF
};

struct elements {
	struct feedback *feedback;
	struct arena *report_arena, *record_arena; /* texts of the report; of the record that is read */
	struct feedback_report report;
	struct feedback_record *record;
	struct slice space; /* of the root element */
	bool counted, sourced, told, complete, arc;
	bool begun, ended; /* of the period */
	struct feedback_auth auth;
	bool auth_told;
	unsigned depth, skipped; /* elements that are open; of those, from the first that is left out on */
	const struct row *open[FEEDBACK_DEPTH_MAX]; /* those that are read */
	char text[FEEDBACK_TEXT_MAX];
	size_t text_size;
	bool text_cut;
};

struct row {
	enum parent parent;
	const char *name;
	enum parent self; /* LEAF: it has a value */
	void (*take)(struct elements *, struct slice value);
	size_t offset; /* of a text in the report */
};

static void begin_row(struct elements *elements, const struct row *row);
static void end_row(struct elements *elements, const struct row *row, struct slice text);

static struct slice lower_domain(struct arena *arena, struct slice text)
{
	if (text.n > 0 && text.p[text.n - 1] == '.')
		text.n--;
	return arena_lower(arena, text);
}

static void take_begin(struct elements *elements, struct slice value)
{
	elements->begun = word_time(value, &elements->report.begin_s) == 0;
}

static void take_end(struct elements *elements, struct slice value)
{
	elements->ended = word_time(value, &elements->report.end_s) == 0;
}

static void take_domain(struct elements *elements, struct slice value)
{
	if (elements->report.domain.n == 0)
		elements->report.domain = lower_domain(elements->report_arena, value);
}

static void take_source(struct elements *elements, struct slice value)
{
	if (!elements->sourced)
		elements->record->source = word_source(value, &elements->report.notes);
	elements->sourced = true;
}

static void take_count(struct elements *elements, struct slice value)
{
	if (!elements->counted)
		elements->counted = word_count(value, &elements->record->count) == 0;
}

static void take_disposition(struct elements *elements, struct slice value)
{
	if (!elements->told)
		elements->record->disposition = word_disposition(value, &elements->report.notes);
	elements->told = true;
}

static void take_aligned_dkim(struct elements *elements, struct slice value)
{
	elements->record->dkim = word_pass(value, &elements->report.notes);
}

static void take_aligned_spf(struct elements *elements, struct slice value)
{
	elements->record->spf = word_pass(value, &elements->report.notes);
}

static void take_reason(struct elements *elements, struct slice value)
{
	elements->record->reasons |= word_reason(value, &elements->report.notes);
}

/* Receivers that trust a forwarder's ARC chain say so in a comment. */
static void take_comment(struct elements *elements, struct slice value)
{
	static const char pass[] = "arc=pass";

	for (size_t i = 0; i + sizeof(pass) - 1 <= value.n; i++)
		if (slice_starts_nocase(slice_from(value, i), slice_of(pass)))
			elements->record->reasons |= FEEDBACK_FORWARDED;
}

static void take_header_from(struct elements *elements, struct slice value)
{
	if (elements->record->header_from.n == 0)
		elements->record->header_from = lower_domain(elements->record_arena, value);
}

/* Is there room for another result of the kind that is open? */
static bool auth_room(const struct elements *elements)
{
	bool dkim = elements->open[elements->depth - 1]->self == DKIM;

	return (dkim ? elements->record->dkim_count : elements->record->spf_count) < FEEDBACK_RESULTS_MAX;
}

static void take_auth_domain(struct elements *elements, struct slice value)
{
	if (elements->auth.domain.n == 0 && auth_room(elements))
		elements->auth.domain = lower_domain(elements->record_arena, value);
}

static void take_auth_result(struct elements *elements, struct slice value)
{
	elements->auth.result = word_result(value, &elements->report.notes);
	elements->auth_told = true;
}

#define TEXT(member) LEAF, NULL, offsetof(struct feedback_report, member)

/* Rows of one parent follow each other. */
static const struct row rows[] = {
    {TOP, "feedback", FEEDBACK},
    {FEEDBACK, "record", RECORD},
    {FEEDBACK, "report_metadata", METADATA},
    {FEEDBACK, "policy_published", POLICY},
    {METADATA, "org_name", TEXT(org)},
    {METADATA, "email", TEXT(email)},
    {METADATA, "report_id", TEXT(id)},
    {METADATA, "date_range", RANGE},
    {RANGE, "begin", LEAF, take_begin},
    {RANGE, "end", LEAF, take_end},
    {POLICY, "domain", LEAF, take_domain},
    {POLICY, "p", TEXT(p)},
    {POLICY, "sp", TEXT(sp)},
    {POLICY, "np", TEXT(np)},
    {POLICY, "adkim", TEXT(adkim)},
    {POLICY, "aspf", TEXT(aspf)},
    {POLICY, "testing", TEXT(testing)},
    {POLICY, "pct", TEXT(pct)},
    {RECORD, "row", ROW},
    {RECORD, "identifiers", IDENTIFIERS},
    {RECORD, "identities", IDENTIFIERS}, /* of the drafts */
    {RECORD, "auth_results", RESULTS},
    {ROW, "source_ip", LEAF, take_source},
    {ROW, "count", LEAF, take_count},
    {ROW, "policy_evaluated", EVALUATED},
    {EVALUATED, "disposition", LEAF, take_disposition},
    {EVALUATED, "dkim", LEAF, take_aligned_dkim},
    {EVALUATED, "spf", LEAF, take_aligned_spf},
    {EVALUATED, "reason", REASON},
    {REASON, "type", LEAF, take_reason},
    {REASON, "comment", LEAF, take_comment},
    {IDENTIFIERS, "header_from", LEAF, take_header_from},
    {RESULTS, "dkim", DKIM},
    {RESULTS, "spf", SPF},
    {DKIM, "domain", LEAF, take_auth_domain},
    {DKIM, "result", LEAF, take_auth_result},
    {SPF, "domain", LEAF, take_auth_domain},
    {SPF, "result", LEAF, take_auth_result},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

struct elements *elements_new(struct feedback *feedback)
{
	struct elements *elements = xmalloc(sizeof(*elements));

	elements->feedback = feedback;
	elements->report_arena = arena_new();
	elements->record_arena = arena_new();
	elements->record = xmalloc(sizeof(*elements->record));
	return elements;
}

void elements_free(struct elements *elements)
{
	arena_free(elements->report_arena);
	arena_free(elements->record_arena);
	free(elements->record);
	free(elements);
}

/* NULL: it is left out. */
static const struct row *row_find(enum parent parent, const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].parent == parent && strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static bool space_known(struct slice space)
{
	static const char *const known[] = {"urn:ietf:params:xml:ns:dmarc-2.0", "http://dmarc.org/dmarc-xml/0.1",
					    "http://dmarc.org/dmarc-xml/0.2"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_equal(space, slice_of(known[i])))
			return true;
	return space.n == 0;
}

static const char *start_root(struct elements *elements, const char *name, struct slice space)
{
	if (strcmp(name, rows[0].name) != 0)
		return "it is not a DMARC report: its root element is not <feedback>";
	elements->space = arena_copy(elements->report_arena, slice_head(space, FEEDBACK_TEXT_MAX));
	if (!space_known(space))
		elements->report.notes |= FEEDBACK_NOTE_NAMESPACE;
	elements->open[elements->depth++] = &rows[0];
	return NULL;
}

const char *elements_start(struct elements *elements, const char *name, const char *space_text)
{
	struct slice space = slice_of(space_text);
	const struct row *row;

	if (elements->depth == 0)
		return start_root(elements, name, space);
	if (elements->depth == FEEDBACK_DEPTH_MAX)
		return "its elements are nested too deep";
	elements->depth++;
	if (elements->skipped > 0) {
		elements->skipped++;
		return NULL;
	}
	row = space_known(space) || slice_equal(space, elements->space)
		  ? row_find(elements->open[elements->depth - 2]->self, name)
		  : NULL;
	if (!row) {
		elements->skipped = 1;
		return NULL;
	}
	elements->open[elements->depth - 1] = row;
	begin_row(elements, row);
	return NULL;
}

void elements_text(struct elements *elements, struct slice text)
{
	size_t room = sizeof(elements->text) - elements->text_size;

	if (elements->depth == 0 || elements->skipped > 0 || elements->open[elements->depth - 1]->self != LEAF)
		return;
	if (elements->text_size == 0)
		while (text.n > 0 && is_space(text.p[0]))
			text = slice_from(text, 1);
	elements->text_cut = elements->text_cut || text.n > room;
	text = slice_head(text, room);
	if (text.n > 0)
		memcpy(elements->text + elements->text_size, text.p, text.n);
	elements->text_size += text.n;
}

void elements_end(struct elements *elements)
{
	const struct row *row;

	elements->depth--;
	if (elements->skipped > 0) {
		elements->skipped--;
		return;
	}
	row = elements->open[elements->depth];
	if (row->self == LEAF && elements->text_cut && row->take != take_comment)
		elements->report.notes |= FEEDBACK_NOTE_LONG;
	end_row(elements, row, slice_trim((struct slice){elements->text, elements->text_size}));
}

/* ---- records ------------------------------------------------------------------------- */

static void begin_row(struct elements *elements, const struct row *row)
{
	struct feedback_record *record = elements->record;

	switch (row->self) {
	case RECORD:
		arena_reset(elements->record_arena);
		record->source = (struct ip){0};
		record->count = record->dkim_count = record->spf_count = 0;
		record->disposition = FEEDBACK_UNTOLD;
		record->dkim = record->spf = false;
		record->reasons = 0;
		record->header_from = SLICE("");
		elements->counted = elements->sourced = elements->told = false;
		break;
	case DKIM:
	case SPF:
		elements->auth = (struct feedback_auth){SLICE(""), FEEDBACK_UNKNOWN};
		elements->auth_told = false;
		break;
	case LEAF:
		elements->text_size = 0;
		elements->text_cut = false;
		break;
	default:
		break;
	}
}

static void end_auth(struct elements *elements, struct feedback_auth *results, size_t *count)
{
	if (elements->auth.domain.n == 0 && !elements->auth_told)
		return;
	if (*count < FEEDBACK_RESULTS_MAX)
		results[(*count)++] = elements->auth;
	else
		elements->report.notes |= FEEDBACK_NOTE_RESULTS;
}

static void end_record(struct elements *elements)
{
	const struct feedback_take *take = &elements->feedback->take;

	if (!elements->counted) {
		elements->report.notes |= FEEDBACK_NOTE_COUNT;
		return;
	}
	if (!elements->sourced)
		elements->report.notes |= FEEDBACK_NOTE_SOURCE;
	elements->report.records++;
	take->record(take->context, elements->record);
}

static void end_row(struct elements *elements, const struct row *row, struct slice text)
{
	struct feedback_record *record = elements->record;
	struct slice *kept;

	if (row->take) {
		row->take(elements, text);
		return;
	}
	switch (row->self) {
	case FEEDBACK:
		elements->complete = true;
		break;
	case RECORD:
		end_record(elements);
		break;
	case DKIM:
		end_auth(elements, record->dkim_results, &record->dkim_count);
		break;
	case SPF:
		end_auth(elements, record->spf_results, &record->spf_count);
		break;
	case LEAF:
		kept = (struct slice *)(void *)((char *)&elements->report + row->offset);
		if (kept->n == 0)
			*kept = arena_copy(elements->report_arena, text);
		break;
	default:
		break;
	}
}

bool elements_complete(const struct elements *elements)
{
	return elements->complete;
}

const char *elements_finish(struct elements *elements)
{
	const struct feedback_take *take = &elements->feedback->take;
	struct feedback_report *report = &elements->report;

	if (report->domain.n == 0)
		return "it does not name the domain that it is about";
	if (!elements->begun || !elements->ended || report->end_s < report->begin_s)
		report->notes |= FEEDBACK_NOTE_PERIOD;
	if (!elements->begun || !elements->ended)
		report->begin_s = report->end_s = 0;
	if (report->id.n == 0)
		report->notes |= FEEDBACK_NOTE_ID;
	elements->feedback->reported++;
	take->report(take->context, report);
	return NULL;
}

const char *const feedback_note_texts[FEEDBACK_NOTES + 1] = {
    "a namespace that no specification has",
    "words that no specification has",
    "sources that are not addresses, counted as unknown",
    "counts that are not numbers; these records are left out",
    "a period that cannot be read, or ends before it begins",
    "no report id",
    "values that are too long and were cut",
    "too many results of one record; the last ones are left out",
    NULL,
};
