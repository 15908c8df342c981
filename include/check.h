/*
 * check.h - facts: named, typed values about a connection, a message or a recipient,
 * each with the earliest stage at which it is available.
 *
 * A check is one file in filter/check/ that declares facts and adapts protocol
 * code to a message. It never replies to the MTA and never edits a message.
 * Facts are lazy: a get function runs when somebody reads the fact, and its
 * value is remembered for its scope.
 */
#ifndef SEKISHO_CHECK_H
#define SEKISHO_CHECK_H

#include "arc.h"
#include "dkim.h"
#include "dmarc.h"
#include "list.h"
#include "setting.h"
#include "spf.h"
#include "store.h"

enum stage { STAGE_CONNECT, STAGE_HELO, STAGE_MAIL, STAGE_RCPT, STAGE_MESSAGE };
#define STAGE_COUNT 5
extern const char *const stage_names[STAGE_COUNT + 1]; /* "connect" "helo" "mail" "rcpt" "message" NULL */

enum type {
	TYPE_BOOL,
	TYPE_NUMBER, /* also sizes in bytes */
	TYPE_STRING,
	TYPE_DOMAIN,  /* lower case, A-labels, no trailing dot */
	TYPE_ADDRESS, /* a mailbox or the null sender */
	TYPE_IP,
	TYPE_RESULT /* one of the words the fact declares */
};

enum scope { SCOPE_MESSAGE, SCOPE_CONNECTION, SCOPE_RECIPIENT }; /* how long a value is cached */

enum value_state {
	VALUE_ABSENT, /* no value: no AUTH, no such header. Not a failure */
	VALUE_SET,
	VALUE_UNKNOWN /* it could not be computed (why says so): the condition is unknown */
};

struct value {
	enum value_state state;
	enum type type;
	const char *why; /* VALUE_UNKNOWN: a static text */
	bool boolean;
	int64_t number;
	struct slice text;      /* STRING, DOMAIN; RESULT: the word */
	struct address address; /* ADDRESS */
	/* ADDRESS: what must be owned, when the fact speaks of several; `address` is then the first, or nobody's. NULL:
	 * `address` alone. */
	const struct mailboxes *mailboxes;
	struct ip ip;              /* IP */
	bool unstored;             /* VALUE_UNKNOWN because the store did not answer: its on-failure applies */
	const struct list *unread; /* VALUE_UNKNOWN because this list cannot be read: its on-failure applies */
	bool provisional;          /* recomputed at the message stage, once the header is complete */
};

/* What a fact needs beyond the envelope; decides the milter negotiation. */
#define NEED_HEADERS 1u
#define NEED_BODY    2u
#define NEED_REFUSED 4u /* the MTA tells of recipients that it refuses */

/* The argument in parentheses after a fact. */
enum argument_kind {
	ARGUMENT_NONE,
	ARGUMENT_HEADER,  /* the name of a header field: header("Subject") */
	ARGUMENT_THING,   /* the name of a block in the settings of the check: dnsbl("zen"), limit("hourly") */
	ARGUMENT_VARIABLE /* the name of a variable that a rule sets: var("NAME") */
};

struct argument {
	struct slice text; /* as written in the policy; lives as long as the policy */
	const void *thing; /* ARGUMENT_THING: the struct of that block; ARGUMENT_VARIABLE: struct variable;
			    * ARGUMENT_HEADER: the same for the same name, or NULL */
};
#define NO_ARGUMENT ((struct argument){.text = SLICE("")})

/* What the policy must know about a fact before it is read. */
#define TRAIT_READS_MAX 4
struct traits {
	enum scope scope;
	enum stage stage;                          /* the earliest at which it is available */
	unsigned needs;                            /* NEED_... */
	const struct fact *reads[TRAIT_READS_MAX]; /* facts of other checks that it depends on */
	unsigned read_count;
};

