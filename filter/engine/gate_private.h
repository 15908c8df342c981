/*
 * gate_private.h - the contents of a gate; private to filter/engine/.
 */
#ifndef SEKISHO_GATE_PRIVATE_H
#define SEKISHO_GATE_PRIVATE_H

#include "engine.h"
#include "mailer.h"

#define SIGNERS_MAX 4 /* domains that sign one message: the author's, and a provider's */

struct engine {
	_Atomic unsigned owners;
	struct policy *policy;
	struct resolver *resolver;
	struct store *store;         /* NULL: none is open */
	struct mailer *mailer;       /* NULL: there is none */
	struct aggregate *aggregate; /* NULL: there are no DMARC reports */
	struct report *report;
	struct counters *counters;
};

/* The answer for one recipient, for the record. */
struct rcpt_outcome {
	struct slice address;
	struct outcome outcome; /* verdict NONE: no answer */
};

/* A record that is judged again. */
struct replay {
	const struct record *record;
	const struct fact_names *names;
};

struct bounce;
struct gate {
	const struct replay *replay; /* NULL: a message is here */
	struct engine *engine;
	struct store *store; /* of the engine, for this session; NULL: none is open */
	const struct settings *settings;
	const struct tracer *tracer;
	struct abilities abilities;

	struct session session;
	struct fact_memo *connection_memo; /* these two in the session's arena, NULL before the first MAIL */
	void **connection_slots;

	/* the message; all of it starts again at MAIL */
	struct message message;
	struct dns_budget *budget;
	struct view view;
	struct decision decision;
	struct outcome
	    *outcome; /* of the message: the rule that accepts or ends it. This and the record: in its arena */
	enum stage decided_at, quarantined_at;
	bool accepted;         /* outcome says ACCEPT */
	bool rcpt_accepted;    /* or a rule accepted the last recipient */
	bool decided;          /* gate_done is awaited */
	bool late;             /* a refusal waits for the end of the message */
	bool unable;           /* the door cannot make a change that was decided */
	bool ended_early;      /* outcome is the answer at the end, whatever follows */
	bool open;             /* between MAIL and the record */
	bool used;             /* a message was here since the arena was reset */
	bool body_began;       /* the header is complete, and the sinks are set up */
	struct bounce *bounce; /* this comes to the address of a report of ours; NULL: it does not */
	struct spool *spool;   /* the body for the second engine of DKIM; NULL: not needed */
	struct rcpt_outcome *rcpts;
	size_t rcpt_count, rcpt_room;
	struct reply *recipients_reply; /* when there were too many */
	const struct reply *reply;
	struct change *changes;
	size_t change_count, change_room;
	struct slice *pieces; /* of the new body; none: unchanged */
	size_t piece_count;
	struct dkim_body *new_body;                      /* hashed for signing; NULL: the original body is */
	const struct sign_setting *signers[SIGNERS_MAX]; /* that have signed it */
	size_t signer_count;
	struct slice footer; /* what happened to it; "": no rule adds one */
	bool unusable;       /* a rule produced an unusable address: nothing is let through */
	int64_t began_wall_us, spent_us;
	int64_t time_us; /* gate_time; 0: use the clock */
	bool enforced;   /* ignore mode report */
	struct record *record;
	bool recorded;
};

/* replay_facts.c */
void replay_facts(struct gate *); /* those of the record, before they are read */
enum kind replay_kind(const struct record *);

/* path.c: an argument of MAIL or RCPT, and the address that the MTA made of it. */
struct path {
	struct address address; /* to be judged */
	struct slice said;      /* what the client wrote, when another address is judged; else "" */
	struct slice made;      /* what the MTA made of it, when it is not what is judged; else "" */
	const char *refusal;    /* why the address is ambiguous; NULL: it is clear */
};
struct path path_read(struct slice argument, struct slice made, bool recipient, struct arena *);
void path_note(struct gate *, const struct path *, const char *what); /* "sender", "recipient": for the record */

/* gate.c: ends a message that is open, and begins one. */
struct path message_begin(struct gate *, struct slice argument, struct slice made, bool smtputf8); /* the sender */

/* changes.c: what must be done to header, envelope and body, once the message is let through. */
void changes_make(struct gate *);
void change_add(struct gate *, const struct change *);

/* subject.c: the value with a prefix, with its leading space. False: it has the prefix already. */
bool subject_prefix(struct slice prefix, struct slice old, struct arena *, struct slice *value_r);

