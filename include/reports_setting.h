/*
 * reports_setting.h - dmarc-reports { } of sekisho.conf.
 */
#ifndef SEKISHO_REPORTS_SETTING_H
#define SEKISHO_REPORTS_SETTING_H

#include "list.h"

/* dmarc-reports { } */
struct reports_setting {
	struct address from;       /* the author of reports */
	struct slice organization; /* of the domain of `from` when the file has none */
	struct slice contact;      /* "": none */
	struct list *exclude;      /* domains that get no reports, and those below them; NULL: none */
	bool said;                 /* in the file */
};

/* Does this policy domain get no reports? True while the list of dmarc-reports { exclude } cannot be read. */
bool reports_exclude(const struct reports_setting *, struct store *, struct slice domain);

#endif
