/*
 * test_report_rounds.c - reports go to each address once, whatever the mail server says: a round over real rows, with
 * zone text and a mail server whose answers depend on the recipient.
 */
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

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

static bool hear(int fd, char *line, size_t room)
{
	size_t n = 0;

	while (n + 1 < room && recv(fd, line + n, 1, 0) == 1)
		if (line[n++] == '\n')
			break;
	line[n] = '\0';
	return n > 0;
}

/* By the local part. */
static const char *reply_to(const char *recipient)
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

static void take_text(struct server *server, int fd)
{
	char line[1200];
	size_t n = 0;

	while (hear(fd, line, sizeof(line)) && strcmp(line, ".\r\n") != 0)
		for (size_t i = 0; line[i] && n + 1 < MAIL_ROOM; i++)
			server->text[n++] = line[i];
	server->text[n] = '\0';
}

static void serve(struct server *server, int fd)
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

static void *accept_all(void *server_)
{
	struct server *server = server_;

	for (int fd; (fd = accept(server->fd, NULL, NULL)) >= 0; close(fd))
		serve(server, fd);
	return NULL;
}

static void server_open(struct server *server)
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

static unsigned mails_to(const struct server *server, const char *recipient)
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
	unsigned told[9];
	char last[600];
	bool stopped, aligned;
	unsigned rests;
	enum truth excluded;
};

static _Atomic int64_t wall;

static int64_t wall_us(void)
{
	return wall;
}

static bool is_stopped(void *site)
{
	return ((struct site *)site)->stopped;
}

static bool is_aligned(void *site, struct error *why_r)
{
	error_set(why_r, "it would not pass");
	return ((struct site *)site)->aligned;
}

static enum truth is_excluded(void *site, struct slice domain)
{
	return slice_equal(domain, SLICE("example.org")) ? ((struct site *)site)->excluded : TRUTH_FALSE;
}

static void take_told(void *site_, const struct report_told *told)
{
	struct site *site = site_;

	site->told[told->fate]++;
	snprintf(site->last, sizeof(site->last), "%.*s: %.*s", SLICE_ARGS(told->address), SLICE_ARGS(told->text));
}

static void rest(void *site, int64_t us)
{
	(void)us;
	((struct site *)site)->rests++;
}

static void open_services(struct site *site)
{
	struct mailer_settings mailer = {
	    .text = SLICE("inet:25@127.0.0.1"),
	    .address = {.family = LISTEN_INET, .host = "127.0.0.1", .port = site->server.port},
	    .timeout_us = 2 * SECOND};
	struct aggregate_settings settings = {SLICE("Example"), SLICE("dmarc@receiver.example"), SLICE("")};
	struct error err;

	site->mailer = mailer_open(&mailer, &err);
	site->resolver = resolver_open_zone(slice_of(zone), "test", &err);
	site->aggregate = aggregate_open(site->scene->store, &settings, &err);
	assert_true(site->mailer && site->resolver && site->aggregate);
}

static struct site *site_new(const char *scheme)
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

static void site_free(struct site *site)
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

static void count(struct site *site, const char *domain, const char *rua)
{
	struct aggregate_message message = {
	    .time_us = (int64_t)site->day * DAY_US + 5 * HOUR,
	    .domain = slice_of(domain),
	    .record = arena_printf(site->scene->arena, "v=DMARC1; p=none%s%s", rua[0] ? "; rua=" : "", rua),
	    .client = {4, {192, 0, 2, 1}},
	    .header_from = slice_of(domain),
	    .envelope_from = slice_of(domain)};

	aggregate_count(site->aggregate, &message);
	assert_int_equal(aggregate_flush(site->aggregate, clock_us() + 10 * SECOND), STORE_OK);
}

static enum report_end run_for(struct site *site, const char *domain, bool now)
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

static enum report_end run(struct site *site, bool now)
{
	return run_for(site, "", now);
}

