/*
 * ask.c - the conversation of a mail server with a milter about one message. Contract: milter_client.h.
 */
#include "client_private.h"
#include <stdio.h>

#define STEPS_OFFERED                                                                                                  \
	(NO_BODY | MUTE_HEADER | NO_UNKNOWN | NO_DATA | CAN_SKIP | MUTE_CONNECT | MUTE_HELO | MUTE_MAIL | MUTE_RCPT |  \
	 MUTE_DATA | MUTE_UNKNOWN | MUTE_EOH | MUTE_BODY | LEADING_SPACE)
#define PIECE_MAX 65535 /* of a body */

/* What a milter may say at a step. */
enum said {
	SAID_CONTINUE,
	SAID_SKIP,   /* enough of the body */
	SAID_ACCEPT, /* the message goes on as it is */
	SAID_REFUSE,
	SAID_DISCARD,
	SAID_NOTHING /* that a milter says */
};

struct inquiry {
	struct wire wire;
	const struct question *question;
	struct arena *arena;
	struct answer *answer;
	unsigned long steps; /* what the milter wants of those that were offered */
	unsigned long actions;
	struct taking taking;
};

/* ---- what it says ------------------------------------------------------------------------------------ */

static enum said refuse(struct inquiry *inquiry, unsigned code, struct slice enhanced, struct slice text)
{
	inquiry->answer->code = code;
	inquiry->answer->enhanced = enhanced;
	inquiry->answer->text = text;
	return SAID_REFUSE;
}

static enum said no_milter(struct inquiry *inquiry)
{
	error_set(inquiry->wire.err, "what answers is not a milter");
	return SAID_NOTHING;
}

/* A final answer to a command. */
static enum said said_of(struct inquiry *inquiry, char letter, struct slice data)
{
	switch (letter) {
	case 'c':
		return SAID_CONTINUE;
	case 's':
		return SAID_SKIP;
	case 'a':
		return SAID_ACCEPT;
	case 'd':
		return SAID_DISCARD;
	case 'r':
		return refuse(inquiry, 550, SLICE("5.7.1"), SLICE("Command rejected"));
	case 't':
		return refuse(inquiry, 451, SLICE("4.7.1"), SLICE("Service unavailable - try again later"));
	case 'y':
		return take_reply(data, inquiry->arena, inquiry->answer) == 0 ? SAID_REFUSE : no_milter(inquiry);
	default:
		return no_milter(inquiry);
	}
}

static enum said hear(struct inquiry *inquiry)
{
	struct slice data;
	char letter;

	do {
		if (wire_get(&inquiry->wire, &letter, &data) != 0)
			return SAID_NOTHING;
	} while (letter == 'p');
	return said_of(inquiry, letter, data);
}

/* The answer to the end of the message, and the requests before it. */
static enum said hear_end(struct inquiry *inquiry)
{
	struct slice data;
	char letter;

	for (;;) {
		if (wire_get(&inquiry->wire, &letter, &data) != 0)
			return SAID_NOTHING;
		if (memchr("catdry", letter, 6))
			return said_of(inquiry, letter, data);
		if (take_request(&inquiry->taking, letter, data, inquiry->wire.err) != 0)
			return SAID_NOTHING;
	}
}

/* ---- what is said to it -------------------------------------------------------------------------------- */

/* Sends a command, unless the milter does not want it, and hears the answer, unless there is none. */
static enum said say(struct inquiry *inquiry, char letter, unsigned long unwanted, unsigned long mute,
		     const struct slice *parts, size_t count)
{
	enum said said;

	if (inquiry->steps & unwanted)
		return SAID_CONTINUE;
	if (wire_put(&inquiry->wire, letter, parts, count) != 0)
		return SAID_NOTHING;
	if (inquiry->steps & mute)
		return SAID_CONTINUE;
	said = hear(inquiry);
	return said == SAID_SKIP && letter != 'B' ? no_milter(inquiry) : said;
}

/* The parts of a command with its NULs: a text has none inside. */
static struct slice with_nul(struct inquiry *inquiry, struct slice text)
{
	return arena_join(inquiry->arena, slice_head(text, text.n ? strnlen(text.p, text.n) : 0),
			  ((struct slice){"", 1}));
}

#define MACROS_MAX 8
struct macro {
	const char *name;
	struct slice value;
};

/* Those that have a value. */
static int say_macros(struct inquiry *inquiry, char letter, const struct macro *macros)
{
	struct slice parts[1 + 2 * MACROS_MAX];
	size_t count = 0;

	parts[count++] = (struct slice){&letter, 1};
	for (; macros->name; macros++) {
		if (macros->value.n == 0)
			continue;
		parts[count++] = packet_text(macros->name);
		parts[count++] = with_nul(inquiry, macros->value);
	}
	return wire_put(&inquiry->wire, 'D', parts, count);
}

