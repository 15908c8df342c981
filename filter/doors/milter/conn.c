/*
 * conn.c - the connections of MTAs that are open.
 *
 * A connection has a gate and what only the milter protocol knows of it. The
 * door keeps all of them in a list: to tell an MTA that waits at the end of a message
 * that we are still there, to wait for open messages when it ends, and to give
 * what is open then its record.
 */
#include "milter_private.h"
#include <stdlib.h>

#define PROGRESS_US                                                                                                    \
	(5 * 1000 * 1000) /* Postfix waits 300 s by default, Sendmail 5 min; an administrator may say less */

static struct wishes wishes_of(const struct policy *policy)
{
	return (struct wishes){
	    .body = (policy_needs(policy) & NEED_BODY) != 0,
	    .reply_mail = policy_has_rules(policy, STAGE_CONNECT) || policy_has_rules(policy, STAGE_HELO) ||
			  policy_has_rules(policy, STAGE_MAIL),
	    .reply_rcpt = policy_has_rules(policy, STAGE_RCPT),
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

void conn_busy(struct conn *conn, bool busy)
{
	pthread_mutex_lock(&conn->milter->lock);
	conn->busy_since = busy ? clock_us() : 0;
	conn->progress_at = conn->busy_since;
	pthread_mutex_unlock(&conn->milter->lock);
}

/* The thread of a busy connection is in the engine and writes nothing, and cannot go on to write while we
 * hold the lock. */
void conns_progress(struct milter *milter)
{
	int64_t now = clock_us();

	pthread_mutex_lock(&milter->lock);
	for (struct conn *conn = milter->conns; conn; conn = conn->next) {
		if (!conn->busy_since || now - conn->progress_at < PROGRESS_US)
			continue;
		smfi_progress(conn->ctx);
		conn->progress_at = now;
	}
	pthread_mutex_unlock(&milter->lock);
}

void conns_free(struct milter *milter)
{
	while (milter->conns)
		conn_free(milter->conns);
}
