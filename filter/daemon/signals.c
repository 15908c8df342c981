/*
 * signals.c - main waits for signals, and for nothing else.
 *
 * All threads block them, so they stay pending until main takes them, however
 * long it is not waiting; none is lost to the thread that libmilter keeps for the same signals.
 */
#include "../doors/milter/milter_private.h"
#include <unistd.h>

/* libmilter starts a thread that waits here for SIGTERM, SIGINT and SIGHUP, to reset every connection when
 * one comes; it has no setting against that. Nobody else calls this function, and it hands out no signal: the
 * program's own definition comes before that of the C library. (Otherwise the kernel gives a signal to that
 * thread whenever main has one at hand already, or is not waiting yet.) */
int sigwait(const sigset_t *set, int *number_r)
{
	(void)set, (void)number_r;
	for (;;)
		pause();
}

static void signals_list(sigset_t *set_r)
{
	sigemptyset(set_r);
	sigaddset(set_r, SIGTERM);
	sigaddset(set_r, SIGINT);
	sigaddset(set_r, SIGHUP);
	sigaddset(set_r, SIGUSR1);
}

void signals_block(void)
{
	sigset_t set;

	signals_list(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void daemon_finish(struct daemon *daemon)
{
	daemon->finished = true;
	pthread_kill(daemon->main_thread, SIGTERM);
}

void daemon_wait(struct daemon *daemon)
{
	bool draining = false;
	sigset_t set;
	int number;

	signals_list(&set);
	while (!daemon->finished) {
		number = sigwaitinfo(&set, NULL);
		if (number == SIGUSR1 || number == SIGHUP) {
			daemon_post(daemon, number == SIGHUP ? EVENT_RELOAD | EVENT_REOPEN : EVENT_RELOAD);
		} else if (number == SIGTERM || number == SIGINT) {
			if (draining)
				return; /* the second one: at once */
			draining = true;
			daemon_post(daemon, EVENT_DRAIN);
		}
	}
}
