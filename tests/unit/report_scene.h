/*
 * report_scene.h - a site that sends reports: real rows, zone text, and a mail server whose answers depend on the
 * recipient.
 */
#ifndef SEKISHO_TEST_REPORT_SCENE_H
#define SEKISHO_TEST_REPORT_SCENE_H

#include "store_scene.h"

#include "assert_slice.h"
#include "reports.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#define DAY_US STORE_DAY_US

/* ---- a mail server ------------------------------------------------------------------------------------------ */

#define MAILS_MAX 64
#define MAIL_ROOM 16384

struct server {
	int fd;
	unsigned port;
	pthread_t thread;
	char recipients[MAILS_MAX][100], senders[MAILS_MAX][200];
	char text[MAIL_ROOM]; /* of the latest message */
	atomic_uint taken, tried;
};

static inline void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

static inline bool hear(int fd, char *line, size_t room)
{
	size_t n = 0;

	while (n + 1 < room && recv(fd, line + n, 1, 0) == 1)
		if (line[n++] == '\n')
			break;
	line[n] = '\0';
	return n > 0;
}

/* By the local part. */
static inline const char *reply_to(const char *recipient)
{
	static const char *const replies[][2] = {
	    {"gone", "550 5.1.1 no such user\r\n"}, {"later", "450 4.2.0 come back\r\n"},
	    {"large", "552 5.3.4 too large\r\n"},   {"spam", "550 5.7.1 it looks like spam\r\n"},
	    {"us", "530 5.7.0 authenticate\r\n"},   {"sender", "553 5.1.8 your address\r\n"}};

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		if (strncmp(recipient, replies[i][0], strlen(replies[i][0])) == 0)
			return replies[i][1];
	return "250 ok\r\n";
}

static inline void take_text(struct server *server, int fd)
{
	char line[1200];
	size_t n = 0;

	while (hear(fd, line, sizeof(line)) && strcmp(line, ".\r\n") != 0)
		for (size_t i = 0; line[i] && n + 1 < MAIL_ROOM; i++)
			server->text[n++] = line[i];
	server->text[n] = '\0';
}

static inline void serve(struct server *server, int fd)
{
	char line[1200], sender[200] = "", recipient[100] = "";

	say(fd, "220 x\r\n");
	while (hear(fd, line, sizeof(line))) {
		if (sscanf(line, "MAIL FROM:<%199[^>]>", sender) == 1 || strncmp(line, "EHLO", 4) == 0) {
			say(fd, "250 ok\r\n");
		} else if (sscanf(line, "RCPT TO:<%99[^>]>", recipient) == 1) {
			server->tried++;
			if (strncmp(recipient, "cut", 3) == 0)
				return;
			say(fd, reply_to(recipient));
		} else if (strncmp(line, "DATA", 4) == 0) {
			say(fd, "354 go\r\n");
			take_text(server, fd);
			strcpy(server->senders[server->taken % MAILS_MAX], sender);
			strcpy(server->recipients[server->taken++ % MAILS_MAX], recipient);
			say(fd, strncmp(recipient, "text", 4) == 0 ? "550 the text is not wanted\r\n"
								   : "250 2.0.0 queued\r\n");
		} else {
			say(fd, "221 bye\r\n");
		}
	}
}

static inline void *accept_all(void *server_)
{
	struct server *server = server_;

	for (int fd; (fd = accept(server->fd, NULL, NULL)) >= 0; close(fd))
		serve(server, fd);
	return NULL;
}

static inline void server_open(struct server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(address);

	server->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(server->fd, 16), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &n), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, accept_all, server), 0);
}

static inline unsigned mails_to(const struct server *server, const char *recipient)
{
	unsigned count = 0;

	for (size_t i = 0; i < server->taken; i++)
		count += strcmp(server->recipients[i], recipient) == 0;
	return count;
}

/* ---- a site ----------------------------------------------------------------------------------------------------- */

static const char zone[] = "_dmarc.example.net TXT \"v=DMARC1; p=none\"\n"
			   "_dmarc.example.org TXT \"v=DMARC1; p=none\"\n"
			   "example.org._report._dmarc.yes.example TXT \"v=DMARC1\"\n"
			   "a.example.net._report._dmarc.yes.example TXT \"v=DMARC1\"\n"
			   "b.example.net._report._dmarc.yes.example TXT \"v=DMARC1\"\n"
			   "c.example.net._report._dmarc.yes.example TXT \"v=DMARC1\"\n"
			   "example.org._report._dmarc.slow.example SERVFAIL\n"
			   "example.org._report._dmarc.away.example TXT \"v=DMARC1; rua=mailto:a@victim.example\"\n";

