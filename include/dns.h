/*
 * dns.h - DNS queries: a resolver (cache, single flight, backend) and the budget
 * of one message.
 *
 * A resolver answers from its cache, from libunbound, or from zone text. It is
 * shared by all threads. Identical queries in flight are sent once.
 *
 * All queries go through a budget, never directly to a resolver. A budget belongs to
 * one message (or one connection), is used by one thread at a time, counts queries
 * and waiting time, keeps a deadline, and holds every answer it returned until it
 * is closed. An answer is therefore a plain const pointer.
 *
 * A failure is an answer: DNS_TEMPFAIL (RFC 8499: SERVFAIL and the like, timeout,
 * exhausted budget). No function here returns NULL for a failed query.
 */
#ifndef SEKISHO_DNS_H
#define SEKISHO_DNS_H

#include "base.h"

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };

enum dns_status {
	DNS_OK,       /* there are records */
	DNS_NODATA,   /* the name exists, but has no record of this type */
	DNS_NXDOMAIN, /* the name does not exist, or is invalid (a label over 63 bytes, over 253 in all) */
	DNS_TEMPFAIL  /* no answer now */
};
extern const char *const dns_status_names[5]; /* "ok" "nodata" "nxdomain" "tempfail" NULL */

/* Why a query has no answer now. */
enum dns_reason {
	DNS_NO_REASON, /* it is not DNS_TEMPFAIL */
	DNS_TIMEOUT,   /* no answer in time */
	DNS_BUDGET,    /* the message has used all its queries: our own limit, not an error of a server */
	DNS_CROWDED,   /* too many queries are in flight: likewise */
	DNS_BOGUS,     /* DNSSEC: the signature of the answer is invalid */
	DNS_SERVFAIL,  /* the server's answer (RFC 1035 4.1.1) */
	DNS_FORMERR,
	DNS_NOTIMP,
	DNS_REFUSED,
	DNS_MALFORMED, /* no record of the answer can be read */
	DNS_TOO_LARGE, /* more text than DNS_TEXT_MAX with bytes written as \DDD */
	DNS_LOOP,      /* an endless chain of CNAMEs */
	DNS_FAILURE,   /* the library failed */
	DNS_REASONS
};
extern const char *const dns_reason_texts[DNS_REASONS]; /* for a person: "", "timeout", "budget", ... */

#define DNS_TEXT_MAX   65535 /* the protocol's own limit of a TXT record */
#define DNS_RECORD_MAX 256   /* records kept of one answer; no honest answer has more */

struct dns_record {
	struct ip ip;        /* A, AAAA */
	unsigned preference; /* MX */
	struct slice
	    name; /* MX host, PTR, CNAME: no trailing dot, what is not printable ASCII as \DDD; "" is the root */
	struct slice text; /* TXT: its strings joined; TLSA: its data as in RFC 6698 2.1, any bytes */
	unsigned strings;  /* TXT: how many there were */
};

struct dns_answer {
	enum dns_status status;
	bool secure;                      /* validated by DNSSEC */
	bool stale;                       /* expired, but served because the servers fail (RFC 8767) */
	enum dns_reason reason;           /* DNS_TEMPFAIL: why; else DNS_NO_REASON */
	uint32_t ttl;                     /* seconds, as the servers gave it; 0 also: not known, as in zone text */
	size_t count;                     /* of records; 0 unless DNS_OK */
	const struct dns_record *records; /* MX by preference, then as received */
};

/* ---- the resolver ------------------------------------------------------------ */

enum dns_source { DNS_SYSTEM, DNS_FORWARD, DNS_RECURSE, DNS_ZONE };
enum dnssec { DNSSEC_OFF, DNSSEC_PERMISSIVE, DNSSEC_STRICT };

#define DNS_FORWARD_MAX 8

