/*
 * lookup_open.c - what `sekisho lookup` asks: zone text, a name server, those of a policy file, or
 * those of the system.
 */
#include "lookup.h"
#include "mail.h"
#include "policy.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>

#define QUESTIONS_MAX  1000          /* of one look-up by hand: 256 MX hosts with two families, and room */
#define TIMEOUT_US     (3 * 1000000) /* for one answer, as the daemon's default */
#define CACHE_ENTRIES  1000
#define ZONE_BYTES_MAX (64 * 1024 * 1024)
#define PORT_MAX       65535

/* "ADDR" or "ADDR@PORT" in the form for the resolver; "" when it is neither. */
static struct slice server_text(struct slice text, struct arena *arena)
{
	ptrdiff_t at = slice_find(text, '@');
	struct slice address = at < 0 ? text : slice_head(text, (size_t)at);
	uint64_t port = 53;
	char buffer[IP_TEXT];
	struct ip ip;

	if (ip_parse(address, &ip) < 0)
		return SLICE("");
	if (at >= 0 && (slice_number(slice_from(text, (size_t)at + 1), PORT_MAX, &port) < 0 || port == 0))
		return SLICE("");
	ip_print(ip, buffer);
	return arena_printf(arena, "%s@%u", buffer, (unsigned)port);
}

static int open_zone(struct lookup *lookup)
{
	struct slice text;
	struct error err;

	if (file_read(lookup->zone, ZONE_BYTES_MAX, &text, &err) == 0) {
		lookup->resolver = resolver_open_zone(text, lookup->zone, &err);
		free((char *)text.p);
	}
	if (lookup->resolver)
		return VERB_OK;
	fprintf(stderr, "sekisho %s: %s\n", lookup->verb, err.text);
	return VERB_NOINPUT;
}

static int load_config(struct lookup *lookup)
{
	struct diagnostics *diagnostics = diagnostics_new();

	lookup->policy = policy_load_as(POLICY_EXPLAIN, lookup->config, diagnostics);
	if (!lookup->policy) {
		char *text = diagnostics_print(diagnostics);
		fputs(text, stderr);
		free(text);
	}
	diagnostics_free(diagnostics);
	return lookup->policy ? VERB_OK : VERB_CONFIG;
}

static int open_config(struct lookup *lookup)
{
	struct error err;

	lookup->resolver = resolver_open(&policy_settings(lookup->policy)->resolver, &err);
	if (lookup->resolver)
		return VERB_OK;
	fprintf(stderr, "sekisho %s: %s\n", lookup->verb, err.text);
	return VERB_UNAVAILABLE;
}

static int open_servers(struct lookup *lookup)
{
	struct resolver_settings settings = {
	    .source = DNS_SYSTEM,
	    .dnssec = DNSSEC_PERMISSIVE,
	    .timeout_us = TIMEOUT_US,
	    .cache_entries = CACHE_ENTRIES,
	};
	struct error err;

	if (lookup->server) {
		struct slice server = server_text(slice_of(lookup->server), lookup->arena);

		if (server.n == 0)
			return lookup_usage("--resolver %s: an IP address is needed, or ADDRESS@PORT", lookup->server);
		settings.source = DNS_FORWARD;
		settings.forward[0] = arena_cstring(lookup->arena, server);
		settings.forward_count = 1;
	}
	lookup->resolver = resolver_open(&settings, &err);
	if (lookup->resolver)
		return VERB_OK;
	fprintf(stderr, "sekisho %s: %s\n", lookup->verb, err.text);
	return VERB_UNAVAILABLE;
}

/* Has any server given any answer? When all questions so far failed, ask for a name that every server can
 * answer: the servers of one domain can be down. */
static bool servers_answer(struct lookup *lookup)
{
	struct resolver_counters counters;
	struct dns_budget *budget;
	bool answer;

	resolver_counters(lookup->resolver, &counters);
	if (counters.tempfails == 0 || counters.answered > 0)
		return true;
	budget = dns_budget_open(lookup->resolver, lookup->arena, 1);
	answer = dns_ask(budget, SLICE("com"), DNS_A)->status != DNS_TEMPFAIL;
	dns_budget_close(budget);
	return answer;
}

int lookup_status(struct lookup *lookup, int status)
{
	if (status != VERB_NO || lookup->zone || !lookup->resolver || servers_answer(lookup))
		return status;
	fprintf(stderr, "sekisho %s: no name server answers (%s)\n", lookup->verb, resolver_name(lookup->resolver));
	return VERB_UNAVAILABLE;
}

int lookup_open(struct lookup *lookup)
{
	int status = lookup->config ? load_config(lookup) : VERB_OK;

	if (status == VERB_OK)
		status = lookup->zone                        ? open_zone(lookup)
			 : lookup->policy && !lookup->server ? open_config(lookup)
							     : open_servers(lookup);
	if (status == VERB_OK)
		lookup->budget = dns_budget_open(lookup->resolver, lookup->arena, QUESTIONS_MAX);
	return status;
}

void lookup_close(struct lookup *lookup)
{
	dns_budget_close(lookup->budget);
	resolver_release(lookup->resolver);
	policy_release(lookup->policy);
}

int lookup_open_domain(struct lookup *lookup, struct slice *domain_r)
{
	bool valid;

	*domain_r = domain_normalise(slice_of(lookup->operands[0]), lookup->arena, &valid);
	if (!valid)
		return lookup_usage("\"%.100s\" is not a domain", lookup->operands[0]);
	return lookup_open(lookup);
}
