/*
 * mail.h - the parts of mail: paths and addresses, header fields,
 * Authentication-Results, and the model of a session and of a message that
 * checks read and the engine fills.
 *
 * No DNS, no policy, no MTA. Every text that comes from outside is a slice of
 * any bytes; the functions here bound it and never assume that it is well
 * formed.
 */
#ifndef SEKISHO_MAIL_H
#define SEKISHO_MAIL_H

#include "base.h"

/* ---- envelope paths and addresses (RFC 5321 4.1.2, RFC 6531) -------------- */

#define MAIL_PATH_MAX   4096 /* a longer path is malformed: 256 octets are the rule (RFC 5321 4.5.3.1.3) */
#define MAIL_DOMAIN_MAX 253  /* RFC 1035 2.3.4 in its printed form, without the last dot */

struct address {
	struct slice text;   /* as received, without <>, source route and blanks around it; "" is the null sender */
	struct slice local;  /* the local part as written, quotes and all */
	struct slice domain; /* lower case, A-labels (RFC 5891), no trailing dot; "" when there is none; of an address
			      * literal the one form that compares: [192.0.2.1], [ipv6:2001:db8::1] */
	bool valid;          /* false: text holds what came, local and domain what could be read of it */
};

/* Reads the argument of MAIL or RCPT as a milter gives it: with or without <>,
 * with a source route, quoted local part, trailing blanks. Never fails: what is
 * no address has valid = false (the null sender is valid). */
struct address address_parse_path(struct slice argument, struct arena *);

/* How clear it is whom an argument of MAIL or RCPT names. */
enum address_notation {
	ADDRESS_PLAIN,  /* user@domain, or the null sender: it means the same to everybody */
	ADDRESS_BARE,   /* a local part alone: the MTA adds a domain of its own */
	ADDRESS_ROUTED, /* user@domain with %, ! or @ in the local part: where `domain` is its own, an MTA sends it on
			 */
	ADDRESS_UNCLEAR /* a bang path, comments, blanks, brackets inside: MTAs rewrite it, each in its way */
};
enum address_notation address_notation(const struct address *);          /* of one that address_parse_path made */
bool address_same_local(const struct address *, const struct address *); /* without regard to case and quotes */

/* Can it be given to an MTA as a sender or recipient, whatever it came from? It means one mailbox to everybody, has a
 * domain, and is ASCII of the usual lengths (RFC 5321 4.5.3.1). Not so the null sender. */
bool address_usable(const struct address *);

/* A domain as one compares it: lower case, A-labels, no trailing dot. A text that
 * is no host name comes back lower-cased and is not valid. */
struct slice domain_normalise(struct slice domain, struct arena *, bool *valid_r);

/* True when `domain` is below `parent` (not the same): "a.example.org" below "example.org". */
bool domain_is_below(struct slice domain, struct slice parent);

/* Two addresses are one mailbox: local parts without regard to case and quotes
 * that are not needed, domains as domain_normalise made them. What is not valid equals nothing. */
bool address_equal(const struct address *, const struct address *);

/* ---- header fields (RFC 5322 2.2) ------------------------------------------ */

#define HEADER_BYTES_MAX (1024 * 1024) /* names and values of one message that are stored */
#define HEADER_COUNT_MAX 5000          /* fields of one message that are stored */

struct header_field {
	struct slice name;  /* as received */
	struct slice value; /* behind the colon, leading space and folding kept, no last CRLF */
	unsigned index;     /* 1 for the first (topmost) of this name, as milters count */
};

struct header_name;
struct headers {
	struct header_field *fields; /* in the order of the message */
	size_t count, room;
	size_t bytes;
	bool too_large; /* a bound was crossed: nothing more was stored */
	struct arena *arena;
	struct header_name *names; /* how often each came; header.c's own */
	size_t name_count, name_room;
};

void headers_init(struct headers *, struct arena *);
void headers_add(struct headers *, struct slice name, struct slice value);                          /* copies */
const struct header_field *headers_find(const struct headers *, struct slice name, unsigned index); /* NULL: none */
unsigned headers_count(const struct headers *, struct slice name);
/* Is this its name? Blanks before the colon are obsolete, and readers pass over them (RFC 5322 4.5.2): no sender
 * escapes a rule so. headers_find and headers_count take names as they came, as milters count fields. */
