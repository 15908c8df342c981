/*
 * lookup_domain_tls.c - what a domain publishes so that mail to it is encrypted: MTA-STS (RFC 8461), TLS reports
 * (RFC 8460), DANE (RFC 7672).
 */
#include "lookup_domain.h"
#include "mail.h"

#include <stdio.h>

#define FETCH_US     15000000
#define MAX_AGE_MOST 31557600 /* RFC 8461 3.2 */
#define PATTERNS_MAX 100
#define TLSA_SHOWN   64 /* hexadecimal digits */

/* ---- MTA-STS --------------------------------------------------------------------------------------- */

struct policy_text {
	struct slice mode;
	int64_t max_age; /* -1: missing or wrong */
	struct slice patterns[PATTERNS_MAX];
	size_t pattern_count;
	bool version;
};

static void judge_id(struct domain_sheet *domain, struct slice record)
{
	struct slice name, value, id = SLICE("");
	bool good = true;

	while (lookup_next_tag(&record, &name, &value))
		if (slice_equal(name, SLICE("id")))
			id = value;
	for (size_t i = 0; i < id.n; i++)
		good &= is_letter(id.p[i]) || is_digit(id.p[i]);
	if (id.n == 0 || id.n > 32 || !good)
		sheet_advice(domain->sheet, MARK_WRONG, "sts-id",
			     "the record needs id=, 1 to 32 letters and digits: without it senders ignore the policy");
}

/* RFC 8461 4.1: a wildcard is one whole label at the left. */
static bool fits(struct slice pattern, struct slice host)
{
	if (pattern.n > 2 && pattern.p[0] == '*' && pattern.p[1] == '.') {
		ptrdiff_t dot = slice_find(host, '.');
		return dot > 0 && slice_equal_nocase(slice_from(pattern, 2), slice_from(host, (size_t)dot + 1));
	}
	return slice_equal_nocase(pattern, host);
}

static void read_policy(struct slice text, struct policy_text *policy)
{
	struct slice line;

	*policy = (struct policy_text){.mode = SLICE(""), .max_age = -1};
	while (slice_cut(&text, '\n', &line)) {
		ptrdiff_t colon = slice_find(line, ':');
		struct slice name = slice_trim(slice_head(line, colon < 0 ? 0 : (size_t)colon));
		struct slice value = slice_trim(slice_from(line, (size_t)(colon + 1)));
		uint64_t number;

		if (slice_equal(name, SLICE("version")))
			policy->version = slice_equal(value, SLICE("STSv1"));
		else if (slice_equal(name, SLICE("mode")))
			policy->mode = value;
		else if (slice_equal(name, SLICE("max_age")) && slice_number(value, MAX_AGE_MOST, &number) == 0)
			policy->max_age = (int64_t)number;
		else if (slice_equal(name, SLICE("mx")) && policy->pattern_count < PATTERNS_MAX)
			policy->patterns[policy->pattern_count++] = value;
	}
}

static void judge_hosts(struct domain_sheet *domain, const struct policy_text *policy)
{
	for (size_t i = 0; i < domain->host_count; i++) {
		bool fitting = false;

		for (size_t k = 0; k < policy->pattern_count; k++)
			fitting |= fits(policy->patterns[k], domain->hosts[i]);
		if (!fitting)
			sheet_advice(domain->sheet, MARK_WRONG, "sts-mx",
				     "the MX host %.*s is not in the policy: senders that honour it do not deliver "
				     "there",
				     SLICE_ARGS(domain->hosts[i]));
	}
}

static void judge_policy(struct domain_sheet *domain, const struct policy_text *policy)
{
	bool none = slice_equal(policy->mode, SLICE("none")), testing = slice_equal(policy->mode, SLICE("testing"));
	struct sheet *sheet = domain->sheet;

	if (!policy->version)
		sheet_advice(sheet, MARK_WRONG, "sts-version", "the policy has no line \"version: STSv1\"");
	if (!none && !testing && !slice_equal(policy->mode, SLICE("enforce")))
		sheet_advice(sheet, MARK_WRONG, "sts-mode", "mode must be enforce, testing or none");
	if (policy->max_age < 0)
		sheet_advice(sheet, MARK_WRONG, "sts-max-age", "max_age must be a number of seconds up to %d",
			     MAX_AGE_MOST);
	else if (policy->max_age < 86400 && !none)
		sheet_advice(sheet, MARK_NOTE, "sts-max-age",
			     "max_age is under a day: who can suppress the record so long can suppress the policy");
	if (none)
		sheet_advice(sheet, MARK_NOTE, "sts-none", "mode is none: the policy asks for nothing");
	if (testing)
		sheet_advice(sheet, MARK_NOTE, "sts-testing", "mode is testing: mail is delivered without TLS, too");
	if (!none && policy->pattern_count == 0)
		sheet_advice(sheet, MARK_WRONG, "sts-mx", "the policy names no MX host");
	else if (!none)
		judge_hosts(domain, policy);
}

