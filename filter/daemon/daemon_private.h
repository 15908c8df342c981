/*
 * daemon_private.h - what the files of the daemon share.
 *
 * Threads: main waits for signals and does nothing else (signals.c). The keeper
 * does what takes time: reloading, list files, draining, progress. The control
 * thread answers `sekisho reload` and `status`. The tender tests DNS lists, which takes as long as the DNS does. Doors
 * have threads of their own.
 */
#ifndef SEKISHO_DAEMON_PRIVATE_H
#define SEKISHO_DAEMON_PRIVATE_H

#include "daemon.h"
#include "json.h"
#include "reports.h"
#include "web.h"
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#define UNIX_PATH_MAX sizeof(((struct sockaddr_un *)NULL)->sun_path) /* with the NUL */
#define NAME_TEXT     256 /* of a user or group; the system allows 32 by default */

/* ---- unix.c: sockets with a path --------------------------------------------- */

struct unix_socket {
	int fd;
	char path[UNIX_PATH_MAX]; /* "": no file of ours */
	dev_t device;
	ino_t inode;
	bool lent; /* the daemon before us has not handed over yet: the file is its own */
};

/* Binds and listens. Nobody can connect before mode and owner are as asked ((uid_t)-1, (gid_t)-1: left as
 * they are). A file that nobody listens on is replaced; a live socket, and what is not a socket, is an error. */
int unix_listen(const char *path, mode_t mode, uid_t uid, gid_t gid, struct unix_socket *socket_r, struct error *);
int unix_mode(const struct unix_socket *, mode_t, struct error *); /* changes that of the file, if it is still ours */
/* A socket that another daemon made, which lends it. False: it is not that of this path. */
bool unix_adopt(const char *path, int fd, struct unix_socket *socket_r);
void unix_forget(struct unix_socket *); /* its file is another's now */
void unix_remove(struct unix_socket *); /* the file, if it is ours, and not lent; the descriptor stays open */
int unix_connect(const char *path);     /* a connected descriptor, or -1 and errno */

/* ---- listen.c: where mail servers connect ---------------------------------------- */

struct listener {
	struct unix_socket socket; /* its path is "" for a network address and for an inherited socket */
	/* For doors that cannot close it: takes its place while draining, created while we are still root; -1: it could
	 * not be created */
	int dead_fd;
};

/* `taken`: a socket of the daemon before us with this address, which becomes ours (takeover.c); -1: none. */
int listener_open(const struct listen_address *, mode_t mode, uid_t uid, gid_t gid, int taken,
		  struct listener *listener_r, struct error *);
int listener_block(struct listener *, struct error *); /* from now on nobody can connect; the descriptor number stays */

/* ---- privileges.c -------------------------------------------------------------- */

struct identity {
	bool change; /* we are root and change to another user */
	uid_t uid;   /* (uid_t)-1: unchanged */
	gid_t gid;   /* (gid_t)-1: unchanged */
	char user[NAME_TEXT];
};

int identity_find(struct slice user, struct slice group, struct identity *identity_r, struct error *);
int identity_take(const struct identity *, struct error *); /* permanently */
int group_find(struct slice group, gid_t *gid_r, struct error *);

/* ---- state.c: what the threads share ------------------------------------------------ */

#define EVENT_RELOAD    1u
#define EVENT_DRAIN     2u
#define EVENT_END       4u
#define EVENT_HAND_OVER 8u

#define ADMITTED_MAX (LISTEN_USERS_MAX + 8) /* root, ourselves, and the users that mail servers have */

/* A `listen`: a door with its socket. */
struct entrance {
	const struct door *door;
	struct listener listener;
	struct slice text;            /* of the address; belongs to startup_policy */
	void *state;                  /* of the door; NULL while it is not open */
	uid_t admitted[ADMITTED_MAX]; /* users whose programs may connect, if it is a network socket */
	size_t admitted_count;
	_Atomic int64_t refused_said_us; /* when the log last said that another user tried */
};

