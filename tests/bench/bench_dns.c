/*
 * bench_dns.c - what a question costs whose answer is known. One line each:
 * nanoseconds of processor time, and how often as fast as libunbound is when it is
 * asked directly for what it knows; alone, hinted before, and with the parsed form that is kept with the answer (a
 * record, a key); then what many threads at the same names cost each other.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unbound.h>

#include "dns.h"

#define NAMES       10 /* of one message */
#define MESSAGES    100000
#define DIRECT      2000
#define THREADS_MAX 16

static const char *const names[NAMES] = {
    "example.net",         "_spf.example.net",           "mail.example.net",       "a.example.org",
    "include.example.org", "spf.protection.example.com", "_netblocks.example.com", "_netblocks2.example.com",
    "b.example.com",       "relay.example.com"};

struct work {
	pthread_t thread;
	struct resolver *resolver;
	size_t (*ask)(struct dns_budget *, struct slice name); /* 1: there is an answer */
	unsigned repeats;                                      /* of each question in one message */
	size_t found;
};

static size_t ask(struct dns_budget *budget, struct slice name)
{
	return dns_ask(budget, name, DNS_TXT)->count;
}

static size_t hint_and_ask(struct dns_budget *budget, struct slice name)
{
	dns_hint(budget, name, DNS_TXT);
	return ask(budget, name);
}

static void *parse(const struct dns_answer *answer)
{
	size_t *count = xmalloc(sizeof(*count));

	*count = answer->count;
	return count;
}

static size_t ask_parsed(struct dns_budget *budget, struct slice name)
{
	static const struct dns_parser parser = {parse, free};
	const size_t *count = dns_parsed(budget, dns_ask(budget, name, DNS_TXT), &parser);

	return *count;
}

static void *messages(void *work_)
{
	struct work *work = work_;
	struct arena *arena = arena_new();

	for (int i = 0; i < MESSAGES; i++) {
		struct dns_budget *budget = dns_budget_open(work->resolver, arena, DNS_BUDGET_QUESTIONS);
		for (unsigned n = 0; n < NAMES * work->repeats; n++)
			work->found += work->ask(budget, slice_of(names[n % NAMES]));
		dns_budget_close(budget);
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/* Nanoseconds of processor time for one question, when so many threads ask: what they cost each other
 * shows, and what else the machine does at that moment does not. */
static double run(struct resolver *resolver, size_t (*question)(struct dns_budget *, struct slice), unsigned threads,
		  unsigned repeats)
{
	struct work works[THREADS_MAX] = {0};

	double start = cpu_ns();

	for (unsigned i = 0; i < threads; i++) {
		works[i].resolver = resolver;
		works[i].ask = question;
		works[i].repeats = repeats;
		if (pthread_create(&works[i].thread, NULL, messages, &works[i]) != 0)
			die("cannot start a thread");
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(works[i].thread, NULL);
		if (works[i].found != (size_t)MESSAGES * NAMES * repeats)
			die("an answer was missing");
	}
	return (cpu_ns() - start) / ((double)threads * MESSAGES * NAMES * repeats);
}

/* Nanoseconds of ub_resolve() for a name that it knows; no network is asked. */
static double direct(void)
{
	struct ub_ctx *ctx = ub_ctx_create();
	struct ub_result *result;

	if (!ctx || ub_ctx_data_add(ctx, "example.net. TXT \"v=spf1 -all\"") != 0)
		die("libunbound does not start");
	int64_t start = clock_us();
	for (int i = 0; i < DIRECT; i++) {
		if (ub_resolve(ctx, "example.net.", DNS_TXT, 1, &result) != 0 || !result->havedata)
			die("libunbound does not answer");
		ub_resolve_free(result);
	}
	double ns = 1000.0 * (double)(clock_us() - start) / DIRECT;
	ub_ctx_delete(ctx);
	return ns;
}

static struct resolver *resolver_make(void)
{
	struct arena *arena = arena_new();
	struct error err;
	struct text zone;

	text_init(&zone, arena, 4096);
	for (int i = 0; i < NAMES; i++)
		text_printf(&zone, "%s TXT \"v=spf1 -all\"\n", names[i]);
	struct resolver *resolver = resolver_open_zone(text_slice(&zone), "bench", &err);
	if (!resolver)
		die("%s", err.text);
	arena_free(arena);
	return resolver;
}

int main(void)
{
	struct resolver *resolver = resolver_make();

	double libunbound = direct();

	run(resolver, ask_parsed, 1, 1);
	double cached = run(resolver, ask, 1, 1), hinted = run(resolver, hint_and_ask, 1, 1);
	double repeated = (4 * run(resolver, ask, 1, 4) - cached) / 3, parsed = run(resolver, ask_parsed, 1, 1);
	printf("%-44s %9.0f ns\n", "ub_resolve, known to it", libunbound);
	printf("%-44s %9.0f ns   %6.0f times as fast\n", "dns_ask, in the cache", cached, libunbound / cached);
	printf("%-44s %9.0f ns   %6.0f times as fast\n", "dns_ask, asked before by this message", repeated,
	       libunbound / repeated);
	printf("%-44s %9.0f ns   %6.0f times as fast\n", "dns_hint and dns_ask, in the cache", hinted,
	       libunbound / hinted);
	printf("%-44s %9.0f ns   %6.0f times as fast\n", "dns_ask and dns_parsed, in the cache", parsed,
	       libunbound / parsed);
	for (unsigned threads = 2; threads <= THREADS_MAX; threads *= 2) {
		double ns = run(resolver, ask, threads, 1);
		printf("dns_ask, in the cache, %2u threads, same names %7.0f ns   %6.2f times one thread's\n", threads,
		       ns, ns / cached);
	}
	resolver_release(resolver);
	return 0;
}
