/*
 * aggregate.h - DMARC aggregate reports (RFC 9990): what we received that claims to come from a domain, for the owner
 * of the domain.
 *
 * aggregate_count() is told of every message that was judged. Messages that differ in nothing a report shows are one
 * row with a count. Rows are collected in memory, and a thread adds them to the store each second, so no message waits
 * for a store. What the store does not take is kept for the next second, up to AGGREGATE_ROWS_MAX rows; what comes
 * beyond is lost and counted. aggregate_close() writes what is left. After kill -9, messages of the last second, and
 * what the store itself may lose (store.h), are missing from their reports.
 *
 * A day is a UTC day, as the number of days since 1970. After it ends, aggregate_next() and aggregate_make() give the
 * reports of the day, and aggregate_drop() forgets a domain once the mail server took its reports. What nobody drops
 * lives for AGGREGATE_KEEP_US after the day.
 *
 * A report is about one DMARC Policy Domain and one policy configuration (RFC 9990 3.1.2): when the record changes
 * during the day, there is a report for each, as parts of the same day. So is what does not fit in one mail.
 *
 * Keys in the store:
 *
 *	report:days                 sums: DAY -> messages
 *	report:DAY                  sums: DOMAIN -> messages
 *	report:DAY:DOMAIN           sums: row -> messages. A row is binary (row.h)
 *	report:DAY:policy:HASH      value: the policy configuration of rows
 *	report:DAY:row:HASH         value: a row that is too long for a key
 */
#ifndef SEKISHO_AGGREGATE_H
#define SEKISHO_AGGREGATE_H

#include "dmarc.h"
#include "store.h"

#define AGGREGATE_KEEP_US   (2 * STORE_DAY_US)
#define AGGREGATE_ROWS_MAX  65536        /* that wait in memory; at most one second's, when the store works */
#define AGGREGATE_DKIM_MAX  100          /* signatures of a row (RFC 9990 3.1.3) */
#define AGGREGATE_REASONS   4            /* of a row */
#define AGGREGATE_TEXT_MAX  200          /* bytes of a comment or a human_result */
#define AGGREGATE_BYTES_MIN (256 * 1024) /* of a report: zlib holds back up to 64 KB */

struct aggregate_settings {
	struct slice organization; /* org_name */
	struct slice email;        /* the mailbox that reports come from; its domain is the submitter */
	struct slice contact;      /* extra_contact_info; "": none */
};

struct aggregate;

/* 0, or -1 and err: the library that writes reports cannot be opened. */
int aggregate_library(struct error *err);

/* The store outlives it. NULL and err: no thread can be started, or as aggregate_library(). Texts are copied. */
struct aggregate *aggregate_open(struct store *, const struct aggregate_settings *, struct error *err);
void aggregate_set(struct aggregate *,
		   const struct aggregate_settings *); /* any thread; for reports made from now on */
void aggregate_close(struct aggregate *);              /* adds what is left to the store. NULL is allowed */

/* ---- messages ----------------------------------------------------------------------- */

enum aggregate_result { /* of DKIM and SPF, in the words of the report */
			AGGREGATE_NONE,
			AGGREGATE_PASS,
			AGGREGATE_FAIL,
			AGGREGATE_SOFTFAIL, /* of SPF alone */
			AGGREGATE_POLICY,
			AGGREGATE_NEUTRAL,
			AGGREGATE_TEMPERROR,
			AGGREGATE_PERMERROR
};
extern const char *const aggregate_result_names[9]; /* "none" ... NULL */

/* What was done because of DMARC (RFC 9990 3.1.1.9). */
enum aggregate_disposition {
	AGGREGATE_NO_ACTION, /* "none" */
	AGGREGATE_PASSED,    /* it passed, and the policy is quarantine or reject */
	AGGREGATE_QUARANTINED,
	AGGREGATE_REJECTED
};
extern const char *const aggregate_disposition_names[5]; /* "none" "pass" "quarantine" "reject" NULL */

/* Why that is not what the policy asks for (RFC 9990 3.1.6). */
enum aggregate_why {
	AGGREGATE_LOCAL_POLICY,
	AGGREGATE_MAILING_LIST,
	AGGREGATE_OTHER,
	AGGREGATE_TEST_MODE,
	AGGREGATE_TRUSTED_FORWARDER
};
extern const char *const aggregate_why_names[6]; /* "local_policy" ... NULL */

struct aggregate_reason {
	enum aggregate_why why;
	struct slice comment; /* "": none */
};

