/* link.c - link.h says what it is for. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PACKET_MAX (1 << 20)
#define ACTIONS    0x1ff
#define STEPS      0x1fffff

#define ASKED                                                                                                          \
	7 /* the steps whose macros a milter may name: libmilter's SMFIM_, the first of ours in the same order         \
	   */

/* Postfix 3.7 sends macros before each step, each header field and each piece of the body, also when there are none,
 * and before a step that the milter does not want. */

static const struct {
	char letter;
	const char *names; /* Postfix's defaults */
} steps[STEP_COUNT] = {
    [CONNECT] = {'C', "j {daemon_name} {daemon_addr} v"},
    [HELO] = {'H', "{tls_version} {cipher}"},
    [MAIL] = {'M', "{auth_type} {auth_authen} {mail_addr} {mail_host} {mail_mailer}"},
    [RCPT] = {'R', "{rcpt_addr} {rcpt_host} {rcpt_mailer}"},
    [DATA] = {'T', "i"},
    [END] = {'E', "i"},
    [EOH] = {'N', "i"},
    [HEADER] = {'L', "i"},
    [BODY] = {'B', "i"},
};

/* What is known, and from which step on. */
static const struct {
	const char *name, *value;
	enum step from;
} known[] = {
    {"j", "mx.example.org", CONNECT},
    {"{daemon_name}", "mx.example.org", CONNECT},
    {"{daemon_addr}", "192.0.2.25", CONNECT},
    {"{daemon_port}", "25", CONNECT},
    {"v", "Postfix 3.7.11", CONNECT},
    {"{client_resolve}", "OK", CONNECT},
    {"{mail_addr}", "somebody@example.org", MAIL},
    {"{mail_host}", "example.org", MAIL},
    {"{mail_mailer}", "smtp", MAIL},
    {"{rcpt_addr}", "user0@example.org", RCPT},
    {"{rcpt_host}", "example.org", RCPT},
    {"{rcpt_mailer}", "local", RCPT},
    {"i", "4Zq1Bn0sX0z9tQ", DATA},
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
		ssize_t done = send(link->fd, p, n, MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			fail("the milter closed the connection (%s)", strerror(errno));
		p += done;
		n -= (size_t)done;
	}
}

void link_flush(struct link *link)
{
	write_all(link, link->buffer, link->used);
	link->used = 0;
}

/* Postfix's streams have one buffer: large pieces, too, are written as it fills. What would fill an empty one is
 * written from where it is. */
static void put(struct link *link, const void *p_, size_t n)
{
	const char *p = p_;

	while (n > 0) {
		size_t room = BUFFER - link->used, some = n < room ? n : room;
		if (some == BUFFER) {
			write_all(link, p, some);
			p += some;
			n -= some;
			continue;
		}
		memcpy(link->buffer + link->used, p, some);
		link->used += some;
		p += some;
		n -= some;
		if (link->used == BUFFER)
			link_flush(link);
	}
}

static void packet_begin(struct link *link, char command, size_t n)
{
	uint32_t size = htonl((uint32_t)n + 1);

	put(link, &size, 4);
	put(link, &command, 1);
}

void link_packet(struct link *link, char command, const void *p, size_t n)
{
	packet_begin(link, command, n);
	put(link, p, n);
}

void link_packet_pair(struct link *link, char command, const char *first, const char *second)
{
	size_t a = strlen(first) + 1, b = strlen(second) + 1;

	packet_begin(link, command, a + b);
	put(link, first, a);
	put(link, second, b);
}

void link_macros(struct link *link, enum step step)
{
	link_packet(link, 'D', link->macros[step].bytes, link->macros[step].n);
}

/* Waits as Postfix does. A thread that waits in read() instead would also be woken whenever the milter takes bytes from
 * the socket. */
static void read_some(struct link *link)
{
	struct pollfd wanted = {.fd = link->fd, .events = POLLIN};
	ssize_t done;

	do {
		poll(&wanted, 1, -1);
		done = read(link->fd, link->in, sizeof(link->in));
	} while (done < 0 && errno == EINTR);
	if (done <= 0)
		fail("the milter closed the connection");
	link->in_at = 0;
	link->in_n = (size_t)done;
}

