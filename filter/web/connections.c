/*
 * connections.c - the connections that are open, and since when: a client that sends its request byte by byte is cut
 * off, whatever the library thinks of it.
 */
#include "web_private.h"
#include <sys/socket.h>

void connections_init(struct connections *connections)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		connections->items[i].fd = -1;
}

void connection_begins(struct connections *connections, int fd)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (connections->items[i].fd < 0) {
			connections->items[i].fd = fd;
			connections->items[i].began_us = clock_us();
			return;
		}
}

void connection_ends(struct connections *connections, int fd)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (connections->items[i].fd == fd)
			connections->items[i].fd = -1;
}

/* The library sees the end of the connection and closes it. */
void connections_sweep(struct connections *connections, int64_t now_us)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (connections->items[i].fd >= 0 && now_us - connections->items[i].began_us > CONNECTION_US)
			shutdown(connections->items[i].fd, SHUT_RDWR);
}
