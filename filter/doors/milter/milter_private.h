/*
 * milter_private.h - what the files of the milter door share.
 *
 * One thread runs smfi_main(); callbacks run on the threads of libmilter, those of a session not always
 * on the same one. The daemon calls the functions of `struct door` (door.c).
 */
#ifndef SEKISHO_MILTER_PRIVATE_H
#define SEKISHO_MILTER_PRIVATE_H

#include "door.h"
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <sys/socket.h>

#define NAME_TEXT 256 /* host and daemon names we keep: RFC 1035 allows 253, the rest is cut */

/* ---- negotiate.c: what is requested of the MTA ------------------------------------ */

/* What the compiled policy needs of a session. */
struct wishes {
	bool body;       /* a rule or check reads it */
	bool reply_mail; /* a rule may answer MAIL */
	bool reply_rcpt;
	unsigned needs; /* of edits: policy_needs() */
};

struct terms {
	unsigned long actions; /* SMFIF_ */
	unsigned long steps;   /* SMFIP_ */
	bool leading_space;    /* header values come and go with it */
	bool skip_body;        /* the MTA sends a body that is not read, and can be told to stop */
};

struct terms negotiate_terms(struct wishes, unsigned long offered_actions, unsigned long offered_steps);
struct abilities negotiate_abilities(const struct terms *); /* what the engine may request under these terms */

/* ---- macros.c: what the MTA sends beside the command ------------------------------- */

struct connect_macros { /* NULL: the MTA did not send it */
	const char *client_name, *client_resolve;
	const char *daemon_name, *daemon_port;
};

struct client {
	struct ip ip;
	unsigned port;
	char name[NAME_TEXT];
	char daemon_name[NAME_TEXT];
	unsigned daemon_port;
	bool local_program;
};

void macros_ask(SMFICTX *);
struct slice macro_read(SMFICTX *, const char *name); /* "" when there is none; lives until the callback returns */
struct connect_macros macros_of_connect(SMFICTX *);

/* Who is at the other end. `host` and `address` are what xxfi_connect got. */
void client_read(const char *host, const struct sockaddr *address, const struct connect_macros *,
		 struct client *client_r);
/* Stores the daemon's name and port if they were not known; true when something was new. */
bool client_complete(struct client *, const struct connect_macros *);

/* ---- reply.c --------------------------------------------------------------------------- */

/* A reply as libmilter wants it. */
struct reply_text {
	char code[4];
	char enhanced[12];
	char *lines[REPLY_LINES_MAX + 1]; /* NULL after the last */
	size_t count;
};

void reply_write(const struct reply *, struct arena *, struct reply_text *text_r);
sfsistat reply_send(SMFICTX *, const struct reply *); /* sets it, and gives the return value of the callback */

/* ---- the state of the door ------------------------------------------------------------------ */

struct conn;

struct milter {
	struct door_host *host;
	pthread_mutex_t lock; /* of conns, and what their fields say */
	struct conn *conns;
	pthread_cond_t progressed; /* a connection is no longer `progressing` */
	pthread_rwlock_t gateway;  /* read: a callback runs; written: no callback will run again */
};

/* ---- conn.c: the sessions that are open ----------------------------------------------------- */

/* One connection of an MTA; libmilter's private data. */
struct conn {
	struct milter *milter;
	SMFICTX *ctx;
	struct gate *gate;
	struct terms terms;
	struct client client;
	bool open;                       /* between MAIL and the end of the message, as the MTA sees it */
	bool queue_id;                   /* the engine has it */
	bool progressing;                /* a thread reports progress; under milter->lock */
	int64_t busy_since, progress_at; /* clock_us; at the end of a message; under milter->lock */
	struct conn *previous, *next;    /* under milter->lock */
};

/* Of what the MTA offers, what the policy wants is taken: conn->terms. */
struct conn *conn_new(struct milter *, SMFICTX *, unsigned long offered_actions, unsigned long offered_steps);
void conn_free(struct conn *);
void conn_open(struct conn *);            /* a message begins */
void conn_close(struct conn *);           /* it is over */
void conn_busy(struct conn *, bool busy); /* at the end of a message: from now on progress is reported */
void conns_progress(struct milter *);     /* to MTAs that wait long */
void conns_free(struct milter *);         /* all; no callback runs any more */

/* ---- callbacks.c --------------------------------------------------------------------------------- */

int callbacks_register(struct milter *); /* 0, or -1 when libmilter does not take them */
struct milter *milter_of_process(void);  /* NULL before that */

#endif
