/*
 * spf_private.h - shared by the files of this folder: the parsed record, macro
 * strings, and the state of a running check.
 */
#ifndef SEKISHO_SPF_PRIVATE_H
#define SEKISHO_SPF_PRIVATE_H

#include "spf.h"

/* A record over these limits is a permerror. The longest records of honest domains have about 4 KB and 250 terms; the
 * limits keep the cost of one answer in the cache under 100 KB. */
#define SPF_RECORD_MAX 16384 /* bytes */
#define SPF_TERMS_MAX  1024
#define SPF_PARTS_MAX  512 /* pieces of macro strings: literals and macros */

#define SPF_NAME_MAX        253 /* RFC 7208 7.3, RFC 1035 2.3.4: a domain name without its last dot */
#define SPF_LABEL_MAX       63
#define SPF_MX_MAX          10   /* RFC 7208 4.6.4: more MX hosts are a permerror */
#define SPF_EXPLANATION_MAX 450  /* bytes: with code and domain it fits a reply line of 512 (RFC 5321 4.5.3.1.5) */
#define SPF_STEPS_MAX       1000 /* of a trace: 11 hostile records could have 10 times as many */
#define SPF_VOID_SHOWN      64   /* bytes of a nonexistent name in a reason */
#define SPF_NOTE_MAX        300  /* bytes of a note or reason */

/* ---- macro strings (macro.c) ---------------------------------------------- */

struct spf_part {
	struct slice literal; /* when letter is 0 */
	char letter;          /* lower case */
	bool escape;          /* written in upper case: URL-escape the value */
	bool reverse;
	uint16_t keep;      /* right-hand labels that are kept; 0: all */
	uint8_t delimiters; /* bit i: macro_delimiters[i]; 0: none was written */
};

struct spf_string {
	const struct spf_part *parts;
	size_t count;
	uint32_t letters; /* bit c - 'a': the macro c is in it */
};

enum spf_string_kind {
	SPF_STRING_DOMAIN,  /* domain-spec: of a mechanism, redirect, exp */
	SPF_STRING_VALUE,   /* macro-string: of an unknown modifier */
	SPF_STRING_EXPLAIN, /* explain-string: with spaces and the letters c, r, t */
};

/* Storage for parsed pieces; shared by all strings of a record. */
struct spf_parts {
	struct spf_part *parts;
	size_t count, room;
};

/* The values of the macros, by letter - 'a'. */
struct spf_values {
	struct slice of[26];
};

/* RFC 7208 7.1. NULL, or what is wrong with the text, for a person. */
const char *spf_string_parse(struct slice text, enum spf_string_kind, struct spf_parts *, struct spf_string *string_r);

bool spf_string_uses(const struct spf_string *, char letter);

/* The domain name without its final dot, cut from the left between labels to SPF_NAME_MAX; it lives in the arena. */
struct slice spf_string_domain(const struct spf_string *, const struct spf_values *, struct arena *);

/* Adds the text to `text`, up to its limit. */
void spf_string_expand(const struct spf_string *, const struct spf_values *, struct text *);

/* ---- records (record.c, term.c) --------------------------------------------- */

enum spf_mechanism { SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6, SPF_EXISTS };

struct spf_term {
	struct slice text; /* as written */
	enum spf_mechanism mechanism;
	enum spf_result result;   /* of a match: the qualifier */
	struct spf_string target; /* count 0: the current domain */
	struct ip_net net; /* ip4, ip6; an IPv4-mapped network stays IPv6 here and so matches nobody (RFC 7208 5) */
	uint8_t prefix4, prefix6; /* a, mx */
};

enum spf_record_state { SPF_RECORD_NONE, SPF_RECORD_VALID, SPF_RECORD_WRONG };

/* The SPF content of the TXT records of a name. It lives as long as the answer that its slices point into. */
struct spf_record {
	enum spf_record_state state;
	struct slice text;
	struct slice wrong; /* SPF_RECORD_WRONG: the term, or "" */
	const char *why;    /* SPF_RECORD_WRONG: for a person */
	struct slice redirect_text;
	struct spf_string redirect, explanation; /* count 0: there is none */
	struct spf_term *terms;                  /* the mechanisms, in order */
	size_t term_count;
};

extern const struct dns_parser spf_record_parser;

/* A TXT record that begins with the version (RFC 7208 4.5)? */
bool spf_is_record(struct slice text);

struct spf_record *spf_record_parse(struct slice text); /* malloc'ed in one piece */

/* One word of a record. NULL, or what is wrong. */
const char *spf_term_parse(struct slice word, struct spf_record *, struct spf_parts *);

/* ---- the check while it runs -------------------------------------------------- */

/* The deciding term: RFC 7208 6.2 uses the exp of the record whose term matched. */
struct spf_match {
	struct slice term;                    /* as written, in the answer; "" when none matched */
	struct slice domain;                  /* owner of the record that contains it */
	const struct spf_string *explanation; /* or NULL */
};

