/*
 * crew.c - the threads of the door.
 *
 * `active` threads wait for an event or run a session; there are at most `slots`, but for those that come back from a
 * wait and finish what they began. A thread that is about to wait gives its slot to a resting one, or to a new one.
 */
#include "native_private.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <time.h>

#define SLOTS_MORE  4 /* than processors: when one computes for long, or waits for a processor */
#define SLOTS_MAX   64
#define THREADS_MAX 1024 /* sessions that wait at the same time; later ones are read when one of these goes on */
#define REST_US     (10 * 1000 * 1000) /* a thread that is not wanted for so long ends */
#define LONG_US     (100 * 1000)       /* a step that takes longer waits for something: a disk, a list, a lock */
#define PROGRESS_US                                                                                                    \
	(5 * 1000 * 1000) /* Postfix waits 300 s by default, Sendmail 5 min; an administrator may set less */

/* ---- a thread -------------------------------------------------------------------------------------- */

static void worker_free(struct worker *worker)
{
	pthread_mutex_destroy(&worker->lock);
	out_free(&worker->out);
	free(worker);
}

/* With the crew's lock, which it lets go of. */
static void worker_leave(struct worker *worker)
{
	struct crew *crew = worker->crew;
	struct worker **at = &crew->workers;

	while (*at != worker)
		at = &(*at)->next;
	*at = worker->next;
	crew->total--;
	worker_free(worker);
	pthread_cond_broadcast(&crew->ended);
	pthread_mutex_unlock(&crew->lock);
}

static struct timespec time_of(int64_t us)
{
	return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
}

/* Rests until it is called; false: it is not wanted any more. With the lock. */
static bool worker_rest(struct crew *crew)
{
	struct timespec until = time_of(clock_us() + REST_US);
	int result = 0;
	bool called;

	crew->active--;
	crew->resting++;
	while (!crew->called && !crew->stopping && result != ETIMEDOUT)
		result = pthread_cond_timedwait(&crew->wanted, &crew->lock, &until);
	crew->resting--;
	called = crew->called > 0;
	if (called)
		crew->called--; /* whoever called has counted it as active */
	return called && !crew->stopping;
}

static void *worker_run(void *worker_)
{
	struct worker *worker = worker_;
	struct crew *crew = worker->crew;
	bool wanted = true;

	for (;;) {
		if (!crew->stopping && crew->active <= crew->slots) {
			crew->turn(crew->context, worker);
			continue;
		}
		pthread_mutex_lock(&crew->lock);
		if (!crew->stopping && crew->active > crew->slots)
			wanted = worker_rest(crew);
		if (!wanted || crew->stopping)
			break;
		pthread_mutex_unlock(&crew->lock);
	}
	worker_leave(worker);
	return NULL;
}

/* With the lock; counted as active already. */
static int worker_start(struct crew *crew)
{
	struct worker *worker = malloc(sizeof(*worker)); /* not cleared: most of it is never touched */
	pthread_t thread;
	int result;

	if (!worker)
		die("no memory for a thread");
	worker->crew = crew;
	worker->since = 0;
	worker->away = false;
	worker->busy_fd = -1;
	worker->out = (struct out){NULL};
	pthread_mutex_init(&worker->lock, NULL);
	result = pthread_create(&thread, NULL, worker_run, worker);
	if (result != 0) {
		worker_free(worker);
		return result;
	}
	pthread_detach(thread);
	worker->next = crew->workers;
	crew->workers = worker;
	crew->total++;
	return 0;
}

/* ---- slots ------------------------------------------------------------------------------------------- */

/* A slot became free: somebody takes it. With the lock. When no thread can be had, the next that comes back takes it.
 */
static void slot_fill(struct crew *crew)
{
	if (crew->stopping || crew->active >= crew->slots)
		return;
	if (crew->resting > crew->called) {
		crew->called++;
		crew->active++;
		pthread_cond_signal(&crew->wanted);
	} else if (crew->total < THREADS_MAX) {
		crew->active++;
		if (worker_start(crew) != 0)
			crew->active--;
	}
}

static void worker_away(struct worker *worker, bool away)
{
	struct crew *crew = worker->crew;

	if (worker->away == away)
		return;
	worker->away = away;
	if (away) {
		crew->active--;
		slot_fill(crew);
	} else {
		crew->active++;
	}
}

void crew_waits(struct worker *worker, bool begins)
{
	pthread_mutex_lock(&worker->crew->lock);
	worker_away(worker, begins);
	pthread_mutex_unlock(&worker->crew->lock);
}

void crew_begin(struct worker *worker)
{
	atomic_store_explicit(&worker->since, clock_us(), memory_order_relaxed);
}

void crew_end(struct worker *worker)
{
	worker->since = 0;
	if (worker->away)
		crew_waits(worker, false);
}

void crew_relieve(struct crew *crew)
{
	int64_t now = clock_us();

	pthread_mutex_lock(&crew->lock);
	for (struct worker *worker = crew->workers; worker; worker = worker->next) {
		int64_t since = worker->since;

		if (since && now - since > LONG_US)
			worker_away(worker, true);
	}
	pthread_mutex_unlock(&crew->lock);
}

/* ---- progress ------------------------------------------------------------------------------------------ */

/* The thread of the session is in the engine and writes nothing. An MTA whose socket takes not even these bytes reads
 * nothing: it is disconnected rather than sent half of a packet. */
static void worker_progress(struct worker *worker, int64_t now)
{
	static const char progress[] = {0, 0, 0, 1, 'p'};

	pthread_mutex_lock(&worker->lock);
	if (worker->busy_fd >= 0 && now - worker->told_at >= PROGRESS_US) {
		if (send(worker->busy_fd, progress, sizeof(progress), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(progress))
			shutdown(worker->busy_fd, SHUT_RDWR);
		worker->told_at = now;
	}
	pthread_mutex_unlock(&worker->lock);
}

void crew_progress(struct crew *crew)
{
	int64_t now = clock_us();

	pthread_mutex_lock(&crew->lock);
	for (struct worker *worker = crew->workers; worker; worker = worker->next)
		worker_progress(worker, now);
	pthread_mutex_unlock(&crew->lock);
}

/* ---- begin and end ---------------------------------------------------------------------------------------- */

int crew_start(struct crew *crew, void (*turn)(void *, struct worker *), void *context, struct error *err)
{
	int processors = get_nprocs(), result = 0;
	pthread_condattr_t monotonic;

	crew->turn = turn;
	crew->context = context;
	crew->slots = processors + SLOTS_MORE > SLOTS_MAX ? SLOTS_MAX : (unsigned)processors + SLOTS_MORE;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&crew->wanted, &monotonic);
	pthread_cond_init(&crew->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_lock(&crew->lock);
	for (unsigned i = 0; i < crew->slots && result == 0; i++) {
		crew->active++;
		result = worker_start(crew);
		if (result != 0)
			crew->active--;
	}
	pthread_mutex_unlock(&crew->lock);
	if (result == 0)
		return 0;
	error_set(err, "cannot start a thread for the milter door: %s", strerror(result));
	return -1;
}

bool crew_stop(struct crew *crew, int64_t until_us)
{
	struct timespec until = time_of(until_us);
	int result = 0;
	bool ended;

	pthread_mutex_lock(&crew->lock);
	crew->stopping = true;
	pthread_cond_broadcast(&crew->wanted);
	while (crew->total > 0 && result != ETIMEDOUT)
		result = pthread_cond_timedwait(&crew->ended, &crew->lock, &until);
	ended = crew->total == 0;
	pthread_mutex_unlock(&crew->lock);
	return ended;
}
