/*
 * lookup_domain.c - `sekisho lookup domain`: one report about the mail of a domain.
 */
#include "lookup_domain.h"
#include "mail.h"
#include "verbs.h"

#include <stdio.h>

/* All at once, so that the report takes as long as the slowest answer, not as long as all of them. */
static void hint(struct lookup *lookup, struct slice domain)
{
	static const char *const prefixes[] = {"_dmarc.",        "_mta-sts.", "_smtp._tls.",
					       "default._bimi.", "_mta-sts.", "" /* SPF */};

	dns_hint(lookup->budget, domain, DNS_MX);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		dns_hint(lookup->budget, arena_join(lookup->arena, slice_of(prefixes[i]), domain), DNS_TXT);
}

static void show_spf(struct domain_sheet *domain)
{
	bool usable;

	sheet_section(domain->sheet, "SPF");
	json_object_set_new(domain->object, "spf",
			    lookup_spf_tree(domain->lookup, domain->sheet, domain->domain, &usable));
}

static void show(struct domain_sheet *domain)
{
	/* Zone text is for trying things out: its addresses are nobody's. */
	bool network = domain->lookup->smtp == LOOKUP_SMTP_YES ||
		       (domain->lookup->smtp == LOOKUP_SMTP_DEFAULT && !domain->lookup->zone);

	lookup_domain_mx(domain);
	lookup_domain_lists(domain);
	if (network && domain->takes_mail)
		lookup_domain_smtp(domain);
	if (!domain->exists)
		return;
	show_spf(domain);
	lookup_domain_dmarc(domain);
	lookup_domain_dkim(domain);
	if (domain->takes_mail) {
		lookup_domain_sts(domain, network);
		lookup_domain_tlsrpt(domain);
		lookup_domain_dane(domain);
	}
	lookup_domain_bimi(domain);
}

int lookup_domain(struct lookup *lookup)
{
	struct domain_sheet domain = {.lookup = lookup};
	int status;

	status = lookup_open_domain(lookup, &domain.domain);
	if (status != VERB_OK)
		return status;
	domain.sheet = sheet_new(lookup);
	domain.object = json_pack("{s:o}", "domain", lookup_string(lookup, domain.domain));
	hint(lookup, domain.domain);
	show(&domain);
	sheet_finish(domain.sheet, domain.object);
	return sheet_is_wrong(domain.sheet) ? VERB_NO : VERB_OK;
}
