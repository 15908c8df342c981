/*
 * incoming.c - a stored message on its way to the gate. Contract: incoming.h.
 */
#include "incoming.h"
#include <stdlib.h>

/* The lines of an mbox before the header name all recipients. A longer header is beyond what the gate takes, too. */
#define HEADER_ROOM   (HEADER_BYTES_MAX + 4 * 1024 * 1024)
#define CONVERTED_MAX (16 * 1024) /* of the body, handed on at once */

/* ---- the header ------------------------------------------------------------------------------ */

static bool cut_line(struct slice *text, const char *begin)
{
	struct slice line;

	if (!slice_starts_nocase(*text, slice_of(begin)) || slice_find(*text, '\n') < 0)
		return false;
	return slice_cut(text, '\n', &line);
}

/* As Exim writes them; what looks like them later are fields of the client. */
static void cut_mbox(struct slice *text)
{
	if (!cut_line(text, "From "))
		return;
	cut_line(text, "X-Envelope-From: ");
	cut_line(text, "X-Envelope-To: ");
}

/* Where the header ends: after its empty line; 0: not yet. `from`: what was searched before. */
static size_t header_end(const struct incoming *incoming, size_t from)
{
	for (size_t i = from > 2 ? from - 2 : 0; i + 1 < incoming->n; i++) {
		const char *next = incoming->header + i + 1;

		if (incoming->header[i] != '\n')
			continue;
		if (*next == '\n')
			return i + 2;
		if (*next == '\r' && i + 2 < incoming->n && next[1] == '\n')
			return i + 3;
	}
	return 0;
}

static void give_header(struct incoming *incoming, struct slice *rest)
{
	struct arena *arena = arena_new();
	struct slice name, value;

	cut_mbox(rest);
	while (message_next_field(rest, arena, &name, &value)) {
		if (!incoming->received.p && slice_equal_nocase(slice_trim(name), SLICE("Received")))
			incoming->received = (struct slice){arena_cstring(incoming->arena, value), value.n};
		else
			gate_header(incoming->gate, name, value);
	}
	arena_free(arena);
}

/* ---- the body --------------------------------------------------------------------------------- */

/* With CRLF, as it came by SMTP. */
static void give_body(struct incoming *incoming, struct slice bytes)
{
	char converted[CONVERTED_MAX];
	size_t n = 0;

	for (size_t i = 0; i < bytes.n; i++) {
		if (n + 2 > sizeof(converted)) {
			gate_body(incoming->gate, (struct slice){converted, n});
			n = 0;
		}
		if (bytes.p[i] == '\n' && !incoming->after_cr)
			converted[n++] = '\r';
		converted[n++] = bytes.p[i];
		incoming->after_cr = bytes.p[i] == '\r';
	}
	if (n > 0)
		gate_body(incoming->gate, (struct slice){converted, n});
}

static void header_complete(struct incoming *incoming)
{
	struct slice rest = {incoming->header, incoming->n};

	incoming->in_body = true;
	give_header(incoming, &rest);
	give_body(incoming, rest);
	free(incoming->header);
	incoming->header = NULL;
}

static void collect(struct incoming *incoming, struct slice bytes)
{
	if (incoming->n + bytes.n > incoming->room) {
		incoming->room = 2 * (incoming->n + bytes.n);
		incoming->header = xrealloc(incoming->header, incoming->room);
	}
	memcpy(incoming->header + incoming->n, bytes.p, bytes.n);
	incoming->n += bytes.n;
}

void incoming_begin(struct incoming *incoming, struct gate *gate, struct arena *arena)
{
	*incoming = (struct incoming){.gate = gate, .arena = arena};
}

void incoming_take(struct incoming *incoming, struct slice bytes)
{
	size_t before = incoming->n;

	if (incoming->in_body) {
		give_body(incoming, bytes);
		return;
	}
	if (bytes.n > 0)
		collect(incoming, bytes);
	if (header_end(incoming, before) > 0 || incoming->n > HEADER_ROOM)
		header_complete(incoming);
}

void incoming_end(struct incoming *incoming)
{
	if (!incoming->in_body)
		header_complete(incoming);
}

void incoming_free(struct incoming *incoming)
{
	free(incoming->header);
}
