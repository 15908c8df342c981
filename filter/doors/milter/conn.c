/*
 * conn.c - the connections of MTAs that are open.
 *
 * A connection has a session, and what libmilter needs. The
 * door keeps all of them in a list: to report progress to an MTA that waits at the end of
 * a message, to wait for open messages at shutdown, and to write the record
 * of those that are still open then.
 */
#include "milter_private.h"
#include <stdlib.h>

#define PROGRESS_US                                                                                                    \
	(5 * 1000 * 1000) /* Postfix waits 300 s by default, Sendmail 5 min; an administrator may set less */

struct conn *conn_new(struct milter *milter, const struct mta *mta, SMFICTX *ctx, unsigned long offered_actions,
		      unsigned long offered_steps)
{
	struct conn *conn = xmalloc(sizeof(*conn));

	conn->milter = milter;
	conn->ctx = ctx;
	conn->steps = (struct steps){.host = milter->host, .mta = mta, .context = conn};
	steps_begin(&conn->steps, offered_actions, offered_steps);
	pthread_mutex_lock(&milter->lock);
	conn->next = milter->conns;
	if (conn->next)
		conn->next->previous = conn;
	milter->conns = conn;
	pthread_mutex_unlock(&milter->lock);
	return conn;
}

static void conn_unlink(struct conn *conn)
{
	struct milter *milter = conn->milter;

	pthread_mutex_lock(&milter->lock);
	if (conn->previous)
		conn->previous->next = conn->next;
	else
		milter->conns = conn->next;
	if (conn->next)
		conn->next->previous = conn->previous;
	pthread_mutex_unlock(&milter->lock);
}

void conn_free(struct conn *conn)
{
	conn_unlink(conn);
	steps_end(&conn->steps);
	free(conn);
}

/* Its end waits until a progress report in flight is written: two writes would mix, and libmilter
 * frees the session afterwards. This may take long when the MTA does not read, but it delays only this session. */
void conn_busy(struct conn *conn, bool busy)
{
	struct milter *milter = conn->milter;

	pthread_mutex_lock(&milter->lock);
	conn->busy_since = busy ? clock_us() : 0;
	conn->progress_at = conn->busy_since;
	while (!busy && conn->progressing)
		pthread_cond_wait(&milter->progressed, &milter->lock);
	pthread_mutex_unlock(&milter->lock);
}

/* The thread of a busy connection is in the engine and writes nothing. */
static void *conn_progress(void *context)
{
	struct conn *conn = context;
	struct milter *milter = conn->milter;

	smfi_progress(conn->ctx);
	pthread_mutex_lock(&milter->lock);
	conn->progressing = false; /* from now on the connection may be freed */
	pthread_cond_broadcast(&milter->progressed);
	pthread_mutex_unlock(&milter->lock);
	return NULL;
}

/* smfi_progress() blocks while the MTA does not read: each has its own thread, so that it delays no other session.
 * There are few: only messages that have waited for seconds. */
static bool conn_start_progress(struct conn *conn)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, conn_progress, conn) == 0 && pthread_detach(thread) == 0;
}

void conns_progress(struct milter *milter)
{
	int64_t now = clock_us();

	pthread_mutex_lock(&milter->lock);
	for (struct conn *conn = milter->conns; conn; conn = conn->next) {
		if (!conn->busy_since || conn->progressing || now - conn->progress_at < PROGRESS_US)
			continue;
		conn->progressing =
		    conn_start_progress(conn); /* it waits for our lock before it says that it is done */
		conn->progress_at = now;
	}
	pthread_mutex_unlock(&milter->lock);
}

void conns_free(struct milter *milter)
{
	while (milter->conns)
		conn_free(milter->conns);
}
