/*
 * consent.c - may reports about a domain go to an address elsewhere? Only when the domain of the address has published
 * its consent (RFC 9990 4, RFC 9991 5); otherwise anyone could send reports to any address.
 */
#include "dmarc.h"

static int hex(char c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 2.1. False for a % without two digits. */
static bool percent_decode(struct slice text, struct arena *arena, struct slice *plain_r)
{
	char *out = arena_raw(arena, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int high, low;

		out[n++] = text.p[i];
		if (text.p[i] != '%')
			continue;
		high = i + 2 < text.n ? hex(text.p[i + 1]) : -1;
		low = i + 2 < text.n ? hex(text.p[i + 2]) : -1;
		if (high < 0 || low < 0)
			return false;
		out[n - 1] = (char)(high * 16 + low);
		i += 2;
	}
	*plain_r = (struct slice){out, n};
	return true;
}

bool dmarc_uri_mailbox(struct slice uri, struct arena *arena, struct dmarc_mailbox *mailbox_r)
{
	struct slice rest = slice_from(uri, sizeof("mailto:") - 1), written, plain;
	struct address address;

	/* RFC 6068 2: the address follows directly, without "//", before the header fields. */
	if (!slice_starts_nocase(uri, SLICE("mailto:")) || slice_starts_nocase(rest, SLICE("//")))
		return false;
	slice_cut(&rest, '?', &written);
	if (written.n == 0 || !percent_decode(written, arena, &plain))
		return false;
	address = address_parse_path(plain, arena);
	if (!address_usable(&address) || slice_find(address.text, '"') >= 0 || address.domain.p[0] == '[')
		return false;
	mailbox_r->domain = address.domain;
	mailbox_r->address = arena_join(arena, address.local, SLICE("@"), address.domain);
	return true;
}

/* ---- the record of the destination ----------------------------------------------------------------- */

static bool is_before(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order ? order < 0 : a.n < b.n;
}

/* Of the mail addresses in a list, the first by its bytes: the records may come in another order the next time. False:
 * one of them is at another host. */
static bool take_override(struct slice list, struct dmarc_destination *destination, struct slice *found,
			  struct arena *arena)
{
	struct dmarc_mailbox mailbox;
	struct slice uri;

	while (dmarc_uri_next(&list, &uri)) {
		if (!dmarc_uri_mailbox(uri, arena, &mailbox))
			continue;
		if (!slice_equal(mailbox.domain, destination->mailbox.domain))
			return false;
		if (found->n == 0 || is_before(mailbox.address, *found))
			*found = mailbox.address;
	}
	return true;
}

static enum dmarc_consent read_records(const struct dns_answer *answer, enum dmarc_report kind,
				       struct dmarc_destination *destination, struct arena *arena)
{
	struct slice found = SLICE("");
	bool given = false, same = true;

	for (size_t i = 0; i < answer->count; i++) {
		struct slice text = answer->records[i].text;
		struct dmarc_record record;

		if (!dmarc_is_record(text))
			continue;
		dmarc_record_parse(text, &record);
		if (record.repeated.n > 0)
			continue;
		given = true;
		same &=
		    take_override(kind == DMARC_REPORT_FAILURE ? record.ruf : record.rua, destination, &found, arena);
	}
	if (!given)
		return DMARC_CONSENT_MISSING;
	if (!same)
		return DMARC_CONSENT_ELSEWHERE;
	if (found.n > 0)
		destination->mailbox.address = found;
	return DMARC_CONSENT_GIVEN;
}

/* ---- consent --------------------------------------------------------------------------------------------- */

enum dmarc_consent dmarc_consent(struct slice domain, struct slice uri, enum dmarc_report kind,
				 struct dns_budget *budget, struct arena *arena,
				 struct dmarc_destination *destination_r)
{
	struct dmarc_mailbox *mailbox = &destination_r->mailbox;
	struct dmarc_walk ours, theirs;
	const struct dns_answer *answer;

	*destination_r = (struct dmarc_destination){.question = SLICE("")};
	if (!dmarc_uri_mailbox(uri, arena, mailbox))
		return DMARC_CONSENT_NO_MAIL;
	dmarc_walk(domain, DMARC_TREE_WALK, budget, &ours);
	dmarc_walk(mailbox->domain, DMARC_TREE_WALK, budget, &theirs);
	if (ours.org.n > 0 && slice_equal(ours.org, theirs.org))
		return DMARC_CONSENT_OWN;
	if (ours.failed || theirs.failed)
		return DMARC_CONSENT_UNKNOWN;
	destination_r->question = arena_join(arena, domain, SLICE("._report._dmarc."), mailbox->domain);
	if (destination_r->question.n > MAIL_DOMAIN_MAX)
		return DMARC_CONSENT_IMPOSSIBLE;
	answer = dns_ask(budget, destination_r->question, DNS_TXT);
	if (answer->status == DNS_TEMPFAIL)
		return DMARC_CONSENT_UNKNOWN;
	return read_records(answer, kind, destination_r, arena);
}