/* Notes of rules for later rules: policy/ writes them, the facts score and var read them. */
struct variable {
	struct slice name;
	unsigned number;
};
struct noted {
	int64_t score;
	struct slice *vars; /* by number of the variable; p is NULL: not set. NULL: none is set */
	char *texts;        /* their storage; private to policy/ */
};

struct view;
struct fact {
	const char *name; /* "spf", "spf.domain", "header" */
	enum type type;   /* of the value */
	enum argument_kind argument;
	enum scope scope;
	enum stage stage;
	unsigned needs;
	bool changes;             /* read again each time: a score, a counter, anything a rule can set */
	bool counts_recipients;   /* it grows from recipient to recipient; a record has the last value */
	bool recorded;            /* in the record once its check has a result, even if no rule read it */
	bool replays;             /* of what each record says apart: computed also when a record is judged again */
	bool apart;               /* has its own key in the record, outside of "facts" */
	const char *const *words; /* TYPE_RESULT: all possible words, NULL-terminated */
	bool (*order)(struct slice word, int64_t *number_r); /* TYPE_STRING: its values have an order, and carry that
							      * number. False: the word has no place in it */
	const char *ordered;                                 /* one of these words, for messages */
	bool list;    /* TYPE_STRING: words separated by blanks; rules can test any or all of them */
	enum type of; /* the type of each of these words: STRING or DOMAIN */
	/* TYPE_STRING of a thing: all words it can be, NULL-terminated. NULL: it can be any text */
	const char *const *(*words_of)(const void *thing);
	/* Exactly one of the two is set. Texts live in the arena of the scope. */
	struct value (*get)(struct view *);
	struct value (*get_of)(struct view *, struct argument); /* of a fact with an argument */
	/* ARGUMENT_THING: set when scope, stage, needs or reads depend on the thing; traits_r begins with the values of
	 * this row. NULL: they do not depend on it. */
	void (*depends)(const void *thing, struct traits *traits_r);
	const char *about; /* one line for a person */
};

/* A fact with its argument that some rule reads. */
struct asked {
	const struct fact *fact;
	struct argument argument;
};

/* All facts of one check that the rules for one kind of traffic read. */
#define ASKING_MAX 256 /* no hints beyond it: early queries must not become a flood */
struct asking {
	const struct asked *items;
	size_t count;
};

/* Receives the body of a message chunk by chunk; the body is not kept. */
struct sink {
	struct sink *next;
	void (*add)(void *context, struct slice chunk);
	void *context;
};

/* The settings of one check: its own struct, private to the check; for a block that repeats, an array of them. */
struct check_block {
	void *first;
	size_t count;
};

#define CHECK_MAX 32 /* checks; a test counts them */

/* The configuration that all checks share, and the private settings of each. */
struct check_settings {
	struct slice authserv_id;
	SETTING_ITEMS(struct ip_net) trusted;
	SETTING_ITEMS(unsigned) submission_ports;
	SETTING_ITEMS(struct slice) submission_names; /* values of {daemon_name} */
	bool received_spf;                            /* stamp messages with it */
	struct list *submission_clients;              /* they are users without AUTH; NULL: no such list */
	struct list *relays;                          /* our own servers that relay mail from outside; NULL: none */
	struct list *forwarders;                      /* trusted-forwarders; NULL: none */
	uint64_t read;                                /* bit n: some rule reads a fact of checks[n] */
	struct list *dynamic_names; /* words and domains in names of clients that are not servers; NULL: none */
	struct check_block blocks[CHECK_MAX]; /* by check number */
};

/* ---- the outcome of a message -------------------------------------------------- */

enum verdict { VERDICT_NONE, VERDICT_ACCEPT, VERDICT_REJECT, VERDICT_DEFER, VERDICT_DISCARD, VERDICT_QUARANTINE };
#define VERDICT_COUNT (VERDICT_QUARANTINE + 1)
extern const char
    *const verdict_names[VERDICT_COUNT + 1]; /* "none" "accept" "reject" "defer" "discard" "quarantine" NULL */

