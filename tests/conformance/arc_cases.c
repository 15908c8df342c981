/*
 * arc_cases.c - seals a message for the runners of cases of others:
 *
 *	arc_cases DOMAIN SELECTOR KEY ZONE TIME RESULTS < MESSAGE
 *
 * KEY and ZONE are files, TIME is in seconds since 1970. The chain of the message is verified with the keys in ZONE,
 *then the message is printed with a set of our own on top. RESULTS is the text of ARC-Authentication-Results after i=.
 * Exit code 1, and why on standard error: nothing may be added.
 */
#include "arc.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (64 * 1024 * 1024)

static struct slice read_all(const char *path, struct arena *arena)
{
	struct slice text, copy;
	struct error err;

	if (file_read(path, FILE_BYTES_MAX, &text, &err) < 0)
		die("%s", err.text);
	copy = arena_copy(arena, text);
	free((char *)text.p);
	return copy;
}

static struct arc_outcome verify(const char *zone, int64_t now_s, const struct headers *headers, struct slice text,
				 struct dkim_body *body, struct arena *arena)
{
	const struct arc_rules rules = {.now_s = now_s, .minimum_bits = DKIM_RSA_BITS_MIN, .sets = ARC_SETS_MAX};
	struct error err;
	struct resolver *resolver = resolver_open_zone(read_all(zone, arena), zone, &err);
	struct arc_verifier *verifier;
	struct arc_outcome outcome;
	struct dns_budget *budget;

	if (!resolver)
		die("%s", err.text);
	budget = dns_budget_open(resolver, arena, 100);
	verifier = arc_verify_begin(&rules, headers, body, arena);
	dkim_body_want(body, DKIM_RELAXED, DKIM_WHOLE);
	dkim_body_add(body, text);
	dkim_body_end(body);
	arc_verify_end(verifier, budget, &outcome);
	dns_budget_close(budget);
	resolver_release(resolver);
	return outcome;
}

static void print(const char *name, struct slice value)
{
	printf("%s:%.*s\n", name, SLICE_ARGS(value));
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new();
	struct dkim_body *body = dkim_body_new(arena);
	struct slice message, rest, name, value;
	struct arc_outcome arrived;
	struct arc_sealing sealing;
	struct headers headers;
	struct arc_made made;
	struct error err = {""};

	if (argc != 7)
		die("arc_cases DOMAIN SELECTOR KEY ZONE TIME RESULTS < MESSAGE");
	sealing = (struct arc_sealing){.arrived = &arrived,
				       .domain = slice_of(argv[1]),
				       .selector = slice_of(argv[2]),
				       .key = dkim_private_read(read_all(argv[3], arena), &err),
				       .now_s = strtoll(argv[5], NULL, 10),
				       .results = slice_of(argv[6])};
	if (!sealing.key)
		die("%s", err.text);
	rest = message = read_all("-", arena);
	headers_init(&headers, arena);
	while (message_next_field(&rest, arena, &name, &value))
		headers_add(&headers, name, value);
	arrived = verify(argv[4], sealing.now_s, &headers, rest, body, arena);
	if (arc_seal(&sealing, headers.fields, headers.count, body, arena, &made, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	print("ARC-Seal", made.seal);
	print("ARC-Message-Signature", made.signature);
	print("ARC-Authentication-Results", made.results);
	fwrite(message.p, 1, message.n, stdout);
	dkim_private_free((struct dkim_private *)sealing.key);
	arena_free(arena);
	return 0;
}
