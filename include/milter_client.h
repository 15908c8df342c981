/*
 * milter_client.h - asks a milter about one message, as a mail server does.
 *
 * It speaks version 6 of the milter protocol from the side of the mail server, once over one connection: negotiation,
 * the session, one message. So a program that has a whole message, and no SMTP session, gets verdict, reply and edits
 * from the running daemon. milter.h has the words of the protocol.
 *
 * What the milter sends is bounded before it is stored. One that is silent for MILTER_SILENCE_US, or does not finish
 * within MILTER_TOTAL_US, or sends what no milter sends, counts as away.
 */
#ifndef SEKISHO_MILTER_CLIENT_H
#define SEKISHO_MILTER_CLIENT_H

#include "milter.h"

#define MILTER_CONNECT_US  (INT64_C(5) * 1000 * 1000)
#define MILTER_SILENCE_US  (INT64_C(30) * 1000 * 1000) /* the daemon tells of progress each 5 s */
#define MILTER_TOTAL_US    (INT64_C(300) * 1000 * 1000)
#define MILTER_CHANGES_MAX 20000 /* changes that are taken of one message: it may have 10,000 recipients */

struct question {
	struct connection connection; /* client_name "": the mail server has verified none */
	struct slice helo;            /* "": none was sent */
	struct slice tls_version, tls_cipher, auth_user, auth_method; /* "": none */
	struct slice sender;                                          /* the arguments of MAIL and RCPT, with <> */
	const struct slice *recipients;
	size_t recipient_count;
	bool smtputf8;
	const struct header_field *fields; /* names as received; values with their leading space, folded by LF */
	size_t field_count;
	struct slice body;     /* lines end in LF, and are sent with CR LF */
	unsigned long actions; /* CAN_ bits: the changes that the caller can make */
	/* Some recipients are refused, and others are not: true drops those that are refused for good, false refuses
	 * the message. One that is refused for now refuses the message in both cases. */
	bool drop_refused;
};

enum answered {
	ANSWERED_CONTINUE, /* with the changes */
	ANSWERED_REFUSE,   /* with the reply */
	ANSWERED_DISCARD,
	ANSWERED_NOT /* the milter is away, or something else is there; err says why */
};

struct answer {
	unsigned code;                /* of the reply: 400 to 599 */
	struct slice enhanced, text;  /* "" when the milter gave none; the lines of the text are joined by a space */
	const struct change *changes; /* in the order in which they must be made; of CHANGE_INSERT `index` is the place
				       * from the top, 0 above all. Pieces of a new body are in `body` */
	size_t change_count;
	struct spool *body;      /* the new body, with CR LF; NULL: the body stays */
	const bool *refused;     /* of each recipient; they are to be dropped when the message goes on */
	struct slice quarantine; /* the reason; p is NULL when there is none */
};

/* Texts live in the arena. */
enum answered milter_ask(const struct listen_address *, const struct question *, struct arena *,
			 struct answer *answer_r, struct error *err);

#endif
