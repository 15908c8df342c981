/*
 * dkim_private.h - what the files of the room share: tag lists, canonical header
 * fields, a signature while it is judged, a published key.
 */
#ifndef SEKISHO_DKIM_PRIVATE_H
#define SEKISHO_DKIM_PRIVATE_H

#include "dkim.h"
#include <openssl/evp.h>

/* ---- the crypto library ---------------------------------------------------------- */

const EVP_MD *hash_kind(void);        /* SHA-256 */
EVP_MD_CTX *hash_new(struct arena *); /* begun; the arena's */
/* RSA with SHA-256 after EVP_PKEY_verify_init or EVP_PKEY_sign_init, to be copied for each use; NULL: not possible with
 * this key. The caller frees it. */
EVP_PKEY_CTX *rsa_context(EVP_PKEY *, int (*init)(EVP_PKEY_CTX *));

/* ---- tag lists (RFC 6376 3.2) -------------------------------------------------- */

#define TAGS_MAX 64 /* signatures have at most 14 tags with a meaning, keys 7 */

struct tag {
	struct slice name, value; /* value without blanks at its ends */
	struct slice raw;         /* all between = and ; */
};

struct tags {
	struct tag list[TAGS_MAX];
	size_t count;
};

/* NULL, or what is wrong: a static text. */
const char *tags_parse(struct slice text, struct tags *tags_r);
const struct tag *tags_find(const struct tags *, const char *name); /* NULL: it is not there */
/* What the first tag of that one letter seems to say, without a check of the rest; "": it is not among the first
 * TAGS_MAX. */
struct slice tags_glance(struct slice text, char name);

/* The next item between colons, without blanks; false at the end. */
bool items_next(struct slice *rest, struct slice *item_r);
/* Without regard to case: the words of a tag are strings of an ABNF (RFC 5234 2.3); OpenDKIM does the same. */
bool items_have(struct slice list, struct slice word);

/* ---- header fields ----------------------------------------------------------------- */

/* `skip` is never chosen: the signature that is being verified was not there when it was made. NULL: none. */
void fields_hash(struct dkim_fields *, struct slice names, enum dkim_canon, const struct header_field *skip,
		 EVP_MD_CTX *);
unsigned fields_count(const struct dkim_fields *, struct slice name);
const struct header_field *fields_list(const struct dkim_fields *, size_t *count_r); /* as they were given */

/* The canonical form of one field. It is followed by the last CRLF, which is not counted. */
struct slice field_canonical(struct slice name, struct slice value, enum dkim_canon, struct arena *);

/* The value of a DKIM-Signature without `b`, which is a part of it (RFC 6376 3.7). */
struct slice value_without(struct slice value, struct slice b, struct arena *);

/* ---- published keys (RFC 6376 3.6.1) -------------------------------------------------- */

struct key {
	enum dkim_result result; /* PASS, or why it cannot be used, with a static text */
	const char *reason;
	enum dkim_algorithm algorithm;
	unsigned bits;
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *verifying; /* RSA: ready, to be copied */
	bool testing, strict;
};

/* Reads a TXT record. False when it is not a key record: the result is DKIM_NONE then, or what is wrong with a text
 * that was meant to be one. True does not mean that the key can be used; its result says that. */
bool key_read(struct key *, struct slice text);
void key_release(struct key *); /* what key_read made */

#define KEYS_MAX                                                                                                       \
	8 /* keys of a name that are tried: each costs a verification; real names have one, or two during a rollover   \
	   */
#define RECORDS_MAX 64 /* TXT records of a name that are read */

struct keys {
	size_t count; /* at least 1: an error is in the only one */
	bool more;    /* there are more than are tried */
	struct key list[KEYS_MAX];
};

/* The DNS name of a key. */
struct slice key_name(struct slice selector, struct slice domain, struct arena *);
/* The keys of a name. Valid until the budget is closed. */
const struct keys *keys_find(struct dns_budget *, struct slice name);
EVP_PKEY *private_pkey(const struct dkim_private *);
const EVP_PKEY_CTX *private_context(const struct dkim_private *); /* RSA: ready to sign, to be copied */

