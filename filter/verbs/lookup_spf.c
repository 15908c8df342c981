/*
 * lookup_spf.c - `sekisho lookup spf`: the check of RFC 7208 as a tree of the
 * records and terms that were tried.
 */
#include "lookup.h"
#include "mail.h"
#include "spf.h"
#include "verbs.h"

#include <stdio.h>

#define INDENT     4  /* columns for each record inside a record */
#define TERM_WIDTH 38 /* the column of results, where terms are shorter */

/* "<a@b>", "a@b", "b"; the null sender is postmaster at the HELO name (RFC 7208 2.4). NULL, or what is wrong. */
static const char *parse_sender(struct slice text, struct spf_request *request)
{
	ptrdiff_t at;

	if (text.n >= 2 && text.p[0] == '<' && text.p[text.n - 1] == '>')
		text = (struct slice){text.p + 1, text.n - 2};
	if (text.n > MAIL_PATH_MAX)
		return "it is too long";
	if (text.n == 0) {
		request->domain = request->helo;
		return request->helo.n ? NULL : "the null sender needs a HELO name after it";
	}
	at = slice_find_last(text, '@');
	request->local = at < 0 ? SLICE("") : slice_head(text, (size_t)at);
	request->domain = slice_from(text, (size_t)(at + 1));
	if (request->domain.n == 0)
		return "the domain after the @ is missing";
	if (at < 0 && slice_find(text, '.') < 0)
		return "it is neither an address nor a domain";
	if (request->helo.n == 0)
		request->helo = request->domain;
	return NULL;
}

/* ---- JSON ------------------------------------------------------------------------------ */

static json_t *json_step(struct lookup *lookup, const struct spf_step *step)
{
	json_t *object = json_object();

	json_object_set_new(object, "depth", json_integer(step->depth));
	json_object_set_new(object, "domain", lookup_string(lookup, step->domain));
	if (step->record.n)
		json_object_set_new(object, "record", lookup_string(lookup, step->record));
	json_object_set_new(object, "term", lookup_string(lookup, step->term));
	json_object_set_new(object, "target", lookup_string(lookup, step->target));
	json_object_set_new(object, "result", json_string(spf_step_names[step->result]));
	json_object_set_new(object, "note", lookup_string(lookup, step->note));
	if (step->lookup)
		json_object_set_new(object, "lookup", json_integer(step->lookup));
	return object;
}

/* The tree of all records, and advice about them. */
static void json_survey(struct lookup *lookup, json_t *object, const struct spf_survey *survey)
{
	json_t *tree = json_array(), *advice = json_array();

	for (size_t i = 0; i < survey->record_count; i++) {
		const struct spf_surveyed *record = &survey->records[i];

		json_array_append_new(tree,
				      json_pack("{s:i, s:o, s:o, s:i, s:i, s:i, s:o}", "depth", (int)record->depth,
						"domain", lookup_string(lookup, record->domain), "record",
						lookup_string(lookup, record->record), "bytes", (int)record->record.n,
						"strings", (int)record->strings, "lookups", (int)record->lookups,
						"trouble", lookup_string(lookup, record->trouble)));
	}
	for (size_t i = 0; i < survey->advice_count; i++)
		json_array_append_new(advice, json_pack("{s:s, s:o}", "code", survey->advice[i].code, "text",
							lookup_string(lookup, survey->advice[i].text)));
	json_object_set_new(object, "tree", tree);
	json_object_set_new(object, "tree-lookups", json_integer(survey->lookups));
	json_object_set_new(object, "tree-void-lookups", json_integer(survey->void_lookups));
	json_object_set_new(object, "advice", advice);
}

static void print_json(struct lookup *lookup, const struct spf_outcome *outcome, const struct spf_survey *survey)
{
	json_t *object = json_object(), *trace = json_array();

	json_object_set_new(object, "result", json_string(spf_result_names[outcome->result]));
	json_object_set_new(object, "domain", lookup_string(lookup, outcome->domain));
	json_object_set_new(object, "mechanism", lookup_string(lookup, outcome->mechanism));
	json_object_set_new(object, "explanation", lookup_string(lookup, outcome->explanation));
	json_object_set_new(object, "reason", lookup_string(lookup, outcome->reason));
	json_object_set_new(object, "lookups", json_integer(outcome->lookups));
	json_object_set_new(object, "void-lookups", json_integer(outcome->void_lookups));
	for (size_t i = 0; i < outcome->step_count; i++)
		json_array_append_new(trace, json_step(lookup, &outcome->steps[i]));
	json_object_set_new(object, "trace", trace);
	json_object_set_new(object, "engine", json_string(spf_engine_names[lookup->engine]));
	json_object_set_new(object, "secure", json_boolean(outcome->secure));
	if (outcome->compared)
		json_object_set_new(object, "libspf2", json_string(spf_result_names[outcome->other_result]));
	json_survey(lookup, object, survey);
	lookup_print_json(object);
}

/* ---- text ------------------------------------------------------------------------------- */

static void print_slice(struct lookup *lookup, struct slice text)
{
	struct slice safe = lookup_safe(lookup, text);

	fwrite(safe.p, 1, safe.n, stdout);
}

