/*
 * callbacks.c - what libmilter calls, step by step, over a gate of the engine.
 *
 * Each callback passes what is known at its step to the gate, and returns
 * through conn_answer(), the one place that turns a verdict into a return value of
 * libmilter. At a step that was negotiated without reply the engine gives none: both MTAs
 * would ignore it and let the message through.
 *
 * A session is never accepted before the end of a message, because libmilter would
 * then get nothing more of it.
 */
#include "config.h"
#include "milter_private.h"
#include <limits.h>
#include <string.h>
#include <strings.h>

#define PATIENCE_US (100 * 1000) /* no MTA gives up earlier */

/* The only static variable of this door: its state. libmilter gives callbacks none of our data before smfi_setpriv(),
 * and has one listener per process. */
static struct milter *this_door;

struct milter *milter_of_process(void)
{
	return this_door;
}

/* ---- in and out ---------------------------------------------------------------------- */

static bool door_enter(void)
{
	return pthread_rwlock_tryrdlock(&this_door->gateway) == 0;
}

static void door_leave(void)
{
	pthread_rwlock_unlock(&this_door->gateway);
}

/* NULL when the daemon has ended, or when the MTA skipped the negotiation: the
 * command then gets a temporary failure. */
static struct conn *conn_enter(SMFICTX *ctx)
{
	struct conn *conn;

	if (!door_enter())
		return NULL;
	conn = smfi_getpriv(ctx);
	if (!conn)
		door_leave();
	return conn;
}

static sfsistat conn_leave(sfsistat status)
{
	door_leave();
	return status;
}

/* The message is over: the MTA gets this answer now. */
static void conn_done(struct conn *conn, enum told_how how)
{
	gate_done(conn->gate, &(struct told){.how = how});
	conn_close(conn);
}

/* The return value for a verdict. */
static sfsistat conn_refuse(struct conn *conn, enum gate_answer answer)
{
	return answer == GATE_DISCARD ? SMFIS_DISCARD : reply_send(conn->ctx, gate_reply(conn->gate));
}

/* The answer to the MTA at a step before the end. `no_reply` is the SMFIP_NR_ bit of the step. */
static sfsistat conn_answer(struct conn *conn, unsigned long no_reply, enum gate_answer answer)
{
	sfsistat status;

	if (answer == GATE_CONTINUE)
		return conn_leave((conn->terms.steps & no_reply) != 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE);
	status = conn_refuse(conn, answer);
	if (no_reply != SMFIP_NR_RCPT) /* a refused recipient does not end the message */
		conn_done(conn, TOLD_AS_DECIDED);
	return conn_leave(status);
}

/* ---- what is known at several steps ------------------------------------------------------ */

static void conn_connect(struct conn *conn)
{
	const struct client *client = &conn->client;

	gate_connect(conn->gate, &(struct connection){
				     .client = client->ip,
				     .client_port = client->port,
				     .client_name = slice_of(client->name),
				     .daemon_name = slice_of(client->daemon_name),
				     .daemon_port = client->daemon_port,
				     .local_program = client->local_program,
				 });
}

/* An MTA that cannot be asked for macros may name the service only now. */
static void conn_service(struct conn *conn)
{
	struct connect_macros macros = macros_of_connect(conn->ctx);

	if (client_complete(&conn->client, &macros))
		conn_connect(conn);
}

static void conn_tls(struct conn *conn)
{
	gate_tls(conn->gate, macro_read(conn->ctx, "{tls_version}"), macro_read(conn->ctx, "{cipher}"));
}

/* Sendmail has a queue id at MAIL, Postfix at the second RCPT or after the last. */
static void conn_queue_id(struct conn *conn)
{
	struct slice id;

	if (conn->queue_id || !conn->open)
		return;
	id = macro_read(conn->ctx, "i");
	if (id.n == 0)
		return;
	gate_queue_id(conn->gate, id);
	conn->queue_id = true;
}