bool header_is_named(const struct header_field *, struct slice name);

/* The value on one line, without blanks at its ends: what a rule or a log shows. A fold leaves a space. */
struct slice header_unfold(struct slice value, struct arena *);

/* A value that may stand in a header field: one line; CR, LF, NUL and other
 * control bytes become spaces; what is not ASCII becomes RFC 2047 encoded words;
 * long lines are folded (bare LF and a space, as milters want it). */
struct slice header_safe(struct slice value, size_t name_length, struct arena *);

/* True for a field name of RFC 5322 3.6.8: printable ASCII without the colon, 1..76 bytes. */
bool header_name_valid(struct slice name);

/* Takes the next header field off `*rest`, the text of a message in a file (LF or CRLF, folded lines;
 * an mbox "From " line in front is passed over). False when the header is over: *rest is the body then.
 * The value keeps its leading space, folding by LF. */
bool message_next_field(struct slice *rest, struct arena *, struct slice *name_r, struct slice *value_r);

/* ---- the author (RFC 5322 3.6.2) ------------------------------------------- */

#define AUTHORS_MAX 100 /* mailboxes of a From field; honest ones have one, seldom three */

/* Who the From field says wrote the message. It is valid as a whole or not at all:
 * nobody can know the author when one of several fields or mailboxes cannot be read. */
struct authors {
	bool valid;            /* one field, and all of it could be read */
	const char *why;       /* not valid: what is wrong, for a person; else "" */
	struct slice field;    /* its value on one line; "" without a field */
	size_t mailbox_count;  /* 0 when not valid, and for a group without members (RFC 6854) */
	struct address first;  /* the first mailbox */
	struct slice name;     /* of the first mailbox, decoded, without quotes and comments; "" without one */
	struct slice *domains; /* of all mailboxes, each once, in the order they came; A-labels */
	size_t domain_count;   /* 0 too when the authors have address literals */
	bool literal, group;   /* there is an address literal, a group */
	/* Not valid, but there is one address in angle brackets, and no other domain beside it, as when the quotes
	 * around a name are missing: its domain. Nobody's author by RFC 5322, but what every reader shows. Else "". */
	struct slice shown;
};

void author_read(struct slice value, struct arena *, struct authors *authors_r);     /* the value of a From field */
void author_find(const struct headers *, struct arena *, struct authors *authors_r); /* of all fields of a message */
/* The author domain, when there is exactly one; else "". */
struct slice author_domain(const struct headers *, struct arena *);
bool author_is_field(struct slice name); /* "From" in any case, with blanks before the colon too */

/* What a server says of a message in the Received field it wrote (RFC 5321 4.4). */
struct received {
	struct slice helo; /* of the client, as it said it: any text on one line; "" when it said none */
	struct slice name; /* of the client: its reverse name if it has one; else "" */
	struct ip ip;      /* of the client */
	struct slice by;   /* the server that wrote the field: a host name or an address literal */
	struct ip by_ip;   /* its address when it says it; else family 0 */
};

/* Reads the forms of Postfix, Sendmail, Exchange, Exim, qmail and amavis; false for all else. What the client said of
 * itself never decides whether the field is read. Texts live in the arena. */
bool received_parse(struct slice value, struct arena *, struct received *received_r);

/* ---- Authentication-Results (RFC 8601) ------------------------------------- */

struct authres; /* one header field under construction */

/* `id` is the authserv-id; all texts are copied into the arena. */
struct authres *authres_new(struct arena *, struct slice id);
void authres_method(struct authres *, struct slice method, struct slice result); /* opens a clause: spf=pass */
void authres_reason(struct authres *, struct slice reason);                      /* reason="..." of the open clause */
void authres_comment(struct authres *, struct slice comment);                    /* (comment) after the result */
/* smtp.mailfrom=... Values, reasons and comments may be strangers' texts, and there are readers who only look for words
 * such as "dmarc=pass": no value has a "=" in it, and no reason or comment has one but after a DKIM tag of one or two
 * letters ("t=s"). Of a mailbox with a "=" the domain is printed (@example.org). header.a is printed when it is a known
 * algorithm, smtp.helo when it is a host name or an address. What is not printed is named by a comment. */
