/*
 * sigwait.c - libmilter gets no signals: they belong to main.
 */
#include <signal.h>
#include <unistd.h>

/* libmilter starts a thread that waits here for SIGTERM, SIGINT and SIGHUP, to reset every connection when
 * one comes; no setting prevents that. Nothing else calls this function, and it returns no signal: the
 * definition in the program takes precedence over that in the C library. (Otherwise the kernel gives a signal to that
 * thread whenever main is handling one, or is not waiting yet.) */
int sigwait(const sigset_t *set, int *number_r)
{
	(void)set, (void)number_r;
	for (;;)
		pause();
}
