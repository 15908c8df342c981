/*
 * mail.h - the parts of mail: paths and addresses, header fields,
 * Authentication-Results, and the model of a session and a message, filled by the
 * engine and read by checks.
 *
 * No DNS, no policy, no MTA. Every text from outside is a slice of arbitrary bytes;
 * the functions here bound it and never assume that it is well formed.
 */
#ifndef SEKISHO_MAIL_H
#define SEKISHO_MAIL_H

#include "base.h"

/* ---- envelope paths and addresses (RFC 5321 4.1.2, RFC 6531) -------------- */

#define MAIL_PATH_MAX   4096 /* a longer path is malformed; RFC 5321 4.5.3.1.3 allows 256 octets */
#define MAIL_DOMAIN_MAX 253  /* RFC 1035 2.3.4 in its printed form, without the last dot */

struct address {
	struct slice text;   /* as received, without <>, source route and blanks around it; "" is the null sender */
	struct slice local;  /* the local part as written, with its quotes */
	struct slice domain; /* lower case, A-labels (RFC 5891), no trailing dot; "" when there is none; an address
			      * literal is normalised, too: [192.0.2.1], [ipv6:2001:db8::1] */
	bool valid;          /* false: text is the input, local and domain what could be parsed of it */
};

/* Parses the argument of MAIL or RCPT as a milter gets it: with or without <>,
 * with a source route, quoted local part, trailing blanks. Never fails: text that
 * is not an address has valid = false (the null sender is valid). */
struct address address_parse_path(struct slice argument, struct arena *);

/* How clearly an argument of MAIL or RCPT names a mailbox. */
enum address_notation {
	ADDRESS_PLAIN,  /* user@domain, or the null sender: unambiguous */
	ADDRESS_BARE,   /* only a local part: the MTA adds its own domain */
	ADDRESS_ROUTED, /* user@domain with %, ! or @ in the local part: an MTA may reroute it to another domain */
	ADDRESS_UNCLEAR /* a bang path, comments, blanks, inner brackets: each MTA rewrites it differently */
};
enum address_notation address_notation(const struct address *); /* of a result of address_parse_path */
/* Ignores case and quotes; beyond ASCII the form in Unicode (NFC), too. */
bool address_same_local(const struct address *, const struct address *);

/* Can it be given to an MTA as a sender or recipient, whatever its origin? It is unambiguous, has a domain, and is
 * ASCII within the limits of RFC 5321 4.5.3.1. False for the null sender. */
bool address_usable(const struct address *);

/* Some programs (Postfix's policy delegation, qmail) pass an address without <> and without the quotes of its local
 * part. address_path makes the argument of MAIL or RCPT of it, and address_bare the reverse; "" is <>. */
struct slice address_path(struct slice bare, struct arena *);
struct slice address_bare(struct slice path, struct arena *);

/* A domain in the form used for comparison: lower case, A-labels, no trailing dot. A
 * text that is not a host name is returned in lower case and is not valid. */
struct slice domain_normalise(struct slice domain, struct arena *, bool *valid_r);

/* True when `domain` is below `parent` (not the same): "a.example.org" below "example.org". */
bool domain_is_below(struct slice domain, struct slice parent);

/* A text for comparison: in lower case, and if it has letters beyond ASCII, in Unicode NFC (RFC 6532 3.1). What is not
 * UTF-8 keeps its other bytes. */
struct slice mail_fold(struct slice, struct arena *);
size_t mail_fold_into(struct slice text, char *out, size_t room); /* bytes written; 0: it does not fit */

/* True when two addresses are the same mailbox: local parts as address_same_local, domains as domain_normalise returns
 * them. An invalid address equals nothing. */
bool address_equal(const struct address *, const struct address *);

/* One text for all ways to write a mailbox, as a key: without quotes and backslashes, as mail_fold() writes it. What is
 * not valid, or has no domain, is its text, so written. */
struct slice address_fold(const struct address *, struct arena *);

/* What stays the same in a sender that changes from message to message, in lower case, to compare senders. Nothing is
 * verified: anybody can write such an address.
 * address_mailbox: without BATV tag and "+" extension, as in prvs=1234abcdef=user+tag@example.org.
 * address_stable: then the original address of an SRS sender, with "#" for each number that is not part of a word
 * (VERP, as in list-return-123@example.org). The null sender gives "". */
