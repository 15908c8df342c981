/*
 * milter.h - a session of the milter protocol, step by step, over a gate of the engine.
 *
 * Two doors speak the protocol: doors/milter through libmilter, doors/native by itself. What does not depend on who
 * reads the bytes is here, once: what is requested of the MTA, who the client is, what each step tells the
 * gate, and how a verdict becomes an answer. A door passes each command of the MTA to its step, and sends what the step
 * returns. What a step needs of the MTA beside the command (macros, edits), it asks from the door by `struct mta`.
 *
 * At a step that was negotiated without reply there is none: both MTAs would ignore it and let the message
 * through. A session is never accepted before the end of a message.
 *
 * One thread at a time uses a session; different sessions are independent.
 */
#ifndef SEKISHO_MILTER_H
#define SEKISHO_MILTER_H

#include "door.h"
#include <sys/socket.h>

/* ---- words of the protocol (libmilter/mfdef.h and mfapi.h name the same bits) ------------------- */

enum { /* actions that an MTA offers and a milter requests */
       CAN_ADD_FIELDS = 0x1,
       CAN_CHANGE_BODY = 0x2,
       CAN_ADD_RECIPIENT = 0x4,
       CAN_DELETE_RECIPIENT = 0x8,
       CAN_CHANGE_FIELDS = 0x10,
       CAN_QUARANTINE = 0x20,
       CAN_CHANGE_SENDER = 0x40,
       CAN_NAME_MACROS = 0x100 /* the milter says which macros it reads at which step */
};

enum { /* steps: which commands are not sent, and which get no reply */
       NO_BODY = 0x10,
       MUTE_HEADER = 0x80,
       NO_UNKNOWN = 0x100,
       NO_DATA = 0x200,
       CAN_SKIP = 0x400,    /* the MTA understands "enough of the body" */
       SEE_REFUSED = 0x800, /* RCPT is sent for recipients that the MTA has refused, too */
       MUTE_CONNECT = 0x1000,
       MUTE_HELO = 0x2000,
       MUTE_MAIL = 0x4000,
       MUTE_RCPT = 0x8000,
       MUTE_DATA = 0x10000,
       MUTE_UNKNOWN = 0x20000,
       MUTE_EOH = 0x40000,
       MUTE_BODY = 0x80000,
       LEADING_SPACE = 0x100000 /* header values come and go with it */
};

/* ---- negotiate.c: what is requested of the MTA ---------------------------------------------- */

/* What the compiled policy needs of a session. */
struct wishes {
	bool body;       /* a rule or check reads it */
	bool reply_mail; /* a rule may answer MAIL */
	bool reply_rcpt;
	unsigned needs; /* of edits: policy_needs() */
};

struct terms {
	unsigned long actions; /* CAN_ */
	unsigned long steps;   /* NO_, MUTE_, CAN_SKIP, SEE_REFUSED, LEADING_SPACE */
	bool leading_space;    /* header values come and go with it */
	bool skip_body;        /* the MTA sends a body that is not read, and can be told to stop */
};

struct wishes wishes_of(const struct policy *);
struct terms negotiate_terms(struct wishes, unsigned long offered_actions, unsigned long offered_steps);
struct abilities negotiate_abilities(const struct terms *); /* what the engine may request under these terms */

/* ---- macros.c: what the MTA sends beside the command ------------------------------------------ */

#define MACRO_MAX 1024 /* a login, a queue id, a cipher: no legitimate one is longer */

/* Which macros are read at which step, separated by spaces; in the order in which the protocol numbers these steps,
 * from 0. NULL: none. */
#define MACRO_STEPS 7
extern const char *const macros_asked[MACRO_STEPS];

struct connect_macros { /* NULL: the MTA did not send it */
	const char *client_name, *client_resolve;
	const char *daemon_name, *daemon_port, *daemon_addr;
};

/* Who is at the other end. Names are cut at 255 bytes: RFC 1035 allows 253. */
struct client {
	struct ip ip;
	unsigned port;
	char *name, *daemon_name; /* "": none; owned */
	unsigned daemon_port;
	struct ip daemon_ip; /* family 0: unknown */
	bool local_program;
};

