/*
 * mailer_private.h - one try to send one message.
 */
#ifndef SEKISHO_MAILER_PRIVATE_H
#define SEKISHO_MAILER_PRIVATE_H

#include "curl_library.h"
#include "mailer.h"

enum tried {
	TRIED_SENT,
	TRIED_REFUSED,    /* 5xx */
	TRIED_LATER,      /* 4xx, or the server stopped to answer */
	TRIED_UNREACHABLE /* there is no connection */
};

struct attempt {
	const struct curl_library *curl;
	const char *url; /* smtp://HOST:PORT */
	int64_t timeout_us;
	const char *recipient, *sender; /* sender "": the null reverse-path */
	struct slice text;
	/* Called when the connection exists, with our end of it, and with NULL and 0 after it. */
	void (*connected)(void *context, const char *address, unsigned port);
	bool (*stopped)(void *context); /* true: give up at once */
	void *context;
};

/* Once, before any thread: what smtp_send() needs. NULL and err. */
const struct curl_library *smtp_prepare(struct error *err);
struct attempt_end {
	struct error why; /* why it was not sent, one line; "" when it was */
	unsigned code;    /* of the reply in `reply`; 0: there is none */
	struct error reply;
	bool had_text; /* it began to take the text of the message */
};
enum tried smtp_send(const struct attempt *, struct attempt_end *end_r);

#endif