struct slice address_mailbox(const struct address *, struct arena *);
struct slice address_stable(const struct address *, struct arena *);

/* ---- header fields (RFC 5322 2.2) ------------------------------------------ */

#define HEADER_BYTES_MAX (1024 * 1024) /* names and values of one message that are stored */
#define HEADER_COUNT_MAX 5000          /* fields of one message that are stored */

struct header_field {
	struct slice name;  /* as received */
	struct slice value; /* after the colon, with leading space and folding, without the final CRLF */
	unsigned index;     /* 1 for the first (topmost) of this name, as milters count */
};

struct header_name;
struct headers {
	struct header_field *fields; /* in the order of the message */
	size_t count, room;
	size_t bytes;
	bool too_large; /* a limit was exceeded: no more fields were stored */
	struct arena *arena;
	struct header_name *names; /* the number of fields per name; private to header.c */
	size_t name_count, name_room;
};

void headers_init(struct headers *, struct arena *);
void headers_add(struct headers *, struct slice name, struct slice value);                          /* copies */
const struct header_field *headers_find(const struct headers *, struct slice name, unsigned index); /* NULL: none */
unsigned headers_count(const struct headers *, struct slice name);
/* Does the field have this name? Ignores the obsolete blanks before the colon, as mail readers do (RFC 5322 4.5.2), so
 * they do not help a sender to escape a rule. headers_find and headers_count compare names as received, as milters
 * count fields. */
bool header_is_named(const struct header_field *, struct slice name);

/* The value on one line, without blanks at its ends, for rules and logs. A fold becomes a space. */
struct slice header_unfold(struct slice value, struct arena *);

/* A value that is safe in a header field: CR, LF, NUL and other control bytes become
 * spaces; non-ASCII text becomes RFC 2047 encoded words; long lines are folded (bare
 * LF and a space, as milters require). */
struct slice header_safe(struct slice value, size_t name_length, struct arena *);

/* A name as it comes before an address (RFC 5322 3.2.5 phrase): a quoted string, or encoded words (RFC 2047) when it
 * is not ASCII or looks encoded. Control bytes become spaces; at most PHRASE_MAX bytes of the name are used. */
#define PHRASE_MAX 100 /* with its address it fits what Sendmail keeps (255), even encoded */
struct slice header_phrase(struct slice name, size_t name_length, struct arena *);

/* True for a field name of RFC 5322 3.6.8: printable ASCII without the colon, 1..76 bytes. */
bool header_name_valid(struct slice name);

/* Takes the next header field off `*rest`, the text of a message in a file (LF or CRLF, folded lines;
 * an mbox "From " line at the start is skipped). False at the end of the header: *rest is then the body.
 * The value keeps its leading space, folded by LF. */
bool message_next_field(struct slice *rest, struct arena *, struct slice *name_r, struct slice *value_r);

/* ---- the author (RFC 5322 3.6.2) ------------------------------------------- */

#define AUTHORS_MAX 100 /* mailboxes of a From field; honest fields have one, rarely three */

/* The author of the message according to the From field. One invalid mailbox or a
 * second From field makes all of it invalid, because the author is then unknown. */
struct authors {
	bool valid;                /* there is one field, and all of it could be parsed */
	const char *why;           /* not valid: the error, for a person; else "" */
	struct slice field;        /* its value on one line; "" without a field */
	size_t mailbox_count;      /* 0 when not valid, and for a group without members (RFC 6854) */
	struct address first;      /* the first mailbox */
	struct address *mailboxes; /* all of them, when there are several; else NULL */
	struct slice phrase;       /* that name as written, on one line; "" without one */
	struct slice name;         /* of the first mailbox, decoded, without quotes and comments; "" without one */
	struct slice *domains;     /* of all mailboxes, each once, in their order; A-labels */
	size_t domain_count;       /* also 0 when the authors have address literals */
	bool literal, group;       /* there is an address literal, a group */
	/* For an invalid field with one address in angle brackets and no other domain, as when the quotes around a name
	 * are missing: the domain of that address. Not an author by RFC 5322, but every reader shows it. Else "". */
	struct slice shown;
};