/* What the MTA was told at the end of a message. "Told" does not mean "delivered": a later filter may still refuse it.
 */
enum told_how {
	TOLD_AS_DECIDED,
	TOLD_LATE,         /* a refusal that was held until the end of the message: its stage has no reply */
	TOLD_EDITS_FAILED, /* deferred instead of accepted: the MTA did not make every edit */
	TOLD_NOBODY        /* the MTA disconnected before the answer */
};

struct told {
	enum told_how how;
	enum verdict verdict;        /* that was told to the client; NONE: none. Set by the engine */
	unsigned recipients_refused; /* at RCPT, or deferred; likewise */
};

/* A field that a check adds at the top of a message. */
struct stamp {
	struct slice name, value;
};

struct check {
	unsigned number; /* its index in checks[] */
	const char *name;
	const struct fact *facts;
	unsigned fact_count;
	const struct setting_block *settings; /* its own block of sekisho.conf; NULL: none */
	bool stores;                          /* its facts come from the store */
	/* Starts DNS queries early for the facts of this check that rules read; never blocks; may be NULL. */
	void (*hint)(struct view *, enum stage, const struct asking *);
	void (*authres)(struct view *, struct authres *); /* its clauses, or none; may be NULL */
	void (*field)(struct view *,
		      const struct header_field *); /* a field has arrived: starts DNS queries early; may be NULL */
	void (*header)(struct view *); /* the header is complete, the body begins: adds sinks; may be NULL */
	bool (*stamp)(struct view *, struct stamp *stamp_r); /* the field to add at the top, if any; may be NULL */
	/* Does the message have a result of this check, whoever asked for it? Starts no evaluation. NULL: always */
	bool (*judged)(const struct view *);
	/* True: nothing to say about this message in Authentication-Results, which then has the clause only when the
	 * settings name this check, not for `all`. May be NULL */
	bool (*silent)(struct view *);
	/* After the message: true when two engines evaluated it and disagree. Starts no evaluation by itself.
	 * *note_r: the difference, for the record; "" when a fact has it. May be NULL */
	bool (*disagrees)(struct view *, struct slice *note_r);
	/* After the message: true when a result was requested but nothing could be checked, for a reason that the
	 * administrator can fix. *note_r: the reason, for the record. May be NULL */
	bool (*unchecked)(struct view *, struct slice *note_r);
	/* After the message, with what the MTA was told: count it, learn from it, or discard it. Called once for each
	 * message that began with MAIL, even when the MTA got no answer. May be NULL */
	void (*finished)(struct view *, const struct told *);
	unsigned (*needs)(const struct check_settings *); /* NEED_... beyond those of its facts; may be NULL */
	const struct check *const *reads;                 /* other checks that its facts depend on; may be NULL */
};

extern const struct check *const checks[]; /* NULL-terminated */

#define FACT_MAX 160 /* facts of all checks; a test counts them */

/* A cached value of a fact, with its argument if it has one. */
struct known_fact {
	const struct fact *fact;
	struct argument argument;
	struct value value;
};
#define KNOWN_MAX 64 /* entries of a list; more facts are computed each time */

struct fact_list {
	struct known_fact *items; /* in the order they were read */
	unsigned count, room;
};

/* Cached values of one scope, each in the arena of that scope. A message can have thousands of recipients: each has
 * only a list (struct recipient), so the facts read at RCPT are not computed again at the message stage. */
struct fact_memo {
	const struct value *values[FACT_MAX]; /* NULL: not read yet */
	struct fact_list with_argument;
};

/* A check's view of one message at one stage. The engine makes it. Memos and slots exist from MAIL on: hints of connect
 * and helo have none. */
