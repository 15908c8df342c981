/*
 * engine.h - one SMTP session and its messages, from stage to stage.
 *
 * The engine keeps the session and the message, runs the policy at each stage,
 * collects the actions, and writes the record. It is independent of the MTA: the milter
 * door drives it from callbacks, `sekisho explain` from arguments, scenarios from a file.
 *
 * The kind of traffic is known only at MAIL, after AUTH. Therefore the rules of connect,
 * helo and mail run at MAIL, in this order; the DNS queries they will need are started
 * when the names are known.
 *
 * One thread at a time uses a gate; different gates are independent.
 */
#ifndef SEKISHO_ENGINE_H
#define SEKISHO_ENGINE_H

#include "meter.h"
#include "policy.h"
#include "report.h"
#include "senders.h"

#include <stdio.h>

#define ENGINE_RECIPIENTS_MAX 10000 /* stored for one message; later ones are deferred with 452 4.5.3 */

/* Of the daemon. */
struct counters {
	_Atomic uint64_t sessions, sessions_open, messages, messages_open;
	_Atomic uint64_t verdicts[VERDICT_COUNT]; /* by enum verdict; NONE: aborted */
	_Atomic uint64_t recipients_refused;
	_Atomic uint64_t
	    disagreements[CHECK_MAX]; /* messages on which the two engines of a check disagreed; by its number */
	_Atomic uint64_t unchecked[CHECK_MAX]; /* messages that a check could not judge; likewise */
	struct meters *meters;                 /* NULL: nobody reads them */
	struct senders *refused; /* senders of messages that were refused, wholly or for a recipient; likewise */
};

/* What all new sessions share. Immutable and counted. */
struct engine;
struct engine *
engine_new(struct policy *, struct resolver *, struct report *,
	   struct counters *); /* holds policy and resolver; report (NULL: none) and counters outlive it */
void engine_lend_store(struct engine *,
		       struct store *); /* before its first session; the store outlives it. NULL, as without: none */
struct mailer;
void engine_lend_mailer(struct engine *, struct mailer *); /* likewise. Without one, notes are only recorded */
struct aggregate;
/* Likewise. It counts mail of strangers for DMARC reports; without one, none is counted. */
void engine_lend_aggregate(struct engine *, struct aggregate *);
struct engine *engine_hold(struct engine *);
void engine_release(struct engine *);
struct policy *engine_policy(const struct engine *);
struct resolver *engine_resolver(const struct engine *);

/* For look-ups: is the key in the list? A key is an IP address, a mail address, or else a domain or a text. */
enum listed {
	LISTED_NOT,
	LISTED,
	LISTED_UNKNOWN, /* the list cannot be read now, and its on-failure is defer; with skip it is LISTED_NOT */
	LISTED_NOWHERE  /* there is no such list, or it is a list of owners */
};
enum listed engine_listed(struct engine *, struct slice list, struct slice key);

/* What SRS makes of the address now (srs.h, policy_srs); only if srs is set. */
enum srs_result engine_srs(struct engine *, enum srs_direction, struct slice address, struct arena *,
			   struct slice *address_r);

#define MADE_UNKNOWN ((struct slice){NULL, 0}) /* the MTA does not tell the address it uses */

/* ---- a session ---------------------------------------------------------------------- */

struct gate;

/* What the MTA must do with the current command. */
enum gate_answer {
	GATE_CONTINUE,
	GATE_REFUSE, /* answer gate_reply(): at MAIL and the end for the message, at RCPT for the recipient */
	GATE_DISCARD /* accept it and discard it */
};

/* The abilities of a door, given at the start of a session. */
struct abilities {
	int64_t wait_us; /* how long the MTA waits for a command before the end of the message, at most */
	int64_t end_us;  /* and at the end */
	bool reply_mail; /* a refusal can be told at MAIL, at RCPT; if not, it is told at the end of the message */
	bool reply_rcpt;
	unsigned changes; /* bit n: changes of the kind n (enum change_kind) */
	bool quarantine;
	struct wait_hook
	    waiting;        /* told when the session waits for the DNS or the store; its context outlives the gate */
	bool envelope_only; /* it sees no message: rules of the message stage do not run, and edits are only recorded */
};
extern const struct abilities abilities_all; /* for a driver that is not a door: everything, in 8 s */