/* Does another form of a From field name the same authors, to rules and to those who read it? Where nobody can know who
 * the author is, a form that names one is not the same. */
bool author_stays(struct slice before, struct slice after, struct arena *);
void author_read(struct slice value, struct arena *, struct authors *authors_r);     /* the value of a From field */
void author_find(const struct headers *, struct arena *, struct authors *authors_r); /* of all fields of a message */
/* The author domain, when there is exactly one; else "". */
struct slice author_domain(const struct headers *, struct arena *);
bool author_is_field(struct slice name); /* "From" in any case, with blanks before the colon too */

#define MAILBOXES_MAX 256 /* of all fields that are read together */

/* Mailboxes of several fields. */
struct mailboxes {
	struct address *items;
	size_t count;
};

void mailboxes_init(struct mailboxes *, struct arena *);
/* Beyond MAILBOXES_MAX one more is kept, as an address that is not valid: nobody's. */
void mailboxes_put(struct mailboxes *, struct address);
/* Adds those of every field of that name, in the order of the message, with blanks before the colon too. A field that
 * is not a list of mailboxes, or that has none, adds one address that is not valid. Returns the number of these fields.
 */
size_t mailboxes_add(struct mailboxes *, const struct headers *, struct slice name, struct arena *);

/* "a@example.org, b@example.org" */
struct slice mailboxes_print(const struct mailboxes *, struct arena *);

/* The content of a Received field that a server wrote (RFC 5321 4.4). */
struct received {
	struct slice helo; /* of the client, as sent: any text on one line; "" without one */
	struct slice name; /* of the client: its reverse name; "" without one */
	struct ip ip;      /* of the client */
	struct slice by;   /* the server that wrote the field: a host name or an address literal */
	struct ip by_ip;   /* its address if present; else family 0 */
};

/* Reads the forms of Postfix, Sendmail, Exchange, Exim, qmail and amavis; false for all others. Text of the client
 * never decides whether the field is read. Texts live in the arena. */
bool received_parse(struct slice value, struct arena *, struct received *received_r);

/* The recipient in it, "for <bob@example.org>", if there is one with a domain. Nobody verifies such fields. */
bool received_for(struct slice value, struct arena *, struct address *address_r);

/* ---- Received fields, for a person ------------------------------------------- */

/* Reads a date and time (RFC 5322 3.3, with the old forms of 4.3) as seconds since 1970. False: it is not one. */
bool date_read(struct slice text, struct arena *, int64_t *seconds_r);

/* "Fri, 27 Nov 2026 21:41:55 +0000" */
struct slice date_print(int64_t wall_us, struct arena *);

/* The parts of a Received field, as far as they can be read, whoever wrote them. Nothing may be decided by them. */
struct hop {
	bool known;                                       /* received_parse reads it */
	struct received received;                         /* if known */
	struct slice from, by, with, id, recipient, date; /* as written; "" without one */
	struct address address;                           /* of the recipient; valid when it has a domain */
	struct slice tls;                                 /* the version, as in "TLSv1.3"; "" when it is not told */
	bool encrypted;                                   /* it says so (RFC 3848) */
	bool dated;
	int64_t when_s; /* if dated */
};
/* Texts live in the arena. */
void hop_read(struct slice value, struct arena *, struct hop *hop_r);

/* ---- Authentication-Results (RFC 8601) ------------------------------------- */

struct authres; /* one header field under construction */

/* `id` is the authserv-id; all texts are copied into the arena. */
struct authres *authres_new(struct arena *, struct slice id);
void authres_method(struct authres *, struct slice method, struct slice result); /* opens a clause: spf=pass */
void authres_reason(struct authres *, struct slice reason);                      /* reason="..." of the open clause */
void authres_comment(struct authres *, struct slice comment);                    /* (comment) after the result */
/* smtp.mailfrom=... Values, reasons and comments may be untrusted, and some readers only search for words such as
 * "dmarc=pass". So no value contains a "=", and a reason or comment only after a DKIM tag of one or two letters
 * ("t=s"). For a mailbox with a "=", only the domain is printed (@example.org). header.a is printed if it is a known
 * algorithm, smtp.helo if it is a host name or an address. A comment names what is left out. */
void authres_property(struct authres *, struct slice type, struct slice property, struct slice value);

