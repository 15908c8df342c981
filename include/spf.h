/*
 * spf.h - Sender Policy Framework (RFC 7208): may this client send mail for
 * this domain?
 *
 * Pure protocol. Input: the client, the identity and the DNS. Output: a result and
 * its reasons. No milter, no policy, no configuration, no globals.
 */
#ifndef SEKISHO_SPF_H
#define SEKISHO_SPF_H

#include "dns.h"

/* RFC 7208 2.6, in the order of spf_result_names. */
enum spf_result { SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_TEMPERROR, SPF_PERMERROR };
extern const char *const spf_result_names[8]; /* "none" ... NULL */

#define SPF_LOOKUPS_MAX      10 /* RFC 7208 4.6.4: terms that cause DNS queries */
#define SPF_VOID_LOOKUPS_MAX 2  /* RFC 7208 4.6.4: more of them are a permerror */

/* The engine that evaluates. Both get the same parsed records and the same limits; see filter/README. */
enum spf_engine {
	SPF_ENGINE_NATIVE,
	SPF_ENGINE_LIBSPF2,
	SPF_ENGINE_COMPARE /* both: the native one decides, and the outcome has libspf2's result, too */
};
extern const char *const spf_engine_names[4]; /* "native" "libspf2" "compare" NULL */
bool spf_engine_built(enum spf_engine);       /* is it compiled into this program? */

struct spf_request {
	enum spf_engine engine; /* must be built in */
	struct ip client;
	struct slice helo;     /* as the client sent it, for %{h} */
	struct slice local;    /* local part of the identity; "" means "postmaster" (RFC 7208 4.3) */
	struct slice domain;   /* domain of the identity: of MAIL FROM, or the HELO name */
	struct slice receiver; /* our own name, for %{r} */
	int64_t now_us;        /* clock_wall_us, for %{t} */
	bool identity_helo;    /* the identity is the HELO name; for Received-SPF */
	bool trace;            /* record the steps for a person; they cost more than the check */
};

enum spf_step_result {
	SPF_STEP_NO_MATCH,
	SPF_STEP_MATCH,
	SPF_STEP_ERROR,
	SPF_STEP_ENTER /* an include or redirect: its terms follow, one level deeper; then the include again */
};
extern const char *const spf_step_names[5]; /* "no match" "match" "error" "enter" NULL */

/* One term that was evaluated, in the order of evaluation. */
struct spf_step {
	unsigned depth;      /* 0 for the record of the identity itself */
	struct slice domain; /* owner of the record that contains it */
	struct slice record; /* the whole record, at the first step of a record; else "" */
	struct slice term;   /* as written; "" when a record ends without a match, or is not a record */
	struct slice target; /* its domain after macro expansion; "" when it has none */
	unsigned lookup;     /* which of the SPF_LOOKUPS_MAX it was; 0: none */
	enum spf_step_result result;
	struct slice note; /* "2 addresses", "temporary DNS failure", ...; may be "" */
};

/* All texts live in the arena given to spf_check; those of steps also in the answers of the budget, unescaped: any
 * bytes. */
struct spf_outcome {
	enum spf_result result;
	struct slice domain;      /* the domain that was checked */
	struct slice mechanism;   /* the term that matched, as written; "" when none did ("default" is not a term) */
	struct slice explanation; /* of a fail: the domain's explanation (RFC 7208 6.2) in printable ASCII; may be "" */
	struct slice reason;      /* for a person: why temperror, permerror or none; "" otherwise */
	unsigned lookups;         /* terms that caused DNS queries */
	unsigned void_lookups;
	bool secure;   /* DNSSEC validated the record of the domain and every other answer that was used */
	bool compared; /* SPF_ENGINE_COMPARE: other_result is libspf2's result */
	enum spf_result other_result;
	const struct spf_step *steps; /* if they were requested */
	size_t step_count;
};

/* Never fails: an error is a result. Bounded by RFC 7208 4.6.4 and by the budget. */
void spf_check(const struct spf_request *, struct dns_budget *, struct arena *, struct spf_outcome *outcome_r);

/* Starts the first query of a check (the TXT record of `domain`). */
void spf_hint(struct dns_budget *, struct slice domain);

/* The same for the name in HELO. Its record usually contains "a", and its check comes last: the address is queried,
 * too. */
void spf_hint_helo(struct dns_budget *, struct slice helo, struct ip client);

/* ---- for the owner of a domain ------------------------------------------------------ */

/* One record of the tree of includes and redirects, in the order of a check without any match. */
struct spf_surveyed {
	unsigned depth; /* 0 for the domain's own record */
	struct slice domain;
	struct slice record;  /* "" when there is none; any bytes */
	unsigned strings;     /* that it is split into */
	unsigned lookups;     /* its own terms that query the DNS */
	struct slice trouble; /* why it cannot be used; else "" */
};

struct spf_advice {
	const char *code;  /* "too-many-lookups", "pass-all", "ptr", ...: sekisho(8) has them all */
	struct slice text; /* for a person, printable ASCII */
};

struct spf_survey {
	unsigned lookups, void_lookups; /* of a check without any match */
	const struct spf_surveyed *records;
	size_t record_count;
	const struct spf_advice *advice;
	size_t advice_count;
};

/* All records of request->domain, whatever the client. Texts live in the arena and the budget. */
void spf_survey(const struct spf_request *, struct dns_budget *, struct arena *, struct spf_survey *survey_r);

/* The value of a Received-SPF field (RFC 7208 9.1) for an outcome. */
struct slice spf_received(const struct spf_request *, const struct spf_outcome *, struct slice sender, struct arena *);

#endif
