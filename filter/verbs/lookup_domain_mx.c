/*
 * lookup_domain_mx.c - the mail servers of a domain: where they are, on which lists, and how they answer.
 */
#include "lookup_domain.h"
#include "lookup_lists.h"
#include "mail.h"

#include <stdio.h>

#define ADDRESSES_LISTED 8       /* that are looked up in lists */
#define NAMES_US         6000000 /* for the names of all servers, which were asked for before */

static json_t *show_addresses(struct domain_sheet *domain, const struct lookup_host *host, struct slice label)
{
	json_t *array = json_array();
	char address[IP_TEXT];

	for (int family = 0; family < 2; family++)
		for (size_t i = 0; i < host->answers[family]->count; i++) {
			struct ip ip = host->answers[family]->records[i].ip;
			struct slice ttl = sheet_ttl(domain->lookup, host->answers[family]->ttl);

			ip_print(ip, address);
			bool reachable = ip_use(ip) == IP_USE_PUBLIC;

			sheet_line(domain->sheet, reachable ? MARK_OK : MARK_NOTE, label, "%-15s  %.*s", address,
				   SLICE_ARGS(ttl));
			label = SLICE("");
			if (!reachable)
				sheet_advice(domain->sheet, MARK_NOTE, "mx-bogus",
					     "%s cannot be reached from the Internet (RFC 6890)", address);
			json_array_append_new(
			    array, json_pack("{s:s, s:i}", "ip", address, "ttl", (int)host->answers[family]->ttl));
		}
	return array;
}

/* What RFC 5321 5.1 and RFC 2181 10.3 do not allow for the name in an MX record. */
static void judge_host(struct domain_sheet *domain, struct slice host, const struct lookup_host *found)
{
	const struct dns_answer *alias = dns_ask(domain->lookup->budget, host, DNS_CNAME);
	struct ip ip;

	if (ip_parse(host, &ip) == 0)
		sheet_advice(domain->sheet, MARK_WRONG, "mx-address",
			     "the MX record has the address %.*s: it must have the name of a host", SLICE_ARGS(host));
	else if (found->status == DNS_TEMPFAIL)
		sheet_advice(domain->sheet, MARK_NOTE, "mx-unknown", "%.*s: the DNS does not answer for it now",
			     SLICE_ARGS(host));
	else if (found->status != DNS_OK)
		sheet_advice(domain->sheet, MARK_WRONG, "mx-nowhere", "%.*s %s: no mail can go there", SLICE_ARGS(host),
			     found->status == DNS_NXDOMAIN ? "does not exist" : "has no address");
	if (alias->status == DNS_OK && alias->count > 0)
		sheet_advice(domain->sheet, MARK_WRONG, "mx-alias",
			     "%.*s is an alias of %.*s: MX records must not lead to a CNAME (RFC 2181 10.3)",
			     SLICE_ARGS(host), SLICE_ARGS(alias->records[0].name));
}

static json_t *show_host(struct domain_sheet *domain, const struct dns_record *mx)
{
	struct lookup_host found = lookup_addresses(domain->lookup, mx->name);
	struct slice label = arena_printf(domain->lookup->arena, "%5u %.*s", mx->preference, SLICE_ARGS(mx->name));
	json_t *addresses = show_addresses(domain, &found, label);

	if (found.status != DNS_OK)
		sheet_line(domain->sheet, MARK_WRONG, label, "no address");

	judge_host(domain, mx->name, &found);
	return json_pack("{s:i, s:o, s:s, s:o}", "preference", (int)mx->preference, "host",
			 lookup_string(domain->lookup, mx->name), "status", dns_status_names[found.status], "addresses",
			 addresses);
}

static void show_hosts(struct domain_sheet *domain, json_t *hosts)
{
	for (size_t i = 0; i < domain->mx->count && i < MX_SHOWN; i++) {
		const struct dns_record *mx = &domain->mx->records[i];
		if (mx->name.n == 0) {
			sheet_advice(domain->sheet, MARK_WRONG, "null-mx-beside",
				     "a null MX must be the only MX record (RFC 7505 3)");
			continue;
		}
		json_array_append_new(hosts, show_host(domain, mx));
		domain->hosts[domain->host_count++] = mx->name;
	}
	if (domain->mx->count > MX_SHOWN)
		sheet_line(domain->sheet, MARK_NOTE, SLICE(""), "and %zu more", domain->mx->count - MX_SHOWN);
	domain->takes_mail = domain->host_count > 0;
}

/* Without an MX record its own address counts (RFC 5321 5.1). */
static const char *show_implicit(struct domain_sheet *domain, json_t *hosts)
{
	struct lookup_host found = lookup_addresses(domain->lookup, domain->domain);
	struct dns_record self = {.name = domain->domain};

	domain->exists = found.status != DNS_NXDOMAIN;
	if (found.status == DNS_TEMPFAIL) {
		sheet_advice(domain->sheet, MARK_WRONG, "mx-unknown", "the DNS does not answer for the domain now");
		return "temperror";
	}
	if (found.status != DNS_OK) {
		sheet_advice(domain->sheet, MARK_WRONG, "no-mx",
			     domain->exists ? "it has neither MX nor address records: it takes no mail"
					    : "there is no such domain");
		return "none";
	}
	sheet_advice(domain->sheet, MARK_NOTE, "implicit-mx",
		     "it has no MX record: mail goes to its own address (RFC 5321 5.1)");
	json_array_append_new(hosts, show_host(domain, &self));
	domain->hosts[domain->host_count++] = domain->domain;
	domain->takes_mail = true;
	return "implicit";
}

