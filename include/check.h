/*
 * check.h - facts: what the program can know of a connection, a message or a
 * recipient, by name, type and the earliest stage at which it can be had.
 *
 * A check is one file in filter/check/ that declares facts and adapts protocol
 * code to a message. It never replies to the MTA and never edits a message.
 * Facts are lazy: a get function runs when somebody reads the fact, and its
 * value is remembered for its scope.
 */
#ifndef SEKISHO_CHECK_H
#define SEKISHO_CHECK_H

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

enum scope { SCOPE_MESSAGE, SCOPE_CONNECTION, SCOPE_RECIPIENT }; /* where a value is remembered */

enum value_state {
	VALUE_ABSENT, /* there is none: no AUTH, no such header. Not a failure */
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
	struct ip ip;           /* IP */
	bool unstored;          /* VALUE_UNKNOWN because the store did not answer: its on-failure says what follows */
	bool provisional;       /* it is known better at the message stage and asked for again then */
};

/* What readers need beyond the envelope: becomes milter negotiation. */
#define NEED_HEADERS 1u
#define NEED_BODY    2u

/* What comes in parentheses after a fact. */
enum argument_kind {
	ARGUMENT_NONE,
	ARGUMENT_HEADER, /* the name of a header field: header("Subject") */
	ARGUMENT_THING,  /* the name of a block that the settings of the check declare: dnsbl("zen"), limit("hourly") */
	ARGUMENT_VARIABLE /* the name of a variable that a rule sets: var("NAME") */
};

struct argument {
	struct slice text; /* as the policy has it; lives as long as the policy */
	const void *thing; /* ARGUMENT_THING: the struct of that block; ARGUMENT_VARIABLE: struct variable;
			    * ARGUMENT_HEADER: the same for the same name, or NULL */
};
#define NO_ARGUMENT ((struct argument){.text = SLICE("")})

/* What the policy must know of a fact before it is read. */
#define TRAIT_READS_MAX 4
struct traits {
	enum scope scope;
	enum stage stage;                          /* the earliest at which it can be had */
	unsigned needs;                            /* NEED_... */
	const struct fact *reads[TRAIT_READS_MAX]; /* facts of other checks that it is made of */
	unsigned read_count;
};

/* What rules note for rules that follow: policy/ writes it, the facts score and var read it. */
struct variable {
	struct slice name;
	unsigned number;
};
struct noted {
	int64_t score;
	struct slice *vars; /* by number of the variable; p is NULL: not set. NULL: none is */
	char *texts;        /* where they are; policy/ alone knows how */
};

struct view;
struct fact {
	const char *name; /* "spf", "spf.domain", "header" */
	enum type type;   /* of the value */
	enum argument_kind argument;
	enum scope scope;
	enum stage stage;
	unsigned needs;
	bool changes;             /* read anew each time: a score, a counter, what a rule can set */
	bool apart;               /* the record has it in a place of its own, not among the facts */
	const char *const *words; /* TYPE_RESULT: what it can be, NULL-terminated */
	bool list;                /* TYPE_STRING: words with blanks between; rules can ask any or all of them */
	enum type of;             /* what each of these words is: STRING or DOMAIN */
	/* One of both. Texts live in the arena of the scope. */
	struct value (*get)(struct view *);
	struct value (*get_of)(struct view *, struct argument); /* of a fact with an argument */
	/* ARGUMENT_THING: where scope, stage, needs or reads depend on the thing; traits_r begins as the row says.
	 * NULL: they do not. */
	void (*depends)(const void *thing, struct traits *traits_r);
	const char *about; /* one line for a person */
};

/* A fact with its argument that some rule reads. */
struct asked {
	const struct fact *fact;
	struct argument argument;
};

/* All of one check that the rules for one kind of traffic read. */
#define ASKING_MAX 256 /* beyond it nothing is asked early: an early question must not become a flood */
struct asking {
	const struct asked *items;
	size_t count;
};

/* Gets the body of a message as it comes, chunk by chunk; nothing of it is kept. */
struct sink {
	struct sink *next;
	void (*add)(void *context, struct slice chunk);
	void *context;
};

/* What the settings say for one check: its own struct, which nobody else names; of a block that repeats all of
 * them, one after the other. */
struct check_block {
	void *first;
	size_t count;
};

#define CHECK_MAX 32 /* checks; a test counts them */

/* What all checks may know of the configuration, and what each knows alone. */
struct check_settings {
	struct slice authserv_id;
	SETTING_ITEMS(struct ip_net) trusted;
	SETTING_ITEMS(unsigned) submission_ports;
	SETTING_ITEMS(struct slice) submission_names; /* values of {daemon_name} */
	bool received_spf;                            /* stamp messages with it */
	struct list *relays; /* servers of our own that hand on mail from outside; NULL: none are named */
	struct check_block blocks[CHECK_MAX]; /* by check number */
};

/* ---- what came of a message -------------------------------------------------- */

enum verdict { VERDICT_NONE, VERDICT_ACCEPT, VERDICT_REJECT, VERDICT_DEFER, VERDICT_DISCARD, VERDICT_QUARANTINE };
#define VERDICT_COUNT (VERDICT_QUARANTINE + 1)
extern const char
    *const verdict_names[VERDICT_COUNT + 1]; /* "none" "accept" "reject" "defer" "discard" "quarantine" NULL */

/* What the MTA was told at the end of a message. "Told" is not "delivered": another filter after us may still refuse
 * it.
 */
enum told_how {
	TOLD_AS_DECIDED,
	TOLD_LATE,         /* a refusal that had to wait for the end of the message: its step has no reply */
	TOLD_EDITS_FAILED, /* a message that was to be let through was deferred: the MTA did not take every edit */
	TOLD_NOBODY        /* the MTA was gone before it could be answered */
};