/* The addresses of the host of the policy; false: an advice says why there is none. */
static bool fetch_policy(struct domain_sheet *domain, struct probe_https *fetched)
{
	struct slice host = arena_join(domain->lookup->arena, SLICE("mta-sts."), domain->domain);
	struct lookup_host found = lookup_addresses(domain->lookup, host);
	struct ip ips[8];
	size_t count = 0;

	for (int family = 0; family < 2; family++)
		for (size_t i = 0; i < found.answers[family]->count && count < 8; i++)
			ips[count++] = found.answers[family]->records[i].ip;
	if (count == 0) {
		sheet_advice(domain->sheet, MARK_WRONG, "sts-host", "%.*s has no address: there is no policy",
			     SLICE_ARGS(host));
		return false;
	}
	struct probe_https_request request = {.host = host,
					      .path = "/.well-known/mta-sts.txt",
					      .ips = ips,
					      .ip_count = count,
					      .ca_file = domain->lookup->ca,
					      .until_us = clock_us() + FETCH_US};
	probe_https(&request, domain->lookup->arena, fetched);
	if (fetched->untried)
		sheet_advice(domain->sheet, MARK_NOTE, "sts-fetch", "the policy was not fetched: %.*s",
			     SLICE_ARGS(fetched->why));
	else if (fetched->why.n > 0)
		sheet_advice(domain->sheet, MARK_WRONG, "sts-fetch", "the policy cannot be fetched from %.*s: %.*s",
			     SLICE_ARGS(host), SLICE_ARGS(fetched->why));
	else if (fetched->status != 200)
		sheet_advice(domain->sheet, MARK_WRONG, "sts-fetch",
			     "%.*s answers %ld: only 200 counts, and no redirect is followed (RFC 8461 3.3)",
			     SLICE_ARGS(host), fetched->status);
	else if (!slice_equal(fetched->type, SLICE("text/plain")))
		sheet_advice(domain->sheet, MARK_NOTE, "sts-type",
			     "the media type is \"%.*s\": it should be text/plain (RFC 8461 3.2)",
			     SLICE_ARGS(fetched->type));
	return fetched->why.n == 0 && fetched->status == 200;
}

static json_t *show_policy(struct domain_sheet *domain)
{
	struct policy_text policy;
	struct probe_https fetched;
	json_t *patterns = json_array();

	if (!fetch_policy(domain, &fetched)) {
		json_decref(patterns);
		return json_null();
	}
	read_policy(fetched.body, &policy);
	sheet_line(domain->sheet, MARK_OK, SLICE("policy"), "mode %.*s, %zu host pattern%s, max_age %lld",
		   SLICE_ARGS(policy.mode), policy.pattern_count, policy.pattern_count == 1 ? "" : "s",
		   (long long)policy.max_age);
	for (size_t i = 0; i < policy.pattern_count; i++)
		json_array_append_new(patterns, lookup_string(domain->lookup, policy.patterns[i]));
	judge_policy(domain, &policy);
	return json_pack("{s:o, s:I, s:o}", "mode", lookup_string(domain->lookup, policy.mode), "max-age",
			 (json_int_t)policy.max_age, "mx", patterns);
}

void lookup_domain_sts(struct domain_sheet *domain, bool fetch)
{
	const struct dns_record *record;
	json_t *policy = json_null();
	bool wrong;

	sheet_section(domain->sheet, "MTA-STS");
	record = lookup_version_record(domain, SLICE("_mta-sts"), "STSv1", &wrong);
	if (record) {
		sheet_line(domain->sheet, MARK_OK, SLICE("record"), "%.*s", SLICE_ARGS(record->text));
		judge_id(domain, record->text);
		if (fetch)
			policy = show_policy(domain);
		else
			sheet_line(domain->sheet, MARK_NONE, SLICE("policy"),
				   "not fetched: no connections are made (--smtp makes them)");
	} else if (!wrong) {
		sheet_line(domain->sheet, MARK_NONE, SLICE(""), "none");
	}
	json_object_set_new(
	    domain->object, "mta-sts",
	    record ? json_pack("{s:o, s:o}", "record", lookup_string(domain->lookup, record->text), "policy", policy)
		   : json_null());
	if (!record)
		json_decref(policy);
}

/* ---- TLS reports ------------------------------------------------------------------------------------ */

static bool has_scheme(struct slice uri, const char *scheme)
{
	return slice_starts_nocase(uri, slice_of(scheme)) && uri.n > strlen(scheme);
}