struct resolver_settings {
	enum dns_source source;
	const char *forward[DNS_FORWARD_MAX]; /* "192.0.2.53@53" */
	size_t forward_count;
	const char *zone; /* DNS_ZONE: the zone file; other settings are then ignored */
	/* DNS_RECURSE: a file with the addresses of the root servers; NULL: those that libunbound knows */
	const char *root_hints;
	const char *trust_anchor; /* a file with the keys of the root; NULL: where distributions keep them */
	enum dnssec dnssec;
	int64_t timeout_us;     /* for one answer */
	unsigned cache_entries; /* most answers in the cache */
	bool hints_off;         /* dns_hint does nothing: each query is sent when its answer is needed */
};

struct resolver_counters {
	uint64_t questions; /* dns_ask and dns_hint calls with a valid name */
	uint64_t cache_hits;
	uint64_t joined; /* waited for a query that was already in flight */
	uint64_t asked;  /* sent to the backend */
	uint64_t tempfails;
	uint64_t timeouts;
	uint64_t stale;
	uint64_t answered;              /* by the backend, with or without records; failures do not count */
	uint64_t failures[DNS_REASONS]; /* tempfails by their reason */
	uint64_t cache_entries;         /* now */
};

struct resolver;

/* Starts threads: call it after fork. NULL and err when the servers named cannot be used. */
struct resolver *resolver_open(const struct resolver_settings *, struct error *err);

/* Answers from zone text alone: no network, no thread. `name` is for messages.
 * Lines: NAME TYPE RDATA in presentation form of RFC 1035 5.1 ("..." and \DDD; a
 * trailing dot is optional; a TTL and IN may come before the type; ; begins a
 * comment, and # at the start of a word), NAME [TYPE] TIMEOUT, NAME [TYPE] SERVFAIL
 * (without a type: for every type without a record). Other types (SPF, SOA,
 * ...) only make the name exist. It answers as DNS does: NXDOMAIN, empty
 * non-terminals, CNAME chains, wildcards (RFC 4592), case. NULL and err ("name:line: what"). */
struct resolver *resolver_open_zone(struct slice zone, const char *name, struct error *err);

struct resolver *resolver_hold(struct resolver *); /* one more owner */
void resolver_release(struct resolver *);          /* the last one closes it; NULL is allowed */

/* The number of closed resolvers whose library is still shutting down in its own thread. A process that ends meanwhile
 * must use _exit(): that thread still uses what exit() frees. */
unsigned resolvers_ending(void);
void resolver_counters(const struct resolver *, struct resolver_counters *counters_r);
const char *
resolver_name(const struct resolver *); /* "system", "forward 127.0.0.1@53", "zone FILE", ... for a person */

/* A warning about the servers for a person, or NULL: they strip signatures, so DNSSEC proves nothing. It is determined
 * in the background, so it may be NULL until resolver_settings.timeout_us has passed. */
const char *resolver_warning(const struct resolver *);

/* ---- the budget of a message --------------------------------------------------- */

/* Two SPF identities with 111 queries each (RFC 7208 4.6.4), the DNS lists of a file (DNSBL_MAX, each with its text and
 * its test entry), and room for the rest. */
#define DNS_BUDGET_QUESTIONS 500

struct dns_budget;

/* The budget and all its answers live until dns_budget_close; `arena` must outlive it. */
struct dns_budget *dns_budget_open(struct resolver *, struct arena *, unsigned questions);
/* The client that the queries are for: queries of one client (IPv6: of one /64) never take the places of others. Until
 * it is set, no particular client. */
void dns_budget_for(struct dns_budget *, struct ip client);
/* Who is told when a question waits for its answer; outlives the budget. */
void dns_budget_waiting(struct dns_budget *, const struct wait_hook *);
void dns_budget_close(struct dns_budget *); /* releases the answers; NULL is allowed */

/* No dns_ask waits beyond `until_us` (clock_us). Set it at the start of each callback; without it,
 * only the resolver's timeout applies. */
void dns_budget_deadline(struct dns_budget *, int64_t until_us);

