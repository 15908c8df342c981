/*
 * door.h - a way in for mail.
 *
 * A door turns the protocol of a mail server into calls of engine.h, and does nothing
 * else. The daemon opens a listening socket for each door, starts and stops it, and
 * lends it what all doors share: the engine for new sessions, and the report.
 */
#ifndef SEKISHO_DOOR_H
#define SEKISHO_DOOR_H

#include "engine.h"

#define DOOR_BACKLOG                                                                                                   \
	512 /* connections that wait for accept; mail servers open them in bursts. The kernel bounds it too */

/* What the daemon lends to its doors; any thread. It outlives them. */
struct door_host {
	struct engine *(*engine)(struct door_host *); /* held, for a session that begins now: engine_release() it */
	bool (*admits)(struct door_host *, int fd); /* may whoever is at the other end of this connection be served? */
	void (*failed)(struct door_host *, const char *why); /* this door serves nobody any more: the daemon ends */
	struct report *report;
	_Atomic unsigned messages_open; /* between MAIL and the answer to the message: draining waits for them */
};

struct door {
	const char *name; /* "milter" */

	/* Prepares to serve the listening socket, which stays the daemon's; nobody is served yet. The door's state, or
	 * NULL and err. */
	void *(*open)(struct door_host *, int fd, struct error *err);
	/* Sessions are served from now on, in threads of the door's own. 0, or -1 and err. */
	int (*start)(void *state, struct error *err);
	/* Called every few seconds, and must not block: mail servers that wait long are told that we are still there.
	 */
	void (*progress)(void *state);
	/* From now on no session calls the engine. False when some call did not come back until `until_us` (clock_us):
	 * then nothing that it may use can be taken down. */
	bool (*stop)(void *state, int64_t until_us);
	/* After stop: messages that are still open get their records. */
	void (*close)(void *state);
};

extern const struct door milter_door; /* libmilter */

#endif
