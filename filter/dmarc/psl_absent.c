/*
 * psl_absent.c - a build without the public suffix list.
 */
#include "dmarc.h"

bool dmarc_has_psl(void)
{
	return false;
}

struct slice dmarc_psl_org(struct slice domain)
{
	return domain;
}
