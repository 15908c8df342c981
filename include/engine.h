/*
 * engine.h - the way of a message: one SMTP session seen from beside the MTA.
 *
 * The engine keeps the session and the message, asks the policy at each stage,
 * collects what is to be done, and writes the record. It knows no MTA: the milter room
 * drives it from callbacks, `sekisho explain` from arguments, scenarios from a file.
 *
 * Which kind of traffic a session is can be known only at MAIL, when AUTH is. Therefore
 * the rules of connect, helo and mail run at MAIL, in this order; the DNS questions they
 * will need are hinted when their names are known.
 *
 * One thread at a time uses a gate; different gates are independent.
 */
#ifndef SEKISHO_ENGINE_H
#define SEKISHO_ENGINE_H

#include "policy.h"
#include "report.h"

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
};

/* What all sessions that begin now share. Immutable and counted. */
struct engine;
struct engine *
engine_new(struct policy *, struct resolver *, struct report *,
	   struct counters *); /* holds policy and resolver; report (NULL: none) and counters outlive it */
void engine_lend_store(struct engine *,
		       struct store *); /* before its first session; the store outlives it. NULL, as without: none */
struct engine *engine_hold(struct engine *);
void engine_release(struct engine *);
struct policy *engine_policy(const struct engine *);
struct resolver *engine_resolver(const struct engine *);

#define MADE_UNKNOWN ((struct slice){NULL, 0}) /* the MTA does not say what it made of an address */

/* ---- a session ---------------------------------------------------------------------- */

struct gate;

/* What the MTA must do with the command at hand. */
enum gate_answer {
	GATE_CONTINUE,
	GATE_REFUSE, /* answer gate_reply(): at MAIL and the end for the message, at RCPT for the recipient */
	GATE_DISCARD /* take it and throw it away */
};

/* What a door can do with what the engine decides. It says so at the start of a session. */
struct abilities {
	int64_t wait_us; /* how long the MTA waits for a command before the end of the message, at most */
	int64_t end_us;  /* and at the end */
	bool reply_mail; /* a refusal can be told at MAIL, at RCPT; if not, it is told at the end of the message */
	bool reply_rcpt;
	unsigned changes; /* bit n: changes of the kind n (enum change_kind) */
	bool quarantine;
};
extern const struct abilities abilities_all; /* of a driver that is no door: everything, in 8 s */

struct gate *gate_open(struct engine *, const struct abilities *); /* holds the engine until gate_close */
void gate_close(struct gate *);                                    /* also ends an open message, with a record */
void gate_time(struct gate *, int64_t wall_us);        /* the time of the messages that follow; 0: the clock says it */
void gate_trace(struct gate *, const struct tracer *); /* shows every rule tried; the tracer outlives the gate */

/* Who is at the other end of the session, as far as the MTA knows it. */
struct connection {
	struct ip client;         /* family 0: a local program without an address, or unknown */
	unsigned client_port;     /* 0: unknown */
	struct slice client_name; /* verified by the MTA; "" when there is none */
	struct slice daemon_name; /* the MTA's name of the service, "" when unknown */
	unsigned daemon_port;     /* that the client came to; 0: unknown */
	bool local_program;       /* a program of this host handed the message over */
};
void gate_connect(struct gate *, const struct connection *); /* again when more is known. All texts are copied */
void gate_helo(struct gate *, struct slice helo); /* again after STARTTLS: what depended on the old name is forgotten */
void gate_tls(struct gate *, struct slice version, struct slice cipher); /* "" takes it back */
void gate_auth(struct gate *, struct slice user, struct slice method);   /* "" takes it back */

/* Arguments as MAIL FROM and RCPT TO have them, with or without <>. `made` is the address that the MTA made of it,
 * which it will use (its p is NULL when the MTA does not say): a bang path, a comment or a missing domain is read as
 * the MTA does. What can be read in several ways is refused with 553 when the MTA does not say how. gate_mail ends a
 * message that is still open. */
enum gate_answer gate_mail(struct gate *, struct slice argument, struct slice made, bool smtputf8);
enum gate_answer gate_rcpt(struct gate *, struct slice argument, struct slice made);
void gate_queue_id(struct gate *, struct slice queue_id); /* whenever it becomes known */
void gate_header(struct gate *, struct slice name,
		 struct slice value); /* value with its leading space, when the MTA gives it */
void gate_body(struct gate *, struct slice chunk);
enum gate_answer gate_end(struct gate *);
void gate_abort(struct gate *); /* RSET, or the MTA gave up: the message ends, the session goes on */

const struct reply *gate_reply(const struct gate *); /* of the last GATE_REFUSE */
const struct reply *
gate_reply_unchanged(void); /* when the MTA did not take every change: nothing is let through as it is */

/* The MTA was answered: the message is over. To be called after gate_mail or gate_end gave an answer for the message
 * and the changes were made (told->how is then TOLD_AS_DECIDED, or TOLD_EDITS_FAILED), or could not be given to
 * anybody. Only now the record is written and the message counted. Before that gate_abort, gate_mail and gate_close
 * mean TOLD_NOBODY. */
void gate_done(struct gate *, const struct told *);

/* After gate_end gave GATE_CONTINUE, in the order in which they must be made:
 * deletions and changes from the highest index down, then insertions, each at the top, and appended fields, each at the
 * end; then the envelope, then the body. CHANGE_REPLACE with index 1 of a
 * field that the message does not have takes the place of the one that the MTA would supply (Date, Message-ID, From);
 * where it supplies none, it is added. */
enum change_kind {
	CHANGE_DELETE,
	CHANGE_REPLACE,
	CHANGE_INSERT,
	CHANGE_APPEND,
	CHANGE_SENDER,
	CHANGE_DELETE_RECIPIENT,
	CHANGE_ADD_RECIPIENT,
	CHANGE_BODY /* a piece of the new body; it takes the place of the old one as a whole */
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

/* ---- for explain and the scenarios --------------------------------------------------- */

/* The record of the message that was done last; NULL before the first.
 * Lives until the next gate_mail or gate_close. */
const struct record *gate_record(const struct gate *);
struct view *gate_view(struct gate *); /* to read any fact after gate_end or a refusal, before the next gate_mail */

/* For what is only tried: an empty store of its own, since nothing may count and the store of the file belongs to the
 * daemon. NULL: the policy needs none. store_close() it after the engine that it is lent to. */
struct store *engine_trial_store(const struct policy *);

/* A whole conversation with one message. Texts are copied by the gate. */
struct conversation {
	struct connection connection;
	struct slice helo, auth_user; /* "": it says none */
	bool tls;
	struct slice sender; /* as MAIL FROM has it */
	const struct slice *recipients;
	size_t recipient_count;
	struct slice message; /* header and body */
};
/* Returns the last stage that was reached: a refusal ends the conversation. */
enum stage gate_converse(struct gate *, const struct conversation *);

/* The rules that were tried, in order: a tracer with trace_keep as its function and the trace as its context. */
struct trace {
	struct arena *arena; /* of the list; texts live as long as the message */
	struct rule_trace *rules;
	size_t count, room;
};
void trace_keep(void *trace, const struct rule_trace *);
void trace_print(const struct trace *, FILE *out);   /* for a person */
void trace_print_text(FILE *out, struct slice text); /* without control bytes of strangers */

/* Runs the tests that the policy file carries, as with mode enforce: with zone text, without network, record and
 * counters, and with an empty store. What fails is written to `out`, with the rules that were tried. Returns how many
 * failed. */
size_t engine_test(struct policy *, FILE *out, size_t *count_r);

#endif
