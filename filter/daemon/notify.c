/*
 * notify.c - tells the service manager what the daemon does: datagrams to the socket of $NOTIFY_SOCKET, as sd_notify(3)
 * describes them. The protocol is a few lines of text and promised to stay, so no library is needed for it.
 *
 *     READY=1        connections are served, at the start and after a reload
 *     RELOADING=1    the policy file is being read
 *     STOPPING=1     no new connections; not of one that hands over, since the service goes on
 *     MAINPID=N      the process that is the service from now on: one that takes over
 *     WATCHDOG=1     from the keeper alone: one that hangs does not send it, and systemd starts the daemon again
 */
#include "daemon_private.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Its length; 0: nobody wants to be told. "@" begins the name of an abstract socket, whose first byte is NUL. */
static socklen_t notify_address(struct sockaddr_un *address_r)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;

	*address_r = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (n < 2 || n >= sizeof(address_r->sun_path) || (path[0] != '/' && path[0] != '@'))
		return 0;
	memcpy(address_r->sun_path, path, n);
	if (path[0] == '@')
		address_r->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

void notify_say(const char *lines)
{
	struct sockaddr_un address;
	socklen_t n = notify_address(&address);
	int fd = n > 0 ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

	if (fd < 0)
		return;
	sendto(fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&address, n);
	close(fd);
}

void notify_reloading(void)
{
	char lines[100];

	snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reading the policy",
		 (long long)clock_us());
	notify_say(lines);
}

void notify_main(pid_t pid)
{
	char lines[40];

	snprintf(lines, sizeof(lines), "MAINPID=%d", (int)pid);
	notify_say(lines);
}

int64_t notify_watchdog_us(void)
{
	const char *time = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t us, whose;

	if (!time || slice_number(slice_of(time), (uint64_t)INT64_MAX / 2, &us) != 0)
		return 0;
	if (pid && (slice_number(slice_of(pid), INT32_MAX, &whose) != 0 || (pid_t)whose != getpid()))
		return 0;
	return (int64_t)us;
}