/* ---- the session -------------------------------------------------------------------------- */

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long more,
			     unsigned long still_more, unsigned long *actions_r, unsigned long *steps_r,
			     unsigned long *more_r, unsigned long *still_more_r)
{
	struct conn *conn;

	(void)more, (void)still_more;
	if (!door_enter())
		return SMFIS_REJECT;
	conn = smfi_getpriv(ctx);
	if (conn) { /* twice on one connection: begin again */
		smfi_setpriv(ctx, NULL);
		conn_free(conn);
	}
	conn = conn_new(this_door, ctx, actions, steps);
	smfi_setpriv(ctx, conn);
	if (conn->terms.actions & SMFIF_SETSYMLIST)
		macros_ask(ctx);
	*actions_r = conn->terms.actions;
	*steps_r = conn->terms.steps;
	*more_r = *still_more_r = 0;
	return conn_leave(SMFIS_CONTINUE);
}

static sfsistat on_connect(SMFICTX *ctx, char *host, struct sockaddr *address)
{
	struct conn *conn = conn_enter(ctx);
	struct connect_macros macros;

	if (!conn)
		return SMFIS_TEMPFAIL;
	macros = macros_of_connect(ctx);
	client_read(host, address, &macros, &conn->client);
	conn_connect(conn);
	conn_tls(conn); /* Postfix's smtps is encrypted before HELO */
	return conn_answer(conn, SMFIP_NR_CONN, GATE_CONTINUE);
}

static sfsistat on_helo(SMFICTX *ctx, char *helo)
{
	struct conn *conn = conn_enter(ctx);

	if (!conn)
		return SMFIS_TEMPFAIL;
	conn_close(conn); /* RFC 5321 4.1.4: HELO ends a message that is open */
	conn_service(conn);
	conn_tls(conn);
	gate_helo(conn->gate, slice_of(helo));
	return conn_answer(conn, SMFIP_NR_HELO, GATE_CONTINUE);
}

/* The session is over, however it ends. */
static sfsistat on_close(SMFICTX *ctx)
{
	struct conn *conn = conn_enter(ctx);

	if (!conn)
		return SMFIS_CONTINUE;
	smfi_setpriv(ctx, NULL);
	conn_free(conn);
	return conn_leave(SMFIS_CONTINUE);
}

/* ---- the envelope --------------------------------------------------------------------------- */

/* RFC 6531 3.4 */
static bool argument_given(char **arguments, const char *name)
{
	for (; *arguments; arguments++)
		if (strcasecmp(*arguments, name) == 0)
			return true;
	return false;
}

static sfsistat on_mail(SMFICTX *ctx, char **arguments)
{
	struct conn *conn = conn_enter(ctx);
	enum gate_answer answer;

	if (!conn)
		return SMFIS_TEMPFAIL;
	conn_service(conn);
	conn_tls(conn);
	gate_auth(conn->gate, macro_read(ctx, "{auth_authen}"), macro_read(ctx, "{auth_type}"));
	conn_open(conn);
	answer = gate_mail(conn->gate, slice_of(arguments[0]), macro_read(ctx, "{mail_addr}"),
			   argument_given(arguments + 1, "SMTPUTF8"));
	conn_queue_id(conn);
	return conn_answer(conn, SMFIP_NR_MAIL, answer);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **arguments)
{
	struct conn *conn = conn_enter(ctx);
	enum gate_answer answer = GATE_CONTINUE;

	if (!conn)
		return SMFIS_TEMPFAIL;
	conn_queue_id(conn);
	if (conn->open)
		answer = gate_rcpt(conn->gate, slice_of(arguments[0]), macro_read(ctx, "{rcpt_addr}"));
	return conn_answer(conn, SMFIP_NR_RCPT, answer);
}

static sfsistat on_data(SMFICTX *ctx)
{
	struct conn *conn = conn_enter(ctx);

	if (!conn)
		return SMFIS_TEMPFAIL;
	conn_queue_id(conn);
	return conn_answer(conn, SMFIP_NR_DATA, GATE_CONTINUE);
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct conn *conn = conn_enter(ctx);

	if (!conn)
		return SMFIS_CONTINUE;
	if (conn->open)
		gate_abort(conn->gate);
	conn_close(conn);
	return conn_leave(SMFIS_CONTINUE);
}

