/*
 * sigwait.c - libmilter gets no signals: they belong to main.
 */
#include <signal.h>
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
