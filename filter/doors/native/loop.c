/*
 * loop.c - sockets: one epoll set for all threads. An event is for one thread alone, which reads, runs the steps that
 * are complete, writes all answers in one write, and asks for the next event. So a session runs where it was read, on
 * one thread at a time, and an idle connection is its struct.
 *
 * Backpressure: while an answer cannot be written, nothing more is read from that MTA. Without descriptors nobody
 * is accepted until a connection ends.
 */
#include "native_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READS_MAX 16 /* of one session before others have their turn */
#define SILENT_US                                                                                                      \
	(INT64_C(7210) * 1000 * 1000)         /* how long an MTA may be silent between commands: as with libmilter     \
					       */
#define STUCK_US (INT64_C(300) * 1000 * 1000) /* in the middle of a packet, or with an answer that it does not read */
#define SWEEP_US (INT64_C(10) * 1000 * 1000)
#define SAID_US  (INT64_C(60) * 1000 * 1000) /* between two lines about connections that were given up */

/* One connection of an MTA. */
struct link {
	struct dialog dialog; /* first: the context of its steps */
	struct native *native;
	struct worker *worker; /* while it runs */
	char *unsent;
	size_t unsent_n, unsent_at;
	_Atomic int64_t moved_us; /* clock_us: when a packet was complete, or some of the answer written */
	_Atomic bool stuck;       /* in the middle of one */
	_Atomic unsigned turns;   /* what a thread has done to it, the next one sees */
	int fd;
	struct link *previous, *next; /* under native->lock */
};

/* ---- what a session asks ---------------------------------------------------------------------------- */

