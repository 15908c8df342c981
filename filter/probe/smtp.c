/*
 * smtp.c - an SMTP server, step by step: connect, banner, EHLO, STARTTLS, EHLO again, and what it says to somebody who
 * wants to relay. No message is ever sent.
 */
#include "tls.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#define LINE_MAX_BYTES  2048        /* RFC 5321 4.5.3.1.5 allows 512; some servers write more */
#define REPLY_LINES_MAX 100         /* EHLO of large servers has about 20 */
#define REPLY_BYTES_MAX (16 * 1024) /* a server cannot make us keep more */

struct visit {
	const struct probe_smtp_request *request;
	struct probe_smtp *result;
	struct arena *arena;
	struct talk talk;
	int64_t begun_us; /* the current step */
};

/* ---- steps ------------------------------------------------------------------------------ */

static struct probe_step *step_end(struct visit *visit, const char *name, bool good)
{
	struct probe_step *step = &visit->result->steps[visit->result->step_count];
	int64_t now = clock_us();

	if (visit->result->step_count + 1 < PROBE_STEPS_MAX)
		visit->result->step_count++;
	*step = (struct probe_step){.name = name, .good = good, .took_us = now - visit->begun_us};
	step->why = good ? SLICE("") : visit->talk.why;
	visit->begun_us = now;
	if (!good)
		visit->result->good = false;
	return step;
}

/* "250-text": its code, or 0. */
static unsigned line_code(struct slice line)
{
	uint64_t code;

	if (slice_number(slice_head(line, 3), 599, &code) < 0 || code < 200 ||
	    (line.n > 3 && line.p[3] != '-' && line.p[3] != ' '))
		return 0;
	return (unsigned)code;
}

/* A whole reply (RFC 5321 4.2.1). -1 and talk.why when there is none. */
static int reply_read(struct visit *visit, unsigned *code_r, struct slice *said_r)
{
	struct text said;

	*code_r = 0;
	*said_r = SLICE("");
	text_init(&said, visit->arena, REPLY_BYTES_MAX);
	for (unsigned lines = 0; lines < REPLY_LINES_MAX && !said.cut; lines++) {
		struct text line;
		struct slice text;
		unsigned code;

		text_init(&line, visit->arena, LINE_MAX_BYTES);
		if (talk_line(&visit->talk, &line) < 0)
			return -1;
		text = text_slice(&line);
		code = line_code(text);
		if (code == 0 || (*code_r != 0 && code != *code_r)) {
			*said_r = arena_copy(visit->arena, text);
			visit->talk.why = SLICE("this is not a reply of SMTP (RFC 5321 4.2)");
			return -1;
		}
		*code_r = code;
		if (lines > 0)
			text_add_char(&said, '\n');
		text_add(&said, slice_from(text, 4));
		if (text.n <= 3 || text.p[3] == ' ') {
			*said_r = text_slice(&said);
			return 0;
		}
	}
	*said_r = slice_head(text_slice(&said), LINE_MAX_BYTES);
	visit->talk.why = SLICE("the reply does not end");
	return -1;
}

/* Sends a line when there is one and reads the reply, which must be of the class of `wanted`. */
static bool exchange(struct visit *visit, const char *name, struct slice line, unsigned wanted)
{
	struct slice said = SLICE("");
	unsigned code = 0;
	int done = line.n > 0 ? talk_send(&visit->talk, line) : 0;

	if (done == 0)
		done = reply_read(visit, &code, &said);
	if (done == 0 && code / 100 != wanted / 100) {
		visit->talk.why = arena_printf(visit->arena, "the server refuses (%u)", code);
		done = -1;
	}
	struct probe_step *step = step_end(visit, name, done == 0);
	step->code = code;
	step->said = said;
	return done == 0;
}

/* ---- what it says of itself --------------------------------------------------------------- */

static struct slice first_word(struct slice text)
{
	struct slice word;

	return slice_word(&text, &word) ? word : SLICE("");
}

static const struct probe_step *last_step(const struct visit *visit)
{
	return &visit->result->steps[visit->result->step_count - 1];
}

/* The lines after EHLO: its name, then one keyword a line. */
static void read_ehlo(struct visit *visit)
{
	struct slice rest = last_step(visit)->said, line;
	struct text keywords;

	slice_cut(&rest, '\n', &line);
	visit->result->ehlo_name = first_word(line);
	visit->result->starttls = visit->request->port == PROBE_TLS_PORT;
	text_init(&keywords, visit->arena, REPLY_BYTES_MAX);
	while (slice_cut(&rest, '\n', &line)) {
		struct slice keyword = first_word(line);
		if (slice_equal_nocase(keyword, SLICE("STARTTLS")))
			visit->result->starttls = true;
		if (keywords.n > 0)
			text_add_char(&keywords, ' ');
		text_add(&keywords, keyword);
	}
	visit->result->extensions = text_slice(&keywords);
}

static struct slice ehlo_line(const struct visit *visit)
{
	return arena_printf(visit->arena, "EHLO %.*s\r\n", SLICE_ARGS(visit->request->helo));
}

/* ---- TLS ------------------------------------------------------------------------------------ */

