/*
 * dnsbl_private.h - one DNS list: its settings, what an answer of it means, and its health.
 */
#ifndef SEKISHO_CHECK_DNSBL_PRIVATE_H
#define SEKISHO_CHECK_DNSBL_PRIVATE_H

#include "dnsbl.h"
#include "check_private.h"
#include <stdatomic.h>

enum dnsbl_of { DNSBL_CLIENT, DNSBL_HELO, DNSBL_SENDER, DNSBL_FROM };
#define DNSBL_OF_COUNT (DNSBL_FROM + 1)

/* Answers and the word for them. An IPv4 address is a number here, its first octet highest. */
struct dnsbl_code {
	struct slice word;
	uint32_t least, most; /* of the octets, each by itself, where `octets`; else of the whole address */
	bool octets;
	uint32_t bits; /* not 0: any of these bits of the last three octets; least and most are then not used */
};

#define DNSBL_UNKNOWN_MAX 8 /* codes of a list that are logged, each once */

struct dnsbl_health {
	_Atomic int state;
	_Atomic int64_t since_us;
	_Atomic uint64_t asked, listed, failed;
	_Atomic bool incomplete;
	/* Found by mail, to be logged by dnsbl_tend: */
	_Atomic uint32_t unknown[DNSBL_UNKNOWN_MAX]; /* codes; 0: no more */
	_Atomic uint32_t refusal, foreign;           /* the latest such answer; 0: none since it was logged */
	_Atomic bool doubted;                        /* the list contained its negative test entry */
	/* of dnsbl_tend alone: */
	unsigned unknown_said;
	uint32_t refusal_said;
	int64_t test_at_us, off_said_us, silent_said_us, refusal_said_us, foreign_said_us;
	bool incomplete_said;
};

/* dnsbl NAME { } */
struct dnsbl {
	struct slice name, zone;
	enum dnsbl_of of;
	SETTING_ITEMS(struct dnsbl_code) codes;
	SETTING_ITEMS(struct dnsbl_code) bits;
	int weight;
	const char **words; /* of all codes, for the compiler; NULL-terminated */
	struct dnsbl_health *health;
};

/* ---- dnsbl_codes.c: settings `code` and `bit`, and answers ---------------------------------------------- */

int dnsbl_read_code(struct setting_told *, void *item, struct error *err);
int dnsbl_read_bit(struct setting_told *, void *item, struct error *err);

enum dnsbl_result { DNSBL_RESULT_CLEAN, DNSBL_RESULT_LISTED, DNSBL_RESULT_TEMPERROR };

struct dnsbl_finding {
	enum dnsbl_result result;
	const struct dnsbl_code *code;      /* LISTED: the first of the file that matched */
	struct ip ip;                       /* LISTED: the answer that it matched */
	const char *why;                    /* TEMPERROR */
	uint32_t unknown, refusal, foreign; /* an answer in no table, an error code, one outside 127.0.0.0/8; 0: none */
};
/* What an answer of the list means; CNAMEs were followed. */
void dnsbl_judge(const struct dnsbl *, const struct dns_answer *, struct dnsbl_finding *finding_r);

/* What an error code means and what to do; NULL: it is not one. */
const char *dnsbl_refusal(uint32_t code);

/* Does the answer contain an address in 127.0.0.0/8 that is not an error code? For test entries: the table of the list
 * does not matter. */
bool dnsbl_contains(const struct dns_answer *);

#define DNSBL_CODE_TEXT 16
void dnsbl_code_print(uint32_t code, char buffer[DNSBL_CODE_TEXT]);

/* ---- dnsbl_ask.c ------------------------------------------------------------------------------------------- */

/* What comes before the zone, with a dot at the end; "": there is nothing to ask. */
struct slice dnsbl_client_key(struct ip, struct arena *);
struct slice dnsbl_domain_key(struct slice domain, struct arena *);

/* What one message knows of one list. */
struct dnsbl_met {
	struct slice name;               /* that is asked; "" not made yet */
	const struct dns_answer *answer; /* NULL: not known yet */
	bool judged;
	struct dnsbl_finding finding;
	const struct dns_answer *txt; /* NULL: not asked for */
};

/* Starts the queries for the lists of this kind that rules of the message read. Without a message yet (connect, helo)
 * nothing is kept but the queries. */
void dnsbl_start(struct view *, enum dnsbl_of, const struct asking *);
/* The author is known, and the header not complete. */
void dnsbl_start_author(struct view *);
/* What the list says; waits. NULL: the message has nothing that it could be asked for. */
struct dnsbl_met *dnsbl_meet(struct view *, const struct dnsbl *);
/* The text of an entry; asks for it once. "" without one. */
struct slice dnsbl_met_text(struct view *, const struct dnsbl *, struct dnsbl_met *);

/* ---- dnsbl_health.c ---------------------------------------------------------------------------------------- */

/* The name of a test entry in the zone (RFC 5782 5): of a list of domains, or of addresses of that family. */
struct slice dnsbl_test_name(const struct dnsbl *, uint8_t family, bool positive, struct arena *);

/* ---- dnsbl_text.c ------------------------------------------------------------------------------------------ */

#define DNSBL_TEXT_MAX 200 /* bytes of the text of an entry that are used; a reply line has room for it */

/* The text of an entry for replies, header fields and records: printable ASCII on one line, bounded, without the name
 * of the zone and its long labels, which may be keys. */
struct slice dnsbl_text(const struct dnsbl *, struct slice text, struct arena *);

#endif
