/*
 * fuzz_feedback.c - any bytes as a file with reports. The first byte says how large the pieces are: what comes out is
 * the same as in one piece, and what is counted is what the reports say.
 */
#include "feedback.h"
#include "fuzz.h"

struct seen {
	struct feedback_adder *adder;
	unsigned records, pending, reports, skipped, messages;
	uint64_t hash;
};

static void take_record(void *context, const struct feedback_record *record)
{
	struct seen *seen = context;

	must(record->count <= FEEDBACK_COUNT_MAX);
	must(record->dkim_count <= FEEDBACK_RESULTS_MAX && record->spf_count <= FEEDBACK_RESULTS_MAX);
	must(record->header_from.n <= FEEDBACK_TEXT_MAX);
	seen->pending++;
	feedback_add_record(seen->adder, record);
}

static void take_report(void *context, const struct feedback_report *report)
{
	struct seen *seen = context;

	must(report->records == seen->pending);
	must(report->domain.n > 0 && report->domain.n <= FEEDBACK_TEXT_MAX);
	seen->records += seen->pending;
	seen->pending = 0;
	seen->reports++;
	seen->hash = hash_slice(report->id, hash_slice(report->domain, seen->hash));
	feedback_add_report(seen->adder, report);
}

static void take_tls(void *context, const struct feedback_tls *report)
{
	struct seen *seen = context;

	must(seen->pending == 0);
	seen->reports++;
	seen->hash = hash_slice(report->id, seen->hash);
	feedback_add_tls(seen->adder, report);
}

static void take_skipped(void *context, struct slice where, struct slice why)
{
	struct seen *seen = context;

	must(why.n > 0 && where.n < 64);
	seen->pending = 0;
	seen->skipped++;
	feedback_forget(seen->adder);
}

static void take_message(void *context, unsigned reports)
{
	struct seen *seen = context;

	must(seen->pending == 0);
	must(reports <= seen->reports + seen->skipped);
	seen->messages++;
}

static struct seen read_pieces(struct slice input, size_t piece)
{
	struct seen seen = {.adder = feedback_adder_new(SLICE(""), 0)};
	struct feedback_take take = {&seen, take_record, take_report, take_tls, take_skipped, take_message};
	struct error err;
	struct feedback *feedback = feedback_open(&take, &err);
	const struct feedback_sums *sums;
	uint64_t messages = 0;

	while (input.n > 0 && feedback_bytes(feedback, slice_head(input, piece)))
		input = slice_from(input, piece);
	feedback_end(feedback);
	must(seen.pending == 0);
	sums = feedback_added(seen.adder);
	must(sums->reports + sums->tls_reports + sums->duplicates == seen.reports);
	must(sums->records <= seen.records);
	for (size_t i = 0; i < sums->source_count; i++) {
		must(sums->sources[i].pass <= sums->sources[i].messages);
		messages += sums->sources[i].messages;
	}
	for (size_t i = 0; i < sums->domain_count; i++)
		messages -= sums->domains[i].messages;
	must(messages == 0);
	feedback_adder_free(seen.adder);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = {(const char *)data, size};
	struct seen whole, pieces;

	if (size == 0)
		return 0;
	input = slice_from(input, 1);
	whole = read_pieces(input, SIZE_MAX);
	pieces = read_pieces(input, data[0] + 1u);
	must(whole.records == pieces.records && whole.reports == pieces.reports);
	must(whole.messages == pieces.messages && whole.hash == pieces.hash);
	return 0;
}
