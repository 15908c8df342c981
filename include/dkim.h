/*
 * dkim.h - DomainKeys Identified Mail (RFC 6376; RFC 8301, 8463, 8616): verifies the
 * signatures of a message, and signs our own mail.
 *
 * Pure protocol: header fields, body, DNS and the time go in; results and their
 * reasons, or the value of a DKIM-Signature field, come out. No milter, no policy,
 * no configuration, no global state (except SHA-256, fetched once). But for a keyed hash of base/, only this folder
 * uses OpenSSL. ARC (RFC 8617) signs with the same keys, canonical forms and body hashes in fields of its own:
 * filter/arc/ has the rules, and this room the signatures.
 *
 * The body is never stored. It streams through a struct dkim_body, which keeps one
 * running hash for each requested canonicalisation and copies its state where an l=
 * ends. So the decision to sign can be made after the body and the edits.
 */
#ifndef SEKISHO_DKIM_H
#define SEKISHO_DKIM_H

#include "dns.h"
#include "mail.h"

/* RFC 8601 2.7.1, in the order of dkim_result_names. */
enum dkim_result {
	DKIM_NONE,
	DKIM_PASS,
	DKIM_FAIL,
	DKIM_POLICY,
	DKIM_NEUTRAL,
	DKIM_TEMPERROR,
	DKIM_PERMERROR,
};
extern const char *const dkim_result_names[8]; /* "none" ... NULL */

#define DKIM_RSA_BITS_MIN 1024 /* RFC 8301 3.2: smaller ones never count */
#define DKIM_RSA_BITS_MAX                                                                                              \
	4096                /* the longest that verifiers must support; senders must not make us pay for longer ones */
#define DKIM_SIGNATURES  10 /* verified by default; honest mail has one or two */
#define DKIM_FIELD_MAX   (64 * 1024) /* bytes of a DKIM-Signature; honest ones are far shorter, even with h= and z= */
#define DKIM_NAMES_MAX   1000        /* names in h=: each costs a lookup */
#define DKIM_SHA256_SIZE 32
#define DKIM_CLOCK_SKEW  300 /* seconds that t= may be in the future: clocks differ */

/* ---- the body ------------------------------------------------------------------ */

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };
#define DKIM_WHOLE UINT64_MAX

struct dkim_digest {
	uint64_t length; /* requested: the l= tag, or DKIM_WHOLE */
	bool reached;    /* after dkim_body_end: the body is that long */
	unsigned char hash[DKIM_SHA256_SIZE];
};

/* The body of one message; lives in the arena. Line ends may be CRLF or LF, chunks may end anywhere. */
struct dkim_body;
struct dkim_body *dkim_body_new(struct arena *);
/* Call it before the first byte. dkim_body_end fills in the digest. Equal requests get the same digest, also after the
 * end. NULL: too many were requested, or it is requested too late. */
const struct dkim_digest *dkim_body_want(struct dkim_body *, enum dkim_canon, uint64_t length);
/* Call it before the first byte: detects lines over `line_max` octets (without CRLF) and bytes over 0x7f. */
void dkim_body_watch(struct dkim_body *, size_t line_max);
void dkim_body_add(struct dkim_body *, struct slice chunk);
void dkim_body_end(struct dkim_body *); /* repeated calls are allowed */
struct dkim_noticed {
	bool long_line, eight_bits;
};
struct dkim_noticed dkim_body_noticed(const struct dkim_body *); /* after the end */
uint64_t dkim_body_length(const struct dkim_body *,
			  enum dkim_canon); /* canonical bytes; of a requested one, after the end */

/* ---- the second engine ------------------------------------------------------------- */

/* libopendkim checks only whether the signature matches header and body; our code does all other checks. */
enum dkim_engine { DKIM_NATIVE, DKIM_LIBOPENDKIM, DKIM_COMPARE };
extern const char *const dkim_engine_names[4]; /* "native" "libopendkim" "compare" NULL */

struct dkim_library;
struct dkim_library *dkim_library_open(struct error *err); /* NULL and err: built without it. For all threads */
/* NULL is allowed. Free the arenas of its verifiers and signatures first. */
void dkim_library_close(struct dkim_library *);

/* ---- verifying ------------------------------------------------------------------- */

/* What the administrator decides. */
struct dkim_rules {
	int64_t now_s;                      /* since 1970 */
	unsigned minimum_bits;              /* shorter RSA keys give `policy`; at least DKIM_RSA_BITS_MIN */
	unsigned signatures;                /* how many are verified */
	const struct slice *length_domains; /* d= that may leave part of the body unsigned (l=) */
	size_t length_domain_count;
	enum dkim_engine engine;
	struct dkim_library *library; /* for engines other than native */
};

