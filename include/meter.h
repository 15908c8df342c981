/*
 * meter.h - what is counted of messages for the metrics: verdicts by rule, and how long things take.
 *
 * Counting takes no lock: a few additions to atomic numbers, which lie apart so that threads do not fight for one line
 * of memory. Any thread may read at any time; numbers that belong together may then differ by a message.
 */
#ifndef SEKISHO_METER_H
#define SEKISHO_METER_H

#include "check.h"

/* Rules that are told apart. Those that are met later, after many reloads, are counted together as METER_OTHERS: a
 * monitoring system keeps a time series for each. */
#define METER_RULES  256
#define METER_OTHERS "others"

#define METER_BOUNDS 12
extern const int64_t meter_bounds_us[METER_BOUNDS]; /* 100 us to 8 s: no callback takes longer */

/* What is timed. Rules of connect and helo are evaluated at MAIL. BODY: a chunk. END: of the message. DNS: how long a
 * message waited for the DNS, all its callbacks together. */
enum meter_time { METER_MAIL, METER_RCPT, METER_BODY, METER_END, METER_DNS };
#define METER_CALLBACKS METER_DNS /* those before it */
#define METER_TIMES     (METER_DNS + 1)
extern const char *const meter_time_names[METER_TIMES + 1]; /* "mail" "rcpt" "body" "message" "dns" NULL */

struct meters;
struct meters *meters_new(void);
void meters_free(struct meters *); /* NULL is allowed */

/* ---- counting. With NULL nothing is counted ---- */

/* `spread`: any number that differs between sessions, such as an address in memory. */
void meters_time(struct meters *, enum meter_time, uintptr_t spread, int64_t us);
/* The rule as "file:line", "" for none. */
void meters_verdict(struct meters *, struct slice rule, enum kind, enum verdict);
void meters_would(struct meters *, struct slice rule, enum kind);

/* ---- reading ---- */

struct meter_times {
	uint64_t
	    counts[METER_BOUNDS + 1]; /* up to each bound and above the one before it; then those above all bounds */
	uint64_t total;
	int64_t sum_us;
};
void meters_times(const struct meters *, enum meter_time, struct meter_times *times_r);

struct meter_rule {
	struct slice name; /* lives as long as the meters */
	uint64_t verdicts[KIND_COUNT][VERDICT_COUNT];
	uint64_t would[KIND_COUNT];
};
/* The rules that were met so far, METER_OTHERS last. */
void meters_rules(const struct meters *, void (*take)(void *context, const struct meter_rule *), void *context);

#endif