static bool link_gone(void *context, bool edited)
{
	struct link *link = context;
	char byte;

	(void)edited;
	return recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void link_waits(void *context, bool begins)
{
	struct link *link = context;

	crew_waits(link->worker, begins);
}

static void link_busy(void *context, bool busy)
{
	struct link *link = context;
	struct worker *worker = link->worker;

	pthread_mutex_lock(&worker->lock);
	worker->busy_fd = busy ? link->fd : -1;
	if (busy)
		worker->told_at = clock_us();
	pthread_mutex_unlock(&worker->lock);
}

static const struct mta native_mta = {
    .macro = dialog_macro, .request = dialog_request, .gone = link_gone, .waits = link_waits, .busy = link_busy};

/* ---- life -------------------------------------------------------------------------------------------- */

static struct link *link_new(struct native *native, int fd)
{
	struct link *link = xmalloc(sizeof(*link));

	dialog_init(&link->dialog, native->host, &native_mta);
	link->native = native;
	link->fd = fd;
	link->moved_us = clock_us();
	pthread_mutex_lock(&native->lock);
	link->next = native->links;
	if (link->next)
		link->next->previous = link;
	native->links = link;
	pthread_mutex_unlock(&native->lock);
	return link;
}

static int arm(struct native *native, int operation, int fd, uint32_t events, void *what)
{
	struct epoll_event event = {.events = events | EPOLLONESHOT, .data.ptr = what};

	/* Not epoll_ctl(): for ThreadSanitizer it would race with close() in the thread that gets the event. */
	return (int)syscall(SYS_epoll_ctl, native->epoll, operation, fd, &event);
}

/* The next connection may come. With the lock. */
static void listener_arm(struct native *native)
{
	if (native->listener >= 0)
		arm(native, EPOLL_CTL_MOD, native->listener, EPOLLIN, native);
}

static void accept_resume(struct native *native)
{
	pthread_mutex_lock(&native->lock);
	if (native->paused)
		listener_arm(native);
	native->paused = false;
	pthread_mutex_unlock(&native->lock);
}

static void link_free(struct link *link)
{
	dialog_free(&link->dialog);
	free(link->unsent);
	close(link->fd);
	free(link);
}

static void link_close(struct link *link)
{
	struct native *native = link->native;

	pthread_mutex_lock(&native->lock);
	*(link->previous ? &link->previous->next : &native->links) = link->next;
	if (link->next)
		link->next->previous = link->previous;
	pthread_mutex_unlock(&native->lock);
	link_free(link);
	if (native->paused) /* its descriptor is free now */
		accept_resume(native);
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static void unsent_keep(struct link *link, struct slice rest)
{
	link->unsent = xrealloc(link->unsent, rest.n);
	memcpy(link->unsent, rest.p, rest.n);
	link->unsent_n = rest.n;
	link->unsent_at = 0;
}

static ssize_t link_send(struct link *link, struct slice bytes)
{
	ssize_t sent = send(link->fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
	return sent;
}

/* What the steps have answered. */
static int link_answer(struct link *link, struct out *out)
{
	ssize_t sent;

	if (out->n == 0)
		return 0;
	sent = link_send(link, (struct slice){out->p, out->n});
	if (sent >= 0 && (size_t)sent < out->n)
		unsent_keep(link, (struct slice){out->p + sent, out->n - (size_t)sent});
	out_empty(out);
	return sent < 0 ? -1 : 0;
}

static int link_answer_rest(struct link *link)
{
	ssize_t sent =
	    link_send(link, (struct slice){link->unsent + link->unsent_at, link->unsent_n - link->unsent_at});

	if (sent < 0)
		return -1;
	link->unsent_at += (size_t)sent;
	if (sent > 0)
		link->moved_us = clock_us();
	if (link->unsent_at < link->unsent_n)
		return 0;
	free(link->unsent);
	link->unsent = NULL;
	link->unsent_n = link->unsent_at = 0;
	return 0;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

/* 1: bytes were handled, 0: there are none now, -1: the session is over. */
static int link_read(struct link *link, struct worker *worker)
{
	ssize_t n = recv(link->fd, worker->in, sizeof(worker->in), MSG_DONTWAIT);
	int result;

	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	result = dialog_take(&link->dialog, (struct slice){worker->in, (size_t)n}, &worker->out);
	if (link_answer(link, &worker->out) != 0 || result != 0)
		return -1;
	return 1;
}

/* More is on its way when it is in the middle of a body, or when it has filled our room. */
static bool link_expects(const struct link *link)
{
	return link->dialog.body_left > 0;
}

static int link_run(struct link *link, struct worker *worker)
{
	int result = 1;

	if (link->unsent_n > 0 && link_answer_rest(link) != 0)
		return -1;
	for (int i = 0; i < READS_MAX && result == 1 && link->unsent_n == 0; i++) {
		result = link_read(link, worker);
		if (result == 1 && !link_expects(link))
			break;
	}
	return result < 0 ? -1 : 0;
}

/* The kernel watches no more sockets for us, or has no memory: the MTA does what it does without its milter. */
static void link_give_up(struct link *link)
{
	struct native *native = link->native;
	int64_t now = clock_us(), said = native->given_up_said_us;
	int error = errno;

	link_close(link);
	if ((said && now - said < SAID_US) || !atomic_compare_exchange_strong(&native->given_up_said_us, &said, now))
		return;
	report_line(native->host->report, "error",
		    "the milter door cannot wait for a mail server and closed its connection: epoll_ctl: %s%s",
		    strerror(error), error == ENOSPC ? "; raise fs.epoll.max_user_watches" : "");
}

/* Runs it until nothing can be done, then waits for the next event with `operation`. */
static void link_turn(struct link *link, struct worker *worker, int operation)
{
	unsigned turns = atomic_load_explicit(&link->turns, memory_order_acquire);
	struct native *native = link->native;
	int fd = link->fd;
	uint32_t events;
	bool idle;

	crew_begin(worker);
	link->worker = worker;
	if (link_run(link, worker) != 0) {
		link_close(link);
		crew_end(worker);
		return;
	}
	link->worker = NULL;
	idle = dialog_is_idle(&link->dialog) && link->unsent_n == 0;
	if (idle || !link->stuck || link->dialog.body_left > 0)
		link->moved_us = clock_us();
	link->stuck = !idle;
	crew_end(worker);
	events = link->unsent_n > 0 ? EPOLLOUT : EPOLLIN;
	atomic_store_explicit(&link->turns, turns + 1, memory_order_release);
	if (arm(native, operation, fd, events, link) != 0)
		link_give_up(link);
}

/* ---- connections ------------------------------------------------------------------------------------------ */

static bool is_exhausted(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* The next connection, or -1. Nobody else accepts meanwhile: it was the only event of the listener. */
static int accept_next(struct native *native)
{
	int fd = -1;

	pthread_mutex_lock(&native->lock);
	if (native->listener >= 0) {
		fd = accept4(native->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		native->paused = fd < 0 && is_exhausted(errno);
		if (!native->paused)
			listener_arm(native);
	}
	pthread_mutex_unlock(&native->lock);
	return fd;
}

/* One: others are for other threads. Most MTAs have sent their first packet by now. */
static void accept_one(struct native *native, struct worker *worker)
{
	int fd = accept_next(native);

	if (fd < 0)
		return;
	if (!native->host->admits(native->host, native->number, fd)) {
		close(fd);
		return;
	}
	link_turn(link_new(native, fd), worker, EPOLL_CTL_ADD);
}

void loop_turn(void *native_, struct worker *worker)
{
	struct native *native = native_;
	struct epoll_event event;

	if (epoll_wait(native->epoll, &event, 1, -1) != 1 || event.data.ptr == &native->stopper)
		return;
	if (event.data.ptr == native)
		accept_one(native, worker);
	else
		link_turn(event.data.ptr, worker, EPOLL_CTL_MOD);
}

/* ---- time ---------------------------------------------------------------------------------------------------- */

static bool link_is_overdue(const struct link *link, int64_t now)
{
	return now - link->moved_us > (link->stuck ? STUCK_US : SILENT_US);
}

/* A socket that is shut down has an event: the thread that gets it ends the session. */
void loop_sweep(struct native *native)
{
	int64_t now = clock_us();

	pthread_mutex_lock(&native->lock);
	for (struct link *link = native->links; link && now - native->swept_us >= SWEEP_US; link = link->next)
		if (link_is_overdue(link, now))
			shutdown(link->fd, SHUT_RDWR);
	if (now - native->swept_us >= SWEEP_US)
		native->swept_us = now;
	pthread_mutex_unlock(&native->lock);
	accept_resume(native); /* descriptors of other parts of the daemon may have become free */
}

/* ---- begin and end --------------------------------------------------------------------------------------------- */

int loop_open(struct native *native, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &native->stopper};

	pthread_mutex_init(&native->lock, NULL);
	native->epoll = epoll_create1(EPOLL_CLOEXEC);
	native->stopper = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (native->epoll >= 0 && native->stopper >= 0 &&
	    fcntl(native->listener, F_SETFL, fcntl(native->listener, F_GETFL) | O_NONBLOCK) == 0 &&
	    epoll_ctl(native->epoll, EPOLL_CTL_ADD, native->stopper, &event) == 0)
		return 0;
	error_set(err, "the milter door cannot wait for connections: %s", strerror(errno));
	return -1;
}

int loop_accept(struct native *native, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&native->lock);
	if (native->listener >= 0)
		result = arm(native, EPOLL_CTL_ADD, native->listener, EPOLLIN, native);
	pthread_mutex_unlock(&native->lock);
	if (result != 0)
		error_set(err, "the milter door cannot wait for connections: %s", strerror(errno));
	return result;
}

void loop_drain(struct native *native)
{
	pthread_mutex_lock(&native->lock);
	if (native->listener >= 0) {
		/* systemd may hold it, too: then it would stay in the set */
		epoll_ctl(native->epoll, EPOLL_CTL_DEL, native->listener, NULL);
		close(native->listener);
	}
	native->listener = -1;
	pthread_mutex_unlock(&native->lock);
}

void loop_stop(struct native *native)
{
	eventfd_write(native->stopper, 1);
}

void loop_close(struct native *native)
{
	struct link *next;

	for (struct link *link = native->links; link; link = next) {
		next = link->next;
		link_free(link);
	}
	native->links = NULL;
}