struct gate *gate_open(struct engine *, const struct abilities *); /* holds the engine until gate_close */
void gate_close(struct gate *);                                    /* also ends an open message, with a record */
/* Another door goes on with the open message, with its own abilities: a mail server can ask about the envelope in one
 * protocol and hand over the message in another. */
void gate_continue(struct gate *, const struct abilities *);
void gate_time(struct gate *, int64_t wall_us);        /* the time of the next messages; 0: use the clock */
void gate_trace(struct gate *, const struct tracer *); /* traces every rule; the tracer outlives the gate */

/* The client of the session, as far as the MTA knows it. */
struct connection {
	struct ip client;         /* family 0: a local program without an address, or unknown */
	unsigned client_port;     /* 0: unknown */
	struct slice client_name; /* verified by the MTA; "" when there is none */
	struct slice daemon_name; /* the MTA's name of the service, "" when unknown */
	unsigned daemon_port;     /* that the client connected to; 0: unknown */
	bool local_program;       /* a program on this host submitted the message */
	struct ip daemon_ip;      /* that the client connected to; family 0: unknown */
};
void gate_connect(struct gate *,
		  const struct connection *); /* call it again when more is known. All texts are copied */
void gate_helo(struct gate *,
	       struct slice helo); /* call it again after STARTTLS: values that depend on the old name are dropped */
void gate_tls(struct gate *, struct slice version, struct slice cipher); /* "" clears it */
void gate_auth(struct gate *, struct slice user, struct slice method);   /* "" clears it */

/* Arguments of MAIL FROM and RCPT TO, with or without <>. `made` is the address that the MTA made of it and will use
 * (its p is NULL when the MTA does not tell): it resolves a bang path, a comment or a missing domain. An ambiguous
 * argument is refused with 553 when the MTA does not tell. gate_mail ends a message that is still open. */
enum gate_answer gate_mail(struct gate *, struct slice argument, struct slice made, bool smtputf8);
enum gate_answer gate_rcpt(struct gate *, struct slice argument, struct slice made);
bool gate_has_recipient(const struct gate *, struct slice argument); /* written so, in any case of letters */
void gate_rcpt_refused(struct gate *); /* the MTA has refused a recipient; it is not one of the message */
void gate_queue_id(struct gate *, struct slice queue_id); /* whenever it becomes known */
void gate_header(struct gate *, struct slice name,
		 struct slice value); /* value with its leading space, if the MTA passes it */
void gate_body(struct gate *, struct slice chunk);
enum gate_answer gate_end(struct gate *);
void gate_abort(struct gate *); /* RSET, or the MTA gave up: the message ends, the session goes on */

const struct reply *gate_reply(const struct gate *); /* of the last GATE_REFUSE */
bool gate_discards(const struct gate *); /* after gate_mail: the message will be discarded, whatever follows */
/* After gate_rcpt: may this client relay to the last recipient? A rule accepted it, and the client is a user: it has
 * authenticated, or is in the list of submission { clients }. A port alone does not make a client a user here. */
bool gate_permits(const struct gate *);
const struct reply *
gate_reply_unchanged(void); /* when the MTA did not make every change: the message must not pass unchanged */

/* The MTA was answered: the message is over. Call it after gate_mail or gate_end decided about the message and the
 * changes were made (told->how is then TOLD_AS_DECIDED or TOLD_EDITS_FAILED), or when nobody could be answered. Only
 * this writes the record and counts the message. Before it, gate_abort, gate_mail and gate_close mean TOLD_NOBODY. */
void gate_done(struct gate *, const struct told *);

/* After gate_end gave GATE_CONTINUE, in the order in which they must be made:
 * deletions and changes from the highest index down, then insertions, each at the top, and appended fields, each at the
 * end; then the envelope, then the body. CHANGE_REPLACE with index 1 of a
 * field that is not in the message replaces the one that the MTA would add (Date, Message-ID, From); if the MTA adds
 * none, the field is added. */
