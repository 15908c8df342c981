/*
 * history.c - the queue of the history, and the thread that writes it.
 */
#include "history_private.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_BYTES_MAX (16 * 1024 * 1024)
#define QUEUE_MANY      (512 * 1024) /* so much is written before its time */
#define GATHER_US       (800 * 1000)
#define RETRY_US        (5 * 1000 * 1000)
#define CLOSE_US        (1000 * 1000)
#define SAID_US         (60 * 1000 * 1000)
#define BATCH_MAX       4000 /* records in one transaction */
#define BATCH_SHARE     32   /* and this share of the file at most */

struct history {
	struct history_settings settings;
	char *path;
	struct hiding hiding;
	pthread_mutex_t lock; /* of what follows, to `trouble` */
	pthread_cond_t wake, ended;
	struct queued *first, **last;
	size_t queued_bytes;
	bool closing, finished;
	struct error trouble; /* "": the last commit worked */
	_Atomic uint64_t written, lost, failures;
	uint64_t said_lost; /* of the thread that calls history_report */
	bool said;
	int64_t said_at;
	struct writer writer; /* of the writing thread */
	pthread_t thread;
};

/* ---- the writing thread --------------------------------------------------------------------------- */

static void wait_until(struct history *history, int64_t at_us)
{
	struct timespec at = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};

	pthread_cond_timedwait(&history->wake, &history->lock, &at);
}

static void free_all(struct queued *queued)
{
	while (queued) {
		struct queued *next = queued->next;

		free(queued);
		queued = next;
	}
}

/* The first records of the queue. They stay counted in its bytes until they are written. */
static struct queued *take_batch(struct history *history, size_t *count_r, size_t *bytes_r)
{
	struct queued *batch = history->first, **end = &history->first;

	*count_r = *bytes_r = 0;
	while (*end && *count_r < BATCH_MAX &&
	       (*count_r == 0 || *bytes_r + (*end)->bytes <= history->settings.at_most / BATCH_SHARE)) {
		*bytes_r += (*end)->bytes;
		++*count_r;
		end = &(*end)->next;
	}
	history->first = *end;
	*end = NULL;
	if (!history->first)
		history->last = &history->first;
	return batch;
}

/* A batch that could not be written goes back to the head of the queue. */
static void return_batch(struct history *history, struct queued *batch)
{
	struct queued **end = &batch;

	while (*end)
		end = &(*end)->next;
	*end = history->first;
	if (!history->first)
		history->last = end;
	history->first = batch;
}

/* With the lock held. False: it could not be written. */
static bool write_some(struct history *history)
{
	size_t count, bytes;
	struct queued *batch = take_batch(history, &count, &bytes);
	struct error err = {""};
	int result = 0;

	pthread_mutex_unlock(&history->lock);
	if (!history->writer.db)
		result = batch_open(&history->writer, &err);
	if (result == 0)
		result = batch_write(&history->writer, batch, clock_wall_us(), &err);
	if (result == 0)
		free_all(batch);
	pthread_mutex_lock(&history->lock);
	history->trouble = err;
	if (result == 0) {
		history->trouble.text[0] = '\0';
		history->written += count;
		history->queued_bytes -= bytes;
		return true;
	}
	history->failures++;
	return_batch(history, batch);
	return false;
}

/* Nothing to write for now, or it cannot be written for now. */
static void rest(struct history *history, bool failed)
{
	int64_t until = clock_us() + (failed ? RETRY_US : GATHER_US);

	if (!history->first && !history->closing)
		pthread_cond_wait(&history->wake, &history->lock);
	while (!history->closing && clock_us() < until && (failed || history->queued_bytes < QUEUE_MANY))
		wait_until(history, until);
}

static void *writer_run(void *context)
{
	struct history *history = context;
	bool failed = false;

	pthread_mutex_lock(&history->lock);
	while (!history->closing) {
		rest(history, failed);
		if (history->first)
			failed = !write_some(history);
	}
	while (history->first && write_some(history))
		;
	history->finished = true;
	pthread_cond_signal(&history->ended);
	pthread_mutex_unlock(&history->lock);
	return NULL;
}

/* ---- for everyone ------------------------------------------------------------------------------------ */