struct site {
	struct server server;
	struct scene *scene;
	struct aggregate *aggregate;
	struct mailer *mailer;
	struct resolver *resolver;
	struct report_counters counters;
	struct report_sender sender;
	unsigned day; /* the latest that is over */
	unsigned told[REPORT_TOO_MANY + 1];
	char last[600];
	bool stopped, aligned;
	unsigned rests;
	enum truth excluded;
};

static _Atomic int64_t wall;

static inline int64_t wall_us(void)
{
	return wall;
}

static inline bool is_stopped(void *site)
{
	return ((struct site *)site)->stopped;
}

static inline bool is_aligned(void *site, struct error *why_r)
{
	error_set(why_r, "it would not pass");
	return ((struct site *)site)->aligned;
}

static inline enum truth is_excluded(void *site, struct slice domain)
{
	return slice_equal(domain, SLICE("example.org")) ? ((struct site *)site)->excluded : TRUTH_FALSE;
}

static inline void take_told(void *site_, const struct report_told *told)
{
	struct site *site = site_;

	site->told[told->fate]++;
	snprintf(site->last, sizeof(site->last), "%.*s: %.*s", SLICE_ARGS(told->address), SLICE_ARGS(told->text));
}

static inline void rest(void *site, int64_t us)
{
	(void)us;
	((struct site *)site)->rests++;
}

static inline void open_services(struct site *site)
{
	struct mailer_settings mailer = {
	    .text = SLICE("inet:25@127.0.0.1"),
	    .address = {.family = LISTEN_INET, .host = "127.0.0.1", .port = site->server.port},
	    .timeout_us = 120 * SECOND};
	struct aggregate_settings settings = {SLICE("Example"), SLICE("dmarc@receiver.example"), SLICE("")};
	struct error err;

	site->mailer = mailer_open(&mailer, &err);
	site->resolver = resolver_open_zone(slice_of(zone), "test", &err);
	site->aggregate = aggregate_open(site->scene->store, &settings, &err);
	assert_true(site->mailer && site->resolver && site->aggregate);
}

static inline struct site *site_new(const char *scheme)
{
	struct site *site = xmalloc(sizeof(*site));

	scene_wall = clock_wall_us();
	site->day = (unsigned)(clock_wall_us() / DAY_US) - 1;
	wall = clock_wall_us();
	site->aligned = true;
	site->scene = scene_new(scheme, false);
	server_open(&site->server);
	open_services(site);
	site->sender = (struct report_sender){.aggregate = site->aggregate,
					      .store = site->scene->store,
					      .mailer = site->mailer,
					      .resolver = site->resolver,
					      .from = SLICE("dmarc@receiver.example"),
					      .organization = SLICE("Example, Inc."),
					      .delimiter = '+',
					      .holder = SLICE("here"),
					      .counters = &site->counters,
					      .wall_us = wall_us,
					      .ready = is_aligned,
					      .excluded = is_excluded,
					      .stopped = is_stopped,
					      .told = take_told,
					      .rest = rest,
					      .context = site};
	return site;
}

static inline void site_free(struct site *site)
{
	shutdown(site->server.fd, SHUT_RDWR);
	pthread_join(site->server.thread, NULL);
	close(site->server.fd);
	aggregate_close(site->aggregate);
	mailer_close(site->mailer, clock_us());
	resolver_release(site->resolver);
	scene_free(site->scene);
	free(site);
}

static inline void count(struct site *site, const char *domain, const char *rua)
{
	struct aggregate_message message = {
	    .time_us = (int64_t)site->day * DAY_US + 5 * HOUR,
	    .domain = slice_of(domain),
	    .record = arena_printf(site->scene->arena, "v=DMARC1; p=none%s%s", rua[0] ? "; rua=" : "", rua),
	    .client = {4, {192, 0, 2, 1}},
	    .header_from = slice_of(domain),
	    .envelope_from = slice_of(domain)};

	aggregate_count(site->aggregate, &message);
	assert_int_equal(aggregate_flush(site->aggregate, clock_us() + 120 * SECOND), STORE_OK);
}

static inline enum report_end run_for(struct site *site, const char *domain, bool now)
{
	const struct report_round round = {.now = now, .domain = slice_of(domain)};
	struct error why;
	enum report_end end;

	memset(site->told, 0, sizeof(site->told));
	end = reports_round(&site->sender, &round, &why);
	if (end != REPORTS_DONE)
		snprintf(site->last, sizeof(site->last), "%s", why.text);
	return end;
}

static inline enum report_end run(struct site *site, bool now)
{
	return run_for(site, "", now);
}

static inline bool has_rows(struct site *site, const char *domain)
{
	struct aggregate_total total = {.domain = SLICE("")};

	while (aggregate_next(site->aggregate, site->day, total.domain, site->scene->arena, &total) > 0)
		if (slice_equal(total.domain, slice_of(domain)))
			return true;
	return false;
}

#endif
