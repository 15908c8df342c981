/*
 * takeover.c - an upgrade without a moment in which nobody listens: a new daemon gets the sockets of the one that
 * serves, serves on them too, and then tells it to hand over. Over the control socket of the old one:
 *
 *     {"command":"sockets"}     {"ok":true,"pid":N,"sockets":[NAME,...]}; its first byte carries as many descriptors
 *     {"command":"hand-over",   {"ok":true,"pid":N}; it accepts nobody any more, and ends when its sessions have
 *      "sessions":SECONDS}      ended, or after this time when no message is open
 *
 * Connections wait in the queue of a socket that both have: none is refused. The name of a socket is the address of a
 * `listen`, "control", or "web ADDRESS". A history, and a store in a file, belong to one process: then the new daemon
 * waits until the old one has ended before it serves. A daemon that cannot start leaves the old one as it is, with its
 * files. Of several new ones, each asks the one that serves by then.
 */
#include "daemon_private.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOCKETS_MAX     (LISTEN_MAX + 2)
#define NAME_MAX_N      (UNIX_PATH_MAX + 256) /* of a socket */
#define FD_FIRST        64 /* taken descriptors are moved up: the low ones may have been passed to us */
#define ASK_US          (10LL * 1000 * 1000)
#define SESSIONS_S      600                   /* a session lasts no longer, or what its next message gets is 451 */
#define SESSIONS_WAIT_S 5                     /* the same while the new daemon waits, and so do connections */
#define END_US          (660LL * 1000 * 1000) /* `drain` is 10 minutes at most */

struct takeover {
	char path[UNIX_PATH_MAX]; /* of the control socket */
	pid_t pid;
	bool told; /* to hand over */
	json_t *names;
	int fds[SOCKETS_MAX]; /* of the names; -1: taken */
	size_t count;
};

/* ---- the old daemon ------------------------------------------------------------------------ */

static void socket_name(const struct daemon *daemon, size_t i, struct text *name)
{
	if (i < daemon->entrance_count)
		text_printf(name, "%.*s", SLICE_ARGS(daemon->entrances[i].text));
	else if (i == daemon->entrance_count)
		text_printf(name, "control");
	else
		text_printf(name, "web %.*s", SLICE_ARGS(daemon->startup.web.text));
}

/* In the order of their names. */
static size_t sockets_list(const struct daemon *daemon, int fds_r[SOCKETS_MAX])
{
	size_t n = 0;

	for (; n < daemon->entrance_count; n++)
		fds_r[n] = daemon->entrances[n].listener.socket.fd;
	fds_r[n++] = daemon->control.fd;
	if (daemon->web_listener.socket.fd >= 0)
		fds_r[n++] = daemon->web_listener.socket.fd;
	return n;
}

json_t *takeover_sockets(struct daemon *daemon, const json_t *request)
{
	struct arena *arena = arena_new();
	json_t *names = json_array();
	int fds[SOCKETS_MAX];
	size_t n = sockets_list(daemon, fds);

	(void)request;
	for (size_t i = 0; i < n; i++) {
		struct text name;

		text_init(&name, arena, NAME_MAX_N);
		socket_name(daemon, i, &name);
		json_array_append_new(names, json_text(text_slice(&name)));
	}
	arena_free(arena);
	if (daemon->draining) {
		json_decref(names);
		return json_pack("{s:b, s:s}", "ok", 0, "error", "it is ending already");
	}
	return json_pack("{s:b, s:i, s:o}", "ok", 1, "pid", (int)getpid(), "sockets", names);
}

int takeover_send(struct daemon *daemon, int fd, char first)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * SOCKETS_MAX)];
	} control;
	int fds[SOCKETS_MAX];
	size_t n = sockets_list(daemon, fds) * sizeof(int);
	struct iovec byte = {&first, 1};
	struct msghdr message = {
	    .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = CMSG_SPACE(n)};
	struct cmsghdr *part;

	if (daemon->draining) /* since it was asked: what has their numbers now is something else */
		return -1;
	memset(&control, 0, sizeof(control));
	part = CMSG_FIRSTHDR(&message);
	*part = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n)};
	memcpy(CMSG_DATA(part), fds, n);
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -1;
}

json_t *takeover_hand_over(struct daemon *daemon, const json_t *request)
{
	const json_t *said = json_object_get(request, "sessions");
	json_int_t seconds = json_integer_value(said);

	if (!json_is_integer(said) || seconds < 0 || seconds > SESSIONS_S)
		return json_pack("{s:b, s:s}", "ok", 0, "error", "\"sessions\" is a number of seconds, 600 at most");
	daemon->hand_over_s = (int)seconds;
	daemon->handed_over = true;
	daemon_post(daemon, EVENT_HAND_OVER);
	return json_pack("{s:b, s:i}", "ok", 1, "pid", (int)getpid());
}

