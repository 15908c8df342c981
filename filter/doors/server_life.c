/*
 * server_life.c - a server from its opening to its end. Contract: server.h.
 */
#include "server_private.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct server *server_open(struct door_host *host, int listener, const struct server_protocol *protocol, void *door,
			   struct error *err)
{
	struct server *server = xmalloc(sizeof(*server));
	int flags = fcntl(listener, F_GETFL);

	server->host = host;
	server->protocol = protocol;
	server->door = door;
	server->listener = listener;
	server->queue_end = &server->queue;
	server->ready_end = &server->ready;
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->work, NULL);
	if (flags >= 0 && fcntl(listener, F_SETFL, flags | O_NONBLOCK) == 0 &&
	    pipe2(server->wake, O_CLOEXEC | O_NONBLOCK) == 0)
		return server;
	error_set(err, "listen %s: cannot prepare the socket", protocol->name);
	free(server);
	return NULL;
}

int server_start(struct server *server, struct error *err)
{
	int result = threads_begin(server);

	server->started = result == 0;
	if (result != 0)
		error_set(err, "cannot start a thread for listen %s: %s", server->protocol->name, strerror(result));
	return result == 0 ? 0 : -1;
}

static bool join_until(pthread_t thread, int64_t until_us)
{
	int64_t until = clock_wall_us() + until_us - clock_us();
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};

	return pthread_timedjoin_np(thread, NULL, &at) == 0;
}

bool server_stop(struct server *server, int64_t until_us)
{
	bool ended = true;

	if (!server->started)
		return true;
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	pthread_cond_broadcast(&server->work);
	pthread_mutex_unlock(&server->lock);
	server_wake(server);
	for (unsigned i = 0; ended && i < server->thread_count; i++) /* none is started any more */
		ended &= join_until(server->threads[i], until_us);
	return ended;
}

/* In the queue are connections that work, and some that are over, which nothing else knows. */
void server_close(struct server *server)
{
	struct server_conn *conn, *next;

	for (conn = server->queue; conn; conn = next) {
		next = conn->queued;
		if (conn->state == OVER)
			server_end(server, conn);
	}
	for (conn = server->conns; conn; conn = next) {
		next = conn->next;
		server_end(server, conn);
	}
	close(server->wake[0]);
	close(server->wake[1]);
	pthread_cond_destroy(&server->work);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
