/*
 * report.h - the record of a message, and where it goes.
 *
 * The engine fills a record and hands it over once, when all is said. Nobody
 * is called back. A record is one line of versioned JSON.
 */
#ifndef SEKISHO_REPORT_H
#define SEKISHO_REPORT_H

#include "base.h"

#define RECORD_VERSION    2
#define RECORD_SYSLOG_MAX 2000  /* RFC 5424 6.1: what every receiver should take is 2048 with its own header */
#define RECORD_LINE_MAX   16384 /* stderr and files */

struct record_fact {
	struct slice name;
	enum { RECORD_TEXT, RECORD_NUMBER, RECORD_BOOL, RECORD_NULL } form;
	struct slice text;
	int64_t number;
};

struct record_recipient {
	struct slice address;
	struct slice verdict, reply, rule; /* "" when nothing was said of this one */
};

struct record_note {
	struct slice kind, rule, text; /* "log", "would", "unknown" */
};

struct record_score {
	int64_t points;
	struct slice rule, why;
};

/* All texts are borrowed for the time of the call. */
struct record {
	int64_t time_us; /* when MAIL came, clock_wall_us */
	struct slice queue_id, client, client_name, helo, kind, sender;
	struct slice tenant; /* "": nobody in particular */
	const struct record_recipient *recipients;
	size_t recipient_count;
	struct slice verdict;    /* that the client was told: accept reject defer discard quarantine aborted */
	struct slice told;       /* how, when it was not as decided: held edits-failed unanswered; else "" */
	struct slice stage;      /* where it was decided */
	struct slice rule;       /* "file:line", "" when no rule decided */
	struct slice reply;      /* "550 5.7.1 text", "" when none */
	struct slice quarantine; /* why it is held, "" when it is not */
	/* What the mail server was told to change in the envelope; addresses without <>. */
	struct slice new_sender; /* p is NULL when the sender stays */
	const struct slice *added, *removed;
	size_t added_count, removed_count;
	struct slice footer; /* what became of it, "" without one */
	const struct record_fact *facts;
	size_t fact_count;
	const struct record_note *notes;
	size_t note_count;
	int64_t score; /* the sum; shown when some rule gave one */
	const struct record_score *scores;
	size_t score_count;
	const struct record_fact *vars; /* what rules set */
	size_t var_count;
	int64_t dns_us, total_us; /* waited for DNS; spent in our callbacks */
	unsigned dns_questions, dns_stale;
};

/* The record as one line of JSON in at most `limit` bytes (RECORD_SYSLOG_MAX or more): NUL-terminated, in the arena.
 * NUL and bytes that are not UTF-8 are shown as \xNN text, texts are cut at 512 bytes, 100 recipients are named. What
 * is too long loses facts first, then notes, then recipients ("truncated": true), then the tails of texts. */
char *record_line(const struct record *, size_t limit, struct arena *);

/* ---- where records go ------------------------------------------------------------ */

enum report_target { REPORT_OFF, REPORT_SYSLOG, REPORT_STDERR, REPORT_FILE };
struct report;

/* A queue and a thread that writes: nobody waits for a disk, a pipe or the system's logger. What does not fit in the
 * queue or cannot be written is lost, and counted. NULL and err when the file cannot be written. */
struct report *report_open(enum report_target, const char *file, struct error *err);
void report_close(struct report *);                    /* writes what is in the queue, for a second at most */
int report_reopen(struct report *, struct error *err); /* after log rotation */
uint64_t report_lost(const struct report *);           /* lines, so far */
/* Any thread; never blocks. The line is made in the arena. */
void report_record(struct report *, const struct record *, struct arena *);
void report_line(struct report *, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* what the daemon itself has to say, as JSON too */

#endif