/* `host` and `address` are what the connect step got; address NULL: none. client_free() it. */
void client_read(const char *host, const struct sockaddr *address, const struct connect_macros *,
		 struct client *client_r);
/* Stores the daemon's name, port and address if they were not known; true when something was new. */
bool client_complete(struct client *, const struct connect_macros *);
void client_free(struct client *);

/* ---- reply.c: a reply of the policy, for MTAs -------------------------------------------------- */

struct reply_text {
	char code[4];
	char enhanced[12];
	char *lines[REPLY_LINES_MAX + 1]; /* NULL after the last */
	size_t count;
};

void reply_write(const struct reply *, struct arena *, struct reply_text *text_r);

/* ---- steps.c ------------------------------------------------------------------------------------ */

/* A change of the message, in the protocol's terms. */
enum request_kind {
	REQUEST_INSERT_FIELD, /* at position `index`, from 0 */
	REQUEST_CHANGE_FIELD, /* the field number `index` of its name, from 1; value NULL: delete it */
	REQUEST_SENDER,
	REQUEST_ADD_RECIPIENT,
	REQUEST_DELETE_RECIPIENT,
	REQUEST_BODY, /* a piece of the new body */
	REQUEST_QUARANTINE
};
struct request {
	enum request_kind kind;
	unsigned index;
	char *name;  /* of a field */
	char *value; /* NUL-terminated; for REQUEST_BODY see body */
	struct slice body;
};

/* What a session asks from its door. `context` is that of the session. */
struct mta {
	/* A macro that the MTA sent for this step or an earlier one, NULL: none. Lives until the step returns. */
	const char *(*macro)(void *context, const char *name);
	int (*request)(void *context,
		       const struct request *); /* 0, or -1: it cannot be requested. At the end of a message */
	/* At the end of a message: has the MTA disconnected? `edited`: something was sent for this message already. */
	bool (*gone)(void *context, bool edited);
	void (*waits)(void *context,
		      bool begins); /* for the DNS or the store, in the thread that runs the step. NULL: nobody cares */
	void (*busy)(void *context, bool); /* begins and ends the time in which an MTA is told of progress */
};

enum step_answer {
	STEP_CONTINUE,
	STEP_MUTE,   /* the step was negotiated without reply: send none */
	STEP_REFUSE, /* send steps->reply */
	STEP_DISCARD,
	STEP_SKIP,    /* of the body, nothing more is needed */
	STEP_TEMPFAIL /* out of order */
};

/* A session: its members are private to doors/, beside terms, open and reply. */
struct steps {
	struct door_host *host;
	const struct mta *mta;
	void *context;
	struct engine *engine; /* held: what was negotiated follows from its policy */
	struct gate *gate;
	struct terms terms;
	struct client client;
	bool open;                 /* between MAIL and the end of the message, as the MTA sees it */
	bool queue_id;             /* the engine has it */
	const struct reply *reply; /* of the last STEP_REFUSE, until the next step */
};

/* Of what the MTA offers, what the policy wants is taken: steps->terms. steps_end() it: an open message ends. */
void steps_begin(struct steps *, unsigned long offered_actions, unsigned long offered_steps);
void steps_renew(struct steps *); /* another client under the same terms, and so with the same policy */
void steps_end(struct steps *);

/* Texts are copied. */
enum step_answer step_connect(struct steps *, const char *host, const struct sockaddr *address);
enum step_answer step_helo(struct steps *, const char *helo);
enum step_answer step_mail(struct steps *, char **arguments); /* the path and the parameters; NULL after the last */
enum step_answer step_rcpt(struct steps *, const char *path);
enum step_answer step_data(struct steps *);
enum step_answer step_header(struct steps *, struct slice name, struct slice value);
enum step_answer step_eoh(struct steps *);
enum step_answer step_body(struct steps *, struct slice chunk);
enum step_answer step_end(struct steps *);
void step_abort(struct steps *);

#endif
