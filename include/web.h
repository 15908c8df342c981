/*
 * web.h - what the daemon shows over HTTP: the metrics and a page.
 *
 * One thread of its own, with a lower priority than mail, serves a bounded number of connections. It reads counters and
 * the history; it changes nothing, and no session waits for it.
 *
 * /metrics and /healthz have no address of a person and need no password; everything else needs it, unless the socket
 * is a unix socket without a password file.
 */
#ifndef SEKISHO_WEB_H
#define SEKISHO_WEB_H

#include "engine.h"
#include "reports.h"

#define WEB_DOORS_MAX 8

/* The daemon at a moment. Everything in it lives as long as the daemon. */
struct web_state {
	const struct counters *counters;
	struct store *store;     /* NULL: none is open */
	struct history *history; /* NULL: none */
	const char *history_path;
	const struct report *report;
	const struct report_counters *reports; /* of DMARC reports; NULL: none are sent */
	int64_t uptime_us;
	uint64_t reloads, reloads_failed; /* since the start */
	bool draining;
	struct {
		const char *door, *engine; /* engine is NULL when the door has only one */
		struct slice address;
	} doors[WEB_DOORS_MAX];
	size_t door_count;
};

/* What the daemon provides; for the thread of the web. It outlives it. */
struct web_host {
	struct engine *(*engine)(struct web_host *); /* held: engine_release() it */
	void (*state)(struct web_host *, struct web_state *state_r);
};

struct web;

/* 0, or -1 and err: the library that a web needs cannot be opened. */
int web_library(struct error *err);

/* Prepares to serve the listening socket, which the caller keeps. The settings live as long. NULL and err: the password
 * file cannot be used, no memory, or as web_library(). */
struct web *web_open(struct web_host *, int fd, const struct web_setting *, struct error *err);
int web_start(struct web *, struct error *err); /* 0, or -1 and err */
/* False when it did not end until `until_us` (clock_us): then nothing that it uses can be freed. */
bool web_stop(struct web *, int64_t until_us);
void web_close(struct web *); /* after web_stop; NULL is allowed */

/* ---- metrics ---- */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* A row of the table: all that is known of a metric. */
struct metric_samples;
struct metric {
	const char *name; /* "sekisho_messages"; a counter is printed with "_total" */
	enum metric_type type;
	const char *unit;   /* "seconds", "bytes", "" */
	const char *labels; /* their names, for the manual; "" for none */
	const char *about;  /* one sentence */
	void (*read)(struct metric_samples *, const struct web_state *, const struct engine *);
};
extern const struct metric web_metrics[]; /* then one without a name */
extern const char *const metric_type_names[];

/* All metrics as the text format of Prometheus, or as OpenMetrics 1.0, in the arena. */
struct slice web_metrics_print(const struct web_state *, const struct engine *, bool openmetrics, struct arena *);

#endif