struct dkim_signature {
	enum dkim_result result;
	struct slice reason;    /* for a person; "" for a pass */
	struct slice domain;    /* d=, lower case, A-labels; "" when it could not be read */
	struct slice selector;  /* s=; likewise */
	struct slice algorithm; /* a=, lower case */
	struct slice identity;  /* i= as written; "" when there is none */
	struct slice b;         /* the first characters of b= (RFC 6008) */
	struct slice bytes;     /* all of b=, decoded; "" when it could not be read */
	unsigned bits;          /* of the key; 0: not known */
	const char *second;     /* DKIM_COMPARE: libopendkim's result if it differs; else NULL */
	bool testing;           /* the key has t=y */
	bool aligned;           /* d= and the author domain are the same, or one is below the other */
	bool partial;           /* l= leaves part of the body unsigned */
};

/* The signatures in the order of their fields, the topmost first. */
struct dkim_outcome {
	enum dkim_result
	    result; /* of the best signature; a failure with a testing key counts as none (RFC 6376 3.6.1) */
	const struct dkim_signature *best; /* NULL: there is none */
	const struct dkim_signature *signatures;
	size_t count;
};

/* Starts the query for the key of a DKIM-Signature field that has just arrived. Does not wait. */
void dkim_hint(struct dns_budget *, struct slice value, struct arena *);

/* Call it after the header and before the body: parses all signatures, chooses those to verify (those of the author
 * domain first) and requests their digests from the body. `headers` must not change until the end. */
struct dkim_verifier;
struct dkim_verifier *dkim_verify_begin(const struct dkim_rules *, const struct headers *, struct slice author_domain,
					struct dkim_body *, struct arena *);

void dkim_verify_body(struct dkim_verifier *, struct slice chunk); /* as dkim_body_add, which must get it too */

/* The same for one ARC-Message-Signature (RFC 8617 4.1.2), which has no v=, and whose i= is an instance. `headers` has
 * the field. */
struct dkim_verifier *dkim_verify_arc_begin(const struct dkim_rules *, const struct headers *,
					    const struct header_field *, struct dkim_body *, struct arena *);

/* For one that dkim_verify_arc_begin may read after the body has ended: requests the digest that its c= and l= seem to
 * say. */
void dkim_arc_want(struct slice value, struct dkim_body *);
bool dkim_arc_covers_part(struct slice value); /* it seems to have l= */

/* Call it after the body. Never fails: an error is a result. */
void dkim_verify_end(struct dkim_verifier *, struct dns_budget *, struct dkim_outcome *outcome_r);

/* ---- published keys ----------------------------------------------------------------- */

enum dkim_algorithm { DKIM_RSA, DKIM_ED25519 };
extern const char *const dkim_algorithm_names[3]; /* "rsa-sha256" "ed25519-sha256" NULL */

/* A TXT record at the name of a key, checked. */
struct dkim_record {
	enum dkim_result result; /* PASS: usable; NONE: not a key record */
	struct slice reason;     /* "" when it is usable */
	struct slice text;       /* as published; any bytes */
	enum dkim_algorithm algorithm;
	unsigned bits;
	bool testing, strict; /* t=y, t=s */
	bool matches;         /* it matches the given private key */
};

struct dkim_published {
	struct slice name;         /* that was queried */
	struct dkim_record chosen; /* a usable one, preferably one that matches the private key; else one with the
				    * error. Its text is "" when there is no key record */
	const struct dkim_record *records; /* all */
	size_t count;
};

struct dkim_private;
/* `private` may be NULL. Texts live in the arena and the budget. */
void dkim_published_find(struct dns_budget *, struct slice selector, struct slice domain, const struct dkim_rules *,
			 const struct dkim_private *, struct arena *, struct dkim_published *published_r);

/* ---- private keys ---------------------------------------------------------------------- */

/* Of PEM text, or the base64 seed of an Ed25519 key. NULL and err when the key cannot sign. Immutable; usable in
 * any thread. */
struct dkim_private *dkim_private_read(struct slice text, struct error *err);
struct dkim_private *dkim_private_generate(enum dkim_algorithm, struct error *err); /* RSA: 2048 bits */
void dkim_private_free(struct dkim_private *);                                      /* NULL is allowed */
enum dkim_algorithm dkim_private_algorithm(const struct dkim_private *);
unsigned dkim_private_bits(const struct dkim_private *);
struct slice dkim_private_pem(const struct dkim_private *, struct arena *);
struct slice dkim_private_record(const struct dkim_private *, struct arena *); /* "v=DKIM1; k=rsa; p=..." */

