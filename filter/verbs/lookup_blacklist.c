/*
 * lookup_blacklist.c - `sekisho lookup blacklist`: is an address or a domain on DNS lists?
 */
#include "lookup_lists.h"
#include "mail.h"
#include "verbs.h"

#include <stdio.h>
#include <unistd.h>

/* Without --dnsbl and -c, those of the site. */
static void choose_config(struct lookup *lookup)
{
	if (lookup->dnsbl_count == 0 && !lookup->config && !lookup->zone && access(DEFAULT_CONFIG, R_OK) == 0)
		lookup->config = DEFAULT_CONFIG;
}

/* No domain ends in a label of digits alone (RFC 3696 2): 192.0.2.999 is a mistake. */
static bool ends_in_digits(struct slice domain)
{
	struct slice last = slice_from(domain, (size_t)(slice_find_last(domain, '.') + 1));

	for (size_t i = 0; i < last.n; i++)
		if (last.p[i] < '0' || last.p[i] > '9')
			return false;
	return true;
}

/* VERB_OK, or the exit code after a message. */
static int read_subject(struct lookup *lookup, struct dnsbl_subject *subject)
{
	struct slice operand = slice_of(lookup->operands[0]);
	bool valid;

	*subject = (struct dnsbl_subject){.domain = SLICE("")};
	if (ip_parse(operand, &subject->ip) == 0)
		return VERB_OK;
	subject->ip.family = 0;
	subject->domain = domain_normalise(operand, lookup->arena, &valid);
	if (valid && slice_find(subject->domain, '.') > 0 && !ends_in_digits(subject->domain))
		return VERB_OK;
	return lookup_usage("\"%.100s\" is neither an IP address nor a domain", lookup->operands[0]);
}

static int ask(struct lookup *lookup, const struct dnsbl_subject *subject)
{
	struct sheet *sheet = sheet_new(lookup);
	struct slice shown = subject->domain;
	enum dnsbl_listing listing;
	char buffer[IP_TEXT];
	json_t *object;

	if (subject->ip.family)
		shown = arena_copy(lookup->arena, ip_print(subject->ip, buffer));
	sheet_section(sheet, arena_printf(lookup->arena, "DNS lists: %.*s", SLICE_ARGS(lookup_safe(lookup, shown))).p);
	object = json_pack("{s:o}", "subject", lookup_string(lookup, shown));
	lookup_lists_hint(lookup, subject);
	listing = lookup_lists_ask(lookup, sheet, subject, object);
	sheet_finish(sheet, object);
	if (listing == DNSBL_LISTED)
		return VERB_NO;
	if (listing == DNSBL_CLEAN)
		return VERB_OK;
	fprintf(stderr, "sekisho lookup: no list has answered\n");
	return VERB_UNAVAILABLE;
}

int lookup_blacklist(struct lookup *lookup)
{
	struct dnsbl_subject subject;
	int status = read_subject(lookup, &subject);

	if (status != VERB_OK)
		return status;
	choose_config(lookup);
	if (lookup->dnsbl_count == 0 && !lookup->config)
		return lookup_usage(
		    "no list to ask: name one with --dnsbl ZONE, or a policy file that has lists with -c");
	status = lookup_open(lookup);
	if (status != VERB_OK)
		return status;
	if (lookup_lists_any(lookup, &subject))
		return ask(lookup, &subject);
	return lookup_usage("no list to ask: %s has none of %s; name one with --dnsbl ZONE", lookup->config,
			    subject.ip.family ? "addresses (of client)"
					      : "domains (of helo, sender.domain or from.domain)");
}
