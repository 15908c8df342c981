/*
 * consent.c - may aggregate reports about a domain go to an address elsewhere? Only
 * when the domain of the address has published its consent (RFC 9990 4); otherwise
 * anyone could send reports to any address.
 */
#include "dmarc.h"

/* The domain of a mailto URI (RFC 6068): after the last @, before the header fields. */
static struct slice mail_domain(struct slice uri, struct arena *arena)
{
	struct slice rest = slice_from(uri, sizeof("mailto:") - 1), address, domain;
	bool valid = false;
	ptrdiff_t at;

	/* RFC 6068 2: the address follows directly, without "//". */
	if (!slice_starts_nocase(uri, SLICE("mailto:")) || slice_starts_nocase(rest, SLICE("//")))
		return SLICE("");
	slice_cut(&rest, '?', &address);
	at = slice_find_last(address, '@');
	if (at >= 0)
		domain = domain_normalise(slice_from(address, (size_t)at + 1), arena, &valid);
	return valid ? domain : SLICE("");
}

enum dmarc_consent dmarc_consent(struct slice domain, struct slice uri, struct dns_budget *budget, struct arena *arena,
				 struct slice *question_r)
{
	struct slice host = mail_domain(uri, arena);
	struct dmarc_walk ours, theirs;
	const struct dns_answer *answer;

	*question_r = SLICE("");
	if (host.n == 0)
		return DMARC_CONSENT_NO_MAIL;
	dmarc_walk(domain, DMARC_TREE_WALK, budget, &ours);
	dmarc_walk(host, DMARC_TREE_WALK, budget, &theirs);
	if (ours.org.n > 0 && slice_equal(ours.org, theirs.org))
		return DMARC_CONSENT_OWN;
	if (ours.failed || theirs.failed)
		return DMARC_CONSENT_UNKNOWN;
	*question_r = arena_printf(arena, "%.*s._report._dmarc.%.*s", SLICE_ARGS(domain), SLICE_ARGS(host));
	answer = dns_ask(budget, *question_r, DNS_TXT);
	if (answer->status == DNS_TEMPFAIL)
		return DMARC_CONSENT_UNKNOWN;
	for (size_t i = 0; i < answer->count; i++)
		if (dmarc_is_record(answer->records[i].text))
			return DMARC_CONSENT_GIVEN;
	return DMARC_CONSENT_MISSING;
}
