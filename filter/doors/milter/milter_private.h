/*
 * milter_private.h - what the files of the milter room share.
 *
 * Threads: main waits for signals and does nothing else (signals.c). The keeper
 * does what takes time: reloading, list files, draining, progress. The control
 * thread answers `sekisho reload` and `status`. One thread runs smfi_main; the
 * callbacks run on libmilter's own threads.
 */
#ifndef SEKISHO_MILTER_PRIVATE_H
#define SEKISHO_MILTER_PRIVATE_H

#include "milter.h"
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#define UNIX_PATH_MAX sizeof(((struct sockaddr_un *)NULL)->sun_path) /* with the NUL */
#define LISTEN_BACKLOG                                                                                                 \
	512           /* connections that wait for accept; mail servers open them in bursts. The kernel bounds it too */
#define NAME_TEXT 256 /* host and daemon names we keep: RFC 1035 allows 253, the rest is cut */

/* ---- unix.c: sockets with a path --------------------------------------------- */

struct unix_socket {
	int fd;
	char path[UNIX_PATH_MAX]; /* "": no file of ours */
	dev_t device;
	ino_t inode;
};

/* Binds and listens. Nobody can connect before mode and owner are as asked ((uid_t)-1, (gid_t)-1: left as
 * they are). A file that nobody listens on is replaced; a live socket, and what is no socket, is an error. */
int unix_listen(const char *path, mode_t mode, uid_t uid, gid_t gid, struct unix_socket *socket_r, struct error *);
void unix_remove(struct unix_socket *); /* the file, if it is still ours; the descriptor stays open */
int unix_connect(const char *path);     /* a connected descriptor, or -1 and errno */

/* ---- listen.c: where MTAs come in ---------------------------------------------- */

enum listen_family { LISTEN_UNIX, LISTEN_INET, LISTEN_INET6, LISTEN_FD };

struct listen_address {
	enum listen_family family;
	char path[UNIX_PATH_MAX];
	char host[NAME_TEXT]; /* "": every address */
	unsigned port;
	int fd;
};

struct listener {
	struct unix_socket socket; /* its path is "" for a network address and for an inherited socket */
	int wall; /* what comes into its place at the end, made while we may still be root; -1: it could not be made */
};

int listen_parse(struct slice text, struct listen_address *address_r, struct error *);
int listener_open(const struct listen_address *, mode_t mode, uid_t uid, gid_t gid, struct listener *listener_r,
		  struct error *);
int listener_block(struct listener *, struct error *); /* from now on nobody can come in; the descriptor number stays */

/* ---- privileges.c -------------------------------------------------------------- */

struct identity {
	bool change; /* we are root and become somebody else */
	uid_t uid;   /* (uid_t)-1: as we are */
	gid_t gid;   /* (gid_t)-1: as we are */
	char user[NAME_TEXT];
};

int identity_find(struct slice user, struct slice group, struct identity *identity_r, struct error *);
int identity_take(const struct identity *, struct error *); /* for good */
int group_find(struct slice group, gid_t *gid_r, struct error *);

/* ---- negotiate.c: what is asked of the MTA --------------------------------------- */

/* What the compiled policy wants of a session. */
struct wishes {
	bool body;       /* somebody reads it */
	bool reply_mail; /* a rule may answer MAIL */
	bool reply_rcpt;
};

struct terms {
	unsigned long actions; /* SMFIF_ */
	unsigned long steps;   /* SMFIP_ */
	bool leading_space;    /* header values come and go with it */
	bool skip_body;        /* the MTA sends a body that nobody reads, and can be told to stop */
};

struct terms negotiate_terms(struct wishes, unsigned long offered_actions, unsigned long offered_steps);

/* ---- macros.c: what the MTA tells beside the command ------------------------------- */

struct connect_macros { /* NULL: the MTA did not send it */
	const char *client_name, *client_resolve;
	const char *daemon_name, *daemon_port;
};

struct client {
	struct ip ip;
	unsigned port;
	char name[NAME_TEXT];
	char daemon_name[NAME_TEXT];
	unsigned daemon_port;
	bool local_program;
};

void macros_ask(SMFICTX *);
struct slice macro_read(SMFICTX *, const char *name); /* "" when there is none; lives until the callback returns */
struct connect_macros macros_of_connect(SMFICTX *);

/* Who is at the other end. `host` and `address` are what xxfi_connect got. */
void client_read(const char *host, const struct sockaddr *address, const struct connect_macros *,
		 struct client *client_r);
/* Takes the daemon's name and port when they were not known before; true when there was news. */
bool client_complete(struct client *, const struct connect_macros *);