bool authres_empty(const struct authres *); /* no clause was opened yet */

/* The value of the field, folded with LF and tab, quoted where needed, without the
 * name; "id; none" when no clause was added (RFC 8601 2.2). Values from outside are
 * quoted, so they cannot forge a clause. */
struct slice authres_print(struct authres *);

#define AUTHRES_BYTES_MAX      65536 /* of a value to parse; honest ones have a few hundred */
#define AUTHRES_CLAUSES_MAX    100   /* of a field; honest mail never has so many signatures */
#define AUTHRES_PROPERTIES_MAX 50    /* of a clause; servers write at most about ten */

struct authres_property {
	struct slice type, property; /* "smtp", "mailfrom"; lower case */
	struct slice value;          /* decoded, without quotes; the local part of "a b"@example.org keeps them */
};

struct authres_clause {
	struct slice method, result; /* lower case; also unregistered ones */
	uint64_t version;            /* of the method; 1 when none is written */
	struct slice reason;         /* without quotes; "" without one */
	struct authres_property *properties;
	size_t property_count;
};

struct authres_parsed {
	struct slice id;  /* lower case, without quotes */
	uint64_t version; /* of the field; 1 when none is written; only 1 is defined */
	struct authres_clause *clauses;
	size_t clause_count; /* 0: "none" */
};

/* Parses the complete value of an Authentication-Results field (RFC 8601 2.2), without comments. False, and nothing in
 * *parsed_r, when it violates the grammar or exceeds a limit above. The caller must check who wrote it. Texts live in
 * the arena, or in `value`. */
bool authres_parse(struct slice value, struct arena *, struct authres_parsed *parsed_r);

/* The authserv-id that the value of an Authentication-Results field claims,
 * lower case, without comments, folding, quotes and version (RFC 8601 2.2).
 * False when there is none: such a field proves nothing. */
bool authres_id(struct slice value, struct arena *, struct slice *id_r);

/* True when a field claims to come from `id`: the name is
 * Authentication-Results in any case (blanks before the colon are ignored) and the authserv-id is `id`, or a reader
 * that is less strict than RFC 8601 could take it for `id`. Such a field is removed if it comes from outside. */
bool authres_is_forged(const struct header_field *, struct slice id, struct arena *);

/* ---- the model ---------------------------------------------------------------- */

enum kind { KIND_INBOUND, KIND_SUBMISSION, KIND_LOCAL }; /* of traffic; each has its own policy */
#define KIND_COUNT 3
extern const char *const kind_names[KIND_COUNT + 1]; /* "inbound", ..., NULL */

/* What is known of the connection. All texts live in `arena`. */
struct session {
	struct arena *arena;
	struct ip client;         /* family 0: no address (a local program) */
	struct slice client_name; /* the MTA's verified name, "" when it has none */
	unsigned client_port;     /* 0: unknown */
	struct slice helo;        /* as the client sent it; "" before HELO */
	struct slice daemon_name; /* the MTA's name of the service */
	unsigned daemon_port;     /* the port the client connected to; 0: unknown or no network */
	struct ip daemon_ip;      /* the address it connected to; family 0: unknown */
	unsigned refused;         /* recipients refused so far, by rules, and by the MTA as far as it tells */
	bool local_program;       /* submitted by a program on this host, not by SMTP over a network */
	struct slice tls_version, tls_cipher; /* "" without TLS */
	struct slice auth_user, auth_method;  /* "" without AUTH */
};

struct fact_list;
struct recipient {
	struct address address;
	struct fact_list *known; /* its facts that were read so far; managed by check/; NULL: none */
	struct slice said; /* the argument of RCPT as the client wrote it; Postfix needs it to identify the recipient */
	bool deleted;      /* deleted by a rule */
};

/* What is known of one message. All texts live in `arena`. */
struct message {
	struct arena *arena;
	struct address sender;
	struct recipient *recipients; /* recipients accepted so far, in order */
	size_t recipient_count, recipient_room;
	struct slice queue_id; /* "" until the MTA says it */
	struct slice case_id;  /* our own name of the message: CASE_ID_LENGTH characters that nobody can guess */
	uint64_t size;         /* bytes of header and body seen so far, line ends as the MTA gives them */
	bool smtputf8;
	struct headers headers;
};

#endif
