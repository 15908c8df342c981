/*
 * reports.h - sends aggregate reports (RFC 9990 3.5): to every address of rua that may get them, by the site's own mail
 * server, each once.
 *
 * A round goes through the days that are over, domain by domain. Reports of a day are due at a time of their own for
 * each domain, from REPORTS_START_US to REPORTS_START_US + REPORTS_SPREAD_US after midnight (UTC), so that the
 * receivers of the world do not all send at once. The rows of a domain are kept until every address is done: the mail
 * server took the mail, refuses it for good, or no mail may go there. What waits is tried again, at first after
 * REPORTS_AGAIN_US, then each time after twice as long (at most REPORTS_LONGEST_US), and is dropped after
 * REPORTS_KEEP_US.
 *
 * What the mail server took is in the store, on the disk, before anything else is done: a process that is killed
 * repeats nothing that was recorded. Only a mail that the server took in the moment before, and that could not be
 * recorded, is sent again, with the same Report-ID, Message-ID and file name.
 *
 * An address is dead when the mail server refuses it, or when a report to it bounces: nothing is sent to it for one
 * day, then four, then sixteen. It is not dead when what was refused is the mail, for its text, size or sender:
 *strangers choose the domain and the rows that a mail is about, and others share the address. Bounces come to an
 *address with a token that only we and the addressee know, if the mail server delivers extensions of addresses (a
 *delimiter).
 *
 * Keys in the store:
 *
 *	rua:sent:DAY:DOMAIN:PART:ADDRESS  the mail server took the report, or refused it: "sent ..." or "refused ..."
 *	rua:done:DAY:DOMAIN      all reports about the domain are done; its rows may be gone in part
 *	rua:wait:DAY:DOMAIN      "TRIES TIME": not before this time, in seconds since 1970
 *	rua:last:DOMAIN:ADDRESS  what became of the latest report: lines
 *	rua:often:ADDRESS        how many reports went there within a day, and to
 *	rua:org:DOMAIN           all addresses of an organization, below this domain
 *	rua:share:DOMAIN:ABOUT   of these, the reports about domains below ABOUT
 *	rua:dead:ADDRESS         "TIMES UNTIL WHY"
 *	rua:token:TOKEN          the address that the token is of
 *	rua:secret               of the tokens
 *	rua:lease                who sends: one of all that share the store
 */
#ifndef SEKISHO_REPORTS_H
#define SEKISHO_REPORTS_H

#include "aggregate.h"
#include "mailer.h"

#include <stdatomic.h>

#define REPORTS_START_US    (INT64_C(10) * 60 * 1000 * 1000) /* for messages that were open at midnight */
#define REPORTS_SPREAD_US   (INT64_C(110) * 60 * 1000 * 1000)
#define REPORTS_REST_US     (100 * 1000) /* between the reports about two domains */
#define REPORTS_AGAIN_US    (INT64_C(15) * 60 * 1000 * 1000)
#define REPORTS_LONGEST_US  (INT64_C(4) * 3600 * 1000 * 1000)
#define REPORTS_KEEP_US     (2 * STORE_DAY_US)    /* after the end of the day, as aggregate.h keeps rows */
#define REPORTS_BYTES_MAX   ((size_t)1900 * 1024) /* of one attachment: readers take mails of 15 MB, XML of 20 MB */
#define REPORTS_URIS_MAX    10                    /* of one record that are tried; honest ones have one or two */
#define REPORTS_PARTS_MAX   20    /* reports about one domain and day; the rest of its rows is dropped */
#define REPORTS_SILENT_MAX  3     /* mails in a row to which the mail server gave no answer: the round ends */
#define REPORTS_ADDRESS_MAX 5000  /* reports to one address within a day; the others wait */
#define REPORTS_ORG_MAX     20000 /* likewise to all addresses below one registrable domain */
#define REPORTS_SHARE_MAX   1000  /* of these about the domains below another registrable domain */
#define REPORTS_DEAD_MAX    10000 /* that are listed */

/* What became of a report to one address, or of all reports about a domain. */
enum report_fate {
	REPORT_SENT,
	REPORT_SENT_BEFORE, /* this, or that it was refused, is recorded */
	REPORT_REFUSED,     /* by the mail server, for good */
	REPORT_LATER,       /* not now: it is tried again */
	REPORT_SUPPRESSED,  /* the address is dead */
	REPORT_NO_CONSENT,  /* RFC 9990 4 */
	REPORT_NO_ADDRESS,  /* no mail address is in rua */
	REPORT_EXCLUDED,    /* the domain is excluded */
	REPORT_DROPPED,     /* it waited too long, or there were REPORTS_PARTS_MAX reports before it */
	REPORT_TOO_MANY     /* REPORTS_ADDRESS_MAX, REPORTS_ORG_MAX, REPORTS_SHARE_MAX: it is tried again */
};
extern const char *const report_fate_names[11]; /* "sent" "sent-before" ... NULL */

struct report_told {
	unsigned day;
	struct slice domain;  /* the policy domain */
	struct slice address; /* "": of none */
	enum report_fate fate;
	struct slice text; /* what the mail server answered, or why; printable ASCII */
	uint64_t messages;
};

