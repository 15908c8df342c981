/*
 * control.c - the control socket: one line of JSON in, one line of JSON out.
 *
 *     {"command":"status"}   {"ok":true,"version":...}
 *     {"command":"reload"}   {"ok":true} or {"ok":true,"warnings":TEXT} or {"ok":false,"error":TEXT}
 *     of the store           see control_store.c
 *     of dynamic lists       see control_list.c
 *
 * One thread serves one client after another. Only root and the user of the daemon may ask all of this; peer.c says
 * who else may ask what. Each client has a bounded line and a bounded time, and every request gets an answer with
 * "ok".
 */
#include "daemon_private.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_CLIENT_US  (5 * 1000 * 1000) /* to send its line, and again to read the answer */
#define CONTROL_WRITER_US  (1000 * 1000)     /* the same, for a writer of a list: it delays the others */
#define CONTROL_NESTED_MAX 8 /* brackets in a request, which is flat: jansson reads nested values recursively */

struct control {
	struct daemon *daemon;
	pthread_t thread;
	int stop[2]; /* a pipe: [1] is closed when it is time to end */
};

/* ---- answers --------------------------------------------------------------------------- */

static json_t *answer_error(const char *text)
{
	return json_pack("{s:b, s:o}", "ok", 0, "error", json_text(slice_of(text)));
}

static json_t *answer_status(struct daemon *daemon, const json_t *request)
{
	(void)request;
	return daemon_status(daemon);
}

static json_t *answer_reload(struct daemon *daemon, const json_t *request)
{
	json_t *answer;
	char *text;
	bool done = daemon_reload(daemon, &text) == 0;

	(void)request;
	answer = done ? json_pack("{s:b}", "ok", 1) : answer_error(text ? text : "");
	if (done && text)
		json_object_set_new(answer, "warnings", json_text(slice_of(text)));
	free(text);
	return answer;
}

static const struct command {
	const char *name;
	json_t *(*answer)(struct daemon *, const json_t *request);
	bool of_list; /* for the writers of the list, too */
} commands[] = {
    {"status", answer_status, false},
    {"reload", answer_reload, false},
    {"store-list", control_store_list, false},
    {"store-delete", control_store_delete, false},
    {"block", control_block, false},
    {"unblock", control_unblock, false},
    {"blocks", control_blocks, false},
    {"list-add", control_list_add, true},
    {"list-remove", control_list_remove, true},
    {"list-show", control_list_show, true},
    {"logins", control_logins, false},
};

static bool request_is_flat(struct slice request)
{
	size_t brackets = 0;

	for (size_t i = 0; i < request.n; i++)
		brackets += request.p[i] == '[' || request.p[i] == '{';
	return brackets <= CONTROL_NESTED_MAX;
}

static json_t *answer_command(struct daemon *daemon, const struct control_peer *peer, const struct command *command,
			      const json_t *request)
{
	if (peer->owner || (command->of_list && control_peer_writes(daemon, peer, control_text(request, "list"))))
		return command->answer(daemon, request);
	return answer_error(command->of_list ? "you are not in a group that is a writer of this list"
					     : "only root and the user of the daemon may ask this");
}

json_t *control_answer(struct daemon *daemon, const struct control_peer *peer, struct slice request)
{
	json_t *json = request_is_flat(request) ? json_loadb(request.p, request.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *command = json_string_value(json_object_get(json, "command"));
	json_t *answer = NULL;

	for (size_t i = 0; command && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(command, commands[i].name) == 0)
			answer = answer_command(daemon, peer, &commands[i], json);
	if (!answer)
		answer = answer_error(!json      ? "the request is not one line of JSON"
				      : !command ? "the request has no \"command\""
						 : "unknown command");
	json_decref(json);
	return answer;
}

/* ---- clients ------------------------------------------------------------------------------ */

static void control_send(int fd, json_t *answer, int64_t for_us)
{
	char *text = json_dumps(answer, JSON_COMPACT);
	struct slice line = slice_of(text);

	if (line_write(fd, line, clock_us() + for_us) == 0)
		line_write(fd, SLICE("\n"), clock_us() + for_us);
	free(text);
	json_decref(answer);
}

static void control_serve(struct daemon *daemon, const struct control_peer *peer, int fd)
{
	int64_t for_us = peer->owner ? CONTROL_CLIENT_US : CONTROL_WRITER_US;
	struct slice line;

	if (line_read(fd, CONTROL_REQUEST_MAX, clock_us() + for_us, &line) == 0) {
		control_send(fd, control_answer(daemon, peer, line), for_us);
		free((char *)line.p);
	} else if (errno == EMSGSIZE) {
		control_send(fd, answer_error("the request is too long"), for_us);
	} else if (errno == ETIMEDOUT) {
		control_send(fd, answer_error("no request arrived in time"), for_us);
	}
}

static void control_client(struct daemon *daemon, int fd)
{
	struct control_peer peer;

	control_peer_read(fd, &peer);
	if (peer.owner || control_peer_writes_any(daemon, &peer))
		control_serve(daemon, &peer, fd);
	else
		control_send(fd, answer_error("only root, the user of the daemon and the writers of a list may ask it"),
			     0);
	close(fd);
}

static void *control_run(void *context)
{
	struct control *control = context;
	struct pollfd ready[2] = {{.fd = control->stop[0], .events = POLLIN},
				  {.fd = control->daemon->control.fd, .events = POLLIN}};
	int fd;

	for (;;) {
		if (poll(ready, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (ready[0].revents)
			return NULL;
		if (!ready[1].revents)
			continue;
		fd = accept4(ready[1].fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			control_client(control->daemon, fd);
		else if (errno == EMFILE || errno == ENFILE)
			poll(ready, 1, 1000); /* no busy loop while descriptors are short */
	}
}

struct control *control_start(struct daemon *daemon)
{
	struct control *control = xmalloc(sizeof(*control));

	control->daemon = daemon;
	if (pipe2(control->stop, O_CLOEXEC) != 0)
		goto failed;
	if (pthread_create(&control->thread, NULL, control_run, control) == 0)
		return control;
	close(control->stop[0]);
	close(control->stop[1]);
failed:
	free(control);
	return NULL;
}

bool control_stop(struct control *control, int64_t until_us)
{
	if (!control)
		return true;
	close(control->stop[1]);
	if (!thread_join_until(control->thread, until_us))
		return false;
	close(control->stop[0]);
	free(control);
	return true;
}
