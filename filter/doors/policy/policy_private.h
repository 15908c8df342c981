/*
 * policy_private.h - what the files of the policy door share.
 */
#ifndef SEKISHO_DOORS_POLICY_PRIVATE_H
#define SEKISHO_DOORS_POLICY_PRIVATE_H

#include "server.h"
#include <pthread.h>

/* ---- request.c: one question ------------------------------------------------------------------ */

#define REQUEST_MAX (64 * 1024) /* bytes; Postfix sends about 30 attributes of at most 2 KB */

/* The attributes that are used, of Postfix's names (SMTPD_POLICY_README); "" when not given. */
struct policy_request {
	struct slice request, protocol_state, instance, queue_id;
	struct slice client_address, client_name, client_port, server_port, policy_context, helo_name;
	struct slice sender, recipient;
	struct slice sasl_username, sasl_method, encryption_protocol, encryption_cipher;
	struct slice message_follows; /* ours: "yes" when the message will come by the rspamc door */
};

size_t request_frame(struct slice bytes); /* as server.h says */
/* 0, or -1: it is none. */
int request_parse(struct slice text, struct policy_request *request_r);
static inline bool request_message_follows(const struct policy_request *request)
{
	return slice_equal(request->message_follows, SLICE("yes"));
}

/* ---- session.c: the requests about one message -------------------------------------------------- */

#define SESSIONS_MAX    1000                     /* each takes some 50 KB; the oldest makes room */
#define SESSION_LIFE_US (600 * INT64_C(1000000)) /* without a request */

struct sessions;

struct sessions *sessions_new(struct door_host *);
void sessions_free(struct sessions *);   /* ends all */
void sessions_expire(struct sessions *); /* ends those that nobody asks about any more */

/* Answers a request with an action. *last: which session the connection asked about last (0: none): the next one ends
 * it, as a mail server's process handles one message at a time. */
void sessions_answer(struct sessions *, const struct policy_request *, uintptr_t *last, struct text *action);

#endif
