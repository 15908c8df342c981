/*
 * spf_cases.c - evaluates SPF for spf_differential.py: cases come on standard input, a
 * line of JSON for each goes out.
 *
 * "case CLIENT SENDER HELO", lines of zone text, "end". The line out is an object: engine to
 * [result, lookups, void lookups], for every engine of this build.
 */
#include "spf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 100000
#define ZONE_MAX       (1 << 20)

static struct spf_request read_case(struct slice words, struct arena *arena)
{
	struct slice client = SLICE(""), sender = SLICE(""), helo = SLICE("");
	struct spf_request request = {.receiver = SLICE("mx.example"), .now_us = 0};
	ptrdiff_t at;

	words = arena_copy(arena, words);
	slice_word(&words, &client);
	slice_word(&words, &sender);
	slice_word(&words, &helo);
	if (ip_parse(client, &request.client) < 0)
		die("case: %.*s is not an address", SLICE_ARGS(client));
	at = slice_find_last(sender, '@');
	request.local = slice_head(sender, (size_t)(at < 0 ? 0 : at));
	request.domain = slice_from(sender, (size_t)(at + 1));
	request.helo = helo;
	return request;
}

static void evaluate(struct spf_request *request, struct slice zone, struct arena *arena)
{
	struct error err;
	struct resolver *resolver = resolver_open_zone(zone, "case", &err);

	if (!resolver)
		die("%s", err.text);
	putchar('{');
	for (int engine = SPF_ENGINE_NATIVE; engine <= SPF_ENGINE_LIBSPF2; engine++) {
		struct dns_budget *budget = dns_budget_open(resolver, arena, DNS_BUDGET_QUESTIONS);
		struct spf_outcome outcome;

		if (!spf_engine_built((enum spf_engine)engine))
			continue;
		request->engine = (enum spf_engine)engine;
		spf_check(request, budget, arena, &outcome);
		printf("%s\"%s\": [\"%s\", %u, %u]", engine ? ", " : "", spf_engine_names[engine],
		       spf_result_names[outcome.result], outcome.lookups, outcome.void_lookups);
		dns_budget_close(budget);
	}
	puts("}");
	fflush(stdout);
	resolver_release(resolver);
}

int main(void)
{
	struct arena *arena = arena_new();
	char *line = xmalloc(LINE_MAX_BYTES);
	struct spf_request request = {.now_us = 0};
	struct text zone;

	while (fgets(line, LINE_MAX_BYTES, stdin)) {
		if (strncmp(line, "case ", 5) == 0) {
			arena_reset(arena);
			text_init(&zone, arena, ZONE_MAX);
			request = read_case(slice_of(line + 5), arena);
		} else if (strcmp(line, "end\n") == 0) {
			evaluate(&request, text_slice(&zone), arena);
		} else {
			text_add(&zone, slice_of(line));
		}
	}
	free(line);
	arena_free(arena);
	return 0;
}
