/*
 * requests.c - asks a policy server as Postfix does (policy delegation protocol), and says how long that took.
 *
 *     requests [-c CONNECTIONS] [-n REQUESTS] [-s SENDERS] PORT|PATH
 *
 * Each connection asks at RCPT about one message after the other; the sender is another each time, out of so many. PORT
 * is of 127.0.0.1, PATH a Unix socket. Every answer must be DUNNO. The result is one line of JSON: messages, seconds,
 * rate, and of the time of one request p50 p90 p99 in microseconds.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct plan {
	unsigned connections, requests, senders;
	const char *where;
	int64_t *times;
};

struct client {
	const struct plan *plan;
	unsigned number, first, count;
	pthread_t thread;
};

static _Noreturn void fail(const char *what, const char *which)
{
	fprintf(stderr, "requests: %s: %s\n", which, what);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int connected(const char *where)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	bool is_path = where[0] == '/';
	int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (is_path && strlen(where) >= sizeof(local.sun_path))
		fail("the path is too long", where);
	memcpy(local.sun_path, where, is_path ? strlen(where) : 0);
	inet.sin_port = htons((uint16_t)atoi(where));
	if (fd < 0 || connect(fd, is_path ? (struct sockaddr *)&local : (struct sockaddr *)&inet,
			      is_path ? sizeof(local) : sizeof(inet)) < 0)
		fail("cannot be reached", where);
	if (!is_path)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* What Postfix sends at RCPT. */
static int request_print(char *text, size_t size, const struct client *client, unsigned message)
{
	return snprintf(text, size,
			"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
			"client_address=203.0.113.9\nclient_name=mail.example.net\nclient_port=40000\n"
			"reverse_client_name=mail.example.net\nserver_address=192.0.2.1\nserver_port=25\n"
			"helo_name=mail.example.net\nsender=user%u@example.net\nrecipient=bob@example.org\n"
			"recipient_count=0\nqueue_id=\ninstance=%x.%x.%x.0\nsize=2048\netrn_domain=\nstress=\n"
			"sasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\n"
			"ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\nencryption_cipher=\n"
			"encryption_keysize=0\npolicy_context=\n\n",
			message % client->plan->senders, (unsigned)getpid(), client->number, message);
}

static void ask(int fd, const char *request, size_t n, const char *where)
{
	char answer[512];
	size_t used = 0;

	for (size_t sent = 0; sent < n;) {
		ssize_t some = send(fd, request + sent, n - sent, MSG_NOSIGNAL);

		if (some <= 0)
			fail("closed the connection", where);
		sent += (size_t)some;
	}
	while (used < 2 || memcmp(answer + used - 2, "\n\n", 2) != 0) {
		ssize_t some = recv(fd, answer + used, sizeof(answer) - 1 - used, 0);

		if (some <= 0)
			fail("closed the connection, or answered too much", where);
		used += (size_t)some;
	}
	answer[used] = 0;
	if (strncasecmp(answer, "action=dunno", 12) != 0)
		fail(answer, where);
}

static void *client_run(void *with)
{
	struct client *client = with;
	const struct plan *plan = client->plan;
	int fd = connected(plan->where);
	char request[2048];

	for (unsigned i = client->first; i < client->first + client->count; i++) {
		int n = request_print(request, sizeof(request), client, i);
		int64_t from = now_ns();

		ask(fd, request, (size_t)n, plan->where);
		plan->times[i] = now_ns() - from;
	}
	close(fd);
	return NULL;
}

static int compare(const void *a_, const void *b_)
{
	int64_t a = *(const int64_t *)a_, b = *(const int64_t *)b_;

	return (a > b) - (a < b);
}

static void run(struct plan *plan)
{
	struct client *clients = calloc(plan->connections, sizeof(*clients));
	unsigned each = plan->requests / plan->connections, all = each * plan->connections;
	int64_t from = now_ns();
	double seconds;

	plan->times = calloc(all, sizeof(*plan->times));
	if (!clients || !plan->times)
		fail("out of memory", plan->where);
	for (unsigned i = 0; i < plan->connections; i++) {
		clients[i] = (struct client){.plan = plan, .number = i, .first = i * each, .count = each};
		if (pthread_create(&clients[i].thread, NULL, client_run, &clients[i]))
			fail("no thread", plan->where);
	}
	for (unsigned i = 0; i < plan->connections; i++)
		pthread_join(clients[i].thread, NULL);
	seconds = (double)(now_ns() - from) / 1e9;
	qsort(plan->times, all, sizeof(*plan->times), compare);
	printf("{\"messages\": %u, \"seconds\": %.6f, \"rate\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f}\n",
	       all, seconds, all / seconds, (double)plan->times[all / 2] / 1e3,
	       (double)plan->times[(size_t)all * 9 / 10] / 1e3, (double)plan->times[(size_t)all * 99 / 100] / 1e3);
	free(plan->times);
	free(clients);
}

int main(int argc, char **argv)
{
	struct plan plan = {.connections = 8, .requests = 1000, .senders = 1000};
	int letter;

	while ((letter = getopt(argc, argv, "c:n:s:")) != -1) {
		unsigned *number = letter == 'c' ? &plan.connections : letter == 'n' ? &plan.requests : &plan.senders;

		if (letter == '?' || (*number = (unsigned)strtoul(optarg, NULL, 10)) == 0)
			fail("usage: requests [-c CONNECTIONS] [-n REQUESTS] [-s SENDERS] PORT|PATH", "bad option");
	}
	if (argc - optind != 1 || plan.requests < plan.connections)
		fail("usage: requests [-c CONNECTIONS] [-n REQUESTS] [-s SENDERS] PORT|PATH", "bad arguments");
	plan.where = argv[optind];
	run(&plan);
	return 0;
}
