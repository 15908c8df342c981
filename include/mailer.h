/*
 * mailer.h - sends complete messages to the site's own mail server by SMTP (RFC 5321), from a queue in memory and a
 * thread of its own. For notes and reports; not for mail of others.
 *
 * Nobody waits: mailer_submit copies the message and returns. A mail server that is down, slow or full delays the
 * messages in the queue, which is bounded; what does not fit is refused at once. A message is tried again after a
 * temporary failure, a bounded number of times; the queue is lost with the process.
 *
 * A note goes out with the null reverse-path (RFC 5321 4.5.5): no bounce can come back to us. A report has an address
 * of ours that takes bounces. Whoever makes a message adds Auto-Submitted (RFC 3834). STARTTLS is used when the server
 * offers it; the certificate is not verified.
 */
#ifndef SEKISHO_MAILER_H
#define SEKISHO_MAILER_H

#include "base.h"

#define MAILER_QUEUE_MAX  1000                              /* messages that wait */
#define MAILER_BYTES_MAX  ((size_t)32 << 20)                /* all of them together, and of one message */
#define MAILER_TRIES_MAX  6                                 /* of one message that was answered by 4xx, or by nothing */
#define MAILER_LIFE_US    (INT64_C(4) * 3600 * 1000 * 1000) /* in the queue, while the server cannot be reached */
#define MAILER_TIMEOUT_US (INT64_C(60) * 1000 * 1000)       /* for one try, however slowly the server goes on */
#define MAILER_FIRST_US   (INT64_C(5) * 1000 * 1000)        /* until the next try; each time four times as long, */
#define MAILER_LONGEST_US (INT64_C(1800) * 1000 * 1000)     /* at most so long */

struct mailer;

struct mailer_settings {
	struct slice text;             /* as written: "inet:25@127.0.0.1" */
	struct listen_address address; /* INET or INET6; host "": this host */
	int64_t timeout_us, first_us;  /* 0: as above; for tests */
};

enum mailed {
	MAILED,        /* the server took the message */
	MAIL_REFUSED,  /* it never will: 5xx */
	MAIL_UNWANTED, /* mailer_send: 5xx after the server had the text, so the text may be the reason */
	MAIL_LOST      /* it did not in time, or we end before it did */
};

struct mailer_message {
	struct slice recipient; /* an address without <>, one line */
	struct slice sender;    /* the reverse-path, likewise; "": the null reverse-path */
	struct slice text;      /* header and body; lines end with CRLF */
	/* Called once by the thread of the mailer, or by mailer_close; it must not call the mailer. May be NULL. */
	void (*done)(void *context, enum mailed);
	void *context;
};

/* 0, or -1 and err: the library that a mailer needs cannot be opened. */
int mailer_library(struct error *err);
/* NULL and err when there is no thread, or as mailer_library(). */
struct mailer *mailer_open(const struct mailer_settings *, struct error *err);
/* Waits until `until_us` (clock_us) for what can be sent at once; what remains is lost. NULL is allowed. */
void mailer_close(struct mailer *, int64_t until_us);

/* Copies the message. False: the queue is full, or the message is too large for it; `done` is not called. */
bool mailer_submit(struct mailer *, const struct mailer_message *);

/* Sends one message now, in the thread of the caller, without queue and copy, once: for a caller that keeps it and
 * tries again by itself. `done` is not called. `stopped` is asked several times a second; true: give up. MAILED: the
 * server has answered 250; MAIL_REFUSED, MAIL_UNWANTED: 5xx; MAIL_LOST: not now. answer_r: the reply ("550 5.1.1 ...",
 * printable ASCII), or why there was none. The mailer must not be closed meanwhile. */
enum mailed mailer_send(struct mailer *, const struct mailer_message *, bool (*stopped)(void *), void *context,
			struct error *answer_r);

/* Is this end of a connection, as the server sees it, ours at the moment? The message that comes over it is of us. */
bool mailer_owns(struct mailer *, struct ip client, unsigned port);

struct mailer_counters {
	uint64_t waiting, sent, refused, lost;
	uint64_t failures; /* tries that failed for the moment */
};
void mailer_counters(struct mailer *, struct mailer_counters *counters_r);

/* Is there a line for the log now? At the first failure, then once a minute while there are new ones, and once when a
 * message got through again. One thread calls it, every few seconds. */
bool mailer_report(struct mailer *, int64_t now_us, struct error *line_r);
/* Has mailer_report() told of a failure, and not yet of its end? For the level of its line. */
bool mailer_in_trouble(struct mailer *);

#endif
