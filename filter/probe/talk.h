/*
 * talk.h - one connection with a deadline: plain TCP, or TLS from some point on.
 */
#ifndef SEKISHO_PROBE_TALK_H
#define SEKISHO_PROBE_TALK_H

#include "probe.h"
#include <openssl/ssl.h>

#define TALK_BUFFER 4096

struct talk {
	struct arena *arena;
	int64_t until_us;
	int fd;            /* -1: not connected */
	SSL *ssl;          /* NULL: plain */
	struct slice why;  /* why the last call failed */
	size_t start, end; /* of what was received and not read */
	char buffer[TALK_BUFFER];
};

/* Each returns 0, or -1 and talk->why. */
int talk_connect(struct talk *, struct ip, unsigned port);
int talk_send(struct talk *, struct slice);
int talk_line(struct talk *, struct text *line); /* without its end; a longer line than the limit of `line` fails */
int talk_tls(struct talk *, SSL *);              /* the handshake; takes over the SSL */
void talk_close(struct talk *);
bool talk_pending(const struct talk *); /* was more received than read? */

/* Waits for the socket. 0, or -1: the deadline is over. */
int talk_wait(int fd, short events, int64_t until_us);

#endif
