/*
 * log.c - the queue of the log, and the thread that empties it.
 */
#include "log.h"
#include "json_writer.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#define QUEUE_BYTES_MAX (4 * 1024 * 1024)  /* some thousand records: seconds of a busy server */
#define CLOSE_US        (1000 * 1000)      /* at the end, for what is in the queue */
#define CLOSE_GRACE_US  (CLOSE_US / 4)     /* for the writing thread to notice the end */
#define SAID_US         (60 * 1000 * 1000) /* between two lines about lost lines */
#define GATHER_US       (2 * 1000)         /* after lines were written: many lines wake the writing thread only once */

struct line {
	struct line *next;
	int priority;
	size_t n;
	char text[]; /* one byte before the line and one after it belong to log_target.c */
};

struct log {
	enum report_target kind;
	char *file;
	pthread_mutex_t lock; /* of what follows, to `closing` */
	pthread_cond_t wake, ended;
	struct line *first, **last;
	size_t bytes;
	struct log_target next;      /* after rotation: takes the place of target; fd -1: none */
	bool waiting;                /* the writing thread sleeps until it is woken */
	bool finished, abandoned;    /* the writing thread has ended; was abandoned with everything it uses */
	_Atomic bool reopened;       /* next is there */
	_Atomic int64_t close_until; /* clock_us; 0: not closing */
	_Atomic uint64_t lost;

	struct log_target target; /* this and what follows: of the writing thread */
	uint64_t said;            /* of those that were lost */
	int64_t said_at;
	pthread_t thread;
};

char *log_message(const char *level, struct slice message, struct arena *arena)
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

static struct line *line_new(int priority, const char *text)
{
	size_t n = strlen(text);
	struct line *line = xmalloc(sizeof(*line) + n + 2);

	line->priority = priority;
	line->n = n;
	memcpy(line->text + 1, text, n);
	return line;
}

static size_t line_bytes(const struct line *line)
{
	return sizeof(*line) + line->n + 2;
}

/* ---- writing ------------------------------------------------------------------------- */

/* The other end accepts nothing: is it time to give up? */
static bool writer_stops(void *context)
{
	struct log *log = context;

	return log->reopened || (log->close_until && clock_us() >= log->close_until);
}

static bool writer_write(struct log *log, struct line *line)
{
	bool written = log_target_write(&log->target, line->priority, line->text, line->n, writer_stops, log);

	log->lost += written ? 0 : 1;
	return written;
}

/* When there is space again: once a minute, and at the end. */
static void writer_say_lost(struct log *log, bool at_the_end)
{
	uint64_t lost = log->lost;
	struct arena *arena;
	struct line *line;

	if (lost == log->said || (!at_the_end && log->said_at && clock_us() - log->said_at < SAID_US))
		return;
	arena = arena_new();
	line = line_new(
	    LOG_WARNING,
	    log_message(
		"warning",
		arena_printf(arena, "%llu lines of the log were lost: the log could not be written, or not fast enough",
			     (unsigned long long)(lost - log->said)),
		arena));
	if (log_target_write(&log->target, line->priority, line->text, line->n, writer_stops, log)) {
		log->said = lost;
		log->said_at = clock_us();
	}
	free(line);
	arena_free(arena);
}

static void writer_reopen(struct log *log)
{
	struct log_target old = log->target;

	pthread_mutex_lock(&log->lock);
	log->target = log->next;
	log->reopened = false;
	pthread_mutex_unlock(&log->lock);
	log_target_close(&old); /* may block */
}

/* All waiting lines, in order; NULL: there is none, but other work. Their space counts until they are
 * written. */
static struct line *writer_take(struct log *log)
{
	struct line *lines = NULL;

	pthread_mutex_lock(&log->lock);
	while (!log->first && !log->close_until && !log->reopened) {
		log->waiting = true;
		pthread_cond_wait(&log->wake, &log->lock);
		log->waiting = false;
	}
	if (!log->reopened) {
		lines = log->first;
		log->first = NULL;
		log->last = &log->first;
	}
	pthread_mutex_unlock(&log->lock);
	return lines;
}

static void writer_free(struct log *log, struct line *line)
{
	pthread_mutex_lock(&log->lock);
	log->bytes -= line_bytes(line);
	pthread_mutex_unlock(&log->lock);
	free(line);
}

static void log_free(struct log *log)
{
	if (log->reopened)
		log_target_close(&log->next);
	log_target_close(&log->target);
	pthread_mutex_destroy(&log->lock);
	pthread_cond_destroy(&log->wake);
	pthread_cond_destroy(&log->ended);
	free(log->file);
	free(log);
}

