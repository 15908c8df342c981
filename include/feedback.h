/*
 * feedback.h - reads the reports that others send about our domains: DMARC aggregate reports (RFC 9990, RFC 7489 and
 * its drafts) and TLS reports (RFC 8460), and adds them up.
 *
 * Bytes go in, in pieces of any size; what they are is found by content: XML, JSON, gzip, zip, a message with such
 * attachments, or a mailbox (mbox) of messages. Records and reports come out, through the functions of feedback_take.
 * Anybody can send such a report: every size is bounded, memory does not grow with the input, and a report that breaks
 * a bound is skipped with the reason. No policy, no network, no globals.
 */
#ifndef SEKISHO_FEEDBACK_H
#define SEKISHO_FEEDBACK_H

#include "base.h"

/* ---- bounds ----------------------------------------------------------------------- */

/* One report, unpacked. The largest mail that large providers take is 25 MB; XML of real reports deflates to between a
 * tenth and a fortieth. */
#define FEEDBACK_REPORT_MAX (256 * 1024 * 1024)
/* Bytes that one byte of gzip or zip may become, once the first FEEDBACK_RATIO_FREE were made. deflate reaches 1032;
 * reports of equal records stay under 100. */
#define FEEDBACK_RATIO_MAX   250
#define FEEDBACK_RATIO_FREE  (1024 * 1024)
#define FEEDBACK_ENTRIES_MAX 16 /* files in one zip; honest ones have one, made on a Mac two */
/* Elements inside each other; the schema has 5, extensions get some more. */
#define FEEDBACK_DEPTH_MAX 32
#define FEEDBACK_TEXT_MAX  1024 /* bytes of one value; a domain has 253 at most, RFC 1035 2.3.4 */
/* Bytes of one tag, comment or processing instruction, which libxml2 keeps until it is complete. */
#define FEEDBACK_TOKEN_MAX (256 * 1024)
/* A TLS report is kept whole, because its tree is: jansson needs up to 75 times the size of the text. */
#define FEEDBACK_TLS_MAX     (256 * 1024)
#define FEEDBACK_HEADER_MAX  (1024 * 1024) /* of a message or a part; as much as the daemon stores of one */
#define FEEDBACK_FIELD_MAX   4096          /* of a field about MIME */
#define FEEDBACK_NESTED_MAX  8             /* multiparts and messages inside each other; a forwarded report has 3 */
#define FEEDBACK_RESULTS_MAX 100           /* of DKIM, and of SPF, in one record: RFC 9990 advises it */
#define FEEDBACK_COUNT_MAX   1000000000000 /* messages in one record: more than any receiver sees in a day */

/* ---- one DMARC report --------------------------------------------------------------- */

enum feedback_result {
	FEEDBACK_NONE,
	FEEDBACK_PASS,
	FEEDBACK_FAIL, /* "hardfail", too */
	FEEDBACK_SOFTFAIL,
	FEEDBACK_POLICY,
	FEEDBACK_NEUTRAL,
	FEEDBACK_TEMPERROR, /* "error", too */
	FEEDBACK_PERMERROR, /* "invalid", "unknown", too (RFC 4408) */
	FEEDBACK_UNKNOWN    /* another word, or none */
};

enum feedback_disposition {
	FEEDBACK_DELIVERED, /* "none", "pass" */
	FEEDBACK_QUARANTINED,
	FEEDBACK_REJECTED,
	FEEDBACK_UNTOLD /* another word, or none */
};
#define FEEDBACK_DISPOSITIONS 4

/* Why a receiver did not do what the policy says, as bits. */
enum feedback_reason {
	FEEDBACK_FORWARDED = 1, /* trusted_forwarder, forwarded (RFC 7489), or a comment with "arc=pass" */
	FEEDBACK_MAILING_LIST = 2,
	FEEDBACK_LOCAL_POLICY = 4,
	FEEDBACK_TEST_MODE = 8, /* policy_test_mode, sampled_out (RFC 7489) */
	FEEDBACK_OTHER = 16     /* other, or another word */
};

