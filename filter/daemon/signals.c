/*
 * signals.c - main waits for signals, and for nothing else.
 *
 * All threads block them, so they stay pending until main takes them, even when
 * it is busy. No library may wait for the same signals (doors/milter/sigwait.c).
 */
#include "daemon_private.h"

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
	signal(SIGXFSZ, SIG_IGN); /* a log file at its size limit: the write fails, and mail continues */
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
			daemon_post(daemon, EVENT_RELOAD);
		} else if (number == SIGTERM || number == SIGINT) {
			if (draining)
				return; /* the second one: end at once */
			draining = true;
			daemon_post(daemon, EVENT_DRAIN);
		}
	}
}
