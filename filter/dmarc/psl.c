/*
 * psl.c - the Organizational Domain by the public suffix list (RFC 7489 3.2). The only
 * file that uses libpsl; a build without it uses psl_absent.c instead.
 *
 * It uses the list built into libpsl: immutable, safe for any thread.
 */
#include "dmarc.h"

#include <libpsl.h>

bool dmarc_has_psl(void)
{
	return psl_builtin() != NULL;
}

struct slice dmarc_psl_org(struct slice domain)
{
	char name[MAIL_DOMAIN_MAX + 1];
	const char *found;

	if (domain.n > MAIL_DOMAIN_MAX)
		return domain;
	for (size_t i = 0; i < domain.n; i++)
		name[i] = domain.p[i];
	name[domain.n] = '\0';
	found = psl_registrable_domain(psl_builtin(), name);
	return found ? slice_from(domain, (size_t)(found - name)) : domain;
}
