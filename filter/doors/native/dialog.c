/*
 * dialog.c - the packets of one session: bytes in, answers out.
 *
 * What is complete in the bytes is handled there; the beginning of a packet is kept until the rest comes, in memory
 * that grows with what has arrived, not with what its length announces. A piece of the body is passed on as it comes. A
 * packet that MTAs do not send ends the session, and nothing else.
 */
#include "native_private.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define VERSION_MIN 2
#define VERSION     6
#define V1_ACTIONS  0xf  /* of an MTA that offers none */
#define V1_STEPS    0x3f /* likewise */
#define MUTE_ALL                                                                                                       \
	(MUTE_CONNECT | MUTE_HELO | MUTE_MAIL | MUTE_RCPT | MUTE_DATA | MUTE_UNKNOWN | MUTE_HEADER | MUTE_EOH |        \
	 MUTE_BODY)
#define ARGUMENTS_MAX 256
#define OUT_MAX       (1024 * 1024) /* of answers to commands for which no MTA waits */
#define PIECE_MAX     65535         /* of a new body */

void dialog_init(struct dialog *dialog, struct door_host *host, const struct mta *mta)
{
	*dialog = (struct dialog){.steps = {.host = host, .mta = mta, .context = dialog}};
}

void dialog_free(struct dialog *dialog)
{
	if (dialog->begun)
		steps_end(&dialog->steps);
	macros_drop(&dialog->macros, SET_CONNECT);
	free(dialog->partial);
}

bool dialog_is_idle(const struct dialog *dialog)
{
	return dialog->partial_n == 0 && dialog->body_left == 0;
}

const char *dialog_macro(void *dialog_, const char *name)
{
	struct dialog *dialog = dialog_;

	return macros_find(&dialog->macros, name);
}

/* ---- answers ------------------------------------------------------------------------------------ */

static void say(struct dialog *dialog, char letter)
{
	out_packet(dialog->out, letter, NULL, 0);
}

/* "550-5.7.1 first CR LF 550 5.7.1 last". A reply of several lines has an enhanced code (RFC 2034 4) always. */
static void say_reply(struct dialog *dialog, const struct reply *reply)
{
	struct arena *arena = arena_new();
	struct reply_text written;
	struct text text;
	char none[8];

	reply_write(reply, arena, &written);
	snprintf(none, sizeof(none), "%c.0.0", written.code[0]);
	if (!written.enhanced[0] && written.count > 1)
		strcpy(written.enhanced, none);
	text_init(&text, arena, REPLY_LINES_MAX * (2 * REPLY_LINE_MAX + 32));
	for (size_t i = 0; i < written.count; i++)
		text_printf(&text, "%s%s%c%s%s%s", i ? "\r\n" : "", written.code, i + 1 < written.count ? '-' : ' ',
			    written.enhanced, written.enhanced[0] ? " " : "", written.lines[i]);
	text_add_char(&text, '\0');
	out_packet(dialog->out, 'y', (struct slice[]){text_slice(&text)}, 1);
	arena_free(arena);
}

/* `mute` is the MUTE_ bit of the step. */
static int answer(struct dialog *dialog, unsigned long mute, enum step_answer given)
{
	switch (given) {
	case STEP_MUTE:
		if (dialog->unoffered & mute)
			say(dialog, 'c');
		return 0;
	case STEP_REFUSE:
		say_reply(dialog, dialog->steps.reply);
		return 0;
	case STEP_DISCARD:
		say(dialog, 'd');
		return 0;
	case STEP_SKIP:
		say(dialog, 's');
		return 0;
	case STEP_TEMPFAIL:
		say(dialog, 't');
		return 0;
	default:
		say(dialog, 'c');
		return 0;
	}
}

static void body_request(struct dialog *dialog, struct slice body)
{
	for (; body.n > PIECE_MAX; body = slice_from(body, PIECE_MAX))
		out_packet(dialog->out, 'b', (struct slice[]){slice_head(body, PIECE_MAX)}, 1);
	out_packet(dialog->out, 'b', &body, 1);
}

