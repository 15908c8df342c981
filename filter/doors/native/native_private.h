/*
 * native_private.h - what the files of this door share.
 *
 * The protocol is milter, versions 2 to 6, as Postfix and Sendmail speak it. Sources: libmilter's
 * documentation, the constants in libmilter/mfdef.h, and what both MTAs send. Packets go in both
 * directions: four bytes of length, most significant first; one letter; length - 1 bytes of data.
 * Numbers have four bytes, texts end in NUL. The MTA says:
 *
 *     O version actions steps              the first packet; the answer is O
 *     D letter, then name value ...        macros of the command with that letter
 *     C host family [port address]         a client; the port has two bytes
 *     H name                               HELO
 *     M path parameter ...                 MAIL
 *     R path parameter ...                 RCPT
 *     T                                    DATA
 *     U line                               an unknown command
 *     L name value                         a header field
 *     N                                    the end of the header
 *     B bytes                              a piece of the body, 64 KB at most
 *     E bytes                              the end of the message, perhaps with a last piece
 *     A                                    the message is over
 *     K                                    the session is over, another one follows
 *     Q                                    the session is over
 *
 * What a milter requests in O decides which commands come, and which get no answer. It answers:
 *
 *     O version actions steps, then for each step its number and the names of macros
 *     c                                    continue
 *     d                                    discard
 *     s                                    enough of the body
 *     t                                    a temporary failure
 *     y text                               a reply; its lines end in CR LF
 *
 * and before the answer to E:
 *
 *     i index name value                   insert a field
 *     m index name value                   change a field; an empty value deletes it
 *     e address, + address, - address      the sender; one recipient more, one less
 *     b bytes                              a piece of the new body
 *     q reason                             quarantine
 *     p                                    wait longer
 *
 * dialog.c reads packets and writes answers; it knows no socket. loop.c has the sockets, and crew.c
 * the threads.
 */
#ifndef SEKISHO_NATIVE_PRIVATE_H
#define SEKISHO_NATIVE_PRIVATE_H

#include "milter.h"
#include "packet.h"
#include <pthread.h>

/* ---- macros.c: what the MTA sent beside its commands ------------------------------------------------ */

enum macro_set { SET_CONNECT, SET_HELO, SET_MAIL, SET_RCPT, SET_LATER, MACRO_SETS };

struct macros {
	char *sets[MACRO_SETS]; /* number of the name, value NUL ...; NULL: none. Only those that are read */
};

void macros_take(struct macros *, struct slice packet, bool later); /* false: those after RCPT are not wanted */
const char *macros_find(const struct macros *, const char *name);   /* NULL: none */
void macros_drop(struct macros *, enum macro_set from);             /* these and all later ones */

/* ---- dialog.c: the protocol ------------------------------------------------------------------------ */

struct dialog {
	struct steps steps;
	struct macros macros;
	struct out *out; /* where the answers go; only while it runs */
	char *partial;   /* the beginning of a packet */
	size_t partial_n, partial_room;
	size_t body_left;        /* bytes of a piece of the body that are still to come */
	unsigned long unoffered; /* MUTE_ bits that the MTA does not know: it gets an answer that says nothing */
	bool begun;              /* the MTA has negotiated */
};

void dialog_init(struct dialog *, struct door_host *, const struct mta *); /* its context is the session */
void dialog_free(struct dialog *);

/* Bytes from the MTA; answers are added to `out`. -1: the session is over. */
int dialog_take(struct dialog *, struct slice bytes, struct out *);
bool dialog_is_idle(const struct dialog *); /* between packets */

/* For struct mta: what these ask, the session knows. */
const char *dialog_macro(void *dialog, const char *name);
int dialog_request(void *dialog, const struct request *);

/* ---- crew.c: threads -------------------------------------------------------------------------------- */

#define IN_BYTES (64 * 1024) /* read at once */

struct crew;

/* A thread, and what it works with. */
struct worker {
	struct crew *crew;
	struct worker *next;   /* under crew->lock */
	_Atomic int64_t since; /* clock_us: it runs a session since then; 0: it does not */
	_Atomic bool away;     /* it waits for something slow, and does not count; written under crew->lock */
	pthread_mutex_t lock;  /* of what follows: a thread tells the MTA of progress */
	int busy_fd;           /* of a session at the end of a message; -1: none */
	int64_t busy_since, told_at;
	struct out out;
	char in[IN_BYTES];
};

/* As many threads run sessions or wait for events as there are processors, and a few more: mail servers on the same
 * host want the processors, too, and a session whose thread waits for one holds up no others. One that must wait for
 * DNS or a store leaves its place to another, which is woken or started. Those that are too many afterwards rest, and
 * end after a while. */
struct crew {
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wanted, ended;
	struct worker *workers;
	unsigned slots, total, resting, called;
	_Atomic unsigned active;
	_Atomic bool stopping;
	void (*turn)(void *context, struct worker *); /* waits for one event, and handles it */
	void *context;
};

int crew_start(struct crew *, void (*turn)(void *, struct worker *), void *context, struct error *err);
void crew_begin(struct worker *); /* it runs a session now */
void crew_end(struct worker *);
void crew_waits(struct worker *, bool begins);
void crew_relieve(struct crew *);  /* those that run one session for long are waiting for something slow */
void crew_progress(struct crew *); /* tells MTAs that wait long */
bool crew_stop(struct crew *, int64_t until_us); /* false: some thread did not end in time */

/* ---- loop.c ---------------------------------------------------------------------------------------- */

struct link;

struct native {
	struct door_host *host;
	int epoll, stopper;
	int number; /* of the listener, for the host; it stays when that is closed */
	struct crew crew;
	_Atomic int64_t given_up_said_us;
	_Atomic bool paused;  /* no descriptor is left: nobody is accepted; written under the lock */
	pthread_mutex_t lock; /* of what follows */
	int listener;         /* -1: closed */
	struct link *links;
	int64_t swept_us;
};

int loop_open(struct native *, struct error *err);
int loop_accept(struct native *, struct error *err);
void loop_drain(struct native *); /* closes the listener */
void loop_turn(void *native, struct worker *);
void loop_sweep(struct native *); /* called every few seconds: those that do not move time out */
void loop_stop(struct native *);  /* wakes every thread that waits for an event */
void loop_close(struct native *); /* no thread runs any more */

#endif