struct daemon {
	struct door_host host; /* first: a door's host is its daemon */
	const char *config_file;
	int64_t started_us;              /* clock_us */
	const struct door *const *doors; /* all there are, then NULL */
	struct entrance entrances[LISTEN_MAX];
	size_t entrance_count;
	struct unix_socket control;
	struct listener web_listener; /* its descriptor is -1 without `web` */
	struct web_host web_host;
	struct web *web; /* NULL: none */
	struct counters counters;
	struct settings startup; /* those that need a restart; texts belong to startup_policy */
	struct policy *startup_policy;
	struct history *history;             /* NULL: none */
	struct store *_Atomic store;         /* NULL: nothing has needed one so far. It stays until the end */
	struct mailer *_Atomic mailer;       /* likewise */
	struct aggregate *_Atomic aggregate; /* likewise: what is collected for DMARC reports */

	struct report_thread *report_thread; /* NULL: it could not be started */
	struct report_counters report_counters;

	pthread_mutex_t lock;  /* of what follows */
	struct engine *engine; /* for sessions that begin now */
	unsigned events;
	pthread_cond_t wake;

	bool takes_over;           /* as --take-over says */
	struct takeover *takeover; /* of the daemon before us; NULL: none */
	_Atomic int hand_over_s;   /* how long sessions may go on when another daemon has taken our sockets */
	_Atomic bool handed_over;  /* one has */
	pthread_mutex_t reloading; /* one reload at a time */
	_Atomic uint64_t reloads, reloads_failed;
	_Atomic bool draining;
	_Atomic bool failed;   /* a door ended by itself */
	_Atomic bool finished; /* main goes on to the end */
	pthread_t main_thread;
};

void daemon_init(struct daemon *, const char *config_file);
struct engine *daemon_engine(struct daemon *);            /* held: engine_release() it */
void daemon_engine_set(struct daemon *, struct engine *); /* takes ownership, and releases the old one */
void daemon_post(struct daemon *, unsigned events);       /* to the keeper */
unsigned daemon_events(struct daemon *, int64_t for_us);  /* what was posted, or 0 when the time has passed */
bool thread_join_until(pthread_t, int64_t until_us);      /* false: it still runs, and cannot be joined any more */
void daemon_finish(struct daemon *);                      /* time to end: wakes main */

/* ---- admit.c ---------------------------------------------------------------------- */

/* Whom to admit; once privileges are dropped. */
void admit_users(struct entrance *, const struct listen_setting *);
bool daemon_admits(struct daemon *, int listener, int fd);

/* ---- start.c ---------------------------------------------------------------------- */

int daemon_start(struct daemon *); /* everything before the threads. 0, or the exit code: stderr says why */
int start_failed(int code, const struct error *); /* prints it on stderr; returns `code` */

/* ---- signals.c ----------------------------------------------------------------------------- */

void signals_block(void);          /* before any thread */
void daemon_wait(struct daemon *); /* in main: obeys signals until it is time to end */

/* ---- takeover.c: an upgrade --------------------------------------------------------------------------- */

/* Asks the daemon that runs with this control socket for its sockets. 0, also when none runs; -1 and err. */
int takeover_ask(struct daemon *, const char *path, const struct identity *, struct error *err);
/* The one of that name, "KINDADDRESS", or -1; the caller's from now on. */
int takeover_socket(struct daemon *, const char *kind, struct slice address);
/* Where two processes cannot share the store or the history: returns when the old daemon has ended. 0, or -1 and err.
 */
int takeover_wait(struct daemon *, const struct policy *, struct error *err);
void takeover_finish(struct daemon *); /* we serve: the old daemon is told to hand over */
void takeover_free(struct daemon *);

/* The other side: commands of the control socket. */
json_t *takeover_sockets(struct daemon *, const json_t *request);
json_t *takeover_hand_over(struct daemon *, const json_t *request);
int takeover_send(struct daemon *, int fd, char first); /* one byte, and with it the descriptors of our sockets */

/* ---- reload.c, status.c: requests of the control socket ------------------------------------------- */

