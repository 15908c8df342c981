/*
 * queue.h - takes the place of qmail-queue: a message is judged before it is queued.
 *
 * The programs of the qmail family queue a message by running qmail-queue, or the program that QMAILQUEUE names. It
 * reads the message from descriptor 0 to its end, then the envelope from descriptor 1 ("F", the sender, NUL; for each
 * recipient "T", the address, NUL; NUL), and answers with its exit code: qmail-queue(8). This one reads both, asks the
 * daemon as a mail server asks a milter, and runs the real qmail-queue with the edits made.
 *
 * The real one alone makes a message durable. 0 is returned only after it ended with 0, or when the message is to be
 * discarded. It gets the NUL that ends the envelope last, after all else was written; until then it queues nothing,
 * whenever we are killed.
 */
#ifndef SEKISHO_QUEUE_H
#define SEKISHO_QUEUE_H

#include "base.h"

/* qmail-queue(8): what the programs that run it say to their client. 31 and 11 are permanent. */
enum queue_exit {
	QUEUE_DONE = 0,
	QUEUE_ADDRESS_LONG = 11,
	QUEUE_REFUSED = 31,
	QUEUE_MEMORY = 51,
	QUEUE_TIMEOUT = 52,
	QUEUE_WRITE = 53, /* the disk is full */
	QUEUE_READ = 54,  /* message or envelope ended too early */
	QUEUE_CONFIG = 55,
	QUEUE_DEFERRED = 71,
	QUEUE_OWN_TEXT = 82,          /* notqmail from 1.09 on: the text is in descriptor 6 */
	QUEUE_OWN_TEXT_INDIMAIL = 88, /* indimail-mta: in the descriptor that ERROR_FD names */
	QUEUE_BUG = 81,
	QUEUE_ENVELOPE = 91,
	QUEUE_EXEC = 120 /* the real qmail-queue cannot be run */
};

/* How the caller takes a text of ours. */
enum queue_text { QUEUE_TEXT_NONE, QUEUE_TEXT_NOTQMAIL, QUEUE_TEXT_INDIMAIL };

struct queue_settings {
	struct listen_address socket; /* where the daemon speaks the milter protocol */
	const char *program;          /* the real qmail-queue */
	bool accept_on_failure;       /* without the daemon: queue the message as it is; false: defer it */
	bool drop_refused;            /* drop recipients that are refused for good; false: refuse the message */
	const char *quarantine;       /* messages to be held go to this address alone; NULL: they are deferred */
	const char *auth;             /* the variable that has the login; NULL: none has */
	bool names_verified;          /* TCPREMOTEHOST leads back to the client (tcpserver -p) */
	const char *daemon_name;      /* of this service; NULL: qmail-relay where RELAYCLIENT is set, else qmail */
	enum queue_text text;
};

/* Reads the message from `message_fd` and the envelope from `envelope_fd`. The environment says who the client is.
 * Returns the exit code; standard error says why when it is not 0. */
int queue_run(const struct queue_settings *, int message_fd, int envelope_fd);

#endif