int dialog_request(void *dialog_, const struct request *request)
{
	static const char letters[] = {
	    [REQUEST_INSERT_FIELD] = 'i',  [REQUEST_CHANGE_FIELD] = 'm',     [REQUEST_SENDER] = 'e',
	    [REQUEST_ADD_RECIPIENT] = '+', [REQUEST_DELETE_RECIPIENT] = '-', [REQUEST_QUARANTINE] = 'q',
	};
	struct dialog *dialog = dialog_;
	struct slice parts[3];
	char index[4];
	size_t count = 0;

	if (request->kind == REQUEST_BODY) {
		body_request(dialog, request->body);
		return 0;
	}
	if (request->kind == REQUEST_INSERT_FIELD || request->kind == REQUEST_CHANGE_FIELD) {
		parts[count++] = packet_number(request->index, index);
		parts[count++] = packet_text(request->name);
	}
	parts[count++] = packet_text(request->value ? request->value : "");
	out_packet(dialog->out, letters[request->kind], parts, count);
	return 0;
}

/* ---- negotiation ---------------------------------------------------------------------------------- */

static void say_terms(struct dialog *dialog, uint32_t version, unsigned long offered)
{
	const struct terms *terms = &dialog->steps.terms;
	struct slice parts[3 + 2 * MACRO_STEPS];
	char numbers[3 + MACRO_STEPS][4];
	size_t count = 0;

	parts[count++] = packet_number(version < VERSION ? version : VERSION, numbers[0]);
	parts[count++] = packet_number((uint32_t)terms->actions, numbers[1]);
	parts[count++] = packet_number((uint32_t)(terms->steps & offered), numbers[2]);
	for (unsigned i = 0; i < MACRO_STEPS && (terms->actions & CAN_NAME_MACROS); i++) {
		if (!macros_asked[i])
			continue;
		parts[count++] = packet_number(i, numbers[3 + i]);
		parts[count++] = packet_text(macros_asked[i]);
	}
	out_packet(dialog->out, 'O', parts, count);
}

/* An MTA that does not know steps without an answer gets one that says nothing: the engine sees no difference. */
static int on_negotiate(struct dialog *dialog, struct slice data)
{
	uint32_t version, actions, steps;

	if (data.n < 12)
		return -1;
	version = packet_number_at(data, 0);
	actions = packet_number_at(data, 4) ? packet_number_at(data, 4) : V1_ACTIONS;
	steps = packet_number_at(data, 8) ? packet_number_at(data, 8) : V1_STEPS;
	if (version < VERSION_MIN)
		return -1;
	if (dialog->begun) /* twice on one connection: begin again */
		steps_end(&dialog->steps);
	macros_drop(&dialog->macros, SET_CONNECT);
	dialog->begun = true;
	dialog->unoffered = MUTE_ALL & ~(unsigned long)steps;
	steps_begin(&dialog->steps, actions, steps | MUTE_ALL);
	say_terms(dialog, version, steps);
	return 0;
}

/* ---- the connection --------------------------------------------------------------------------------- */

union peer {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct sockaddr_un path;
};

/* RFC 5321 4.1.3 writes "IPv6:" before the address; so does Sendmail. */
static int peer_read(char family, uint16_t port, const char *text, union peer *peer_r)
{
	static const char prefix[] = "IPv6:";

	memset(peer_r, 0, sizeof(*peer_r));
	switch (family) {
	case '4':
		peer_r->four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		return inet_pton(AF_INET, text, &peer_r->four.sin_addr) == 1 ? 0 : -1;
	case '6':
		if (slice_starts_nocase(slice_of(text), slice_of(prefix)))
			text += strlen(prefix);
		peer_r->six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		return inet_pton(AF_INET6, text, &peer_r->six.sin6_addr) == 1 ? 0 : -1;
	case 'L':
		peer_r->path.sun_family = AF_UNIX;
		return 0;
	default:
		return -1;
	}
}

static int on_connect(struct dialog *dialog, struct slice data)
{
	union peer address;
	struct slice host;
	uint16_t port;

	if (!slice_cut(&data, '\0', &host) || data.n < 1)
		return -1;
	if (data.p[0] == 'U')
		return answer(dialog, MUTE_CONNECT, step_connect(&dialog->steps, host.p, NULL));
	if (data.n < 4 || data.p[data.n - 1] != '\0')
		return -1;
	memcpy(&port, data.p + 1, sizeof(port)); /* stays in the order of the network */
	if (peer_read(data.p[0], port, data.p + 3, &address) != 0)
		return -1;
	return answer(dialog, MUTE_CONNECT, step_connect(&dialog->steps, host.p, &address.any));
}