static bool has_rows(struct site *site, const char *domain)
{
	struct aggregate_total total = {.domain = SLICE("")};

	while (aggregate_next(site->aggregate, site->day, total.domain, site->scene->arena, &total) > 0)
		if (slice_equal(total.domain, slice_of(domain)))
			return true;
	return false;
}

#define EACH_STORE(body)                                                                                               \
	for (int i = 0; i < 2; i++) {                                                                                  \
		struct site *site = site_new(i ? "lmdb:" : "memory:");                                                 \
		body(site);                                                                                            \
		site_free(site);                                                                                       \
	}

/* ---- tests ----------------------------------------------------------------------------------------------------------
 */

static void every_address(struct site *site)
{
	count(site, "example.org",
	      "mailto:a@example.org!10m, https://example.org/,mailto:A@example.org ,mailto:b@yes.example");
	count(site, "example.net", "mailto:a@example.net");
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_SENT], 3);
	assert_int_equal(site->told[REPORT_NO_ADDRESS], 1);
	assert_int_equal(site->server.taken, 3);
	assert_int_equal(mails_to(&site->server, "b@yes.example"), 1);
	assert_false(has_rows(site, "example.org") || has_rows(site, "example.net"));
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->server.taken, 3);
	assert_int_equal(site->counters.sent, 3);
	assert_int_equal(site->counters.waiting, 0);
}

static void every_address_of_rua_gets_a_report_once(void **state)
{
	(void)state;
	EACH_STORE(every_address)
}

/* Of three addresses one takes the report, one never will, and one does not now. */
static void one_refusal(struct site *site)
{
	count(site, "example.org", "mailto:gone@example.org,mailto:later@example.org,mailto:a@example.org");
	count(site, "example.net", "mailto:a@example.net");
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_SENT], 2);
	assert_int_equal(site->told[REPORT_REFUSED], 1);
	assert_int_equal(site->told[REPORT_LATER], 1);
	assert_true(has_rows(site, "example.org"));
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(site->server.tried, 4); /* it waits for its time */
	wall += REPORTS_AGAIN_US;
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_SENT_BEFORE], 2);
	assert_int_equal(site->server.tried, 5);
	assert_int_equal(site->server.taken, 2);
	assert_int_equal(site->counters.waiting, 1);
}

static void a_refusal_repeats_nothing_for_others(void **state)
{
	(void)state;
	EACH_STORE(one_refusal)
}

static void where_no_report_may_go_none_goes(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	count(site, "example.org", "mailto:a@no.example,mailto:a@away.example,mailto:a@slow.example");
	count(site, "example.net", "");
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_NO_CONSENT], 2);
	assert_int_equal(site->told[REPORT_LATER], 1);
	assert_int_equal(site->told[REPORT_NO_ADDRESS], 1);
	assert_int_equal(site->server.tried, 0);
	assert_true(has_rows(site, "example.org"));
	assert_false(has_rows(site, "example.net"));
	site->excluded = TRUTH_UNKNOWN;
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_true(has_rows(site, "example.org"));
	site->excluded = TRUTH_TRUE;
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_EXCLUDED], 1);
	assert_false(has_rows(site, "example.org"));
	site_free(site);
}

/* Nothing is lost while mail would not be aligned, or while another process has the lease. */
static void what_cannot_be_sent_now_is_kept(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	count(site, "example.org", "mailto:a@example.org");
	site->aligned = false;
	assert_int_equal(run(site, true), REPORTS_BROKEN);
	assert_string_equal(site->last, "it would not pass");
	site->aligned = true;
	assert_int_equal(store_lease_take(site->scene->store, SLICE("rua:lease"), SLICE("there"), SECOND * 60),
			 STORE_OK);
	assert_int_equal(run(site, true), REPORTS_ELSEWHERE);
	assert_int_equal(store_lease_release(site->scene->store, SLICE("rua:lease"), SLICE("there")), STORE_OK);
	site->stopped = true;
	assert_int_equal(run(site, true), REPORTS_BROKEN);
	assert_int_equal(site->server.taken, 0);
	site->stopped = false;
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->server.taken, 1);
	site_free(site);
}

