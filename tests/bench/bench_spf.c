/*
 * bench_spf.c - what a check of SPF costs when every answer is known, beside libspf2 as
 * it is (its own parser and evaluator, given the records of the same zone by a hook that knows them at once).
 *
 * One line each: nanoseconds of processor time of one thread, how they compare, and allocations (of the native
 * engine: blocks of the message's arena alone); then the native engine by many threads at the same names.
 */
#include <netinet/in.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <time.h> /* spf2/spf.h takes this and the first two for granted */
#include <pthread.h>
#include <spf2/spf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spf.h"

#define CHECKS      20000
#define ROUNDS      5 /* the fastest counts: another process may have had the processor */
#define THREADS_MAX 64
#define ANSWERED    0 /* NETDB_SUCCESS, which not every C library has */

/* ---- allocations are counted ----------------------------------------------------------------- */

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

static __thread unsigned long allocations;

void *malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
	allocations++;
	return __libc_calloc(count, n);
}

void *realloc(void *old, size_t n)
{
	allocations++;
	return __libc_realloc(old, n);
}

/* ---- the zone ------------------------------------------------------------------------------------ */

static const struct {
	const char *name, *text;
} records[] = {
    {"pass.example", "v=spf1 ip4:192.0.2.1 -all"},
    {"include.example", "v=spf1 include:_spf.include.example -all"},
    {"_spf.include.example", "v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 -all"},
    {"fail.example", "v=spf1 include:i0.example include:i1.example include:i2.example include:i3.example "
		     "include:i4.example include:i5.example include:i6.example include:i7.example -all"},
    {"i0.example", "v=spf1 ip4:198.51.100.0/24 ip4:198.51.101.0/24 ~all"},
    {"i1.example", "v=spf1 ip4:198.51.102.0/24 ip4:198.51.103.0/24 ~all"},
    {"i2.example", "v=spf1 ip4:198.51.104.0/24 ip4:198.51.105.0/24 ~all"},
    {"i3.example", "v=spf1 ip4:198.51.106.0/24 ip4:198.51.107.0/24 ~all"},
    {"i4.example", "v=spf1 ip4:198.51.108.0/24 ip4:198.51.109.0/24 ~all"},
    {"i5.example", "v=spf1 ip4:198.51.110.0/24 ip4:198.51.111.0/24 ~all"},
    {"i6.example", "v=spf1 ip4:198.51.112.0/24 ip4:198.51.113.0/24 ~all"},
    {"i7.example", "v=spf1 ip4:198.51.114.0/24 ip4:198.51.115.0/24 ~all"},
};
#define RECORDS (sizeof(records) / sizeof(records[0]))

static struct resolver *open_zone(void)
{
	struct arena *arena = arena_new();
	struct resolver *resolver;
	struct error err;
	struct text zone;

	text_init(&zone, arena, 1 << 16);
	for (size_t i = 0; i < RECORDS; i++)
		text_printf(&zone, "%s TXT \"%s\"\n", records[i].name, records[i].text);
	resolver = resolver_open_zone(text_slice(&zone), "bench", &err);
	if (!resolver)
		die("%s", err.text);
	arena_free(arena);
	return resolver;
}

/* ---- one check each way ----------------------------------------------------------------------------- */

struct work {
	pthread_t thread;
	struct resolver *resolver;
	enum spf_engine engine;
	const char *domain;
	enum spf_result wanted;
	bool trace;
};

