/*
 * mta.c - what a session asks from libmilter: macros, edits, replies, and whether the MTA is still there.
 */
#include "milter_private.h"

_Static_assert(CAN_ADD_FIELDS == SMFIF_ADDHDRS && CAN_CHANGE_BODY == SMFIF_CHGBODY, "the bits of the protocol");
_Static_assert(CAN_ADD_RECIPIENT == SMFIF_ADDRCPT && CAN_DELETE_RECIPIENT == SMFIF_DELRCPT, "the bits of the protocol");
_Static_assert(CAN_CHANGE_FIELDS == SMFIF_CHGHDRS && CAN_QUARANTINE == SMFIF_QUARANTINE, "the bits of the protocol");
_Static_assert(CAN_CHANGE_SENDER == SMFIF_CHGFROM && CAN_NAME_MACROS == SMFIF_SETSYMLIST, "the bits of the protocol");
_Static_assert(NO_BODY == SMFIP_NOBODY && NO_UNKNOWN == SMFIP_NOUNKNOWN, "the bits of the protocol");
_Static_assert(NO_DATA == SMFIP_NODATA && CAN_SKIP == SMFIP_SKIP, "the bits of the protocol");
_Static_assert(MUTE_CONNECT == SMFIP_NR_CONN && MUTE_HELO == SMFIP_NR_HELO, "the bits of the protocol");
_Static_assert(MUTE_MAIL == SMFIP_NR_MAIL && MUTE_RCPT == SMFIP_NR_RCPT, "the bits of the protocol");
_Static_assert(MUTE_DATA == SMFIP_NR_DATA && MUTE_UNKNOWN == SMFIP_NR_UNKN, "the bits of the protocol");
_Static_assert(MUTE_HEADER == SMFIP_NR_HDR && MUTE_EOH == SMFIP_NR_EOH, "the bits of the protocol");
_Static_assert(MUTE_BODY == SMFIP_NR_BODY && LEADING_SPACE == SMFIP_HDR_LEADSPC, "the bits of the protocol");
_Static_assert(SMFIM_CONNECT == 0 && SMFIM_LAST == MACRO_STEPS - 1, "the order of macros_asked");

void macros_ask(SMFICTX *ctx)
{
	for (int i = 0; i < MACRO_STEPS; i++)
		if (macros_asked[i])
			smfi_setsymlist(ctx, i, (char *)macros_asked[i]);
}

static const char *mta_macro(void *context, const char *name)
{
	struct conn *conn = context;

	return smfi_getsymval(conn->ctx, (char *)name);
}

static int request_send(SMFICTX *ctx, const struct request *request)
{
	switch (request->kind) {
	case REQUEST_INSERT_FIELD:
		return smfi_insheader(ctx, (int)request->index, request->name, request->value);
	case REQUEST_CHANGE_FIELD:
		return smfi_chgheader(ctx, request->name, (int)request->index, request->value);
	case REQUEST_SENDER:
		return smfi_chgfrom(ctx, request->value, NULL);
	case REQUEST_ADD_RECIPIENT:
		return smfi_addrcpt(ctx, request->value);
	case REQUEST_DELETE_RECIPIENT:
		return smfi_delrcpt(ctx, request->value);
	case REQUEST_BODY:
		return smfi_replacebody(ctx, (unsigned char *)(uintptr_t)request->body.p, (int)request->body.n);
	default:
		return smfi_quarantine(ctx, request->value);
	}
}

static int mta_request(void *context, const struct request *request)
{
	struct conn *conn = context;

	return request_send(conn->ctx, request) == MI_SUCCESS ? 0 : -1;
}

/* libmilter does not say so, but a write fails. The first write after the other end has closed a TCP connection still
 * succeeds, the second does not. */
static bool mta_gone(void *context, bool edited)
{
	struct conn *conn = context;

	if (!edited && smfi_progress(conn->ctx) != MI_SUCCESS)
		return true;
	return smfi_progress(conn->ctx) != MI_SUCCESS;
}

static void mta_waits(void *context, bool begins)
{
	struct conn *conn = context;

	spare_waits(conn->milter, begins);
}

static void mta_busy(void *context, bool busy)
{
	conn_busy(context, busy);
}

const struct mta libmilter_mta = {
    .macro = mta_macro, .request = mta_request, .gone = mta_gone, .waits = mta_waits, .busy = mta_busy};

/* smfi_setmlreply() takes one argument per line; the one after the last is NULL and ends the list. */
static int reply_set_lines(SMFICTX *ctx, struct reply_text *text, const char *enhanced)
{
	char **l = text->lines;

	return smfi_setmlreply(ctx, text->code, enhanced, l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7], l[8], l[9],
			       l[10], l[11], l[12], l[13], l[14], l[15], l[16], l[17], l[18], l[19], l[20], l[21],
			       l[22], l[23], l[24], l[25], l[26], l[27], l[28], l[29], l[30], l[31], NULL);
}

sfsistat reply_send(SMFICTX *ctx, const struct reply *reply)
{
	struct arena *arena = arena_new();
	struct reply_text text;
	sfsistat status;
	char *enhanced;

	reply_write(reply, arena, &text);
	enhanced = text.enhanced[0] ? text.enhanced : NULL;
	status = text.code[0] == '5' ? SMFIS_REJECT : SMFIS_TEMPFAIL;
	/* When libmilter refuses the text, its default text is sent: the verdict stays the same. */
	if (text.count == 1)
		smfi_setreply(ctx, text.code, enhanced, text.lines[0]);
	else
		reply_set_lines(ctx, &text, enhanced);
	arena_free(arena);
	return status;
}