struct spf_run {
	const struct spf_request *request;
	struct slice identity; /* its domain in the form that is queried: A-labels, no final dot */
	struct dns_budget *budget;
	struct arena *arena;
	/* RFC 7208 4: the result for a domain. An include calls it recursively. */
	enum spf_result (*check_domain)(struct spf_run *, struct slice domain, unsigned depth,
					struct spf_match *match_r);
	struct spf_values values;
	bool values_ready;  /* the values that are constant during a check */
	bool local_ascii;   /* known when values_ready */
	bool names_counted; /* %{p} queries the DNS once per check */
	unsigned lookups, void_lookups;
	struct slice voids; /* for a person: the names of the void lookups */
	bool insecure;      /* an answer that was used is not validated by DNSSEC */
	struct slice reason;
	struct spf_step *steps;
	size_t step_count, step_room;
	struct spf_step spare; /* for steps that are not traced, and those beyond SPF_STEPS_MAX */
};

/* A record that is being evaluated. */
struct spf_frame {
	const struct spf_record *record;
	struct slice domain; /* owner of the record: %{d} */
	unsigned depth;
	bool shown; /* its text is in a step already */
};

/* SPF_NO_NAME: the target is not a domain name; only spf_target returns it. */
enum spf_matched { SPF_NO_MATCH, SPF_MATCH, SPF_TEMPORARY, SPF_PERMANENT, SPF_NO_NAME };

/* A domain in the form that is queried: U-labels as A-labels (RFC 8616 4). "" when it is not a domain. */
struct slice spf_identity_domain(struct slice domain, struct arena *);

/* RFC 7208 4.4, 4.5: the record of frame->domain. SPF_PASS: it can be evaluated; else the result for that domain. */
enum spf_result spf_record_fetch(struct spf_run *, struct spf_frame *);

/* RFC 7208 4.6.4: counts a term that queries the DNS, or a void answer; false when the limit is exceeded. */
bool spf_count_lookup(struct spf_run *);
bool spf_count_void(struct spf_run *, struct slice name, enum dns_type, const struct dns_answer *,
		    struct slice *why_r); /* false: why_r lists all of them */

/* Every DNS query of a check uses this function. */
const struct dns_answer *spf_ask(struct spf_run *, struct slice name, enum dns_type);

/* Our own limit is not a failure of the servers: it must not lead to a fail (RFC 7208 4.6.4). And a stranger who uses
 * up all places must not be able to turn a pass into a fail. */
static inline bool spf_limit_is_ours(const struct dns_answer *answer)
{
	return answer->reason == DNS_BUDGET || answer->reason == DNS_CROWDED;
}

/* libspf2.c, or libspf2_absent.c: checks the identity's domain with the other engine. */
extern const bool spf_libspf2_built;
enum spf_result spf_libspf2_check(struct spf_run *, struct spf_match *match_r);

/* canonical.c: the text that libspf2 is given instead of a record. */
#define SPF_CANONICAL_MAX   600 /* bytes; they compile to at most 480, less than libspf2's limit (511) */
#define SPF_CANONICAL_TERMS (SPF_LOOKUPS_MAX + 1) /* terms that query the DNS: the last exceeds the limit */

struct slice spf_canonical(const struct spf_run *, const struct spf_frame *, unsigned frame_number);

/* The aliases in it. Finds the term or host of an alias; false: the name is not an alias. */
#define SPF_ALIAS_REDIRECT 9999 /* in place of the number of a term */
struct spf_alias {
	unsigned frame, term, host; /* host: from 1; 0: the name is the term's own */
	bool reached;               /* the mark before a term whose query contains no alias */
};
bool spf_alias_parse(const char *name, struct spf_alias *alias_r);

/* mechanism.c: does the term match? Adds its step. */
enum spf_matched spf_mechanism_match(struct spf_run *, struct spf_frame *, const struct spf_term *);

/* target.c: the target domain of a term, in the arena. SPF_MATCH: it can be queried; else why_r says why not. */
enum spf_matched spf_target(struct spf_run *, const struct spf_frame *, const struct spf_string *,
			    struct slice *domain_r, struct slice *why_r);

/* Fills in the values that the string uses. Returns the same as spf_target. */
enum spf_matched spf_values_fill(struct spf_run *, struct slice domain, const struct spf_string *, struct slice *why_r);

bool spf_name_is_full(struct slice name); /* RFC 7208 4.3: an invalid or single-label domain has no record */
bool spf_name_valid(struct slice name);   /* RFC 1035 2.3.4: no empty or overlong label, total length */
bool spf_name_is_in(struct slice name, struct slice domain); /* the same or below */

/* explain.c (RFC 7208 6.2): "" when the domain has no usable explanation. */
struct slice spf_explain(struct spf_run *, const struct spf_match *);

/* trace.c: a new step, never NULL, valid until the next one; its texts must live in the arena or in an answer. */
struct spf_step *spf_step_add(struct spf_run *, struct spf_frame *, struct slice term);

/* Keeps the reason of the result; the first call counts, because it is the innermost. */
void spf_reason(struct spf_run *, const struct spf_frame *, struct slice term, struct slice why);

struct slice spf_printable(struct slice text, struct arena *); /* bytes that are not printable ASCII as \DDD */
struct slice spf_note_answer(const struct dns_answer *, struct arena *); /* its addresses, or why there are none */
void spf_note_addresses(struct text *, const struct dns_answer *);

#endif