/* ---- reply.c --------------------------------------------------------------------------- */

/* A reply as libmilter wants it. */
struct reply_text {
	char code[4];
	char enhanced[12];
	char *lines[REPLY_LINES_MAX + 1]; /* NULL behind the last */
	size_t count;
};

void reply_write(const struct reply *, struct arena *, struct reply_text *text_r);
sfsistat reply_send(SMFICTX *, const struct reply *); /* sets it, and says what the callback returns */
struct reply *reply_copy(const struct reply *, struct arena *);

/* ---- the running daemon ------------------------------------------------------------------ */

struct conn;

#define EVENT_RELOAD 1u
#define EVENT_REOPEN 2u
#define EVENT_DRAIN  4u
#define EVENT_END    8u

struct daemon {
	const char *config_file;
	int64_t started_us; /* clock_us */
	struct listener listener;
	struct unix_socket control;
	struct report *report;
	struct counters counters;
	struct settings startup; /* those that need a restart; texts belong to startup_policy */
	struct policy *startup_policy;

	pthread_mutex_t lock;  /* of what follows */
	struct engine *engine; /* for sessions that begin now */
	struct conn *conns;
	unsigned events;
	pthread_cond_t wake;

	pthread_mutex_t reloading; /* one reload at a time */
	pthread_rwlock_t door;     /* read: a callback runs; written: none will ever run again */
	_Atomic unsigned open;     /* messages between MAIL and their end */
	_Atomic bool failed;       /* libmilter ended by itself */
	_Atomic bool finished;     /* main goes on to the end */
	pthread_t main_thread;
};

struct engine *daemon_engine(struct daemon *);      /* held: engine_release() it */
void daemon_post(struct daemon *, unsigned events); /* to the keeper */

/* ---- signals.c ----------------------------------------------------------------------------- */

void signals_block(void);            /* before any thread */
void daemon_wait(struct daemon *);   /* in main: obeys signals until it is time to end */
void daemon_finish(struct daemon *); /* it is */

/* ---- conn.c: the sessions that are open ----------------------------------------------------- */

/* One connection of an MTA; libmilter's private data. */
struct conn {
	struct daemon *daemon;
	SMFICTX *ctx;
	struct gate *gate;
	struct wishes wishes; /* of the policy that the session began with */
	struct terms terms;
	struct client client;
	bool open;                /* between MAIL and the end of the message, as the MTA sees it */
	bool queue_id;            /* the engine knows it */
	enum gate_answer pending; /* what no command could be answered with so far */
	const struct reply *pending_reply;
	struct arena *pending_arena;     /* NULL before the first */
	int64_t busy_since, progress_at; /* clock_us; at the end of a message; under daemon->lock */
	struct conn *previous, *next;    /* under daemon->lock */
};

struct conn *conn_new(struct daemon *, SMFICTX *);
void conn_free(struct conn *);
void conn_open(struct conn *);            /* a message begins */
void conn_close(struct conn *);           /* it is over */
void conn_busy(struct conn *, bool busy); /* at the end of a message: from now on progress is reported */
void conns_progress(struct daemon *);     /* to MTAs that wait long */
void conns_free(struct daemon *);         /* all; no callback runs any more */

/* ---- callbacks.c --------------------------------------------------------------------------------- */

int callbacks_register(struct daemon *);

/* ---- reload.c, status.c: what the control socket can ask ------------------------------------------- */

/* Reads the file anew. 0, or -1 and nothing has changed. *text_r: errors and warnings for a person, NULL when
 * there are none. free() it. */
int daemon_reload(struct daemon *, char **text_r);
json_t *daemon_status(struct daemon *);

/* ---- drain.c: the keeper ------------------------------------------------------------------------------ */

void *keeper_run(void *daemon);

/* ---- control.c ------------------------------------------------------------------------------------------ */

#define CONTROL_REQUEST_MAX 4096              /* a request is one short line */
#define CONTROL_ANSWER_MAX  (4 * 1024 * 1024) /* errors of a whole policy file, with its lines */

struct control;
struct control *control_start(struct daemon *);                /* serves daemon->control in a thread of its own */
void control_stop(struct control *);                           /* NULL is allowed */
json_t *control_answer(struct daemon *, struct slice request); /* to one line; always an object with "ok" */

/* ---- line.c: one line over a socket, bounded in size and time --------------------------------------------- */

int line_read(int fd, size_t limit, int64_t until_us,
	      struct slice *line_r); /* free((char *)line_r->p); 0, or -1 and errno */
int line_write(int fd, struct slice text, int64_t until_us);

#endif