static void each_domain_is_due_at_a_time_of_its_own(void **state)
{
	struct site *site = site_new("memory:");
	unsigned middle;

	(void)state;
	for (int i = 0; i < 12; i++)
		count(site, arena_cstring(site->scene->arena, arena_printf(site->scene->arena, "d%d.example", i)),
		      "mailto:a@example.org");
	wall = ((int64_t)site->day + 1) * DAY_US + REPORTS_START_US - SECOND;
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(site->told[REPORT_NO_CONSENT], 0);
	wall += REPORTS_SPREAD_US / 2;
	assert_int_equal(run(site, false), REPORTS_DONE);
	middle = site->told[REPORT_NO_CONSENT];
	assert_in_range(middle, 1, 11);
	wall += REPORTS_SPREAD_US / 2 + 2 * SECOND;
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(middle + site->told[REPORT_NO_CONSENT], 12);
	site_free(site);
}

/* Back and forth; a clock that is only corrected a little is not set. */
static void no_round_begins_for_a_while_when_the_clock_was_set(void **state)
{
	static const struct {
		int64_t wall, steady, jump; /* seconds */
		bool may;
	} looks[] = {
	    {1000000, 50, 0, true},         {1000010, 60, 0, true},    {1000310, 70, 0, true},
	    {1086710, 80, 86390, false},    {1087310, 680, 0, false},  {1087621, 991, 0, true},
	    {1001231, 1001, -86400, false}, {1002130, 1900, 0, false}, {1002131, 1901, 0, true},
	};
	struct report_clock clock = {.began = false};

	(void)state;
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		int64_t jump;

		assert_int_equal(report_clock_steady(&clock, looks[i].wall * SECOND, looks[i].steady * SECOND, &jump),
				 looks[i].may);
		assert_int_equal(jump / SECOND, looks[i].jump);
	}
}

static void a_day_that_is_not_over_is_not_reported(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	site->day++;
	count(site, "example.org", "mailto:a@example.org");
	wall += DAY_US; /* a clock that is wrong */
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->server.tried, 0);
	site_free(site);
}

static void what_waits_for_two_days_is_dropped(void **state)
{
	struct site *site = site_new("memory:");
	unsigned rounds = 0;

	(void)state;
	count(site, "example.org", "mailto:later@example.org");
	wall = ((int64_t)site->day + 1) * DAY_US + REPORTS_START_US + REPORTS_SPREAD_US;
	for (; has_rows(site, "example.org"); rounds++) {
		assert_int_equal(run(site, false), REPORTS_DONE);
		wall += REPORTS_AGAIN_US;
	}
	assert_int_equal(site->told[REPORT_DROPPED], 1);
	assert_int_equal(site->counters.dropped, 1);
	assert_in_range(site->server.tried, 10, 20);
	assert_in_range(rounds, 150, 48 * 4);
	site_free(site);
}

static void a_mail_server_that_is_silent_ends_the_round(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	for (int i = 0; i < 8; i++)
		count(site, arena_cstring(site->scene->arena, arena_printf(site->scene->arena, "d%d.example.org", i)),
		      "mailto:cut@example.org");
	assert_int_equal(run(site, true), REPORTS_BROKEN);
	assert_int_equal(site->server.tried, REPORTS_SILENT_MAX);
	assert_string_equal(site->last, "the mail server does not answer");
	site_free(site);
}

