/*
 * link.h - the mail server's end of one connection to one milter: packets, buffered as Postfix does, and what was
 * negotiated.
 */
#ifndef LINK_H
#define LINK_H

#include "talk.h"

#define BUFFER   4096 /* what Postfix collects for a local socket */
#define MACROS_N 320

/* What a milter may leave out, and what it may leave unanswered (libmilter/mfdef.h). */
enum {
	NO_CONNECT = 0x1,
	NO_HELO = 0x2,
	NO_MAIL = 0x4,
	NO_RCPT = 0x8,
	NO_BODY = 0x10,
	NO_HEADERS = 0x20,
	NO_EOH = 0x40,
	MUTE_HEADER = 0x80,
	NO_DATA = 0x200,
	MUTE_CONNECT = 0x1000,
	MUTE_HELO = 0x2000,
	MUTE_MAIL = 0x4000,
	MUTE_RCPT = 0x8000,
	MUTE_DATA = 0x10000,
	MUTE_EOH = 0x40000,
	MUTE_BODY = 0x80000,
	LEADING_SPACE = 0x100000,
};

enum step { CONNECT, HELO, MAIL, RCPT, DATA, END, EOH, HEADER, BODY, STEP_COUNT };

struct macros {
	size_t n;
	char bytes[MACROS_N]; /* as the packet has them */
};

struct link {
	int fd;
	uint32_t steps;
	bool accepted;         /* the rest of this message is not for it */
	bool accepted_session; /* nor the rest of the session */
	bool skipped;          /* it has seen enough of the body */
	struct macros macros[STEP_COUNT];
	size_t used;
	unsigned char *reply;
	size_t reply_size;
	size_t in_at, in_n;
	char buffer[BUFFER], in[BUFFER]; /* written, read; the last: they need not be cleared */
};

/* Connects and negotiates; whatever goes wrong ends the process. */
void link_open(struct link *, const char *path);
void link_close(struct link *);

void link_flush(struct link *);
void link_packet(struct link *, char command, const void *p, size_t n);
void link_packet_pair(struct link *, char command, const char *first, const char *second);
void link_macros(struct link *, enum step); /* those that go before the step */
char link_step(enum step);                  /* its letter */

/* The next answer's letter; the rest of it is in link->reply, followed by a NUL. */
char link_reply(struct link *);
/* What an answer says that ends a step or the message; one that says nothing of it ends the process. */
enum outcome link_outcome(struct link *, char letter);
/* The verdict of a step that has been sent, or OUTCOME_ACCEPT when it has none. */
enum outcome link_verdict(struct link *, uint32_t mute);

#endif
