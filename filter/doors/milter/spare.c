/*
 * spare.c - threads of libmilter for sessions that would wait for one.
 *
 * libmilter starts a thread when a session has something to say and no thread is idle; but a thread that it has woken
 * counts as idle until it runs. Of two sessions that speak at that moment the second gets no thread, and waits until
 * the callback of another session returns: for seconds while the DNS does not answer. A new connection starts a thread,
 * and that serves every session that waits. So while callbacks wait long, a thread of ours connects to the socket and
 * closes the connection.
 */
#include "milter_private.h"
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVERY_US  (100 * 1000) /* shorter waits hold up nobody for long */
#define SPARE_MAX 4            /* connections at once: the threads that they start make room for the next ones */

void spare_waits(struct milter *milter, bool begins)
{
	pthread_mutex_lock(&milter->waits_lock);
	milter->waits += begins ? 1 : -1u;
	if (begins && milter->waits == 1)
		pthread_cond_signal(&milter->waits_begin);
	pthread_mutex_unlock(&milter->waits_lock);
}

/* It fails when the daemon is ending: nobody can reach its socket any more. Then it has no new sessions, either. */
static void visit(int listener)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int fd;

	if (getsockname(listener, (struct sockaddr *)&address, &size) != 0)
		return;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	while (connect(fd, (struct sockaddr *)&address, size) != 0 && errno == EINTR)
		;
	close(fd);
}

static void nap(void)
{
	struct timespec time = {.tv_nsec = EVERY_US * 1000L};

	while (nanosleep(&time, &time) != 0 && errno == EINTR)
		;
}

static void *spare_run(void *context)
{
	struct milter *milter = context;
	unsigned waits;

	while (true) {
		pthread_mutex_lock(&milter->waits_lock);
		while (milter->waits == 0)
			pthread_cond_wait(&milter->waits_begin, &milter->waits_lock);
		pthread_mutex_unlock(&milter->waits_lock);
		nap();
		pthread_mutex_lock(&milter->waits_lock);
		waits = milter->waits < SPARE_MAX ? milter->waits : SPARE_MAX;
		pthread_mutex_unlock(&milter->waits_lock);
		while (waits-- > 0)
			visit(milter->listener);
	}
	return NULL;
}

int spare_start(struct milter *milter, struct error *err)
{
	pthread_t thread;
	int result = pthread_create(&thread, NULL, spare_run, milter);

	if (result == 0)
		return pthread_detach(thread);
	error_set(err, "cannot start a thread beside libmilter: %s", strerror(result));
	return -1;
}
