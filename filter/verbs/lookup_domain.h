/*
 * lookup_domain.h - `sekisho lookup domain` in parts: each adds a section to the report and its member to the object.
 */
#ifndef SEKISHO_LOOKUP_DOMAIN_H
#define SEKISHO_LOOKUP_DOMAIN_H

#include "lookup_smtp.h"

#define MX_SHOWN 20 /* hosts; honest domains have up to ten */

struct domain_sheet {
	struct lookup *lookup;
	struct sheet *sheet;
	json_t *object;
	struct slice domain;
	const struct dns_answer *mx;
	struct slice hosts[MX_SHOWN]; /* that take its mail, by preference; A-labels */
	size_t host_count;
	bool takes_mail, exists;
	struct smtp_target targets[TARGETS_MAX];
	size_t target_count;
};

void lookup_domain_mx(struct domain_sheet *);    /* fills in hosts */
void lookup_domain_lists(struct domain_sheet *); /* --dnsbl: the domain and every address */
void lookup_domain_smtp(struct domain_sheet *);
void lookup_domain_dane(struct domain_sheet *); /* after the SMTP tests */
void lookup_domain_dmarc(struct domain_sheet *);
void lookup_domain_dkim(struct domain_sheet *);
void lookup_domain_bimi(struct domain_sheet *);
void lookup_domain_sts(struct domain_sheet *, bool fetch);
void lookup_domain_tlsrpt(struct domain_sheet *);

/* The tree of SPF records of a domain and advice; *usable_r: a check of it does not end in an error. */
json_t *lookup_spf_tree(struct lookup *, struct sheet *, struct slice domain, bool *usable_r);

/* Of the TXT records of a name the only one that begins with "v=VERSION;" (also with a blank before the semicolon).
 * NULL: there is none, or several; what is near one is an advice. *wrong_r: that advice was given. */
const struct dns_record *lookup_version_record(struct domain_sheet *, struct slice prefix, const char *version,
					       bool *wrong_r);

/* Takes a "name=value" off a record with semicolons; false at its end. */
bool lookup_next_tag(struct slice *rest, struct slice *name_r, struct slice *value_r);

/* The advice of other kinds of questions: those that name a mistake are marked as wrong. */
void lookup_domain_tell(void *domain_sheet, const char *code, struct slice text);

#endif
