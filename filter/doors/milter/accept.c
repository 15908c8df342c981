/*
 * accept.c - libmilter takes connections that the daemon admits, and no others.
 *
 * libmilter has no say in who connects, and its first callback comes when it has already read from the connection. It
 * calls accept(2) in one place; the program's own definition comes before that of the C library. Nobody else of this
 * program calls accept().
 */
#include "milter_private.h"
#include <errno.h>
#include <unistd.h>

int accept(int listener, struct sockaddr *address, socklen_t *length)
{
	int fd = accept4(listener, address, length, SOCK_CLOEXEC);
	struct milter *milter = milter_of_process();

	if (fd < 0 || !milter || milter->host->admits(milter->host, fd))
		return fd;
	close(fd);
	errno = EAGAIN; /* to libmilter: nobody is there */
	return -1;
}