/* ---- the message ----------------------------------------------------------------------------- */

/* Without SMFIP_HDR_LEADSPC the MTA removes one space and restores it itself; the engine sees only one form. */
static void conn_header(struct conn *conn, struct slice name, struct slice value)
{
	struct arena *arena;

	if (conn->terms.leading_space) {
		gate_header(conn->gate, name, value);
		return;
	}
	arena = arena_new();
	gate_header(conn->gate, name, arena_printf(arena, " %.*s", SLICE_ARGS(value)));
	arena_free(arena);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct conn *conn = conn_enter(ctx);

	if (!conn)
		return SMFIS_TEMPFAIL;
	conn_queue_id(conn);
	if (conn->open)
		conn_header(conn, slice_of(name), slice_of(value));
	return conn_answer(conn, SMFIP_NR_HDR, GATE_CONTINUE);
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	struct conn *conn = conn_enter(ctx);

	if (!conn)
		return SMFIS_TEMPFAIL;
	conn_queue_id(conn);
	return conn_answer(conn, SMFIP_NR_EOH, GATE_CONTINUE);
}

/* The protocol lets an MTA send the last piece together with the end of the message. libmilter 8.17 then calls us for
 * the piece first, and uses "no reply" or "skip" as the answer to the end: the MTA would wait forever, or let the
 * message through. It does not tell at which step it is, but only at the end can a change be requested: so
 * we delete a field that does not exist. */
static bool is_end(struct conn *conn)
{
	static char name[] = "X-Sekisho-No-Field";

	return smfi_chgheader(conn->ctx, name, 1, NULL) == MI_SUCCESS;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *chunk, size_t n)
{
	struct conn *conn = conn_enter(ctx);

	if (!conn)
		return SMFIS_TEMPFAIL;
	if (conn->open)
		gate_body(conn->gate, (struct slice){(const char *)chunk, n});
	if ((conn->terms.skip_body || (conn->terms.steps & SMFIP_NR_BODY)) && is_end(conn))
		return conn_leave(SMFIS_CONTINUE);
	if (conn->terms.skip_body)
		return conn_leave(SMFIS_SKIP);
	return conn_answer(conn, SMFIP_NR_BODY, GATE_CONTINUE);
}

/* ---- the end of the message --------------------------------------------------------------------- */

static int field_apply(struct conn *conn, const struct change *change, struct arena *arena)
{
	struct slice value = change->value;
	char *name = arena_cstring(arena, change->name);
	char *text;

	if (!conn->terms.leading_space && value.n > 0 && value.p[0] == ' ')
		value = slice_from(value, 1);
	text = arena_cstring(arena, value);
	if (change->kind == CHANGE_INSERT) /* 0: above the Received field that the MTA puts on top */
		return smfi_insheader(conn->ctx, 0, name, text);
	if (change->kind == CHANGE_APPEND) /* an index beyond the last field means the end, for both MTAs */
		return smfi_insheader(conn->ctx, INT_MAX, name, text);
	return smfi_chgheader(conn->ctx, name, (int)change->index, change->kind == CHANGE_DELETE ? NULL : text);
}

static int change_apply(struct conn *conn, const struct change *change, struct arena *arena)
{
	switch (change->kind) {
	case CHANGE_SENDER:
		return smfi_chgfrom(conn->ctx, arena_cstring(arena, change->value), NULL);
	case CHANGE_ADD_RECIPIENT:
		return smfi_addrcpt(conn->ctx, arena_cstring(arena, change->value));
	case CHANGE_DELETE_RECIPIENT:
		return smfi_delrcpt(conn->ctx, arena_cstring(arena, change->value));
	case CHANGE_BODY:
		return smfi_replacebody(conn->ctx, (unsigned char *)(uintptr_t)change->value.p, (int)change->value.n);
	default:
		return field_apply(conn, change, arena);
	}
}