/* One term; its domain only where the term does not show it. */
static void print_step(struct lookup *lookup, const struct spf_step *step)
{
	int indent = (int)step->depth * INDENT + INDENT / 2;
	int width = TERM_WIDTH > indent ? TERM_WIDTH - indent : 1;
	bool target = step->result == SPF_STEP_ENTER || slice_find(step->term, '%') >= 0;
	struct slice term = step->term.n ? lookup_safe(lookup, step->term) : SLICE("(end)");

	printf("%*s%-*.*s %s", indent, "", width, SLICE_ARGS(term),
	       step->result == SPF_STEP_ENTER ? "follow" : spf_step_names[step->result]);
	if (target && step->target.n) {
		putchar(' ');
		print_slice(lookup, step->target);
	}
	if (step->note.n) {
		printf(": ");
		print_slice(lookup, step->note);
	}
	if (step->lookup)
		printf(" (lookup %u of %d)", step->lookup, SPF_LOOKUPS_MAX);
	putchar('\n');
}

/* A record begins with its text; where there is none, the step says why and is not shown itself. */
static void print_steps(struct lookup *lookup, const struct spf_outcome *outcome)
{
	for (size_t i = 0; i < outcome->step_count; i++) {
		const struct spf_step *step = &outcome->steps[i];
		bool missing = step->term.n == 0 && step->result == SPF_STEP_ERROR;

		if (step->record.n || missing) {
			printf("%*s", (int)step->depth * INDENT, "");
			print_slice(lookup, step->domain);
			printf(": ");
			print_slice(lookup, missing ? step->note : step->record);
			putchar('\n');
		}
		if (!missing)
			print_step(lookup, step);
	}
	if (outcome->step_count)
		putchar('\n');
}

static void print_line(struct lookup *lookup, const char *name, struct slice value)
{
	if (value.n == 0)
		return;
	printf("%-12s ", name);
	print_slice(lookup, value);
	putchar('\n');
}

/* Every record that the record of the domain leads to, including those that this client did not need. */
static void print_survey(struct lookup *lookup, const struct spf_survey *survey)
{
	if (survey->record_count > 0)
		printf("\nAll records: %u lookup%s of %d and %u void of %d, if no term matches\n", survey->lookups,
		       survey->lookups == 1 ? "" : "s", SPF_LOOKUPS_MAX, survey->void_lookups, SPF_VOID_LOOKUPS_MAX);
	for (size_t i = 0; i < survey->record_count; i++) {
		const struct spf_surveyed *record = &survey->records[i];

		printf("%*s", (int)record->depth * INDENT + INDENT / 2, "");
		print_slice(lookup, record->domain);
		if (record->record.n)
			printf(" (%zu bytes, lookups %u): ", record->record.n, record->lookups);
		print_slice(lookup, record->record);
		if (record->trouble.n) {
			printf(": ");
			print_slice(lookup, record->trouble);
		}
		putchar('\n');
	}
	if (survey->advice_count > 0)
		printf("\nAdvice\n");
	for (size_t i = 0; i < survey->advice_count; i++) {
		printf("  %s: ", survey->advice[i].code);
		print_slice(lookup, survey->advice[i].text);
		putchar('\n');
	}
}

static void print_text(struct lookup *lookup, const struct spf_outcome *outcome)
{
	print_steps(lookup, outcome);
	print_line(lookup, "result", slice_of(spf_result_names[outcome->result]));
	print_line(lookup, "domain", outcome->domain);
	print_line(lookup, "matched by", outcome->mechanism);
	print_line(lookup, "reason", outcome->reason);
	print_line(lookup, "explanation", outcome->explanation);
	printf("%-12s %u of %d, void %u of %d\n", "lookups", outcome->lookups, SPF_LOOKUPS_MAX, outcome->void_lookups,
	       SPF_VOID_LOOKUPS_MAX);
	if (outcome->compared)
		print_line(lookup, "libspf2", slice_of(spf_result_names[outcome->other_result]));
	if (outcome->secure)
		print_line(lookup, "DNSSEC", SLICE("every answer was proved"));
}

int lookup_spf(struct lookup *lookup)
{
	struct spf_request request = {
	    .engine = lookup->engine,
	    .helo = lookup->count > 2 ? slice_of(lookup->operands[2]) : SLICE(""),
	    .receiver = lookup->receiver,
	    .now_us = clock_wall_us(),
	    .trace = true,
	};
	struct spf_outcome outcome;
	struct spf_survey survey;
	const char *wrong;
	int status;

	if (ip_parse(slice_of(lookup->operands[0]), &request.client) < 0 && lookup->count == 1)
		return lookup_spf_domain(lookup);
	if (lookup->count == 1)
		return lookup_usage("usage: sekisho lookup spf IP SENDER [HELO], or spf DOMAIN");
	if (request.client.family == 0)
		return lookup_usage("\"%s\" is not an IP address", lookup->operands[0]);
	wrong = parse_sender(slice_of(lookup->operands[1]), &request);
	if (wrong)
		return lookup_usage("sender \"%.100s\": %s", lookup->operands[1], wrong);
	status = lookup_open(lookup);
	if (status != VERB_OK)
		return status;
	spf_check(&request, lookup->budget, lookup->arena, &outcome);
	spf_survey(&request, lookup->budget, lookup->arena, &survey);
	if (lookup->json) {
		print_json(lookup, &outcome, &survey);
		return outcome.result == SPF_PASS ? VERB_OK : VERB_NO;
	}
	print_text(lookup, &outcome);
	print_survey(lookup, &survey);
	return outcome.result == SPF_PASS ? VERB_OK : VERB_NO;
}
