/*
 * log_target.c - one line of the log to syslog, stderr, or a file.
 *
 * Opening a file and writing to a pipe wait for the other end only as long as `stop` allows. When a disk is
 * full, a line may be written in part: the next one then begins on a new line.
 */
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define WAIT_MS 100 /* until `stop` is called again */

/* Does the file end in the middle of a line, left by another process or before a crash? */
static bool is_torn(const char *file, off_t size)
{
	int fd = size > 0 ? open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	char last = '\n';

	if (fd < 0)
		return false;
	if (pread(fd, &last, 1, size - 1) != 1)
		last = '\n';
	close(fd);
	return last != '\n';
}

static void target_look(struct log_target *target, const char *file)
{
	struct stat status;

	if (fstat(target->fd, &status) != 0 || !S_ISREG(status.st_mode))
		return;
	target->plain = true;
	target->torn = file && is_torn(file, status.st_size);
}

int log_target_open(enum report_target kind, const char *file, struct log_target *target_r, struct error *err)
{
	*target_r = (struct log_target){.kind = kind, .fd = -1};
	if (kind == REPORT_SYSLOG) {
		openlog("sekisho", LOG_PID, LOG_MAIL);
		return 0;
	}
	if (kind == REPORT_STDERR) {
		target_r->fd = STDERR_FILENO;
		target_look(target_r, NULL);
		return 0;
	}
	target_r->fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
	if (target_r->fd < 0) {
		error_set(err, "cannot write the log file %s: %s; %s", file, strerror(errno),
			  errno == ENXIO ? "it is a named pipe without a reader"
					 : "create its directory, or let the user of sekisho write there");
		return -1;
	}
	target_look(target_r, file);
	return 0;
}

void log_target_close(struct log_target *target)
{
	if (target->fd > STDERR_FILENO)
		close(target->fd);
	if (target->kind == REPORT_SYSLOG)
		closelog();
	target->fd = -1;
}

/* False when `stop` says so. A file is always ready. */
static bool target_wait(const struct log_target *target, bool (*stop)(void *), void *context)
{
	struct pollfd ready = {.fd = target->fd, .events = POLLOUT};

	if (target->plain)
		return true;
	do
		if (poll(&ready, 1, WAIT_MS) > 0)
			return true;
	while (!stop(context));
	return false;
}

/* How much of it was written. */
static size_t target_put(struct log_target *target, const char *text, size_t n, bool (*stop)(void *), void *context)
{
	size_t done = 0;

	while (done < n && target_wait(target, stop, context)) {
		size_t most = target->plain ? n - done : PIPE_BUF; /* a pipe that is ready accepts this much at once */
		ssize_t put = write(target->fd, text + done, n - done < most ? n - done : most);

		if (put > 0)
			done += (size_t)put;
		else if (put < 0 && errno != EINTR && errno != EAGAIN)
			break;
	}
	return done;
}

bool log_target_write(struct log_target *target, int priority, char *text, size_t n, bool (*stop)(void *),
		      void *context)
{
	size_t length = n + 1, done;
	char *start = text + 1;

	if (target->kind == REPORT_SYSLOG) {
		text[n + 1] = '\0';
		syslog(priority, "%s", start);
		return true;
	}
	text[n + 1] = '\n';
	if (target->torn) {
		*--start = '\n';
		length++;
	}
	done = target_put(target, start, length, stop, context);
	if (done > 0)
		target->torn = done < length;
	return done == length;
}
