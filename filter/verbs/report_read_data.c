/*
 * report_read_data.c - what `sekisho report read` prints for programs: JSON and CSV.
 */
#include "report_read.h"
#include "engine.h"
#include "json.h"
#include <stdio.h>
#include <stdlib.h>

#define JSON_FLAGS (JSON_COMPACT | JSON_ENSURE_ASCII) /* some letters are commands to terminals */

static const struct {
	unsigned bit;
	const char *name;
} reasons[] = {{FEEDBACK_FORWARDED, "forwarded"},
	       {FEEDBACK_MAILING_LIST, "mailing_list"},
	       {FEEDBACK_LOCAL_POLICY, "local_policy"},
	       {FEEDBACK_TEST_MODE, "policy_test_mode"},
	       {FEEDBACK_OTHER, "other"}};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

/* JSON has no larger number that every program can read. */
static json_t *number(uint64_t value)
{
	return json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX);
}

static void put(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

static json_t *classes_json(const uint64_t classes[REPORT_CLASSES])
{
	json_t *object = json_object();

	for (size_t i = 0; i < REPORT_CLASSES; i++)
		put(object, report_class_names[i], number(classes[i]));
	return object;
}

static json_t *source_json(const struct report_reading *reading, const struct feedback_source *source)
{
	json_t *object = json_object(), *reporters = json_array(), *told = json_array();
	uint64_t classes[REPORT_CLASSES];

	put(object, "source", json_text(report_source_name(source, reading->arena)));
	put(object, "messages", number(source->messages));
	put(object, "pass", number(source->pass));
	put(object, "dkim", number(source->dkim));
	put(object, "spf", number(source->spf));
	put(object, "none", number(source->dispositions[FEEDBACK_DELIVERED]));
	put(object, "quarantine", number(source->dispositions[FEEDBACK_QUARANTINED]));
	put(object, "reject", number(source->dispositions[FEEDBACK_REJECTED]));
	put(object, "unknown-disposition", number(source->dispositions[FEEDBACK_UNTOLD]));
	report_classify(source, classes);
	put(object, "failed", classes_json(classes));
	put(object, "passes-as", json_text(feedback_name(reading->adder, source->near)));
	for (size_t i = 0; i < REASONS; i++)
		if (source->reasons & reasons[i].bit)
			json_array_append_new(told, json_string(reasons[i].name));
	put(object, "reasons", told);
	for (size_t i = 0; i < FEEDBACK_REPORTERS && source->reporters[i]; i++)
		json_array_append_new(reporters, json_text(feedback_name(reading->adder, source->reporters[i])));
	put(object, "reporters", reporters);
	put(object, "more-reporters", json_boolean(source->more_reporters));
	return object;
}

static json_t *domain_json(const struct feedback_domain *domain)
{
	json_t *object = json_object(), *policy = json_object();

	put(object, "domain", json_text(domain->name));
	put(object, "reports", number(domain->reports));
	put(object, "begin", json_integer(domain->begin_s));
	put(object, "end", json_integer(domain->end_s));
	put(object, "messages", number(domain->messages));
	put(object, "pass", number(domain->pass));
	put(policy, "p", json_text(domain->p));
	put(policy, "sp", json_text(domain->sp));
	put(policy, "np", json_text(domain->np));
	put(policy, "adkim", json_text(domain->adkim));
	put(policy, "aspf", json_text(domain->aspf));
	put(policy, "t", json_text(domain->testing));
	put(policy, "pct", json_text(domain->pct));
	put(object, "policy", policy);
	return object;
}

static json_t *tls_json(const struct feedback_sums *sums)
{
	json_t *rows = json_array(), *object = json_object();

	for (size_t i = 0; i < sums->tls_count; i++) {
		const struct feedback_tls_row *row = &sums->tls[i];
		json_t *one = json_object();

		put(one, "domain", json_text(row->domain));
		put(one, "policy", json_text(row->type));
		put(one, "result", json_text(row->result.n ? row->result : SLICE("success")));
		put(one, "receiving-host", json_text(row->mx));
		put(one, "reason", json_text(row->reason));
		put(one, "sessions", number(row->sessions));
		json_array_append_new(rows, one);
	}
	put(object, "reports", number(sums->tls_reports));
	put(object, "begin", json_integer(sums->tls_begin_s));
	put(object, "end", json_integer(sums->tls_end_s));
	put(object, "results", rows);
	put(object, "more", json_boolean(sums->tls_more));
	return object;
}

static json_t *skipped_json(const struct report_reading *reading)
{
	json_t *list = json_array();

	for (size_t i = 0; i < reading->skipped_count && i < SKIPPED_TOLD; i++) {
		json_t *one = json_object();

		put(one, "file", json_text(reading->skipped[i].file));
		put(one, "where", json_text(reading->skipped[i].where));
		put(one, "why", json_text(reading->skipped[i].why));
		json_array_append_new(list, one);
	}
	return list;
}

static json_t *notes_json(const struct feedback_sums *sums)
{
	json_t *object = json_object();

	for (size_t i = 0; i < FEEDBACK_NOTES; i++)
		if (sums->noted[i] > 0)
			put(object, feedback_note_texts[i], number(sums->noted[i]));
	return object;
}

/* One member in a line of its own. */
static void print_member(const char *name, json_t *value, bool last)
{
	printf("  \"%s\": ", name);
	json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_FLAGS);
	fputs(last ? "\n" : ",\n", stdout);
	json_decref(value);
}

