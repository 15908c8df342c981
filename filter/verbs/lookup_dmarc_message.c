/*
 * lookup_dmarc_message.c - `sekisho lookup dmarc --from ... --spf ... --dkim ...`: what
 * DMARC would say of a message for which SPF and DKIM had these results.
 */
#include "lookup_dmarc.h"
#include "verbs.h"

#include <stdio.h>

/* Results of SPF and DKIM as RFC 8601 names them. */
static const char *const results[] = {"none",      "neutral",   "pass",   "fail", "softfail",
				      "temperror", "permerror", "policy", NULL};

/* "pass:example.org" as an identifier; its domain is "" when nothing was proved. NULL, or what is wrong. */
static const char *read_result(struct slice text, struct dmarc_identifier *identifier, struct slice *rest_r)
{
	struct slice word, domain = SLICE("");
	bool known = false;

	slice_cut(&text, ':', &word);
	if (text.p)
		slice_cut(&text, ':', &domain);
	*rest_r = text;
	for (size_t i = 0; results[i]; i++)
		known = known || slice_equal(word, slice_of(results[i]));
	if (!known)
		return "a result is one of none neutral pass fail softfail temperror permerror policy";
	if (slice_equal(word, SLICE("pass")) && domain.n == 0)
		return "a pass needs its domain, as in pass:example.org";
	*identifier = (struct dmarc_identifier){SLICE(""), slice_equal(word, SLICE("temperror"))};
	if (identifier->unresolved || slice_equal(word, SLICE("pass")))
		identifier->domain = domain;
	return NULL;
}

/* RFC 9989 4.4.2: only MAIL FROM counts, so that a pass of the HELO name proves nothing. */
static const char *read_spf(struct slice text, struct dmarc_identifier *identifier)
{
	struct slice scope;
	const char *wrong = read_result(text, identifier, &scope);

	if (wrong || !scope.p || slice_equal(scope, SLICE("mfrom")))
		return wrong;
	if (!slice_equal(scope, SLICE("helo")))
		return "after the domain, only mfrom or helo is allowed";
	*identifier = (struct dmarc_identifier){SLICE(""), false};
	return NULL;
}

static int read_request(struct lookup *lookup, struct dmarc_request *request, struct dmarc_identifier *dkim)
{
	const char *wrong = lookup->spf ? read_spf(slice_of(lookup->spf), &request->spf) : NULL;
	struct slice rest;

	if (wrong)
		return lookup_usage("--spf %.100s: %s", lookup->spf, wrong);
	for (size_t i = 0; i < lookup->dkim_count; i++) {
		wrong = read_result(slice_of(lookup->dkim[i]), &dkim[request->dkim_count], &rest);
		if (wrong)
			return lookup_usage("--dkim %.100s: %s", lookup->dkim[i], wrong);
		request->dkim_count += dkim[request->dkim_count].domain.n > 0;
	}
	request->dkim = dkim;
	return VERB_OK;
}

static void print_json(struct lookup *lookup, const struct authors *authors, const struct dmarc_outcome *outcome)
{
	json_t *object = json_object(), *domains = json_array(), *dkim = json_array();

	for (size_t i = 0; i < authors->domain_count; i++)
		json_array_append_new(domains, lookup_string(lookup, authors->domains[i]));
	for (size_t i = 0; i < outcome->dkim_aligned_count; i++)
		json_array_append_new(dkim, lookup_string(lookup, outcome->dkim_aligned[i]));
	json_object_set_new(object, "result", json_string(dmarc_result_names[outcome->result]));
	json_object_set_new(object, "policy",
			    lookup_string_or_null(lookup, slice_of(dmarc_policy_name(outcome->policy))));
	json_object_set_new(object, "domain", lookup_string_or_null(lookup, outcome->domain));
	json_object_set_new(object, "org", lookup_string_or_null(lookup, outcome->org));
	json_object_set_new(object, "aligned", json_string(dmarc_aligned_names[outcome->aligned]));
	json_object_set_new(object, "author", lookup_string_or_null(lookup, outcome->author));
	json_object_set_new(object, "authors", domains);
	json_object_set_new(object, "spf-aligned", lookup_string_or_null(lookup, outcome->spf_aligned));
	json_object_set_new(object, "dkim-aligned", dkim);
	json_object_set_new(object, "record",
			    outcome->record ? lookup_string(lookup, outcome->record->text) : json_null());
	json_object_set_new(object, "reason", lookup_string(lookup, outcome->reason));
	json_object_set_new(object, "walk", lookup_dmarc_walk(lookup, &outcome->walk));
	lookup_print_json(object);
}

static void print_line(struct lookup *lookup, const char *name, struct slice value)
{
	struct slice safe = lookup_safe(lookup, value.n ? value : SLICE("-"));

	printf("%-12s %.*s\n", name, SLICE_ARGS(safe));
}

static void print_text(struct lookup *lookup, const struct authors *authors, const struct dmarc_outcome *outcome)
{
	lookup_dmarc_print_walk(lookup, &outcome->walk);
	if (outcome->walk.count)
		putchar('\n');
	if (authors->domain_count > 1)
		printf("There are several author domains; this is the outcome of the strictest.\n");
	print_line(lookup, "author", outcome->author);
	print_line(lookup, "result", slice_of(dmarc_result_names[outcome->result]));
	print_line(lookup, "policy", slice_of(dmarc_policy_name(outcome->policy)));
	print_line(lookup, "domain", outcome->domain);
	print_line(lookup, "org", outcome->org);
	print_line(lookup, "aligned", slice_of(dmarc_aligned_names[outcome->aligned]));
	if (outcome->reason.n)
		print_line(lookup, "reason", outcome->reason);
}

int lookup_dmarc_message(struct lookup *lookup)
{
	struct dmarc_identifier dkim[LOOKUP_DKIM_MAX];
	struct authors authors;
	struct dmarc_request request = {.authors = &authors, .discovery = lookup->psl ? DMARC_PSL : DMARC_TREE_WALK};
	struct dmarc_outcome outcome;
	int status = read_request(lookup, &request, dkim);

	if (status != VERB_OK)
		return status;
	status = lookup_open(lookup);
	if (status != VERB_OK)
		return status;
	author_read(slice_of(lookup->from), lookup->arena, &authors);
	dmarc_check(&request, lookup->budget, lookup->arena, &outcome);
	if (lookup->json)
		print_json(lookup, &authors, &outcome);
	else
		print_text(lookup, &authors, &outcome);
	return outcome.result == DMARC_PASS ? VERB_OK : VERB_NO;
}
