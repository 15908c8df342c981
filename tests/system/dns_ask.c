/*
 * dns_ask.c - asks the real resolver what it is told to on standard input; for tests.
 *
 *     dns_ask off|permissive|strict TIMEOUT_MS system|recurse|ADDRESS@PORT ...
 *
 * Commands, one a line, each answered on standard output and closed by a line "done":
 *
 *     ask THREADS NAME TYPE     so many threads ask at the same moment, a message each; %d in
 *                               NAME becomes the number of the thread. A JSON object for each answer
 *     hint MS NAME TYPE         hints, sleeps so long, asks, prints the answer
 *     deadline MS               for the budgets that follow; 0: none
 *     counters                  the resolver's, as a JSON object
 *     warning                   the resolver's, as a JSON string, or null
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns.h"

#define THREADS_MAX 256
#define LINE_MAX_   1200

struct asker {
	pthread_t thread;
	struct resolver *resolver;
	pthread_barrier_t *barrier;
	char name[LINE_MAX_];
	enum dns_type type;
	int64_t deadline_us;
	char shown[3 * LINE_MAX_];
};

static enum dns_type type_of(const char *word)
{
	static const struct {
		const char *word;
		enum dns_type type;
	} types[] = {{"A", DNS_A},     {"AAAA", DNS_AAAA}, {"MX", DNS_MX},
		     {"TXT", DNS_TXT}, {"PTR", DNS_PTR},   {"CNAME", DNS_CNAME}};
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(word, types[i].word) == 0)
			return types[i].type;
	die("dns_ask: no type is called \"%s\"", word);
}

/* For JSON; the tests use no quotes and no control characters. */
static const char *slashes_double(struct slice text, char out[LINE_MAX_])
{
	size_t n = 0;

	for (size_t i = 0; i < text.n && n < LINE_MAX_ - 2; i++) {
		if (text.p[i] == '\\')
			out[n++] = '\\';
		out[n++] = text.p[i];
	}
	out[n] = 0;
	return out;
}

/* Enough of the first record to know it by. */
static struct slice first_of(const struct dns_answer *answer, char ip[IP_TEXT])
{
	if (answer->count == 0)
		return (struct slice){"", 0};
	const struct dns_record *record = &answer->records[0];
	if (record->ip.family != 0)
		return ip_print(record->ip, ip);
	return slice_head(record->text.n > 0 ? record->text : record->name, 60);
}

static void answer_show(const struct dns_answer *answer, int64_t us, struct asker *asker)
{
	char ip[IP_TEXT];
	size_t bytes = 0;

	for (size_t i = 0; i < answer->count; i++)
		bytes += answer->records[i].text.n;
	char name[LINE_MAX_], first[LINE_MAX_];
	snprintf(asker->shown, sizeof(asker->shown),
		 "{\"name\": \"%s\", \"status\": \"%s\", \"why\": \"%s\", \"secure\": %s, \"stale\": %s, "
		 "\"count\": %zu, "
		 "\"bytes\": %zu, \"first\": \"%s\", \"us\": %lld}",
		 slashes_double(slice_of(asker->name), name), dns_status_names[answer->status],
		 dns_reason_texts[answer->reason], answer->secure ? "true" : "false", answer->stale ? "true" : "false",
		 answer->count, bytes, slashes_double(first_of(answer, ip), first), (long long)us);
}

static void *ask(void *asker_)
{
	struct asker *asker = asker_;
	struct arena *arena = arena_new();
	struct dns_budget *budget = dns_budget_open(asker->resolver, arena, 10);

	pthread_barrier_wait(asker->barrier);
	int64_t start = clock_us();
	if (asker->deadline_us > 0)
		dns_budget_deadline(budget, start + asker->deadline_us);
	const struct dns_answer *answer = dns_ask(budget, slice_of(asker->name), asker->type);
	answer_show(answer, clock_us() - start, asker);
	dns_budget_close(budget);
	arena_free(arena);
	return NULL;
}

static void name_fill(char out[LINE_MAX_], const char *pattern, unsigned number)
{
	const char *at = strstr(pattern, "%d");

	if (!at)
		snprintf(out, LINE_MAX_, "%s", pattern);
	else
		snprintf(out, LINE_MAX_, "%.*s%u%s", (int)(at - pattern), pattern, number, at + 2);
}

