/*
 * reports_setting.h - dmarc-reports { } of the policy file: reports about mail of strangers, for the owners of the
 * domains that it claims to come from (RFC 9990).
 */
#ifndef SEKISHO_REPORTS_SETTING_H
#define SEKISHO_REPORTS_SETTING_H

#include "list.h"

/* dmarc-reports { } */
struct reports_setting {
	struct address from;       /* the author of reports */
	struct slice organization; /* of the domain of `from` when the file has none */
	struct slice contact;      /* "": none */
	int64_t every_us;          /* the period of a report: STORE_DAY_US, and nothing else */
	struct list *exclude;      /* domains that get no reports, and those below them; NULL: none */
	bool said;                 /* in the file */
};

/* Does this policy domain get no reports? Unknown while the list of dmarc-reports { exclude } cannot be read. */
enum truth reports_excluded(const struct reports_setting *, struct store *, struct slice domain);

#endif
