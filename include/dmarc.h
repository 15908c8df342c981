/*
 * dmarc.h - Domain-based Message Authentication, Reporting and Conformance
 * (RFC 9989): is the author domain backed by SPF or DKIM, and what does it ask
 * for when it is not?
 *
 * Pure protocol: author domains, what SPF and DKIM proved, and the DNS go in;
 * a result and its reasons come out. No milter, no policy, no configuration, no
 * globals. The Organizational Domain is found by the tree walk of RFC 9989 4.10, or
 * with the public suffix list, as in RFC 7489, where that is configured.
 */
#ifndef SEKISHO_DMARC_H
#define SEKISHO_DMARC_H

#include "dns.h"
#include "mail.h"

/* RFC 9989 9.2, in the order of dmarc_result_names. */
enum dmarc_result { DMARC_NONE, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR, DMARC_PERMERROR };
extern const char *const dmarc_result_names[6]; /* "none" ... NULL */

/* The policy that a domain requests. */
enum dmarc_policy { DMARC_NO_POLICY, DMARC_POLICY_NONE, DMARC_QUARANTINE, DMARC_REJECT };
extern const char *const dmarc_policy_names[4];   /* without DMARC_NO_POLICY: "none" "quarantine" "reject" NULL */
const char *dmarc_policy_name(enum dmarc_policy); /* "" for DMARC_NO_POLICY */

#define DMARC_QUERIES_MAX     8  /* of one walk (RFC 9989 4.10) */
#define DMARC_AUTHORS_MAX     3  /* author domains that are checked; a message with more never passes (RFC 9989 11.5) */
#define DMARC_IDENTIFIERS_MAX 32 /* DKIM domains that are compared; more signatures are never verified */

/* ---- records (RFC 9989 4.7) -------------------------------------------------- */

enum dmarc_psd { DMARC_PSD_U, DMARC_PSD_Y, DMARC_PSD_N };

/* Texts point into the record itself. Absent tags have their defaults. */
struct dmarc_record {
	struct slice text;
	enum dmarc_policy p, sp, np; /* DMARC_NO_POLICY: absent, or not a policy */
	bool policy_wrong;           /* p is missing, or p, sp or np is not a policy (RFC 9989 4.10.1) */
	bool strict_dkim, strict_spf;
	bool testing; /* t=y */
	enum dmarc_psd psd;
	struct slice fo, rua, ruf; /* as written; "" when absent or wrong */
	struct slice repeated;     /* name of a repeated tag, which makes the record invalid; else "" */
};

/* A tag as written in a record, for a person. */
struct dmarc_tag {
	struct slice name, value; /* name "": text that is not a tag */
	const char *wrong;        /* NULL: it counts */
	const char *about;        /* what the tag is for; "" for an unknown one */
	bool historic;            /* of RFC 7489, and ignored (RFC 9989 9.3) */
	const char *meant;        /* for an unknown tag: the name that was probably meant; else NULL */
};

/* Does the text begin with v=DMARC1? Other TXT records are ignored. A valid record also has no repeated tag. */
bool dmarc_is_record(struct slice text);
void dmarc_record_parse(struct slice text, struct dmarc_record *record_r); /* dmarc_is_record() is true */

/* Takes the next tag off `*rest`, which begins as record->text; false at the end. */
bool dmarc_tag_next(struct slice *rest, struct dmarc_tag *tag_r);

/* Takes the next valid URI (RFC 3986) off a list as in rua, without the size that RFC 7489 allowed after it. */
bool dmarc_uri_next(struct slice *rest, struct slice *uri_r);

/* Takes the next part off such a list, valid or not. *wrong_r: why no report can go there, for a person; NULL: it is a
 * valid URI, and a mailto URI has an address. */
bool dmarc_uri_part(struct slice *rest, struct slice *part_r, const char **wrong_r);

/* ---- the walk (RFC 9989 4.10) --------------------------------------------------- */

struct dmarc_step {
	struct slice name; /* without _dmarc. */
	enum dns_status status;
	enum dns_reason reason;            /* DNS_TEMPFAIL: why */
	size_t records;                    /* number of DMARC records; other TXT records do not count */
	const struct dns_answer *answer;   /* all TXT records there; NULL: the name was not queried */
	const struct dmarc_record *record; /* the only one, else NULL (RFC 9989 4.10 step 2) */
};

/* The last step ended the walk: a psd tag, the top, or no answer. */
struct dmarc_walk {
	struct slice domain;
	struct dmarc_step steps[DMARC_QUERIES_MAX];
	size_t count;
	bool failed;      /* the last step has no answer */
	struct slice org; /* the Organizational Domain; "": unknown, an answer is missing */
};