/* Texts end in NUL. */
static bool is_text(struct slice data)
{
	return data.n > 0 && data.p[data.n - 1] == '\0';
}

static int on_helo(struct dialog *dialog, struct slice data)
{
	return is_text(data) ? answer(dialog, MUTE_HELO, step_helo(&dialog->steps, data.p)) : -1;
}

/* ---- the message --------------------------------------------------------------------------------------- */

static int on_mail(struct dialog *dialog, struct slice data)
{
	char *arguments[ARGUMENTS_MAX + 1];
	size_t count = 0;

	if (!is_text(data))
		return -1;
	for (const char *p = data.p; p < data.p + data.n && count < ARGUMENTS_MAX; p += strlen(p) + 1)
		arguments[count++] = (char *)p;
	arguments[count] = NULL;
	return answer(dialog, MUTE_MAIL, step_mail(&dialog->steps, arguments));
}

static int on_rcpt(struct dialog *dialog, struct slice data)
{
	enum step_answer given;

	if (!is_text(data))
		return -1;
	given = step_rcpt(&dialog->steps, data.p);
	macros_drop(&dialog->macros, SET_RCPT); /* the next one has its own */
	return answer(dialog, MUTE_RCPT, given);
}

static int on_data(struct dialog *dialog, struct slice data)
{
	(void)data;
	return answer(dialog, MUTE_DATA, step_data(&dialog->steps));
}

static int on_unknown(struct dialog *dialog, struct slice data)
{
	(void)data;
	say(dialog, 'c');
	return 0;
}

static int on_header(struct dialog *dialog, struct slice data)
{
	struct slice name, value;

	if (!is_text(data) || !slice_cut(&data, '\0', &name) || name.n == 0 || !slice_cut(&data, '\0', &value) ||
	    !data.p)
		return -1;
	return answer(dialog, MUTE_HEADER, step_header(&dialog->steps, name, value));
}

static int on_eoh(struct dialog *dialog, struct slice data)
{
	(void)data;
	return answer(dialog, MUTE_EOH, step_eoh(&dialog->steps));
}

static int on_end(struct dialog *dialog, struct slice data)
{
	enum step_answer given;

	if (data.n > 0)
		step_body(&dialog->steps, data);
	given = step_end(&dialog->steps);
	macros_drop(&dialog->macros, SET_MAIL);
	return answer(dialog, 0, given);
}

static int on_abort(struct dialog *dialog, struct slice data)
{
	(void)data;
	step_abort(&dialog->steps);
	macros_drop(&dialog->macros, SET_MAIL);
	return 0;
}

static int on_macros(struct dialog *dialog, struct slice data)
{
	macros_take(&dialog->macros, data, !dialog->steps.queue_id);
	return 0;
}

/* Another client, under the same terms. */
static int on_next(struct dialog *dialog, struct slice data)
{
	(void)data;
	steps_renew(&dialog->steps);
	macros_drop(&dialog->macros, SET_CONNECT);
	return 0;
}

static int on_quit(struct dialog *dialog, struct slice data)
{
	(void)dialog, (void)data;
	return -1;
}

/* ---- packets ------------------------------------------------------------------------------------------ */

static int packet(struct dialog *dialog, char letter, struct slice data)
{
	static int (*const commands[])(struct dialog *, struct slice) = {
	    ['A'] = on_abort, ['C'] = on_connect, ['D'] = on_macros, ['E'] = on_end,     ['H'] = on_helo,
	    ['K'] = on_next,  ['L'] = on_header,  ['M'] = on_mail,   ['N'] = on_eoh,     ['O'] = on_negotiate,
	    ['Q'] = on_quit,  ['R'] = on_rcpt,    ['T'] = on_data,   ['U'] = on_unknown,
	};
	unsigned char number = (unsigned char)letter;

	if (number >= sizeof(commands) / sizeof(commands[0]) || !commands[number])
		return -1;
	if (!dialog->begun && letter != 'O' && letter != 'Q')
		return -1;
	if (dialog->out->n > OUT_MAX) /* an MTA waits for each answer */
		return -1;
	return commands[number](dialog, data);
}

