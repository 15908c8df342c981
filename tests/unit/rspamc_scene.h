/*
 * rspamc_scene.h - the rspamc door without a socket: bytes go in as they would from a connection, in any pieces.
 */
#ifndef SEKISHO_TEST_RSPAMC_SCENE_H
#define SEKISHO_TEST_RSPAMC_SCENE_H

#include "../fuzz/door_host.h"
#include "../../filter/doors/rspamc/rspamc_private.h"

struct served {
	char answer[SERVER_ANSWER_MAX + 1]; /* NUL-terminated */
	size_t n;
	bool invalid;  /* the connection was closed without an answer */
	bool answered; /* else more bytes are expected */
	size_t unread; /* bytes that came after the request */
};

/* As server.c does: `piece` bytes arrive at a time. */
static inline void serve(struct door_host *host, struct slice bytes, size_t piece, bool sent, struct served *served_r)
{
	static char in[PIECE_MAX];
	struct rspamc door = {.host = host};
	struct server_peer peer = {NULL};
	struct arena *arena = arena_new();
	struct text answer;
	size_t n = 0, frame;
	bool open = true;

	memset(served_r, 0, sizeof(*served_r));
	text_init(&answer, arena, SERVER_ANSWER_MAX);
	while (open && answer.n == 0 && bytes.n > 0) {
		size_t taken = bytes.n < piece ? bytes.n : piece;

		taken = taken < sizeof(in) - n ? taken : sizeof(in) - n;
		memcpy(in + n, bytes.p, taken);
		n += taken;
		bytes = slice_from(bytes, taken);
		while (open && n > 0 && (frame = rspamc_protocol.frame_next(&peer, (struct slice){in, n})) > 0) {
			open = frame != FRAME_INVALID &&
			       rspamc_protocol.answer(&door, &peer, (struct slice){in, frame}, &answer);
			n -= open || frame != FRAME_INVALID ? frame : n;
			memmove(in, in + frame * (frame != FRAME_INVALID), n);
		}
		open = open && n < sizeof(in);
	}
	if (answer.n > 0)
		rspamc_protocol.answered(&door, &peer, sent);
	rspamc_protocol.closed(&door, &peer);
	memcpy(served_r->answer, answer.n ? answer.p : "", answer.n);
	served_r->n = answer.n;
	served_r->answered = answer.n > 0;
	served_r->invalid = !open && answer.n == 0;
	served_r->unread = n + bytes.n;
	arena_free(arena);
}

#endif