struct view {
	const struct check_settings *settings;
	enum stage stage;
	enum kind kind;              /* inbound until MAIL is known */
	const struct tenant *tenant; /* whose rules apply; NULL: the common ones */
	struct session *session;
	struct message *message; /* exists from the connection on; empty before MAIL */
	struct recipient
	    *recipient; /* at STAGE_RCPT, and while a rule of STAGE_MESSAGE tests each of them; else NULL */
	int64_t now_us; /* the time of the message, microseconds since 1970 */
	struct dns_budget *budget;
	struct store *store; /* NULL: none is open */
	struct fact_memo *connection_memo, *message_memo;
	struct fact_memo *recorded; /* facts of a record: what is not there is unknown. NULL: facts are computed */
	bool recorded_many;         /* that message had more than one recipient */
	const struct fact *missing; /* the first that was read and is not there */
	const char *missing_list;   /* the first list that does not know who was in it at the time of the record */
	void **connection_slots, **message_slots; /* one for each check (check_number), shared by its facts */
	const struct noted *noted;                /* for the current rules; NULL: no rules have run */
	struct sink *sinks;                       /* of this message */
	struct dkim_body *body;                   /* one of them, once a check needs hashes of the body */
	bool signing_disagrees;                   /* the DKIM engines reject each other's signatures of this message */
};

/* Call both after the header and before the body. */
void view_sink(struct view *, void (*add)(void *context, struct slice chunk), void *context);
struct dkim_body *view_body(struct view *); /* the shared hashes: DKIM, signing */

/* The fact of that name, or NULL. */
const struct fact *fact_find(struct slice name);
unsigned fact_number(const struct fact *);           /* 0..FACT_MAX-1, stable within a process */
const struct fact *fact_at(unsigned number);         /* NULL after the last */
const struct check *fact_check(const struct fact *); /* its owner */

/* Inline: it finds slots, many times for each message. */
static inline unsigned check_number(const struct check *check)
{
	return check->number;
}

/* The check's own block. */
static inline const void *check_block(const struct check_settings *settings, const struct check *check)
{
	return settings->blocks[check->number].first;
}

/* The value, computed at most once per scope. Before its stage it is absent. */
struct value fact_get(struct view *, const struct fact *, struct argument);

/* What must be known about a fact before it is read. */
struct traits fact_traits(const struct fact *, struct argument);
/* For `depends`: the fact also depends on this one. It is not available earlier and not cached longer. */
void traits_add(struct traits *, const struct fact *);

/* The block with this name in the settings of the fact's check; NULL: none. */
const void *fact_thing(const struct check_settings *, const struct fact *, struct slice name);

/* A value as text, for templates, logs and JSON: "" when absent or unknown. Not escaped. */
struct slice value_print(const struct value *, struct arena *);

/* The engine that computes signatures (dkim { engine }). All but DKIM_NATIVE need *library_r and the unchanged body. */
enum dkim_engine check_dkim_engine(const struct check_settings *, struct dkim_library **library_r);

/* The ARC chain of the message that arrived, at the end of the message; the body has ended then. */
const struct arc_outcome *check_arc_outcome(struct view *);

/* DMARC of each author domain, for reports, and what it rests on. */
struct dmarc_evaluation {
	const struct dmarc_outcome *outcomes; /* at most DMARC_AUTHORS_MAX */
	size_t count;
	enum dmarc_discovery discovery;
	const struct spf_outcome *spf; /* of MAIL FROM, or of HELO for the null sender */
	const struct dkim_outcome *dkim;
};
/* At the end of the message; evaluates what no rule has read. */
void check_dmarc_evaluate(struct view *);
/* After the message: NULL: it was not evaluated. */
const struct dmarc_evaluation *check_dmarc_evaluated(const struct view *);

/* The kind of traffic (submission before local before inbound; mail from a relay is inbound); reliable only after
 * MAIL. The store (NULL: none is open) is for a dynamic list of clients. A client is a user only if that list answers
 * so. */
enum kind kind_of(const struct check_settings *, const struct session *, struct store *);
/* Has the client authenticated, or is it in the list of submission { clients }? */
bool client_is_user(const struct check_settings *, const struct session *, struct store *);
bool client_is_trusted(const struct check_settings *, const struct session *);

#endif