/* Queries and waits. `name` is text as in RFC 1035 5.1: a backslash is written \\, a dot inside a label \., other
 * bytes are literal; "" and "." are the root. Never NULL; valid until the budget is closed. A query that this budget
 * sent before gets the same answer and is not counted again. A CNAME chain is followed for every
 * type but CNAME. */
const struct dns_answer *dns_ask(struct dns_budget *, struct slice name, enum dns_type);

/* Starts a query whose answer will be needed later. Does not wait; does nothing when
 * the budget is used up, or places are short. Counted like dns_ask. The answer when it is known already, as dns_ask
 * gives it; else NULL. */
const struct dns_answer *dns_hint(struct dns_budget *, struct slice name, enum dns_type);

/* The in-addr.arpa or ip6.arpa name of an address (RFC 1035 3.5, RFC 3596 2.5). */
struct slice dns_reverse_name(struct ip, struct arena *);

/* A question of a budget, with what it was told. */
struct dns_told {
	struct slice name; /* no trailing dot */
	enum dns_type type;
	const struct dns_answer *answer;
};
/* The questions that have an answer, in the order in which they were asked first; in the arena. */
struct dns_told *dns_budget_told(const struct dns_budget *, struct arena *, size_t *count_r);
const char *dns_type_name(enum dns_type); /* "A" "TXT" ... */

unsigned dns_budget_asked(const struct dns_budget *);    /* queries that counted */
int64_t dns_budget_waited_us(const struct dns_budget *); /* time spent waiting in dns_ask */
unsigned dns_budget_stale(const struct dns_budget *);    /* expired answers that were returned */

/* ---- the parsed form -------------------------------------------------------------- */

/* The parsed form of an answer (an SPF record, a public key) is kept with it, so it
 * is parsed once and not for each message. `parse` is called at most a few times for
 * an answer, from any thread; its result is immutable. */
struct dns_parser {
	void *(*parse)(const struct dns_answer *); /* malloc'ed; never NULL */
	void (*free)(void *);
};

/* The parsed form, valid as long as the answer. Answers keep the form of the
 * parser that came first; for another one it is parsed again for this budget. */
const void *dns_parsed(struct dns_budget *, const struct dns_answer *, const struct dns_parser *);

/* ---- names of mail hosts ----------------------------------------------------------- */

enum dns_mx_result { DNS_MX_OK, DNS_MX_IMPLICIT, DNS_MX_NULL, DNS_MX_NONE, DNS_MX_TEMPERROR };
extern const char *const dns_mx_names[6]; /* "ok" "implicit" "null" "none" "temperror" NULL */

struct dns_mx_host {
	unsigned preference;
	struct slice name;
};

/* The mail hosts of a domain (RFC 5321 5.1): its MX hosts, the domain itself when it
 * has only an address (implicit), explicitly no host (null, RFC 7505), or no host at
 * all (none). The addresses of MX hosts are not queried. */
struct dns_mx_outcome {
	enum dns_mx_result result;
	const struct dns_mx_host *hosts; /* by preference; ok and implicit only */
	size_t host_count;
};
void dns_mx(struct dns_budget *, struct slice domain, struct arena *, struct dns_mx_outcome *outcome_r);

#define DNS_PTR_NAMES_MAX 10 /* names of an address that are checked (RFC 7208 4.6.4); its owner can list more */

/* Does `name` have the address? DNS_OK: yes; DNS_NODATA: no, only others; else the failure of its A or AAAA query. */
enum dns_status dns_name_has_address(struct dns_budget *, struct slice name, struct ip);

/* The first name of an address that has that address (RFC 8601 2.7.3, iprev). DNS_OK and the name; else "" and
 * DNS_NXDOMAIN, DNS_NODATA: it has none; DNS_TEMPFAIL: no answer now. */
enum dns_status dns_confirmed_name(struct dns_budget *, struct ip, struct arena *, struct slice *name_r);

#endif
