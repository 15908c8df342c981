/*
 * report.c - where records and the daemon's own lines go: syslog, stderr, a
 * file, or nowhere. A line is one write, so that lines of many threads do not mix.
 */
#include "json_writer.h"
#include "report.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

struct report {
	enum report_target target;
	char *file;
	int fd;                /* -1: syslog or off */
	pthread_rwlock_t lock; /* held for writing only while the file is opened anew */
};

static int open_file(const char *file, struct error *err)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		error_set(err, "cannot write the log file %s: %s; create its directory or let our user write there",
			  file, strerror(errno));
	return fd;
}

struct report *report_open(enum report_target target, const char *file, struct error *err)
{
	struct report *report = xmalloc(sizeof(*report));

	report->target = target;
	report->fd = -1;
	pthread_rwlock_init(&report->lock, NULL);
	if (target == REPORT_STDERR)
		report->fd = STDERR_FILENO;
	if (target == REPORT_SYSLOG)
		openlog("sekisho", LOG_PID, LOG_MAIL);
	if (target != REPORT_FILE)
		return report;
	report->file = xstrdup(file);
	report->fd = open_file(file, err);
	if (report->fd >= 0)
		return report;
	report_close(report);
	return NULL;
}

void report_close(struct report *report)
{
	if (!report)
		return;
	if (report->target == REPORT_FILE && report->fd >= 0)
		close(report->fd);
	if (report->target == REPORT_SYSLOG)
		closelog();
	pthread_rwlock_destroy(&report->lock);
	free(report->file);
	free(report);
}

int report_reopen(struct report *report, struct error *err)
{
	int fd;

	if (report->target != REPORT_FILE)
		return 0;
	fd = open_file(report->file, err);
	if (fd < 0)
		return -1;
	pthread_rwlock_wrlock(&report->lock);
	close(report->fd);
	report->fd = fd;
	pthread_rwlock_unlock(&report->lock);
	return 0;
}

static void write_line(struct report *report, int priority, char *line)
{
	size_t n = strlen(line);

	if (report->target == REPORT_SYSLOG) {
		syslog(priority, "%s", line);
		return;
	}
	line[n] = '\n'; /* in place of the NUL, so that the line is one write */
	pthread_rwlock_rdlock(&report->lock);
	/* A full disk loses the line; mail does not wait for it. */
	if (write(report->fd, line, n + 1) < 0)
		errno = 0;
	pthread_rwlock_unlock(&report->lock);
}

void report_record(struct report *report, const struct record *record, struct arena *arena)
{
	size_t limit;

	if (!report || report->target == REPORT_OFF)
		return;
	limit = report->target == REPORT_SYSLOG ? RECORD_SYSLOG_MAX : RECORD_LINE_MAX;
	write_line(report, LOG_INFO, record_line(record, limit, arena));
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

static char *own_line(const char *level, struct slice message, struct arena *arena)
{
	struct json_writer writer;

	writer_begin(&writer, arena, RECORD_LINE_MAX);
	writer_open(&writer, SLICE(""), '{');
	writer_number(&writer, SLICE("v"), RECORD_VERSION);
	writer_text(&writer, SLICE("time"), clock_print(clock_wall_us(), arena));
	writer_text(&writer, SLICE("level"), slice_of(level));
	writer_text(&writer, SLICE("message"), message);
	writer_close(&writer, '}');
	return text_cstring(&writer.text);
}

void report_line(struct report *report, const char *level, const char *format, ...)
{
	char message[1500]; /* with its frame below RECORD_SYSLOG_MAX */
	struct arena *arena;
	va_list arguments;

	if (!report || report->target == REPORT_OFF)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	arena = arena_new();
	write_line(report, priority_of(level), own_line(level, slice_of(message), arena));
	arena_free(arena);
}