/* The time for the end has passed: the remaining lines are lost. */
static bool writer_drops(const struct log *log)
{
	return log->close_until && clock_us() >= log->close_until;
}

static void writer_end(struct log *log)
{
	bool abandoned;

	pthread_mutex_lock(&log->lock);
	log->finished = true;
	abandoned = log->abandoned;
	pthread_cond_signal(&log->ended);
	pthread_mutex_unlock(&log->lock);
	if (abandoned) /* nobody else will */
		log_free(log);
}

/* A reopened log takes the remaining lines. */
static bool writer_line(struct log *log, struct line *line)
{
	bool written = false;

	if (log->reopened)
		writer_reopen(log);
	if (writer_drops(log))
		log->lost++;
	else
		written = writer_write(log, line);
	writer_free(log, line);
	return written;
}

static void *writer_run(void *context)
{
	static const struct timespec gather = {.tv_nsec = GATHER_US * 1000};
	struct log *log = context;
	struct line *lines, *next;
	bool written = false;

	while ((lines = writer_take(log)) || log->reopened || !log->close_until) {
		if (log->reopened)
			writer_reopen(log);
		for (struct line *line = lines; line; line = next) {
			next = line->next;
			written = writer_line(log, line);
		}
		if (written)
			writer_say_lost(log, false);
		if (lines && !log->close_until)
			nanosleep(&gather, NULL);
	}
	if (written)
		writer_say_lost(log, true);
	writer_end(log);
	return NULL;
}

/* ---- everybody else --------------------------------------------------------------------- */

void log_add(struct log *log, int priority, const char *text)
{
	struct line *line = line_new(priority, text);
	bool full;

	pthread_mutex_lock(&log->lock);
	full = log->bytes + line_bytes(line) > QUEUE_BYTES_MAX;
	if (!full) {
		log->bytes += line_bytes(line);
		*log->last = line;
		log->last = &line->next;
		if (log->waiting)
			pthread_cond_signal(&log->wake);
	}
	pthread_mutex_unlock(&log->lock);
	if (!full)
		return;
	log->lost++;
	free(line);
}

uint64_t log_lost(const struct log *log)
{
	return log->lost;
}

int log_reopen(struct log *log, struct error *err)
{
	struct log_target target, unused = {.fd = -1};

	if (log->kind != REPORT_FILE)
		return 0;
	if (log_target_open(REPORT_FILE, log->file, &target, err) != 0)
		return -1;
	pthread_mutex_lock(&log->lock);
	if (log->reopened) /* twice before the writer noticed */
		unused = log->next;
	log->next = target;
	log->reopened = true;
	pthread_cond_signal(&log->wake);
	pthread_mutex_unlock(&log->lock);
	log_target_close(&unused);
	return 0;
}

static void log_init(struct log *log, const char *file)
{
	pthread_condattr_t monotonic;

	log->file = xstrdup(file);
	log->last = &log->first;
	pthread_mutex_init(&log->lock, NULL);
	pthread_cond_init(&log->wake, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&log->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

struct log *log_open(enum report_target target, const char *file, struct error *err)
{
	struct log *log = xmalloc(sizeof(*log));
	int result;

	log_init(log, file ? file : "");
	log->kind = target;
	if (log_target_open(target, log->file, &log->target, err) == 0) {
		result = pthread_create(&log->thread, NULL, writer_run, log);
		if (result == 0)
			return log;
		error_set(err, "cannot start a thread for the log: %s", strerror(result));
	}
	log_free(log);
	return NULL;
}

/* A thread that hangs in the system's logger, or on a disk that does not answer, is abandoned with everything it uses.
 */
void log_close(struct log *log)
{
	struct timespec at;
	pthread_t thread;
	int64_t until;
	int result = 0;
	bool hangs;

	if (!log)
		return;
	thread = log->thread;
	until = clock_us() + CLOSE_US;
	at = (struct timespec){.tv_sec = (until + CLOSE_GRACE_US) / 1000000,
			       .tv_nsec = (until + CLOSE_GRACE_US) % 1000000 * 1000};
	pthread_mutex_lock(&log->lock);
	log->close_until = until;
	pthread_cond_signal(&log->wake);
	while (!log->finished && result == 0)
		result = pthread_cond_timedwait(&log->ended, &log->lock, &at);
	log->abandoned = !log->finished;
	hangs = log->abandoned;
	pthread_mutex_unlock(&log->lock);
	if (hangs) {
		pthread_detach(thread);
		return;
	}
	pthread_join(thread, NULL);
	log_free(log);
}
