/*
 * report.c - records and the daemon's own lines, given to the log.
 */
#include "report.h"
#include "kept.h"
#include "log.h"
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

struct report {
	enum report_target target;
	struct log *log;         /* NULL: off */
	struct history *history; /* NULL: none */
};

struct report *report_open(enum report_target target, const char *file, struct error *err)
{
	struct log *log = NULL;
	struct report *report;

	if (target != REPORT_OFF) {
		log = log_open(target, file, err);
		if (!log)
			return NULL;
	}
	report = xmalloc(sizeof(*report));
	report->target = target;
	report->log = log;
	report->history = NULL;
	return report;
}

void report_close(struct report *report)
{
	if (!report)
		return;
	log_close(report->log);
	free(report);
}

int report_reopen(struct report *report, struct error *err)
{
	return report->log ? log_reopen(report->log, err) : 0;
}

uint64_t report_lost(const struct report *report)
{
	return report->log ? log_lost(report->log) : 0;
}

void report_keep(struct report *report, struct history *history)
{
	report->history = history;
}

bool report_keeps(const struct report *report)
{
	return report && report->history;
}

/* Returns the line. */
static const char *log_record(struct report *report, const struct record *record, struct arena *arena)
{
	struct record shown = *record;
	const char *line;
	size_t limit;

	shown.question_count = 0;
	limit = report->target == REPORT_SYSLOG ? RECORD_SYSLOG_MAX : RECORD_LINE_MAX;
	line = record_line(&shown, limit, arena);
	log_add(report->log, LOG_INFO, line);
	return line;
}

void report_record(struct report *report, const struct record *record, struct arena *arena)
{
	const char *line = NULL;

	if (report && report->log)
		line = log_record(report, record, arena);
	if (report && report->history)
		kept_add(report->history, record, line, arena);
}

static int priority_of(const char *level)
{
	static const struct {
		const char *level;
		int priority;
	} priorities[] = {{"error", LOG_ERR}, {"warning", LOG_WARNING}, {"notice", LOG_NOTICE}};

	for (size_t i = 0; i < sizeof(priorities) / sizeof(priorities[0]); i++)
		if (strcmp(level, priorities[i].level) == 0)
			return priorities[i].priority;
	return LOG_INFO;
}

void report_line(struct report *report, const char *level, const char *format, ...)
{
	char message[1500]; /* with its frame below RECORD_SYSLOG_MAX */
	struct arena *arena;
	va_list arguments;

	if (!report || !report->log)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	arena = arena_new();
	log_add(report->log, priority_of(level), log_message(level, slice_of(message), arena));
	arena_free(arena);
}
