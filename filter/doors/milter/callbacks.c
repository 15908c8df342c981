/*
 * callbacks.c - what libmilter calls, step by step.
 *
 * Each callback passes what libmilter has read to its step (steps.c), and returns what the step answers, as libmilter
 * names it.
 */
#include "config.h"
#include "milter_private.h"

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

/* The return value for what a step answers. */
static sfsistat conn_answer(struct conn *conn, enum step_answer answer)
{
	static const sfsistat statuses[] = {
	    [STEP_CONTINUE] = SMFIS_CONTINUE, [STEP_MUTE] = SMFIS_NOREPLY,      [STEP_DISCARD] = SMFIS_DISCARD,
	    [STEP_SKIP] = SMFIS_SKIP,         [STEP_TEMPFAIL] = SMFIS_TEMPFAIL,
	};

	if (answer == STEP_REFUSE)
		return conn_leave(reply_send(conn->ctx, conn->steps.reply));
	return conn_leave(statuses[answer]);
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
	conn = conn_new(this_door, &libmilter_mta, ctx, actions, steps);
	smfi_setpriv(ctx, conn);
	if (conn->steps.terms.actions & CAN_NAME_MACROS)
		macros_ask(ctx);
	*actions_r = conn->steps.terms.actions;
	*steps_r = conn->steps.terms.steps;
	*more_r = *still_more_r = 0;
	return conn_leave(SMFIS_CONTINUE);
}

static sfsistat on_connect(SMFICTX *ctx, char *host, struct sockaddr *address)
{
	struct conn *conn = conn_enter(ctx);

	return conn ? conn_answer(conn, step_connect(&conn->steps, host, address)) : SMFIS_TEMPFAIL;
}

static sfsistat on_helo(SMFICTX *ctx, char *helo)
{
	struct conn *conn = conn_enter(ctx);

	return conn ? conn_answer(conn, step_helo(&conn->steps, helo)) : SMFIS_TEMPFAIL;
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

/* ---- the message --------------------------------------------------------------------------- */

static sfsistat on_mail(SMFICTX *ctx, char **arguments)
{
	struct conn *conn = conn_enter(ctx);

	return conn ? conn_answer(conn, step_mail(&conn->steps, arguments)) : SMFIS_TEMPFAIL;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **arguments)
{
	struct conn *conn = conn_enter(ctx);

	return conn ? conn_answer(conn, step_rcpt(&conn->steps, arguments[0])) : SMFIS_TEMPFAIL;
}

static sfsistat on_data(SMFICTX *ctx)
{
	struct conn *conn = conn_enter(ctx);

	return conn ? conn_answer(conn, step_data(&conn->steps)) : SMFIS_TEMPFAIL;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct conn *conn = conn_enter(ctx);

	if (!conn)
		return SMFIS_CONTINUE;
	step_abort(&conn->steps);
	return conn_leave(SMFIS_CONTINUE);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct conn *conn = conn_enter(ctx);

	return conn ? conn_answer(conn, step_header(&conn->steps, slice_of(name), slice_of(value))) : SMFIS_TEMPFAIL;
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	struct conn *conn = conn_enter(ctx);

	return conn ? conn_answer(conn, step_eoh(&conn->steps)) : SMFIS_TEMPFAIL;
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
	enum step_answer answer;

	if (!conn)
		return SMFIS_TEMPFAIL;
	answer = step_body(&conn->steps, (struct slice){(const char *)chunk, n});
	if ((answer == STEP_SKIP || answer == STEP_MUTE) && is_end(conn))
		answer = STEP_CONTINUE;
	return conn_answer(conn, answer);
}

static sfsistat on_end(SMFICTX *ctx)
{
	struct conn *conn = conn_enter(ctx);

	return conn ? conn_answer(conn, step_end(&conn->steps)) : SMFIS_TEMPFAIL;
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
