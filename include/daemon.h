/*
 * daemon.h - the process: its sockets, its user, signals, reload, the control
 * socket, and draining at the end. Mail comes in by doors (door.h).
 */
#ifndef SEKISHO_DAEMON_H
#define SEKISHO_DAEMON_H

#include "door.h"

/* Exit codes of sysexits(3). */
enum { EXIT_UNAVAILABLE = 69, EXIT_CONFIG = 78 };

/* Runs the daemon with the file until SIGTERM or SIGINT; the exit code. Open messages are finished first
 * (bounded by the setting `drain`). `doors`, ended by NULL, serve the sockets of the settings `listen`.
 * `takes_over`: a daemon that runs with the same control socket hands its sockets over, and ends. */
int daemon_run(const char *config_file, const struct door *const *doors, bool takes_over);

/* One request to the control socket at `path`, one JSON answer (of jansson: json_decref() it). NULL and err when
 * no daemon listens, or the answer is invalid. */
struct json_t *control_ask(const char *path, const char *command, struct error *err);
struct json_t *control_ask_for(const char *path, struct json_t *request, struct error *err); /* takes the request */
/* The same, but it gives up after this time: a daemon that is busy with a reload answers late. */
struct json_t *control_ask_within(const char *path, struct json_t *request, int64_t us, struct error *err);

#endif
