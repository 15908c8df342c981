/*
 * lookup_domain_records.c - what a domain publishes about mail from it: DMARC, keys for DKIM, BIMI.
 */
#include "dkim.h"
#include "lookup_domain.h"
#include "lookup_dkim.h"
#include "lookup_dmarc.h"
#include "mail.h"

#include <stdio.h>

void lookup_domain_dmarc(struct domain_sheet *domain)
{
	struct authors authors = {
	    .valid = true, .why = "", .domains = &domain->domain, .domain_count = 1, .mailbox_count = 1};
	struct dmarc_request request = {.authors = &authors, .discovery = DMARC_TREE_WALK};
	struct lookup *lookup = domain->lookup;
	const struct dmarc_step *step;
	struct dmarc_outcome outcome;

	sheet_section(domain->sheet, "DMARC");
	dmarc_check(&request, lookup->budget, lookup->arena, &outcome);
	step = dmarc_walk_policy(&outcome.walk);
	if (step) {
		sheet_line(domain->sheet, MARK_OK, arena_join(lookup->arena, SLICE("_dmarc."), step->name), "%.*s",
			   SLICE_ARGS(step->record->text));
		sheet_line(domain->sheet, MARK_NONE, SLICE("failed mail"), "%s", dmarc_policy_name(outcome.policy));
	}
	lookup_dmarc_advise(lookup, &outcome, lookup_domain_tell, domain);
	json_object_set_new(domain->object, "dmarc",
			    json_pack("{s:o, s:o, s:o, s:o}", "domain", lookup_string_or_null(lookup, outcome.domain),
				      "org", lookup_string_or_null(lookup, outcome.org), "record",
				      step ? lookup_string(lookup, step->record->text) : json_null(), "policy",
				      lookup_string_or_null(lookup, slice_of(dmarc_policy_name(outcome.policy)))));
}

static json_t *show_selector(struct domain_sheet *domain, const char *given)
{
	const struct dkim_rules rules = {.minimum_bits = DKIM_RSA_BITS_MIN};
	struct lookup *lookup = domain->lookup;
	struct dkim_published published;
	const struct dkim_record *chosen = &published.chosen;
	struct slice selector;
	bool valid;

	selector = domain_normalise(slice_of(given), lookup->arena, &valid);
	dkim_published_find(lookup->budget, selector, domain->domain, &rules, NULL, lookup->arena, &published);
	if (chosen->result == DKIM_PASS)
		sheet_line(domain->sheet, MARK_OK, selector, "%s, %u bits%s",
			   chosen->algorithm == DKIM_RSA ? "rsa" : "ed25519", chosen->bits,
			   chosen->testing ? ", testing" : "");
	else
		sheet_advice(domain->sheet, MARK_WRONG, "dkim-key", "%.*s: %.*s", SLICE_ARGS(published.name),
			     SLICE_ARGS(chosen->reason.n ? chosen->reason : SLICE("no key record")));
	lookup_dkim_advise(lookup, &published, selector, domain->domain, lookup_domain_tell, domain);
	return json_pack("{s:o, s:s, s:o, s:i, s:o}", "selector", lookup_string(lookup, selector), "result",
			 dkim_result_names[chosen->result], "record", lookup_string(lookup, chosen->text), "bits",
			 (int)chosen->bits, "reason", lookup_string(lookup, chosen->reason));
}

void lookup_domain_dkim(struct domain_sheet *domain)
{
	json_t *array = json_array();

	sheet_section(domain->sheet, "DKIM");
	if (domain->lookup->selector_count == 0)
		sheet_line(domain->sheet, MARK_NONE, SLICE(""),
			   "name the selectors with --selector: the DNS has no list of them");
	for (size_t i = 0; i < domain->lookup->selector_count; i++)
		json_array_append_new(array, show_selector(domain, domain->lookup->selectors[i]));
	json_object_set_new(domain->object, "dkim", array);
}

void lookup_domain_bimi(struct domain_sheet *domain)
{
	const struct dns_record *record;
	bool wrong;

	sheet_section(domain->sheet, "BIMI");
	record = lookup_version_record(domain, SLICE("default._bimi"), "BIMI1", &wrong);
	if (record)
		sheet_line(domain->sheet, MARK_OK, SLICE("record"), "%.*s", SLICE_ARGS(record->text));
	else if (!wrong)
		sheet_line(domain->sheet, MARK_NONE, SLICE(""), "none");
	json_object_set_new(domain->object, "bimi",
			    record ? json_pack("{s:o}", "record", lookup_string(domain->lookup, record->text))
				   : json_null());
}