/* What is unusual in a report, and how it was read all the same, as bits. */
enum feedback_note {
	FEEDBACK_NOTE_NAMESPACE = 1, /* one that no specification has */
	FEEDBACK_NOTE_WORD = 2,      /* a result, disposition or reason that no specification has */
	FEEDBACK_NOTE_SOURCE = 4,    /* a source that is not an address: counted as unknown */
	FEEDBACK_NOTE_COUNT = 8,     /* a count that is not a number: the record is left out */
	FEEDBACK_NOTE_PERIOD = 16,   /* a period that cannot be read */
	FEEDBACK_NOTE_ID = 32,       /* no report id: told apart by organization, domain and period */
	FEEDBACK_NOTE_LONG = 64,     /* a value that is too long: cut */
	FEEDBACK_NOTE_RESULTS = 128  /* too many results in a record: those after the first ones are left out */
};
#define FEEDBACK_NOTES 8
extern const char *const feedback_note_texts[FEEDBACK_NOTES + 1]; /* for a person; NULL at the end */

/* A result of DKIM or SPF for a domain, aligned or not. */
struct feedback_auth {
	struct slice domain; /* lower case */
	enum feedback_result result;
};

/* All texts live until the function that gets the record returns. */
struct feedback_record {
	struct ip source; /* family 0: unknown */
	uint64_t count;
	enum feedback_disposition disposition;
	bool dkim, spf;           /* passes and is aligned, according to the receiver */
	unsigned reasons;         /* bits of feedback_reason */
	struct slice header_from; /* lower case; "" when it is missing */
	struct feedback_auth dkim_results[FEEDBACK_RESULTS_MAX], spf_results[FEEDBACK_RESULTS_MAX];
	size_t dkim_count, spf_count;
};

/* What a report says of itself and of the policy. Texts as written, without blanks around them; they live as long. */
struct feedback_report {
	struct slice org, email, id;
	int64_t begin_s, end_s; /* since 1970; both 0: they cannot be read */
	struct slice domain;    /* lower case */
	struct slice p, sp, np, adkim, aspf, testing, pct;
	uint64_t records;
	unsigned notes; /* bits of feedback_note */
};

/* ---- one TLS report (RFC 8460) --------------------------------------------------------- */

struct feedback_tls_failure {
	struct slice type;   /* "certificate-expired" */
	struct slice mx;     /* the receiving host, or its address; "" when it is missing */
	struct slice sender; /* the address of the sending host */
	struct slice reason; /* failure-reason-code; "" when it is missing */
	uint64_t sessions;
};

struct feedback_tls_policy {
	struct slice type, domain; /* "sts", "tlsa", "no-policy-found"; lower case */
	uint64_t good, failed;     /* sessions */
	const struct feedback_tls_failure *failures;
	size_t failure_count;
};

struct feedback_tls {
	struct slice org, id;
	int64_t begin_s, end_s; /* as above */
	const struct feedback_tls_policy *policies;
	size_t policy_count;
};

/* ---- reading ------------------------------------------------------------------------------ */

/* Where the reports go. A record comes before its report; it counts when the report comes, and not when skipped() is
 * called in between. */
struct feedback_take {
	void *context;
	void (*record)(void *context, const struct feedback_record *);
	void (*report)(void *context, const struct feedback_report *); /* it is complete */
	void (*tls)(void *context, const struct feedback_tls *);
	void (*skipped)(void *context, struct slice where, struct slice why); /* where: "message 3", or "" */
	void (*message)(void *context, unsigned reports); /* the end of a message that had so many */
};

struct feedback;
/* NULL and err: the library that reads XML cannot be opened. */
struct feedback *feedback_open(const struct feedback_take *, struct error *err);
/* False: the rest of the input is not needed. */
bool feedback_bytes(struct feedback *, struct slice chunk);
void feedback_end(struct feedback *); /* and frees it */

/* ---- adding up ------------------------------------------------------------------------------- */

#define FEEDBACK_SOURCES_MAX  65536             /* told apart; those that follow are counted together */
#define FEEDBACK_DOMAINS_MAX  4096              /* likewise */
#define FEEDBACK_REPORTS_MAX  250000            /* remembered to find duplicates */
#define FEEDBACK_NAMES_MAX    32768             /* of reporters, and of domains that passed without being aligned */
#define FEEDBACK_NAMES_BYTES  (8 * 1024 * 1024) /* of these names together; of the texts of TLS rows likewise */
#define FEEDBACK_REPORTERS    3                 /* named for each source */
#define FEEDBACK_TLS_ROWS_MAX 10000