/* Printed source by source: the tree of all of them would take several times the memory of the sums. */
static void print_domains(const struct report_reading *reading, const struct feedback_sums *sums)
{
	fputs("  \"domains\": [", stdout);
	for (size_t i = 0; i < sums->source_count; i++) {
		const struct feedback_source *source = &sums->sources[i];
		bool first = i == 0 || source[-1].domain != source->domain;
		json_t *object = source_json(reading, source);

		if (first) {
			json_t *domain = domain_json(&sums->domains[source->domain]);

			fputs(i ? "\n    ]},\n    {\"about\": " : "\n    {\"about\": ", stdout);
			json_dumpf(domain, stdout, JSON_FLAGS);
			fputs(", \"sources\": [", stdout);
			json_decref(domain);
		}
		fputs(first ? "\n      " : ",\n      ", stdout);
		json_dumpf(object, stdout, JSON_FLAGS);
		json_decref(object);
	}
	fputs(sums->source_count ? "\n    ]}\n  ],\n" : "],\n", stdout);
}

void report_show_json(const struct report_reading *reading, const struct feedback_sums *sums)
{
	fputs("{\n", stdout);
	print_domains(reading, sums);
	print_member("tls", tls_json(sums), false);
	print_member("files", number(reading->files), false);
	print_member("reports", number(sums->reports), false);
	print_member("records", number(sums->records), false);
	print_member("duplicates", number(sums->duplicates), false);
	print_member("duplicates-complete", json_boolean(!sums->unremembered), false);
	print_member("older", number(sums->older), false);
	print_member("other-domains", number(sums->others), false);
	print_member("messages", number(reading->messages), false);
	print_member("messages-without-report", number(reading->empty), false);
	print_member("notes", notes_json(sums), false);
	print_member("skipped-count", number(reading->skipped_count), false);
	print_member("skipped", skipped_json(reading), true);
	fputs("}\n", stdout);
}

/* ---- CSV (RFC 4180) --------------------------------------------------------------------- */

static void csv_character(struct slice one)
{
	if (one.p[0] == '"')
		fputs("\"\"", stdout);
	else if (is_control(one.p[0]))
		printf("\\x%02x", (unsigned char)one.p[0]);
	else
		trace_print_text(stdout, one);
}

/* A value that a spreadsheet would take for a formula gets a quote before it. */
static void csv_text(struct slice text, char after)
{
	bool formula = text.n > 0 && strchr("=+-@\t\r", text.p[0]), quoted = false;

	for (size_t i = 0; i < text.n && !quoted; i++)
		quoted = text.p[i] == '"' || text.p[i] == ',' || is_control(text.p[i]);
	fputs(quoted ? "\"" : "", stdout);
	fputs(formula ? "'" : "", stdout);
	while (text.n > 0) {
		size_t n = slice_utf8(text);

		csv_character(slice_head(text, n ? n : 1));
		text = slice_from(text, n ? n : 1);
	}
	fputs(quoted ? "\"" : "", stdout);
	putchar(after);
}

static void csv_number(uint64_t value, char after)
{
	printf("%llu%c", (unsigned long long)value, after);
}

static void csv_source(const struct report_reading *reading, const struct feedback_sums *sums,
		       const struct feedback_source *source)
{
	uint64_t classes[REPORT_CLASSES];
	const char *separator = "";

	csv_text(sums->domains[source->domain].name, ',');
	csv_text(report_source_name(source, reading->arena), ',');
	csv_number(source->messages, ',');
	csv_number(source->pass, ',');
	csv_number(source->dkim, ',');
	csv_number(source->spf, ',');
	for (size_t i = 0; i < FEEDBACK_DISPOSITIONS; i++)
		csv_number(source->dispositions[i], ',');
	report_classify(source, classes);
	for (size_t i = 0; i < REPORT_CLASSES; i++)
		csv_number(classes[i], ',');
	csv_text(feedback_name(reading->adder, source->near), ',');
	for (size_t i = 0; i < REASONS; i++)
		if (source->reasons & reasons[i].bit) {
			printf("%s%s", separator, reasons[i].name);
			separator = " ";
		}
	putchar(',');
	for (size_t i = 0; i < FEEDBACK_REPORTERS; i++)
		csv_text(feedback_name(reading->adder, source->reporters[i]), i + 1 < FEEDBACK_REPORTERS ? ',' : '\n');
}

void report_show_csv(const struct report_reading *reading, const struct feedback_sums *sums)
{
	fputs("domain,source,messages,pass,dkim,spf,none,quarantine,reject,unknown-disposition,forwarded,broken-"
	      "signature,"
	      "other-domain,known-source,nothing-passes,passes-as,reasons,reporter,reporter-2,reporter-3\n",
	      stdout);
	for (size_t i = 0; i < sums->source_count; i++)
		csv_source(reading, sums, &sums->sources[i]);
}

void report_show_tls_csv(const struct feedback_sums *sums)
{
	fputs("domain,policy,result,receiving-host,reason,sessions\n", stdout);
	for (size_t i = 0; i < sums->tls_count; i++) {
		const struct feedback_tls_row *row = &sums->tls[i];

		csv_text(row->domain, ',');
		csv_text(row->type, ',');
		csv_text(row->result.n ? row->result : SLICE("success"), ',');
		csv_text(row->mx, ',');
		csv_text(row->reason, ',');
		csv_number(row->sessions, '\n');
	}
}