/* ---- the new daemon: getting the sockets ------------------------------------------------------------------ */

/* The descriptors that came with the byte; -1 and errno. Too many of them: the kernel closes the rest. */
static ssize_t receive_fds(int fd, char *byte_r, struct takeover *takeover)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * SOCKETS_MAX)];
	} control;
	struct iovec byte = {byte_r, 1};
	struct msghdr message = {
	    .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t n = poll(&ready, 1, ASK_US / 1000) == 1 ? recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) : -1;
	struct cmsghdr *part = n == 1 ? CMSG_FIRSTHDR(&message) : NULL;
	int fds[SOCKETS_MAX];

	if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
		return n;
	takeover->count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(part), takeover->count * sizeof(int));
	for (size_t i = 0; i < takeover->count; i++) {
		takeover->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FD_FIRST);
		close(fds[i]);
	}
	return n;
}

static bool is_listening(int fd)
{
	int type = 0, listening = 0;
	socklen_t n = sizeof(type), m = sizeof(listening);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &m) == 0 && listening;
}

/* The answer must name as many listening sockets as came with it. */
static int answer_take(struct takeover *takeover, json_t *answer, struct error *err)
{
	const char *why = json_string_value(json_object_get(answer, "error"));
	json_int_t pid = json_integer_value(json_object_get(answer, "pid"));
	bool good = json_is_true(json_object_get(answer, "ok")) && pid > 0 && pid <= INT32_MAX;

	takeover->names = json_incref(json_object_get(answer, "sockets"));
	takeover->pid = (pid_t)pid;
	good = good && takeover->count > 0 && json_array_size(takeover->names) == takeover->count;
	for (size_t i = 0; good && i < takeover->count; i++)
		good = is_listening(takeover->fds[i]);
	if (!good)
		error_set(
		    err,
		    "%s: the daemon that runs does not hand its sockets over: %s; end it first, and start without "
		    "--take-over",
		    takeover->path, why ? why : "its answer is not that of this version");
	return good ? 0 : -1;
}

static int sockets_ask(struct takeover *takeover, int fd, struct error *err)
{
	const struct slice request = SLICE("{\"command\":\"sockets\"}\n");
	struct arena *arena = arena_new();
	struct slice rest = SLICE("");
	struct text line;
	json_t *answer = NULL;
	char first;

	text_init(&line, arena, CONTROL_REQUEST_MAX + 1);
	if (line_write(fd, request, clock_us() + ASK_US) == 0 && receive_fds(fd, &first, takeover) == 1 &&
	    line_read(fd, CONTROL_REQUEST_MAX, clock_us() + ASK_US, &rest) == 0) {
		text_printf(&line, "%c%.*s", first, SLICE_ARGS(rest));
		answer = json_loadb(text_slice(&line).p, text_slice(&line).n, 0, NULL);
		free((char *)rest.p);
	}
	arena_free(arena);
	if (answer_take(takeover, answer, err) == 0) {
		json_decref(answer);
		return 0;
	}
	json_decref(answer);
	return -1;
}

/* A descriptor may be anything: it is taken from root, and from the user that we are or become. */
static bool peer_is_ours(int fd, const struct identity *identity)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
	       (who.uid == 0 || who.uid == geteuid() || (identity->change && who.uid == identity->uid));
}

int takeover_ask(struct daemon *daemon, const char *path, const struct identity *identity, struct error *err)
{
	struct takeover *takeover;
	int fd, result;

	if (!path[0]) {
		error_set(err, "--take-over: the file has no `control`, so a daemon that runs cannot be asked");
		return -1;
	}
	fd = unix_connect(path);
	if (fd < 0 && (errno == ENOENT || errno == ECONNREFUSED))
		return 0; /* none runs */
	if (fd < 0 || !peer_is_ours(fd, identity)) {
		error_set(err, "--take-over: %s: %s", path,
			  fd < 0 ? strerror(errno) : "the process that listens there has another user");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	takeover = xmalloc(sizeof(*takeover));
	*takeover = (struct takeover){.count = 0};
	memcpy(takeover->path, path, strlen(path) + 1);
	daemon->takeover = takeover;
	result = sockets_ask(takeover, fd, err);
	close(fd);
	return result;
}

static struct slice json_slice(const json_t *string)
{
	return string ? (struct slice){json_string_value(string), json_string_length(string)} : SLICE("");
}

int takeover_socket(struct daemon *daemon, const char *kind, struct slice address)
{
	struct takeover *takeover = daemon->takeover;
	struct arena *arena;
	struct text name;
	int fd = -1;

	if (!takeover)
		return -1;
	arena = arena_new();
	text_init(&name, arena, NAME_MAX_N);
	text_printf(&name, "%s%.*s", kind, SLICE_ARGS(address));
	for (size_t i = 0; fd < 0 && i < takeover->count; i++)
		if (takeover->fds[i] >= 0 &&
		    slice_equal(text_slice(&name), json_slice(json_array_get(takeover->names, i)))) {
			fd = takeover->fds[i];
			takeover->fds[i] = -1;
		}
	arena_free(arena);
	return fd;
}

/* ---- the new daemon: its turn -------------------------------------------------------------------------------- */

/* The files of the sockets are ours from now on. */
static void sockets_own(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->entrance_count; i++)
		daemon->entrances[i].listener.socket.lent = false;
	daemon->control.lent = false;
	daemon->web_listener.socket.lent = false;
}