/* The next bytes of a piece of the body; it is answered once. */
static int body_take(struct dialog *dialog, struct slice *bytes)
{
	struct slice chunk = slice_head(*bytes, dialog->body_left);
	enum step_answer given = step_body(&dialog->steps, chunk);

	*bytes = slice_from(*bytes, chunk.n);
	dialog->body_left -= chunk.n;
	return dialog->body_left == 0 ? answer(dialog, MUTE_BODY, given) : 0;
}

static int body_begin(struct dialog *dialog, size_t n)
{
	if (!dialog->begun || dialog->out->n > OUT_MAX)
		return -1;
	dialog->body_left = n;
	return n > 0 ? 0 : answer(dialog, MUTE_BODY, step_body(&dialog->steps, SLICE("")));
}

static void partial_keep(struct dialog *dialog, struct slice bytes)
{
	if (dialog->partial_room < dialog->partial_n + bytes.n) {
		dialog->partial_room = dialog->partial_n ? 2 * (dialog->partial_n + bytes.n) : bytes.n;
		dialog->partial = xrealloc(dialog->partial, dialog->partial_room);
	}
	memcpy(dialog->partial + dialog->partial_n, bytes.p, bytes.n);
	dialog->partial_n += bytes.n;
}

static void partial_drop(struct dialog *dialog)
{
	free(dialog->partial);
	dialog->partial = NULL;
	dialog->partial_n = dialog->partial_room = 0;
}

/* The length of the packet that begins here, with its head; 0: too little is known; -1: no MTA sends this. */
static ptrdiff_t packet_size(struct slice bytes)
{
	uint32_t length;

	if (bytes.n < 4)
		return 0;
	length = packet_number_at(bytes, 0);
	if (length == 0 || length > PACKET_MAX)
		return -1;
	return bytes.n < PACKET_HEAD ? 0 : 4 + (ptrdiff_t)length;
}

/* Handles a packet that is complete at the start of the bytes, or the head of a piece of the body: its bytes, 0, or -1.
 */
static ptrdiff_t packet_take(struct dialog *dialog, struct slice bytes)
{
	ptrdiff_t size = packet_size(bytes);

	if (size <= 0)
		return size;
	if (bytes.p[4] == 'B')
		return body_begin(dialog, (size_t)size - PACKET_HEAD) == 0 ? PACKET_HEAD : -1;
	if (bytes.n < (size_t)size)
		return 0;
	return packet(dialog, bytes.p[4], (struct slice){bytes.p + PACKET_HEAD, (size_t)size - PACKET_HEAD}) == 0 ? size
														  : -1;
}

/* Completes a packet whose beginning is known. */
static int partial_take(struct dialog *dialog, struct slice *bytes)
{
	size_t wanted = PACKET_HEAD;
	struct slice more;
	ptrdiff_t taken;

	if (dialog->partial_n >= PACKET_HEAD)
		wanted = (size_t)packet_size((struct slice){dialog->partial, dialog->partial_n});
	more = slice_head(*bytes, wanted - dialog->partial_n);
	partial_keep(dialog, more);
	*bytes = slice_from(*bytes, more.n);
	taken = packet_take(dialog, (struct slice){dialog->partial, dialog->partial_n});
	if (taken > 0)
		partial_drop(dialog);
	return taken < 0 ? -1 : 0;
}

static int dialog_step(struct dialog *dialog, struct slice *bytes)
{
	ptrdiff_t taken;

	if (dialog->body_left > 0)
		return body_take(dialog, bytes);
	if (dialog->partial_n > 0)
		return partial_take(dialog, bytes);
	taken = packet_take(dialog, *bytes);
	if (taken < 0)
		return -1;
	if (taken == 0) {
		partial_keep(dialog, *bytes);
		taken = (ptrdiff_t)bytes->n;
	}
	*bytes = slice_from(*bytes, (size_t)taken);
	return 0;
}

int dialog_take(struct dialog *dialog, struct slice bytes, struct out *out)
{
	int result = 0;

	dialog->out = out;
	while (bytes.n > 0 && result == 0)
		result = dialog_step(dialog, &bytes);
	return result;
}
