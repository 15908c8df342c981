/*
 * control_ask.c - the client's end of the control socket, for the verbs that
 * ask the daemon.
 */
#include "daemon_private.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK_US (120LL * 1000 * 1000) /* a reload reads every list */

static json_t *answer_read(int fd, const char *path, int64_t until, struct error *err)
{
	struct slice line;
	json_t *answer;

	if (line_read(fd, CONTROL_ANSWER_MAX, until, &line) != 0) {
		error_set(err, "%s: the daemon did not answer: %s", path,
			  errno == EPIPE ? "it closed the connection" : strerror(errno));
		return NULL;
	}
	answer = json_loadb(line.p, line.n, 0, NULL);
	free((char *)line.p);
	if (json_is_object(answer) && json_is_boolean(json_object_get(answer, "ok")))
		return answer;
	json_decref(answer);
	error_set(err, "%s: the answer is not that of a sekisho daemon", path);
	return NULL;
}

json_t *control_ask_within(const char *path, json_t *request, int64_t us, struct error *err)
{
	int64_t until = clock_us() + us;
	int fd = unix_connect(path);
	json_t *answer = NULL;
	char *text;

	if (fd < 0) {
		error_set(err, "%s: %s", path,
			  errno == ENOENT || errno == ECONNREFUSED
			      ? "no daemon listens on this control socket; is sekisho running?"
			  : errno == EACCES
			      ? "no permission; only root, the user of the daemon, the readers of \"control\" and the "
				"writers of a list may ask it"
			      : strerror(errno));
		json_decref(request);
		return NULL;
	}
	text = json_dumps(request, JSON_COMPACT);
	/* EPIPE: who may not ask is told so and disconnected before the request is read */
	if ((line_write(fd, slice_of(text), until) == 0 && line_write(fd, SLICE("\n"), until) == 0) || errno == EPIPE)
		answer = answer_read(fd, path, until, err);
	else
		error_set(err, "%s: cannot write to the daemon: %s", path, strerror(errno));
	free(text);
	json_decref(request);
	close(fd);
	return answer;
}

json_t *control_ask_for(const char *path, json_t *request, struct error *err)
{
	return control_ask_within(path, request, ASK_US, err);
}

json_t *control_ask(const char *path, const char *command, struct error *err)
{
	return control_ask_for(path, json_pack("{s:s}", "command", command), err);
}
