/*
 * lookup.h - what the questions of `sekisho lookup` share: their operands, a
 * budget to ask with, and how to show the answer.
 */
#ifndef SEKISHO_LOOKUP_H
#define SEKISHO_LOOKUP_H

#include "spf.h"
#include <jansson.h>

#define LOOKUP_DKIM_MAX      32 /* --dkim options; DMARC uses no more */
#define LOOKUP_LISTS_MAX     64 /* --dnsbl options */
#define LOOKUP_SELECTORS_MAX 32

enum lookup_smtp { LOOKUP_SMTP_DEFAULT, LOOKUP_SMTP_YES, LOOKUP_SMTP_NO };

struct lookup {
	struct arena *arena;
	struct resolver *resolver; /* both NULL until lookup_open */
	struct dns_budget *budget;
	struct policy *policy;     /* of `config`, after lookup_open; or NULL */
	const char *verb;          /* the current verb, for messages */
	const char *zone, *server; /* as --zone and --resolver say, or NULL */
	const char *config;        /* the policy file whose resolver and DNS lists are used, or NULL */
	const char *key;           /* as --key says, or NULL */
	bool json;
	enum spf_engine engine;
	struct slice receiver;  /* our own name */
	bool psl;               /* dmarc: --psl */
	const char *from, *spf; /* dmarc: of a message, or NULL */
	const char *dkim[LOOKUP_DKIM_MAX];
	size_t dkim_count;
	const char *dnsbl[LOOKUP_LISTS_MAX]; /* zones of lists, lower case */
	size_t dnsbl_count;
	const char *selectors[LOOKUP_SELECTORS_MAX];
	size_t selector_count;
	const char *ca, *hints; /* files, or NULL */
	enum lookup_smtp smtp;
	bool relay_test;
	int count; /* of operands after the kind of question */
	char **operands;
};

/* Each reads its operands, opens the resolver, prints its answer on stdout and returns the exit code. */
int lookup_spf(struct lookup *);
int lookup_spf_domain(struct lookup *);
int lookup_domain(struct lookup *);
int lookup_blacklist(struct lookup *);
int lookup_smtp(struct lookup *);
int lookup_trace(struct lookup *);
int lookup_mx(struct lookup *);
int lookup_ptr(struct lookup *);
int lookup_dkim(struct lookup *);
int lookup_dmarc(struct lookup *);

/* VERB_OK, or the exit code after an error message when there is nothing to ask. */
int lookup_open(struct lookup *);
void lookup_close(struct lookup *); /* what lookup_open opened, if anything */
/* The same with the first operand as a domain, for a wrong one VERB_USAGE. */
int lookup_open_domain(struct lookup *, struct slice *domain_r);

/* The exit code of an answer: "no" without any answer from a name server is VERB_UNAVAILABLE, with an error
 * message. */
int lookup_status(struct lookup *, int status);

/* One line on stderr; returns VERB_USAGE. */
int lookup_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Text from outside, made safe for a terminal and for JSON: bytes that are not printable ASCII become \DDD. */
struct slice lookup_safe(struct lookup *, struct slice text);
json_t *lookup_string(struct lookup *, struct slice text);
void lookup_print_json(json_t *); /* and releases it */

/* The addresses of a host, asked for both families. */
struct lookup_host {
	enum dns_status status; /* DNS_OK when there is at least one */
	const struct dns_answer *answers[2];
};
struct lookup_host lookup_addresses(struct lookup *, struct slice host);

#endif