/* How the Organizational Domain is found. */
enum dmarc_discovery { DMARC_TREE_WALK, DMARC_PSL };
bool dmarc_has_psl(void); /* false: built without libpsl */

/* `domain` is a result of domain_normalise. Texts point into it and into the answers of the budget. */
void dmarc_walk(struct slice domain, enum dmarc_discovery, struct dns_budget *, struct dmarc_walk *walk_r);

/* The step whose record applies to the domain as an author (RFC 9989 4.10.1); NULL: none applies, or it is unknown. */
const struct dmarc_step *dmarc_walk_policy(const struct dmarc_walk *);

/* Starts all queries of a walk. Does not wait. */
void dmarc_hint(struct dns_budget *, struct slice domain, enum dmarc_discovery);

/* The registrable domain by the public suffix list; the domain itself if it is a suffix, or without a list. */
struct slice dmarc_psl_org(struct slice domain);

/* An address that a URI of rua or ruf names. */
struct dmarc_mailbox {
	struct slice address; /* decoded (RFC 6068 2); the local part as written, the domain as A-labels */
	struct slice domain;
};
/* False: it is not a mailto URI with one address that mail servers take without quotes. Texts live in the arena. */
bool dmarc_uri_mailbox(struct slice uri, struct arena *, struct dmarc_mailbox *mailbox_r);

enum dmarc_report { DMARC_REPORT_AGGREGATE, DMARC_REPORT_FAILURE }; /* to the addresses of rua, of ruf */

/* May reports about `domain`, the owner of the record, go to this URI? (RFC 9990 4, RFC 9991 5) */
enum dmarc_consent {
	DMARC_CONSENT_OWN, /* in the same organization: no consent is needed */
	DMARC_CONSENT_GIVEN,
	DMARC_CONSENT_MISSING,    /* reports are not sent there */
	DMARC_CONSENT_ELSEWHERE,  /* it names an address at another host: reports are sent to neither */
	DMARC_CONSENT_IMPOSSIBLE, /* the name that would publish the consent is too long for the DNS */
	DMARC_CONSENT_UNKNOWN,    /* an answer is missing */
	DMARC_CONSENT_NO_MAIL     /* not a mail address: receivers need not support it */
};

struct dmarc_destination {
	struct dmarc_mailbox mailbox; /* where reports go: of the URI, or the one that the consent puts in its place */
	struct slice question;        /* the name that publishes the consent; "": none is needed */
};
enum dmarc_consent dmarc_consent(struct slice domain, struct slice uri, enum dmarc_report, struct dns_budget *,
				 struct arena *, struct dmarc_destination *destination_r);

/* ---- a message --------------------------------------------------------------------- */

/* A domain that SPF or DKIM authenticated, or could not authenticate because an answer is missing (temperror). */
struct dmarc_identifier {
	struct slice domain;
	bool unresolved;
};

struct dmarc_request {
	const struct authors *authors;
	struct dmarc_identifier spf; /* domain "": SPF authenticated nothing */
	const struct dmarc_identifier *dkim;
	size_t dkim_count;
	enum dmarc_discovery discovery;
	bool recordless; /* also check an author without a usable record, with relaxed alignment: pass or fail, not
			    none */
};

enum dmarc_aligned { DMARC_ALIGNED_NONE, DMARC_ALIGNED_SPF, DMARC_ALIGNED_DKIM, DMARC_ALIGNED_BOTH };
extern const char *const dmarc_aligned_names[5]; /* "none" "spf" "dkim" "both" NULL */

/* Of the author domain whose outcome is the strictest. */
struct dmarc_outcome {
	enum dmarc_result result;
	enum dmarc_policy policy;    /* requested for this message if it fails: sp, np and t are applied */
	enum dmarc_policy published; /* the same without t */
	struct slice author;         /* "" when there is none to check */
	struct slice domain;         /* where the applicable record was found; "": there is none */
	struct slice org;
	const struct dmarc_record *record; /* NULL: none applies */
	enum dmarc_aligned aligned;
	struct slice spf_aligned; /* the domains that align */
	const struct slice *dkim_aligned;
	size_t dkim_aligned_count;
	struct slice reason; /* for a person: why none, fail, temperror or permerror; "" for pass */
	struct dmarc_walk walk;
};

/* Never fails: an error is a result. Texts live in the arena and in the answers of the budget. */
void dmarc_check(const struct dmarc_request *, struct dns_budget *, struct arena *, struct dmarc_outcome *outcome_r);

#endif
