/*
 * server_threads.c - the threads of a server. One leads: it does the turns, and answers one of the requests that a turn
 * finds; most answers come at once, and so no other thread is woken for them. Before it waits for the DNS or a store it
 * resigns, and another one leads. The others answer what is in the queue. Contract: server.h.
 */
#include "server_private.h"

#define TURN_MS 1000         /* for time-outs */
#define LONG_US (100 * 1000) /* an answer that takes longer waits for something: a disk, a list, a lock */

/* What this thread leads, and with which number. */
static _Thread_local struct {
	struct server *server;
	unsigned number;
} mine;

static void *thread_run(void *);

/* With the lock: there is something to do for one more thread. One that was woken counts as waiting until it runs, so
 * what there is to do decides. */
static int call_one(struct server *server)
{
	int result = 0;

	if (server->queued + !server->led > server->waiting && server->thread_count <= SERVER_WORKERS_MAX &&
	    !server->stopping) {
		result = pthread_create(&server->threads[server->thread_count], NULL, thread_run, server);
		server->thread_count += result == 0;
	}
	pthread_cond_signal(&server->work);
	return result;
}

/* With the lock. */
static bool is_leader(const struct server *server)
{
	return mine.server == server && server->led && server->leader == mine.number;
}

/* With the lock. */
static void vacate(struct server *server)
{
	server->led = false;
	server->since_us = 0;
	call_one(server);
}

/* ---- answers ------------------------------------------------------------------------------------- */

/* For another thread. */
static void queue_add(struct server *server, struct server_conn *conn)
{
	pthread_mutex_lock(&server->lock);
	conn->queued = NULL;
	*server->queue_end = conn;
	server->queue_end = &conn->queued;
	server->queued++;
	call_one(server);
	pthread_mutex_unlock(&server->lock);
}

/* Then whoever leads looks at it again. */
static void serve(struct server *server, struct server_conn *conn)
{
	enum conn_state next = server_serve(server, conn);
	bool leader;

	if (next == OVER)
		return;
	conn->since_us = clock_us();
	pthread_mutex_lock(&server->lock);
	conn->state = next;
	leader = is_leader(server);
	pthread_mutex_unlock(&server->lock);
	if (!leader)
		server_wake(server);
}

static void serve_as_leader(struct server *server, struct server_conn *conn)
{
	int64_t now = clock_us();

	pthread_mutex_lock(&server->lock);
	server->since_us = now;
	pthread_mutex_unlock(&server->lock);
	serve(server, conn);
	pthread_mutex_lock(&server->lock);
	if (is_leader(server))
		server->since_us = 0;
	pthread_mutex_unlock(&server->lock);
}

static struct server_conn *queue_take(struct server *server)
{
	struct server_conn *conn = server->queue;

	if (!conn)
		return NULL;
	server->queue = conn->queued;
	server->queued--;
	if (!server->queue)
		server->queue_end = &server->queue;
	return conn;
}

/* More is in the queue than there are threads that will take it soon. */
static bool is_behind(struct server *server)
{
	bool behind;

	pthread_mutex_lock(&server->lock);
	behind = server->queued > server->waiting;
	pthread_mutex_unlock(&server->lock);
	return behind;
}

/* What is ready. The leader answers one itself, last of all: when it waits meanwhile, another thread has begun a turn.
 * It is the first one, or while all other threads are busy the one that has been in the queue for longest. */
static void hand_out(struct server *server)
{
	bool behind = is_behind(server);
	struct server_conn *own = behind ? NULL : server->ready, *rest = own ? own->queued : server->ready, *next;

	server->ready = NULL;
	server->ready_end = &server->ready;
	for (; rest; rest = next) {
		next = rest->queued;
		queue_add(server, rest);
	}
	if (behind) {
		pthread_mutex_lock(&server->lock);
		own = queue_take(server);
		pthread_mutex_unlock(&server->lock);
	}
	if (own)
		serve_as_leader(server, own);
}

/* ---- who leads ------------------------------------------------------------------------------------ */

void server_waits(void *ignored, bool begins)
{
	struct server *server = mine.server;

	(void)ignored;
	if (!server || !begins)
		return;
	pthread_mutex_lock(&server->lock);
	if (is_leader(server) && server->since_us) /* never in the middle of a turn */
		vacate(server);
	pthread_mutex_unlock(&server->lock);
}

void server_relieve(struct server *server)
{
	int64_t now = clock_us();

	pthread_mutex_lock(&server->lock);
	if (server->led && server->since_us && now - server->since_us > LONG_US)
		vacate(server);
	pthread_mutex_unlock(&server->lock);
}

/* Without the lock, from turn to turn, until another one leads, or the server stops. */
static void lead(struct server *server)
{
	bool goes_on = true;

	while (goes_on) {
		server_turn(server, is_behind(server) ? 0 : TURN_MS);
		hand_out(server);
		pthread_mutex_lock(&server->lock);
		goes_on = is_leader(server) && !server->stopping;
		pthread_mutex_unlock(&server->lock);
	}
	mine.server = NULL;
}

static void *thread_run(void *context)
{
	struct server *server = context;
	struct server_conn *conn;

	pthread_mutex_lock(&server->lock);
	while (!server->stopping) {
		if (!server->led) {
			server->led = true;
			mine.server = server;
			mine.number = ++server->leader;
			pthread_mutex_unlock(&server->lock);
			lead(server);
			pthread_mutex_lock(&server->lock);
		} else if (server->queue) {
			conn = queue_take(server);
			pthread_mutex_unlock(&server->lock);
			serve(server, conn);
			pthread_mutex_lock(&server->lock);
		} else {
			server->waiting++;
			pthread_cond_wait(&server->work, &server->lock);
			server->waiting--;
		}
	}
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

int threads_begin(struct server *server)
{
	int result;

	pthread_mutex_lock(&server->lock);
	result = call_one(server);
	pthread_mutex_unlock(&server->lock);
	return result;
}
