/*
 * report_read.h - the parts of `sekisho report read`: what was read, and how it is shown.
 */
#ifndef SEKISHO_REPORT_READ_H
#define SEKISHO_REPORT_READ_H

#include "feedback.h"

#define SKIPPED_TOLD 50 /* those that follow are only counted, so nobody can fill the terminal */

struct report_skipped {
	struct slice file, where, why;
};

struct report_reading {
	struct arena *arena;
	struct feedback_adder *adder;
	const char *file;                /* that is read now */
	uint64_t files, messages, empty; /* empty: messages without a report */
	struct report_skipped skipped[SKIPPED_TOLD];
	uint64_t skipped_count;
	bool unreadable; /* a file could not be opened or read */
};

/* A source in words: an address, "unknown", or "(others)". */
struct slice report_source_name(const struct feedback_source *, struct arena *);

/* Messages that do not pass, by what speaks for them; the last two are those for which nothing passes: from a source
 * with other mail that passes, and the rest. */
enum report_class { CLASS_FORWARDED, CLASS_BROKEN, CLASS_NEAR, CLASS_KNOWN, CLASS_FORGED };
#define REPORT_CLASSES 5
extern const char *const report_class_names[REPORT_CLASSES + 1]; /* for programs; NULL at the end */
void report_classify(const struct feedback_source *, uint64_t classes_r[REPORT_CLASSES]);

void report_show(const struct report_reading *, const struct feedback_sums *, bool tls_only);
void report_show_json(const struct report_reading *, const struct feedback_sums *);
void report_show_csv(const struct report_reading *, const struct feedback_sums *);
void report_show_tls_csv(const struct feedback_sums *);

#endif
