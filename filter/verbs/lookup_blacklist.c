/*
 * lookup_blacklist.c - `sekisho lookup blacklist`: is an address or a domain on DNS lists?
 */
#include "lookup_lists.h"
#include "mail.h"
#include "verbs.h"

#include <stdio.h>

int lookup_blacklist(struct lookup *lookup)
{
	struct slice operand = slice_of(lookup->operands[0]), domain = SLICE("");
	struct ip ip = {0};
	enum listing worst;
	struct sheet *sheet;
	char buffer[IP_TEXT];
	json_t *lists;
	bool valid = true;
	int status;

	if (ip_parse(operand, &ip) < 0) {
		ip.family = 0;
		domain = domain_normalise(operand, lookup->arena, &valid);
	}
	if (!valid)
		return lookup_usage("\"%.100s\" is neither an IP address nor a domain", lookup->operands[0]);
	if (lookup->dnsbl_count == 0)
		return lookup_usage("no list to ask: name one with --dnsbl ZONE");
	status = lookup_open(lookup);
	if (status != VERB_OK)
		return status;
	if (ip.family)
		domain = arena_copy(lookup->arena, ip_print(ip, buffer));
	sheet = sheet_new(lookup);
	sheet_section(sheet, arena_cstring(lookup->arena, lookup_safe(lookup, domain)));
	lookup_lists_hint(lookup, ip, domain);
	lists = lookup_lists_ask(lookup, sheet, ip, domain, &worst);
	sheet_finish(sheet, json_pack("{s:o, s:b, s:o}", "subject", lookup_string(lookup, domain), "listed",
				      worst == LISTING_LISTED, "lists", lists));
	if (worst == LISTING_LISTED)
		return VERB_NO;
	if (worst == LISTING_CLEAN)
		return VERB_OK;
	fprintf(stderr, "sekisho lookup: no list has answered\n");
	return VERB_UNAVAILABLE;
}