static void read_all(struct link *link, void *p_, size_t n)
{
	char *p = p_;

	while (n > 0) {
		if (link->in_at == link->in_n)
			read_some(link);
		size_t there = link->in_n - link->in_at, some = n < there ? n : there;
		memcpy(p, link->in + link->in_at, some);
		link->in_at += some;
		p += some;
		n -= some;
	}
}

char link_reply(struct link *link)
{
	unsigned char head[5];
	uint32_t size;

	link_flush(link);
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

/* ---- the beginning --------------------------------------------------------------------- */

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

static const char *value_of(const char *name, size_t n, enum step step)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].from <= step && strncmp(known[i].name, name, n) == 0 && !known[i].name[n])
			return known[i].value;
	return NULL;
}

/* Those of the names, with blanks between, that have a value at that step. */
static void macros_fill(struct link *link, enum step step, const char *names)
{
	struct macros *macros = &link->macros[step];

	macros->bytes[0] = steps[step].letter;
	macros->n = 1;
	while (*names) {
		size_t n = strcspn(names, " ");
		const char *value = value_of(names, n, step);
		size_t room = value ? n + strlen(value) + 2 : 0;
		if (macros->n + room > MACROS_N)
			fail("a milter asks for too many macros");
		if (value) {
			memcpy(macros->bytes + macros->n, names, n);
			macros->bytes[macros->n + n] = '\0';
			strcpy(macros->bytes + macros->n + n + 1, value);
			macros->n += room;
		}
		names += n + strspn(names + n, " ");
	}
}

/* After its three words, the answer may hold lists of macros: a step's number and their names, each with its NUL. */
static void macros_asked(struct link *link, size_t at)
{
	for (enum step step = 0; step < STEP_COUNT; step++)
		macros_fill(link, step, steps[step].names);
	while (at + 4 < link->reply_size) {
		uint32_t step;
		memcpy(&step, link->reply + at, 4);
		step = ntohl(step);
		if (step < ASKED)
			macros_fill(link, step, (const char *)link->reply + at + 4);
		at += 4 + strlen((const char *)link->reply + at + 4) + 1;
	}
}

static void negotiate(struct link *link)
{
	uint32_t offer[3] = {htonl(6), htonl(ACTIONS), htonl(STEPS)}, answer[3];

	link_packet(link, 'O', offer, sizeof(offer));
	if (link_reply(link) != 'O' || link->reply_size < sizeof(answer))
		fail("the milter does not negotiate");
	memcpy(answer, link->reply, sizeof(answer));
	link->steps = ntohl(answer[2]);
	macros_asked(link, sizeof(answer));
}

enum outcome link_outcome(struct link *link, char letter)
{
	switch (letter) {
	case 'a':
		link->accepted = true;
		return OUTCOME_ACCEPT;
	case 's':
		link->skipped = true;
		return OUTCOME_ACCEPT;
	case 'c':
		return OUTCOME_ACCEPT;
	case 'd':
		return OUTCOME_DISCARD;
	case 'r':
		return OUTCOME_REJECT;
	case 'y':
		return link->reply[0] == '4' ? OUTCOME_DEFER : OUTCOME_REJECT;
	case 't':
	case '4':
		return OUTCOME_DEFER;
	default:
		fail("the milter answers with 0x%02x, which says nothing here", (unsigned char)letter);
	}
}

enum outcome link_verdict(struct link *link, uint32_t mute)
{
	char letter;

	if (link->steps & mute)
		return OUTCOME_ACCEPT;
	while ((letter = link_reply(link)) == 'p') /* it asks for more time */
		;
	return link_outcome(link, letter);
}

void link_open(struct link *link, const char *path)
{
	memset(link, 0, offsetof(struct link, buffer));
	link->fd = connect_to(path);
	negotiate(link);
}

void link_close(struct link *link)
{
	link_packet(link, 'Q', "", 0);
	link_flush(link);
	close(link->fd);
	free(link->reply);
}

char link_step(enum step step)
{
	return steps[step].letter;
}