enum change_kind {
	CHANGE_DELETE,
	CHANGE_REPLACE,
	CHANGE_INSERT,
	CHANGE_APPEND,
	CHANGE_SENDER,
	CHANGE_DELETE_RECIPIENT,
	CHANGE_ADD_RECIPIENT,
	CHANGE_BODY /* a piece of the new body, which replaces all of the old body */
};
#define CHANGE_COUNT (CHANGE_BODY + 1)
extern const char *const change_names[CHANGE_COUNT + 1]; /* "delete" "replace" ... NULL */

struct change {
	enum change_kind kind;
	struct slice name;  /* of a field */
	unsigned index;     /* DELETE, REPLACE: of this name, from 1 */
	struct slice value; /* of a field, with its leading space, folded by LF; an address in <>, one to be deleted as
			     * the client wrote it; a piece of the body */
};
const struct change *gate_changes(const struct gate *, size_t *count_r);
const struct slice *gate_quarantine(const struct gate *); /* the reason, or NULL */

/* The changes of the header for an MTA that cannot number fields: it removes all fields of some names, then adds
 * fields. */
struct header_changes {
	const struct slice *removed; /* names, each once */
	size_t removed_count;
	/* Each is put above the header, in this order, so the last one is topmost. Fields of a removed name that are to
	 * stay are among them. */
	const struct header_field *inserted;
	size_t inserted_count;
	const struct header_field *appended; /* below it */
	size_t appended_count;
};
/* `received` is the value of the Received field that the MTA has added and did not pass on (its p is NULL: there is
 * none): when other fields of that name are removed, it stays. The result lives as long as the message. */
void gate_header_changes(const struct gate *, struct slice received, struct header_changes *changes_r);

/* ---- for explain and the scenarios --------------------------------------------------- */

/* The record of the last finished message; NULL before the first.
 * Lives until the next gate_mail or gate_close. */
const struct record *gate_record(const struct gate *);
struct view *gate_view(struct gate *); /* to read any fact after gate_end or a refusal, before the next gate_mail */

/* For trial runs: a separate empty store, because a trial must not change counts and the real store belongs to the
 * daemon. NULL: the policy needs none. store_close() it after the engine that uses it. */
struct store *engine_trial_store(const struct policy *);

/* A complete SMTP session with one message. The gate copies the texts. */
struct conversation {
	struct connection connection;
	struct slice helo, auth_user; /* "": not sent */
	bool tls;
	struct slice sender; /* the argument of MAIL FROM */
	const struct slice *recipients;
	size_t recipient_count;
	struct slice message; /* header and body */
};
/* Returns the last stage that was reached: a refusal ends the session. */
enum stage gate_converse(struct gate *, const struct conversation *);

/* ---- a message judged again from its record ------------------------------------------- */

struct fact_names; /* all facts by name: made once for many records */
struct fact_names *fact_names_new(void);
void fact_names_free(struct fact_names *);

struct replayed {
	enum verdict verdict;     /* ACCEPT, REJECT, DEFER, DISCARD or QUARANTINE */
	struct slice rule, reply; /* "" when no rule decided */
	bool unjudged;       /* a rule was unknown for want of a fact or a list: the verdict is not to be relied on */
	const char *missing; /* the first fact that the record lacks, or list that could not be asked; NULL: none */
};
/* Judges the message of a record with the policy of the engine. Facts are those of the record, what it lacks is
 * unknown. Asks no DNS and no store, makes no edits, writes no record. Texts live until gate_close of the result; the
 * record lives as long. */
struct gate *gate_replay(struct engine *, const struct record *, const struct fact_names *, const struct tracer *,
			 struct replayed *replayed_r);

/* The rules that were evaluated, in order: a tracer with trace_keep as its function and the trace as its context. */
struct trace {
	struct arena *arena; /* of the list; texts live as long as the message */
	struct rule_trace *rules;
	size_t count, room;
};
void trace_keep(void *trace, const struct rule_trace *);
void trace_print(const struct trace *, FILE *out); /* for a person */
/* Control characters, and bytes that are not UTF-8, as \xNN: the text may be a stranger's, and the output a terminal.
 */
void trace_print_text(FILE *out, struct slice text);

/* Runs the tests in the policy file, as with mode enforce: with zone text and an empty store, without network, record
 * and counters. Writes failures to `out`, with the evaluated rules. Returns the number of failures. */
size_t engine_test(struct policy *, FILE *out, size_t *count_r);

#endif