/* What becomes of messages that fail under p=quarantine or p=reject, by what speaks for them, strongest first. */
enum feedback_likely {
	FEEDBACK_LIKELY_FORWARDED, /* the receiver says so: forwarder or mailing list */
	FEEDBACK_LIKELY_BROKEN,    /* with a signature of the domain that did not verify: changed on the way? */
	FEEDBACK_LIKELY_NEAR,      /* DKIM or SPF passes for another domain: a service that is not set up? */
	FEEDBACK_LIKELY_FORGED     /* nothing passes */
};
#define FEEDBACK_LIKELIES 4

/* The messages of a domain from a source. */
struct feedback_source {
	unsigned domain;                    /* the index of the domain */
	struct ip source;                   /* family 0: unknown, or those beyond FEEDBACK_SOURCES_MAX */
	bool beyond;                        /* they are those beyond */
	uint64_t messages, dkim, spf, pass; /* aligned: by DKIM, by SPF, by one of them */
	uint64_t dispositions[FEEDBACK_DISPOSITIONS];
	uint64_t likely[FEEDBACK_LIKELIES];     /* of those that do not pass */
	unsigned reasons;                       /* bits of feedback_reason, of any record */
	unsigned near;                          /* a domain for which DKIM or SPF passed: a name; 0: none */
	unsigned reporters[FEEDBACK_REPORTERS]; /* names; 0: none */
	bool more_reporters;
};

struct feedback_domain {
	struct slice name;
	uint64_t reports;
	int64_t begin_s, end_s;                            /* of all periods; 0: unknown */
	struct slice p, sp, np, adkim, aspf, testing, pct; /* of the report that ends last */
	int64_t policy_s;                                  /* its end */
	uint64_t messages, pass;
};

struct feedback_tls_row {
	struct slice domain, type; /* of the policy */
	struct slice result;       /* "": the sessions that were good */
	struct slice mx, reason;
	uint64_t sessions;
};

struct feedback_sums {
	struct feedback_source *sources;
	size_t source_count;
	struct feedback_domain *domains;
	size_t domain_count;
	struct feedback_tls_row *tls;
	size_t tls_count;
	int64_t tls_begin_s, tls_end_s;
	uint64_t reports, tls_reports, records;
	uint64_t duplicates, older, others; /* left out: counted already, before `since`, about other domains */
	uint64_t noted[FEEDBACK_NOTES];     /* reports with each note */
	bool unremembered; /* there were more than FEEDBACK_REPORTS_MAX: duplicates may have been counted */
	bool tls_more;     /* there were more than FEEDBACK_TLS_ROWS_MAX different rows: the rest is not in the table */
};

struct feedback_adder;
/* domain: lower case; only what is about it or a domain below it; "": everything. since_s: reports whose period ended
 * before are left out; 0: none. */
struct feedback_adder *feedback_adder_new(struct slice domain, int64_t since_s);
void feedback_adder_free(struct feedback_adder *);
/* Each with the adder as its context, for feedback_take. */
void feedback_add_record(void *adder, const struct feedback_record *);
void feedback_add_report(void *adder, const struct feedback_report *);
void feedback_add_tls(void *adder, const struct feedback_tls *);
void feedback_forget(void *adder); /* the records since the last report: it was skipped */
/* The last call but those below: nothing may be added after it. The sources of a domain follow each other, the most
 * messages first. */
const struct feedback_sums *feedback_added(struct feedback_adder *);
struct slice feedback_name(const struct feedback_adder *, unsigned name); /* of an index in a source; "" for 0 */

/* Sources of one domain by network: /24 of IPv4, /48 of IPv6. */
struct feedback_group {
	struct ip_net net; /* family 0: unknown sources, and those beyond FEEDBACK_SOURCES_MAX */
	size_t sources;
	struct feedback_source sums;
};
/* The most messages first; in the arena. */
struct feedback_group *feedback_group(const struct feedback_source *, size_t count, struct arena *, size_t *count_r);

#endif
