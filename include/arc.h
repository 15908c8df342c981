/*
 * arc.h - Authenticated Received Chain (RFC 8617): what those who forwarded a message say about it, and whether they
 * said it; and our own set of fields for a message that leaves again.
 *
 * Each that seals adds three fields with the same i=, the instance: ARC-Authentication-Results (what it found),
 * ARC-Message-Signature (the message as it sent it) and ARC-Seal (its set and all sets before it).
 *
 * A chain that passes proves who sealed it, not that they told the truth. Whom to trust is for rules.
 * Pure protocol, above dkim.h: no milter, no policy, no configuration, no global state.
 */
#ifndef SEKISHO_ARC_H
#define SEKISHO_ARC_H

#include "dkim.h"

/* RFC 8617 4.4, in the order of arc_result_names. For the RFC every failure is final, also DNS trouble (5.2.1), which
 * has its own word here, so that a rule can defer. */
enum arc_result { ARC_NONE, ARC_PASS, ARC_FAIL, ARC_TEMPERROR };
extern const char *const arc_result_names[5]; /* "none" "pass" "fail" "temperror" NULL */

#define ARC_SETS_MAX 50 /* RFC 8617 4.2.1: more is a failure, and nobody may add another */

/* ---- verifying ------------------------------------------------------------------------------ */

struct arc_rules {
	int64_t now_s;         /* since 1970 */
	unsigned minimum_bits; /* as in struct dkim_rules */
	unsigned sets;         /* how many are verified; more is a failure. ARC_SETS_MAX at most */
};

struct arc_sealer {
	struct slice domain, selector; /* d= and s= of the ARC-Seal */
};

struct arc_outcome {
	enum arc_result result;
	struct slice reason; /* for a person; "" for none and pass */
	unsigned sets;       /* the highest instance; 0: none can be read */
	bool ended;          /* the newest seal says cv=fail: nothing may be added (RFC 8617 5.1.2) */
	bool partial;        /* pass, but l= of the newest ARC-Message-Signature leaves part of the body unsigned */
	/* With ARC_PASS alone, when every seal was verified: that of set 1 first, `sets` of them. Else NULL. */
	const struct arc_sealer *sealers;
};

/* Is the field part of a set? Ignores case, and blanks before the colon. */
bool arc_is_field(const struct header_field *);

/* Starts the query for the key of a field that has just arrived. Does not wait. */
void arc_hint(struct dns_budget *, const struct header_field *, struct arena *);

/* Call it after the header and before the body: finds the sets and requests their digests from the body. `headers` must
 * not change until the end. Needs no DNS and no cryptography. */
struct arc_verifier;
struct arc_verifier *arc_verify_begin(const struct arc_rules *, const struct headers *, struct dkim_body *,
				      struct arena *);

/* Call it after the body. Never fails: an error is a result. Costs one verification for the newest message signature
 * and one for each seal; stops at the first that fails. */
void arc_verify_end(struct arc_verifier *, struct dns_budget *, struct arc_outcome *outcome_r);

/* RFC 8617 5.2, step 5, of a chain that passes: the oldest set since which the message is unchanged; 0: the message is
 * as the first sealer sent it. It never changes the result, and costs one verification for each set. */
unsigned arc_oldest_pass(struct arc_verifier *, struct dns_budget *);

/* What a sealer found, as it says. False when the chain does not pass, or when the text is not as RFC 8601 2.2 says. */
bool arc_results(const struct arc_verifier *, unsigned instance, struct authres_parsed *parsed_r);

/* ---- sealing ---------------------------------------------------------------------------------- */

struct arc_sealing {
	const struct arc_outcome *arrived; /* what was verified when the message arrived */
	struct slice domain, selector;     /* d=, s= */
	const struct dkim_private *key;
	int64_t now_s;
	struct slice results; /* as authres_print: the authserv-id and what we found, with arc= */
};

/* Values with their leading space, folded by LF and tab. The seal is the topmost of the three. */
struct arc_made {
	unsigned instance;
	struct slice seal, signature, results;
};

/* Seals a message as it will be sent, after every change and after DKIM signing: `list` is its header from the top, and
 * `body` has ended, with DKIM_WHOLE in DKIM_RELAXED requested. 0, or -1 and err: why nothing may be added. */
int arc_seal(const struct arc_sealing *, const struct header_field *list, size_t count, const struct dkim_body *,
	     struct arena *, struct arc_made *made_r, struct error *err);

/* How the signature of arc_seal signs: for dkim_signing_covers. */
struct dkim_signing arc_signing(const struct arc_sealing *, unsigned instance);

#endif