static int changes_apply(struct conn *conn, struct arena *arena)
{
	const struct slice *reason = gate_quarantine(conn->gate);
	size_t count;
	const struct change *changes = gate_changes(conn->gate, &count);
	char *text;

	for (size_t i = 0; i < count; i++)
		if (change_apply(conn, &changes[i], arena) != MI_SUCCESS)
			return -1;
	if (!reason)
		return 0;
	text = arena_cstring(arena, *reason);
	return smfi_quarantine(conn->ctx, text[0] ? text : "policy") == MI_SUCCESS ? 0 : -1;
}

/* Has the MTA disconnected? libmilter does not say so, but a write fails. The first write after the other end has
 * closed a TCP connection still succeeds, the second does not. An MTA disconnects while it waits, so an answer that
 * came at once needs no such writes. */
static bool conn_is_gone(struct conn *conn, int64_t began_us, bool written)
{
	if (clock_us() - began_us < PATIENCE_US)
		return false;
	if (!written && smfi_progress(conn->ctx) != MI_SUCCESS)
		return true;
	return smfi_progress(conn->ctx) != MI_SUCCESS;
}

/* A message that could not be changed as decided is not let through: the client tries again. */
static sfsistat conn_unchanged(struct conn *conn)
{
	report_line(conn->milter->host->report, "error",
		    "the mail server did not accept all changes of a message (it offered actions 0x%lx); the message "
		    "was deferred",
		    conn->terms.actions);
	conn_done(conn, TOLD_EDITS_FAILED);
	return reply_send(conn->ctx, gate_reply_unchanged());
}

static sfsistat conn_accept(struct conn *conn, int64_t began_us)
{
	struct arena *arena = arena_new();
	int result = changes_apply(conn, arena);
	size_t count;

	arena_free(arena);
	gate_changes(conn->gate, &count);
	if (conn_is_gone(conn, result == 0 ? began_us : 0, count > 0)) {
		conn_done(conn, TOLD_NOBODY);
		return SMFIS_TEMPFAIL;
	}
	if (result != 0)
		return conn_unchanged(conn);
	conn_done(conn, TOLD_AS_DECIDED);
	return SMFIS_CONTINUE;
}

static sfsistat conn_finish(struct conn *conn)
{
	int64_t began = clock_us();
	enum gate_answer answer;
	sfsistat status;
	bool gone;

	conn_busy(conn, true);
	answer = gate_end(conn->gate);
	conn_busy(conn, false);
	if (answer == GATE_CONTINUE)
		return conn_accept(conn, began);
	gone = conn_is_gone(conn, began, false);
	status = conn_refuse(conn, answer);
	conn_done(conn, gone ? TOLD_NOBODY : TOLD_AS_DECIDED);
	return status;
}

static sfsistat on_end(SMFICTX *ctx)
{
	struct conn *conn = conn_enter(ctx);

	if (!conn || !conn->open)
		return conn ? conn_leave(SMFIS_TEMPFAIL) : SMFIS_TEMPFAIL;
	conn_queue_id(conn);
	return conn_leave(conn_finish(conn));
}

/* ---- registration ---------------------------------------------------------------------------------- */

int callbacks_register(struct milter *milter)
{
	static char name[] = PACKAGE_NAME;
	struct smfiDesc description = {
	    .xxfi_name = name,
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST | SMFIF_CHGFROM |
			  SMFIF_ADDRCPT | SMFIF_DELRCPT | SMFIF_CHGBODY, /* what is requested: negotiate.c */
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_helo,
	    .xxfi_envfrom = on_mail,
	    .xxfi_envrcpt = on_rcpt,
	    .xxfi_header = on_header,
	    .xxfi_eoh = on_eoh,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_end,
	    .xxfi_abort = on_abort,
	    .xxfi_close = on_close,
	    .xxfi_data = on_data,
	    .xxfi_negotiate = on_negotiate,
	};

	this_door = milter;
	return smfi_register(description) == MI_SUCCESS ? 0 : -1;
}