static int hand_over_ask(struct daemon *daemon, int sessions_s, struct error *err)
{
	struct takeover *takeover = daemon->takeover;
	const char *why;
	json_int_t pid;
	json_t *answer;

	notify_main(getpid()); /* before the old one can end: its end would be that of the service */
	answer = control_ask_within(
	    takeover->path, json_pack("{s:s, s:i}", "command", "hand-over", "sessions", sessions_s), ASK_US, err);
	if (!json_is_true(json_object_get(answer, "ok")))
		notify_main(takeover->pid);
	if (!answer)
		return -1;
	why = json_string_value(json_object_get(answer, "error"));
	pid = json_integer_value(json_object_get(answer, "pid"));
	takeover->told = json_is_true(json_object_get(answer, "ok")) && pid > 0 && pid <= INT32_MAX;
	if (takeover->told) {
		takeover->pid = (pid_t)pid; /* not who lent the sockets, when another one took over meanwhile */
		sockets_own(daemon);
	} else {
		error_set(err, "%s: the old daemon does not hand over: %s", takeover->path, why ? why : "");
	}
	json_decref(answer);
	return takeover->told ? 0 : -1;
}

static int process_wait(pid_t pid, struct error *err)
{
	struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	int result;

	if (ended.fd < 0 && errno == ESRCH)
		return 0;
	result = ended.fd < 0 ? -1 : poll(&ended, 1, END_US / 1000);
	if (result != 1)
		error_set(err, "--take-over: waiting for the end of process %d: %s", (int)pid,
			  result == 0 ? "it goes on" : strerror(errno));
	if (ended.fd >= 0)
		close(ended.fd);
	return result == 1 ? 0 : -1;
}

/* It has a file that one process alone may have. */
static bool has_file(const struct policy *policy)
{
	const struct settings *settings = policy_settings(policy);

	return settings->history.path || (policy_needs_store(policy) && store_directory(settings->store.url).n > 0);
}

/* Whether the store can be opened is known only when the old daemon has ended; that its directory is there, or can be
 * made, is known before. */
static int store_reachable(const struct policy *policy, struct error *err)
{
	struct slice place = store_directory(policy_settings(policy)->store.url);
	struct arena *arena = arena_new();
	char *path = arena_cstring(arena, place);
	int result = 0;

	if (policy_needs_store(policy) && place.n > 0 && access(path, R_OK | W_OK | X_OK) != 0 &&
	    (errno != ENOENT || access(dirname(path), W_OK | X_OK) != 0)) {
		error_set(err, "store %.*s: the directory cannot be used: %s", SLICE_ARGS(place), strerror(errno));
		result = -1;
	}
	arena_free(arena);
	return result;
}

int takeover_wait(struct daemon *daemon, const struct policy *policy, struct error *err)
{
	struct takeover *takeover = daemon->takeover;

	if (!takeover || !has_file(policy))
		return 0;
	if (store_reachable(policy, err) != 0 || hand_over_ask(daemon, SESSIONS_WAIT_S, err) != 0)
		return -1;
	return process_wait(takeover->pid, err);
}

void takeover_finish(struct daemon *daemon)
{
	struct takeover *takeover = daemon->takeover;
	struct error err;

	if (!takeover || daemon->failed)
		return;
	if (!takeover->told && hand_over_ask(daemon, SESSIONS_S, &err) != 0)
		report_line(daemon->host.report, "error", "--take-over: %s", err.text);
	else
		report_line(daemon->host.report, "info", "took over from process %d", (int)takeover->pid);
}

void takeover_free(struct daemon *daemon)
{
	struct takeover *takeover = daemon->takeover;

	if (!takeover)
		return;
	for (size_t i = 0; i < takeover->count; i++)
		if (takeover->fds[i] >= 0)
			close(takeover->fds[i]);
	json_decref(takeover->names);
	free(takeover);
	daemon->takeover = NULL;
}