struct told {
	enum told_how how;
	enum verdict verdict; /* that the client was told; NONE: none was. The engine sets it */
};

/* A field that a check puts on top of a message. */
struct stamp {
	struct slice name, value;
};

struct check {
	unsigned number; /* its place in checks[] */
	const char *name;
	const struct fact *facts;
	unsigned fact_count;
	const struct setting_block *settings; /* its own block of sekisho.conf; NULL: none */
	bool stores;                          /* its facts are in the store */
	/* Start DNS early, for what rules read of this check; never blocks; may be NULL. */
	void (*hint)(struct view *, enum stage, const struct asking *);
	void (*authres)(struct view *, struct authres *);          /* its clauses, or none; may be NULL */
	void (*field)(struct view *, const struct header_field *); /* one has arrived: start DNS early; may be NULL */
	void (*header)(struct view *); /* the header is complete, the body begins: ask for sinks; may be NULL */
	bool (*stamp)(struct view *,
		      struct stamp *stamp_r); /* the field that it puts on top, if it does; may be NULL */
	/* The message is over: true when it was evaluated by two engines that disagree. Asks for nothing by itself.
	 * *note_r: how, for the record; "" when a fact says it. May be NULL */
	bool (*disagrees)(struct view *, struct slice *note_r);
	/* The message is over: true when somebody asked for a result and nothing could be judged, for a reason that the
	 * administrator can remove. *note_r: which, for the record. May be NULL */
	bool (*unchecked)(struct view *, struct slice *note_r);
	/* The message is over, and the MTA was told this: count it, learn it, or forget it. Once for each message that
	 * began with MAIL, also for one that nobody was answered for. May be NULL */
	void (*finished)(struct view *, const struct told *);
	unsigned (*needs)(const struct check_settings *); /* NEED_... beyond those of its facts; may be NULL */
	const struct check *const *reads; /* other checks whose outcomes its facts are made of; may be NULL */
};

extern const struct check *const checks[]; /* NULL-terminated */

#define FACT_MAX 96 /* facts of all checks; a test counts them */

/* A remembered value of a fact, with its argument if it has one. */
struct known_fact {
	const struct fact *fact;
	struct argument argument;
	struct value value;
};
#define KNOWN_MAX 64 /* different ones that a list remembers; more are computed each time */

struct fact_list {
	struct known_fact *items; /* in the order they were asked for */
	unsigned count, room;
};

/* Remembered values of one scope, each in the arena of that scope. A message can have thousands of recipients: each has
 * only a list (struct recipient), so that what was read of it at RCPT is not computed again at the message stage. */
struct fact_memo {
	const struct value *values[FACT_MAX]; /* NULL: not asked for yet */
	struct fact_list with_argument;
};

/* Through a view a check sees one message at one stage. The engine makes it. Memos and slots are there from MAIL on:
 * hints of connect and helo have none. */
struct view {
	const struct check_settings *settings;
	enum stage stage;
	enum kind kind;              /* inbound until MAIL is known */
	const struct tenant *tenant; /* whose rules count; NULL: those of all */
	struct session *session;
	struct message *message;     /* there from the connection on; empty before MAIL */
	struct recipient *recipient; /* at STAGE_RCPT, and while a rule of STAGE_MESSAGE asks each of them; else NULL */
	int64_t now_us;              /* the time of the message, microseconds since 1970 */
	struct dns_budget *budget;
	struct store *store; /* NULL: none is open */
	struct fact_memo *connection_memo, *message_memo;
	void **connection_slots, **message_slots; /* one a check (check_number) for what its facts share */
	const struct noted *noted;                /* for the rules at hand; NULL: no rules have run */
	struct sink *sinks;                       /* of this message */
	struct dkim_body *body;                   /* one of them, once somebody wanted hashes of the body */
	bool signing_disagrees; /* the engines of DKIM refuse each other's signatures of this message */
};

/* Both while the header is complete and the body has not begun. */
void view_sink(struct view *, void (*add)(void *context, struct slice chunk), void *context);
struct dkim_body *view_body(struct view *); /* the hashes that all share: DKIM, signing */

/* The fact of that name, or NULL. */
const struct fact *fact_find(struct slice name);
unsigned fact_number(const struct fact *);           /* 0..FACT_MAX-1, stable in one run */
const struct fact *fact_at(unsigned number);         /* NULL behind the last */
const struct check *fact_check(const struct fact *); /* whose it is */

/* Inline: slots are found by it, many times for one message. */
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

/* What must be known of a fact before it is read. */
struct traits fact_traits(const struct fact *, struct argument);
/* For `depends`: the fact is made of this one, too. It can be had no earlier, and is remembered no longer. */
void traits_add(struct traits *, const struct fact *);

/* The block that the settings of the fact's check declare by this name; NULL: none. */
const void *fact_thing(const struct check_settings *, const struct fact *, struct slice name);

/* A value as text, for templates, logs and JSON: "" when absent or unknown. Not made safe. */
struct slice value_print(const struct value *, struct arena *);

/* Who computes signatures (dkim { engine }); another than DKIM_NATIVE needs *library_r and the body as it came. */
enum dkim_engine check_dkim_engine(const struct check_settings *, struct dkim_library **library_r);

/* The kind of traffic (submission before local before inbound; what a relay brings is inbound); true only once MAIL is
 * known. */
enum kind kind_of(const struct check_settings *, const struct session *);
bool client_is_trusted(const struct check_settings *, const struct session *);

#endif
