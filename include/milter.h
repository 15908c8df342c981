/*
 * milter.h - the daemon: libmilter's callbacks over the engine, the socket they
 * come from, draining at the end, and the control socket.
 *
 * The only room that knows libmilter.
 */
#ifndef SEKISHO_MILTER_H
#define SEKISHO_MILTER_H

#include "engine.h"

/* Exit codes of sysexits(3) that the verbs use. */
enum { EXIT_UNAVAILABLE = 69, EXIT_CONFIG = 78 };

/* Runs the daemon with the file until SIGTERM or SIGINT; the exit code. Messages that were open
 * then are finished (bounded by the setting `drain`). */
int milter_daemon(const char *config_file);

/* One request to the control socket at `path`, one JSON answer. NULL and err
 * when nobody listens or the answer is none. json_decref() it. */
json_t *control_ask(const char *path, const char *command, struct error *err);

#endif