struct aggregate_signature {
	struct slice domain, selector; /* d=, s= */
	enum aggregate_result result;
	struct slice human; /* human_result; "": none */
};

/* One message for one author domain. Texts are borrowed for the call; what is too long or not UTF-8 is bounded and
 * cleaned when a report is made. */
struct aggregate_message {
	int64_t time_us;     /* clock_wall_us: decides the day */
	struct slice domain; /* the DMARC Policy Domain */
	struct slice record; /* its record, as published */
	enum dmarc_discovery discovery;
	struct slice trouble; /* of the record, for `error`, besides what its text shows; "": none */
	struct ip client;
	struct slice header_from;   /* the author domain */
	struct slice envelope_from; /* its domain; "": the null sender */
	enum aggregate_disposition disposition;
	bool dkim_aligned, spf_aligned;
	const struct aggregate_reason *reasons;
	size_t reason_count;
	const struct aggregate_signature *dkim; /* in the order of RFC 9990 3.1.3; AGGREGATE_DKIM_MAX count */
	size_t dkim_count;
	struct slice spf_domain; /* of MAIL FROM; "": SPF was not checked */
	enum aggregate_result spf;
	struct slice spf_human;
};

/* Any thread; never waits for the store. Count only what has a record with rua: nobody asks for a report about others.
 * A message without a client address is not counted: no report could show it. */
void aggregate_count(struct aggregate *, const struct aggregate_message *);

/* ---- reports ------------------------------------------------------------------------- */

/* The UTC day. It does not go back by a day when the clock is set back a little around midnight. */
unsigned aggregate_today(struct aggregate *);

/* All counted so far is in the store, or could not be: waits until deadline_us (clock_us). STORE_OK, UNAVAILABLE. */
enum store_answer aggregate_flush(struct aggregate *, int64_t deadline_us);

struct aggregate_total {
	unsigned day;
	struct slice domain; /* of aggregate_next */
	uint64_t messages;
};

/* The next day after `after` (0: the first) that has rows. 1; 0: there is none; -1: the store does not answer. */
int aggregate_next_day(struct aggregate *, unsigned after, struct arena *, struct aggregate_total *total_r);
/* The next policy domain of a day after a domain ("": the first), in an order that stays. Likewise. */
int aggregate_next(struct aggregate *, unsigned day, struct slice after, struct arena *,
		   struct aggregate_total *total_r);

/* Texts live in the arena. */
struct aggregate_report {
	struct slice gz;  /* the XML, as one gzip member */
	struct slice xml; /* if asked for: the same, not compressed */
	struct slice rua; /* of the record of these rows, as written: dmarc_uri_part() */
	struct slice record;
	struct slice id;   /* letters and digits: the same each time for the same day, domain, organization and part */
	struct slice file; /* SUBMITTER!DOMAIN!BEGIN!END!ID.xml.gz */
	struct slice subject; /* "Report Domain: ... Submitter: ... Report-ID: <...>" */
	int64_t begin, end;   /* seconds since 1970; end is the last second of the day */
	uint64_t messages, rows;
	struct slice next; /* p not NULL: there is another part; pass this as `part` */
};

struct aggregate_request {
	unsigned day;
	struct slice domain;
	struct slice part; /* "": the first */
	size_t max_bytes;  /* of gz, and ten times that of XML; at least AGGREGATE_BYTES_MIN */
	bool keep_xml;
};

/* One report. What it says is the same each time while the day is over and nothing was dropped. 1; 0: there are no rows
 * (left); -1 and err: the store does not answer, or what it has is damaged. */
int aggregate_make(struct aggregate *, const struct aggregate_request *, struct arena *,
		   struct aggregate_report *report_r, struct error *err);

/* Forgets the rows of a domain. STORE_OK, also when there are none; UNAVAILABLE: some may be left. */
enum store_answer aggregate_drop(struct aggregate *, unsigned day, struct slice domain);

/* ---- state ---------------------------------------------------------------------------- */

struct aggregate_counters {
	uint64_t messages; /* counted */
	uint64_t waiting;  /* rows in memory */
	uint64_t lost;     /* messages that are in no row */
};
void aggregate_counters(struct aggregate *, struct aggregate_counters *counters_r);

/* Is there a line for the log now? While messages are lost or the store does not answer, once a minute. One thread
 * calls it, about once a second. */
bool aggregate_trouble(struct aggregate *, int64_t now_us, struct error *line_r);

#endif
