/*
 * rspamc_private.h - what the files of the rspamc door share.
 *
 * A request comes in pieces: the lines of its head, then the bytes of the message.
 */
#ifndef SEKISHO_DOORS_RSPAMC_PRIVATE_H
#define SEKISHO_DOORS_RSPAMC_PRIVATE_H

#include "incoming.h"
#include "server.h"

#define PIECE_MAX      (64 * 1024)              /* bytes; also of one line of the head */
#define HEAD_MAX       (4 * 1024 * 1024)        /* bytes; 10,000 recipients with the longest addresses */
#define MESSAGE_LENGTH (512 * 1024 * 1024)      /* bytes; mail servers take 10 to 50 MB */
#define REQUEST_US     (120 * INT64_C(1000000)) /* until the request is complete; Exim waits as long */
#define ANSWER_MAX     8000                     /* bytes; Exim 4.96 is not safe with very long ones */

/* ---- head.c: the lines before the message ------------------------------------------------------ */

struct head {
	struct arena *arena;
	size_t bytes;
	bool began; /* the first line was there */
	bool complete;
	struct slice from, helo, hostname, ip, user, queue_id; /* p is NULL: not given */
	struct slice *rcpts;
	size_t rcpt_count, rcpt_room;
	struct slice rcpt_number, length_text;
	uint64_t length; /* of the message, once the head is complete */
};

/* The bytes of all whole lines at the start, up to the empty line; 0: there is none; FRAME_INVALID: no request begins
 * so. */
size_t head_frame(const struct head *, struct slice bytes);
/* Takes whole lines. 0, or -1: it is not a valid request. */
int head_take(struct head *, struct slice lines);

/* ---- door.c ------------------------------------------------------------------------------------------ */

struct rspamc {
	struct server *server;
	struct door_host *host;
};
extern const struct server_protocol rspamc_protocol; /* its door is a struct rspamc */

/* ---- answer.c -------------------------------------------------------------------------------------- */

/* The answer for what gate_end said. False: the changes do not fit, and the answer is to defer. */
bool answer_print(struct gate *, enum gate_answer, struct slice received, struct text *answer);

#endif
