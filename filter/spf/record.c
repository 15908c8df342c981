/*
 * record.c - selects the SPF record among the TXT records of a name and parses all of
 * it before any part is used (RFC 7208 4.5, 4.6).
 *
 * The parsed form is one allocation, made once for a DNS answer and kept with it;
 * its slices point into the answer. Its size is bounded by SPF_TERMS_MAX and SPF_PARTS_MAX.
 */
#include "spf_private.h"

#include <stdlib.h>

/* The memory that one record needs, counted before the allocation. */
struct needs {
	size_t terms, parts;
};

bool spf_is_record(struct slice text)
{
	struct slice version = SLICE("v=spf1");

	return slice_starts_nocase(text, version) && (text.n == version.n || text.p[version.n] == ' ');
}

/* RFC 7208 12: terms = *( 1*SP ... ): the only separator is the space. */
static bool word_cut(struct slice *rest, struct slice *word_r)
{
	size_t start = 0, end;

	while (start < rest->n && rest->p[start] == ' ')
		start++;
	for (end = start; end < rest->n && rest->p[end] != ' ';)
		end++;
	*word_r = (struct slice){rest->p + start, end - start};
	*rest = slice_from(*rest, end);
	return word_r->n > 0;
}

/* A word has at most one literal more than percent signs; each percent sign begins at most one macro. */
static struct needs needs_of(struct slice text)
{
	struct needs needs = {0, 0};
	bool in_word = false;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != ' ' && !in_word)
			needs.terms++;
		in_word = text.p[i] != ' ';
		needs.parts += text.p[i] == '%' ? 2 : 0;
	}
	needs.parts += needs.terms;
	if (needs.parts > SPF_PARTS_MAX)
		needs.parts = SPF_PARTS_MAX;
	return needs;
}

static struct spf_record *record_wrong(struct slice text, struct slice word, const char *why)
{
	struct spf_record *record = xmalloc(sizeof(*record));

	*record = (struct spf_record){.state = SPF_RECORD_WRONG, .text = text, .wrong = word, .why = why};
	return record;
}

struct spf_record *spf_record_parse(struct slice text)
{
	struct needs needs;
	struct spf_record *record;
	struct spf_parts parts = {0};
	struct slice rest = text, word;

	if (text.n > SPF_RECORD_MAX)
		return record_wrong(slice_head(text, SPF_RECORD_MAX), SLICE(""), "the record is too long");
	needs = needs_of(text);
	if (needs.terms > SPF_TERMS_MAX)
		return record_wrong(text, SLICE(""), "the record has too many terms");
	record = xmalloc(sizeof(*record) + needs.terms * sizeof(*record->terms) + needs.parts * sizeof(*parts.parts));
	record->terms = (struct spf_term *)(record + 1);
	parts.parts = (struct spf_part *)(record->terms + needs.terms);
	parts.room = needs.parts;
	record->state = SPF_RECORD_VALID;
	record->text = text;
	word_cut(&rest, &word); /* the version */
	while (word_cut(&rest, &word)) {
		const char *why = spf_term_parse(word, record, &parts);

		if (why) {
			free(record);
			return record_wrong(text, word, why);
		}
	}
	return record;
}

/* RFC 7208 4.5: records that do not begin with the version are ignored; more than one SPF record is an error. */
static void *answer_parse(const struct dns_answer *answer)
{
	const struct dns_record *found = NULL;

	for (size_t i = 0; i < answer->count; i++) {
		if (!spf_is_record(answer->records[i].text))
			continue;
		if (found)
			return record_wrong(SLICE(""), SLICE(""), "there is more than one SPF record");
		found = &answer->records[i];
	}
	return found ? spf_record_parse(found->text) : xmalloc(sizeof(struct spf_record));
}

const struct dns_parser spf_record_parser = {answer_parse, free};