static void ask_all(struct resolver *resolver, unsigned threads, const char *pattern, const char *type,
		    int64_t deadline)
{
	pthread_barrier_t barrier;

	if (threads < 1 || threads > THREADS_MAX)
		die("dns_ask: from 1 to %d threads", THREADS_MAX);
	struct asker *askers = xmalloc(threads * sizeof(*askers));
	pthread_barrier_init(&barrier, NULL, threads);
	for (unsigned i = 0; i < threads; i++) {
		askers[i].resolver = resolver;
		askers[i].barrier = &barrier;
		askers[i].type = type_of(type);
		askers[i].deadline_us = deadline;
		name_fill(askers[i].name, pattern, i);
		if (pthread_create(&askers[i].thread, NULL, ask, &askers[i]) != 0)
			die("dns_ask: cannot start a thread");
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(askers[i].thread, NULL);
		puts(askers[i].shown);
	}
	pthread_barrier_destroy(&barrier);
	free(askers);
}

static void hint_and_ask(struct resolver *resolver, const char *name, const char *type, unsigned ms)
{
	struct asker asker = {0};
	struct arena *arena = arena_new();
	struct dns_budget *budget = dns_budget_open(resolver, arena, 10);

	name_fill(asker.name, name, 0);
	dns_hint(budget, slice_of(name), type_of(type));
	usleep(ms * 1000);
	int64_t start = clock_us();
	const struct dns_answer *answer = dns_ask(budget, slice_of(name), type_of(type));
	answer_show(answer, clock_us() - start, &asker);
	puts(asker.shown);
	dns_budget_close(budget);
	arena_free(arena);
}

static void counters_show(const struct resolver *resolver)
{
	struct resolver_counters c;

	resolver_counters(resolver, &c);
	printf("{\"questions\": %llu, \"cache_hits\": %llu, \"joined\": %llu, \"asked\": %llu, \"tempfails\": %llu, "
	       "\"timeouts\": %llu, \"stale\": %llu, \"cache_entries\": %llu}\n",
	       (unsigned long long)c.questions, (unsigned long long)c.cache_hits, (unsigned long long)c.joined,
	       (unsigned long long)c.asked, (unsigned long long)c.tempfails, (unsigned long long)c.timeouts,
	       (unsigned long long)c.stale, (unsigned long long)c.cache_entries);
}

static void warning_show(const char *warning)
{
	if (!warning)
		puts("null");
	else
		printf("\"%.*s\"\n", (int)strcspn(warning, ":"), warning);
}

static void commands_do(struct resolver *resolver)
{
	char line[LINE_MAX_], name[LINE_MAX_], type[16];
	int64_t deadline_us = 0;
	unsigned number;

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "ask %u %1000s %15s", &number, name, type) == 3)
			ask_all(resolver, number, name, type, deadline_us);
		else if (sscanf(line, "hint %u %1000s %15s", &number, name, type) == 3)
			hint_and_ask(resolver, name, type, number);
		else if (sscanf(line, "deadline %u", &number) == 1)
			deadline_us = number * INT64_C(1000);
		else if (strcmp(line, "counters\n") == 0)
			counters_show(resolver);
		else if (strcmp(line, "warning\n") == 0)
			warning_show(resolver_warning(resolver));
		else
			die("dns_ask: what is \"%s\"?", line);
		puts("done");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static const char *const dnssec_names[] = {"off", "permissive", "strict"};
	struct resolver_settings settings = {.source = DNS_FORWARD, .cache_entries = 1024};
	struct error err = {""};

	if (argc < 4 || argc - 3 > DNS_FORWARD_MAX)
		die("usage: dns_ask off|permissive|strict TIMEOUT_MS system|recurse|ADDRESS@PORT ...");
	while (settings.dnssec < DNSSEC_STRICT && strcmp(argv[1], dnssec_names[settings.dnssec]) != 0)
		settings.dnssec++;
	settings.timeout_us = atoi(argv[2]) * INT64_C(1000);
	if (strcmp(argv[3], "system") == 0)
		settings.source = DNS_SYSTEM;
	if (strcmp(argv[3], "recurse") == 0)
		settings.source = DNS_RECURSE;
	for (int i = 3; i < argc && settings.source == DNS_FORWARD; i++)
		settings.forward[settings.forward_count++] = argv[i];
	struct resolver *resolver = resolver_open(&settings, &err);
	if (!resolver)
		die("dns_ask: %s", err.text);
	printf("%s\n", resolver_name(resolver));
	fflush(stdout);
	commands_do(resolver);
	resolver_release(resolver);
	return 0;
}