static bool begin_tls(struct visit *visit)
{
	struct error err = {""};
	SSL_CTX *ctx = tls_context(visit->request->ca_file, &err);
	SSL *ssl = ctx ? tls_session(ctx, visit->request, &visit->result->dane) : NULL;
	bool good;

	if (!ssl) {
		visit->talk.why = arena_printf(visit->arena, "%s", ctx ? "OpenSSL has no memory" : err.text);
		SSL_CTX_free(ctx);
		step_end(visit, "tls", false);
		return false;
	}
	good = talk_tls(&visit->talk, ssl) == 0;
	step_end(visit, "tls", good);
	if (good)
		tls_judge(ssl, ctx, visit->request, visit->arena, visit->result);
	SSL_CTX_free(ctx); /* the session holds it */
	return good;
}

/* RFC 3207 4.2: what came before TLS is forgotten, so EHLO is sent again. */
static bool start_tls(struct visit *visit)
{
	if (!exchange(visit, "starttls", SLICE("STARTTLS\r\n"), 220))
		return false;
	if (talk_pending(&visit->talk)) {
		visit->talk.why = SLICE("more came in plain text after the reply to STARTTLS");
		step_end(visit, "tls", false);
		return false;
	}
	return begin_tls(visit) && exchange(visit, "ehlo-tls", ehlo_line(visit), 250);
}

/* ---- relaying --------------------------------------------------------------------------------- */

static const char *const relay_forms[PROBE_RELAYS_MAX] = {
    "relay-test@example.com",
    "relay-test%%example.com@%s",
    "\"relay-test@example.com\"@%s",
    "@%s:relay-test@example.com",
};

static bool ask(struct visit *visit, struct slice line, struct probe_relay *relay)
{
	return talk_send(&visit->talk, line) == 0 && reply_read(visit, &relay->code, &relay->said) == 0;
}

/* A domain that is nobody's (RFC 2606), so that whatever an open relay accepted would go nowhere. */
static void try_relay(struct visit *visit)
{
	char address[IP_TEXT], server[IP_TEXT + 10];

	ip_print(visit->request->ip, address);
	snprintf(server, sizeof(server), visit->request->ip.family == 4 ? "[%s]" : "[IPv6:%s]", address);
	for (size_t i = 0; i < PROBE_RELAYS_MAX; i++) {
		struct probe_relay *relay = &visit->result->relays[i];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		relay->recipient = arena_printf(visit->arena, relay_forms[i], server);
#pragma GCC diagnostic pop
		relay->said = SLICE("");
		if (!ask(visit, SLICE("MAIL FROM:<relay-test@example.net>\r\n"), relay))
			return;
		visit->result->relay_count = i + 1;
		if (relay->code / 100 == 2 &&
		    !ask(visit, arena_printf(visit->arena, "RCPT TO:<%.*s>\r\n", SLICE_ARGS(relay->recipient)), relay))
			return;
		struct probe_relay reset;
		if (!ask(visit, SLICE("RSET\r\n"), &reset))
			return;
	}
}

/* ---- the visit ---------------------------------------------------------------------------------- */

static void talk_through(struct visit *visit)
{
	bool connected = talk_connect(&visit->talk, visit->request->ip, visit->request->port) == 0;

	step_end(visit, "connect", connected);
	if (!connected || (visit->request->port == PROBE_TLS_PORT && !begin_tls(visit)))
		return;
	if (!exchange(visit, "banner", SLICE(""), 220))
		return;
	visit->result->banner_name = first_word(last_step(visit)->said);
	if (!exchange(visit, "ehlo", ehlo_line(visit), 250))
		return;
	read_ehlo(visit);
	if (visit->result->starttls && !visit->talk.ssl && !start_tls(visit))
		return;
	if (visit->request->relay_test)
		try_relay(visit);
	visit->begun_us = clock_us();
	exchange(visit, "quit", SLICE("QUIT\r\n"), 221);
}

/* OpenSSL writes without MSG_NOSIGNAL: while this thread does, the signal of a closed connection waits, and is taken
 * away afterwards. */
static bool pipe_signal_block(sigset_t *before_r)
{
	sigset_t pipe_only;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	return pthread_sigmask(SIG_BLOCK, &pipe_only, before_r) == 0;
}

static void pipe_signal_restore(const sigset_t *before)
{
	static const struct timespec at_once = {0, 0};
	sigset_t pipe_only;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	(void)sigtimedwait(&pipe_only, NULL, &at_once);
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

void probe_smtp(const struct probe_smtp_request *request, struct arena *arena, struct probe_smtp *result_r)
{
	struct visit visit = {.request = request,
			      .result = result_r,
			      .arena = arena,
			      .talk = {.arena = arena, .until_us = request->until_us, .fd = -1},
			      .begun_us = clock_us()};
	int64_t begun_us = visit.begun_us;
	sigset_t before;
	bool blocked = pipe_signal_block(&before);

	*result_r = (struct probe_smtp){.good = true};
	talk_through(&visit);
	result_r->took_us = clock_us() - begun_us;
	talk_close(&visit.talk);
	if (blocked)
		pipe_signal_restore(&before);
}
