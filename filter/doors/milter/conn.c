/*
 * conn.c - the connections of MTAs that are open.
 *
 * A connection has a gate and the state of the milter protocol. The
 * door keeps all of them in a list: to report progress to an MTA that waits at the end of
 * a message, to wait for open messages at shutdown, and to write the record
 * of those that are still open then.
 */
#include "milter_private.h"
#include <stdlib.h>

#define PROGRESS_US                                                                                                    \
	(5 * 1000 * 1000) /* Postfix waits 300 s by default, Sendmail 5 min; an administrator may set less */

static struct wishes wishes_of(const struct policy *policy)
{
	return (struct wishes){
	    .body = (policy_needs(policy) & NEED_BODY) != 0,
	    .reply_mail = policy_has_rules(policy, STAGE_CONNECT) || policy_has_rules(policy, STAGE_HELO) ||
			  policy_has_rules(policy, STAGE_MAIL),
	    .reply_rcpt = policy_has_rules(policy, STAGE_RCPT),
	    .needs = policy_needs(policy),
	};
}

struct conn *conn_new(struct milter *milter, SMFICTX *ctx, unsigned long offered_actions, unsigned long offered_steps)
{
	struct conn *conn = xmalloc(sizeof(*conn));
	struct engine *engine = milter->host->engine(milter->host);
	struct abilities abilities;

	conn->milter = milter;
	conn->ctx = ctx;
	conn->terms = negotiate_terms(wishes_of(engine_policy(engine)), offered_actions, offered_steps);
	abilities = negotiate_abilities(&conn->terms);
	conn->gate = gate_open(engine, &abilities);
	engine_release(engine);
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
	conn_close(conn);
	gate_close(conn->gate);
	free(conn);
}

void conn_open(struct conn *conn)
{
	if (!conn->open)
		conn->milter->host->messages_open++;
	conn->open = true;
	conn->queue_id = false;
}

void conn_close(struct conn *conn)
{
	if (conn->open)
		conn->milter->host->messages_open--;
	conn->open = false;
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