/* Their time is that of clock_us: the wall clock may be set back by an hour. */
static void conds_init(struct history *history)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&history->wake, &monotonic);
	pthread_cond_init(&history->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

int history_library(struct error *err)
{
	return sqlite_library_open(err) ? 0 : -1;
}

struct history *history_open(const struct history_settings *settings, struct error *err)
{
	struct history *history;
	int result;

	if (history_library(err) != 0)
		return NULL;
	history = xmalloc(sizeof(*history));
	memset(history, 0, sizeof(*history));
	history->path = xstrdup(settings->path);
	history->settings = *settings;
	history->settings.path = history->path;
	history->last = &history->first;
	pthread_mutex_init(&history->lock, NULL);
	conds_init(history);
	history->writer = (struct writer){.settings = &history->settings, .lock_fd = -1, .counts = counts_new()};
	if (hiding_open(history->path, settings->addresses, true, &history->hiding, err) == 0) {
		if (batch_open(&history->writer, &history->trouble))
			history->failures++;
		result = pthread_create(&history->thread, NULL, writer_run, history);
		if (result == 0)
			return history;
		error_set(err, "cannot start a thread: %s", strerror(result));
	}
	batch_close(&history->writer);
	counts_free(history->writer.counts);
	free(history->path);
	free(history);
	return NULL;
}

static void history_free(struct history *history)
{
	pthread_join(history->thread, NULL);
	history->lost += history->first ? 1 : 0;
	free_all(history->first);
	batch_close(&history->writer);
	if (history->writer.lock_fd >= 0)
		close(history->writer.lock_fd);
	counts_free(history->writer.counts);
	pthread_mutex_destroy(&history->lock);
	pthread_cond_destroy(&history->wake);
	pthread_cond_destroy(&history->ended);
	free(history->path);
	free(history);
}

/* A thread that hangs in the file system is left alone with all that it uses: the process ends now. */
void history_close(struct history *history)
{
	int64_t until = clock_us() + CLOSE_US;
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
	bool finished;

	if (!history)
		return;
	pthread_mutex_lock(&history->lock);
	history->closing = true;
	pthread_cond_signal(&history->wake);
	while (!history->finished && pthread_cond_timedwait(&history->ended, &history->lock, &at) != ETIMEDOUT)
		;
	finished = history->finished;
	pthread_mutex_unlock(&history->lock);
	if (finished)
		history_free(history);
	else
		pthread_detach(history->thread);
}

void history_add(struct history *history, const struct history_entry *entry)
{
	struct queued *queued;
	bool wake;

	queued = entry->line.n > HISTORY_LINE_MAX ? NULL : queued_new(entry);
	pthread_mutex_lock(&history->lock);
	if (!queued || history->queued_bytes >= QUEUE_BYTES_MAX) {
		pthread_mutex_unlock(&history->lock);
		free(queued);
		history->lost++;
		return;
	}
	wake = !history->first ||
	       (history->queued_bytes < QUEUE_MANY && history->queued_bytes + queued->bytes >= QUEUE_MANY);
	*history->last = queued;
	history->last = &queued->next;
	history->queued_bytes += queued->bytes;
	if (wake)
		pthread_cond_signal(&history->wake);
	pthread_mutex_unlock(&history->lock);
}

bool history_hides(const struct history *history)
{
	return history->hiding.addresses != HISTORY_PLAIN;
}

struct slice history_hide(const struct history *history, struct slice address, struct arena *arena)
{
	return hiding_hide(&history->hiding, address, arena);
}

struct slice history_hide_within(const struct history *history, struct slice text, struct arena *arena)
{
	return hiding_hide_within(&history->hiding, text, arena);
}

void history_counters(struct history *history, struct history_counters *counters_r)
{
	*counters_r = (struct history_counters){.written = history->written,
						.lost = history->lost,
						.failures = history->failures,
						.bytes = history->writer.bytes,
						.at_most = history->settings.at_most};
}

bool history_report(struct history *history, int64_t now_us, struct error *line_r)
{
	struct error trouble;
	uint64_t lost = history->lost;

	pthread_mutex_lock(&history->lock);
	trouble = history->trouble;
	pthread_mutex_unlock(&history->lock);
	if (!trouble.text[0] && lost == history->said_lost) {
		if (history->said)
			error_set(line_r, "history: records are written again");
		return history->said && !(history->said = false);
	}
	if (history->said && now_us - history->said_at < SAID_US)
		return false;
	error_set(line_r, "history: %s; %llu records were lost so far; mail is not affected",
		  trouble.text[0] ? trouble.text : "records come faster than the disk takes them",
		  (unsigned long long)lost);
	history->said = true;
	history->said_at = now_us;
	history->said_lost = lost;
	return true;
}
