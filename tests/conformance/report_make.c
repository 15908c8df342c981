/*
 * report_make.c DIRECTORY - writes DMARC reports into files as they would be attached, for public readers: one with
 * every word of the vocabulary, one with a thousand rows. Prints for each: file, messages, rows.
 */
#include "aggregate.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY 20784u

static const struct aggregate_settings settings = {SLICE("Example & <Sons>"), SLICE("dmarc@mx.example.org"),
						   SLICE("https://example.org/?a=1&b=2")};

/* Every result, disposition and reason, each in some row. */
static void count_words(struct aggregate *aggregate)
{
	for (unsigned i = 0; i < 24; i++) {
		const struct aggregate_reason reason = {(enum aggregate_why)(i % 5), SLICE("why \xe2\x82\xac & <so>")};
		const struct aggregate_signature dkim[] = {
		    {SLICE("example.org"), SLICE("s1"), (enum aggregate_result)(i % 8), SLICE("a reason")},
		    {SLICE("other.example"), SLICE("s2"), AGGREGATE_PASS, SLICE("")}};
		const struct aggregate_message message = {
		    .time_us = (int64_t)DAY * STORE_DAY_US,
		    .domain = SLICE("example.org"),
		    .record = SLICE(
			"v=DMARC1; p=quarantine; sp=reject; np=none; t=y; fo=1; nonsense; rua=mailto:a@example.org"),
		    .client = i % 2 ? (struct ip){4, {192, 0, 2, (uint8_t)i}}
				    : (struct ip){6, {0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)i}},
		    .header_from = i % 3 ? SLICE("example.org") : SLICE("sub.example.org"),
		    .envelope_from = i % 4 ? SLICE("bounce.example.org") : SLICE(""),
		    .disposition = (enum aggregate_disposition)(i % 4),
		    .dkim_aligned = i % 8 == 1,
		    .spf_aligned = i % 5 == 0,
		    .reasons = &reason,
		    .reason_count = i % 2,
		    .dkim = dkim,
		    .dkim_count = i % 3,
		    .spf_domain = i % 6 ? SLICE("bounce.example.org") : SLICE(""),
		    .spf = (enum aggregate_result)(i / 3 % 8),
		    .spf_human = i % 7 ? SLICE("") : SLICE("no answer"),
		};

		for (unsigned times = 0; times <= i; times++)
			aggregate_count(aggregate, &message);
	}
}

static void count_many(struct aggregate *aggregate)
{
	for (unsigned i = 0; i < 3000; i++) {
		const struct aggregate_message message = {
		    .time_us = (int64_t)DAY * STORE_DAY_US,
		    .domain = SLICE("many.example"),
		    .record = SLICE("v=DMARC1; p=none; rua=mailto:a@many.example"),
		    .client = {4, {198, 51, (uint8_t)(i % 1000 >> 8), (uint8_t)(i % 1000)}},
		    .header_from = SLICE("many.example"),
		    .envelope_from = SLICE("many.example"),
		    .spf_domain = SLICE("many.example"),
		    .spf = AGGREGATE_FAIL,
		};

		aggregate_count(aggregate, &message);
	}
}

static void write_report(struct aggregate *aggregate, const char *directory, struct slice domain, struct arena *arena)
{
	const struct aggregate_request request = {.day = DAY, .domain = domain, .max_bytes = 10 << 20};
	struct aggregate_report report;
	struct slice path;
	struct error err = {"there are no rows"};
	FILE *file;

	if (aggregate_make(aggregate, &request, arena, &report, &err) != 1)
		die("%s", err.text);
	path = arena_printf(arena, "%s/%.*s", directory, SLICE_ARGS(report.file));
	file = fopen(arena_cstring(arena, path), "wb");
	if (!file || fwrite(report.gz.p, 1, report.gz.n, file) != report.gz.n || fclose(file) != 0)
		die("cannot write %.*s", SLICE_ARGS(path));
	printf("%.*s %llu %llu\n", SLICE_ARGS(report.file), (unsigned long long)report.messages,
	       (unsigned long long)report.rows);
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new();
	struct error err = {""};
	struct store *store = store_open(&(struct store_settings){.url = SLICE("memory:")}, &err);
	struct aggregate *aggregate = store ? aggregate_open(store, &settings, &err) : NULL;

	if (argc != 2 || !aggregate)
		die("usage: report_make DIRECTORY (%s)", err.text);
	count_words(aggregate);
	count_many(aggregate);
	if (aggregate_flush(aggregate, clock_us() + 60 * 1000 * 1000) != STORE_OK)
		die("the rows were not stored");
	write_report(aggregate, argv[1], SLICE("example.org"), arena);
	write_report(aggregate, argv[1], SLICE("many.example"), arena);
	aggregate_close(aggregate);
	store_close(store);
	arena_free(arena);
	return 0;
}
