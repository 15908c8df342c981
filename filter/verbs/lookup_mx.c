/*
 * lookup_mx.c - `sekisho lookup mx`: who takes the mail of a domain, in the order
 * in which a sender tries (RFC 5321 5.1).
 */
#include "lookup.h"
#include "mail.h"
#include "verbs.h"

#include <stdio.h>

struct lookup_host lookup_addresses(struct lookup *lookup, struct slice name)
{
	struct lookup_host host;
	enum dns_status a, aaaa;

	dns_hint(lookup->budget, name, DNS_AAAA);
	host.answers[0] = dns_ask(lookup->budget, name, DNS_A);
	host.answers[1] = dns_ask(lookup->budget, name, DNS_AAAA);
	a = host.answers[0]->status;
	aaaa = host.answers[1]->status;
	if (a == DNS_OK || aaaa == DNS_OK)
		host.status = DNS_OK;
	else
		host.status = a == DNS_TEMPFAIL ? a : aaaa;
	return host;
}

static json_t *json_host(struct lookup *lookup, const struct dns_mx_host *mx)
{
	struct lookup_host host = lookup_addresses(lookup, mx->name);
	json_t *object = json_object(), *addresses = json_array();
	char buffer[IP_TEXT];

	for (int family = 0; family < 2; family++)
		for (size_t i = 0; i < host.answers[family]->count; i++) {
			ip_print(host.answers[family]->records[i].ip, buffer);
			json_array_append_new(addresses, json_string(buffer));
		}
	json_object_set_new(object, "preference", json_integer(mx->preference));
	json_object_set_new(object, "host", lookup_string(lookup, mx->name));
	json_object_set_new(object, "addresses", addresses);
	json_object_set_new(object, "status", json_string(dns_status_names[host.status]));
	return object;
}

static void print_json(struct lookup *lookup, struct slice domain, const struct dns_mx_outcome *outcome)
{
	json_t *object = json_object(), *hosts = json_array();

	json_object_set_new(object, "domain", lookup_string(lookup, domain));
	json_object_set_new(object, "result", json_string(dns_mx_names[outcome->result]));
	for (size_t i = 0; i < outcome->host_count; i++)
		json_array_append_new(hosts, json_host(lookup, &outcome->hosts[i]));
	json_object_set_new(object, "hosts", hosts);
	lookup_print_json(object);
}

static void print_host(struct lookup *lookup, const struct dns_mx_host *mx)
{
	static const char *const trouble[] = {
	    [DNS_OK] = "",
	    [DNS_NODATA] = "  no address",
	    [DNS_NXDOMAIN] = "  no such name",
	    [DNS_TEMPFAIL] = "  temporary DNS failure",
	};
	struct lookup_host host = lookup_addresses(lookup, mx->name);
	struct slice name = lookup_safe(lookup, mx->name);
	char buffer[IP_TEXT];

	printf("  %5u %.*s%s", mx->preference, SLICE_ARGS(name), trouble[host.status]);
	for (int family = 0; family < 2; family++)
		for (size_t i = 0; i < host.answers[family]->count; i++) {
			ip_print(host.answers[family]->records[i].ip, buffer);
			printf("  %s", buffer);
		}
	putchar('\n');
}

static void print_text(struct lookup *lookup, struct slice domain, const struct dns_mx_outcome *outcome)
{
	static const char *const sentences[] = {
	    [DNS_MX_OK] = "its mail goes to, in this order:",
	    [DNS_MX_IMPLICIT] = "implicit MX: it has no MX record but an address (RFC 5321 5.1)",
	    [DNS_MX_NULL] = "null MX: it takes no mail (RFC 7505)",
	    [DNS_MX_NONE] = "none: it has neither MX nor address records",
	    [DNS_MX_TEMPERROR] = "temperror: the DNS does not answer now; try again later",
	};

	printf("%.*s: %s\n", SLICE_ARGS(domain), sentences[outcome->result]);
	for (size_t i = 0; i < outcome->host_count; i++)
		print_host(lookup, &outcome->hosts[i]);
}

int lookup_mx(struct lookup *lookup)
{
	struct dns_mx_outcome outcome;
	struct slice domain;
	int status = lookup_open_domain(lookup, &domain);

	if (status != VERB_OK)
		return status;
	dns_mx(lookup->budget, domain, lookup->arena, &outcome);
	if (lookup->json)
		print_json(lookup, domain, &outcome);
	else
		print_text(lookup, domain, &outcome);
	return outcome.result == DNS_MX_OK || outcome.result == DNS_MX_IMPLICIT ? VERB_OK : VERB_NO;
}
