/*
 * report_read_show.c - how `sekisho report read` shows the sums to a person.
 *
 * Texts of the reports may be anybody's: what could command a terminal is shown in hexadecimal, and long texts are cut.
 */
#include "report_read.h"
#include "engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LINES_MAX    40 /* of one domain; more sources are grouped by network */
#define TEXT_WIDTH   40 /* of a name in a table */
#define REMARK_WIDTH 24

const char *const report_class_names[REPORT_CLASSES + 1] = {"forwarded",    "broken-signature", "other-domain",
							    "known-source", "nothing-passes",   NULL};
static const char *const class_texts[REPORT_CLASSES] = {
    "forwarded, says the receiver",
    "with a signature of the domain that is broken: changed on the way?",
    "DKIM or SPF passes for another domain: a service that is not set up?",
    "nothing passes, but other mail from these sources does",
    "nothing passes: forged, or a server that is not set up",
};

void report_classify(const struct feedback_source *source, uint64_t classes_r[REPORT_CLASSES])
{
	uint64_t forged = source->likely[FEEDBACK_LIKELY_FORGED];

	classes_r[CLASS_FORWARDED] = source->likely[FEEDBACK_LIKELY_FORWARDED];
	classes_r[CLASS_BROKEN] = source->likely[FEEDBACK_LIKELY_BROKEN];
	classes_r[CLASS_NEAR] = source->likely[FEEDBACK_LIKELY_NEAR];
	/* Those that nobody can tell apart may be anybody's. */
	classes_r[CLASS_KNOWN] = source->pass > 0 && source->source.family ? forged : 0;
	classes_r[CLASS_FORGED] = forged - classes_r[CLASS_KNOWN];
}

struct slice report_source_name(const struct feedback_source *source, struct arena *arena)
{
	char buffer[IP_TEXT];

	if (source->beyond)
		return SLICE("(others)");
	if (source->source.family == 0)
		return SLICE("unknown");
	return arena_copy(arena, ip_print(source->source, buffer));
}

/* Prints at most TEXT_WIDTH characters on one line; returns how many. */
static size_t print_text(struct slice text)
{
	size_t shown = 0;

	for (; text.n > 0 && shown < TEXT_WIDTH; shown++) {
		size_t n = slice_utf8(text);
		struct slice one = slice_head(text, n ? n : 1);

		trace_print_text(stdout, one.p[0] == '\n' ? SLICE(" ") : one);
		text = slice_from(text, one.n);
	}
	if (text.n > 0)
		fputs("...", stdout);
	return shown;
}

static void print_day(int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&time, &tm) && tm.tm_year < 8100)
		printf("%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	else
		fputs("?", stdout);
}

static void print_period(int64_t begin_s, int64_t end_s)
{
	if (end_s == 0)
		return;
	fputs(", ", stdout);
	print_day(begin_s);
	fputs(" to ", stdout);
	print_day(end_s);
}

