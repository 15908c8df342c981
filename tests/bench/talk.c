/* talk.c - talk.h says what it is for. */
#include "talk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER     4096  /* what Postfix collects for a local socket */
#define CHUNK      65535 /* the protocol's largest piece of a body */
#define PACKET_MAX (1 << 20)
#define ACTIONS    0x1ff
#define STEPS      0x1fffff

/* What a milter may leave out, and what it may leave unanswered (libmilter/mfdef.h). */
enum {
	NO_CONNECT = 0x1,
	NO_HELO = 0x2,
	NO_MAIL = 0x4,
	NO_RCPT = 0x8,
	NO_BODY = 0x10,
	NO_HEADERS = 0x20,
	NO_EOH = 0x40,
	MUTE_HEADER = 0x80,
	NO_DATA = 0x200,
	MUTE_CONNECT = 0x1000,
	MUTE_HELO = 0x2000,
	MUTE_MAIL = 0x4000,
	MUTE_RCPT = 0x8000,
	MUTE_DATA = 0x10000,
	MUTE_EOH = 0x40000,
	MUTE_BODY = 0x80000,
	LEADING_SPACE = 0x100000,
};

struct link {
	int fd;
	uint32_t steps;
	bool accepted;         /* the rest of this message is not for it */
	bool accepted_session; /* nor the rest of the session */
	char buffer[BUFFER];
	size_t used;
	unsigned char *reply;
	size_t reply_size;
};

struct talk {
	struct link links[LINKS_MAX];
	unsigned count;
	struct field top[ADDED_MAX], bottom[ADDED_MAX];
	unsigned top_count, bottom_count;
};

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* ---- packets ------------------------------------------------------------------------------ */

static void write_all(struct link *link, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(link->fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			fail("the milter went away (%s)", strerror(errno));
		p += done;
		n -= (size_t)done;
	}
}

static void flush(struct link *link)
{
	write_all(link, link->buffer, link->used);
	link->used = 0;
}

static void put(struct link *link, const void *p, size_t n)
{
	if (link->used + n > BUFFER)
		flush(link);
	if (n > BUFFER) {
		write_all(link, p, n);
		return;
	}
	memcpy(link->buffer + link->used, p, n);
	link->used += n;
}

static void packet_begin(struct link *link, char command, size_t n)
{
	uint32_t size = htonl((uint32_t)n + 1);

	put(link, &size, 4);
	put(link, &command, 1);
}

static void packet(struct link *link, char command, const void *p, size_t n)
{
	packet_begin(link, command, n);
	put(link, p, n);
}

static void packet_pair(struct link *link, char command, const char *first, const char *second)
{
	size_t a = strlen(first) + 1, b = strlen(second) + 1;

	packet_begin(link, command, a + b);
	put(link, first, a);
	put(link, second, b);
}

static void macros(struct link *link, char step, const char *text, size_t n)
{
	packet_begin(link, 'D', n + 1);
	put(link, &step, 1);
	put(link, text, n);
}

static void read_all(struct link *link, void *p_, size_t n)
{
	char *p = p_;

	while (n > 0) {
		ssize_t done = read(link->fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			fail("the milter closed the connection");
		p += done;
		n -= (size_t)done;
	}
}

/* The next answer's letter; what belongs to it lies in link->reply, with a NUL behind. */
static char reply_read(struct link *link)
{
	unsigned char head[5];
	uint32_t size;

	flush(link);
	read_all(link, head, sizeof(head));
	memcpy(&size, head, 4);
	size = ntohl(size);
	if (size == 0 || size > PACKET_MAX)
		fail("a reply of %u bytes", size);
	link->reply_size = size - 1;
	link->reply = realloc(link->reply, size);
	read_all(link, link->reply, size - 1);
	link->reply[size - 1] = '\0';
	return (char)head[4];
}

/* ---- a session ------------------------------------------------------------------------------- */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		fail("%s: the name of the socket is too long", path);
	strcpy(address.sun_path, path);
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		if (errno != EAGAIN) /* a full queue of connections */
			fail("%s: %s", path, strerror(errno));
		usleep(200);
	}
	return fd;
}

static void negotiate(struct link *link)
{
	uint32_t offer[3] = {htonl(6), htonl(ACTIONS), htonl(STEPS)}, answer[3];

	packet(link, 'O', offer, sizeof(offer));
	if (reply_read(link) != 'O' || link->reply_size < sizeof(answer))
		fail("the milter does not negotiate");
	memcpy(answer, link->reply, sizeof(answer));
	link->steps = ntohl(answer[2]);
}

/* The verdict of a step that has been sent, or OUTCOME_ACCEPT when it has none. */
static enum outcome verdict(struct link *link, uint32_t mute)
{
	if (link->steps & mute)
		return OUTCOME_ACCEPT;
	switch (reply_read(link)) {
	case 'a':
		link->accepted = true;
		return OUTCOME_ACCEPT;
	case 'r':
		return OUTCOME_REJECT;
	case 'y':
		return link->reply[0] == '4' ? OUTCOME_DEFER : OUTCOME_REJECT;
	case 't':
		return OUTCOME_DEFER;
	case 'd':
		return OUTCOME_DISCARD;
	default:
		return OUTCOME_ACCEPT;
	}
}

