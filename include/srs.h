/*
 * srs.h - the Sender Rewriting Scheme: senders of forwarded mail, and the way back for their bounces.
 *
 * A forwarder that keeps the sender breaks the SPF of the sender's domain. So it writes an address of its own that has
 * the original one in it: alice@example.org becomes SRS0=HHHH=TT=example.org=alice@srs.example.net. HHHH is the start
 * of base64(HMAC-SHA1(secret, TT host user)), all in lower case; TT is the day, so that the address expires. The next
 * forwarder shortens: SRS1=HHHH=first=, then what followed "SRS0". There is no RFC; the text of Mail::SRS and libsrs2
 * defines it, and what is written here can be read there and the other way round.
 *
 * Pure: no configuration, no clock. Texts live in the arena.
 */
#ifndef SEKISHO_SRS_H
#define SEKISHO_SRS_H

#include "mail.h"

#define SRS_SECRETS_MAX 32
#define SRS_DAYS_MAX    1000 /* the day in an address is modulo 1024 */
#define SRS_HASH_MIN    4    /* characters */
#define SRS_HASH_MAX    20
#define SRS_LOCAL_PART  64  /* octets: RFC 5321 4.5.3.1.1 */
#define SRS_LOCAL_MAX   200 /* of a longer one, which some mail servers refuse */

struct srs {
	const struct slice *domains; /* the first is written; addresses of all are read. domain_normalise */
	size_t domain_count;
	const struct slice *secrets; /* the first signs, all verify */
	size_t secret_count;
	unsigned days;        /* an address of so many days ago is still valid */
	unsigned hash_length; /* that is written: SRS_HASH_MIN to SRS_HASH_MAX */
	unsigned hash_least;  /* that is accepted */
	unsigned local_most;  /* octets of a local part that is written */
};

enum srs_direction { SRS_FORWARD, SRS_REVERSE };

enum srs_result {
	SRS_REWRITTEN,
	SRS_OWN,      /* forward: the null sender, or an address of a domain of our own */
	SRS_OTHER,    /* reverse: not an SRS address of our domains */
	SRS_UNFIT,    /* not a complete, unambiguous address */
	SRS_TOO_LONG, /* forward: RFC 5321 has no room for the result */
	SRS_BROKEN,   /* reverse: a part is missing or malformed */
	SRS_FORGED,   /* the hash is of none of the secrets */
	SRS_EXPIRED,
	SRS_NO_ANSWER /* a list of own domains cannot be read now */
};
extern const char *const srs_results[]; /* each as a clause for a person, as in "ADDRESS: " */

/* The address that replaces the sender `address`, which nobody has checked to be foreign but for srs->domains. */
enum srs_result srs_forward(const struct srs *, const struct address *address, int64_t now_s, struct arena *,
			    struct slice *address_r);

/* The address that the recipient `address`, of a bounce, stands for. */
enum srs_result srs_reverse(const struct srs *, const struct address *address, int64_t now_s, struct arena *,
			    struct slice *address_r);

#endif
