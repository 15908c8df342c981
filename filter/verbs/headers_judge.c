/*
 * headers_judge.c - what does not fit together in a header. A mistake of a clock is a note; what the standards forbid,
 * or what only forgers need, is wrong.
 */
#include "headers.h"

#define SKEW_S  120    /* clocks of servers differ */
#define SLOW_S  3600   /* a delay that a person wants to know of */
#define WEEK_S  604800 /* between the Date field and the first hop: a draft may be old, and queues wait for days */
#define ZONES_S 50400  /* a wrong time zone */

static void judge_counts(struct reading *reading)
{
	/* RFC 5322 3.6 */
	static const struct {
		const char *name;
		bool needed;
	} fields[] = {{"From", true}, {"Date", true},    {"Subject", false},  {"Message-ID", false}, {"To", false},
		      {"Cc", false},  {"Sender", false}, {"Reply-To", false}, {"In-Reply-To", false}};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		unsigned count = headers_count(&reading->headers, slice_of(fields[i].name));

		if (count > 1)
			sheet_advice(
			    reading->sheet, MARK_WRONG, "repeated-field",
			    "there are %u %s fields: readers may show another one than filters read (RFC 5322 3.6)",
			    count, fields[i].name);
		else if (count == 0 && fields[i].needed)
			sheet_advice(reading->sheet, MARK_WRONG, "missing-field", "there is no %s field (RFC 5322 3.6)",
				     fields[i].name);
	}
	if (reading->headers.too_large)
		sheet_advice(reading->sheet, MARK_WRONG, "too-large",
			     "the header is larger than mail servers take; the rest of it was not read");
}

/* ---- hops ------------------------------------------------------------------------------------- */

static void judge_time(struct reading *reading, size_t n)
{
	const struct hop *hop = &reading->hops[n], *before = n > 0 ? &reading->hops[n - 1] : NULL;
	int64_t delay = before ? hop->when_s - before->when_s : 0;

	if (!hop->dated) {
		sheet_advice(reading->sheet, MARK_NOTE, "no-date", "hop %zu has no date that can be read", n + 1);
		return;
	}
	if (!before || !before->dated)
		return;
	if (delay < -SKEW_S)
		sheet_advice(reading->sheet, MARK_WRONG, "time-backwards",
			     "hop %zu is %.*s earlier than the one before it: a clock is wrong, or a field is forged",
			     n + 1, SLICE_ARGS(headers_span(reading->lookup, -delay)));
	else if (delay > SLOW_S)
		sheet_advice(reading->sheet, MARK_NOTE, "slow-hop", "before hop %zu it waited for %.*s", n + 1,
			     SLICE_ARGS(headers_span(reading->lookup, delay)));
}

/* Each server should get it from the one that took it before. */
static void judge_link(struct reading *reading, size_t n)
{
	const struct hop *hop = &reading->hops[n], *before = &reading->hops[n - 1];

	if (!hop->known || before->by.n == 0)
		return;
	if (headers_related(before->by, hop->received.helo) || headers_related(before->by, hop->received.name) ||
	    slice_equal_nocase(before->by, hop->received.helo) ||
	    (before->known && before->received.by_ip.family && ip_equal(before->received.by_ip, hop->received.ip)))
		return;
	if (hop->received.ip.family && slice_starts_nocase(hop->received.helo, SLICE("localhost")))
		return;
	sheet_advice(reading->sheet, MARK_NOTE, "gap",
		     "hop %zu came from %.*s, but %.*s had taken it before: the hops below may be forged", n + 1,
		     SLICE_ARGS(hop->received.name.n ? hop->received.name : hop->received.helo),
		     SLICE_ARGS(before->by));
}

static void judge_hops(struct reading *reading)
{
	for (size_t n = 0; n < reading->hop_count; n++) {
		const struct hop *hop = &reading->hops[n];

		judge_time(reading, n);
		if (hop->by.n == 0)
			sheet_advice(reading->sheet, MARK_NOTE, "no-host", "hop %zu does not say which server took it",
				     n + 1);
		if (n > 0)
			judge_link(reading, n);
	}
}

/* ---- the message ---------------------------------------------------------------------------------- */

static void judge_date(struct reading *reading)
{
	int64_t written_s, taken_s;
	struct slice date = headers_value(reading, "Date");

	if (date.n == 0)
		return;
	if (!date_read(date, reading->lookup->arena, &written_s)) {
		sheet_advice(reading->sheet, MARK_WRONG, "date", "the Date field is not a date (RFC 5322 3.3)");
		return;
	}
	if (reading->hop_count == 0 || !reading->hops[0].dated)
		return;
	taken_s = reading->hops[0].when_s;
	if (written_s > taken_s + ZONES_S || written_s < taken_s - WEEK_S)
		sheet_advice(reading->sheet, MARK_NOTE, "date-far", "it was written %.*s %s it was first taken",
			     SLICE_ARGS(headers_span(reading->lookup,
						     written_s > taken_s ? written_s - taken_s : taken_s - written_s)),
			     written_s > taken_s ? "after" : "before");
}

static void judge_author(struct reading *reading)
{
	struct arena *arena = reading->lookup->arena;
	struct slice path = headers_value(reading, "Return-Path");
	struct address sender = address_parse_path(path, arena);
	struct authors authors;

	author_find(&reading->headers, arena, &authors);
	if (authors.field.n > 0 && !authors.valid)
		sheet_advice(reading->sheet, MARK_WRONG, "author", "the author is not known: %s", authors.why);
	if (path.n > 0 && !sender.valid)
		sheet_advice(reading->sheet, MARK_WRONG, "return-path", "Return-Path is not an address");
	else if (authors.domain_count > 0 && sender.domain.n > 0 && !headers_related(sender.domain, authors.domains[0]))
		sheet_advice(reading->sheet, MARK_NOTE, "other-sender",
			     "the author is at %.*s, the envelope sender at %.*s: usual for lists and mailing services",
			     SLICE_ARGS(authors.domains[0]), SLICE_ARGS(sender.domain));
}

void headers_judge(struct reading *reading)
{
	sheet_section(reading->sheet, "Consistency");
	judge_counts(reading);
	judge_hops(reading);
	judge_date(reading);
	judge_author(reading);
	if (sheet_advice_count(reading->sheet) == 0)
		sheet_line(reading->sheet, MARK_OK, SLICE(""), "everything fits together");
}