/* The second round would begin with the same domain, and end there. */
static void a_domain_whose_mail_gets_no_answer_does_not_hold_up_others(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	count(site, "a.example.org", "mailto:cut1@example.org,mailto:cut2@example.org,mailto:cut3@example.org");
	count(site, "b.example.org", "mailto:a@example.org");
	wall = ((int64_t)site->day + 1) * DAY_US + REPORTS_START_US + REPORTS_SPREAD_US;
	assert_int_equal(run(site, false), REPORTS_BROKEN);
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(mails_to(&site->server, "a@example.org"), 1);
	assert_true(has_rows(site, "a.example.org"));
	site_free(site);
}

/* A DNS server can answer each question with another record: each of them is a report of its own. */
static void a_record_that_changes_all_the_time_gets_no_flood_of_reports(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	for (int i = 0; i < REPORTS_PARTS_MAX + 10; i++)
		count(site, "example.org",
		      arena_cstring(site->scene->arena,
				    arena_printf(site->scene->arena, "mailto:a@example.org; x=%d", i)));
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_int_equal(site->server.taken, REPORTS_PARTS_MAX);
	assert_int_equal(site->told[REPORT_DROPPED], 1);
	assert_false(has_rows(site, "example.org"));
	site_free(site);
}

static void who_answers_no_question_does_not_take_the_time_of_others(void **state)
{
	int64_t vain = 0;
	unsigned domains = 0;

	(void)state;
	assert_true(report_patience_us(0) >= 10 * SECOND);
	for (; vain < 2 * HOUR; domains++)
		vain += report_patience_us(vain);
	assert_true(domains >= 10000);
}

/* Else those of a stranger, each with a pause, would make a round as long as he likes. */
static void domains_that_only_wait_take_no_rest(void **state)
{
	struct site *site = site_new("memory:");

	(void)state;
	for (int i = 0; i < 5; i++)
		count(site, arena_cstring(site->scene->arena, arena_printf(site->scene->arena, "d%d.example.org", i)),
		      "mailto:later@example.org");
	wall = ((int64_t)site->day + 1) * DAY_US + REPORTS_START_US + REPORTS_SPREAD_US;
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(site->rests, 5);
	assert_int_equal(run(site, false), REPORTS_DONE);
	assert_int_equal(site->rests, 5);
	site_free(site);
}

/* ---- dead addresses
 * ---------------------------------------------------------------------------------------------------- */

static void a_dead_address_rests_for_longer_each_time(void **state)
{
	static const int64_t rests[] = {1, 4, 16, 16};
	struct site *site = site_new("memory:");
	struct store *store = site->scene->store;
	struct arena *arena = site->scene->arena;
	int64_t now = START, until;
	struct report_dead dead, *list;
	struct slice next;
	size_t number;

	(void)state;
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		for (int again = 0; again < 3; again++) /* of several mails each may bounce */
			assert_int_equal(report_dead_add(store, SLICE("Gone@example.org"), SLICE("550 no\r\n"),
							 now + again, arena, &until),
					 STORE_OK);
		assert_int_equal(until, now / SECOND + rests[i] * 86400);
		assert_int_equal(report_dead_find(store, SLICE("gone@example.org"), until * SECOND - 1, arena, &dead),
				 STORE_OK);
		assert_slice(dead.why, "550 no??");
		assert_int_equal(report_dead_find(store, SLICE("gone@example.org"), until * SECOND, arena, &dead),
				 STORE_ABSENT);
		now = until * SECOND;
	}
	assert_int_equal(report_dead_find(store, SLICE("other@example.org"), now, arena, &dead), STORE_ABSENT);
	assert_int_equal(report_dead_list(store, SLICE(""), arena, &list, &number, &next), STORE_OK);
	assert_int_equal(number, 1);
	assert_slice(list[0].address, "gone@example.org");
	assert_int_equal(list[0].times, 4);
	assert_null(next.p);
	assert_int_equal(report_dead_clear(store, SLICE("GONE@example.org"), arena), STORE_OK);
	assert_int_equal(report_dead_clear(store, SLICE("gone@example.org"), arena), STORE_ABSENT);
	site_free(site);
}