static double cpu_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static void *checks(void *work_)
{
	struct work *work = work_;
	struct arena *arena = arena_new();
	struct spf_request request = {
	    .engine = work->engine,
	    .client = {.family = 4, .bytes = {192, 0, 2, 1}},
	    .helo = SLICE("mail.example"),
	    .local = SLICE("alice"),
	    .domain = slice_of(work->domain),
	    .receiver = SLICE("mx.example"),
	    .trace = work->trace,
	};

	for (int i = 0; i < CHECKS; i++) {
		struct dns_budget *budget = dns_budget_open(work->resolver, arena, DNS_BUDGET_QUESTIONS);
		struct spf_outcome outcome;

		spf_check(&request, budget, arena, &outcome);
		if (outcome.result != work->wanted)
			die("%s is %s", work->domain, spf_result_names[outcome.result]);
		dns_budget_close(budget);
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

static SPF_dns_rr_t *bare_lookup(SPF_dns_server_t *server, const char *name, ns_type type, int should_cache)
{
	SPF_dns_rr_t *reply = SPF_dns_rr_new_init(server, name, type, 0, HOST_NOT_FOUND);

	(void)should_cache;
	for (size_t i = 0; type == ns_t_txt && i < RECORDS; i++) {
		size_t n = strlen(records[i].text) + 1;

		if (strcmp(name, records[i].name) != 0 || SPF_dns_rr_buf_realloc(reply, 0, n) != SPF_E_SUCCESS)
			continue;
		memcpy(reply->rr[0]->txt, records[i].text, n);
		reply->num_rr = 1;
		reply->herrno = ANSWERED;
	}
	return reply;
}

static void *bare_checks(void *work_)
{
	struct work *work = work_;
	SPF_dns_server_t dns = {.lookup = bare_lookup, .name = "bench"};
	SPF_server_t *server = SPF_server_new_dns(&dns, 0);
	char sender[64];

	snprintf(sender, sizeof(sender), "alice@%s", work->domain);
	for (int i = 0; i < CHECKS; i++) {
		SPF_request_t *request = SPF_request_new(server);
		SPF_response_t *response = NULL;

		SPF_request_set_ipv4_str(request, "192.0.2.1");
		SPF_request_set_helo_dom(request, "mail.example");
		SPF_request_set_env_from(request, sender);
		SPF_request_query_mailfrom(request, &response);
		if (SPF_response_result(response) != (work->wanted == SPF_PASS ? SPF_RESULT_PASS : SPF_RESULT_FAIL))
			die("libspf2: %s is %s", work->domain, SPF_strresult(SPF_response_result(response)));
		SPF_response_free(response);
		SPF_request_free(request);
	}
	SPF_server_free(server);
	return NULL;
}

struct cost {
	double ns, allocated;
};

/* Of one check, by this thread; once before for what happens once. */
static struct cost cost_of(void *(*run)(void *), struct work *work)
{
	struct cost cost = {.ns = 1e18};

	run(work);
	for (int round = 0; round < ROUNDS; round++) {
		double start = cpu_ns(CLOCK_THREAD_CPUTIME_ID), ns;
		unsigned long before = allocations;

		run(work);
		ns = (cpu_ns(CLOCK_THREAD_CPUTIME_ID) - start) / CHECKS;
		cost.ns = ns < cost.ns ? ns : cost.ns;
		cost.allocated = (double)(allocations - before) / CHECKS;
	}
	return cost;
}

static void compare(const char *what, struct work work)
{
	struct cost native, told, guarded, bare = cost_of(bare_checks, &work);

	work.engine = SPF_ENGINE_NATIVE;
	native = cost_of(checks, &work);
	work.trace = true;
	told = cost_of(checks, &work);
	work.trace = false;
	work.engine = SPF_ENGINE_LIBSPF2;
	guarded = cost_of(checks, &work);
	printf("%-22s native %6.0f ns, %5.1f allocations (with its steps %6.0f ns); libspf2 alone %6.0f ns, %5.1f "
	       "allocations (native takes %.2f of it); engine libspf2 %6.0f ns\n",
	       what, native.ns, native.allocated, told.ns, bare.ns, bare.allocated, native.ns / bare.ns, guarded.ns);
}

/* Processor time shows what threads cost each other; how many processors there are does not matter. */
static void scale(struct work work, int threads)
{
	struct work works[THREADS_MAX];
	double start = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);

	for (int i = 0; i < threads; i++) {
		works[i] = work;
		pthread_create(&works[i].thread, NULL, checks, &works[i]);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(works[i].thread, NULL);
	printf("%2d threads             native %6.0f ns of processor time for each check\n", threads,
	       (cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / (CHECKS * threads));
}

int main(void)
{
	struct resolver *resolver = open_zone();
	struct work pass = {.resolver = resolver, .domain = "pass.example", .wanted = SPF_PASS};
	struct work include = {.resolver = resolver, .domain = "include.example", .wanted = SPF_PASS};
	struct work fail = {.resolver = resolver, .domain = "fail.example", .wanted = SPF_FAIL};

	compare("pass by ip4", pass);
	compare("pass by an include", include);
	compare("fail over 8 includes", fail);
	for (int threads = 1; threads <= THREADS_MAX; threads *= 4)
		scale(pass, threads);
	resolver_release(resolver);
	return 0;
}