void lookup_domain_mx(struct domain_sheet *domain)
{
	const char *result = "ok";
	json_t *hosts = json_array();

	sheet_section(domain->sheet,
		      arena_printf(domain->lookup->arena, "Mail servers of %.*s", SLICE_ARGS(domain->domain)).p);
	domain->mx = dns_ask(domain->lookup->budget, domain->domain, DNS_MX);
	domain->exists = true;
	for (size_t i = 0; i < domain->mx->count && i < MX_SHOWN; i++) {
		dns_hint(domain->lookup->budget, domain->mx->records[i].name, DNS_A);
		dns_hint(domain->lookup->budget, domain->mx->records[i].name, DNS_CNAME);
	}
	if (domain->mx->count == 1 && domain->mx->records[0].name.n == 0) {
		sheet_line(domain->sheet, MARK_NOTE, SLICE("null MX"), "it takes no mail, and says so (RFC 7505)");
		result = "null";
	} else if (domain->mx->count > 0) {
		struct slice ttl = sheet_ttl(domain->lookup, domain->mx->ttl);
		if (ttl.n)
			sheet_line(domain->sheet, MARK_NONE, SLICE("MX"), "%.*s", SLICE_ARGS(ttl));
		show_hosts(domain, hosts);
	} else if (domain->mx->status == DNS_TEMPFAIL) {
		sheet_advice(domain->sheet, MARK_WRONG, "mx-unknown", "the DNS does not answer for the domain now");
		result = "temperror";
	} else {
		result = show_implicit(domain, hosts);
	}
	json_object_set_new(domain->object, "mx",
			    json_pack("{s:s, s:i, s:b, s:o}", "result", result, "ttl", (int)domain->mx->ttl, "secure",
				      domain->mx->secure, "hosts", hosts));
}

/* ---- lists ------------------------------------------------------------------------------------ */

static json_t *show_lists(struct domain_sheet *domain, const struct dnsbl_subject *subject, struct slice shown)
{
	json_t *object = json_pack("{s:o}", "subject", lookup_string(domain->lookup, shown));

	sheet_section(domain->sheet, arena_printf(domain->lookup->arena, "DNS lists: %.*s", SLICE_ARGS(shown)).p);
	lookup_lists_ask(domain->lookup, domain->sheet, subject, object);
	return object;
}

/* Each address once: several hosts may share it. Returns how many there are then. */
static size_t add_addresses(const struct lookup_host *host, struct ip *ips, size_t count)
{
	for (int family = 0; family < 2; family++)
		for (size_t i = 0; i < host->answers[family]->count && count < ADDRESSES_LISTED; i++) {
			struct ip ip = host->answers[family]->records[i].ip;
			bool known = false;

			for (size_t k = 0; k < count; k++)
				known |= ip_equal(ips[k], ip);
			if (!known)
				ips[count++] = ip;
		}
	return count;
}

/* The addresses of all its hosts. */
static size_t find_addresses(struct domain_sheet *domain, struct ip *ips)
{
	size_t count = 0;

	for (size_t i = 0; i < domain->host_count; i++) {
		struct lookup_host host = lookup_addresses(domain->lookup, domain->hosts[i]);
		count = add_addresses(&host, ips, count);
	}
	return count;
}

void lookup_domain_lists(struct domain_sheet *domain)
{
	struct dnsbl_subject subjects[1 + ADDRESSES_LISTED] = {{.domain = domain->domain}};
	struct lookup *lookup = domain->lookup;
	struct ip ips[ADDRESSES_LISTED];
	json_t *array = json_array();
	size_t count = 1 + find_addresses(domain, ips);

	for (size_t i = 1; i < count; i++)
		subjects[i] = (struct dnsbl_subject){.ip = ips[i - 1]};
	for (size_t i = 0; i < count; i++)
		lookup_lists_hint(lookup, &subjects[i]);
	for (size_t i = 0; i < count; i++) {
		char buffer[IP_TEXT];
		struct slice shown =
		    i == 0 ? domain->domain : arena_copy(lookup->arena, ip_print(subjects[i].ip, buffer));

		if (lookup_lists_any(lookup, &subjects[i]))
			json_array_append_new(array, show_lists(domain, &subjects[i], shown));
	}
	json_object_set_new(domain->object, "dnsbl", array);
}

/* ---- SMTP ----------------------------------------------------------------------------------------- */

void lookup_domain_smtp(struct domain_sheet *domain)
{
	json_t *array = json_array();

	for (size_t i = 0; i < domain->host_count; i++) {
		enum dns_status status;
		domain->target_count += lookup_smtp_targets(domain->lookup, domain->hosts[i], PROBE_PORT,
							    domain->targets + domain->target_count,
							    TARGETS_MAX - domain->target_count, &status);
		if (domain->target_count == TARGETS_MAX)
			break;
	}
	if (domain->target_count > 0)
		sheet_section(domain->sheet, "SMTP");
	lookup_smtp_probe(domain->lookup, domain->targets, domain->target_count);
	dns_budget_deadline(domain->lookup->budget, clock_us() + NAMES_US);
	for (size_t i = 0; i < domain->target_count; i++)
		json_array_append_new(array,
				      lookup_smtp_show(domain->lookup, domain->sheet, &domain->targets[i], false));
	dns_budget_deadline(domain->lookup->budget, INT64_MAX);
	json_object_set_new(domain->object, "smtp", array);
}
