/*
 * accept.c - libmilter accepts only connections that the daemon admits.
 *
 * libmilter cannot choose who connects, and its first callback comes after it has read from the connection. It
 * calls accept(2) in one place; the definition in the program takes precedence over that in the C library. Nothing else
 * in this program calls accept().
 */
#include "milter_private.h"
#include <errno.h>
#include <unistd.h>

int accept(int listener, struct sockaddr *address, socklen_t *length)
{
	int fd = accept4(listener, address, length, SOCK_CLOEXEC);
	struct milter *milter = milter_of_process();

	if (fd < 0 || !milter || milter->host->admits(milter->host, listener, fd))
		return fd;
	close(fd);
	errno = EAGAIN; /* tells libmilter that nobody has connected */
	return -1;
}
