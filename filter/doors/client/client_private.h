/*
 * client_private.h - what the files of the client of the milter protocol share.
 */
#ifndef SEKISHO_CLIENT_PRIVATE_H
#define SEKISHO_CLIENT_PRIVATE_H

#include "milter_client.h"
#include "packet.h"

/* ---- wire.c: packets over a socket ------------------------------------------------------------- */

struct wire {
	int fd; /* -1: none */
	int64_t until_us;
	size_t left; /* bytes that may still arrive */
	struct out out;
	struct arena *arena; /* of what arrives */
	struct error *err;
};

int wire_open(struct wire *, const struct listen_address *, struct arena *, struct error *err);
void wire_close(struct wire *);
/* Added to what goes out; some of it may be sent. 0, or -1 and err. */
int wire_put(struct wire *, char letter, const struct slice *parts, size_t count);
/* Sends everything, and waits for a packet. 0, or -1 and err. The data live in the arena. */
int wire_get(struct wire *, char *letter_r, struct slice *data_r);
int wire_flush(struct wire *);

/* ---- take.c: what a milter answers -------------------------------------------------------------- */

/* A reply "550-5.7.1 one CR LF 550 5.7.1 two", its text NUL-terminated. 0, or -1: it is not one. */
int take_reply(struct slice data, struct arena *, struct answer *answer_r);

struct taking {
	struct arena *arena;
	struct change *changes;
	size_t count, room;
	struct spool *body;
	struct slice quarantine;
};

/* A request that comes before the answer to the end of a message. 0, or -1 and err: no milter sends it. */
int take_request(struct taking *, char letter, struct slice data, struct error *err);

#endif
