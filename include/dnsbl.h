/*
 * dnsbl.h - the health of the DNS lists that a policy declares (dnsbl NAME { }).
 *
 * A list publishes test entries (RFC 5782 5): one that it must contain, one that it must not contain. A list that
 * contains the second would refuse everybody, so it is switched off until it no longer does. The daemon asks at its
 * start, after a reload and every hour, and logs what it and the mail before found out; the facts are in check/dnsbl.c.
 *
 * The health of a list is the only part of a policy that changes, by atomic operations.
 */
#ifndef SEKISHO_DNSBL_H
#define SEKISHO_DNSBL_H

#include "check.h"

#define DNSBL_MAX 64 /* lists of a file: each is a query for each message. Sites use two to ten */

enum dnsbl_state {
	DNSBL_UNTESTED,
	DNSBL_USED,    /* it does not contain what it must not contain */
	DNSBL_OFF,     /* it does: it is not asked, and its fact is temperror */
	DNSBL_SILENT,  /* its servers did not answer the test */
	DNSBL_REFUSING /* it answered with one of its error codes */
};
#define DNSBL_STATES (DNSBL_REFUSING + 1)
extern const char *const dnsbl_state_names[DNSBL_STATES + 1]; /* "untested" "used" "off" "silent" "refusing" NULL */

struct dnsbl_status {
	struct slice name; /* never the zone, whose name may contain a key */
	enum dnsbl_state state;
	int64_t since_us; /* clock_wall_us; 0: never tested */
	bool incomplete;  /* it lacks the entry that it must contain */
	uint64_t asked, listed, failed;
};

size_t dnsbl_count(const struct check_settings *);
void dnsbl_status(const struct check_settings *, size_t number, struct dnsbl_status *status_r); /* from 0 */

/* A question to a list and the text of its answer, as they may be kept and shown: the name of the zone may contain a
 * key, so the name of the list takes its place. Other questions stay as they are. */
void dnsbl_shown(const struct check_settings *, struct slice *name, struct slice *answer, struct arena *);

/* Lists of a new policy that an old one has too keep their health. Before the new policy is used. */
void dnsbl_adopt(const struct check_settings *now, const struct check_settings *before);

/* Tests the lists whose time has come (now_us is clock_us), and says what is new. One thread at a time; waits for the
 * DNS, DNSBL_TEST_US at most. Call it every second or so. */
#define DNSBL_TEST_US (10 * 1000 * 1000)
void dnsbl_tend(const struct check_settings *, struct resolver *, int64_t now_us,
		void (*say)(void *context, const char *level, const char *line), void *context);

/* ---- one list and one subject, for a person ------------------------------------------------------------------- */

struct dnsbl;                                                                /* lives as long as its policy */
const struct dnsbl *dnsbl_get(const struct check_settings *, size_t number); /* from 0 */

struct dnsbl_subject {
	struct ip ip;        /* family 0: the domain is the subject */
	struct slice domain; /* normalised, with two labels at least */
};

/* A list that no file declares; its name is the zone, and each code of 127.0.0.0/8 but the error codes lists. */
const struct dnsbl *dnsbl_of_zone(struct slice zone, const struct dnsbl_subject *, struct arena *);

struct slice dnsbl_name(const struct dnsbl *);
int dnsbl_weight(const struct dnsbl *);           /* negative: whom it lists is good */
const char *dnsbl_positive(const struct dnsbl *); /* its positive test entry, "127.0.0.2" or "TEST" */
bool dnsbl_takes(const struct dnsbl *, const struct dnsbl_subject *); /* does it list such subjects? */

enum dnsbl_listing {
	DNSBL_CLEAN,
	DNSBL_LISTED,
	DNSBL_ERROR,    /* the list says that it does not answer us, and lists nothing */
	DNSBL_BROKEN,   /* it lists what no list may list, or answers outside 127.0.0.0/8 */
	DNSBL_NO_ANSWER /* now */
};

struct dnsbl_report {
	enum dnsbl_listing listing;
	const char *why;                 /* in words, when it is not LISTED; "" for nothing to say */
	struct slice word;               /* LISTED: that the file has for the code; "" without a file */
	struct slice text;               /* LISTED: printable, without the name of the zone; "" without one */
	const struct dns_answer *answer; /* its addresses are the codes */
	bool incomplete;                 /* CLEAN: it does not contain its positive test entry, either */
};

/* Starts the queries that dnsbl_examine makes. */
void dnsbl_hint(const struct dnsbl *, const struct dnsbl_subject *, struct dns_budget *, struct arena *);
/* Waits. Texts live in the arena; the health of the list is neither read nor changed. */
void dnsbl_examine(const struct dnsbl *, const struct dnsbl_subject *, struct dns_budget *, struct arena *,
		   struct dnsbl_report *report_r);

#endif
