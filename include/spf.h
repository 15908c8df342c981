/*
 * spf.h - Sender Policy Framework (RFC 7208): may this client send mail for
 * this domain?
 *
 * Pure protocol: the client, the identity and the DNS go in, a result and its
 * reasons come out. No milter, no policy, no configuration, no globals.
 */
#ifndef SEKISHO_SPF_H
#define SEKISHO_SPF_H

#include "dns.h"

/* RFC 7208 2.6, in the order of spf_result_names. */
enum spf_result { SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_TEMPERROR, SPF_PERMERROR };
extern const char *const spf_result_names[8]; /* "none" ... NULL */

#define SPF_LOOKUPS_MAX      10 /* RFC 7208 4.6.4: terms that cause DNS queries */
#define SPF_VOID_LOOKUPS_MAX 2  /* RFC 7208 4.6.4: more of them are a permerror */

/* Who evaluates. Both are given the same parsed records and the same limits; see filter/README. */
enum spf_engine {
	SPF_ENGINE_NATIVE,
	SPF_ENGINE_LIBSPF2,
	SPF_ENGINE_COMPARE /* both: the native one decides, and the outcome says what libspf2 would have */
};
extern const char *const spf_engine_names[4]; /* "native" "libspf2" "compare" NULL */
bool spf_engine_built(enum spf_engine);       /* is it part of this program? */

struct spf_request {
	enum spf_engine engine; /* one that is built */
	struct ip client;
	struct slice helo;     /* as the client said it, for %{h} */
	struct slice local;    /* local part of the identity; "" means "postmaster" (RFC 7208 4.3) */
	struct slice domain;   /* domain of the identity: of MAIL FROM, or the HELO name */
	struct slice receiver; /* our own name, for %{r} */
	int64_t now_us;        /* clock_wall_us, for %{t} */
	bool identity_helo;    /* the identity is the HELO name: what Received-SPF says of it */
	bool trace;            /* tell the steps: for a person, they cost more than the check */
};

enum spf_step_result {
	SPF_STEP_NO_MATCH,
	SPF_STEP_MATCH,
	SPF_STEP_ERROR,
	SPF_STEP_ENTER /* an include or redirect: its terms follow, one deeper; an include then comes again */
};
extern const char *const spf_step_names[5]; /* "no match" "match" "error" "enter" NULL */

/* One term that was evaluated, in the order of evaluation. */
struct spf_step {
	unsigned depth;      /* 0 for the record of the identity itself */
	struct slice domain; /* whose record the term stands in */
	struct slice record; /* the whole record, at the first step of a record; else "" */
	struct slice term;   /* as written; "" where a record ends without a match, or is no record */
	struct slice target; /* the domain it was about after macro expansion; "" when it names none */
	unsigned lookup;     /* which of the SPF_LOOKUPS_MAX it was; 0: none */
	enum spf_step_result result;
	struct slice note; /* "2 addresses", "temporary DNS failure", ...; may be "" */
};

/* All texts live in the arena given to spf_check; those of steps also in the answers of the budget, and they are as
 * they came: any bytes. */
struct spf_outcome {
	enum spf_result result;
	struct slice domain;      /* the domain that was asked about */
	struct slice mechanism;   /* the term that matched, as written; "" when none did ("default" is not a term) */
	struct slice explanation; /* of a fail: the domain's own words (RFC 7208 6.2) in printable ASCII; may be "" */
	struct slice reason;      /* for a person: why temperror, permerror or none; "" otherwise */
	unsigned lookups;         /* terms that caused DNS queries */
	unsigned void_lookups;
	bool secure;   /* DNSSEC proved the record of the domain and every other answer that counted */
	bool compared; /* SPF_ENGINE_COMPARE: other_result is what libspf2 says */
	enum spf_result other_result;
	const struct spf_step *steps; /* when they were asked for */
	size_t step_count;
};

/* Never fails: trouble is a result. Bounded by RFC 7208 4.6.4 and by the budget. */
void spf_check(const struct spf_request *, struct dns_budget *, struct arena *, struct spf_outcome *outcome_r);

/* Starts the first question of a check (the TXT record of `domain`). */
void spf_hint(struct dns_budget *, struct slice domain);

/* The same for the name in HELO. Its record mostly says "a", and its check is the last of all: the address is asked
 * for, too. */
void spf_hint_helo(struct dns_budget *, struct slice helo, struct ip client);

/* ---- for the owner of a domain ------------------------------------------------------ */

/* One record of the tree of includes and redirects, in the order of a check that no term ends. */
struct spf_surveyed {
	unsigned depth; /* 0 for the domain's own */
	struct slice domain;
	struct slice record;  /* "" when there is none; any bytes */
	unsigned strings;     /* that it is cut into */
	unsigned lookups;     /* its own terms that ask the DNS */
	struct slice trouble; /* why it cannot be used; "" else */
};

struct spf_advice {
	const char *code;  /* "too-many-lookups", "pass-all", "ptr", ...: sekisho(8) has them all */
	struct slice text; /* for a person, printable ASCII */
};

struct spf_survey {
	unsigned lookups, void_lookups; /* of a check that no term ends */
	const struct spf_surveyed *records;
	size_t record_count;
	const struct spf_advice *advice;
	size_t advice_count;
};

/* All records of request->domain, whatever the result for the client is. Texts live in the arena and the budget. */
void spf_survey(const struct spf_request *, struct dns_budget *, struct arena *, struct spf_survey *survey_r);

/* The value of a Received-SPF field (RFC 7208 9.1) for an outcome. */
struct slice spf_received(const struct spf_request *, const struct spf_outcome *, struct slice sender, struct arena *);

#endif
