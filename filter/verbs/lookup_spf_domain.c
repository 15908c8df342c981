/*
 * lookup_spf_domain.c - `sekisho lookup spf DOMAIN`: the tree of its records for any client, and advice.
 */
#include "lookup_domain.h"
#include "mail.h"
#include "spf.h"
#include "verbs.h"

#include <stdio.h>

#define TEXTS_READ 20 /* TXT records of a name */

/* ---- records that were meant to be one ---------------------------------------------------- */

static struct slice skip_front(struct slice text, bool *blank_r, bool *quote_r)
{
	for (*blank_r = *quote_r = false; text.n > 0; text = slice_from(text, 1)) {
		if (is_blank(text.p[0]) || (unsigned char)text.p[0] >= 0x80)
			*blank_r = true;
		else if (text.p[0] == '"' || text.p[0] == '\'')
			*quote_r = true;
		else
			break;
	}
	return text;
}

/* "v=spf1;..." "v=spf 1" "v=spf2" "spf1 ..." "v:spf1"; also what is one but for what is before it. */
static bool is_near(struct slice text)
{
	return slice_starts_nocase(text, SLICE("v=spf")) || slice_starts_nocase(text, SLICE("v:spf")) ||
	       slice_starts_nocase(text, SLICE("v =")) || slice_starts_nocase(text, SLICE("v= spf")) ||
	       slice_starts_nocase(text, SLICE("spf1 ")) || slice_starts_nocase(text, SLICE("spf2.0/"));
}

static bool tell_near(struct sheet *sheet, struct slice name, struct slice text)
{
	bool blank, quote;
	struct slice rest = skip_front(text, &blank, &quote);

	if (!is_near(rest) || slice_starts_nocase(text, SLICE("v=spf1 ")) || slice_equal_nocase(text, SLICE("v=spf1")))
		return false;
	if (slice_starts_nocase(rest, SLICE("spf2.0/"))) {
		sheet_advice(sheet, MARK_NOTE, "sender-id",
			     "the record at %.*s is one of Sender ID, which is historic: remove it", SLICE_ARGS(name));
		return true;
	}
	if (quote)
		sheet_advice(sheet, MARK_WRONG, "quotes",
			     "the record at %.*s is not read: the quotes are part of the text: remove them",
			     SLICE_ARGS(name));
	else if (blank)
		sheet_advice(sheet, MARK_WRONG, "leading-blank",
			     "the record at %.*s is not read: there is a blank or an invisible character before it",
			     SLICE_ARGS(name));
	if (!slice_starts_nocase(rest, SLICE("v=spf1 ")))
		sheet_advice(sheet, MARK_WRONG, "version",
			     "the record at %.*s is not read: it must begin with \"v=spf1\" and a blank, without a "
			     "semicolon",
			     SLICE_ARGS(name));
	return true;
}

static bool near_texts(struct lookup *lookup, struct sheet *sheet, struct slice name)
{
	const struct dns_answer *answer = dns_ask(lookup->budget, name, DNS_TXT);
	bool near = false;

	for (size_t i = 0; i < answer->count && i < TEXTS_READ; i++)
		near |= tell_near(sheet, name, answer->records[i].text);
	return near;
}

