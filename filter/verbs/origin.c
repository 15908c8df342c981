/*
 * origin.c - reads Return-Path (RFC 5321 4.4) and the topmost Received field of a stored message. The last server wrote
 * both; what is below them came from others.
 */
#include "origin.h"

void origin_read(struct slice message, struct arena *arena, struct origin *origin_r)
{
	struct slice name, value;
	struct received received;
	bool topmost = true;

	*origin_r = (struct origin){0};
	while (message_next_field(&message, arena, &name, &value)) {
		bool is_received = slice_equal_nocase(name, SLICE("Received"));

		if (slice_equal_nocase(name, SLICE("Return-Path")) && !origin_r->has_sender && topmost) {
			origin_r->has_sender = true;
			origin_r->sender = arena_cstring(arena, header_unfold(value, arena));
		}
		if (!is_received)
			continue;
		if (topmost && received_parse(value, arena, &received) && received.ip.family) {
			char buffer[IP_TEXT];
			origin_r->has_client = true;
			origin_r->client = received.ip;
			origin_r->client_text = arena_cstring(arena, ip_print(received.ip, buffer));
			origin_r->helo = received.helo.n ? arena_cstring(arena, received.helo) : NULL;
		}
		topmost = false;
	}
}
