/*
 * incoming.h - a message as a mail server has stored it, for doors that get it so: an mbox or the message alone, with
 * LF or CRLF. It goes on to a gate as the client sent it: without the lines of the mbox and the Received field of the
 * mail server itself, and with CRLF. Bytes come in any pieces; only the header is kept, and it is bounded.
 */
#ifndef SEKISHO_INCOMING_H
#define SEKISHO_INCOMING_H

#include "engine.h"

struct incoming {
	struct gate *gate;
	struct arena *arena;
	struct slice received; /* the value of the mail server's own field; p is NULL: none so far. In the arena */
	/* private */
	char *header; /* collected until it is complete, then NULL */
	size_t n, room;
	bool in_body, after_cr; /* after_cr: the last byte of the body was a CR */
};

void incoming_begin(struct incoming *, struct gate *, struct arena *); /* both outlive it. incoming_free() it */
void incoming_take(struct incoming *, struct slice bytes);
void incoming_end(struct incoming *); /* the message is complete */
void incoming_free(struct incoming *);

#endif