void lookup_domain_tlsrpt(struct domain_sheet *domain)
{
	struct slice rest, name, value, uri, rua = SLICE("");
	const struct dns_record *record;
	bool wrong;

	sheet_section(domain->sheet, "TLS reports");
	record = lookup_version_record(domain, SLICE("_smtp._tls"), "TLSRPTv1", &wrong);
	if (record)
		sheet_line(domain->sheet, MARK_OK, SLICE("record"), "%.*s", SLICE_ARGS(record->text));
	else if (!wrong)
		sheet_line(domain->sheet, MARK_NONE, SLICE(""), "none");
	rest = record ? record->text : SLICE("");
	while (lookup_next_tag(&rest, &name, &value))
		if (slice_equal(name, SLICE("rua")))
			rua = value;
	if (record && rua.n == 0)
		sheet_advice(domain->sheet, MARK_WRONG, "tlsrpt-rua", "there is no rua: no report goes anywhere");
	while (rua.n > 0 && slice_cut(&rua, ',', &uri)) {
		uri = slice_trim(uri);
		if (!has_scheme(uri, "mailto:") && !has_scheme(uri, "https://"))
			sheet_advice(domain->sheet, MARK_WRONG, "report-address",
				     "rua: \"%.*s\" begins with neither mailto: nor https://: no report goes there",
				     SLICE_ARGS(uri));
	}
	json_object_set_new(domain->object, "tls-rpt",
			    record ? json_pack("{s:o}", "record", lookup_string(domain->lookup, record->text))
				   : json_null());
}

/* ---- DANE --------------------------------------------------------------------------------------------- */

static const char *const dane_words[] = {"none", "match", "mismatch", "unusable"};

/* Of the first tested address of the host, for which TLS was possible. */
static enum probe_dane tested_dane(const struct domain_sheet *domain, struct slice host)
{
	for (size_t i = 0; i < domain->target_count; i++)
		if (slice_equal(domain->targets[i].host, host) && domain->targets[i].result.tls_version)
			return domain->targets[i].result.dane;
	return PROBE_DANE_NONE;
}

static void judge_tlsa(struct domain_sheet *domain, struct slice host, const struct tlsa_set *set,
		       enum probe_dane tested)
{
	struct sheet *sheet = domain->sheet;

	if (!set->secure)
		sheet_advice(sheet, MARK_NOTE, "dane-insecure",
			     "%.*s: DNSSEC does not prove the TLSA records: senders ignore them", SLICE_ARGS(host));
	for (size_t i = 0; i < set->count; i++)
		if (set->records[i].usage < 2)
			sheet_advice(sheet, MARK_NOTE, "dane-usage",
				     "%.*s: usage %u is not used for SMTP (RFC 7672 3.1.3): publish 3 1 1",
				     SLICE_ARGS(host), set->records[i].usage);
	if (tested == PROBE_DANE_MATCH)
		sheet_line(sheet, MARK_OK, host, "the certificate fits");
	if (set->secure && !domain->mx->secure && domain->mx->count > 0)
		sheet_advice(sheet, MARK_NOTE, "dane-mx",
			     "DNSSEC does not prove the MX records: DANE protects only who is not misled before");
}

static json_t *show_dane(struct domain_sheet *domain, struct slice host)
{
	struct tlsa_set set = lookup_tlsa(domain->lookup, host, PROBE_PORT);
	enum probe_dane tested = tested_dane(domain, host);
	json_t *records = json_array();

	for (size_t i = 0; i < set.count; i++) {
		struct text hex;
		text_init(&hex, domain->lookup->arena, 2 * set.records[i].data.n + 1);
		for (size_t k = 0; k < set.records[i].data.n; k++)
			text_printf(&hex, "%02x", (unsigned char)set.records[i].data.p[k]);
		struct slice shown = text_slice(&hex);
		json_array_append_new(records,
				      json_pack("{s:i, s:i, s:i, s:s%}", "usage", (int)set.records[i].usage, "selector",
						(int)set.records[i].selector, "matching", (int)set.records[i].matching,
						"data", shown.p ? shown.p : "", shown.n));
		sheet_line(domain->sheet, MARK_OK, host, "%u %u %u %.*s%s", set.records[i].usage,
			   set.records[i].selector, set.records[i].matching, SLICE_ARGS(slice_head(shown, TLSA_SHOWN)),
			   shown.n > TLSA_SHOWN ? "..." : "");
	}
	if (set.count > 0)
		judge_tlsa(domain, host, &set, tested);
	return json_pack("{s:o, s:b, s:s, s:o}", "host", lookup_string(domain->lookup, host), "secure",
			 set.secure && set.count > 0, "certificate", dane_words[tested], "records", records);
}

void lookup_domain_dane(struct domain_sheet *domain)
{
	json_t *array = json_array();
	bool any = false;

	sheet_section(domain->sheet, "DANE");
	for (size_t i = 0; i < domain->host_count; i++) {
		json_t *host = show_dane(domain, domain->hosts[i]);
		any |= json_array_size(json_object_get(host, "records")) > 0;
		json_array_append_new(array, host);
	}
	if (!any)
		sheet_line(domain->sheet, MARK_NONE, SLICE(""), "none");
	json_object_set_new(domain->object, "dane", array);
}
