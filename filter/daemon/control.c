/*
 * control.c - the control socket: one line of JSON in, one line of JSON out.
 *
 *     {"command":"status"}   {"ok":true,"version":...}
 *     {"command":"top"}      {"ok":true,"clock":...} see top.c
 *     {"command":"reload"}   {"ok":true} or {"ok":true,"warnings":TEXT} or {"ok":false,"error":TEXT}
 *     of the store           see control_store.c
 *     of dynamic lists       see control_list.c
 *     {"command":"sockets"}  and "hand-over": see takeover.c
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
#define CONTROL_OTHER_US   (1000 * 1000)     /* the same, for readers and writers: they delay the others */
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
	enum {
		FOR_OWNER,
		FOR_READERS,
		FOR_WRITERS
	} who; /* readers of the status; writers of the list; the owner always */
} commands[] = {
    {"status", answer_status, FOR_READERS},
    {"top", control_top, FOR_OWNER},
    {"reload", answer_reload, FOR_OWNER},
    {"store-list", control_store_list, FOR_OWNER},
    {"store-delete", control_store_delete, FOR_OWNER},
    {"block", control_block, FOR_OWNER},
    {"unblock", control_unblock, FOR_OWNER},
    {"blocks", control_blocks, FOR_OWNER},
    {"list-add", control_list_add, FOR_WRITERS},
    {"list-remove", control_list_remove, FOR_WRITERS},
    {"list-show", control_list_show, FOR_WRITERS},
    {"logins", control_logins, FOR_OWNER},
    {"report-list", control_report_list, FOR_OWNER},
    {"report-preview", control_report_preview, FOR_OWNER},
    {"report-send", control_report_send, FOR_OWNER},
    {"report-sent", control_report_sent, FOR_OWNER},
    {"report-suppressed", control_report_suppressed, FOR_OWNER},
    {"report-clear", control_report_clear, FOR_OWNER},
    {"sockets", takeover_sockets, FOR_OWNER},
    {"hand-over", takeover_hand_over, FOR_OWNER},
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
	static const char *const refusals[] = {
	    [FOR_OWNER] = "only root and the user of the daemon may ask this",
	    [FOR_READERS] = "only root, the user of the daemon and the readers of \"control\" may ask this",
	    [FOR_WRITERS] = "you are not in a group that is a writer of this list"};
	bool may = peer->owner;

	if (!may && command->who == FOR_READERS)
		may = control_peer_reads(daemon, peer);
	else if (!may && command->who == FOR_WRITERS)
		may = control_peer_writes(daemon, peer, control_text(request, "list"));
	return may ? command->answer(daemon, request) : answer_error(refusals[command->who]);
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

static void control_send(struct daemon *daemon, int fd, json_t *answer, int64_t for_us)
{
	char *text = json_dumps(answer, JSON_COMPACT);
	struct slice line = slice_of(text);

	if (json_object_get(answer, "sockets") && takeover_send(daemon, fd, line.p[0]) == 0)
		line = slice_from(line, 1);
	if (line_write(fd, line, clock_us() + for_us) == 0)
		line_write(fd, SLICE("\n"), clock_us() + for_us);
	free(text);
	json_decref(answer);
}

static void control_serve(struct daemon *daemon, const struct control_peer *peer, int fd)
{
	int64_t for_us = peer->owner ? CONTROL_CLIENT_US : CONTROL_OTHER_US;
	struct slice line;

	if (line_read(fd, CONTROL_REQUEST_MAX, clock_us() + for_us, &line) == 0) {
		control_send(daemon, fd, control_answer(daemon, peer, line), for_us);
		free((char *)line.p);
	} else if (errno == EMSGSIZE) {
		control_send(daemon, fd, answer_error("the request is too long"), for_us);
	} else if (errno == ETIMEDOUT) {
		control_send(daemon, fd, answer_error("no request arrived in time"), for_us);
	}
}

static void control_client(struct daemon *daemon, int fd)
{
	struct control_peer peer;

	control_peer_read(fd, &peer);
	if (peer.owner || control_peer_may_ask(daemon, &peer))
		control_serve(daemon, &peer, fd);
	else
		control_send(daemon, fd,
			     answer_error("only root, the user of the daemon, the readers of \"control\" and the "
					  "writers of a list may ask it"),
			     0);
	close(fd);
}

static void *control_run(void *context)
{
	struct control *control = context;
	struct pollfd ready[2] = {{.fd = control->stop[0], .events = POLLIN},
				  {.fd = control->daemon->control.fd, .events = POLLIN}};
	int fd;

	while (!control->daemon->handed_over) { /* then the socket is served by the next one */
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
	return NULL;
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