void authres_property(struct authres *, struct slice type, struct slice property, struct slice value);

bool authres_empty(const struct authres *); /* no clause was opened yet */

/* The value of the field, folded with LF and tab, quoted where needed, without the
 * name; "id; none" when no clause was added (RFC 8601 2.2). Values that came from outside are
 * quoted so that none can forge a clause. */
struct slice authres_print(struct authres *);

#define AUTHRES_BYTES_MAX      65536 /* of a value that is parsed; honest ones have a few hundred */
#define AUTHRES_CLAUSES_MAX    100   /* of a field; a message with that many signatures is no mail of anybody */
#define AUTHRES_PROPERTIES_MAX 50    /* of a clause; the most talkative servers write ten */

struct authres_property {
	struct slice type, property; /* "smtp", "mailfrom"; lower case */
	struct slice value;          /* as meant, without quotes; of "a b"@example.org the local part keeps them */
};

struct authres_clause {
	struct slice method, result; /* lower case; also those that nobody registered */
	uint64_t version;            /* of the method; 1 when none is written */
	struct slice reason;         /* without quotes; "" without one */
	struct authres_property *properties;
	size_t property_count;
};

struct authres_parsed {
	struct slice id;  /* lower case, without quotes */
	uint64_t version; /* of the field; 1 when none is written, and all else is for readers to come */
	struct authres_clause *clauses;
	size_t clause_count; /* 0: "none" */
};

/* Reads the value of an Authentication-Results field as RFC 8601 2.2 says, all of it, comments left out. False, and
 * nothing in *parsed_r, for what is not of that grammar or crosses a bound above. Who wrote it is for the caller to
 * ask. Texts live in the arena, or in `value`. */
bool authres_parse(struct slice value, struct arena *, struct authres_parsed *parsed_r);

/* The authserv-id that the value of an Authentication-Results field claims,
 * lower case, comments, folding, quotes and version taken off (RFC 8601 2.2).
 * False when none can be read: such a field proves nothing to nobody. */
bool authres_id(struct slice value, struct arena *, struct slice *id_r);

/* True when a field claims to be written by `id`: the name is
 * Authentication-Results in any case (blanks before the colon do not count) and the authserv-id is `id`, or a reader
 * who is less strict than RFC 8601 could take it for `id`. Such a field is removed when it comes from outside. */
bool authres_is_forged(const struct header_field *, struct slice id, struct arena *);

/* ---- the model ---------------------------------------------------------------- */

enum kind { KIND_INBOUND, KIND_SUBMISSION, KIND_LOCAL }; /* of traffic; each has its own policy */
#define KIND_COUNT 3
extern const char *const kind_names[KIND_COUNT + 1]; /* "inbound", ..., NULL */

/* What is known of the connection. All texts live in `arena`. */
struct session {
	struct arena *arena;
	struct ip client;                     /* family 0: no address (a local program) */
	struct slice client_name;             /* the MTA's verified name, "" when it has none */
	unsigned client_port;                 /* 0: unknown */
	struct slice helo;                    /* as the client said it; "" before HELO */
	struct slice daemon_name;             /* the MTA's name of the service */
	unsigned daemon_port;                 /* the port the client came to; 0: unknown or no network */
	bool local_program;                   /* handed over by a program of this host, not by SMTP from a network */
	struct slice tls_version, tls_cipher; /* "" without TLS */
	struct slice auth_user, auth_method;  /* "" without AUTH */
};

struct fact_list;
struct recipient {
	struct address address;
	struct fact_list *known; /* its facts that were read so far: kept by check/; NULL: none */
	struct slice said;       /* the argument of RCPT as the client wrote it: by that Postfix knows the recipient */
	bool deleted;            /* a rule took it away */
};

/* What is known of one message. All texts live in `arena`. */
struct message {
	struct arena *arena;
	struct address sender;
	struct recipient *recipients; /* those not refused so far come first come first */
	size_t recipient_count, recipient_room;
	struct slice queue_id; /* "" until the MTA says it */
	uint64_t size;         /* bytes of header and body seen so far, line ends as the MTA gives them */
	bool smtputf8;
	struct headers headers;
};

#endif
