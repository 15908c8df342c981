/*
 * test_mailer.c - the mailer and a mail server that a test scripts: what is sent, when it is tried again, and what a
 * server that hangs, drips or refuses costs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "mailer.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)

/* ---- a server --------------------------------------------------------------------------------- */

/* How one connection is served. */
enum manner { TAKE, REFUSE_RCPT, LATER_RCPT, REFUSE_DATA, REFUSE_SIZE, HANG, DRIP, CUT, BAD_TLS };

struct server {
	int fd;
	unsigned port;
	pthread_t thread;
	const enum manner *manners; /* of the first connections; the last one for all others */
	size_t manner_count;
	atomic_uint connections;
	atomic_bool stop;
	char got[4096]; /* of all connections */
	size_t got_n;
	struct mailer *mailer; /* asked whether the connection is its own */
	atomic_bool owned, owned_other;
};

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

/* One line; false at the end. */
static bool hear(struct server *server, int fd, char *line, size_t room)
{
	size_t n = 0;

	while (n + 1 < room && recv(fd, line + n, 1, 0) == 1) {
		if (server->got_n < sizeof(server->got) - 1)
			server->got[server->got_n++] = line[n];
		if (line[n++] == '\n')
			break;
	}
	line[n] = '\0';
	return n > 0;
}

static void see_owner(struct server *server, int fd)
{
	struct sockaddr_in peer;
	socklen_t n = sizeof(peer);

	if (!server->mailer || getpeername(fd, (struct sockaddr *)&peer, &n) != 0)
		return;
	if (mailer_owns(server->mailer, ip_of_sockaddr((struct sockaddr *)&peer), ntohs(peer.sin_port)))
		server->owned = true;
	if (mailer_owns(server->mailer, ip_of_sockaddr((struct sockaddr *)&peer), ntohs(peer.sin_port) ^ 1u))
		server->owned_other = true;
}

static const char *reply_to(struct server *server, int fd, const char *line, enum manner manner)
{
	if (strncmp(line, "EHLO", 4) == 0)
		return manner == BAD_TLS       ? "250-x\r\n250 STARTTLS\r\n"
		       : manner == REFUSE_SIZE ? "250-x\r\n250 SIZE 10\r\n"
					       : "250 x\r\n";
	if (strncmp(line, "STARTTLS", 8) == 0)
		return "220 go\r\n";
	if (strncmp(line, "MAIL", 4) == 0 && manner == REFUSE_SIZE && strstr(line, " SIZE="))
		return "552 5.3.4 too large\x1b\r\n";
	if (strncmp(line, "MAIL", 4) == 0)
		see_owner(server, fd);
	if (strncmp(line, "RCPT", 4) == 0 && manner == REFUSE_RCPT)
		return "550 5.1.1 nobody\r\n";
	if (strncmp(line, "RCPT", 4) == 0 && manner == LATER_RCPT)
		return "450 4.2.0 later\r\n";
	if (strncmp(line, "DATA", 4) == 0)
		return "354 go\r\n";
	if (strcmp(line, ".\r\n") == 0)
		return manner == REFUSE_DATA ? "554 5.7.1 spam\r\n" : "250 taken\r\n";
	return "250 ok\r\n";
}

static bool is_closed(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

/* After the first bytes of TLS. */
static void talk_nonsense(int fd)
{
	char c;

	if (recv(fd, &c, 1, 0) == 1)
		say(fd, "this is not TLS\r\n");
	usleep(50000);
}

static void serve(struct server *server, int fd, enum manner manner)
{
	char line[256];
	bool data = false;

	while ((manner == HANG || manner == DRIP) && !server->stop && !is_closed(fd)) {
		if (manner == DRIP)
			say(fd, "220-slow\r\n");
		usleep(20000);
	}
	if (manner == HANG || manner == DRIP || manner == CUT)
		return;
	say(fd, "220 x\r\n");
	while (hear(server, fd, line, sizeof(line))) {
		data &= strcmp(line, ".\r\n") != 0;
		if (!data)
			say(fd, reply_to(server, fd, line, manner));
		data |= strncmp(line, "DATA", 4) == 0;
		if (strncmp(line, "STARTTLS", 8) == 0) {
			talk_nonsense(fd);
			return;
		}
	}
}

static void *accept_all(void *server_)
{
	struct server *server = server_;

	for (int fd; (fd = accept(server->fd, NULL, NULL)) >= 0; close(fd)) {
		size_t i = server->connections++;

		serve(server, fd, server->manners[i < server->manner_count ? i : server->manner_count - 1]);
	}
	return NULL;
}

static void server_open(struct server *server, const enum manner *manners, size_t count)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(address);

	memset(server, 0, sizeof(*server));
	server->manners = manners;
	server->manner_count = count;
	server->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(server->fd, 16), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &n), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, accept_all, server), 0);
}