/* Nor is one of the mail: a stranger chooses what it is about, and others share the address. */
static void a_refusal_that_is_about_us_is_not_taken_for_a_dead_address(void **state)
{
	static const struct {
		const char *address;
		enum report_fate fate;
		bool dead;
	} cases[] = {{"gone@example.org", REPORT_REFUSED, true},  {"large@example.org", REPORT_REFUSED, false},
		     {"spam@example.org", REPORT_REFUSED, false}, {"text@example.org", REPORT_REFUSED, false},
		     {"us@example.org", REPORT_LATER, false},     {"sender@example.org", REPORT_LATER, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct site *site = site_new("memory:");
		struct report_dead dead;
		char rua[60];

		snprintf(rua, sizeof(rua), "mailto:%s", cases[i].address);
		count(site, "example.org", rua);
		count(site, "other.example.org", rua);
		assert_int_equal(run_for(site, "example.org", true), REPORTS_DONE);
		assert_int_equal(site->told[cases[i].fate], 1);
		assert_int_equal(
		    report_dead_find(site->scene->store, slice_of(cases[i].address), wall, site->scene->arena, &dead),
		    cases[i].dead ? STORE_OK : STORE_ABSENT);
		assert_int_equal(run_for(site, "other.example.org", true), REPORTS_DONE);
		assert_int_equal(site->told[REPORT_SUPPRESSED], cases[i].dead);
		site_free(site);
	}
}

/* ---- bounces
 * --------------------------------------------------------------------------------------------------------------- */

static enum store_answer find(struct site *site, const char *recipient, struct slice *address_r)
{
	return report_bounce_find(site->scene->store, site->sender.from, '+', slice_of(recipient), site->scene->arena,
				  address_r);
}

static void a_bounce_is_of_the_address_that_its_token_belongs_to(void **state)
{
	struct site *site = site_new("memory:");
	struct slice address;
	char *sender = site->server.senders[0];

	(void)state;
	count(site, "example.org", "mailto:Rep.Box@example.org");
	count(site, "example.net", "mailto:a@example.net");
	assert_int_equal(run_for(site, "example.org", true), REPORTS_DONE);
	assert_int_equal(strncmp(sender, "dmarc+r", 7), 0);
	assert_int_equal(find(site, sender, &address), STORE_OK);
	assert_slice(address, "Rep.Box@example.org");
	sender[7] ^= 1;
	assert_int_equal(find(site, sender, &address), STORE_ABSENT);
	assert_int_equal(find(site, "dmarc@receiver.example", &address), STORE_ABSENT);
	assert_int_equal(find(site, "dmarc+r@receiver.example", &address), STORE_ABSENT);
	assert_int_equal(find(site, "", &address), STORE_ABSENT);
	site->sender.delimiter = '\0';
	assert_int_equal(run(site, true), REPORTS_DONE);
	assert_string_equal(site->server.senders[1], "dmarc@receiver.example");
	site_free(site);
}

static void only_a_failure_for_good_is_a_bounce(void **state)
{
	static const struct {
		const char *type, *body, *why; /* why NULL: it is none */
	} cases[] = {
	    {" multipart/report; report-type=delivery-status;\r\n boundary=x",
	     "--x\r\n\r\nSorry\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n"
	     "Final-Recipient: rfc822; a@b\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no\r\n",
	     "bounced: 5.1.1 smtp; 550 no"},
	    {"Multipart/Report; boundary=x; report-type=\"delivery-status\"", "ACTION: failed\nStatus: 4.4.7\n",
	     "bounced: 4.4.7 "},
	    {"multipart/report; report-type=delivery-status", "Action: failed\r\nStatus: 5.7.1 (spam)\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "Action: failed\r\nStatus: 5.6.0\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "Action: failed\r\nStatus: 5.2.3\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "Action: delayed\r\nAction: failed\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "x Action: failed\r\n", NULL},
	    {"multipart/report; report-type=delivery-status", "", NULL},
	    {"multipart/report; report-type=disposition-notification", "Action: failed\r\n", NULL},
	    {"text/plain; x=delivery-status", "Action: failed\r\n", NULL},
	    {"", "Action: failed\r\n", NULL},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice why;

		assert_int_equal(report_bounce_read(slice_of(cases[i].type), slice_of(cases[i].body), arena, &why),
				 cases[i].why != NULL);
		if (cases[i].why)
			assert_slice(why, cases[i].why);
	}
	arena_free(arena);
}

/* ---- the mail
 * ------------------------------------------------------------------------------------------------------------------ */

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in\n%s", part, text);
}