static int negotiate(struct inquiry *inquiry)
{
	char numbers[3][4], letter;
	const struct slice parts[] = {packet_number(6, numbers[0]),
				      packet_number((uint32_t)inquiry->question->actions, numbers[1]),
				      packet_number(STEPS_OFFERED, numbers[2])};
	struct slice data;

	if (wire_put(&inquiry->wire, 'O', parts, 3) != 0 || wire_get(&inquiry->wire, &letter, &data) != 0)
		return -1;
	if (letter != 'O' || data.n < 12) {
		error_set(inquiry->wire.err, "what answers is not a milter");
		return -1;
	}
	inquiry->actions = packet_number_at(data, 4);
	inquiry->steps = packet_number_at(data, 8);
	if ((inquiry->actions & ~inquiry->question->actions) == 0 &&
	    (inquiry->steps & ~(unsigned long)STEPS_OFFERED) == 0)
		return 0;
	error_set(inquiry->wire.err, "the milter wants more than it was offered");
	return -1;
}

/* ---- the session ------------------------------------------------------------------------------------------ */

static struct slice port_text(struct inquiry *inquiry, unsigned port)
{
	return port ? arena_printf(inquiry->arena, "%u", port) : SLICE("");
}

static enum said say_connect(struct inquiry *inquiry)
{
	const struct connection *client = &inquiry->question->connection;
	char daemon[IP_TEXT], address[IP_TEXT];
	const unsigned char port[2] = {(unsigned char)(client->client_port >> 8), (unsigned char)client->client_port};
	const struct macro macros[] = {{"{daemon_name}", client->daemon_name},
				       {"{daemon_port}", port_text(inquiry, client->daemon_port)},
				       {"{daemon_addr}", ip_print(client->daemon_ip, daemon)},
				       {"{client_name}", client->client_name},
				       {"{client_resolve}", client->client_name.n ? SLICE("OK") : SLICE("FAIL")},
				       {"{tls_version}", inquiry->question->tls_version},
				       {"{cipher}", inquiry->question->tls_cipher},
				       {NULL}};
	struct slice text = ip_print(client->client, address);
	struct slice parts[5] = {client->client_name.n   ? with_nul(inquiry, client->client_name)
				 : client->local_program ? packet_text("localhost")
							 : packet_text("unknown")};

	if (say_macros(inquiry, 'C', macros) != 0)
		return SAID_NOTHING;
	parts[1] = client->client.family == 4 ? SLICE("4") : client->client.family == 6 ? SLICE("6") : SLICE("U");
	parts[2] = (struct slice){(const char *)port, 2};
	parts[3] = with_nul(inquiry, text);
	return say(inquiry, 'C', 0, MUTE_CONNECT, parts, client->client.family ? 4 : 2);
}

static enum said say_helo(struct inquiry *inquiry)
{
	const struct slice helo = with_nul(inquiry, inquiry->question->helo);

	if (inquiry->question->helo.n == 0)
		return SAID_CONTINUE;
	return say(inquiry, 'H', 0, MUTE_HELO, &helo, 1);
}

/* ---- the envelope ------------------------------------------------------------------------------------------- */

static enum said say_mail(struct inquiry *inquiry)
{
	const struct question *question = inquiry->question;
	const struct macro macros[] = {
	    {"{auth_authen}", question->auth_user}, {"{auth_type}", question->auth_method}, {NULL}};
	const struct slice parts[] = {with_nul(inquiry, question->sender), packet_text("SMTPUTF8")};

	if (say_macros(inquiry, 'M', macros) != 0)
		return SAID_NOTHING;
	return say(inquiry, 'M', 0, MUTE_MAIL, parts, question->smtputf8 ? 2 : 1);
}

/* One refusal that the whole message gets: for good before for now, and the first. Where refused recipients are
 * dropped, for now before for good: nobody would come again for one that is dropped. */
static void keep_refusal(const struct answer *said, bool drops, struct answer *kept)
{
	bool before = drops ? kept->code >= 500 && said->code < 500 : kept->code < 500 && said->code >= 500;

	if (!kept->code || before)
		*kept = *said;
}

static enum said say_recipients(struct inquiry *inquiry)
{
	const struct question *question = inquiry->question;
	bool *refused = arena_alloc(inquiry->arena, question->recipient_count + 1);
	struct answer kept = {0};
	size_t left = question->recipient_count;