/* A record at a name where some other service has one. */
static bool near_names(struct lookup *lookup, struct sheet *sheet, struct slice domain)
{
	const struct slice names[] = {
	    arena_join(lookup->arena, SLICE("_spf."), domain),
	    arena_join(lookup->arena, SLICE("spf."), domain),
	    arena_join(lookup->arena, domain, SLICE("."), domain),
	};
	bool near = false;

	for (size_t i = 0; i < 3; i++) {
		const struct dns_answer *answer = dns_ask(lookup->budget, names[i], DNS_TXT);
		for (size_t k = 0; k < answer->count && k < TEXTS_READ; k++) {
			if (!slice_starts_nocase(answer->records[k].text, SLICE("v=spf1 ")))
				continue;
			near = true;
			sheet_advice(sheet, MARK_WRONG, "wrong-name",
				     "%.*s has an SPF record: that of the domain belongs at %.*s", SLICE_ARGS(names[i]),
				     SLICE_ARGS(domain));
			break;
		}
	}
	return near;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static bool is_error(const char *code)
{
	static const char *const errors[] = {"too-many-lookups", "too-many-void-lookups",  "several-records",
					     "syntax",           "include-without-record", "loop",
					     "pass-all",         "open-network",           NULL};

	for (size_t i = 0; errors[i]; i++)
		if (strcmp(code, errors[i]) == 0)
			return true;
	return false;
}

/* Advice of the survey that makes a check a permerror; pass-all does not. */
static bool breaks(const char *code)
{
	return is_error(code) && strcmp(code, "pass-all") != 0 && strcmp(code, "open-network") != 0;
}

static json_t *show_records(struct lookup *lookup, struct sheet *sheet, const struct spf_survey *survey)
{
	json_t *tree = json_array();

	for (size_t i = 0; i < survey->record_count; i++) {
		const struct spf_surveyed *record = &survey->records[i];
		struct slice label =
		    arena_printf(lookup->arena, "%*s%.*s", 2 * (int)record->depth, "", SLICE_ARGS(record->domain));

		if (record->record.n)
			sheet_line(sheet, record->trouble.n ? MARK_WRONG : MARK_OK, label, "%.*s%s%.*s",
				   SLICE_ARGS(record->record), record->trouble.n ? ": " : "",
				   SLICE_ARGS(record->trouble));
		else if (record->depth > 0)
			sheet_line(sheet, MARK_WRONG, label, "%.*s", SLICE_ARGS(record->trouble));
		json_array_append_new(tree,
				      json_pack("{s:i, s:o, s:o, s:i, s:o}", "depth", (int)record->depth, "domain",
						lookup_string(lookup, record->domain), "record",
						lookup_string(lookup, record->record), "lookups", (int)record->lookups,
						"trouble", lookup_string(lookup, record->trouble)));
	}
	return tree;
}

json_t *lookup_spf_tree(struct lookup *lookup, struct sheet *sheet, struct slice domain, bool *usable_r)
{
	struct spf_request request = {.client = {.family = 4},
				      .helo = domain,
				      .domain = domain,
				      .receiver = lookup->receiver,
				      .now_us = clock_wall_us()};
	struct spf_survey survey;
	json_t *tree;
	bool near;

	spf_survey(&request, lookup->budget, lookup->arena, &survey);
	tree = show_records(lookup, sheet, &survey);
	*usable_r = survey.record_count > 0 && survey.records[0].record.n > 0;
	if (*usable_r)
		sheet_line(sheet, survey.lookups > SPF_LOOKUPS_MAX ? MARK_WRONG : MARK_NONE, SLICE("count"),
			   "%u lookup%s of %d and %u void of %d, if no term matches", survey.lookups,
			   survey.lookups == 1 ? "" : "s", SPF_LOOKUPS_MAX, survey.void_lookups, SPF_VOID_LOOKUPS_MAX);
	near = near_texts(lookup, sheet, domain);
	if (!*usable_r && survey.advice_count == 0) {
		near |= near_names(lookup, sheet, domain);
		if (dns_ask(lookup->budget, domain, DNS_TXT)->status == DNS_TEMPFAIL)
			sheet_advice(sheet, MARK_NOTE, "unknown", "the DNS does not answer for the domain now");
		else if (!near)
			sheet_advice(sheet, MARK_NOTE, "no-record",
				     "there is no SPF record: publish one, such as \"v=spf1 mx -all\"");
	}
	for (size_t i = 0; i < survey.advice_count; i++) {
		sheet_advice(sheet, is_error(survey.advice[i].code) ? MARK_WRONG : MARK_NOTE, survey.advice[i].code,
			     "%.*s", SLICE_ARGS(survey.advice[i].text));
		*usable_r &= !breaks(survey.advice[i].code);
	}
	return json_pack("{s:o, s:i, s:i, s:b}", "tree", tree, "lookups", (int)survey.lookups, "void-lookups",
			 (int)survey.void_lookups, "usable", *usable_r);
}

int lookup_spf_domain(struct lookup *lookup)
{
	struct sheet *sheet;
	struct slice domain;
	json_t *object;
	bool usable;
	int status;

	status = lookup_open_domain(lookup, &domain);
	if (status != VERB_OK)
		return status;
	sheet = sheet_new(lookup);
	sheet_section(sheet, arena_printf(lookup->arena, "SPF of %.*s", SLICE_ARGS(domain)).p);
	object = lookup_spf_tree(lookup, sheet, domain, &usable);
	json_object_set_new(object, "domain", lookup_string(lookup, domain));
	sheet_finish(sheet, object);
	return usable ? VERB_OK : VERB_NO;
}
