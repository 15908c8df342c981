/*
 * test_engine_threads.c - 32 sessions at once while the policy is read again and again
 * and its lists change. Run under ThreadSanitizer it shows data races; anywhere it
 * shows that each message is judged by exactly one policy.
 */
#include "engine.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SESSIONS 32
#define MESSAGES 60
#define RELOADS  40

static struct counters counters;
static struct resolver *resolver;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct policy *policy;
static struct engine *engine;
static _Atomic unsigned wrong, judged, sessions_left = SESSIONS;
static char config_path[64], list_path[64];

static void write_file(const char *path, const char *format, const char *argument)
{
	char temporary[96];
	FILE *file;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	file = fopen(temporary, "w");
	if (!file || fprintf(file, format, argument) < 0 || fclose(file) != 0 || rename(temporary, path) != 0)
		die("cannot write %s", path);
}

static void reload(void)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *fresh = policy_load(config_path, policy, diagnostics);

	if (!fresh)
		die("%s", diagnostics_print(diagnostics));
	diagnostics_free(diagnostics);
	pthread_mutex_lock(&lock);
	policy_release(policy);
	engine_release(engine);
	policy = fresh;
	engine = engine_new(fresh, resolver, NULL, &counters);
	pthread_mutex_unlock(&lock);
}

static struct engine *current(void)
{
	pthread_mutex_lock(&lock);
	struct engine *held = engine_hold(engine);
	pthread_mutex_unlock(&lock);
	return held;
}

/* Rejected by SPF, taken as a friend, refused by a regular expression, and let through. */
static void talk(struct gate *gate, unsigned number)
{
	static const struct {
		const char *sender, *subject;
		unsigned code;
	} cases[] = {
	    {"<a@fail.example>", " x", 550},
	    {"<friend@friends.example>", " casino", 0},
	    {"<a@pass.example>", " casino tonight", 554},
	    {"<a@pass.example>", " hello", 0},
	};
	unsigned which = number % 4, code = 0;

	if (gate_mail(gate, slice_of(cases[which].sender), MADE_UNKNOWN, false) == GATE_REFUSE) {
		code = gate_reply(gate)->code;
	} else {
		gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN);
		gate_header(gate, SLICE("Subject"), slice_of(cases[which].subject));
		if (gate_end(gate) == GATE_REFUSE)
			code = gate_reply(gate)->code;
	}
	gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
	wrong += code != cases[which].code;
	judged++;
}

static void *session(void *argument)
{
	unsigned seed = (unsigned)(uintptr_t)argument;
	struct ip ip;

	ip_parse(SLICE("203.0.113.9"), &ip);
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct engine *held = current();
		struct gate *gate = gate_open(held, &abilities_all);

		engine_release(held);
		gate_connect(gate, &(struct connection){ip, 1, SLICE(""), SLICE(""), 25, false});
		gate_helo(gate, SLICE("mail.example.net"));
		talk(gate, seed + i);
		talk(gate, seed + i + 1);
		gate_close(gate);
	}
	sessions_left--;
	return NULL;
}

static void ignore(void *context, const char *line)
{
	(void)context;
	(void)line;
}

int main(void)
{
	pthread_t threads[SESSIONS];
	char directory[] = "/tmp/sekisho-test-threads.XXXXXX";
	struct error err;

	if (!mkdtemp(directory))
		die("no temporary directory");
	snprintf(config_path, sizeof(config_path), "%s/sekisho.conf", directory);
	snprintf(list_path, sizeof(list_path), "%s/friends", directory);
	write_file(list_path, "@friends.example\n%s\n", "x@example.com");
	write_file(config_path,
		   "authserv-id mx.example.org\n"
		   "list friends file:%s\n"
		   "policy inbound {\n"
		   "  on mail {\n"
		   "    accept if sender in friends\n"
		   "    reject 550 5.7.23 \"SPF\" if spf is fail\n"
		   "  }\n"
		   "  on message { reject 554 5.7.1 \"no\" if header(\"Subject\") matches /casi+no/i }\n"
		   "}\n",
		   list_path);
	resolver = resolver_open_zone(SLICE("fail.example TXT \"v=spf1 -all\"\n"
					    "pass.example TXT \"v=spf1 include:inc.example -all\"\n"
					    "inc.example TXT \"v=spf1 ip4:203.0.113.0/24 -all\"\n"),
				      "zone", &err);
	if (!resolver)
		die("%s", err.text);
	reload();
	for (uintptr_t i = 0; i < SESSIONS; i++)
		if (pthread_create(&threads[i], NULL, session, (void *)i) != 0)
			die("no thread");
	for (unsigned i = 0; i < RELOADS || sessions_left > 0; i++) {
		write_file(list_path, "@friends.example\n%s\n", i % 2 ? "y@example.com" : "zz@example.com");
		policy_refresh_lists(policy, ignore, NULL);
		if (i < RELOADS)
			reload();
		usleep(1000);
	}
	for (int i = 0; i < SESSIONS; i++)
		pthread_join(threads[i], NULL);
	engine_release(engine);
	policy_release(policy);
	resolver_release(resolver);
	unlink(config_path);
	unlink(list_path);
	rmdir(directory);
	bool fine = wrong == 0 && judged == 2 * SESSIONS * MESSAGES && counters.messages == judged;
	if (!fine)
		printf("FAILED: %u of %u messages were judged wrongly\n", wrong, judged);
	printf("%u passed, %u failed\n", fine, !fine);
	return !fine;
}
