/*
 * door.h - a way in for mail.
 *
 * A door translates the protocol of a mail server into calls of engine.h, and does
 * nothing else. The daemon opens a listening socket for each door, starts and stops it,
 * and provides what all doors share: the engine for new sessions, and the report.
 */
#ifndef SEKISHO_DOOR_H
#define SEKISHO_DOOR_H

#include "engine.h"

#define DOOR_BACKLOG                                                                                                   \
	512 /* connections that wait for accept; mail servers open them in bursts. The kernel bounds it too */

/* Messages whose envelope the policy door has judged, and whose content comes by the rspamc door: their gates wait here
 * in between, by the queue id. For any thread. A table that is full ends the message that has waited longest. */
#define PARKED_MAX    1000
#define PARKED_US     (60 * INT64_C(1000000)) /* Exim asks one door right after the other */
#define PARKED_ID_MAX 256                     /* bytes; those of Exim have 23 */

struct parked;
struct parked *parked_new(void);
/* The table owns the gate from now on. False: it does not, because there is no table (NULL) or no usable id. */
bool parked_put(struct parked *, struct slice queue_id, struct gate *);
struct gate *parked_take(struct parked *, struct slice queue_id); /* the caller owns it; NULL: there is none */
void parked_expire(struct parked *, int64_t before_us); /* ends those that were parked before that time (clock_us) */
void parked_free(struct parked *);                      /* ends all; NULL is allowed */

/* What the daemon provides to its doors; for any thread. It outlives them. */
struct door_host {
	struct engine *(*engine)(struct door_host *); /* held, for a new session: engine_release() it */
	/* May the peer of the connection `fd`, accepted on the socket `listener` of the door, be served? */
	bool (*admits)(struct door_host *, int listener, int fd);
	void (*failed)(struct door_host *, const char *why); /* this door has stopped serving: the daemon ends */
	struct report *report;
	struct parked *parked;          /* NULL: no message is handed from one door to another */
	_Atomic unsigned messages_open; /* between MAIL and the answer to the message: draining waits for them */
};

struct door {
	const char *name;   /* the word after `listen`: "milter" */
	const char *engine; /* the word after `engine`, where several doors have the same name; NULL: the only one */
	const struct abilities *abilities; /* of every session; NULL: negotiated with the mail server, or no mail */

	/* Prepares to serve the listening socket, which the daemon keeps; does not serve yet. Returns the door's state,
	 * or NULL and err. */
	void *(*open)(struct door_host *, int fd, struct error *err);
	/* Starts serving sessions, in the door's own threads. 0, or -1 and err. */
	int (*start)(void *state, struct error *err);
	/* Closes the listening socket: who connects is refused, or waits for the next daemon if systemd holds the
	 * socket, too. Sessions go on. NULL: a door whose library cannot do that; the daemon then puts another
	 * socket, which nobody can reach, in its place. */
	void (*drain)(void *state);
	/* Called every few seconds; must not block. Tells mail servers that wait long that we are still working. */
	void (*progress)(void *state);
	/* After it, no session calls the engine. False when some call did not return until `until_us` (clock_us): then
	 * nothing that it may use can be freed. */
	bool (*stop)(void *state, int64_t until_us);
	/* After stop: messages that are still open get their records. */
	void (*close)(void *state);
};

extern const struct door milter_door;    /* libmilter */
extern const struct door native_door;    /* the milter protocol, spoken by ourselves */
extern const struct door policy_door;    /* Postfix's policy delegation, also for Exim's ${readsocket} */
extern const struct door rspamc_door;    /* Exim's spam condition, variant=rspamd */
extern const struct door socketmap_door; /* look-ups for Sendmail and Postfix */
extern const struct door srs_forward_door, srs_reverse_door; /* SRS as tcp tables of Postfix */

#endif
