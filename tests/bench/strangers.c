/*
 * strangers.c - N strangers, one after the other, for one of two programs that greylist; prints how many a second it
 * answers. greylist.py runs both in turn.
 *
 *	strangers postgrey SOCKET N    as postgrey gets them from Postfix: the policy protocol, on one connection
 *	strangers milter SOCKET N      as a milter gets them: MAIL and RCPT of each, on one session
 *	strangers sessions SOCKET N    a session for each
 */
#include "link.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ADDRESS 32 /* room for an IPv4 address */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void client_of(unsigned number, char text[ADDRESS])
{
	snprintf(text, ADDRESS, "%u.%u.%u.7", 128 + number % 64, number / 64 % 250, number / 16000 % 250);
}

static char letter_of(unsigned number)
{
	return (char)('a' + number % 26);
}

/* ---- postgrey ------------------------------------------------------------------------------------- */

static void ask(int fd, unsigned number)
{
	char text[1024], ip[ADDRESS];
	size_t got = 0;
	int n;

	client_of(number, ip);
	n = snprintf(text, sizeof(text),
		     "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=%s\n"
		     "client_name=x%u.example.org\nreverse_client_name=x%u.example.org\nhelo_name=x%u.example.org\n"
		     "sender=user%c%u@example.org\nrecipient=bob@example.net\nrecipient_count=0\nqueue_id=\n"
		     "instance=%u\nsize=0\n\n",
		     ip, number, number, number, letter_of(number), number, number);
	if (write(fd, text, (size_t)n) != n)
		fail("postgrey takes no more");
	while (got < 2 || memcmp(text + got - 2, "\n\n", 2) != 0) {
		ssize_t more = read(fd, text + got, sizeof(text) - got);

		if (more <= 0)
			fail("postgrey does not answer");
		got += (size_t)more;
	}
	if (memcmp(text, "action=DEFER", 12) != 0)
		fail("postgrey let a stranger through: %.60s", text);
}

static void ask_postgrey(const char *path, unsigned count)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		fail("cannot connect to %s", path);
	for (unsigned i = 0; i < count; i++)
		ask(fd, i);
	close(fd);
}

/* ---- a milter ------------------------------------------------------------------------------------- */

static void greet(struct link *link, unsigned number)
{
	char text[128], ip[ADDRESS];
	size_t n = (size_t)snprintf(text, sizeof(text), "x%u.example.org", number) + 1;

	client_of(number, ip);
	memcpy(text + n, "4\x10\x20", 3);
	n += 3;
	memcpy(text + n, ip, strlen(ip) + 1);
	link_macros(link, CONNECT);
	if (!(link->steps & NO_CONNECT)) {
		link_packet(link, 'C', text, n + strlen(ip) + 1);
		link_verdict(link, MUTE_CONNECT);
	}
	if (!(link->steps & NO_HELO)) {
		link_packet(link, 'H', text, strlen(text) + 1);
		link_verdict(link, MUTE_HELO);
	}
}

static void try_message(struct link *link, unsigned number)
{
	static const char recipient[] = "<bob@example.net>";
	char text[128];

	link_macros(link, MAIL);
	link_packet(link, 'M', text,
		    (size_t)snprintf(text, sizeof(text), "<user%c%u@example.org>", letter_of(number), number) + 1);
	link_verdict(link, MUTE_MAIL);
	link_macros(link, RCPT);
	link_packet(link, 'R', recipient, sizeof(recipient));
	if (link_verdict(link, MUTE_RCPT) != OUTCOME_DEFER)
		fail("a stranger was let through");
	link_packet(link, 'A', "", 0);
}

static void ask_milter(const char *path, unsigned count, bool sessions)
{
	static struct link link;

	for (unsigned i = 0; i < count; i++) {
		if (i == 0 || sessions) {
			link_open(&link, path);
			greet(&link, i);
		}
		try_message(&link, i);
		if (i + 1 == count || sessions)
			link_close(&link);
	}
}

int main(int argc, char **argv)
{
	unsigned count = argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	double from = seconds();

	if (count == 0)
		fail("usage: strangers postgrey|milter|sessions SOCKET N");
	if (strcmp(argv[1], "postgrey") == 0)
		ask_postgrey(argv[2], count);
	else
		ask_milter(argv[2], count, strcmp(argv[1], "sessions") == 0);
	printf("%.0f\n", count / (seconds() - from));
	return 0;
}