static void the_mail_has_the_report_attached_and_stays_the_same(void **state)
{
	struct site *site = site_new("memory:");
	const char *text = site->server.text;
	struct aggregate_request request = {
	    .day = site->day, .domain = SLICE("example.org"), .part = SLICE(""), .max_bytes = REPORTS_BYTES_MAX};
	struct arena *arena = site->scene->arena;
	struct aggregate_report report;
	struct slice coded, bytes;
	struct error err;

	(void)state;
	count(site, "example.org", "mailto:a@example.org");
	assert_int_equal(aggregate_make(site->aggregate, &request, arena, &report, &err), 1);
	assert_int_equal(run(site, true), REPORTS_DONE);
	has(text, "From: \"Example, Inc.\" <dmarc@receiver.example>\r\nTo: a@example.org\r\n");
	has(text, arena_cstring(arena, report.file));
	has(text, " +0000\r\nMessage-ID: <");
	has(text, arena_cstring(arena, arena_join(arena, SLICE("Message-ID: <"), report.id, SLICE("."))));
	has(text, "Auto-Submitted: auto-generated\r\n");
	has(text, "Content-Type: application/gzip;\r\n name=\"receiver.example!example.org!");
	has(text, " filename=\"receiver.example!example.org!");
	coded = slice_of(strstr(text, "base64\r\n\r\n") + 10);
	coded.n = (size_t)(strstr(coded.p, "\r\n--=_") - coded.p);
	assert_int_equal(base64_decode(coded, arena, &bytes), 0);
	assert_true(slice_equal(bytes, report.gz));
	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
		assert_true(end > line && end[-1] == '\r' && end - line < 998);
	site_free(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_address_of_rua_gets_a_report_once),
	    cmocka_unit_test(a_refusal_repeats_nothing_for_others),
	    cmocka_unit_test(where_no_report_may_go_none_goes),
	    cmocka_unit_test(what_cannot_be_sent_now_is_kept),
	    cmocka_unit_test(each_domain_is_due_at_a_time_of_its_own),
	    cmocka_unit_test(no_round_begins_for_a_while_when_the_clock_was_set),
	    cmocka_unit_test(a_day_that_is_not_over_is_not_reported),
	    cmocka_unit_test(what_waits_for_two_days_is_dropped),
	    cmocka_unit_test(a_mail_server_that_is_silent_ends_the_round),
	    cmocka_unit_test(a_domain_whose_mail_gets_no_answer_does_not_hold_up_others),
	    cmocka_unit_test(a_record_that_changes_all_the_time_gets_no_flood_of_reports),
	    cmocka_unit_test(who_answers_no_question_does_not_take_the_time_of_others),
	    cmocka_unit_test(domains_that_only_wait_take_no_rest),
	    cmocka_unit_test(a_dead_address_rests_for_longer_each_time),
	    cmocka_unit_test(a_refusal_that_is_about_us_is_not_taken_for_a_dead_address),
	    cmocka_unit_test(a_bounce_is_of_the_address_that_its_token_belongs_to),
	    cmocka_unit_test(only_a_failure_for_good_is_a_bounce),
	    cmocka_unit_test(the_mail_has_the_report_attached_and_stays_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
