/*
 * packet.h - packets of the milter protocol, for both of its sides.
 *
 * A packet is four bytes of length, most significant first; one letter; length - 1 bytes of data. Numbers in the data
 * have four bytes in the same order, texts end in NUL. native_private.h lists the letters.
 */
#ifndef SEKISHO_PACKET_H
#define SEKISHO_PACKET_H

#include "base.h"

#define PACKET_HEAD 5 /* length and letter */

/* The longest packet. MTAs cut bodies at 64 KB, a field may be longer; the engine takes 1 MB of header. */
#define PACKET_MAX (1024 * 1024 + 64 * 1024)

/* Packets on their way out, in one buffer, so that all of a step are one write. {NULL} is an empty one. */
struct out {
	char *p;
	size_t n, room;
};

void out_packet(struct out *, char letter, const struct slice *parts, size_t count);
void out_empty(struct out *); /* gives back the memory of an unusually large one */
void out_free(struct out *);

struct slice packet_number(uint32_t number, char buffer[4]); /* the slice lives in buffer */
uint32_t packet_number_at(struct slice data, size_t at);     /* of four bytes that are there */
struct slice packet_text(const char *text);                  /* with its NUL */

#endif
