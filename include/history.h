/*
 * history.h - the records of past messages, in an SQLite file.
 *
 * The daemon adds records; one thread writes them in batches, after the mail server was answered. Nobody waits for it:
 * a disk that is full, broken or slow costs records, which are counted, never mail. `sekisho why`, `replay`, `history`
 * and the page read the file while the daemon writes it (SQLite's write-ahead log).
 *
 * The file never grows past its bound: its oldest records are dropped. Together with its write-ahead log it needs at
 * most HISTORY_LOG_MAX bytes more, longer only while somebody reads it without a pause.
 *
 * After kill -9 the file is consistent and lacks at most the records of the last second; after a power failure it is
 * consistent, too, and may lack the last commits (synchronous=NORMAL).
 */
#ifndef SEKISHO_HISTORY_H
#define SEKISHO_HISTORY_H

#include "base.h"

#define HISTORY_DAY_US      (INT64_C(86400) * 1000 * 1000)
#define HISTORY_LINE_MAX    16384 /* bytes of a record; longer ones are not added */
#define HISTORY_TERMS_MAX   128   /* by which one record is found; more are left out */
#define HISTORY_AT_MOST_MIN (UINT64_C(16) << 20)
#define HISTORY_LOG_MAX     (UINT64_C(16) << 20)

/* What becomes of mail addresses and logins. HASHED: the local part is a keyed hash, so that equal addresses look equal
 * and who knows an address finds it; the key is in the file PATH.key. OFF: they are left out. */
enum history_addresses { HISTORY_PLAIN, HISTORY_HASHED, HISTORY_OFF };

struct history_settings {
	const char *path;
	int64_t keep_us;  /* records are dropped when they are older */
	uint64_t at_most; /* bytes of the file */
	enum history_addresses addresses;
};

/* How a record is found. */
enum history_term {
	HISTORY_CASE,
	HISTORY_QUEUE_ID,
	HISTORY_SENDER, /* of the envelope, an author, or a login */
	HISTORY_RECIPIENT,
	HISTORY_CLIENT /* the IP address */
};

/* What is counted every HISTORY_STEP_US, for the page. */
#define HISTORY_STEP_US (INT64_C(300) * 1000 * 1000)
enum history_count {
	HISTORY_COUNT_VERDICT, /* by verdict: all messages */
	HISTORY_COUNT_RULE,    /* by rule: refused, deferred, discarded and held ones */
	HISTORY_COUNT_REFUSED, /* by sender: refused and deferred ones */
	HISTORY_COUNT_WOULD,   /* by rule: what a rule under `try` would have done */
	HISTORY_COUNT_SOURCE   /* by "DOMAIN WORD CLIENT": messages whose author is in a domain of ours. The word is the
				* result of DMARC, "unjudged" without one, "users" for mail of our own users and hosts */
};
#define HISTORY_COUNT_KINDS (HISTORY_COUNT_SOURCE + 1)
#define HISTORY_NAMES_MAX   200 /* of one kind in one step; the others are counted as "" */

struct history_found {
	enum history_term term;
	struct slice text; /* compared without case */
};
struct history_counted {
	enum history_count kind;
	struct slice name;
};
struct history_entry {
	int64_t time_us;   /* since 1970 */
	struct slice line; /* the record, JSON */
	const struct history_found *found;
	size_t found_count;
	const struct history_counted *counted;
	size_t counted_count;
};

/* ---- writing: the daemon ------------------------------------------------------------------------ */

struct history;

/* 0, or -1 and err: the library that a history needs cannot be opened. */
int history_library(struct error *err);

/* Opens the key file, makes it if needed, and starts the writing thread. A file that cannot be used is not an error
 * here: history_report says why, and it is tried again. NULL and err: the key cannot be read or made, or as
 * history_library(). */
struct history *history_open(const struct history_settings *, struct error *err);
void history_close(struct history *); /* writes what waits, for at most a second. NULL is allowed */

/* Any thread; never blocks; copies the entry. */
void history_add(struct history *, const struct history_entry *);

bool history_hides(const struct history *); /* not HISTORY_PLAIN */
/* What takes the place of an address or login in what is added. */
struct slice history_hide(const struct history *, struct slice address, struct arena *);
/* The same for every address within a text. */
struct slice history_hide_within(const struct history *, struct slice text, struct arena *);

struct history_counters {
	uint64_t written,
	    lost;          /* records since the start; those that did not fit in the queue or could not be written */
	uint64_t failures; /* commits that failed */
	uint64_t bytes, at_most;
};
void history_counters(struct history *, struct history_counters *counters_r);
/* Is there a line for the log now? At the first failure, then once a minute while it lasts, and once when it is over.
 * One thread calls it. */
bool history_report(struct history *, int64_t now_us, struct error *line_r);

/* ---- reading: verbs and the page ----------------------------------------------------------------- */

struct history_reader;

/* NULL and err: no such file, not ours, newer, not readable. */
struct history_reader *history_reader_open(const char *path, struct error *err);
void history_reader_close(struct history_reader *); /* NULL is allowed */

struct history_row {
	int64_t time_us;
	struct slice line; /* until the callback returns */
};
/* Returns false to stop. */
typedef bool history_take(void *context, const struct history_row *);

/* The records found by the text, newest first, not older than since_us. 0, or -1 and err. */
int history_find(struct history_reader *, const struct history_found *, int64_t since_us, history_take *, void *context,
		 struct error *err);
/* All records, oldest first, not older than since_us. Damaged parts of the file are skipped: *lost_r is how many
 * records could not be read, about. */
void history_each(struct history_reader *, int64_t since_us, history_take *, void *context, uint64_t *lost_r);
/* How many records there are, about; without reading them. */
uint64_t history_size(struct history_reader *);

/* Called for each step and name, oldest first. `kinds`: bit n is the kind n; without HISTORY_COUNT_REFUSED and
 * HISTORY_COUNT_SOURCE it reads much less. */
typedef void history_take_count(void *context, int64_t step_us, enum history_count, struct slice name, uint64_t count);
int history_counts(struct history_reader *, unsigned kinds, int64_t since_us, int64_t until_us, history_take_count *,
		   void *context, struct error *err);

/* Deletes every record with this address as sender, author, login or recipient; the freed space is overwritten.
 * *erased_r: how many. Works while the daemon writes. 0, or -1 and err. */
int history_erase(const char *path, struct slice address, uint64_t *erased_r, struct error *err);

#endif