#define CONNECT_MACROS                                                                                                 \
	"j\0mx.example.org\0{daemon_name}\0mx.example.org\0{daemon_addr}\0"                                            \
	"192.0.2.25\0{daemon_port}\0"                                                                                  \
	"25\0v\0Postfix 3.7.11"

static void connect_step(struct link *link, const struct mail *mail)
{
	char text[512];
	uint16_t port = htons(40000);
	size_t n = strlen(mail->helo) + 1;

	if (n + strlen(mail->ip) + 4 > sizeof(text))
		fail("the name of a client is too long");
	macros(link, 'C', CONNECT_MACROS, sizeof(CONNECT_MACROS));
	memcpy(text, mail->helo, n);
	text[n++] = strchr(mail->ip, ':') ? '6' : '4';
	memcpy(text + n, &port, 2);
	n += 2;
	strcpy(text + n, mail->ip);
	packet(link, 'C', text, n + strlen(mail->ip) + 1);
	verdict(link, MUTE_CONNECT);
	link->accepted_session = link->accepted;
}

struct talk *talk_open(char **sockets, unsigned count, const struct mail *mail)
{
	struct talk *talk = calloc(1, sizeof(*talk));

	if (count > LINKS_MAX)
		fail("more than %d milters", LINKS_MAX);
	talk->count = count;
	for (unsigned i = 0; i < count; i++) {
		talk->links[i].fd = connect_to(sockets[i]);
		negotiate(&talk->links[i]);
	}
	for (unsigned i = 0; i < count; i++)
		if (!(talk->links[i].steps & NO_CONNECT))
			connect_step(&talk->links[i], mail);
	for (unsigned i = 0; i < count; i++) {
		struct link *link = &talk->links[i];
		if (link->accepted_session || (link->steps & NO_HELO))
			continue;
		packet(link, 'H', mail->helo, strlen(mail->helo) + 1);
		verdict(link, MUTE_HELO);
	}
	return talk;
}

static void added_clear(struct talk *talk)
{
	for (unsigned i = 0; i < talk->top_count; i++)
		free(talk->top[i].name);
	for (unsigned i = 0; i < talk->bottom_count; i++)
		free(talk->bottom[i].name);
	talk->top_count = talk->bottom_count = 0;
}

void talk_close(struct talk *talk)
{
	for (unsigned i = 0; i < talk->count; i++) {
		packet(&talk->links[i], 'Q', "", 0);
		flush(&talk->links[i]);
		close(talk->links[i].fd);
		free(talk->links[i].reply);
	}
	added_clear(talk);
	free(talk);
}

/* ---- the envelope ------------------------------------------------------------------------------ */

/* One step to each milter in turn, until one refuses. */
static enum outcome step_all(struct talk *talk, char command, const char *argument, uint32_t unwanted, uint32_t mute,
			     const char *macro, size_t macro_size)
{
	for (unsigned i = 0; i < talk->count; i++) {
		struct link *link = &talk->links[i];
		if (link->accepted || (link->steps & unwanted))
			continue;
		if (macro_size > 0)
			macros(link, command, macro, macro_size);
		packet(link, command, argument, argument[0] ? strlen(argument) + 1 : 0);
		enum outcome outcome = verdict(link, mute);
		if (outcome != OUTCOME_ACCEPT)
			return outcome;
	}
	return OUTCOME_ACCEPT;
}

#define STEP(talk, command, argument, unwanted, mute, macro)                                                           \
	step_all(talk, command, argument, unwanted, mute, macro, sizeof(macro))

static enum outcome envelope(struct talk *talk, const struct mail *mail, unsigned recipients, unsigned pause_us)
{
	char text[512];
	enum outcome outcome;

	snprintf(text, sizeof(text), "<%s>", mail->sender);
	outcome = STEP(talk, 'M', text, NO_MAIL, MUTE_MAIL, "{mail_host}\0example.org\0{mail_mailer}\0smtp");
	for (unsigned i = 0; i < recipients && outcome == OUTCOME_ACCEPT; i++) {
		if (pause_us > 0)
			usleep(pause_us);
		snprintf(text, sizeof(text), "<user%u@example.org>", i);
		outcome = STEP(talk, 'R', text, NO_RCPT, MUTE_RCPT, "{rcpt_host}\0example.org\0{rcpt_mailer}\0local");
	}
	if (pause_us > 0)
		usleep(pause_us);
	if (outcome == OUTCOME_ACCEPT)
		outcome = STEP(talk, 'T', "", NO_DATA, MUTE_DATA,
			       "i\0"
			       "4Zq1Bn0sX0z9tQ");
	return outcome;
}

/* ---- the content --------------------------------------------------------------------------------- */

static enum outcome header_send(struct link *link, const struct field *field)
{
	const char *value = field->value;

	if (!(link->steps & LEADING_SPACE) && value[0] == ' ')
		value++;
	packet_pair(link, 'L', field->name, value);
	return verdict(link, MUTE_HEADER);
}

