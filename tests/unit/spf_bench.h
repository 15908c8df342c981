/*
 * spf_bench.h - one check over zone text, for the tests of SPF.
 */
#ifndef SPF_BENCH_H
#define SPF_BENCH_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../filter/spf/spf_private.h"

#define COUNT(table) (sizeof(table) / sizeof(table[0]))

struct bench {
	struct arena *arena;
	struct resolver *resolver;
	struct dns_budget *budget;
	struct spf_outcome outcome;
};

static inline void bench_open(struct bench *bench, struct slice zone, unsigned questions)
{
	struct error err;

	bench->arena = arena_new();
	bench->resolver = resolver_open_zone(zone, "test", &err);
	if (!bench->resolver)
		fail_msg("%s", err.text);
	bench->budget = dns_budget_open(bench->resolver, bench->arena, questions);
}

static inline void bench_close(struct bench *bench)
{
	dns_budget_close(bench->budget);
	resolver_release(bench->resolver);
	arena_free(bench->arena);
}

static inline struct spf_request request_for(const char *client, const char *sender, const char *helo)
{
	const char *at = strrchr(sender, '@');
	struct spf_request request = {
	    .helo = slice_of(helo),
	    .local = {sender, (size_t)(at - sender)},
	    .domain = slice_of(at + 1),
	    .receiver = SLICE("mx.receiver.example"),
	    .now_us = 1234567890 * (int64_t)1000000,
	    .trace = true,
	};

	ip_parse(slice_of(client), &request.client);
	return request;
}

static inline void check(struct bench *bench, const char *client, const char *sender, const char *helo)
{
	struct spf_request request = request_for(client, sender, helo);

	spf_check(&request, bench->budget, bench->arena, &bench->outcome);
}

static inline const char *text_of(struct bench *bench, struct slice text)
{
	return arena_cstring(bench->arena, text);
}

#endif