/* Reads the file again. 0, or -1 and nothing has changed. *text_r: errors and warnings for a person, NULL when
 * there are none. free() it. */
int daemon_reload(struct daemon *, char **text_r);
json_t *daemon_status(struct daemon *);

/* ---- store.c ------------------------------------------------------------------------------------------ */

/* Opens the store unless it is open, or the policy needs none; once the privileges are dropped, one thread at a time.
 * 0, or -1 and err. */
int daemon_store_open(struct daemon *, const struct policy *, struct error *err);
void daemon_store_report(struct daemon *);    /* logs its messages; called every few seconds */
void daemon_store_close(struct daemon *);     /* no session uses it any more */
json_t *daemon_store_status(struct daemon *); /* NULL: none is open */

/* ---- history.c ---------------------------------------------------------------------------------------- */

/* Opens the history if the policy has one; once the privileges are dropped. 0, or -1 and err. */
int daemon_history_open(struct daemon *, const struct policy *, struct error *err);
void daemon_history_report(struct daemon *);    /* logs its messages; called every few seconds */
json_t *daemon_history_status(struct daemon *); /* only if there is one */

/* ---- tend.c: a thread that tests what the policy declares outside of this host: DNS lists ----------------- */

struct tender;
struct tender *tender_start(struct daemon *, struct error *err); /* NULL and err: no thread can be started */
/* False when it did not end by `until_us` (clock_us). NULL is allowed. */
bool tender_stop(struct tender *, int64_t until_us);

/* ---- libraries.c -------------------------------------------------------------------------------------- */

/* Opens the modules that the settings need, before anything else is opened: also at a reload those of settings that
 * take effect at the next start, which would fail without them. 0, or -1 and err, which names the setting. */
int daemon_libraries(const struct policy *, struct error *err);

/* ---- mailer.c ----------------------------------------------------------------------------------------- */

/* Opens the mailer unless it is open, or the file has none; one thread at a time. 0, or -1 and err. */
int daemon_mailer_open(struct daemon *, const struct policy *, struct error *err);
void daemon_mailer_report(struct daemon *); /* logs its messages; called every few seconds */
/* No session uses it any more; waits until `until_us` for what can be sent at once. Before the store is closed. */
void daemon_mailer_close(struct daemon *, int64_t until_us);
json_t *daemon_mailer_status(struct daemon *); /* it is open */

/* ---- reports.c ---------------------------------------------------------------------------------------- */

/* Begins to collect for DMARC reports, or takes new settings, if the file has them; after the store, one thread at a
 * time. 0, or -1 and err. */
int daemon_reports_open(struct daemon *, const struct policy *, struct error *err);
void daemon_reports_report(struct daemon *);    /* logs its messages; called every few seconds */
void daemon_reports_close(struct daemon *);     /* no session uses it any more; before the store is closed */
json_t *daemon_reports_status(struct daemon *); /* something is collected */

/* ---- report_thread.c: sends them -------------------------------------------------------------------------- */

struct report_thread *report_thread_start(struct daemon *, struct error *err); /* NULL and err */
bool report_thread_stop(struct report_thread *, int64_t until_us);             /* false: left alone. NULL is allowed */

/* ---- control_send.c: requests about sending them ---------------------------------------------------------- */

json_t *control_report_send(struct daemon *, const json_t *request);
json_t *control_report_sent(struct daemon *, const json_t *request);
json_t *control_store_silent(struct daemon *); /* the answer "no": why the open store does not work */
json_t *control_report_suppressed(struct daemon *, const json_t *request);
json_t *control_report_clear(struct daemon *, const json_t *request);

/* ---- control_report.c: requests about reports ------------------------------------------------------------- */

json_t *control_report_list(struct daemon *, const json_t *request);
json_t *control_report_preview(struct daemon *, const json_t *request);

/* ---- notify.c: what the service manager is told ------------------------------------------------------------- */

