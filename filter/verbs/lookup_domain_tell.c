/*
 * lookup_domain_tell.c - records of a domain that begin with a version, and advice about what is near one.
 */
#include "lookup_domain.h"
#include "lookup_near.h"

/* What is good as it is, or what an owner may want. */
static bool is_mistake(const char *code)
{
	static const char *const wishes[] = {"policy-none",     "testing",
					     "no-record",       "no-reports",
					     "report-size",     "fo-without-ruf",
					     "historic-tag",    "no-mail-address",
					     "consent-unknown", "short-key",
					     "other-records",   "subdomain-policy",
					     "unknown-tag",     NULL};

	for (size_t i = 0; wishes[i]; i++)
		if (strcmp(code, wishes[i]) == 0)
			return false;
	return true;
}

void lookup_domain_tell(void *domain_, const char *code, struct slice text)
{
	struct domain_sheet *domain = domain_;

	sheet_advice(domain->sheet, is_mistake(code) ? MARK_WRONG : MARK_NOTE, code, "%.*s", SLICE_ARGS(text));
}

/* ---- records with a version ----------------------------------------------------------------------- */

/* "v=STSv1" or "v=STSv1 ;": what RFC 8461 3.1 and RFC 8460 3 begin with. */
static bool has_version(struct slice text, const char *version)
{
	struct slice begin = slice_of(version);

	if (text.n < 2 + begin.n || memcmp(text.p, "v=", 2) != 0 ||
	    !slice_equal(slice_head(slice_from(text, 2), begin.n), begin))
		return false;
	text = slice_trim(slice_from(text, 2 + begin.n));
	return text.n > 0 && text.p[0] == ';';
}

const struct dns_record *lookup_version_record(struct domain_sheet *domain, struct slice prefix, const char *version,
					       bool *wrong_r)
{
	struct lookup *lookup = domain->lookup;
	struct slice name = arena_join(lookup->arena, prefix, SLICE("."), domain->domain);
	const struct dns_answer *answer = dns_ask(lookup->budget, name, DNS_TXT);
	const struct dns_record *found = NULL;
	unsigned records = 0;

	*wrong_r = false;
	for (size_t i = 0; i < answer->count; i++) {
		if (has_version(answer->records[i].text, version)) {
			found = &answer->records[i];
			records++;
		} else if (lookup_near(lookup, name, answer->records[i].text, version, lookup_domain_tell, domain)) {
			*wrong_r = true;
		}
	}
	if (answer->status == DNS_TEMPFAIL) {
		*wrong_r = true;
		sheet_advice(domain->sheet, MARK_NOTE, "unknown", "the DNS does not answer for %.*s now",
			     SLICE_ARGS(name));
	}
	if (records > 1) {
		*wrong_r = true;
		sheet_advice(domain->sheet, MARK_WRONG, "several-records",
			     "%.*s has %u records: none of them counts; leave one", SLICE_ARGS(name), records);
	}
	if (records == 0 && !*wrong_r)
		*wrong_r = lookup_near_names(lookup, prefix, domain->domain, version, lookup_domain_tell, domain) > 0;
	return records == 1 ? found : NULL;
}

bool lookup_next_tag(struct slice *rest, struct slice *name_r, struct slice *value_r)
{
	struct slice tag;

	do {
		if (!slice_cut(rest, ';', &tag))
			return false;
		tag = slice_trim(tag);
	} while (tag.n == 0);
	ptrdiff_t equals = slice_find(tag, '=');
	*name_r = slice_trim(slice_head(tag, equals < 0 ? tag.n : (size_t)equals));
	*value_r = equals < 0 ? SLICE("") : slice_trim(slice_from(tag, (size_t)equals + 1));
	return true;
}
