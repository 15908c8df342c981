/*
 * probe.h - tests of other hosts for a person: an SMTP server step by step, a file over HTTPS, and the way from the
 * root of the DNS to an answer.
 *
 * Used by `sekisho lookup` alone; the daemon connects to nobody. Whoever answers may be an attacker: every reply is
 * bounded in bytes and lines, and every test ends at its deadline, however slowly a server drips. A failure is a
 * result. Functions may be called from several threads at once, each with its own arena.
 */
#ifndef SEKISHO_PROBE_H
#define SEKISHO_PROBE_H

#include "base.h"

/* ---- SMTP (RFC 5321, 3207) ------------------------------------------------------------- */

#define PROBE_PORT       25
#define PROBE_TLS_PORT   465 /* TLS from the first byte (RFC 8314 3.3) */
#define PROBE_STEPS_MAX  16
#define PROBE_NAMES_MAX  50 /* of a certificate that are kept */
#define PROBE_TLSA_MAX   20
#define PROBE_RELAYS_MAX 4

struct probe_step {
	const char *name; /* "connect" "banner" "ehlo" "starttls" "tls" "ehlo-tls" "quit" */
	bool good;
	int64_t took_us;
	unsigned code;     /* of the reply; 0: it has none */
	struct slice said; /* the reply without its codes, lines joined by LF; any bytes */
	struct slice why;  /* it failed: for a person */
};

struct probe_certificate {
	struct slice subject, issuer; /* RFC 2253 text, any bytes */
	struct slice names[PROBE_NAMES_MAX];
	size_t name_count;
	int64_t not_before_s, not_after_s; /* since 1970 */
	unsigned bits;
	struct slice trouble; /* why the chain is not trusted, or ""; the name is judged separately */
	bool named;           /* the name that was asked for is one of its names */
};

/* A TLSA record (RFC 6698). */
struct probe_tlsa {
	unsigned usage, selector, matching;
	struct slice data;
};

enum probe_dane { PROBE_DANE_NONE, PROBE_DANE_MATCH, PROBE_DANE_MISMATCH, PROBE_DANE_UNUSABLE };

/* One attempt to have the server take mail for a stranger from a stranger. Nothing is sent. */
struct probe_relay {
	struct slice recipient;
	unsigned code; /* of the answer to RCPT, or to MAIL when that was refused; 0: none */
	struct slice said;
};

struct probe_smtp_request {
	struct ip ip;
	unsigned port;
	struct slice host;       /* for TLS: the name that the certificate should have; "": not known */
	struct slice helo;       /* our own name */
	const char *ca_file;     /* trusted certificates; NULL: those of the system */
	struct probe_tlsa *tlsa; /* of the host and port, or none */
	size_t tlsa_count;
	bool relay_test;
	int64_t until_us; /* clock_us: the test ends then at the latest */
};

struct probe_smtp {
	struct probe_step steps[PROBE_STEPS_MAX];
	size_t step_count;
	bool good;                            /* every step is good; a server without STARTTLS can be good */
	struct slice banner_name, ehlo_name;  /* what the server calls itself; "" without one */
	struct slice extensions;              /* the keywords after EHLO, with blanks in between */
	bool starttls;                        /* it offers STARTTLS, or the port is PROBE_TLS_PORT */
	const char *tls_version, *tls_cipher; /* NULL without TLS */
	bool has_certificate;
	struct probe_certificate certificate;
	enum probe_dane dane;
	struct probe_relay relays[PROBE_RELAYS_MAX]; /* the plain one first */
	size_t relay_count;
	int64_t took_us;
};

void probe_smtp(const struct probe_smtp_request *, struct arena *, struct probe_smtp *result_r);

/* ---- HTTPS ------------------------------------------------------------------------------- */

#define PROBE_BODY_MAX (64 * 1024) /* RFC 8461 3.2 advises this limit for a policy */

struct probe_https_request {
	struct slice host; /* a valid domain name: its certificate must have it */
	const char *path;
	const struct ip *ips; /* of the host, by our own resolver; at least one */
	size_t ip_count;
	const char *ca_file; /* as above */
	int64_t until_us;
};

struct probe_https {
	long status;       /* 0: no answer */
	struct slice type; /* the media type, lower case, without parameters */
	struct slice body; /* any bytes */
	struct slice why;  /* no answer: for a person */
	bool untried;      /* nobody was asked: libcurl cannot be opened here */
	int64_t took_us;
};

/* Follows no redirect (RFC 8461 3.3). */
void probe_https(const struct probe_https_request *, struct arena *, struct probe_https *result_r);

/* ---- from the root to an answer ------------------------------------------------------------- */

#define PROBE_TRACE_STEPS_MAX   120 /* servers asked */
#define PROBE_TRACE_RECORDS_MAX 40  /* shown of one answer */

enum probe_trace_kind {
	PROBE_TRACE_REFERRAL, /* to the servers of `zone` */
	PROBE_TRACE_ANSWER,
	PROBE_TRACE_ALIAS, /* a CNAME: the walk begins again for its target */
	PROBE_TRACE_NODATA,
	PROBE_TRACE_NXDOMAIN,
	PROBE_TRACE_LAME,  /* it does not answer for the zone that was delegated to it */
	PROBE_TRACE_FAILED /* no answer, or none that can be read */
};
extern const char *const probe_trace_names[8]; /* "referral" ... "failed" NULL */

struct probe_trace_step {
	unsigned depth;      /* 0: for the name itself; more: for the address of a name server */
	struct slice asked;  /* the name */
	struct slice zone;   /* that the server was asked for */
	struct slice server; /* its name */
	struct ip ip;
	enum probe_trace_kind kind;
	int64_t took_us;
	struct slice why;                              /* lame or failed: for a person */
	struct slice records[PROBE_TRACE_RECORDS_MAX]; /* "NAME TTL TYPE DATA": an answer, or the NS and DS records of
							* a referral */
	size_t record_count;
	uint32_t ttl;      /* the lowest of these */
	bool delegated_ds; /* a referral with DS records: the zone is signed */
};

struct probe_trace_request {
	struct slice name; /* a valid domain name */
	struct slice type; /* "A", "MX", "TYPE99" */
	const char *hints; /* a file with the root servers; NULL: those of the Internet */
	int64_t until_us;
};

struct probe_trace {
	struct probe_trace_step *steps;
	size_t step_count;
	enum probe_trace_kind result; /* of the last step for the name, or of the answer that most servers gave */
	bool differs;                 /* the authoritative servers do not agree */
	struct slice why;             /* failed: for a person */
};

bool probe_trace_type(struct slice type); /* is it a type of the DNS? */

/* 0, or -1 and err: the hints cannot be read. */
int probe_trace(const struct probe_trace_request *, struct arena *, struct probe_trace *result_r, struct error *err);

#endif
