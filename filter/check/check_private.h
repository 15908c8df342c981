/*
 * check_private.h - what the checks share among themselves: each declares one
 * struct check, and most values are made in the same few ways.
 */
#ifndef SEKISHO_CHECK_PRIVATE_H
#define SEKISHO_CHECK_PRIVATE_H

#include "check.h"
#include "spf.h"

/* Their places in checks[]. */
enum {
#define CHECK(which) CHECK_NUMBER_##which,
#include "check_list.h"
#undef CHECK
};

#define CHECK(which) extern const struct check check_##which;
#include "check_list.h"
#undef CHECK

/* The beginning of a struct check: CHECK_NAMED(dkim). */
#define CHECK_NAMED(which) .number = CHECK_NUMBER_##which, .name = #which

#define FACTS(table) .facts = (table), .fact_count = sizeof(table) / sizeof((table)[0])

/* A row of facts: what every fact has, then by name what only it has (.scope, .needs, .words, ...). */
#define FACT(fact_name, fact_type, known_from, getter, for_a_person, ...)                                              \
	{                                                                                                              \
		.name = (fact_name), .type = TYPE_##fact_type, .stage = STAGE_##known_from, .get = (getter),           \
		.about = (for_a_person), __VA_ARGS__                                                                   \
	}

/* The author of the message, read once, when the header is complete. */
const struct authors *check_authors(struct view *);
/* While the header arrives: what its first From says; NULL before it has arrived. */
const struct authors *check_first_authors(struct view *);

/* What SPF says of MAIL FROM, or of HELO for the null sender. */
const struct spf_outcome *check_spf_outcome(struct view *);
const struct dkim_outcome *check_dkim_outcome(struct view *);    /* at the end of the message */
unsigned check_dkim_minimum_bits(const struct check_settings *); /* of RSA keys */
bool check_dkim_is_judged(const struct view *);                  /* check_dkim_outcome asks nothing anew */
int64_t check_dkim_repeats_us(const struct check_settings *);    /* dkim { repeats-window } */
const struct spf_outcome *check_spf_helo(struct view *);         /* of HELO */

/* secret.c: the first `length` characters of a keyed hash of the text, in base64. False: the store does not answer. */
bool check_hash(struct view *, struct slice text, size_t length, struct slice *hash_r);

/* Did our users write to the envelope sender? Unknown: the store does not answer. */
enum truth check_is_correspondent(struct view *);

/* Does some rule of the file read a fact of the check with this number? What a message teaches is kept only then. */
static inline bool check_is_read(const struct view *view, unsigned number)
{
	return view->settings->read >> number & 1;
}

struct value value_absent(enum type);
struct value value_unknown(enum type, const char *why); /* why is a static text */
struct value value_unstored(enum type);                 /* the store did not answer */
struct value value_text(enum type, struct slice text);  /* absent when the text is empty */
struct value value_word(const char *word);              /* TYPE_RESULT */
struct value value_number(int64_t number);
struct value value_bool(bool);

/* bogon.c: have mail hosts addresses, and none at which a server can be? The first BOGON_HOSTS_MAX are asked for. False
 * when that cannot be known. */
#define BOGON_HOSTS_MAX 10
bool bogon_hosts(struct dns_budget *, const struct dns_mx_host *hosts, size_t count);

/* relay.c: who handed the mail to us, or to the relay that handed it to us. */
struct origin {
	bool known;   /* ip and helo are the client's */
	bool pending; /* of a relay's connection before the message stage */
	struct ip ip;
	struct slice helo;
	const char *reason; /* why it is not known */
};
struct origin relay_origin(struct view *);
/* Is it one of our own servers, which relays mail from outside? Unknown: the list cannot be read. */
enum truth relay_is(const struct check_settings *, struct ip client);

#endif
