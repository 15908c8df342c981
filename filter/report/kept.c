/*
 * kept.c - a record on its way into the history: its addresses as the history may show them, the texts by which it will
 * be found, and what is counted of it.
 */
#include "kept.h"
#include <string.h>

#define COUNTED_MAX 32

struct kept {
	const struct history *history;
	struct arena *arena;
	struct history_found *found;
	size_t found_count;
	struct history_counted *counted;
	size_t counted_count;
};

static struct slice hide(const struct kept *kept, struct slice address)
{
	return history_hide(kept->history, address, kept->arena);
}

static struct slice hide_within(const struct kept *kept, struct slice text)
{
	return history_hide_within(kept->history, text, kept->arena);
}

/* ---- addresses ----------------------------------------------------------------------------------- */

static void hide_recipients(const struct kept *kept, struct record *record)
{
	struct record_recipient *copy = arena_alloc(kept->arena, (record->recipient_count + 1) * sizeof(*copy));

	for (size_t i = 0; i < record->recipient_count; i++) {
		copy[i] = record->recipients[i];
		copy[i].address = hide(kept, copy[i].address);
		copy[i].reply = hide_within(kept, copy[i].reply);
	}
	record->recipients = copy;
}

static const struct slice *hide_addresses(const struct kept *kept, const struct slice *addresses, size_t count)
{
	struct slice *copy = arena_alloc(kept->arena, (count + 1) * sizeof(*copy));

	for (size_t i = 0; i < count; i++)
		copy[i] = hide(kept, addresses[i]);
	return copy;
}

static const struct record_fact *hide_facts(const struct kept *kept, const struct record_fact *facts, size_t count)
{
	struct record_fact *copy = arena_alloc(kept->arena, (count + 1) * sizeof(*copy));

	for (size_t i = 0; i < count; i++) {
		copy[i] = facts[i];
		if (slice_equal(facts[i].name, SLICE("auth.user")))
			copy[i].text = hide(kept, facts[i].text);
		else if (facts[i].form == RECORD_TEXT)
			copy[i].text = hide_within(kept, facts[i].text);
	}
	return copy;
}

static void hide_notes(const struct kept *kept, struct record *record)
{
	struct record_note *notes = arena_alloc(kept->arena, (record->note_count + 1) * sizeof(*notes));
	struct record_score *scores = arena_alloc(kept->arena, (record->score_count + 1) * sizeof(*scores));

	for (size_t i = 0; i < record->note_count; i++) {
		notes[i] = record->notes[i];
		notes[i].text = hide_within(kept, notes[i].text);
	}
	for (size_t i = 0; i < record->score_count; i++) {
		scores[i] = record->scores[i];
		scores[i].why = hide_within(kept, scores[i].why);
	}
	record->notes = notes;
	record->scores = scores;
}

/* In HISTORY_PLAIN every text stays as it is. */
static void hide_all(const struct kept *kept, struct record *record)
{
	record->hidden = true;
	record->sender = hide(kept, record->sender);
	record->reply = hide_within(kept, record->reply);
	record->quarantine = hide_within(kept, record->quarantine);
	if (record->new_sender.p)
		record->new_sender = hide(kept, record->new_sender);
	record->added = hide_addresses(kept, record->added, record->added_count);
	record->removed = hide_addresses(kept, record->removed, record->removed_count);
	record->facts = hide_facts(kept, record->facts, record->fact_count);
	record->vars = hide_facts(kept, record->vars, record->var_count);
	hide_recipients(kept, record);
	hide_notes(kept, record);
}

/* ---- finding and counting ---------------------------------------------------------------------------- */

static void find_by(struct kept *kept, enum history_term term, struct slice text)
{
	if (text.n > 0 && kept->found_count < HISTORY_TERMS_MAX)
		kept->found[kept->found_count++] = (struct history_found){term, text};
}

/* Facts whose value is an address of the author, or a login. */
static bool names_sender(const struct record_fact *fact)
{
	return fact->form == RECORD_TEXT &&
	       (slice_equal(fact->name, SLICE("auth.user")) || slice_equal(fact->name, SLICE("from")));
}

static void find_terms(struct kept *kept, const struct record *record)
{
	find_by(kept, HISTORY_CASE, record->case_id);
	find_by(kept, HISTORY_QUEUE_ID, record->queue_id);
	find_by(kept, HISTORY_CLIENT, record->client);
	find_by(kept, HISTORY_SENDER, record->sender);
	for (size_t i = 0; i < record->fact_count; i++)
		if (names_sender(&record->facts[i]))
			find_by(kept, HISTORY_SENDER, record->facts[i].text);
	for (size_t i = 0; i < record->recipient_count && kept->found_count < HISTORY_TERMS_MAX; i++)
		find_by(kept, HISTORY_RECIPIENT, record->recipients[i].address);
}

static void count(struct kept *kept, enum history_count kind, struct slice name)
{
	if (kept->counted_count < COUNTED_MAX)
		kept->counted[kept->counted_count++] = (struct history_counted){kind, name};
}

static void count_all(struct kept *kept, const struct record *record)
{
	bool refused = slice_equal(record->verdict, SLICE("reject")) || slice_equal(record->verdict, SLICE("defer"));

	count(kept, HISTORY_COUNT_VERDICT, record->verdict);
	if (record->rule.n > 0 && !slice_equal(record->verdict, SLICE("accept")))
		count(kept, HISTORY_COUNT_RULE, record->rule);
	if (refused)
		count(kept, HISTORY_COUNT_REFUSED, record->sender.n ? record->sender : SLICE("<>"));
	for (size_t i = 0; i < record->note_count; i++)
		if (slice_equal(record->notes[i].kind, SLICE("would")))
			count(kept, HISTORY_COUNT_WOULD, record->notes[i].rule);
	if (record->own_domain.n > 0)
		count(kept, HISTORY_COUNT_SOURCE,
		      arena_join(kept->arena, record->own_domain, SLICE(" "), record->own_word, SLICE(" "),
				 record->client));
}

/* Most of it is what the log got, unless addresses are hidden. */
static const char *line_of(const struct record *record, const char *logged, struct arena *arena)
{
	const char *line = NULL;

	if (logged && !record->hidden)
		line = record_line_asked(logged, record, HISTORY_LINE_MAX, arena);
	return line ? line : record_line(record, HISTORY_LINE_MAX, arena);
}

void kept_add(struct history *history, const struct record *told, const char *line, struct arena *arena)
{
	struct history_found found[HISTORY_TERMS_MAX];
	struct history_counted counted[COUNTED_MAX];
	struct kept kept = {.history = history, .arena = arena, .found = found, .counted = counted};
	struct record record = *told;

	if (history_hides(history))
		hide_all(&kept, &record);
	find_terms(&kept, &record);
	count_all(&kept, &record);
	history_add(history, &(struct history_entry){
				 .time_us = record.time_us,
				 .line = slice_of(line_of(&record, line, arena)),
				 .found = found,
				 .found_count = kept.found_count,
				 .counted = counted,
				 .counted_count = kept.counted_count,
			     });
}
