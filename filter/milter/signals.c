/*
 * signals.c - what signals do.
 *
 * libmilter keeps a thread in sigwait(3) for SIGTERM, SIGINT and SIGHUP, which would
 * reset every connection. A signal to the process goes to main as long as main does not block it (the kernel asks
 * the first thread first); so main takes these three by handlers, from before libmilter starts, and does
 * nothing else. SIGUSR1 is the keeper's, while it waits, lest main is slow for the next signal. Everywhere else all
 * are blocked. A handler only sets a bit and writes a byte to a pipe (signal-safety(7)).
 */
#include "milter_private.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* A handler is given nothing else. */
static struct daemon *signalled;

/* ---- pipes that wake a thread ------------------------------------------------------- */

static void pipe_ring(const int ends[2])
{
	int saved = errno;

	if (write(ends[1], "", 1) < 0)
		errno = saved; /* full: it is awake as can be */
	errno = saved;
}

/* `us` below 0: for ever; `mask` NULL: the signals of the thread as they are. May return early. */
static void pipe_wait(const int ends[2], int64_t us, const sigset_t *mask)
{
	struct pollfd ready = {.fd = ends[0], .events = POLLIN};
	struct timespec limit = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	char bytes[64];

	if (ppoll(&ready, 1, us < 0 ? NULL : &limit, mask) > 0)
		while (read(ends[0], bytes, sizeof(bytes)) == sizeof(bytes))
			;
}

int daemon_pipes(struct daemon *daemon)
{
	return pipe2(daemon->wake, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(daemon->end, O_CLOEXEC | O_NONBLOCK) == 0 ? 0
														   : -1;
}

void daemon_post(struct daemon *daemon, unsigned events)
{
	daemon->events |= events;
	pipe_ring(daemon->wake);
}

unsigned daemon_events(struct daemon *daemon, int64_t us)
{
	sigset_t mask;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	sigdelset(&mask, SIGUSR1);
	pipe_wait(daemon->wake, daemon->events ? 0 : us, &mask);
	return atomic_exchange(&daemon->events, 0);
}

void daemon_finish(struct daemon *daemon)
{
	daemon->finished = true;
	pipe_ring(daemon->end);
}

void daemon_wait(struct daemon *daemon)
{
	while (!daemon->finished)
		pipe_wait(daemon->end, -1, NULL);
}

/* ---- handlers ------------------------------------------------------------------------ */

static void on_reload(int number)
{
	daemon_post(signalled, number == SIGHUP ? EVENT_RELOAD | EVENT_REOPEN : EVENT_RELOAD);
}

static void on_end(int number)
{
	(void)number;
	if (atomic_exchange(&signalled->ending, true))
		daemon_finish(signalled); /* the second one: at once */
	else
		daemon_post(signalled, EVENT_DRAIN);
}

static const struct {
	int number;
	void (*handler)(int);
} handled[] = {{SIGTERM, on_end}, {SIGINT, on_end}, {SIGHUP, on_reload}, {SIGUSR1, on_reload}, {SIGPIPE, SIG_IGN}};

void signals_prepare(struct daemon *daemon)
{
	sigset_t set;

	signalled = daemon;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
		struct sigaction action = {.sa_handler = handled[i].handler, .sa_flags = SA_RESTART};

		sigfillset(&action.sa_mask);
		sigaction(handled[i].number, &action, NULL);
		sigaddset(&set, handled[i].number);
	}
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void signals_take(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
