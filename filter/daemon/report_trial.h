/*
 * report_trial.h - who would sign our reports.
 */
#ifndef SEKISHO_DAEMON_REPORT_TRIAL_H
#define SEKISHO_DAEMON_REPORT_TRIAL_H

#include "daemon_private.h"

#define REPORT_SIGNATURES_MAX 16

struct report_signature {
	struct slice domain, selector;
};

struct report_trial {
	struct report_signature signatures[REPORT_SIGNATURES_MAX];
	size_t count;
	struct error why; /* count 0: why so */
};

/* Runs a mail like a report through the rules, as the mail server would give it to us under this name of its daemon
 * ("": none). Texts live in the arena. It may wait for the DNS, as a message does. */
void report_trial(struct policy *, struct resolver *, struct slice daemon_name, struct arena *,
		  struct report_trial *trial_r);

#endif