/* missing.c: values of fields that each message must have. */
struct slice missing_message_id(int64_t now_us, struct slice host, struct arena *);

/* footer.c: before the body, when a rule may add a footer; the new body, before it is signed; and its changes. */
struct outgoing;
void footer_prepare(struct gate *);
void footer_make(struct gate *, const struct outgoing *fields, size_t count);
void footer_write(struct gate *);

/* envelope.c: adds what must be done to the envelope. False: no recipient is left, by the rule *rule_r. */
bool envelope_change(struct gate *, struct position *rule_r);

/* A field of the header as it will be sent, below the fields that the engine adds. */
struct outgoing {
	struct header_field field;
	bool dropped; /* Sendmail removes it: it is not to be signed */
	bool changed; /* its value was rewritten, to be signed as it will arrive */
};

/* sign.c: called before the body; a rule may sign. */
void sign_prepare(struct gate *);
void body_spool(struct gate *);                 /* from now on, keeps the arriving body in gate->spool */
struct dkim_body *sign_body_new(struct gate *); /* for a body that replaces the original one */
/* The fields to sign, in the form in which they will arrive; *count_r of them. */
struct dkim_signing;
const struct header_field *sign_fields(struct gate *, struct position rule, const struct dkim_signing *,
				       struct outgoing *, size_t count, size_t *count_r);
struct dkim_body *signed_body(struct gate *);             /* as it will be sent */
void sign_note_body(struct gate *, struct position rule); /* why mail servers could change it */
/* The keys of a signer that sign now; valid as long as the message. */
size_t sign_keys(struct gate *, const struct sign_setting *, struct signing_key keys_r[SIGN_KEYS_MAX]);
/* The values of the DKIM-Signature fields for this header; returns their number. What was done, why nothing was done,
 * and why a signature may break, is noted for the rule. Fields are changed only when the header is signed. */
size_t sign_message(struct gate *, const struct edit *, struct outgoing *, size_t count,
		    struct slice values_r[SIGN_KEYS_MAX]);

/* seal.c: the set of ARC fields for this header, with the results for ARC-Authentication-Results. False: nothing may be
 * added. What was done, or why nothing was done, is noted for the rule. */
struct arc_made;
bool seal_message(struct gate *, const struct edit *, struct outgoing *, size_t count, struct slice results,
		  struct arc_made *made_r);

/* emit.c: would an MTA rewrite this field? Then *value_r is a form that it leaves unchanged. When no
 * such form means the same, *why_r is "an address ..."; else NULL. */
bool emit_rewrites(struct slice name, struct slice value, struct arena *, struct slice *value_r, const char **why_r);
/* Does the original message have only plain addresses, without names, comments and commas? Then Sendmail treats blanks
 * as commas in To and Cc, including those that a milter adds (OldStyleHeaders), and emit_tightens gives a form without
 * blanks. */
bool emit_is_plain(const struct headers *);
bool emit_tightens(struct slice name, struct slice value, struct arena *, struct slice *value_r, const char **why_r);
/* A line end that is not a fold: what follows it would be a separate field. */
bool emit_is_torn(struct slice value);

/* emit_lines.c: does the field have a line that MTAs would cut? Then *value_r is the value, folded at its blanks.
 * *cut_r: a line is too long even so. */
bool emit_folds(struct slice name, struct slice value, struct arena *, struct slice *value_r, bool *cut_r);

/* envelope_only.c: the end of a message that the door does not see. */
void end_unseen(struct gate *);

/* reports.c: DMARC of a message of a stranger is evaluated for reports, before the answer; and counted after it. */
void reports_judge(struct gate *);
void reports_count(struct gate *, const struct told *);

/* bounced.c: does a report of ours come back? Before the body, and at the end. */
void bounce_begin(struct gate *);
void bounce_end(struct gate *);

/* notify.c: what rules want to be sent goes to the mailer; what becomes of it is noted. */
void notices_send(struct gate *);

/* finish.c: the message is over; fills the record, counts it and hands it to the report. */
void message_finish(struct gate *, const struct told *);
struct slice position_print(struct position, struct arena *); /* "file:line", "" for none */
struct slice reply_print(const struct reply *,
			 struct arena *); /* "550 5.7.1 text"; lines joined by LF, all but the last with "550-" */

#endif