	for (size_t i = 0; i < question->recipient_count; i++) {
		const struct slice path = with_nul(inquiry, question->recipients[i]);
		enum said said = say(inquiry, 'R', 0, MUTE_RCPT, &path, 1);

		if (said == SAID_REFUSE) {
			refused[i] = true;
			left--;
			keep_refusal(inquiry->answer, question->drop_refused, &kept);
		} else if (said != SAID_CONTINUE) {
			return said;
		}
	}
	inquiry->answer->refused = refused;
	if (!kept.code || (left > 0 && question->drop_refused && kept.code >= 500))
		return SAID_CONTINUE;
	return refuse(inquiry, kept.code, kept.enhanced, kept.text);
}

/* ---- the message -------------------------------------------------------------------------------------------- */

static enum said say_data(struct inquiry *inquiry)
{
	return say(inquiry, 'T', NO_DATA, MUTE_DATA, NULL, 0);
}

static enum said say_fields(struct inquiry *inquiry)
{
	const struct question *question = inquiry->question;

	for (size_t i = 0; i < question->field_count; i++) {
		struct slice value = question->fields[i].value;
		enum said said;

		if (!(inquiry->steps & LEADING_SPACE) && value.n > 0 && value.p[0] == ' ')
			value = slice_from(value, 1);
		const struct slice parts[] = {with_nul(inquiry, question->fields[i].name), with_nul(inquiry, value)};
		said = say(inquiry, 'L', 0, MUTE_HEADER, parts, 2);
		if (said != SAID_CONTINUE)
			return said;
	}
	return say(inquiry, 'N', 0, MUTE_EOH, NULL, 0);
}

/* The next piece of the body with CR LF for LF, at most PIECE_MAX bytes. */
static struct slice next_piece(struct slice *body, char *buffer)
{
	size_t n = 0, at = 0;

	while (at < body->n && n + 2 <= PIECE_MAX) {
		if (body->p[at] == '\n')
			buffer[n++] = '\r';
		buffer[n++] = body->p[at++];
	}
	*body = slice_from(*body, at);
	return (struct slice){buffer, n};
}

static enum said say_body(struct inquiry *inquiry)
{
	char *buffer = arena_raw(inquiry->arena, PIECE_MAX);
	struct slice rest = inquiry->question->body;

	while (rest.n > 0) {
		const struct slice piece = next_piece(&rest, buffer);
		enum said said = say(inquiry, 'B', NO_BODY, MUTE_BODY, &piece, 1);

		if (said == SAID_SKIP || (inquiry->steps & NO_BODY))
			return SAID_CONTINUE;
		if (said != SAID_CONTINUE)
			return said;
	}
	return SAID_CONTINUE;
}

static enum said say_end(struct inquiry *inquiry)
{
	inquiry->taking.arena = inquiry->arena;
	if (wire_put(&inquiry->wire, 'E', NULL, 0) != 0)
		return SAID_NOTHING;
	return hear_end(inquiry);
}

/* ---- all of it ------------------------------------------------------------------------------------------------ */

static enum said converse(struct inquiry *inquiry)
{
	static enum said (*const steps[])(struct inquiry *) = {say_connect, say_helo,   say_mail, say_recipients,
							       say_data,    say_fields, say_body};
	enum said said = SAID_CONTINUE;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		said = steps[i](inquiry);
		if (said != SAID_CONTINUE)
			return said;
	}
	return say_end(inquiry);
}

static enum answered answered_of(struct inquiry *inquiry, enum said said)
{
	struct answer *answer = inquiry->answer;

	switch (said) {
	case SAID_CONTINUE:
		answer->changes = inquiry->taking.changes;
		answer->change_count = inquiry->taking.count;
		answer->body = inquiry->taking.body;
		answer->quarantine = inquiry->taking.quarantine;
		return ANSWERED_CONTINUE;
	case SAID_ACCEPT:
		return ANSWERED_CONTINUE;
	case SAID_REFUSE:
		return ANSWERED_REFUSE;
	case SAID_DISCARD:
		return ANSWERED_DISCARD;
	default:
		return ANSWERED_NOT;
	}
}

enum answered milter_ask(const struct listen_address *where, const struct question *question, struct arena *arena,
			 struct answer *answer_r, struct error *err)
{
	struct inquiry inquiry = {.question = question, .arena = arena, .answer = answer_r};
	enum answered answered = ANSWERED_NOT;

	*answer_r = (struct answer){.quarantine = {NULL, 0}};
	if (wire_open(&inquiry.wire, where, arena, err) == 0 && negotiate(&inquiry) == 0) {
		answered = answered_of(&inquiry, converse(&inquiry));
		if (answered != ANSWERED_NOT && wire_put(&inquiry.wire, 'A', NULL, 0) == 0)
			wire_put(&inquiry.wire, 'Q', NULL, 0);
	}
	if (answered != ANSWERED_NOT)
		wire_flush(&inquiry.wire);
	wire_close(&inquiry.wire);
	return answered;
}