static enum outcome headers_send(struct talk *talk, struct link *link, const struct mail *mail)
{
	enum outcome outcome = OUTCOME_ACCEPT;

	for (unsigned i = talk->top_count; i > 0 && outcome == OUTCOME_ACCEPT && !link->accepted; i--)
		outcome = header_send(link, &talk->top[i - 1]);
	for (unsigned i = 0; i < mail->field_count && outcome == OUTCOME_ACCEPT && !link->accepted; i++)
		outcome = header_send(link, &mail->fields[i]);
	for (unsigned i = 0; i < talk->bottom_count && outcome == OUTCOME_ACCEPT && !link->accepted; i++)
		outcome = header_send(link, &talk->bottom[i]);
	return outcome;
}

static enum outcome body_send(struct link *link, const struct mail *mail)
{
	for (size_t at = 0; at < mail->body_size; at += CHUNK) {
		size_t n = mail->body_size - at < CHUNK ? mail->body_size - at : CHUNK;
		packet(link, 'B', mail->body + at, n);
		if (link->steps & MUTE_BODY)
			continue;
		switch (reply_read(link)) {
		case 's':
			return OUTCOME_ACCEPT;
		case 'a':
			link->accepted = true;
			return OUTCOME_ACCEPT;
		case 'r':
			return OUTCOME_REJECT;
		case 't':
		case 'y':
			return OUTCOME_DEFER;
		case 'd':
			return OUTCOME_DISCARD;
		default:
			break;
		}
	}
	return OUTCOME_ACCEPT;
}

/* Keeps a field that the milter adds: name NUL value NUL. */
static void added(struct field *fields, unsigned *count, const unsigned char *p, size_t n, bool leading_space)
{
	char *copy = calloc(1, n + 3);
	size_t name = strnlen((const char *)p, n) + 1;

	if (*count == ADDED_MAX || name > n)
		fail("too many fields added");
	memcpy(copy, p, name);
	char *value = copy + name;
	if (!leading_space)
		*value++ = ' ';
	memcpy(value, p + name, n - name);
	fields[*count].name = copy;
	fields[(*count)++].value = copy + name;
}

/* The answers to the end of the message: changes, then the verdict. */
static enum outcome end_read(struct talk *talk, struct link *link)
{
	bool space = link->steps & LEADING_SPACE;

	for (;;) {
		switch (reply_read(link)) {
		case 'h':
			added(talk->bottom, &talk->bottom_count, link->reply, link->reply_size, space);
			break;
		case 'i':
			added(talk->top, &talk->top_count, link->reply + 4, link->reply_size - 4, space);
			break;
		case 'a':
		case 'c':
			return OUTCOME_ACCEPT;
		case 'd':
			return OUTCOME_DISCARD;
		case 'r':
			return OUTCOME_REJECT;
		case 't':
			return OUTCOME_DEFER;
		case 'y':
			return link->reply[0] == '4' ? OUTCOME_DEFER : OUTCOME_REJECT;
		default: /* other changes, progress */
			break;
		}
	}
}

static enum outcome content(struct talk *talk, struct link *link, const struct mail *mail)
{
	static const char id[] = "i\0"
				 "4Zq1Bn0sX0z9tQ";
	enum outcome outcome = OUTCOME_ACCEPT;

	if (!(link->steps & NO_HEADERS))
		outcome = headers_send(talk, link, mail);
	if (outcome == OUTCOME_ACCEPT && !link->accepted && !(link->steps & NO_EOH)) {
		packet(link, 'N', "", 0);
		outcome = verdict(link, MUTE_EOH);
	}
	if (outcome == OUTCOME_ACCEPT && !link->accepted && !(link->steps & NO_BODY))
		outcome = body_send(link, mail);
	if (outcome != OUTCOME_ACCEPT || link->accepted)
		return outcome;
	macros(link, 'E', id, sizeof(id));
	packet(link, 'E', "", 0);
	return end_read(talk, link);
}

static void abort_all(struct talk *talk)
{
	for (unsigned i = 0; i < talk->count; i++)
		packet(&talk->links[i], 'A', "", 0);
}

enum outcome talk_mail(struct talk *talk, const struct mail *mail, unsigned recipients, unsigned pause_us)
{
	enum outcome outcome;

	added_clear(talk);
	for (unsigned i = 0; i < talk->count; i++)
		talk->links[i].accepted = talk->links[i].accepted_session;
	outcome = envelope(talk, mail, recipients, pause_us);
	for (unsigned i = 0; i < talk->count && outcome == OUTCOME_ACCEPT; i++)
		if (!talk->links[i].accepted)
			outcome = content(talk, &talk->links[i], mail);
	if (outcome != OUTCOME_ACCEPT)
		abort_all(talk);
	return outcome;
}

static const char *field_with(const struct field *fields, unsigned count, const char *word)
{
	for (unsigned i = 0; i < count; i++)
		if (strstr(fields[i].value, word))
			return fields[i].value;
	return NULL;
}

const char *talk_added(const struct talk *talk, const char *word)
{
	const char *found = field_with(talk->top, talk->top_count, word);
	return found ? found : field_with(talk->bottom, talk->bottom_count, word);
}
