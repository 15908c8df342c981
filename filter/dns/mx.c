/*
 * mx.c - who takes the mail of a domain.
 *
 * One MX question; address questions only where there is no MX (RFC 5321 5.1).
 * The root as the name of a host is never a host (RFC 7505): alone it means that the
 * domain takes no mail, beside others it is left out.
 */
#include "dns.h"

const char *const dns_mx_names[] = {"ok", "implicit", "null", "none", "temperror", NULL};

/* RFC 5321 5.1: without MX the domain is its own host, with preference 0, if it has an address. */
static void implicit_mx(struct dns_budget *budget, struct slice domain, struct arena *arena,
			struct dns_mx_outcome *outcome)
{
	const struct dns_answer *a, *aaaa;
	struct dns_mx_host *host;

	dns_hint(budget, domain, DNS_AAAA);
	a = dns_ask(budget, domain, DNS_A);
	aaaa = a->status == DNS_OK ? a : dns_ask(budget, domain, DNS_AAAA);
	if (aaaa->status != DNS_OK) {
		bool unknown = a->status == DNS_TEMPFAIL || aaaa->status == DNS_TEMPFAIL;

		outcome->result = unknown ? DNS_MX_TEMPERROR : DNS_MX_NONE;
		return;
	}
	host = arena_alloc(arena, sizeof(*host));
	host->name = arena_copy(arena, domain);
	*outcome = (struct dns_mx_outcome){.result = DNS_MX_IMPLICIT, .hosts = host, .host_count = 1};
}

static void explicit_mx(const struct dns_answer *mx, struct arena *arena, struct dns_mx_outcome *outcome)
{
	struct dns_mx_host *hosts = arena_alloc(arena, mx->count * sizeof(*hosts));
	size_t n = 0;

	for (size_t i = 0; i < mx->count; i++) {
		if (mx->records[i].name.n == 0)
			continue;
		hosts[n++] = (struct dns_mx_host){
		    .preference = mx->records[i].preference,
		    .name = arena_copy(arena, mx->records[i].name),
		};
	}
	outcome->result = n > 0 ? DNS_MX_OK : DNS_MX_NULL;
	outcome->hosts = hosts;
	outcome->host_count = n;
}

void dns_mx(struct dns_budget *budget, struct slice domain, struct arena *arena, struct dns_mx_outcome *outcome_r)
{
	const struct dns_answer *mx;

	*outcome_r = (struct dns_mx_outcome){.result = DNS_MX_NONE};
	if (domain.n == 0)
		return;
	mx = dns_ask(budget, domain, DNS_MX);
	if (mx->status == DNS_OK)
		explicit_mx(mx, arena, outcome_r);
	else if (mx->status == DNS_NODATA)
		implicit_mx(budget, domain, arena, outcome_r);
	else if (mx->status == DNS_TEMPFAIL)
		outcome_r->result = DNS_MX_TEMPERROR;
}