struct report_counters {
	_Atomic uint64_t sent, refused, suppressed, failures; /* mails; failures: tries that are repeated */
	_Atomic uint64_t dropped;                             /* domains whose reports waited too long */
	_Atomic uint64_t waiting; /* domains with reports of days that are over, after the latest round */
};

/* Who sends. All of it outlives the round. */
struct report_sender {
	struct aggregate *aggregate;
	struct store *store;
	struct mailer *mailer;
	struct resolver *resolver;
	struct slice from;         /* the address in From, and the reverse-path */
	struct slice organization; /* its name in From; "": none */
	char delimiter;            /* between a local part and its extension; '\0': there are no extensions */
	struct slice holder;       /* who we are, among those that share the store */
	struct report_counters *counters;
	unsigned address_max, org_max, share_max; /* 0: REPORTS_ADDRESS_MAX and so on; others for tests */
	int64_t (*wall_us)(void);                 /* NULL: clock_wall_us */
	/* May mail be sent at all: will it be aligned (RFC 9990 3.5)? Asked before the first mail of a round. False and
	 * why. NULL: yes. */
	bool (*ready)(void *context, struct error *why_r);
	enum truth (*excluded)(void *context, struct slice domain); /* NULL: none is */
	bool (*stopped)(void *context);
	void (*told)(void *context, const struct report_told *);
	/* Sleeps after a domain whose reports were tried; NULL: no rest. Those that only wait cost no time. */
	void (*rest)(void *context, int64_t us);
	void *context;
};

struct report_round {
	bool now;            /* what is due later, or waits, too */
	struct slice domain; /* "": all */
	unsigned day;        /* 0: all that are over */
};

enum report_end {
	REPORTS_DONE,
	REPORTS_ELSEWHERE, /* another process sends at the moment, or the store does not tell: why_r */
	REPORTS_BROKEN     /* why_r: the store or the mail server does not answer, mail would not be aligned, stopped */
};
/* One thread at a time. */
enum report_end reports_round(const struct report_sender *, const struct report_round *, struct error *why_r);

/* The time by the clock, less the time that has passed, changes only when somebody sets the clock. It may be set back:
 * a day that seems to be over is reported without its end. */
#define REPORTS_JUMP_US  (INT64_C(300) * 1000 * 1000) /* that counts */
#define REPORTS_QUIET_US (INT64_C(900) * 1000 * 1000) /* so long no round begins by itself */
struct report_clock {
	int64_t difference_us, quiet_us; /* until then, by steady_us */
	bool began;
};
/* May a round begin? *jump_us_r: by how much the clock was set since the last call; 0: it was not. */
bool report_clock_steady(struct report_clock *, int64_t wall_us, int64_t steady_us, int64_t *jump_us_r);

/* The time for all questions to the DNS about one domain, in a round that waited for vain_us in vain so far: domains
 * whose servers do not answer must not take the time that others need. */
int64_t report_patience_us(int64_t vain_us);

/* ---- the latest reports ------------------------------------------------------------------------------- */

#define REPORT_LAST_TEXT 300 /* bytes of a text that are kept */

struct report_last {
	struct report_told told; /* the latest about this domain to this address */
	int64_t at_s;            /* when, since 1970 */
};
/* Those after a key ("": from the start), on pages; they are kept for eight days. Waits as store_scan does. */
enum store_answer report_last_list(struct store *, struct slice after, struct arena *, struct report_last **last_r,
				   size_t *count_r, struct slice *next_r);

/* ---- dead addresses -------------------------------------------------------------------------------- */

struct report_dead {
	struct slice address;
	unsigned times;
	int64_t until_s; /* since 1970; it may be over */
	struct slice why;
};

/* Adds an address, or makes its time longer unless it is still running. The time until which nothing is sent. */
enum store_answer report_dead_add(struct store *, struct slice address, struct slice why, int64_t now_us,
				  struct arena *, int64_t *until_s_r);
/* Is nothing sent to it now? STORE_OK and *dead_r: yes; STORE_ABSENT: no. */
enum store_answer report_dead_find(struct store *, struct slice address, int64_t now_us, struct arena *,
				   struct report_dead *dead_r);
enum store_answer report_dead_clear(struct store *, struct slice address, struct arena *);
/* Those after an address ("": from the start), on pages. Waits as store_scan does. */
enum store_answer report_dead_list(struct store *, struct slice after, struct arena *, struct report_dead **dead_r,
				   size_t *count_r, struct slice *next_r);

/* ---- bounces (RFC 3464) ------------------------------------------------------------------------------- */

#define REPORT_BOUNCE_MAX                                                                                              \
	(64 * 1024) /* bytes of the body of a bounce that are read: its report comes before our mail */

/* Is a recipient one of our reverse-paths? Then the address that the report went to. STORE_OK; ABSENT: no. */
enum store_answer report_bounce_find(struct store *, struct slice from, char delimiter, struct slice recipient,
				     struct arena *, struct slice *address_r);
/* Does the message say that delivery to the address failed for good? `type` is the value of Content-Type, `body` its
 * beginning. *why_r: its status, "5.1.1", and what the other server said. A notice of a delay, a refusal of what the
 * mail says, how large it is or who sends it, one whose status and text do not tell what was refused, and an answer of
 * a person or of a program that is on holiday, are not. */
bool report_bounce_read(struct slice type, struct slice body, struct arena *, struct slice *why_r);

#endif