static void print_count(const char *format, uint64_t count)
{
	printf(format, (unsigned long long)count);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void print_reporters(const struct feedback_adder *adder, const struct feedback_source *source)
{
	for (size_t i = 0; i < FEEDBACK_REPORTERS && source->reporters[i]; i++) {
		fputs(i ? ", " : "", stdout);
		print_text(feedback_name(adder, source->reporters[i]));
	}
	fputs(source->more_reporters ? ", ..." : "", stdout);
}

/* The class with most of the messages that do not pass; padded to REMARK_WIDTH. */
static void print_remark(const struct feedback_adder *adder, const struct feedback_source *source)
{
	static const char *const remarks[REPORT_CLASSES] = {"forwarded", "broken signature", "passes as ",
							    "some does not pass", "nothing passes"};
	uint64_t classes[REPORT_CLASSES];
	size_t most = 0, shown;
	const char *remark;

	report_classify(source, classes);
	for (size_t i = 1; i < REPORT_CLASSES; i++)
		most = classes[i] > classes[most] ? i : most;
	remark = classes[most] > 0 ? remarks[most] : "";
	fputs(remark, stdout);
	shown = strlen(remark);
	if (classes[most] > 0 && most == CLASS_NEAR)
		shown += print_text(feedback_name(adder, source->near));
	printf("%*s  ", shown < REMARK_WIDTH ? (int)(REMARK_WIDTH - shown) : 0, "");
}

static void print_row(const struct feedback_adder *adder, struct slice name, size_t sources,
		      const struct feedback_source *source)
{
	char label[IP_TEXT + 16];

	snprintf(label, sizeof(label), sources > 1 ? "%.*s (%zu)" : "%.*s", SLICE_ARGS(name), sources);
	printf("  %-28s %10llu %10llu %10llu %10llu %10llu %10llu  ", label, (unsigned long long)source->messages,
	       (unsigned long long)source->pass, (unsigned long long)source->dkim, (unsigned long long)source->spf,
	       (unsigned long long)source->dispositions[FEEDBACK_QUARANTINED],
	       (unsigned long long)source->dispositions[FEEDBACK_REJECTED]);
	print_remark(adder, source);
	print_reporters(adder, source);
	putchar('\n');
}

static void print_groups(const struct feedback_adder *adder, const struct feedback_source *sources, size_t count,
			 struct arena *arena)
{
	size_t group_count;
	const struct feedback_group *groups = feedback_group(sources, count, arena, &group_count);
	uint64_t rest = 0;

	for (size_t i = 0; i < group_count; i++) {
		char buffer[IP_TEXT];
		struct slice ip = ip_print(groups[i].net.ip, buffer);
		bool one = groups[i].sources == 1 || ip.n == 0;

		if (i >= LINES_MAX)
			rest += groups[i].sums.messages;
		else
			print_row(adder,
				  one ? report_source_name(&groups[i].sums, arena)
				      : arena_printf(arena, "%.*s/%u", SLICE_ARGS(ip), groups[i].net.prefix),
				  groups[i].sources, &groups[i].sums);
	}
	if (group_count > LINES_MAX) {
		printf("  and %zu more networks", group_count - LINES_MAX);
		print_count(" with %llu messages; --csv shows every source\n", rest);
	}
}

static void print_cost(const struct feedback_domain *domain, const struct feedback_source *sources, size_t count)
{
	uint64_t classes[REPORT_CLASSES] = {0}, failed = domain->messages - domain->pass;
	size_t class_sources[REPORT_CLASSES] = {0};

	if (failed == 0) {
		fputs("  Every message passes: p=quarantine or p=reject costs nothing.\n", stdout);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t one[REPORT_CLASSES];

		report_classify(&sources[i], one);
		for (size_t j = 0; j < REPORT_CLASSES; j++) {
			classes[j] += one[j];
			class_sources[j] += one[j] > 0;
		}
	}
	printf("  p=quarantine or p=reject hits %llu messages (%.1f %%), of which %llu look legitimate:\n",
	       (unsigned long long)failed, percent(failed, domain->messages),
	       (unsigned long long)(failed - classes[CLASS_FORGED]));
	for (size_t j = 0; j < REPORT_CLASSES; j++)
		if (classes[j] > 0)
			printf("  %10llu from %zu source%s: %s\n", (unsigned long long)classes[j], class_sources[j],
			       class_sources[j] == 1 ? "" : "s", class_texts[j]);
}

static void print_policy(const struct feedback_domain *domain)
{
	const struct {
		const char *name;
		struct slice value;
	} tags[] = {{"p", domain->p},       {"sp", domain->sp},     {"np", domain->np},  {"adkim", domain->adkim},
		    {"aspf", domain->aspf}, {"t", domain->testing}, {"pct", domain->pct}};

	fputs(" ", stdout);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (tags[i].value.n > 0) {
			printf(" %s=", tags[i].name);
			print_text(tags[i].value);
		}
}

static void print_domain(const struct report_reading *reading, const struct feedback_domain *domain,
			 const struct feedback_source *sources, size_t count)
{
	fputs("DMARC  ", stdout);
	print_text(domain->name.n ? domain->name : SLICE("(other domains)"));
	print_policy(domain);
	print_count("\n  %llu report", domain->reports);
	fputs(domain->reports == 1 ? "" : "s", stdout);
	print_period(domain->begin_s, domain->end_s);
	printf("; %llu message%s from %zu source%s, %llu pass (%.1f %%)\n\n", (unsigned long long)domain->messages,
	       domain->messages == 1 ? "" : "s", count, count == 1 ? "" : "s", (unsigned long long)domain->pass,
	       percent(domain->pass, domain->messages));
	printf("  %-28s %10s %10s %10s %10s %10s %10s  %-*s  %s\n", "source", "messages", "pass", "DKIM", "SPF",
	       "quarantine", "reject", REMARK_WIDTH, "what does not pass", "reported by");
	if (count > LINES_MAX)
		print_groups(reading->adder, sources, count, reading->arena);
	for (size_t i = 0; count <= LINES_MAX && i < count; i++)
		print_row(reading->adder, report_source_name(&sources[i], reading->arena), 1, &sources[i]);
	putchar('\n');
	print_cost(domain, sources, count);
	putchar('\n');
}

static void print_tls(const struct feedback_sums *sums)
{
	print_count("TLS  %llu report", sums->tls_reports);
	fputs(sums->tls_reports == 1 ? "" : "s", stdout);
	print_period(sums->tls_begin_s, sums->tls_end_s);
	printf("\n\n  %-28s %-16s %10s  %s\n", "domain", "policy", "sessions", "result, receiving host");
	for (size_t i = 0; i < sums->tls_count; i++) {
		const struct feedback_tls_row *row = &sums->tls[i];
		size_t shown;

		fputs("  ", stdout);
		shown = print_text(row->domain);
		printf("%*s ", shown < 28 ? (int)(28 - shown) : 0, "");
		shown = print_text(row->type);
		printf("%*s %10llu  ", shown < 16 ? (int)(16 - shown) : 0, "", (unsigned long long)row->sessions);
		print_text(row->result.n ? row->result : SLICE("success"));
		if (row->mx.n) {
			fputs(", ", stdout);
			print_text(row->mx);
		}
		if (row->reason.n) {
			fputs(": ", stdout);
			print_text(row->reason);
		}
		putchar('\n');
	}
	fputs(sums->tls_more ? "  and more results, which are not shown\n\n" : "\n", stdout);
}

static void print_rest(const struct report_reading *reading, const struct feedback_sums *sums)
{
	const struct {
		uint64_t count;
		const char *one, *more;
	} lines[] = {{sums->duplicates, "report came again and counts once", "reports came again and count once"},
		     {sums->older, "report is older", "reports are older"},
		     {sums->others, "report is about another domain", "reports are about other domains"},
		     {reading->empty, "message holds no report", "messages hold no report"},
		     {reading->skipped_count, "was skipped, with the reason on standard error",
		      "were skipped, with the reasons on standard error"}};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (lines[i].count > 0)
			printf("%10llu %s\n", (unsigned long long)lines[i].count,
			       lines[i].count == 1 ? lines[i].one : lines[i].more);
	for (size_t i = 0; i < FEEDBACK_NOTES; i++)
		if (sums->noted[i] > 0)
			printf("%10llu %s %s\n", (unsigned long long)sums->noted[i],
			       sums->noted[i] == 1 ? "report has" : "reports have", feedback_note_texts[i]);
	if (sums->unremembered)
		printf("After %d reports, no more were compared to find those that came again.\n",
		       FEEDBACK_REPORTS_MAX);
}

void report_show(const struct report_reading *reading, const struct feedback_sums *sums, bool tls_only)
{
	for (size_t i = 0, next; !tls_only && i < sums->source_count; i = next) {
		for (next = i + 1; next < sums->source_count && sums->sources[next].domain == sums->sources[i].domain;)
			next++;
		print_domain(reading, &sums->domains[sums->sources[i].domain], &sums->sources[i], next - i);
	}
	if (sums->tls_reports > 0)
		print_tls(sums);
	print_rest(reading, sums);
}