static void server_close(struct server *server)
{
	server->stop = true;
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

#define SERVER(server, ...)                                                                                            \
	static const enum manner manners[] = {__VA_ARGS__};                                                            \
	struct server server;                                                                                          \
	server_open(&server, manners, sizeof(manners) / sizeof(manners[0]))

/* ---- a mailer ------------------------------------------------------------------------------------- */

static struct mailer *open_mailer(unsigned port)
{
	struct mailer_settings settings = {.text = SLICE("inet:25@127.0.0.1"),
					   .address = {.family = LISTEN_INET, .host = "127.0.0.1", .port = port},
					   .timeout_us = SECOND,
					   .first_us = SECOND / 50};
	struct error err;
	struct mailer *mailer = mailer_open(&settings, &err);

	assert_non_null(mailer);
	return mailer;
}

static atomic_uint ended[MAIL_LOST + 1];

static void count(void *context, enum mailed mailed)
{
	assert_ptr_equal(context, &ended);
	ended[mailed]++;
}

static bool submit(struct mailer *mailer, const char *text)
{
	return mailer_submit(mailer, &(struct mailer_message){.recipient = SLICE("bob@example.org"),
							      .text = slice_of(text),
							      .done = count,
							      .context = &ended});
}

static struct mailer_counters counters_of(struct mailer *mailer)
{
	struct mailer_counters c;

	mailer_counters(mailer, &c);
	return c;
}

static void wait_until_idle(struct mailer *mailer)
{
	for (int i = 0; i < 3000 && counters_of(mailer).waiting > 0; i++)
		usleep(10000);
	assert_int_equal(counters_of(mailer).waiting, 0);
}

static int forget(void **state)
{
	(void)state;
	for (int i = MAILED; i <= MAIL_LOST; i++)
		ended[i] = 0;
	return 0;
}

/* ---- tests ---------------------------------------------------------------------------------------------- */

static void a_message_arrives_as_it_is_with_the_null_sender(void **state)
{
	SERVER(server, TAKE);
	struct mailer *mailer = open_mailer(server.port);
	struct error line;

	(void)state;
	server.mailer = mailer;
	assert_true(submit(mailer, "Subject: x\r\n\r\n.\r\n..dots\r\nQUIT\r\n"));
	wait_until_idle(mailer);
	assert_int_equal(ended[MAILED], 1);
	assert_false(mailer_report(mailer, 0, &line));
	assert_true(server.owned);
	assert_false(server.owned_other);
	assert_false(mailer_owns(mailer, (struct ip){0}, 0));
	mailer_close(mailer, clock_us() + SECOND);
	server_close(&server);
	assert_non_null(strstr(server.got, "MAIL FROM:<>"));
	assert_non_null(strstr(server.got, "RCPT TO:<bob@example.org>\r\n"));
	assert_non_null(strstr(server.got, "Subject: x\r\n\r\n..\r\n...dots\r\nQUIT\r\n.\r\n"));
}

static void what_is_refused_is_not_tried_again(void **state)
{
	SERVER(server, REFUSE_RCPT, REFUSE_DATA, TAKE);
	struct mailer *mailer = open_mailer(server.port);
	struct error line;

	(void)state;
	assert_true(submit(mailer, "a: b\r\n\r\n") && submit(mailer, "a: b\r\n\r\n"));
	wait_until_idle(mailer);
	assert_int_equal(ended[MAIL_REFUSED], 2);
	assert_int_equal(counters_of(mailer).refused, 2);
	assert_int_equal(server.connections, 2);
	assert_true(mailer_report(mailer, SECOND, &line));
	assert_non_null(strstr(line.text, "it answered: 554 5.7.1 spam"));
	assert_false(mailer_report(mailer, 100 * SECOND, &line));
	mailer_close(mailer, clock_us() + SECOND);
	server_close(&server);
}

/* The first failure is told at once, then once a minute, and in the end that it works. */
static void a_temporary_failure_is_tried_again(void **state)
{
	SERVER(server, LATER_RCPT, CUT, BAD_TLS, BAD_TLS, TAKE);
	struct mailer *mailer = open_mailer(server.port);
	struct error line;

	(void)state;
	assert_true(submit(mailer, "a: b\r\n\r\n"));
	wait_until_idle(mailer);
	assert_int_equal(ended[MAILED], 1);
	assert_in_range(counters_of(mailer).failures, 2, 3);
	assert_true(mailer_report(mailer, SECOND, &line));
	assert_true(mailer_report(mailer, 2 * SECOND, &line));
	assert_non_null(strstr(line.text, "works again"));
	assert_false(mailer_report(mailer, 3 * SECOND, &line));
	mailer_close(mailer, clock_us() + SECOND);
	server_close(&server);
}

static void a_message_is_given_up_in_the_end(void **state)
{
	SERVER(server, LATER_RCPT);
	struct mailer *mailer = open_mailer(server.port);

	(void)state;
	assert_true(submit(mailer, "a: b\r\n\r\n"));
	for (int i = 0; i < 6000 && server.connections < 3; i++)
		usleep(10000);
	assert_in_range(server.connections, 3, MAILER_TRIES_MAX);
	mailer_close(mailer, clock_us()); /* it waits for its next try */
	assert_int_equal(ended[MAIL_LOST], 1);
	server_close(&server);
}

/* A try ends in time, though the server answers a bit again and again; nobody who submits waits, and neither does the
 * end. */
static void a_server_that_hangs_or_drips_delays_only_what_waits(void **state)
{
	SERVER(server, DRIP, HANG, HANG);
	struct mailer *mailer = open_mailer(server.port);
	unsigned fit = 0;

	(void)state;
	while (fit < 2 * MAILER_QUEUE_MAX && submit(mailer, "a: b\r\n\r\n"))
		fit++;
	assert_in_range(fit, MAILER_QUEUE_MAX, MAILER_QUEUE_MAX + 1);
	assert_int_equal(counters_of(mailer).lost, 1);
	for (int i = 0; i < 6000 && server.connections < 2; i++)
		usleep(10000);
	assert_in_range(server.connections, 2, 3);
	mailer_close(mailer, clock_us());
	assert_int_equal(ended[MAIL_LOST], fit);
	server_close(&server);
}

static bool never(void *context)
{
	return context != NULL;
}

static enum mailed send_now(struct mailer *mailer, const char *text, bool stopped, struct error *answer_r)
{
	return mailer_send(mailer,
			   &(struct mailer_message){.recipient = SLICE("bob@example.net"),
						    .sender = SLICE("dmarc+x@example.org"),
						    .text = slice_of(text)},
			   never, stopped ? &ended : NULL, answer_r);
}

/* What the server said goes to the caller, who decides whether there is another try. */
static void a_message_sent_now_is_tried_once_and_its_answer_is_told(void **state)
{
	SERVER(server, TAKE, REFUSE_RCPT, LATER_RCPT, REFUSE_SIZE, CUT, HANG);
	struct mailer *mailer = open_mailer(server.port);
	const char text[] = "Subject: x\r\n\r\nhello\r\n";
	struct error answer;

	(void)state;
	assert_int_equal(send_now(mailer, text, false, &answer), MAILED);
	assert_string_equal(answer.text, "250 taken");
	assert_non_null(strstr(server.got, "MAIL FROM:<dmarc+x@example.org>"));
	assert_int_equal(send_now(mailer, text, false, &answer), MAIL_REFUSED);
	assert_string_equal(answer.text, "550 5.1.1 nobody");
	assert_int_equal(send_now(mailer, text, false, &answer), MAIL_LOST);
	assert_string_equal(answer.text, "450 4.2.0 later");
	assert_int_equal(send_now(mailer, text, false, &answer), MAIL_REFUSED);
	assert_string_equal(answer.text, "552 5.3.4 too large?");
	assert_int_equal(send_now(mailer, text, false, &answer), MAIL_LOST);
	assert_true(answer.text[0]);
	assert_int_equal(send_now(mailer, text, true, &answer), MAIL_LOST);
	assert_int_equal(counters_of(mailer).sent, 1);
	assert_int_equal(counters_of(mailer).refused, 2);
	assert_int_equal(counters_of(mailer).failures, 3);
	assert_int_equal(counters_of(mailer).waiting, 0);
	mailer_close(mailer, clock_us() + SECOND);
	server_close(&server);
}

static void what_is_too_large_for_the_queue_is_not_taken(void **state)
{
	struct mailer *mailer = open_mailer(9);
	char *text = malloc(MAILER_BYTES_MAX + 1);
	struct error answer;

	(void)state;
	memset(text, 'x', MAILER_BYTES_MAX + 1);
	assert_int_equal(
	    mailer_send(mailer,
			&(struct mailer_message){.recipient = SLICE("a@b"), .text = {text, MAILER_BYTES_MAX + 1}},
			never, NULL, &answer),
	    MAIL_REFUSED);
	assert_false(mailer_submit(
	    mailer, &(struct mailer_message){.recipient = SLICE("a@b"), .text = {text, MAILER_BYTES_MAX + 1}}));
	free(text);
	mailer_close(mailer, clock_us());
	mailer_close(NULL, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_message_arrives_as_it_is_with_the_null_sender),
	    TEST(what_is_refused_is_not_tried_again),
	    TEST(a_temporary_failure_is_tried_again),
	    TEST(a_message_is_given_up_in_the_end),
	    TEST(a_server_that_hangs_or_drips_delays_only_what_waits),
	    TEST(a_message_sent_now_is_tried_once_and_its_answer_is_told),
	    TEST(what_is_too_large_for_the_queue_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
