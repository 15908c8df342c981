/*
 * packet.c - packets on their way out, and what is in them. Contract: packet.h.
 */
#include "packet.h"
#include <arpa/inet.h>
#include <stdlib.h>

#define ROOM_FIRST 4096
#define ROOM_KEPT  (64 * 1024) /* more than this is given back */

static void make_room(struct out *out, size_t n)
{
	size_t room = out->room ? out->room : ROOM_FIRST;

	if (out->room - out->n >= n)
		return;
	while (room - out->n < n)
		room *= 2;
	out->p = xrealloc(out->p, room);
	out->room = room;
}

void out_packet(struct out *out, char letter, const struct slice *parts, size_t count)
{
	size_t n = 1;
	uint32_t length;
	char *end;

	for (size_t i = 0; i < count; i++)
		n += parts[i].n;
	make_room(out, sizeof(length) + n);
	length = htonl((uint32_t)n);
	end = mempcpy(out->p + out->n, &length, sizeof(length));
	*end++ = letter;
	for (size_t i = 0; i < count; i++)
		if (parts[i].n > 0)
			end = mempcpy(end, parts[i].p, parts[i].n);
	out->n = (size_t)(end - out->p);
}

void out_empty(struct out *out)
{
	out->n = 0;
	if (out->room > ROOM_KEPT)
		out_free(out);
}

void out_free(struct out *out)
{
	free(out->p);
	*out = (struct out){NULL};
}

struct slice packet_number(uint32_t number, char buffer[4])
{
	number = htonl(number);
	memcpy(buffer, &number, 4);
	return (struct slice){buffer, 4};
}

uint32_t packet_number_at(struct slice data, size_t at)
{
	uint32_t number;

	memcpy(&number, data.p + at, sizeof(number));
	return ntohl(number);
}

struct slice packet_text(const char *text)
{
	return (struct slice){text, strlen(text) + 1};
}