/* ---- the body ------------------------------------------------------------------------------ */

/* As dkim_body_new; the caller says whether the processor has AVX2, so a test can try both. */
struct dkim_body *body_new(struct arena *, bool avx2);

/* ---- what a mail server would change (watch.c) ------------------------------------------------ */

struct watch {
	size_t most; /* octets of a line with its CRLF; 0: not watched */
	size_t line; /* octets of the current line */
	struct dkim_noticed noticed;
};
void watch_add(struct watch *, struct slice chunk);
void watch_end(struct watch *);

/* ---- a requested digest ---------------------------------------------------------------- */

const struct dkim_digest *body_digest(const struct dkim_body *, enum dkim_canon,
				      uint64_t length); /* NULL: it was not requested */

/* ---- a signature ------------------------------------------------------------------------- */

struct signature {
	struct dkim_signature *seen; /* what the caller gets */
	const struct header_field *field;
	struct slice names; /* h= */
	struct slice identity_domain;
	struct slice b, b_raw; /* decoded; as it is in the field */
	struct slice bh;
	enum dkim_algorithm algorithm;
	bool historic; /* rsa-sha1: never passes (RFC 8301 3.1) */
	bool arc;      /* an ARC-Message-Signature or ARC-Seal */
	enum dkim_canon header_canon, body_canon;
	uint64_t length;                  /* l=, or DKIM_WHOLE */
	int64_t made_s;                   /* t=; -1 without one */
	const struct dkim_digest *digest; /* NULL: not to be verified */
};

/* Reads a DKIM-Signature. An error becomes its result; DKIM_NONE: no error so far. */
void signature_read(struct signature *, const struct dkim_rules *, struct arena *);
void signature_judge(struct signature *, enum dkim_result, const char *reason); /* the first judgement stays */

/* As signature_read, of an ARC-Seal; *status_r is cv=. */
void signature_read_seal(struct signature *, struct arena *, struct slice *status_r);

/* Do these bytes have this SHA-256 (b= of the signature, verified with the key)? DKIM_PASS, DKIM_FAIL, or
 * DKIM_TEMPERROR when nothing is known about it. */
enum dkim_result signature_verify(const struct key *, struct slice b, const unsigned char *hash);

/* RFC 6376 6.1.2: may this key be used for this signature? DKIM_PASS, or why not. */
enum dkim_result key_suits(const struct signature *, const struct key *, const struct dkim_rules *,
			   const char **reason_r);

/* Sets its result only when header or body are not what was signed. `hash` is any context; it is initialised again. */
void signature_match(struct signature *, struct dkim_fields *, const struct key *, EVP_MD_CTX *hash, struct arena *);

/* Does b= match the header with this key, whatever the body is? */
bool signature_fits(const struct signature *, struct dkim_fields *, const struct key *, EVP_MD_CTX *hash,
		    struct arena *);

/* d= and s= alone, whatever else is in the field: they say where the key is. False when they cannot be read. */
bool signature_key_name(struct slice value, struct arena *, struct slice *name_r);

/* ---- signing ------------------------------------------------------------------------------ */

/* A name of h=: as often as the field is there, and perhaps once more. */
struct signed_name {
	struct slice name;
	unsigned count;
	bool more;
};
size_t signing_names(const struct dkim_signing *, const struct dkim_fields *, struct arena *,
		     const struct signed_name **names_r);

/* b= of a SHA-256, in base64; "" and err when the key cannot sign. */
struct slice sign_hash(const struct dkim_signing *, const unsigned char *hash, struct arena *, struct error *err);

/* A field value is written tag by tag, and folded. */
struct writer {
	struct text text;
	size_t column;
};
void write_tag(struct writer *, struct slice tag);      /* " tag", on this line or the next */
void write_base64(struct writer *, struct slice value); /* cut anywhere: base64 allows blanks */

/* The value of the field, over the body that has this digest; "" and err when the key cannot sign. */
struct slice sign_natively(const struct dkim_signing *, struct dkim_fields *, const struct dkim_digest *,
			   struct arena *, struct error *err);

#endif
