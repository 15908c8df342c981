/*
 * report_thread.h - what the files share that send reports.
 */
#ifndef SEKISHO_DAEMON_REPORT_THREAD_H
#define SEKISHO_DAEMON_REPORT_THREAD_H

#include "daemon_private.h"
#include "reports.h"

#define REPORTS_PAGE 500 /* lines of an answer */

/* A request of the control socket: all reports about a domain ("": all) and a day (0: all) are sent now. False: another
 * one is still running. */
bool report_thread_ask(struct report_thread *, struct slice domain, unsigned day, uint64_t *number_r);
/* What it was told so far, from the line `after` on; NULL: there is no such request (any more). */
json_t *report_thread_answer(struct report_thread *, uint64_t number, size_t after);

/* Will mail from this address, sent by our own mail server, pass DMARC? False and why, for a person. Asks the DNS. */
bool reports_aligned(struct policy *, struct resolver *, const struct address *from, struct error *why_r);

#endif