/* "READY=1" and other lines of sd_notify(3). Does nothing when nobody wants to be told; never blocks. */
void notify_say(const char *lines);
void notify_main(pid_t);
void notify_reloading(void);
int64_t notify_watchdog_us(void); /* "WATCHDOG=1" is expected more often than this; 0: it is not expected */
/* ---- web.c ------------------------------------------------------------------------------------------------ */

/* Each does nothing when the file has no `web`. */
int daemon_web_listen(struct daemon *, const struct identity *, struct error *err); /* 0, or -1 and err */
int daemon_web_open(struct daemon *, struct error *err); /* once the privileges are dropped. 0, or -1 and err */
void daemon_web_start(struct daemon *);
bool daemon_web_stop(struct daemon *, int64_t until_us); /* as web_stop */
void daemon_web_close(struct daemon *);

/* ---- drain.c: the keeper ------------------------------------------------------------------------------ */

void *keeper_run(void *daemon);

/* ---- keys.c: signing keys that change over time ---------------------------------------------------------- */

struct key_watch;
struct key_watch *key_watch_start(struct daemon *, struct error *err); /* NULL and err */
bool key_watch_stop(struct key_watch *, int64_t until_us);             /* false: left alone. NULL is allowed */

/* ---- control_store.c: its requests about the store ------------------------------------------------------- */

struct slice control_text(const json_t *request, const char *name); /* "" when it is missing or not a text */
/* A key of the store as a token: keys need not be UTF-8. Parsing gives "" when it is not one. */
struct slice control_token_print(struct slice key, struct arena *);
struct slice control_token_parse(struct slice token, struct arena *);

json_t *control_store_list(struct daemon *, const json_t *request);
json_t *control_store_delete(struct daemon *, const json_t *request);
json_t *control_block(struct daemon *, const json_t *request);
json_t *control_unblock(struct daemon *, const json_t *request);
json_t *control_blocks(struct daemon *, const json_t *request);
json_t *control_logins(struct daemon *, const json_t *request);

/* ---- top.c: what `sekisho top` shows ----------------------------------------------------------------------- */

json_t *control_top(struct daemon *, const json_t *request);
json_t *daemon_messages_status(const struct counters *); /* for the status, too */

/* ---- control_list.c: its requests about dynamic lists ---------------------------------------------------- */

json_t *control_list_add(struct daemon *, const json_t *request);
json_t *control_list_remove(struct daemon *, const json_t *request);
json_t *control_list_show(struct daemon *, const json_t *request);

/* ---- peer.c: who asks --------------------------------------------------------------------------------- */

#define PEER_GROUPS_MAX 256 /* of a user with more, no supplementary group counts */

struct control_peer {
	bool owner; /* root or the user of the daemon: may ask everything */
	gid_t groups[PEER_GROUPS_MAX + 1];
	size_t group_count;
};
extern const struct control_peer control_owner;

void control_peer_read(int fd, struct control_peer *peer_r);
bool control_peer_writes(struct daemon *, const struct control_peer *, struct slice list_name);
bool control_peer_reads(struct daemon *, const struct control_peer *);   /* the status */
bool control_peer_may_ask(struct daemon *, const struct control_peer *); /* anything at all */
mode_t control_mode(const struct policy *);                              /* of the control socket */

/* ---- control.c ------------------------------------------------------------------------------------------ */

#define CONTROL_REQUEST_MAX 4096              /* a request is one short line */
#define CONTROL_ANSWER_MAX  (4 * 1024 * 1024) /* errors of a whole policy file, with its lines */

struct control;
struct control *control_start(struct daemon *); /* serves daemon->control in a thread of its own */
/* False when it did not end by `until_us` (clock_us); it is then left alone. NULL is allowed. */
bool control_stop(struct control *, int64_t until_us);
/* To one line; always an object with "ok". */
json_t *control_answer(struct daemon *, const struct control_peer *, struct slice request);

/* ---- line.c: one line over a socket, bounded in size and time --------------------------------------------- */

int line_read(int fd, size_t limit, int64_t until_us,
	      struct slice *line_r); /* free((char *)line_r->p); 0, or -1 and errno */
int line_write(int fd, struct slice text, int64_t until_us);

#endif
