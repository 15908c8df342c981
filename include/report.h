/*
 * report.h - the record of a message, and where it is written.
 *
 * The engine fills a record and hands it over once, at the end. There are no
 * callbacks. A record is one line of versioned JSON.
 */
#ifndef SEKISHO_REPORT_H
#define SEKISHO_REPORT_H

#include "base.h"
#include "history.h"

#define RECORD_VERSION    2
#define RECORD_SYSLOG_MAX 2000  /* RFC 5424 6.1: every receiver should accept 2048, including its header */
#define RECORD_LINE_MAX   16384 /* stderr and files */

struct record_fact {
	struct slice name;
	enum { RECORD_TEXT, RECORD_NUMBER, RECORD_BOOL, RECORD_NULL } form;
	struct slice text;
	int64_t number;
};

struct record_recipient {
	struct slice address;
	struct slice verdict, reply, rule; /* "" when nothing was decided for it */
};

struct record_note {
	struct slice kind, rule, text; /* "log", "would", "unknown" */
};

struct record_score {
	int64_t points;
	struct slice rule, why;
};

/* A DNS question that the results rest on. */
struct record_question {
	struct slice name, answer; /* "v=spf1 -all", "nxdomain" */
	const char *type;
};

/* All texts are borrowed for the duration of the call. */
struct record {
	int64_t time_us;      /* when MAIL came, clock_wall_us */
	struct slice case_id; /* our own name of the message */
	struct slice queue_id, client, client_name, helo, kind, sender;
	bool hidden;         /* its addresses are not what they were: those in a history that hides them */
	struct slice tenant; /* "": no tenant */
	const struct record_recipient *recipients;
	size_t recipient_count;
	struct slice verdict;    /* told to the client: accept reject defer discard quarantine aborted */
	struct slice told;       /* if not told as decided: held edits-failed unanswered; else "" */
	struct slice stage;      /* that decided */
	struct slice rule;       /* "file:line"; "" when no rule decided */
	struct slice reply;      /* "550 5.7.1 text", "" when none */
	struct slice quarantine; /* the reason; "" when it is not held */
	/* What the mail server was told to change in the envelope; addresses without <>. */
	struct slice new_sender; /* p is NULL: unchanged */
	const struct slice *added, *removed;
	size_t added_count, removed_count;
	struct slice footer; /* its outcome; "" without one */
	const struct record_fact *facts;
	size_t fact_count;
	const struct record_note *notes;
	size_t note_count;
	int64_t score; /* the sum; shown if a rule gave a score */
	const struct record_score *scores;
	size_t score_count;
	const struct record_fact *vars; /* set by rules */
	size_t var_count;
	const struct record_question *questions; /* for the history alone: the log does not show them */
	size_t question_count;
	/* For the history alone: the domain of the author, when messages of it are signed here; and the result of
	 * DMARC, "unjudged" without one, "users" for mail of our own users and hosts. "": it is a domain of others. */
	struct slice own_domain, own_word;
	int64_t dns_us, total_us; /* waiting for DNS; in our callbacks */
	unsigned dns_questions, dns_stale;
};

/* The record as one line of JSON in at most `limit` bytes (RECORD_SYSLOG_MAX or more): NUL-terminated, in the arena.
 * NUL and bytes that are not UTF-8 are shown as \xNN text, texts are cut at 512 bytes, 100 recipients are named. A line
 * that is too long loses facts first, then notes, then recipients ("truncated": true), then the ends of texts. */
char *record_line(const struct record *, size_t limit, struct arena *);
/* That line of a record without questions, with its questions; NULL: it was truncated, or they do not fit. */
char *record_line_asked(const char *line, const struct record *, size_t limit, struct arena *);

/* The record of a line, with texts that belong to the result: json_decref() it when the record is not used any more.
 * What the line lacks is empty; time_us is 0. NULL: it is not a record. */
struct json_t;
struct json_t *record_parse(struct slice line, struct arena *, struct record *record_r);

/* ---- where records go ------------------------------------------------------------ */

enum report_target { REPORT_OFF, REPORT_SYSLOG, REPORT_STDERR, REPORT_FILE };
struct report;

/* A queue and a writing thread, so callers never wait for a disk, a pipe or syslog. Lines that do not fit in the queue
 * or cannot be written are lost and counted. NULL and err when the file cannot be written. */
struct report *report_open(enum report_target, const char *file, struct error *err);
void report_keep(struct report *,
		 struct history *);       /* before the first record; records go there too. It outlives the report */
bool report_keeps(const struct report *); /* does a history take the records? */
void report_close(struct report *);       /* writes the queue, for at most a second */
int report_reopen(struct report *, struct error *err); /* after log rotation */
uint64_t report_lost(const struct report *);           /* lost lines so far */
/* Any thread; never blocks. The line is made in the arena. */
void report_record(struct report *, const struct record *, struct arena *);
void report_line(struct report *, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* messages of the daemon itself, also as JSON */

#endif