/* ---- signing ------------------------------------------------------------------------------ */

/* The header as it will be sent, from the top. Canonical forms are computed once for all its signatures. */
struct dkim_fields;
struct dkim_fields *dkim_fields_new(const struct header_field *, size_t count, struct arena *);

struct dkim_signing {
	struct slice domain, selector; /* d=, s= */
	const struct dkim_private *key;
	enum dkim_canon header_canon, body_canon;
	const struct slice *names; /* fields to sign if present; NULL: those of RFC 6376 5.4.1 */
	size_t name_count;
	const struct slice *oversigned; /* fields that are named once more than they are there, so that nobody can add
					 * one; From always. NULL: the usual ones; none when `names` is given */
	size_t oversigned_count;
	bool oversigned_all;          /* and every field that a receiver acts on */
	int64_t now_s;                /* t= */
	int64_t lifetime_s;           /* x= is t= plus this; 0: no x= */
	unsigned instance;            /* not 0: an ARC-Message-Signature, or an ARC-Seal, with this i= */
	struct slice identity;        /* i=; "" for none */
	enum dkim_engine engine;      /* who signs; with DKIM_COMPARE natively */
	struct dkim_library *library; /* for engines other than native */
	struct spool *spool;          /* likewise: the body as it came */
};

bool dkim_never_signed(struct slice name); /* RFC 6376 5.4: trace fields, Bcc */
/* Is a field of this name signed? With an instance, by the signature or by the seal. */
bool dkim_signing_covers(const struct dkim_signing *, struct slice name);

/* Is the field a DKIM-Signature by the same key, domain and selector over this header and body, not expired? Asks no
 * DNS. `body` as for dkim_signature_make. */
bool dkim_signature_holds(const struct dkim_signing *, const struct header_field *, struct dkim_fields *,
			  const struct dkim_body *, struct arena *);

/* The value of a DKIM-Signature field (with an instance, of an ARC-Message-Signature, which can sign DKIM-Signature,
 * too) with its leading space, folded by LF and tab. `body` has ended, and DKIM_WHOLE was requested in body_canon. From
 * is always signed. "" and err when the key cannot sign. */
struct slice dkim_signature_make(const struct dkim_signing *, struct dkim_fields *, const struct dkim_body *,
				 struct arena *, struct error *err);

/* DKIM_COMPARE: libopendkim signs the same (with RSA; its Ed25519 leaks memory); does each engine verify the signature
 * of the other? `value` is the result of dkim_signature_make. err says why they disagree, or why it is not known. */
enum dkim_compared { DKIM_AGREE, DKIM_DISAGREE, DKIM_NOT_COMPARED };
enum dkim_compared dkim_signature_compare(const struct dkim_signing *, struct dkim_fields *, const struct dkim_body *,
					  struct slice value, struct arena *, struct error *err);

/* ---- the seals of ARC (RFC 8617 4.1.3, 5.1.1) ------------------------------------------------ */

/* i= of an ARC-Message-Signature or ARC-Seal, as written; "" when there is none. The rest is not checked. */
struct slice dkim_instance(struct slice value);

/* A seal covers the fields of all sets up to its own. One hash runs over them, in the order of their instances, and its
 * state is copied at each seal: the work grows with the number of sets, not with its square. */
struct dkim_chain;
struct dkim_chain *dkim_chain_new(struct arena *);
void dkim_chain_add(struct dkim_chain *, const struct header_field *);

/* An ARC-Seal of the chain. Reading needs no cryptography; an error becomes its result. */
struct dkim_seal;
struct dkim_seal *dkim_seal_read(struct dkim_chain *, const struct header_field *);
struct slice dkim_seal_status(const struct dkim_seal *);               /* cv=, lower case; "" without one */
const struct dkim_signature *dkim_seal_seen(const struct dkim_seal *); /* DKIM_NONE: not verified yet */
/* It covers what the chain has so far, and itself; then the chain has it, too. */
void dkim_seal_hash(struct dkim_seal *);
/* After dkim_seal_hash: sets its result, unless it has one. Never fails. */
void dkim_seal_verify(struct dkim_seal *, struct dns_budget *, const struct dkim_rules *);

/* The value of an ARC-Seal over what the chain has, as dkim_signature_make. Of the signing only domain, selector, key,
 * now_s and instance count. "" and err when the key cannot sign. */
struct slice dkim_seal_make(struct dkim_chain *, const struct dkim_signing *, struct slice status, struct error *err);

#endif
